"""Model files on disk: what they carry, and clear words for those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as litert

from edgecnn.contract import METADATA_NAME, Contract, TensorContract
from edgecnn.errors import EdgecnnError
from edgecnn.preprocess import ImagePreprocess
from edgecnn.tflite_file import contract_of, float_nodes, read_graph
from edgecnn.tflite_metadata import embed
from tests.tflite_builder import pack, small_model

CONTRACT = Contract(
    name="small",
    labels=("cat", "dog", "Kätzchen"),
    preprocess=ImagePreprocess(scale=1 / 255, offset=0.0),
    input=TensorContract(name="image", shape=(1, 6, 6, 2), dtype="int8", scale=1 / 255, zero_point=-128),
    output=TensorContract(name="classes", shape=(1, 3), dtype="int8", scale=1 / 256, zero_point=-128),
)


def test_contract_round_trips_through_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(embed(pack(small_model()), METADATA_NAME, CONTRACT.to_json().encode()))
    assert contract_of(path) == CONTRACT


def test_file_without_a_contract_has_none(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(pack(small_model()))
    assert contract_of(path) is None


def test_damaged_contract_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(embed(pack(small_model()), METADATA_NAME, b'{"schema_version": 9}'))
    with pytest.raises(EdgecnnError, match=r"small\.tflite: the contract cannot be read"):
        contract_of(path)


def test_missing_foreign_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match=r"none\.tflite: no such file"):
        read_graph(tmp_path / "none.tflite")
    with pytest.raises(EdgecnnError, match="is a folder, not a file"):
        read_graph(tmp_path)
    foreign = tmp_path / "photo.tflite"
    foreign.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(EdgecnnError, match=r"photo\.tflite: not a TFLite model: it starts with the bytes 89 50 4e 47"):
        read_graph(foreign)
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(pack(small_model())[:-900])
    with pytest.raises(EdgecnnError, match=r"cut\.tflite: .*truncated or damaged"):
        read_graph(cut)


def test_float_nodes_are_listed_with_what_is_float(tmp_path: Path, shared: Path) -> None:
    path = tmp_path / "small.tflite"
    model = small_model()
    path.write_bytes(pack(model))
    assert float_nodes(read_graph(path)) == []
    model.subgraphs[0].tensors[8].type = litert.TensorType.FLOAT32
    path.write_bytes(pack(model))
    assert float_nodes(read_graph(path)) == [
        "node 2 FULLY_CONNECTED 'logits': float32 output 'logits'",
        "node 3 SOFTMAX 'classes': float32 input 'logits'",
    ]
    assert len(float_nodes(read_graph(shared / "models" / "ic_resnet8_float.tflite"))) == 16
    assert float_nodes(read_graph(shared / "models" / "ic_resnet8_int8.tflite")) == []
