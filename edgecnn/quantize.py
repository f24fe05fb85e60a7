"""Post-training quantization: a Keras model to a float and a full int8 ``.tflite``, with its contract inside.

int8 input and output, weights per channel, batch 1. The activation ranges come from training samples only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.data.base import Samples
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.evaluate import evaluate_outputs, hits
from edgecnn.keras_lowering import lowered
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.predict import output_contract, run_outputs
from edgecnn.preprocess import PreprocessKind
from edgecnn.results import Evaluation
from edgecnn.runtimes import load_session
from edgecnn.statistics import Interval, mean_interval, paired_drop
from edgecnn.tasks import Task, decide
from edgecnn.tflite_file import float_nodes
from edgecnn.tflite_metadata import embed
from firmware_export.graph import Graph
from firmware_export.tflite import read_model

_FILTER_CHUNK = 256

WARN_DROP = 0.01
"""A loss of accuracy above this is worth a warning whatever the budget allows: one point."""


@dataclass(frozen=True)
class Converted:
    """The two files that come out of a Keras model.

    Attributes:
        float_tflite: float32 throughout.
        int8_tflite: int8 throughout, input and output included.
    """

    float_tflite: bytes
    int8_tflite: bytes


def convert(model: Any, inputs: np.ndarray) -> Converted:
    """Convert with TFLiteConverter.

    Args:
        model: A float ``keras.Model`` with one input and one output.
        inputs: Preprocessed calibration samples ``[N, ...]``, float32 or (ids) int32; of the model's shape but for
            dimensions of 1.

    Raises:
        EdgecnnError: The converter refuses the model, or a part of it stays float; the message lists the nodes.
    """
    import tensorflow as tf

    keras = import_keras("quantization")
    # With the batch fixed to 1 the converter writes no SHAPE, STRIDED_SLICE and PACK around a RESHAPE.
    fixed = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype=model.inputs[0].dtype, name="input")
    single = keras.Model(fixed, lowered(model, fixed)(fixed, training=False))

    def representative() -> Iterator[list[np.ndarray]]:
        for sample in inputs:
            yield [sample.reshape(1, *model.input_shape[1:])]

    def run(quantized: bool) -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(single)
        if quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        return bytes(converter.convert())

    try:
        with quiet_native():
            files = Converted(run(quantized=False), run(quantized=True))
    except Exception as error:    # the converter raises many types, with the reason in the first lines
        raise EdgecnnError(f"TFLiteConverter refuses the model: {first_line(error)} (--debug shows all)") from error
    stayed = float_nodes(read_model(files.int8_tflite))
    if stayed:
        listed = "\n  ".join(stayed)
        raise EdgecnnError(
            f"{len(stayed)} node(s) stay float after quantization:\n  {listed}\n"
            "A microcontroller would need float code for them. Replace these layers by ones with int8 kernels."
        )
    return files


def tensor_contracts(graph: Graph) -> tuple[TensorContract, TensorContract]:
    """Input and output of a graph, as the contract describes them.

    Raises:
        EdgecnnError: The graph has not one input and one output.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise EdgecnnError(
            f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; supported: one of each."
        )
    ends = []
    for index in (graph.inputs[0], graph.outputs[0]):
        tensor = graph.tensors[index]
        quant = tensor.quant
        ends.append(
            TensorContract(
                name=tensor.name,
                shape=tensor.shape,
                dtype=tensor.dtype,    # type: ignore[arg-type]
                scale=quant.scale[0] if quant else None,
                zero_point=quant.zero_point[0] if quant else None,
            )
        )
    return ends[0], ends[1]


def with_contract(
    model: bytes,
    name: str,
    labels: tuple[str, ...],
    preprocess: PreprocessKind,
    data_set: str,
    task: Task = "classification",
) -> tuple[bytes, Contract]:
    """A ``.tflite`` with its contract embedded, and the contract."""
    first, last = tensor_contracts(read_model(model))
    contract = Contract(
        name=name,
        task=task,
        labels=labels,
        preprocess=preprocess,    # type: ignore[arg-type]    # one of the kinds
        input=first,
        output=last,
        data_set=data_set,
    )
    return embed(model, METADATA_NAME, contract.to_json().encode()), contract


def calibration_samples(samples: Samples, count: int, seed: int) -> Samples:
    """A stratified choice of training samples.

    Raises:
        UsageError: There are none.
    """
    if len(samples) == 0:
        raise UsageError("no training samples to calibrate on: the training split is empty.")
    return samples.take(stratified_subset(samples.strata, count, seed))


