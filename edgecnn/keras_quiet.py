"""TensorFlow and Keras without the lines that their native code writes past every log level."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError, MissingDependencyError, first_line
from edgecnn.files import require_file

_STOPPING = (signal.SIGINT, signal.SIGTERM)
"""What ends a command: Ctrl-C, and ``kill``."""


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Keep whatever native code writes to standard output and error out of the terminal.

    ``EDGECNN_DEBUG=1``, which ``--debug`` sets, lets everything through. Python's own ``sys.stdout`` and
    ``sys.stderr`` are redirected too, since they share the descriptors.
    """
    if os.environ.get("EDGECNN_DEBUG") == "1":
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        saved = os.dup(1), os.dup(2)
        os.dup2(held.fileno(), 1)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])


def import_keras(step: str = "this") -> Any:
    """The ``keras`` module on the TensorFlow backend, imported quietly.

    Args:
        step: What needs it, for the message when it is missing.

    Raises:
        MissingDependencyError: TensorFlow or Keras is not installed.
        EdgecnnError: It is installed and cannot be imported.
    """
    # What is built here is converted by TensorFlow, whatever backend the user's other work runs on.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet_native():
            import keras
            import tensorflow
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "tensorflow", "train", step) from error
    except ImportError as error:
        raise EdgecnnError(
            f"TensorFlow is installed and cannot be imported: {first_line(error)}. "
            "`edgecnn doctor --deep` looks closer; installing edgecnn[train] into a new environment usually helps."
        ) from error
    del tensorflow
    return keras


def fresh_session() -> None:
    """Forget what earlier models left in Keras, as in a process of its own.

    Ctrl-C waits until that is done: it runs the garbage collector, and Python drops whatever is raised in what that
    calls.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed meanwhile.
    """
    keras, pressed = import_keras(), list[int]()
    if threading.current_thread() is not threading.main_thread():    # only there Python sees signals
        keras.backend.clear_session()
        return
    before = {number: signal.signal(number, lambda got, _: pressed.append(got)) for number in _STOPPING}
    try:
        keras.backend.clear_session()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if pressed:
        raise KeyboardInterrupt


def load_keras_model(path: Path, step: str) -> Any:
    """A ``.keras`` file as a ``keras.Model``, not compiled.

    Args:
        path: The file.
        step: What needs it, for the message when Keras is missing.

    Raises:
        UsageError: There is no such file.
        EdgecnnError: It is damaged, or needs layers that are not known here.
    """
    require_file(path)
    keras = import_keras(step)
    importlib.import_module("edgecnn.layers")    # registers what the file may name
    try:
        with quiet_native():
            return keras.saving.load_model(path, compile=False)
    except Exception as error:    # Keras raises whatever the zip, JSON and HDF5 readers raise
        reason = first_line(error).rstrip(".")
        raise EdgecnnError(
            f"{path}: not a model that Keras can load: {reason}. Save it again with model.save('x.keras')."
        ) from error
