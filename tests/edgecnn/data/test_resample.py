"""Another rate: the same sound where it can be kept, silence where it cannot, in step with the old one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data._resample import resample


def sound(hertz: float, rate: int) -> np.ndarray:
    """A tone that fades in and out within half a second."""
    time = np.arange(rate // 2) / rate
    return np.sin(2 * np.pi * hertz * time) * np.exp(-(((time - 0.25) / 0.05) ** 2))


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44100, 16000), (48000, 8000), (8000, 16000), (11025, 8000), (8000, 44100), (8001, 8000)]
)
def test_a_tone_below_both_limits_is_kept(rate: int, wanted: int) -> None:
    hertz = 0.3 * min(rate, wanted)
    result = resample(sound(hertz, rate), rate, wanted)
    truth = sound(hertz, wanted + wanted % 2)[: len(result)]
    assert len(result) == math.ceil(len(sound(hertz, rate)) * wanted / rate)
    assert np.abs(result[: len(truth)] - truth).max() < 1e-3


@pytest.mark.parametrize("hertz", [4100, 5000, 7000])
def test_what_the_lower_rate_cannot_hold_is_gone(hertz: float) -> None:
    assert np.abs(resample(sound(hertz, 16000), 16000, 8000)).max() < 2e-3


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (8000, 44100), (3, 2)])
def test_scipy_agrees(rate: int, wanted: int) -> None:
    """Another filter of the same purpose: noise without what lies near the limit comes out alike."""
    signal = pytest.importorskip("scipy.signal")
    up, down = wanted // math.gcd(rate, wanted), rate // math.gcd(rate, wanted)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(4096))
    spectrum[int(0.7 * min(1, wanted / rate) * len(spectrum)) :] = 0
    noise = np.fft.irfft(spectrum) * np.hanning(4096)
    ours, theirs = resample(noise, rate, wanted), signal.resample_poly(noise, up, down)
    assert len(ours) == len(theirs)
    assert np.abs(ours - theirs).max() < 0.01 * np.abs(noise).max()


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_length_and_the_plain_sum(count: int, rate: int, wanted: int) -> None:
    """Against the definition: zeros between the samples, the whole filter, every ``down``-th value."""
    from edgecnn.data._resample import _filter

    samples = np.random.default_rng(count).standard_normal(count)
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    result = resample(samples, rate, wanted)
    if up == down:
        assert np.array_equal(result, samples)
        return
    raised = np.zeros(count * up)
    raised[::up] = samples
    taps = _filter(up, down)
    plain = np.convolve(raised, taps)[len(taps) // 2 :][: count * up : down]
    assert len(result) == len(plain) == -(-count * up // down)
    assert np.allclose(result, plain)
