"""Counts against published figures, against Keras's own, and against sums worked out by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as litert

from edgecnn.contract import METADATA_NAME
from edgecnn.errors import EdgecnnError
from edgecnn.summary import summarize, summarize_keras
from edgecnn.tflite_file import read_graph
from edgecnn.tflite_metadata import embed
from firmware_export.tflite import read_model
from tests.conftest import Cli
from tests.tflite_builder import pack, small_model


@pytest.mark.parametrize(
    ("file", "macs", "parameters", "weight_bytes", "dtype"),
    [
        # MACs: MLPerf Tiny's published figures. Weights: 77,360 and 346 biases of 4 bytes, 22,016 and 588 of 4 bytes.
        ("ic_resnet8_int8.tflite", 12_501_632, 77_706, 77_360 + 4 * 346, "int8"),
        ("ic_resnet8_float.tflite", 12_501_632, 77_706, 4 * 77_706, "float32"),
        ("kws_dscnn_int8.tflite", 2_656_768, 22_604, 22_016 + 4 * 588, "int8"),
    ],
)
def test_published_models_have_the_published_figures(
    shared: Path, file: str, macs: int, parameters: int, weight_bytes: int, dtype: str
) -> None:
    summary = summarize(read_graph(shared / "models" / file))
    assert (summary.macs, summary.parameters, summary.weight_bytes) == (macs, parameters, weight_bytes)
    assert summary.dtype == dtype


def test_small_model_by_hand() -> None:
    summary = summarize(read_model(pack(small_model())))
    assert [(layer.op, layer.parameters, layer.macs, layer.weight_bytes) for layer in summary.layers] == [
        ("CONV_2D", 76, 3 * 3 * 4 * 18, 72 + 16),
        ("RESHAPE", 0, 0, 0),
        ("FULLY_CONNECTED", 111, 3 * 36, 108 + 12),
        ("SOFTMAX", 0, 0, 0),
    ]
    assert (summary.parameters, summary.macs, summary.weight_bytes) == (187, 756, 208)
    assert [(tensor.name, tensor.bytes) for tensor in summary.largest_tensors[:2]] == [
        ("image", 72),
        ("conv/Relu;conv/BiasAdd", 36),
    ]
    assert summary.inputs[0].zero_point == -128
    assert summary.outputs[0].scale == 1 / 256


def test_weights_used_twice_count_once() -> None:
    model = small_model()
    subgraph = model.subgraphs[0]
    logits, again = subgraph.tensors[8], litert.TensorT()
    again.name, again.shape, again.type, again.quantization = "again", logits.shape, logits.type, logits.quantization
    subgraph.tensors.append(again)
    second = litert.OperatorT()
    second.opcodeIndex, second.inputs, second.outputs = 2, [5, 6, 7], [10]
    subgraph.operators.append(second)
    summary = summarize(read_model(pack(model)))
    assert summary.parameters == 187
    assert summary.macs == 756 + 108


def test_node_without_the_inputs_of_its_operator_is_refused() -> None:
    model = small_model()
    model.subgraphs[0].operators[0].inputs = [0]
    with pytest.raises(EdgecnnError, match="node 0 CONV_2D 'conv/Relu': it has not the inputs"):
        summarize(read_model(pack(model)))


@pytest.fixture(scope="module")
def keras() -> Any:
    from edgecnn.keras_quiet import import_keras

    return import_keras()


def every_layer(keras: Any) -> list[tuple[Any, tuple[int, ...], int]]:
    """Layer, shape of its input without the batch, MACs worked out by hand."""
    layers = keras.layers
    return [
        (layers.Conv1D(5, 3), (10, 2), 8 * 5 * 3 * 2),
        (layers.Conv2D(8, (3, 5), strides=2, padding="same"), (9, 9, 4), 5 * 5 * 8 * 3 * 5 * 4),
        (layers.Conv2D(8, 3, groups=2, padding="same"), (6, 6, 4), 6 * 6 * 8 * 3 * 3 * 2),
        (layers.Conv3D(2, 2), (4, 4, 4, 3), 3 * 3 * 3 * 2 * 8 * 3),
        (layers.DepthwiseConv1D(3, depth_multiplier=2), (8, 3), 6 * 6 * 3),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), (6, 6, 3), 6 * 6 * 6 * 9),
        (layers.SeparableConv1D(7, 3), (10, 4), 8 * (3 * 4 + 4 * 7)),
        (layers.SeparableConv2D(7, 3, strides=2, padding="same"), (8, 8, 4), 4 * 4 * (9 * 4 + 4 * 7)),
        (layers.Conv1DTranspose(3, 4, strides=2), (5, 2), 5 * 2 * 4 * 3),
        (layers.Conv2DTranspose(3, 4, strides=2), (5, 5, 2), 5 * 5 * 2 * 16 * 3),
        (layers.Conv3DTranspose(3, 2, strides=2), (2, 2, 2, 2), 8 * 2 * 8 * 3),
        (layers.Dense(6), (3, 5), 3 * 5 * 6),
        (layers.LSTM(4), (7, 3), 7 * 4 * (3 * 4 + 4 * 4)),
        (layers.GRU(4), (7, 3), 7 * 3 * (3 * 4 + 4 * 4)),
        (layers.SimpleRNN(4), (7, 3), 7 * (3 * 4 + 4 * 4)),
        (layers.Bidirectional(layers.LSTM(4)), (7, 3), 2 * 7 * 4 * (3 * 4 + 4 * 4)),
        (layers.TimeDistributed(layers.Conv2D(2, 3)), (5, 6, 6, 3), 5 * 4 * 4 * 2 * 27),
        (layers.BatchNormalization(), (6, 6, 4), 0),
        (layers.MaxPooling2D(), (6, 6, 4), 0),
        (layers.GlobalAveragePooling2D(), (6, 6, 4), 0),
    ]


@pytest.mark.slow
def test_keras_layers_by_hand(keras: Any) -> None:
    for layer, shape, macs in every_layer(keras):
        model = keras.Sequential([keras.Input(shape), layer])
        summary = summarize_keras(model)
        assert summary.macs == macs, type(layer).__name__
        assert summary.parameters == model.count_params(), type(layer).__name__
        assert summary.weight_bytes == 4 * model.count_params()


@pytest.mark.slow
def test_keras_models_inside_models_and_shared_layers(keras: Any) -> None:
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same", name="inner_conv")])
    shared_layer = keras.layers.Conv2D(3, 3, padding="same", name="twice")
    entry = keras.Input((8, 8, 3))
    x = shared_layer(shared_layer(inner(entry)))
    model = keras.Model(entry, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    shared_layer(keras.Input((100, 100, 3)))    # a use in another model does not count
    summary = summarize_keras(model)
    assert [layer.name for layer in summary.layers[:3]] == ["inner_conv", "twice", "twice"]
    assert summary.macs == 3 * 64 * 3 * 27 + 192 * 2
    assert summary.parameters == model.count_params()
    assert summary.inputs[0].shape == (1, 8, 8, 3)
    assert summary.outputs[0].shape == (1, 2)
    assert summary.largest_tensors[0].bytes == 4 * 192


@pytest.mark.slow
def test_keras_subclass_is_refused(keras: Any) -> None:
    class Own(keras.Model):    # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(EdgecnnError, match="Supported: functional models, and Sequential ones"):
        summarize_keras(Own())
    with pytest.raises(EdgecnnError, match="Supported: functional models, and Sequential ones"):
        summarize_keras(keras.Sequential([keras.layers.Dense(2)]))


# The command.


def test_command_prints_the_totals_within_80_columns(cli: Cli, shared: Path) -> None:
    for file, macs, memory in (
        ("kws_dscnn_int8.tflite", "2,656,768", "depthwise_conv_2d_1"),
        ("ic_resnet8_float.tflite", "12,501,632", "no memory plan: "),
    ):
        said = cli("summary", shared / "models" / file).stdout
        total = next(line for line in said.splitlines() if line.startswith("total"))
        assert macs in total
        pathless = [line for line in said.splitlines()[2:] if not line.startswith("no memory plan: ")]
        assert max(map(len, pathless)) <= 80
        assert "largest activations" in said
        assert f"\n{memory}" in said


@pytest.mark.parametrize(
    ("file", "arena", "pushed", "tflm"),
    [
        # At most what the compiler promises for these networks; TFLite Micro's on Cortex-M4 is 54,996 and 22,820.
        ("ic_resnet8_int8.tflite", 13_000, 13_500, 54_996),
        ("kws_dscnn_int8.tflite", 7_000, 7_200, 22_820),
    ],
)
def test_memory_plans_of_published_models(
    cli: Cli, shared: Path, file: str, arena: int, pushed: int, tflm: int
) -> None:
    memory = json.loads(cli("summary", shared / "models" / file, "--json").stdout)["memory"]
    assert memory["lower_bound_bytes"] <= memory["arena_bytes"] <= arena
    assert memory["push_arena_bytes"] <= pushed
    if memory["tflm_arena_bytes"] is not None:
        assert tflm <= memory["tflm_arena_bytes"] <= 1.1 * tflm    # wider pointers on the machine that measured it
    kinds = {layer["kept"] for layer in memory["layers"]}
    assert {"ring", "whole", "output"} <= kinds


def test_names_out_of_a_file_are_neither_markup_nor_cursor_movements(cli: Cli, tmp_path: Path) -> None:
    model = small_model()
    code = model.operatorCodes[1]
    code.builtinCode = code.deprecatedBuiltinCode = litert.BuiltinOperator.CUSTOM
    code.customCode = "[red]Op\x1b[2J[/blue]"
    for tensor in model.subgraphs[0].tensors:
        tensor.name = f"[b]{tensor.name}[/x]\x1b[2J"
    path = tmp_path / f"[b]{'n' * 150}.tflite"
    ends = (("input", [1, 6, 6, 2]), ("output", [1, 3]))
    contract = {
        "name": "[i]net\x1b[2J",
        "labels": ["[dim]cat", "dog\x1b[2J", "[/q]"],
        "preprocess": {"kind": "image", "scale": 1 / 255, "offset": 0.0},
        **{end: {"name": end, "shape": shape, "dtype": "float32"} for end, shape in ends},
    }
    path.write_bytes(embed(pack(model), METADATA_NAME, json.dumps(contract).encode()))
    said = cli("summary", path).stdout
    assert "[i]net\N{REPLACEMENT CHARACTER}[2J: classification" in said
    assert "[dim]cat, dog\N{REPLACEMENT CHARACTER}[2J, [/q]" in said
    assert said.startswith(f"{path}: tflite, int8")    # whole, to be copied
    assert "[red]op\N{REPLACEMENT CHARACTER}[2j[/blue]" in said
    assert "[b]flat[/x]" in said
    assert "\x1b" not in said


def test_command_gives_json(cli: Cli, shared: Path) -> None:
    path = shared / "models" / "kws_dscnn_int8.tflite"
    document = json.loads(cli("summary", path, "--json").stdout)
    assert document["macs"] == 2_656_768
    assert document["file_bytes"] == path.stat().st_size
    assert len(document["layers"]) == 13
    assert document["layers"][0]["op"] == "CONV_2D"
    assert document["inputs"][0] | {"name": ""} == {
        "name": "",
        "shape": [1, 49, 10, 1],
        "dtype": "int8",
        "bytes": 490,
        "scale": 0.5847029089927673,
        "zero_point": 83,
    }


@pytest.mark.slow
def test_command_reads_a_keras_file(cli: Cli, keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu", name="conv")])
    model.save(tmp_path / "tiny.keras")
    said = cli("summary", "tiny.keras").stdout
    assert "tiny.keras: keras, float32" in said
    assert f"{36 * 4 * 9:,}" in said
    with zipfile.ZipFile(tmp_path / "broken.keras", "w") as archive:
        archive.writestr("config.json", "{")
    assert "broken.keras" in cli("summary", "broken.keras", code=1).stderr


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("none.tflite", None, 2, "none.tflite: no such file"),
        ("notes.txt", b"hello", 2, "Supported: .tflite, .keras, or a run"),
        ("empty.tflite", b"", 1, "empty.tflite: not a TFLite model: it is empty"),
        ("zip.tflite", b"PK\x03\x04 and so on", 1, "zip.tflite: not a TFLite model"),
        ("cut.tflite", pack(small_model())[:1500], 1, "cut.tflite"),
        ("fashion_mnist_cnnn", None, 2, "Did you mean 'fashion_mnist_cnn'?"),
    ],
)
def test_command_refuses_with_one_message(
    cli: Cli, tmp_path: Path, name: str, content: bytes | None, code: int, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = cli("summary", name, code=code)
    assert message in done.stderr
    assert done.stdout == ""
