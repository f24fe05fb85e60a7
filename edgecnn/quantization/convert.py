"""Post-training quantization: a Keras model to a float and a full int8 ``.tflite``, with its contract inside.

int8 input and output, weights per channel, batch 1. The activation ranges come from training samples only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.data.base import Samples
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.keras_lowering import lowered
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.preprocess import PreprocessKind
from edgecnn.quantization.fold import folded
from edgecnn.quantization.observe import activations
from edgecnn.tasks import Task
from edgecnn.tflite_file import float_nodes
from edgecnn.tflite_metadata import embed
from firmware_export.graph import Graph
from firmware_export.tflite import read_model

Scheme = Literal["int8", "int16x8", "dynamic", "float16"]
SCHEMES: dict[Scheme, str] = {
    "int8": "8-bit activations and weights",
    "int16x8": "16-bit activations, 8-bit weights",
    "dynamic": "8-bit weights, float activations",
    "float16": "16-bit float weights, float activations",
}
"""How a network may be stored and computed; the first two compute in integers throughout."""


@dataclass(frozen=True)
class Converted:
    """The two files that come out of a Keras model.

    Attributes:
        float_tflite: float32 throughout.
        int8_tflite: int8 throughout, input and output included; with scheme ``int16x8`` its activations are int16.
        folded: The batch normalizations that were taken in beyond those that the converter takes in itself, and where
            to, in words.
    """

    float_tflite: bytes
    int8_tflite: bytes
    folded: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Form:
    """What a converted file is like.

    Attributes:
        scheme: How it computes.
        per_tensor: One scale for all output channels of a layer's weights, for comparison.
        float_ends: float32 input and output, with a QUANTIZE and a DEQUANTIZE at the border.
    """

    scheme: Scheme = "int8"
    per_tensor: bool = False
    float_ends: bool = False

    @property
    def integers(self) -> bool:
        """Whether activations are integers, so that samples must set their ranges."""
        return self.scheme in ("int8", "int16x8")

    @property
    def file(self) -> str:
        """Its name in a run: ``model_int8.tflite``."""
        parts = (self.scheme, "per_tensor" if self.per_tensor else "", "float_io" if self.float_ends else "")
        return f"model_{'_'.join(part for part in parts if part)}.tflite"


def convert(model: Any, inputs: np.ndarray, form: Form | None = None, fold: bool = True) -> Converted:
    """Convert with TFLiteConverter.

    Args:
        model: A float ``keras.Model`` with one input and one output.
        inputs: Preprocessed calibration samples ``[N, ...]``, float32 or (ids) int32; of the model's shape but for
            dimensions of 1.
        form: Of the second file; int8 by default.
        fold: Take in batch normalizations that the converter would leave.

    Raises:
        EdgecnnError: A weight, a sample or an activation is infinite or not a number; the converter refuses the model;
            or a part of it stays float. The message names the layers.
    """
    keras = import_keras("quantization")
    form = form or Form()
    _require_finite_weights(model)
    if form.integers and not len(inputs):
        raise EdgecnnError("there are no samples to calibrate on: the activations have no ranges. Give at least one.")
    taken_in: tuple[str, ...] = ()
    if fold:
        model, result = folded(model)
        taken_in = tuple(map(str, result.done))
    # With the batch fixed to 1 the converter writes no SHAPE, STRIDED_SLICE and PACK around a RESHAPE.
    fixed = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype=model.inputs[0].dtype, name="input")
    single = keras.Model(fixed, lowered(model, fixed)(fixed, training=False))

    def representative() -> Iterator[list[np.ndarray]]:
        for sample in inputs:
            yield [sample.reshape(1, *model.input_shape[1:])]

    float_tflite = _converted(single)
    if form.integers:
        _require_ranges(float_tflite, inputs)
    files = Converted(float_tflite, _converted(single, form, representative), folded=taken_in)
    if form.integers:
        _refuse_float(files.int8_tflite, form)
    return files


def _require_finite_weights(model: Any) -> None:
    """Refuse weights that are infinite or not numbers, which the converter would leave in float without a word.

    Raises:
        EdgecnnError: There are some.
    """
    found = []
    for weight in model.weights:
        values = np.asarray(weight, np.float32)
        if bad := values.size - int(np.isfinite(values).sum()):
            found.append(f"{weight.path} ({bad} of {values.size} values)")
    if found:
        listed = "\n  ".join(found)
        raise EdgecnnError(
            f"{len(found)} weight(s) of the model are infinite or not a number:\n  {listed}\n"
            "The training ran away. Train anew with a lower learning rate or with train.optimizer.clipnorm, or take an "
            "earlier checkpoint."
        )


def _require_ranges(float_tflite: bytes, inputs: np.ndarray) -> None:
    """Refuse samples and activations that have no range: where one is infinite, the converter ends the process.

    Raises:
        EdgecnnError: A value is infinite, no number or vast; the message names the first layer that gives one.
    """
    graph = read_model(float_tflite)
    computed = [index for node in graph.nodes for index in node.outputs]
    real = [index for index in (*graph.inputs, *computed) if graph.tensors[index].dtype == "float32"]
    for _ in activations(float_tflite, inputs, real):
        pass


def _converted(
    single: Any, form: Form | None = None, representative: Callable[[], Iterator[list[np.ndarray]]] | None = None
) -> bytes:
    """What the converter writes; without a form the float file.

    Raises:
        EdgecnnError: It refuses the model.
    """
    try:
        with quiet_native():
            return _written(single, form, representative)
    except Exception as error:    # the converter raises many types, with the reason in the first lines
        raise EdgecnnError(f"TFLiteConverter refuses the model: {first_line(error)} (--debug shows all)") from error


def _written(
    single: Any, form: Form | None, representative: Callable[[], Iterator[list[np.ndarray]]] | None
) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(single)
    if form is None:
        return bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel = form.per_tensor
    if form.scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form.integers:
        sets, ends = {
            "int8": (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
            "int16x8": (tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, tf.int16),
        }[form.scheme]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [sets]
        converter.inference_input_type = converter.inference_output_type = tf.float32 if form.float_ends else ends
    return bytes(converter.convert())


def _refuse_float(model: bytes, form: Form) -> None:
    """Refuse what the converter left in float, at the border excepted where that was asked for."""
    graph = read_model(model)
    stayed = float_nodes(graph)
    if form.float_ends:
        border = {graph.node_label(node) for node in graph.nodes if node.op in ("QUANTIZE", "DEQUANTIZE")}
        stayed = [line for line in stayed if not any(line.startswith(label) for label in border)]
    if stayed:
        listed = "\n  ".join(stayed)
        raise EdgecnnError(
            f"{len(stayed)} node(s) stay float after quantization:\n  {listed}\n"
            f"A microcontroller needs float code for them. Replace these layers by ones with {form.scheme} kernels."
        )


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


def calibration_samples(samples: Samples, count: int, seed: int, one_class: bool = False) -> Samples:
    """A stratified choice of training samples.

    Args:
        samples: All that were learned from.
        count: How many.
        seed: Of the choice.
        one_class: They may all be of one class: the network does not decide, or its ranges do not matter.

    Raises:
        UsageError: There are none, or all are of one class.
    """
    if len(samples) == 0:
        raise UsageError("no training samples to calibrate on: the training split is empty.")
    chosen = samples.take(stratified_subset(samples.strata, count, seed))
    if not one_class and samples.y.ndim == 1 and len(np.unique(chosen.y)) == 1:
        raise UsageError(_of_one_class(samples.y, len(chosen)))
    return chosen


def _of_one_class(y: np.ndarray, count: int) -> str:
    sizes = np.unique(y, return_counts=True)[1]
    if len(sizes) == 1:
        return (
            f"all {len(y)} training samples are of one class, so the ranges would be of that class alone. Calibrate on "
            "data that has samples of every class in its training split."
        )
    return (
        f"calibrating on {count} of {len(y)} training samples takes them all from one of {len(sizes)} classes, so the "
        "ranges would be of that class alone. Take more: --calibration, or quantize.calibration of the recipe "
        "(default: 512)."
    )


HELD_BACK = 256
"""Training samples that judge what was set by others, at most."""


def held_back(samples: Samples, calibrated: Samples, seed: int) -> Samples:
    """Training samples that set no range, stratified; some that did where a small set leaves no others.

    Args:
        samples: All that were learned from.
        calibrated: What ``calibration_samples`` chose of them with the same seed.
        seed: Of the choice.
    """
    chosen = stratified_subset(samples.strata, len(calibrated), seed)
    left = np.setdiff1d(np.arange(len(samples)), chosen)
    if len(left) < min(HELD_BACK, len(samples)) // 4:
        left = np.arange(len(samples))
    others = samples.take(left)
    return others.take(stratified_subset(others.strata, HELD_BACK, seed + 1))
