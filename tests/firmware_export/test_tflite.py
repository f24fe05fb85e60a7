"""Reading models: what real files hold, and that damage is refused and never anything else."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as litert
from hypothesis import given
from hypothesis import strategies as st

from firmware_export.errors import ModelError
from firmware_export.flatbuffer import MAX_TABLES, Reader
from firmware_export.graph import Graph, Quant
from firmware_export.tflite import read_model
from tests.tflite_builder import pack, small_model

SMALL = pack(small_model())


def test_every_part_of_a_small_model_is_read() -> None:
    graph = read_model(SMALL, "small")
    assert [node.op for node in graph.nodes] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert graph.description == "made for a test"
    assert graph.inputs == (0,)
    assert graph.outputs == (9,)
    convolution = graph.nodes[0]
    assert convolution.inputs == (0, 1, 2)
    assert convolution.options == {
        "padding": "SAME",
        "stride_w": 2,
        "stride_h": 2,
        "fused_activation_function": "RELU",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
        "quantized_bias_type": "float32",
    }
    assert graph.nodes[1].options == {"new_shape": ()}    # the file has none
    assert graph.nodes[3].options == {"beta": 1.0}
    kernel = graph.tensors[1]
    assert (kernel.shape, kernel.dtype, kernel.size, kernel.nbytes) == ((4, 3, 3, 2), "int8", 72, 72)
    assert kernel.data == np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 2), np.int8).tobytes()
    assert kernel.quant is not None
    assert kernel.quant.per_channel
    assert kernel.quant.scale == tuple(float(np.float32(value)) for value in (0.01, 0.02, 0.015, 0.03))
    assert graph.tensors[0].quant == Quant((float(np.float32(1 / 255)),), (-128,), 0)
    assert graph.tensors[4].quant is None
    assert graph.tensors[0].data is None


def test_printing_has_a_line_for_each_node_with_types_and_shapes() -> None:
    lines = str(read_model(SMALL, "small")).splitlines()
    assert lines[0] == "small: 4 nodes, 10 tensors"
    assert lines[1] == "  inputs   t0 int8[1,6,6,2]"
    operands = "t0 int8[1,6,6,2] (t1 int8[4,3,3,2], t2 int32[4]) -> t3 int8[1,3,3,4]"
    assert lines[2].startswith(f"    0  CONV_2D          {operands}  padding=SAME stride_w=2 stride_h=2")
    assert lines[-1] == "  outputs  t9 int8[1,3]"
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("file", "nodes", "signature"),
    [
        ("ic_resnet8_float.tflite", 16, (-1, 32, 32, 3)),
        ("ic_resnet8_int8.tflite", 16, (-1, 32, 32, 3)),
        ("kws_dscnn_int8.tflite", 13, (-1, 49, 10, 1)),
    ],
)
def test_published_models_are_read_as_litert_reads_them(
    shared: Path, file: str, nodes: int, signature: tuple[int, ...]
) -> None:
    data = (shared / "models" / file).read_bytes()
    graph = read_model(data, file)
    assert len(graph.nodes) == nodes
    assert graph.tensors[graph.inputs[0]].shape_signature == signature
    assert graph.metadata["min_runtime_version"].rstrip(b"\0") == b"1.5.0"
    assert_equal_to_litert(graph, data)


def assert_equal_to_litert(graph: Graph, data: bytes) -> None:
    """Every tensor and node against LiteRT's own generated reader."""
    theirs = litert.ModelT.InitFromPackedBuf(data, 0)
    subgraph = theirs.subgraphs[0]
    assert len(graph.tensors) == len(subgraph.tensors)
    for tensor, other in zip(graph.tensors, subgraph.tensors, strict=True):
        assert tensor.name == other.name.decode()
        assert tensor.shape == tuple(other.shape if other.shape is not None else ())
        buffer = theirs.buffers[other.buffer].data
        assert tensor.data == (None if buffer is None else bytes(buffer))
        scale = None if other.quantization is None else other.quantization.scale
        if scale is None:
            assert tensor.quant is None
        else:
            assert tensor.quant is not None
            assert tensor.quant.scale == tuple(map(float, scale))
            assert tensor.quant.zero_point == tuple(map(int, other.quantization.zeroPoint))
            if len(scale) > 1:
                assert tensor.quant.axis == other.quantization.quantizedDimension
    for node, other in zip(graph.nodes, subgraph.operators, strict=True):
        assert node.inputs == tuple(other.inputs)
        assert node.outputs == tuple(other.outputs)
        if "stride_w" in node.options:
            assert node.options["stride_w"] == other.builtinOptions.strideW
            assert node.options["padding"] == ("SAME", "VALID")[other.builtinOptions.padding]
        if "depth_multiplier" in node.options:
            assert node.options["depth_multiplier"] == other.builtinOptions.depthMultiplier


