"""Raw samples through a loaded model to its outputs. Imports little: the measuring process of ``bench`` runs on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgecnn.contract import Contract, TensorContract
from edgecnn.errors import EdgecnnError
from edgecnn.formats import shape_text
from edgecnn.runtimes.base import Session, elements
from edgecnn.tasks import Task, outputs_wanted

_CHUNK = 256    # samples encoded at a time: memory stays small whatever the test set's size


def input_contract(session: Session, contract: Contract) -> TensorContract:
    """How values become this session's input: its own scale and zero point, or the contract's where it has none.

    Raises:
        EdgecnnError: Shape or type are not those of the contract, so the contract belongs to another model.
    """
    own, known = session.input, contract.input
    if own.dtype == "float32" or own.scale is not None:
        return own
    if known.dtype == own.dtype == "int32":
        return own    # ids that look something up: they are what they are
    if known.dtype != own.dtype or known.scale is None:
        raise EdgecnnError(
            f"{contract.name}: the input {own.name!r} is {own.dtype} without scale and zero point, and the contract "
            "does not give them. Export the model again with edgecnn, or use the .tflite file."
        )
    return own.model_copy(update={"scale": known.scale, "zero_point": known.zero_point})


def run_outputs(
    session: Session, contract: Contract, raw: np.ndarray, advance: Callable[[int], None] | None = None
) -> np.ndarray:
    """What the model gives for each sample, as real values.

    Args:
        session: The loaded model.
        contract: Its preprocessing and task.
        raw: ``[N, ...]`` raw samples, such as ``uint8`` images ``[N, H, W, C]``.
        advance: Called with the number of samples done since the last call.

    Returns:
        ``[N, ...]`` float32, of the output's shape without its batch.

    Raises:
        EdgecnnError: The samples do not have the model's input shape, or its output is not one for the task.
    """
    end, last = input_contract(session, contract), output_contract(session, contract)
    check_samples(contract.name, session.input, contract.preprocess.sample_shape(raw))
    check_classes(contract.name, session.output, len(contract.labels), contract.task)
    outputs = np.empty((len(raw), *session.output.shape[1:]), dtype=np.float32)
    run, shape = session.run, (-1, *session.input.shape)
    for start in range(0, len(raw), _CHUNK):
        chunk = end.quantize(contract.preprocess.apply(raw[start : start + _CHUNK])).reshape(shape)
        for offset, sample in enumerate(chunk):
            outputs[start + offset] = last.dequantize(run(sample)).reshape(outputs.shape[1:])
        if advance is not None:
            advance(len(chunk))
    return outputs


def check_samples(name: str, end_in: TensorContract, sample_shape: Sequence[int]) -> None:
    """Refuse samples of another shape than the model's; a channel dimension of 1 may be there or not.

    Raises:
        EdgecnnError: As the message says.
    """
    if [size for size in sample_shape if size != 1] != [size for size in end_in.shape[1:] if size != 1]:
        raise EdgecnnError(
            f"{name} takes {shape_text(end_in.shape[1:])} samples, the data has {shape_text(sample_shape)}. "
            "Choose another data set with --data; an image folder is resized to fit."
        )


def output_contract(session: Session, contract: Contract) -> TensorContract:
    """What this session's output stands for: by its own scale and zero point, or by the contract's."""
    own = session.output
    return own if own.dtype == "float32" or own.scale is not None else contract.output


def check_classes(name: str, end_out: TensorContract, classes: int, task: Task = "classification") -> None:
    """Refuse a model that does not give what its task needs, such as one value per class.

    Raises:
        EdgecnnError: As the message says.
    """
    allowed = outputs_wanted(task, classes)
    found = end_out.shape[-1] if task == "segmentation" and end_out.shape else elements(end_out)
    if allowed and found not in allowed:
        raise EdgecnnError(
            f"{name} has {elements(end_out)} outputs ({shape_text(end_out.shape)}), the data has {classes} classes; "
            f"{task} needs {' or '.join(map(str, allowed))}. Choose the data that it was trained on with --data."
        )


def random_inputs(end: TensorContract, count: int) -> np.ndarray:
    """Inputs for a model without data, the same ones every time.

    Args:
        end: The model's input, batch 1.
        count: How many.

    Returns:
        ``[count, ...]`` of the input's shape and type: integers over the whole range of the type, floats 0 to 1, and
        0 or 1 where they are ids, since every table has those and only a table says which others there are.
    """
    generator = np.random.default_rng(0)
    shape = (count, *end.shape[1:])
    if end.dtype == "float32":
        return generator.random(shape, dtype=np.float32)
    if end.dtype == "int32":
        return generator.integers(0, 2, shape, dtype=np.int32)
    limits = np.iinfo(end.dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=end.dtype, endpoint=True)
