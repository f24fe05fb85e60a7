"""Post-training quantization: a Keras model to a float and a full int8 ``.tflite``, with its contract inside.

int8 input and output, weights per channel, batch 1. The activation ranges come from training samples only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.data.base import Samples
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError, UsageError, first_line
from edgecnn.keras_lowering import lowered
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.preprocess import PreprocessKind
from edgecnn.tasks import Task
from edgecnn.tflite_file import float_nodes
from edgecnn.tflite_metadata import embed
from firmware_export.graph import Graph
from firmware_export.tflite import read_model


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