@pytest.mark.slow
def test_a_freshly_converted_model_is_read_as_litert_reads_it() -> None:
    from edgecnn.keras_quiet import import_keras, quiet_native

    keras = import_keras()
    import tensorflow as tf

    entry = keras.Input(batch_shape=(1, 12, 12, 3))
    x = keras.layers.SeparableConv2D(6, 3, padding="same", activation="relu6")(entry)
    x = keras.layers.Conv2DTranspose(4, 3, strides=2)(x)
    x = keras.layers.Concatenate()([x, keras.layers.LeakyReLU()(x)])
    model = keras.Model(entry, keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)))
    with quiet_native():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        samples = np.random.default_rng(0).random((4, 1, 12, 12, 3), dtype=np.float32)
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        data = converter.convert()
    graph = read_model(data)
    ops = {node.op for node in graph.nodes}
    assert {"DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONCATENATION", "MEAN", "SOFTMAX"} <= ops
    assert next(node for node in graph.nodes if node.op == "MEAN").options == {"keep_dims": False}
    assert_equal_to_litert(graph, data)


# What must be refused, each for its own reason.


def tensor(model: Any, index: int) -> Any:
    return model.subgraphs[0].tensors[index]


def operator(model: Any, index: int) -> Any:
    return model.subgraphs[0].operators[index]


def sparse(model: Any) -> None:
    tensor(model, 1).sparsity = litert.SparsityParametersT()


def custom_without_name(model: Any) -> None:
    model.operatorCodes[1].builtinCode = model.operatorCodes[1].deprecatedBuiltinCode = litert.BuiltinOperator.CUSTOM


def blockwise(model: Any) -> None:
    tensor(model, 1).quantization.detailsType = litert.QuantizationDetails.CustomQuantization
    tensor(model, 1).quantization.details = litert.CustomQuantizationT()


