"""The steps of the pipeline for a model file that belongs to no run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.artefacts import Artefact, parse_preprocess, resolve
from edgecnn.contract import TensorContract
from edgecnn.data import dataset_module, open_dataset, section_from_text
from edgecnn.errors import UsageError
from edgecnn.evaluate import default_section, load_test_data
from edgecnn.export.onnx_export import (
    INT8_AGREEMENT,
    RANDOM_AGREEMENT,
    finish,
    float_onnx,
    input_of,
    onnx_contract,
    onnx_from_tflite,
    write_checked,
)
from edgecnn.files import write_bytes, write_text
from edgecnn.pipeline import CHECKED_SAMPLES, Display, comparison_figures
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
        display.warn(f"assuming that {path.name} takes pixels divided by 255. If not: --preprocess scale=S,offset=O")
    samples = calibration_samples(dataset.train, calibration, seed=0)
    if samples.x.shape[1:] != shape[1:]:
        raise UsageError(f"{path}: the model takes {shape[1:]}, {data} gives {samples.x.shape[1:]}. Change --data.")
    if model.output_shape[-1] != len(dataset.labels):
        outputs = model.output_shape[-1]
        raise UsageError(f"{path}: the model has {outputs} outputs, {data} has {len(dataset.labels)} classes.")
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
            raise UsageError(f"{path}: int8 ONNX comes from an int8 .tflite: edgecnn quantize {path} --data SET")
        runtime, proto = "keras", float_onnx(load_keras_model(path))
    else:
        first, _ = tensor_contracts(read_graph(path))
        if int8 != (first.dtype != "float32"):
            wanted, other = ("int8", "onnx") if int8 else ("float", "onnx-int8")
            raise UsageError(f"{path}: its input is {first.dtype}, not {wanted}. Use --to {other}.")
        runtime, proto = "litert", onnx_from_tflite(path)
    contract = onnx_contract(proto, artefact.contract) if artefact.contract else None
    proto = finish(proto, contract, stem)
    inputs = _real_inputs(artefact, input_of(proto))
    words, agreement = f"{0 if inputs is None else len(inputs)} test samples", INT8_AGREEMENT
    if inputs is None:
        inputs, words, agreement = random_inputs(input_of(proto)), f"{RANDOM_SAMPLES} random inputs", RANDOM_AGREEMENT
    target = out / (f"{stem}.onnx" if not int8 or stem.endswith("int8") else f"{stem}_int8.onnx")
    display.say(f"Checking {target.name} against {path.name} with ONNX Runtime on {words}")
    check = write_checked(proto, target, runtime, path, inputs, agreement)
    return {"path": str(target), "size_bytes": target.stat().st_size, **asdict(check)}


def _real_inputs(artefact: Artefact, end: TensorContract) -> np.ndarray | None:
    """Encoded test samples ``[N, ...]``, where the file's contract leads to data that is on this machine."""
    section = default_section(artefact)
    if section is None or artefact.contract is None or dataset_module(section.set).locate(section) is None:
        return None
    return artefact.contract.encode(load_test_data(section, end, CHECKED_SAMPLES).samples.x)


def random_inputs(end: TensorContract) -> np.ndarray:
    """Seeded random inputs ``[RANDOM_SAMPLES, ...]``: the whole range of an integer type, 0 to 1 for float32."""
    generator = np.random.default_rng(0)
    shape = (RANDOM_SAMPLES, *end.shape[1:])
    if end.dtype == "float32":
        return generator.random(shape, dtype=np.float32)
    limits = np.iinfo(end.dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=end.dtype, endpoint=True)
