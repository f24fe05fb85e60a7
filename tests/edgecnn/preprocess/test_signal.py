"""Signals: the four steps against NumPy in double precision, and bit for bit against the loops of a device."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edgecnn.errors import EdgecnnError
from edgecnn.preprocess import SignalPreprocess
from edgecnn.preprocess.signal import LEAST_DEVIATION, Window

F = np.float32


def signals(count: int = 5, length: int = 23, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Channels of different level, trend and size: float32 ``[count, length, channels]``."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal((count, length, channels)) * [1, 20, 0.01][:channels]
    slope = generator.uniform(-3, 3, (count, 1, channels)) * np.arange(length)[:, np.newaxis]
    return (noise + slope + np.array([5, -300, 0.5])[:channels]).astype(F)


def as_a_device(one: np.ndarray, kind: SignalPreprocess) -> np.ndarray:
    """One window ``[T, C]``, value by value in float32, in the order of the definition."""
    length, channels = len(one) // kind.decimate, one.shape[1]
    result = np.empty((length, channels), F)
    for c in range(channels):
        row = []
        for t in range(length):
            total = one[t * kind.decimate, c]
            for phase in range(1, kind.decimate):
                total = F(total + one[t * kind.decimate + phase, c])
            row.append(F(total / F(kind.decimate)))
        if kind.window != "as_is":
            total = F(0)
            for value in row:
                total = F(total + value)
            mean = F(total / F(length))
            row = [F(value - mean) for value in row]
        if kind.window == "detrended" and length > 1:
            middle, total = F((length - 1) / 2), F(0)
            for t, value in enumerate(row):
                total = F(total + F(F(F(t) - middle) * value))
            slope = F(total / F(length * (length**2 - 1) / 12))
            row = [F(value - F(F(F(t) - middle) * slope)) for t, value in enumerate(row)]
        if kind.window == "normalized":
            total = F(0)
            for value in row:
                total = F(total + F(value * value))
            size = max(np.sqrt(F(total / F(length))), LEAST_DEVIATION)
            row = [F(value / size) for value in row]
        for t, value in enumerate(row):
            value = F(F(value - F(kind.mean[c])) / F(kind.deviation[c]))
            result[t, c] = value if kind.clip is None else min(max(value, F(-kind.clip)), F(kind.clip))
    return result


@given(
    window=st.sampled_from(["as_is", "centred", "detrended", "normalized"]),
    decimate=st.integers(1, 5),
    clip=st.none() | st.floats(0.1, 3),
    channels=st.integers(1, 3),
    length=st.integers(5, 60),
)
def test_same_bits_as_a_loop(window: Window, decimate: int, clip: float | None, channels: int, length: int) -> None:
    raw = signals(4, length, channels)
    kind = SignalPreprocess(window=window, decimate=decimate, clip=clip).fit(raw)
    expected = np.stack([as_a_device(one, kind) for one in raw])
    values = kind.apply(raw)
    assert values.dtype == F
    assert values.shape == (4, length // decimate, channels) == (4, *kind.sample_shape(raw))
    assert np.array_equal(values.view(np.int32), expected.view(np.int32))


def test_one_channel_has_mean_0_and_deviation_1_over_all_training_samples() -> None:
    raw = signals(40)
    kind = SignalPreprocess().fit(raw)
    flat = kind.apply(raw).astype(np.float64).reshape(-1, 3)
    assert flat.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-4)
    assert flat.std(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)
    # Others are measured by the same two numbers, not by their own.
    other = kind.apply(raw[:1] + F(kind.deviation[0]))
    assert np.allclose(other[..., 0], kind.apply(raw[:1])[..., 0] + 1, atol=1e-4)


def test_what_each_window_loses() -> None:
    raw = signals(6, 50)
    as_it_is = {"mean": (0.0, 0.0, 0.0), "deviation": (1.0, 1.0, 1.0)}
    centred = SignalPreprocess(window="centred", **as_it_is).apply(raw)
    assert np.allclose(centred, raw - raw.astype(np.float64).mean(axis=1, keepdims=True), atol=1e-3)
    line = np.polynomial.polynomial.Polynomial.fit
    detrended = SignalPreprocess(window="detrended", **as_it_is).apply(raw)
    for one, found in zip(raw.astype(np.float64), detrended, strict=True):
        for c in range(3):
            assert np.allclose(found[:, c], one[:, c] - line(np.arange(50), one[:, c], 1)(np.arange(50)), atol=1e-3)
    normalized = SignalPreprocess(window="normalized", **as_it_is).apply(raw).astype(np.float64)
    assert normalized.std(axis=1) == pytest.approx(np.ones((6, 3)), abs=1e-4)
    loud = SignalPreprocess(window="normalized", **as_it_is).apply(raw * F(8))    # a power of two: exact
    assert np.array_equal(loud, normalized.astype(F))


def test_silence_stays_silent() -> None:
    still = np.full((3, 10, 2), 7, F)
    for window in ("as_is", "centred", "detrended", "normalized"):
        kind = SignalPreprocess(window=window).fit(still)    # type: ignore[arg-type]
        assert kind.deviation == (1.0, 1.0)
        assert not kind.apply(still).any()


def test_a_low_rate_keeps_slow_and_loses_fast() -> None:
    time = np.arange(400) / 100
    slow, fast = np.sin(2 * np.pi * time), np.sin(2 * np.pi * 25 * time)
    raw = np.stack([slow, fast], axis=1)[np.newaxis].astype(F)
    kept = SignalPreprocess(decimate=4, mean=(0.0, 0.0), deviation=(1.0, 1.0)).apply(raw)
    assert kept.shape == (1, 100, 2)
    assert np.abs(kept[..., 0]).max() > 0.99
    assert np.abs(kept[..., 1]).max() < 1e-5


def test_contract_brings_back_the_same_values() -> None:
    raw = signals()
    kind = SignalPreprocess(rate=50, window="detrended", decimate=2, clip=2.5).fit(raw)
    again = SignalPreprocess.model_validate(json.loads(kind.model_dump_json()))
    assert again == kind
    assert kind.samples == 23
    assert np.array_equal(again.apply(raw), kind.apply(raw))
    assert kind.fit(raw * F(3)) == kind, "what the recipe or a run gives is kept"


@pytest.mark.parametrize(
    ("settings", "raw", "message"),
    [
        ({}, np.zeros((2, 8, 8, 1), np.uint8), r"for windows of signals .*\[2, 8, 8, 1\]"),
        ({}, np.array(["a", "b"]), "for windows of signals"),
        ({"decimate": 9}, signals(length=8), "a window has 8 samples only"),
        ({"mean": (1.0,), "deviation": (1.0,)}, signals(), "preprocess.mean has 1 values, the signals have 3 channels"),
        ({"samples": 20}, signals(), "a window has 23 samples, the network was trained on 20"),
    ],
)
def test_what_does_not_fit(settings: dict[str, object], raw: np.ndarray, message: str) -> None:
    kind = SignalPreprocess.model_validate(settings)
    with pytest.raises(EdgecnnError, match=message):
        kind.fit(raw).apply(raw)


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": (1.0,)},
        {"mean": (1.0, 2.0), "deviation": (1.0,)},
        {"mean": (1.0,), "deviation": (0.0,)},
        {"clip": 0},
        {"decimate": 0},
        {"window": "filtered"},
    ],
)
def test_recipes_that_mean_nothing(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SignalPreprocess.model_validate(settings)
