"""TensorFlow and Keras without the lines that their native code writes past every log level."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from edgecnn.errors import MissingDependencyError


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Keep whatever native code writes to standard output and error out of the terminal.

    ``EDGECNN_DEBUG=1`` lets everything through. What was held back is shown when the block fails.
    Python's own ``sys.stdout`` and ``sys.stderr`` are redirected too, since they share the descriptors.
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
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])
            if failed and "--debug" in sys.argv:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))


def import_keras(step: str = "this") -> Any:
    """The ``keras`` module on the TensorFlow backend, imported quietly.

    Args:
        step: What needs it, for the message when it is missing.

    Raises:
        MissingDependencyError: TensorFlow or Keras is not installed.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet_native():
            import keras
            import tensorflow
    except ImportError as error:
        raise MissingDependencyError(error.name or "tensorflow", "train", step) from error
    del tensorflow
    return keras