DAMAGE: dict[str, tuple[Callable[[Any], object], str]] = {
    "schema version": (lambda m: setattr(m, "version", 2), "schema version: found 2, supported is 3"),
    "no subgraph": (lambda m: setattr(m, "subgraphs", []), "subgraphs: found 0, supported is one"),
    "two subgraphs": (lambda m: m.subgraphs.append(m.subgraphs[0]), "subgraphs: found 2, supported is one"),
    "unknown operator": (lambda m: setattr(m.operatorCodes[0], "builtinCode", 4000), "operator 4000 is not known"),
    "nameless custom operator": (custom_without_name, "a custom operator with a name of 0 characters"),
    "operator code": (lambda m: setattr(operator(m, 2), "opcodeIndex", 9), "operator code 9, the file has 4"),
    "input index": (lambda m: setattr(operator(m, 0), "inputs", [0, 1, 77]), "node 0 CONV_2D: inputs: tensor 77 of 10"),
    "output index": (lambda m: setattr(operator(m, 0), "outputs", [-1]), "node 0 CONV_2D: outputs: tensor -1 of 10"),
    "graph output": (lambda m: setattr(m.subgraphs[0], "outputs", [10]), "outputs: tensor 10 of 10"),
    "buffer index": (lambda m: setattr(tensor(m, 1), "buffer", 99), "tensor 1 'conv/kernel': it uses buffer 99"),
    "buffer size": (
        lambda m: setattr(tensor(m, 1), "shape", [4, 3, 3, 3]),
        "its buffer has 72 bytes, int8 [4, 3, 3, 3] needs 108",
    ),
    "negative size": (lambda m: setattr(tensor(m, 0), "shape", [1, -6, 6, 2]), "sizes must not be negative"),
    "rank": (lambda m: setattr(tensor(m, 0), "shape", [1] * 40), "it has 40 elements, at most 16"),
    "signature": (lambda m: setattr(tensor(m, 0), "shapeSignature", [-1, 6]), "[-1, 6] does not fit shape [1, 6,"),
    "type": (lambda m: setattr(tensor(m, 0), "type", 99), "element type 99 is not known"),
    "scales": (
        lambda m: setattr(tensor(m, 1).quantization, "scale", [0.1, 0.2]),
        "2 scales and 4 zero points",
    ),
    "axis": (
        lambda m: setattr(tensor(m, 1).quantization, "quantizedDimension", 4),
        "runs along dimension 4 of shape [4, 3, 3, 2]",
    ),
    "scales along axis": (
        lambda m: setattr(tensor(m, 1).quantization, "quantizedDimension", 1),
        "4 scales along dimension 1 of shape [4, 3, 3, 2]",
    ),
    "scale not a number": (lambda m: setattr(tensor(m, 0).quantization, "scale", [float("nan")]), "not a number"),
    "quantization details": (blockwise, "details of type 1 are not supported"),
    "sparse": (sparse, "sparse constants are not supported"),
    "external buffer": (lambda m: setattr(tensor(m, 0), "externalBuffer", 3), "lies in another file"),
    "options of another operator": (
        lambda m: setattr(operator(m, 0), "builtinOptionsType", litert.BuiltinOptions.SoftmaxOptions),
        "its attributes are of type 9, Conv2DOptions is type 1",
    ),
    "padding": (lambda m: setattr(operator(m, 0).builtinOptions, "padding", 7), "padding is 7, known are SAME, VALID"),
    "read before written": (lambda m: setattr(operator(m, 1), "inputs", [5, 4]), "reads t5 int8[1,36] before any node"),
    "written twice": (lambda m: setattr(operator(m, 1), "outputs", [3]), "node 1 RESHAPE 'conv/Relu' writes t3"),
    "output never written": (lambda m: m.subgraphs[0].operators.pop(), "no node writes the output t9 int8[1,3]"),
    "blob outside": (lambda m: (setattr(m.buffers[0], "offset", 10**12), setattr(m.buffers[0], "size", 10)), "outside"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(damage: Callable[[Any], object], message: str) -> None:
    model = small_model()
    damage(model)
    if message.startswith("outside"):
        tensor(model, 0).buffer = 0
    with pytest.raises(ModelError) as caught:
        read_model(pack(model), "small.tflite")
    assert message in str(caught.value)
    assert str(caught.value).startswith("small.tflite: ")


def test_old_operator_codes_in_one_byte_are_understood() -> None:
    model = small_model()
    for code in model.operatorCodes:
        code.builtinCode = 0
    assert [node.op for node in read_model(pack(model)).nodes] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]


def test_custom_operator_keeps_its_name_and_optional_inputs_stay_absent() -> None:
    model = small_model()
    code = model.operatorCodes[2]
    code.builtinCode = code.deprecatedBuiltinCode = litert.BuiltinOperator.CUSTOM
    code.customCode = "TFLite_Detection_PostProcess"
    operator(model, 2).builtinOptionsType, operator(model, 2).builtinOptions = 0, None
    operator(model, 2).inputs = [5, 6, -1]
    node = read_model(pack(model)).nodes[2]
    assert (node.op, node.custom, node.inputs, node.options) == ("TFLite_Detection_PostProcess", True, (5, 6, -1), {})


def test_blob_behind_the_flatbuffer_is_read() -> None:
    model = small_model()
    blob = bytes(model.buffers[3].data)
    model.buffers[3].data = None
    unique = 0x1234567887654321
    model.buffers[3].offset, model.buffers[3].size = unique, len(blob)
    data = pack(model)
    start = len(data) + -len(data) % 16
    data = data.replace(struct.pack("<Q", unique), struct.pack("<Q", start)) + bytes(start - len(data)) + blob
    assert read_model(data).tensors[4].data == blob
    with pytest.raises(ModelError, match="data outside the flatbuffer"):
        read_model(data[:-1])


def test_metadata_is_read() -> None:
    model = small_model()
    entry = litert.MetadataT()
    entry.name, entry.buffer = "shape", 3
    model.metadata = [entry]
    assert read_model(pack(model)).metadata == {"shape": struct.pack("<2i", 1, 36)}


@pytest.mark.parametrize("data", [b"", b"\x1c\0\0\0TFL", b"PK\x03\x04" * 10, b"\0" * 64])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="not a TFLite model"):
        read_model(data)


