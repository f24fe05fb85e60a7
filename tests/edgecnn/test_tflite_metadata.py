"""Metadata in front of a model: nothing else changes, for any reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as litert
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import EdgecnnError
from edgecnn.tflite_metadata import MARK, embed
from firmware_export.errors import ModelError
from firmware_export.tflite import read_model
from tests.tflite_builder import pack, small_model

SMALL = pack(small_model())
MODELS = ["ic_resnet8_float.tflite", "ic_resnet8_int8.tflite", "kws_dscnn_int8.tflite"]

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(name=names, payload=st.binary(max_size=300))
def test_payload_comes_back_and_the_converter_s_bytes_stay(name: str, payload: bytes) -> None:
    made = embed(SMALL, name, payload)
    assert made.endswith(SMALL)
    assert made[4:8] == b"TFL3"
    assert (len(made) - len(SMALL)) % 16 == 0
    graph = read_model(made)
    assert graph.metadata == {name: payload}
    assert replace(graph, metadata={}) == read_model(SMALL)


entry = st.tuples(st.sampled_from(["contract", "licence", "notes"]), st.binary(max_size=100))


@given(st.lists(entry, min_size=1, max_size=8))
def test_embedding_again_and_again_keeps_the_last_of_each_and_does_not_grow(entries: list[tuple[str, bytes]]) -> None:
    made = SMALL
    for name, payload in entries:
        made = embed(made, name, payload)
    assert read_model(made).metadata == dict(entries)
    assert made.endswith(SMALL)
    assert made[8:16] == MARK
    assert len(made) < len(SMALL) + 1000


def test_entries_of_the_converter_are_kept_unless_replaced(shared: Path) -> None:
    model = (shared / "models" / MODELS[1]).read_bytes()
    runtime = read_model(model).metadata["min_runtime_version"]
    made = embed(model, "contract", b"{}")
    assert read_model(made).metadata == {"min_runtime_version": runtime, "contract": b"{}"}
    made = embed(made, "min_runtime_version", b"2")
    assert read_model(made).metadata == {"contract": b"{}", "min_runtime_version": b"2"}


def positions(model: bytes) -> list[int]:
    """Where each buffer's bytes start in the file, by LiteRT's reader."""
    root = litert.Model.GetRootAs(model)
    found = []
    for index in range(root.BuffersLength()):
        table = root.Buffers(index)._tab
        if place := table.Offset(4):
            found.append(int(table.Vector(place)))
    return found


@pytest.mark.parametrize("file", MODELS)
def test_alignment_of_every_buffer_stays(shared: Path, file: str) -> None:
    model = (shared / "models" / file).read_bytes()
    before, after = positions(model), positions(embed(model, "contract", b"x" * 77))
    shift = after[0] - before[0]
    assert shift % 16 == 0
    assert after[:-1] == [place + shift for place in before]
    assert after[-1] % 16 == 0


@pytest.mark.parametrize("file", MODELS)
def test_litert_and_tflite_micro_give_the_same_bytes(shared: Path, file: str) -> None:
    model = (shared / "models" / file).read_bytes()
    made = embed(embed(model, "contract", b"{}"), "notes", b"x" * 1000)
    graph = read_model(model)
    end = graph.tensors[graph.inputs[0]]
    random = np.random.default_rng(7)
    for _ in range(3):
        sample: np.ndarray = (
            random.integers(-128, 128, end.shape).astype(np.int8)
            if end.dtype == "int8"
            else random.random(end.shape, dtype=np.float32)
        )
        assert np.array_equal(run_litert(model, sample), run_litert(made, sample))
        assert np.array_equal(run_micro(model, sample), run_micro(made, sample))


def run_litert(model: bytes, sample: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
    interpreter.invoke()
    result: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result


def run_micro(model: bytes, sample: np.ndarray) -> np.ndarray:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is not installed")
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=400_000)
    interpreter.set_input(sample, 0)
    interpreter.invoke()
    result: np.ndarray = interpreter.get_output(0)
    return result


def test_other_readers_find_the_entry() -> None:
    assert_found(litert, embed(SMALL, "contract", b"payload"))


@pytest.mark.slow
def test_tensorflow_finds_the_entry() -> None:
    from tensorflow.lite.python import schema_py_generated

    assert_found(schema_py_generated, embed(SMALL, "contract", b"payload"))


def assert_found(schema: Any, model: bytes) -> None:
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    found = {entry.name: bytes(parsed.buffers[entry.buffer].data) for entry in parsed.metadata}
    assert found == {b"contract": b"payload"}
    assert parsed.description == b"made for a test"
    assert len(parsed.operatorCodes) == 4
    assert len(parsed.subgraphs[0].operators) == 4


def test_a_mark_that_does_not_lead_to_the_same_network_is_not_taken_off() -> None:
    made = bytearray(embed(SMALL, "contract", b"{}"))
    made[16:20] = (int.from_bytes(made[16:20], "little") + 16).to_bytes(4, "little")
    again = embed(bytes(made), "contract", b"[]")
    assert again.endswith(bytes(made))
    assert read_model(again).metadata == {"contract": b"[]"}


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match="not a TFLite model"):
        embed(b"nothing", "contract", b"")


def test_data_behind_the_flatbuffer_is_refused() -> None:
    model = small_model()
    model.buffers.append(litert.BufferT())
    model.buffers[-1].offset, model.buffers[-1].size = 64, 16
    with pytest.raises(EdgecnnError, match="behind its flatbuffer"):
        embed(pack(model), "contract", b"")


def test_fields_of_a_newer_schema_are_refused() -> None:
    builder, model = flatbuffers.Builder(1024), small_model()

    def vector(items: list[Any]) -> int:
        places = [item.Pack(builder) for item in items]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())

    fields = {1: vector(model.operatorCodes), 2: vector(model.subgraphs), 4: vector(model.buffers)}
    builder.StartObject(12)
    builder.PrependUint32Slot(0, 3, 0)
    for slot, place in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    builder.PrependUint32Slot(11, 5, 0)    # a slot that schema.fbs does not have yet
    builder.Finish(builder.EndObject(), b"TFL3")
    with pytest.raises(EdgecnnError, match="newer schema"):
        embed(bytes(builder.Output()), "contract", b"")
