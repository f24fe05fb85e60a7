"""A Keras model as it was trained: float32, one sample at a time."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError, first_line
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.runtimes.base import check_model_file, only_one, tensor_contract


def start(threads: int) -> None:
    """Import TensorFlow and Keras; see ``RuntimeModule.start``."""
    import_keras("running a .keras file")
    import tensorflow

    # TensorFlow takes these only before its first operation; a process that has begun keeps what it has.
    with contextlib.suppress(RuntimeError):
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def load(path: Path, threads: int, variant: str) -> KerasSession:
    """Load a ``.keras`` file.

    Args:
        path: The file.
        threads: Threads inside one operator; counts only in a process that has not used TensorFlow yet.
        variant: Unused; there is one flavour.

    Raises:
        MissingDependencyError: Keras or TensorFlow is not installed.
        EdgecnnError: The file is corrupt, or has several inputs or outputs, or no fixed input size.
    """
    del variant
    start(threads)
    check_model_file(path, ".keras")
    if not zipfile.is_zipfile(path):
        raise EdgecnnError(f"{path}: not a whole .keras file. Copy it again, or save it with model.save('x.keras').")
    keras = import_keras()
    try:
        with quiet_native():
            model = keras.saving.load_model(path, compile=False)
    except Exception as error:    # whatever a corrupt archive or a foreign layer makes Keras raise
        raise EdgecnnError(
            f"{path}: Keras {keras.__version__} cannot load it: {first_line(error)}. "
            "Save it again with model.save('x.keras')."
        ) from error
    end_in = _end(path, only_one(path, "input", list(model.inputs or [])), "input")
    end_out = _end(path, only_one(path, "output", list(model.outputs or [])), "output")
    with quiet_native():
        return KerasSession(model, end_in, end_out)


def _end(path: Path, tensor: Any, name: str) -> TensorContract:
    return tensor_contract(path, name, tuple(tensor.shape), str(tensor.dtype))


class KerasSession:
    """A Keras model behind one traced function of fixed shape; see ``Session``."""

    def __init__(self, model: Any, end_in: TensorContract, end_out: TensorContract) -> None:
        import keras
        import tensorflow

        self.input, self.output = end_in, end_out
        self.version = f"keras {keras.__version__} on tensorflow {tensorflow.__version__}"
        # Keras's own predict() builds a data pipeline for every call; a function traced once is what a server uses.
        traced = tensorflow.function(
            lambda x: model(x, training=False), input_signature=[tensorflow.TensorSpec(end_in.shape, end_in.dtype)]
        )
        self._function = traced.get_concrete_function()
        self._constant = tensorflow.constant

    def run(self, sample: np.ndarray) -> np.ndarray:
        """One inference; see ``Session.run``."""
        result: np.ndarray = self._function(self._constant(sample)).numpy()
        return result