# Damage without a plan: whatever the bytes, a graph or a ModelError, soon.


def read_or_refuse(data: bytes) -> bool:
    try:
        graph = read_model(data)
    except ModelError as error:
        assert len(str(error)) < 400
        return False
    assert len(str(graph)) < 1_000_000
    return True


def test_truncated_anywhere_is_refused() -> None:
    for length in range(len(SMALL)):
        assert not read_or_refuse(SMALL[:length]) or not any(SMALL[length:])    # only padding may be missing


def test_a_flipped_bit_in_each_byte_gives_a_graph_or_an_error() -> None:
    chance = random.Random(1)
    readable = 0
    for place in range(len(SMALL)):
        data = bytearray(SMALL)
        data[place] ^= 1 << chance.randrange(8)
        readable += read_or_refuse(bytes(data))
    assert 0 < readable < len(SMALL)


def damage_at_random(path: Path, times: int) -> None:
    original = path.read_bytes()
    chance = random.Random(path.name)
    # Most bytes of a model are weights, where damage cannot be seen: hit the tables at both ends instead.
    for _ in range(times):
        data = bytearray(original)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.randint(1, 6)):
            start = chance.choice([0, max(0, len(data) - 9000)])
            place = chance.randrange(start, max(start + 1, min(len(data), start + 9000)))
            if place < len(data):
                data[place] = chance.choice([data[place] ^ 1 << chance.randrange(8), 0, 0xFF, chance.randrange(256)])
        read_or_refuse(bytes(data))


@pytest.mark.parametrize("file", ["ic_resnet8_float.tflite", "ic_resnet8_int8.tflite", "kws_dscnn_int8.tflite"])
def test_published_models_damaged_at_random(shared: Path, file: str) -> None:
    damage_at_random(shared / "models" / file, 300)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["ic_resnet8_float.tflite", "ic_resnet8_int8.tflite", "kws_dscnn_int8.tflite"])
def test_published_models_damaged_very_often(shared: Path, file: str) -> None:
    damage_at_random(shared / "models" / file, 7000)


@given(st.binary(max_size=600), st.booleans())
def test_arbitrary_bytes_give_an_error(data: bytes, plausible: bool) -> None:
    if plausible:
        data = struct.pack("<I", 8 + len(data) // 2) + b"TFL3" + data
    read_or_refuse(data)


@given(st.data())
def test_words_replaced_by_absurd_ones(data: st.DataObject) -> None:
    absurd = st.sampled_from([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(SMALL), len(SMALL) - 4])
    changed = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        place = 4 * data.draw(st.integers(0, len(SMALL) // 4 - 1))
        changed[place : place + 4] = struct.pack("<I", data.draw(absurd))
    read_or_refuse(bytes(changed))


def crafted(vector: bytes, slot: int) -> bytes:
    """A model whose only field besides the version is a vector at the end of the file."""
    fields = [0] * 8
    fields[0], fields[slot] = 4, 8
    vtable = struct.pack("<10H", 20, 12, *fields)
    start = 8 + len(vtable)
    return struct.pack("<I4s", start, b"TFL3") + vtable + struct.pack("<iII", len(vtable), 3, 4) + vector


def test_a_vector_that_claims_four_billion_elements_is_refused_without_reading_it() -> None:
    with pytest.raises(ModelError, match="it claims 4294967295 elements"):
        read_model(crafted(struct.pack("<I", 0xFFFFFFFF), slot=4))


def test_very_many_references_to_one_table_are_refused() -> None:
    """Four bytes of file must not become a Python object each, without end."""
    count = MAX_TABLES + 1
    places = b"".join(struct.pack("<I", 4 * (count - index) + 4) for index in range(count))
    table = struct.pack("<HHi", 4, 4, 4)
    with pytest.raises(ModelError, match="elements"):
        read_model(crafted(struct.pack("<I", count) + places + table, slot=4))


def test_one_long_vector_read_from_very_many_places_is_refused() -> None:
    """A hundred places that share 100 kB would be 10 MB out of a file of 100 kB."""
    reader = Reader(bytes(100_000), "model")
    with pytest.raises(ModelError, match="again and again"):
        for _ in range(100):
            reader.take(0, 100_000, "a vector")
