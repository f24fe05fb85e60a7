"""The steps of the pipeline for a model file that belongs to no run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.artefacts import ModelFile, resolve
from edgecnn.contract import TensorContract
from edgecnn.data import dataset_module, open_dataset, section_from_text
from edgecnn.display import Display
from edgecnn.errors import UsageError
from edgecnn.evaluation_data import default_section, fitted_section, load_test_data
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
from edgecnn.keras_quiet import load_keras_model
from edgecnn.pipeline import CHECKED_SAMPLES
from edgecnn.predict import random_inputs
from edgecnn.quantization.compare import compare
from edgecnn.quantization.convert import calibration_samples, convert, tensor_contracts, with_contract
from edgecnn.quantization.improve import Asked, better_numbers
from edgecnn.recipe import BudgetSection
from edgecnn.runs import CONTRACT, OnnxExport, Quantization, QuantizationStep
from edgecnn.settle import parse_preprocess
from edgecnn.tflite_file import read_graph
from edgecnn.zoo import same_but_for_ones

RANDOM_SAMPLES = 100
"""Seeded random inputs on which a converted file is compared where there is no data."""


def quantize_file(
    path: Path, data: str, preprocess: str, calibration: int, asked: Asked, out: Path, display: Display
) -> tuple[Path, Quantization]:
    """Quantize a ``.keras`` file of any origin to ``<stem>_int8.tflite`` beside ``<stem>_float.tflite``.

    Args:
        path: The model.
        data: What ``--data`` takes.
        preprocess: What ``--preprocess`` takes.
        calibration: Training samples for the ranges.
        asked: What to do beyond the converter's work.
        out: Folder to write to.
        display: Told what is being done.

    Returns:
        The int8 file, and the figures.

    Raises:
        UsageError: The data does not fit the model.
        EdgecnnError: The model cannot be made int8 throughout.
    """
    steps = parse_preprocess(preprocess)
    model = load_keras_model(path, "quantization")
    shape = _fixed_input(model, path)
    dataset = open_dataset(fitted_section(section_from_text(data), shape))
    samples = calibration_samples(dataset.train, calibration, seed=0)
    if not same_but_for_ones(shape[1:], samples.x.shape[1:]):
        raise UsageError(f"{path}: the model takes {shape[1:]}, {data} gives {samples.x.shape[1:]}. Change --data.")
    if model.output_shape[-1] != len(dataset.labels):
        outputs = model.output_shape[-1]
        raise UsageError(f"{path}: the model has {outputs} outputs, {data} has {len(dataset.labels)} classes.")
    display.say(f"Quantizing to int8, calibrated on {len(samples)} training samples")
    converted, tried = better_numbers(
        convert(model, steps.apply(samples.x)), dataset.train, samples, 0, steps, asked, display.say
    )
    files, contracts = [], []
    for kind, content in (("float", converted.float_tflite), ("int8", converted.int8_tflite)):
        whole, contract = with_contract(content, path.stem, dataset.labels, steps, dataset.info.name)
        files.append(out / f"{path.stem}_{kind}.tflite")
        contracts.append(contract)
        write_bytes(files[-1], whole)
    write_text(out / f"{path.stem}_{CONTRACT}", contracts[1].to_json())
    with display.counting("float and int8 on the test split", 2 * len(dataset.test)) as advance:
        comparison = compare(files[0], files[1], (contracts[0], contracts[1]), dataset.test, advance)
    return files[1], Quantization(
        **comparison.figures(),
        calibration_samples=len(samples),
        size_bytes=files[1].stat().st_size,
        float_size_bytes=files[0].stat().st_size,
        max_drop=BudgetSection().max_drop,
        steps=[QuantizationStep(**asdict(step)) for step in tried],
        folded=list(converted.folded),
    )


def _fixed_input(model: Any, path: Path) -> tuple[int, ...]:
    """The shape of a Keras model's one input, batch first (None).

    Raises:
        UsageError: There are several, or a size is open: a microcontroller has no memory for what may come.
    """
    inputs = list(model.inputs) if model.built else []
    if len(inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(f"{path}: the model has {len(inputs)} known inputs; supported: one input and one output.")
    shape = tuple(inputs[0].shape)
    if any(size is None for size in shape[1:]):
        raise UsageError(f"{path}: the model's input is {shape}: its size is open. Build it with a fixed keras.Input.")
    return shape


def onnx_file(path: Path, int8: bool, out: Path, stem: str, display: Display) -> tuple[Path, OnnxExport]:
    """Convert a plain ``.keras`` or ``.tflite`` to ``<stem>.onnx``, checked against it.

    Real test samples are used where the file's contract names a data set that is here; otherwise seeded random ones.

    Returns:
        The file, and how it compares.

    Raises:
        UsageError: The file is of the wrong kind for what was asked.
    """
    artefact = resolve(str(path)).artefacts[0]
    if artefact.kind == "onnx":
        raise UsageError(f"{path} is an ONNX file already.")
    if artefact.kind == "keras":
        if int8:
            raise UsageError(f"{path}: int8 ONNX comes from an int8 .tflite: edgecnn quantize {path} --data SET")
        runtime, proto = "keras", float_onnx(load_keras_model(path, "ONNX export"))
    else:
        graph = read_graph(path)
        tensor_contracts(graph)    # one input and one output, or a clear refusal
        # By what it computes in: a quantized model may have float ends.
        computed = {tensor.dtype for tensor in graph.tensors if not tensor.is_constant}
        if "int16" in computed:
            raise UsageError(
                f"{path}: the model computes in int16×8, whose 64-bit biases ONNX cannot dequantize. Use --to c, which "
                "takes int16×8, or the network's int8 .tflite."
            )
        quantized = "int8" in computed
        if int8 != quantized:
            found, other = ("float", "onnx") if int8 else ("int8", "onnx-int8")
            raise UsageError(f"{path}: the model computes in {found}. Use --to {other}.")
        runtime, proto = "litert", onnx_from_tflite(path)
    contract = onnx_contract(proto, artefact.contract) if artefact.contract else None
    proto = finish(proto, contract, stem)
    inputs = _real_inputs(artefact, input_of(proto))
    words, agreement = f"{0 if inputs is None else len(inputs)} test samples", INT8_AGREEMENT
    if inputs is None:
        inputs = random_inputs(input_of(proto), RANDOM_SAMPLES)
        words, agreement = f"{RANDOM_SAMPLES} random inputs", RANDOM_AGREEMENT
    target = out / (f"{stem}.onnx" if not int8 or stem.endswith("int8") else f"{stem}_int8.onnx")
    display.say(f"Checking {target.name} against {path.name} with ONNX Runtime on {words}")
    check = write_checked(
        proto, target, runtime, path, inputs, quantized=int8, contract=contract, agreement=agreement
    )
    return target, OnnxExport(size_bytes=target.stat().st_size, **asdict(check))


def _real_inputs(artefact: ModelFile, end: TensorContract) -> np.ndarray | None:
    """Encoded test samples ``[N, ...]``, where the file's contract leads to data that is on this machine."""
    section = default_section(artefact)
    if section is None or artefact.contract is None or dataset_module(section.set).locate(section) is None:
        return None
    contract = artefact.contract
    return contract.encode(load_test_data(section, end, CHECKED_SAMPLES, contract.preprocess).samples.x)
