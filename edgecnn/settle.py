"""The contract that a model file is measured by: its own, what the user says, or what its input gives away."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from edgecnn.artefacts import ModelFile, ends_of
from edgecnn.contract import Contract, TensorContract
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.predict import check_classes
from edgecnn.preprocess import ImagePreprocess, Preprocess

CONVENTIONS: tuple[tuple[float, float, ImagePreprocess, str], ...] = (
    # lowest and highest value that the quantized input can hold, what was done to a pixel, in words
    (0.0, 255.0, ImagePreprocess(scale=1.0, offset=0.0), "raw pixels, 0 to 255"),
    (0.0, 1.0, ImagePreprocess(scale=1 / 255, offset=0.0), "pixels divided by 255, 0 to 1"),
    (-1.0, 1.0, ImagePreprocess(scale=1 / 127.5, offset=-1.0), "pixels scaled to -1 to 1"),
    (-128.0, 127.0, ImagePreprocess(scale=1.0, offset=-128.0), "pixels minus 128, -128 to 127"),
)
"""The usual ways to feed pixels to a network, told apart by the range of its quantized input."""

_TOLERANCE = 0.02    # of the range: calibration seldom meets both ends exactly


def parse_preprocess(text: str) -> ImagePreprocess:
    """What ``--preprocess`` takes: ``scale=1/255,offset=0``; a missing one of the two is 1 and 0.

    Raises:
        UsageError: It is something else, or a number is none.
    """
    values = {"scale": 1.0, "offset": 0.0}
    for part in text.split(","):
        key, equals, number = part.partition("=")
        match = re.fullmatch(r"\s*([-+.\deE]+)\s*(?:/\s*([-+.\deE]+))?\s*", number)
        try:
            if not equals or key.strip() not in values or match is None:
                raise ValueError
            values[key.strip()] = float(match[1]) / float(match[2] or 1)
        except (ValueError, ZeroDivisionError) as error:
            raise UsageError(
                f"--preprocess {text}: cannot read {part.strip()!r}. Expected scale=NUMBER,offset=NUMBER "
                "(value = pixel * scale + offset), for example scale=1/255,offset=0"
            ) from error
    try:
        return ImagePreprocess(scale=values["scale"], offset=values["offset"])
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--preprocess {text}: {first['loc'][0]}: {first['msg'].lower()}.") from error


def infer_preprocess(end: TensorContract) -> tuple[Preprocess, str] | None:
    """What was done to pixels before a quantized input, where its range is that of a usual convention.

    Args:
        end: The network's input.

    Returns:
        The preprocessing and its description, or None where it cannot be told.
    """
    if end.scale is None or end.zero_point is None:
        return None
    limits = np.iinfo(end.dtype)
    low, high = ((limit - end.zero_point) * end.scale for limit in (limits.min, limits.max))
    for lowest, highest, preprocess, words in CONVENTIONS:
        allowed = _TOLERANCE * (highest - lowest)
        if abs(low - lowest) <= allowed and abs(high - highest) <= allowed:
            return preprocess, words
    return None


def infer_contract(
    path: Path, end_in: TensorContract, end_out: TensorContract, labels: tuple[str, ...]
) -> tuple[Contract, str]:
    """A contract for a file that has none: labels from the data, preprocessing from the range of its input.

    Args:
        path: The file, for its name and for messages.
        end_in: Its input.
        end_out: Its output.
        labels: Of the data set that it is to be measured on.

    Returns:
        The contract, and a sentence on what was inferred.

    Raises:
        EdgecnnError: The preprocessing cannot be told from the file.
    """
    found = infer_preprocess(end_in)
    if found is None and end_in.dtype == "int32":
        raise EdgecnnError(
            f"{path}: its input is int32, ids that look something up, and nothing in the file tells which word has "
            "which id. Use a file with a contract: edgecnn quantize makes one from a run."
        )
    if found is None:
        if end_in.scale is None or end_in.zero_point is None:
            why = f"its input is {end_in.dtype}"
        else:
            limits = np.iinfo(end_in.dtype)
            low, high = ((limit - end_in.zero_point) * end_in.scale for limit in (limits.min, limits.max))
            why = f"its input covers {low:.4g} to {high:.4g}, which is no usual range of pixels"
        raise EdgecnnError(
            f"{path}: nothing in the file tells how pixels become its input: {why}. Say it with "
            "--preprocess scale=1/255,offset=0 (value = pixel * scale + offset)."
        )
    preprocess, words = found
    contract = Contract(name=path.stem, labels=labels, preprocess=preprocess, input=end_in, output=end_out)
    return contract, (
        f"{path.name} has no preprocessing contract: from the range of its input, it takes {words}; "
        "its classes are taken in the order of the data set's."
    )


def settle_contract(
    artefact: ModelFile, labels: tuple[str, ...], preprocess: ImagePreprocess | None = None
) -> tuple[Contract, list[str]]:
    """The contract that an artefact is measured by on a data set.

    Args:
        artefact: With or without a contract of its own.
        labels: Of the data set.
        preprocess: What the user said; it goes before everything else.

    Returns:
        The contract, and remarks that a reader of the figures needs.

    Raises:
        EdgecnnError: The data has another number of classes, or the preprocessing cannot be told.
    """
    path, remarks, contract = artefact.path, [], artefact.contract
    if contract is None:
        end_in, end_out = ends_of(artefact)
        check_classes(str(path), end_out, len(labels))
        if preprocess is None:
            contract, remark = infer_contract(path, end_in, end_out, labels)
            remarks.append(remark)
        else:
            contract = Contract(name=path.stem, labels=labels, preprocess=preprocess, input=end_in, output=end_out)
    elif preprocess is not None:
        contract = contract.model_copy(update={"preprocess": preprocess})
    if preprocess is not None:
        remarks.append(f"{path.name}: preprocessing as given: pixel * {preprocess.scale:.6g} + {preprocess.offset:g}.")
    if contract.task == "filter":    # it names no class
        return contract, remarks
    if len(contract.labels) != len(labels):
        shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
        trained_on = f" (it was trained on {contract.data_set})" if contract.data_set else ""
        raise EdgecnnError(
            f"{path}: the model knows {len(contract.labels)} classes, the data has {len(labels)} ({shown}). "
            f"Choose the data set that it was trained on with --data{trained_on}."
        )
    if set(contract.labels) != set(labels):
        ours, theirs = next(pair for pair in zip(contract.labels, labels, strict=True) if pair[0] != pair[1])
        remarks.append(
            f"{path.name}: the model's class names are not the data's (its {ours!r} is {theirs!r} there): "
            "they are taken in the same order."
        )
    return contract, remarks


def in_data_order(outputs: np.ndarray, contract: Contract, labels: tuple[str, ...]) -> np.ndarray:
    """Outputs of the model in the data's order of classes, where both have the same names in another order.

    Args:
        outputs: ``[N, ...]``, as ``predict.run_outputs`` gives them.
        contract: Of the model.
        labels: Of the data set.

    Returns:
        Of the same shape; the probability of the second class is turned into that of the first where those two are
        exchanged.
    """
    if contract.labels == labels or set(contract.labels) != set(labels):
        return outputs
    if outputs.shape[-1] == 1 and len(labels) == 2:
        return 1 - outputs
    return outputs[..., [contract.labels.index(label) for label in labels]]
