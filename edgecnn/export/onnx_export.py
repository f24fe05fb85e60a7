"""ONNX files, checked against their source before anyone is told that they exist.

The float model goes through tf2onnx from Keras; the int8 one from the int8 ``.tflite``, so that both carry the same
scales (QDQ form: QuantizeLinear and DequantizeLinear around float operators, ONNX operators specification).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.errors import EdgecnnError, MissingDependencyError, first_line
from edgecnn.files import whole_file
from edgecnn.keras_quiet import import_keras, quiet_native
from edgecnn.runtimes import load_session
from edgecnn.tasks import decide

OPSET = 18
"""The highest opset that tf2onnx 1.17 writes."""

INPUT, OUTPUT = "input", "output"

FLOAT_TOLERANCE = 1e-5
"""Largest difference from Keras that a float ONNX may show on the checked samples; relative where values exceed 1."""

INT8_AGREEMENT = 0.995
"""Smallest share of decisions on real samples that int8 ONNX and int8 TFLite must have in common."""

FILTER_STEPS = 3
"""Steps by which the outputs of a filter may differ in int8, where there is nothing to decide."""

RANDOM_AGREEMENT = 0.95
"""The same on random inputs, where classes are near ties and the steep part of softmax widens a step of difference."""


@dataclass(frozen=True)
class Check:
    """How a written file compares with its source.

    Attributes:
        samples: Samples compared.
        largest_difference: Of the outputs.
        unit: Of that difference: empty for real values, ``steps`` of quantization for int8.
        agreement: Share of decisions (classes; for segmentation pixels) that are the same; for a filter, of outputs.
    """

    samples: int
    largest_difference: float
    unit: str
    agreement: float


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx reports on the root logger and warns about NumPy; none of it helps a user."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), quiet_native():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(before)


def _tf2onnx() -> Any:
    try:
        with _quiet():
            import onnx
            import tf2onnx
    except ImportError as error:
        raise MissingDependencyError(error.name or "tf2onnx", "onnx", "ONNX export") from error
    del onnx
    return tf2onnx


def float_onnx(model: Any) -> Any:
    """A Keras model as an ``onnx.ModelProto``, float32, batch 1.

    Args:
        model: One input, one output.

    Raises:
        EdgecnnError: tf2onnx has no translation for a part of the model.
    """
    tf2onnx = _tf2onnx()
    import tensorflow as tf

    import_keras("ONNX export")
    shape = (1, *model.input_shape[1:])
    function = tf.function(lambda x: model(x, training=False))
    try:
        with _quiet():
            proto, _ = tf2onnx.convert.from_function(
                function,
                input_signature=[tf.TensorSpec(shape, tf.as_dtype(model.inputs[0].dtype), name=INPUT)],
                opset=OPSET,
            )
    except Exception as error:    # tf2onnx raises whatever the op's translation raises
        raise EdgecnnError(f"tf2onnx cannot translate the model: {first_line(error)}") from error
    return proto


def onnx_from_tflite(path: Path) -> Any:
    """A ``.tflite`` file as an ``onnx.ModelProto``; an int8 file becomes QDQ with the same scales.

    Raises:
        EdgecnnError: tf2onnx has no translation for an operator.
    """
    tf2onnx = _tf2onnx()
    try:
        with _quiet():
            proto, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    except Exception as error:
        raise EdgecnnError(f"tf2onnx cannot translate {path}: {first_line(error)}") from error
    return proto


def finish(proto: Any, contract: Contract | None, name: str) -> Any:
    """Give a converted model its names and metadata, and check it against the ONNX specification.

    The input is called ``input``, the output ``output``; ``metadata_props`` hold the contract under
    ``EDGECNN_CONTRACT``, and the labels, comma-separated, under ``classes``.
    """
    import onnx

    graph = proto.graph
    renamed = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT}
    for node in graph.node:
        for names in (node.input, node.output):
            for index, value in enumerate(names):
                names[index] = renamed.get(value, value)
    graph.input[0].name, graph.output[0].name = INPUT, OUTPUT
    graph.name = name
    proto.producer_name, proto.producer_version = "edgecnn", ""
    proto.doc_string = ""
    if contract is not None:
        onnx.helper.set_model_props(
            proto, {METADATA_NAME: contract.to_json(), "classes": ",".join(contract.labels)}
        )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def input_of(proto: Any) -> TensorContract:
    """Name, shape and type of a model's input."""
    return _end(proto.graph.input[0])


