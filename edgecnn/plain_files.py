"""The steps of the pipeline for a model file that belongs to no run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.artefacts import parse_preprocess, resolve
from edgecnn.contract import TensorContract
from edgecnn.data import open_dataset, section_from_text
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.evaluate import load_test_data
from edgecnn.files import write_bytes, write_text
from edgecnn.onnx_export import finish, float_onnx, onnx_contract, onnx_from_tflite, write_checked
from edgecnn.pipeline import Display, comparison_figures
from edgecnn.preprocess import ImagePreprocess
from edgecnn.quantize import calibration_samples, compare, convert, load_keras_model, tensor_contracts, with_contract
from edgecnn.recipe import BudgetSection
from edgecnn.runs import CONTRACT
from edgecnn.tflite_file import read_graph

RANDOM_SAMPLES = 100
"""Seeded random inputs on which a converted file is compared where there is no data."""


def quantize_file(
    path: Path, data: str, preprocess: str | None, calibration: int, out: Path, display: Display
) -> dict[str, Any]:
    """Quantize a ``.keras`` file of any origin to ``<stem>_int8.tflite`` beside ``<stem>_float.tflite``.

    Args:
        path: The model.
        data: What ``--data`` takes.
        preprocess: What ``--preprocess`` takes; pixels divided by 255 by default.
        calibration: Training samples for the ranges.
        out: Folder to write to.
        display: Told what is being done.

    Raises:
        UsageError: The data does not fit the model.
        EdgecnnError: The model cannot be made int8 throughout.
    """
    model = load_keras_model(path)
    shape = tuple(model.input_shape)
    section = section_from_text(data)
    if section.set == "image_folder" and len(shape) == 4:
        section = section.model_copy(update={"size": shape[1:3], "channels": shape[3]})
    dataset = open_dataset(section)
    steps = parse_preprocess(preprocess) if preprocess else ImagePreprocess()
    if preprocess is None:
        display.warn(f"assuming that {path.name} takes pixels divided by 255. Say otherwise with --preprocess scale=S,offset=O.")
    samples = calibration_samples(dataset.train, calibration, seed=0)
    if samples.x.shape[1:] != shape[1:]:
        raise UsageError(f"{path}: the model takes {shape[1:]}, {data} gives {samples.x.shape[1:]}. Choose other --data.")
    if model.output_shape[-1] != len(dataset.labels):
        raise UsageError(f"{path}: the model has {model.output_shape[-1]} outputs, {data} has {len(dataset.labels)} classes.")
    display.say(f"Quantizing to int8, calibrated on {len(samples)} training samples")
    converted = convert(model, steps.apply(samples.x))
    files, contracts = [], []
    for kind, content in (("float", converted.float_tflite), ("int8", converted.int8_tflite)):
        whole, contract = with_contract(content, path.stem, dataset.labels, steps, section.set)
        files.append(out / f"{path.stem}_{kind}.tflite")
        contracts.append(contract)
        write_bytes(files[-1], whole)
    write_text(out / f"{path.stem}_{CONTRACT}", contracts[1].to_json())
    with display.counting("float and int8 on the test split", 2 * len(dataset.test)) as advance:
        comparison = compare(files[0], files[1], (contracts[0], contracts[1]), dataset.test, advance)
    return comparison_figures(comparison) | {
        "path": str(files[1]),
        "calibration_samples": len(samples),
        "size_bytes": files[1].stat().st_size,
        "float_size_bytes": files[0].stat().st_size,
        "max_drop": BudgetSection().max_drop,
    }


def onnx_file(path: Path, int8: bool, out: Path, stem: str, display: Display) -> dict[str, Any]:
    """Convert a plain ``.keras`` or ``.tflite`` to ``<stem>.onnx``, checked against it.

    Real test samples are used where the file's contract names a data set that is here; otherwise seeded random ones.

    Raises:
        UsageError: The file is of the wrong kind for what was asked.
    """
    artefact = resolve(str(path)).artefacts[0]
    if artefact.kind == "onnx":
        raise UsageError(f"{path} is an ONNX file already.")
    if artefact.kind == "keras":
        if int8:
            raise UsageError(f"{path}: int8 ONNX comes from an int8 .tflite. Make it with: edgecnn quantize {path} --data SET")
        runtime, proto = "keras", float_onnx(load_keras_model(path))
    else:
        first, _ = tensor_contracts(read_graph(path))
        if int8 != (first.dtype != "float32"):
            wanted, other = ("int8", "onnx") if int8 else ("float", "onnx-int8")
            raise UsageError(f"{path}: its input is {first.dtype}, not {wanted}. Use --to {other}.")
        runtime, proto = "litert", onnx_from_tflite(path)
    contract = onnx_contract(proto, artefact.contract) if artefact.contract else None
    proto = finish(proto, contract, stem)
    inputs = _inputs(artefact, proto)
    target = out / (f"{stem}.onnx" if not int8 or stem.endswith("int8") else f"{stem}_int8.onnx")
    display.say(f"Checking {target.name} against {path.name} with ONNX Runtime on {len(inputs)} samples")
    check = write_checked(proto, target, runtime, path, inputs)
    return {"path": str(target), "size_bytes": target.stat().st_size, **asdict(check)}


def _inputs(artefact: Any, proto: Any) -> np.ndarray:
    """Encoded samples ``[N, ...]``: real ones where the contract leads to them."""
    from edgecnn.evaluate import default_section
    from edgecnn.onnx_export import input_of

    end: TensorContract = input_of(proto)
    section = default_section(artefact)
    if section is not None and artefact.contract is not None:
        try:
            samples = load_test_data(section, end, RANDOM_SAMPLES * 10).samples
            encoded: np.ndarray = artefact.contract.encode(samples.x)
            return encoded
        except EdgecnnError:
            pass    # the data is not on this machine: random inputs check the arithmetic as well
    generator = np.random.default_rng(0)
    shape = (RANDOM_SAMPLES, *end.shape[1:])
    if end.dtype == "float32":
        return generator.random(shape, dtype=np.float32)
    limits = np.iinfo(end.dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=end.dtype, endpoint=True)
