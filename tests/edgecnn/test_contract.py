"""The contract: arithmetic of both ends, and what happens to a damaged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.contract import Contract, TensorContract, parse_contract
from edgecnn.errors import EdgecnnError
from edgecnn.preprocess import ImagePreprocess
from edgecnn.runtimes import load_session
from tests.tflite_builder import pack, quantize_model

END = TensorContract(name="x", shape=(1, 2, 2, 1), dtype="int8", scale=1 / 255, zero_point=-128)
OUT = TensorContract(name="y", shape=(1, 2), dtype="int8", scale=1 / 256, zero_point=-128)
CONTRACT = Contract(name="net", labels=("a", "ü"), preprocess=ImagePreprocess(), input=END, output=OUT, data_set="d")


def test_pixels_divided_by_255_become_pixel_minus_128() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(64, 2, 2, 1)
    assert np.array_equal(CONTRACT.encode(pixels).astype(int), pixels.astype(int) - 128)


@given(st.floats(1e-4, 10), st.integers(-128, 127), st.lists(st.integers(-128, 127), min_size=1))
def test_what_a_tensor_can_hold_survives_the_way_there_and_back(scale: float, zero: int, values: list[int]) -> None:
    end = TensorContract(name="x", shape=(1, 1), dtype="int8", scale=scale, zero_point=zero)
    stored = np.array(values, dtype=np.int8)
    real = (stored.astype(np.float32) - zero) * np.float32(scale)
    assert np.array_equal(end.quantize(real), stored)


def test_values_beyond_the_range_are_clamped_and_float_ends_pass_through() -> None:
    assert END.quantize(np.array([-9.0, 9.0])).tolist() == [-128, 127]
    plain = TensorContract(name="x", shape=(1, 1), dtype="float32")
    assert plain.quantize(np.array([0.1])).dtype == np.float32


@given(st.floats(1e-6, 1), st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=1))
def test_int16_survives_the_way_there_and_back(scale: float, values: list[int]) -> None:
    end = TensorContract(name="x", shape=(1, 1), dtype="int16", scale=scale, zero_point=0)
    stored = np.array(values, dtype=np.int16)
    assert np.array_equal(end.quantize(end.dequantize(stored)), stored)


def test_int16_is_rounded_half_away_from_zero_and_clamped() -> None:
    end = TensorContract(name="x", shape=(1, 1), dtype="int16", scale=0.5, zero_point=0)
    found = end.quantize(np.array([0.25, -0.25, 0.2, 16383.25, 16384.0, -16384.0, -16384.5, 1e9]))
    assert found.dtype == np.int16
    assert found.tolist() == [1, -1, 0, 32767, 32767, -32768, -32768, 32767]


def test_it_survives_its_own_json() -> None:
    assert parse_contract(CONTRACT.to_json(), "here") == CONTRACT
    assert '"ü"' in CONTRACT.to_json()


OTHER_VERSION = CONTRACT.to_json().replace('"schema_version": 1', '"schema_version": 9')


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", OTHER_VERSION])
def test_a_damaged_one_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(EdgecnnError, match="here: the contract cannot be read"):
        parse_contract(text, "here")


@given(st.floats(1e-3, 10), st.integers(-128, 127), st.integers(0, 2**32))
def test_only_a_tie_goes_anywhere_but_to_the_nearest_step(scale: float, zero: int, seed: int) -> None:
    end = TensorContract(name="x", shape=(1, 1), dtype="int8", scale=scale, zero_point=zero)
    real = np.random.default_rng(seed).uniform(-100 * scale, 100 * scale, 200).astype(np.float32)
    steps = real / np.float32(scale)
    clear = np.abs(np.abs(steps - np.trunc(steps)) - 0.5) > 1e-4
    assert clear.any()
    assert np.array_equal(end.quantize(real)[clear], np.clip(np.rint(steps[clear]) + zero, -128, 127))


@pytest.mark.parametrize(("scale", "zero"), [(1.0, 0), (0.5, 3), (2 / 255, -1), (1 / 255, -128)])
def test_ties_are_rounded_as_a_device_does(tmp_path: Path, scale: float, zero: int) -> None:
    halves = (np.arange(-300, 301) / 2).astype(np.float32) * np.float32(scale)
    model = tmp_path / "quantize.tflite"
    model.write_bytes(pack(quantize_model(len(halves), scale, zero)))
    end = TensorContract(name="q", shape=(1, len(halves)), dtype="int8", scale=scale, zero_point=zero)
    assert np.array_equal(end.quantize(halves), load_session("litert-ref", model).run(halves[None])[0])
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", exc_type=ImportError)
    interpreter = runtime.Interpreter.from_bytes(model.read_bytes(), arena_size=20_000)
    interpreter.set_input(halves[None], 0)
    interpreter.invoke()
    assert np.array_equal(end.quantize(halves), interpreter.get_output(0)[0])