def _end(value: Any) -> TensorContract:
    import onnx

    kind = value.type.tensor_type
    return TensorContract(
        name=value.name,
        shape=tuple(int(size.dim_value) for size in kind.shape.dim),
        dtype=onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
    )


def onnx_contract(proto: Any, contract: Contract) -> Contract:
    """The contract of an ONNX file: the source's, with the ends as they are in the file."""
    ends = []
    for value, name, source in (
        (proto.graph.input[0], INPUT, contract.input),
        (proto.graph.output[0], OUTPUT, contract.output),
    ):
        end = _end(value)
        quant = {} if end.dtype == "float32" else {"scale": source.scale, "zero_point": source.zero_point}
        ends.append(end.model_copy(update={"name": name, **quant}))
    return contract.model_copy(update={"input": ends[0], "output": ends[1]})


def write_checked(
    proto: Any,
    path: Path,
    runtime: str,
    source: Path,
    inputs: np.ndarray,
    *,
    quantized: bool,
    contract: Contract | None = None,
    agreement: float = INT8_AGREEMENT,
) -> Check:
    """Write an ONNX file if ONNX Runtime gives what its source gives.

    Args:
        proto: The finished model.
        path: Where to write.
        runtime: Runtime of the source: ``keras`` or ``litert``.
        source: The file that was converted.
        inputs: Encoded samples ``[N, ...]`` of the input's type.
        quantized: The model computes in integers, whatever type its ends have: judged by what is decided from its
            outputs, not by values.
        contract: Tells how; without it the largest output wins.
        agreement: Smallest share of decisions that must then be the same.

    Raises:
        EdgecnnError: They differ by more than the tolerance; nothing is written.
    """
    import onnx

    with whole_file(path) as temporary:
        onnx.save_model(proto, temporary)
        ours, theirs = load_session("onnxruntime", temporary), load_session(runtime, source)
        pairs = [(ours.run(sample[None]).copy(), theirs.run(sample[None]).copy()) for sample in inputs]
        check = Check(
            len(pairs),
            max(float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)))) for a, b in pairs),
            "" if np.issubdtype(pairs[0][0].dtype, np.floating) else "steps",
            float(np.mean([np.mean(_decided(a, contract) == _decided(b, contract)) for a, b in pairs])),
        )
        if not quantized:
            allowed = FLOAT_TOLERANCE * max(1.0, *(float(np.max(np.abs(b))) for _, b in pairs))
            if check.largest_difference > allowed:
                raise EdgecnnError(
                    f"the ONNX model differs from {source} by {check.largest_difference:.2e} "
                    f"(allowed: {allowed:.0e}). Nothing was written."
                )
        elif contract is not None and contract.task == "filter":
            if check.unit and check.largest_difference > FILTER_STEPS:
                raise EdgecnnError(
                    f"the ONNX model differs from {source} by {check.largest_difference:.0f} steps "
                    f"(allowed: {FILTER_STEPS}). Nothing was written."
                )
        elif check.agreement < agreement:
            raise EdgecnnError(
                f"the ONNX model agrees with {source} on {check.agreement:.2%} of {check.samples} samples "
                f"(required: {agreement:.1%}). Nothing was written."
            )
    return check


def _decided(outputs: np.ndarray, contract: Contract | None) -> np.ndarray:
    """What one sample's outputs ``[1, ...]`` are taken for; those of a filter for themselves."""
    if contract is None:
        return decide("classification", outputs)
    if contract.task == "filter":
        return outputs
    floats = np.issubdtype(outputs.dtype, np.floating)
    return decide(contract.task, outputs if floats else contract.output.dequantize(outputs))