@dataclass(frozen=True)
class Comparison:
    """Float and int8 on the same test samples.

    Attributes:
        before: Of the float ``.tflite``.
        after: Of the int8 ``.tflite``.
        drop: Accuracy, float minus int8, with the 95 % interval of paired samples.
        agreement: Share of decisions (samples; for segmentation pixels) that are the same.
    """

    before: Evaluation
    after: Evaluation
    drop: Interval
    agreement: float

    def figures(self) -> dict[str, Any]:
        """Flat, as ``run.json`` and ``--json`` have them."""
        flat: dict[str, Any] = {"agreement_with_float": self.agreement, "samples": self.after.samples}
        for prefix, found in (("float_accuracy", self.before), ("accuracy", self.after)):
            flat |= {prefix: found.accuracy, f"{prefix}_low": found.accuracy_low, f"{prefix}_high": found.accuracy_high}
        flat |= {"drop": self.drop.value, "drop_low": self.drop.low, "drop_high": self.drop.high}
        for prefix, found in (("float_", self.before), ("", self.after)):
            flat[f"{prefix}metrics"] = other_metrics(found)
            flat[f"{prefix}class_f1"] = {one.label: one.f1 for one in found.per_class}
        return flat


def other_metrics(found: Evaluation) -> dict[str, float]:
    """The figures beside accuracy that the task has, by name."""
    values = {"auc": found.auc, "macro_f1": found.macro_f1, "mean_iou": found.mean_iou}
    return {name: value for name, value in values.items() if value is not None}


def compare(
    float_file: Path,
    int8_file: Path,
    contracts: tuple[Contract, Contract],
    test: Samples,
    advance: Callable[[int], None] | None = None,
) -> Comparison:
    """Run both files over the whole test split, on LiteRT.

    Args:
        float_file: The float ``.tflite``.
        int8_file: The int8 ``.tflite``.
        contracts: Of the two files, in that order.
        test: Raw test samples.
        advance: Told how many samples were done since the last call.
    """
    task = contracts[0].task
    outputs = [
        run_outputs(load_session("litert", path), contract, test.x, advance)
        for path, contract in zip((float_file, int8_file), contracts, strict=True)
    ]
    before, after = (evaluate_outputs(task, test.y, values, contracts[0].labels) for values in outputs)
    classes = [decide(task, values) for values in outputs]
    right = [hits(test.y, decided) for decided in classes]
    drop = paired_drop(*right) if right[0].dtype == np.bool_ else mean_interval(right[0] - right[1])
    return Comparison(before, after, drop, float(np.mean(classes[0] == classes[1])))


@dataclass(frozen=True)
class FilterComparison:
    """The outputs of a filter in float and in int8 on the same test samples.

    Attributes:
        samples: Test samples.
        psnr: Peak signal-to-noise ratio in dB: ``10 log10(peak^2 / mean squared error)``, where ``peak`` is the range
            of the float outputs over all samples; None where the outputs are the same.
        largest_error: In steps of the int8 output; half a step is what rounding alone may cost.
    """

    samples: int
    psnr: float | None
    largest_error: float

    def figures(self) -> dict[str, Any]:
        """Flat, as ``run.json`` and ``--json`` have them."""
        return {"samples": self.samples, "psnr_db": self.psnr, "largest_error_steps": self.largest_error}


def compare_filters(
    float_file: Path,
    int8_file: Path,
    contracts: tuple[Contract, Contract],
    test: Samples,
    advance: Callable[[int], None] | None = None,
) -> FilterComparison:
    """Run both files of a filter over the whole test split, on LiteRT; arguments as those of ``compare``.

    Raises:
        EdgecnnError: The test split is empty.
    """
    if len(test) == 0:
        raise EdgecnnError("there are no samples to compare on: the test split is empty.")
    sessions = [load_session("litert", path) for path in (float_file, int8_file)]
    low, high, squares, largest, count = np.inf, -np.inf, 0.0, 0.0, 0
    for start in range(0, len(test), _FILTER_CHUNK):    # outputs are as large as inputs: never all of them at once
        raw = test.x[start : start + _FILTER_CHUNK]
        exact, found = (
            run_outputs(session, contract, raw, advance).astype(np.float64)
            for session, contract in zip(sessions, contracts, strict=True)
        )
        errors = np.abs(found - exact)
        low, high = min(low, float(exact.min())), max(high, float(exact.max()))
        squares, count = squares + float((errors**2).sum()), count + errors.size
        largest = max(largest, float(errors.max()))
    psnr = None if squares == 0 or high == low else 10 * float(np.log10((high - low) ** 2 * count / squares))
    step = output_contract(sessions[1], contracts[1]).scale
    assert step is not None    # an int8 file
    return FilterComparison(len(test), psnr, largest / step)
