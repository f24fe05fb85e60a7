"""The arithmetic of spectrograms: right against NumPy in double precision, and in the very order that C would take."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.preprocess import _spectrum as spectrum


@given(st.integers(2, 10), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_power_spectrum_is_that_of_the_fourier_transform(bits: int, count: int, seed: int) -> None:
    frames = np.random.default_rng(seed).standard_normal((count, 2**bits)).astype(np.float32)
    truth = np.abs(np.fft.rfft(frames.astype(np.float64))) ** 2
    power = spectrum.power_spectrum(frames)
    assert power.dtype == np.float32
    assert power.shape == truth.shape
    assert np.abs(power - truth).max() < 1e-6 * truth.max()


def test_many_frames_are_as_one_by_one() -> None:
    frames = np.random.default_rng(0).standard_normal((600, 64)).astype(np.float32)
    together = spectrum.power_spectrum(frames)
    assert np.array_equal(together[[0, 255, 256, 599]], spectrum.power_spectrum(frames[[0, 255, 256, 599]]))


def scalar_power(frame: list[np.float32]) -> list[np.float32]:
    """``power_spectrum`` as loops over single numbers: what a C program does."""
    points = len(frame)
    half = points // 2
    angles = [-2 * np.pi * k / points for k in range(half)]
    cosine, sine = ([np.float32(f(angle)) for angle in angles] for f in (np.cos, np.sin))
    width_bits = half.bit_length() - 1
    order = [int(f"{k:0{width_bits}b}"[::-1], 2) for k in range(half)]
    real, imaginary = [frame[2 * k] for k in order], [frame[2 * k + 1] for k in order]
    width = 1
    while width < half:
        for start in range(0, half, 2 * width):
            for k in range(width):
                one, two, turn = start + k, start + k + width, k * (half // width)
                c, s = cosine[turn], sine[turn]
                a, b = c * real[two] - s * imaginary[two], c * imaginary[two] + s * real[two]
                real[two], imaginary[two] = real[one] - a, imaginary[one] - b
                real[one], imaginary[one] = real[one] + a, imaginary[one] + b
        width *= 2
    power = []
    for k in range(half):
        m = (half - k) % half
        c, s = cosine[k], sine[k]
        odd_real, odd_imaginary = imaginary[k] + imaginary[m], real[m] - real[k]
        a = (real[k] + real[m]) + (c * odd_real - s * odd_imaginary)
        b = (imaginary[k] - imaginary[m]) + (c * odd_imaginary + s * odd_real)
        power.append((a * a + b * b) * np.float32(0.25))
    last = real[0] - imaginary[0]
    return [*power, last * last]


def test_power_spectrum_to_the_bit() -> None:
    frames = np.random.default_rng(1).standard_normal((3, 32)).astype(np.float32)
    power = spectrum.power_spectrum(frames)
    for frame, line in zip(frames, power, strict=True):
        assert np.array_equal(np.array(scalar_power(list(frame)), np.float32), line)


def test_band_energies_to_the_bit() -> None:
    generator = np.random.default_rng(2)
    power = generator.random((4, 33)).astype(np.float32)
    weights = spectrum.mel_weights(6, 64, 8000, 60, 4000)
    for line, energies in zip(power, spectrum.band_energies(power, weights), strict=True):
        for band in range(6):
            total = np.float32(0)
            for place in range(33):
                if weights[band, place] > 0:
                    total = total + weights[band, place] * line[place]
            assert total == energies[band]


@given(st.floats(2**-60, 2**40, width=32))
def test_decibels(power: float) -> None:
    value = spectrum.decibels(np.array([power], np.float32))
    assert value.dtype == np.float32
    assert abs(float(value[0]) - 10 * math.log10(power)) < 3e-5


def test_decibels_never_fall_while_power_rises() -> None:
    around = np.float32(1) * np.concatenate([2.0**k * np.linspace(0.65, 0.75, 5000) for k in range(-3, 4)])
    rising = np.sort(around.astype(np.float32))
    assert np.diff(spectrum.decibels(rising)).min() >= -4e-6


def test_a_window_keeps_the_power_of_noise() -> None:
    for length in (100, 256):
        window = spectrum.hann(length)
        assert window[0] == 0
        assert np.allclose(window[1:], window[:0:-1])    # periodic: what follows the last value is the first
        assert float((window.astype(np.float64) ** 2).sum()) == pytest.approx(1, abs=1e-6)


def test_mel_weights() -> None:
    """Corners from the formula by hand: 0 and 1000 Hz are 0 and 1000 mel, so one band's middle is at 500 mel."""
    weights = spectrum.mel_weights(1, 8000, 8000, 0, 1000)[0]    # a frequency a Hz
    middle = 700 * (10 ** (999.9855 / 2 / 2595) - 1)
    assert int(weights.argmax()) == round(middle) == 391
    assert weights[0] == 0
    assert weights[1000:].max() < 1e-6
    assert weights[200] == pytest.approx(200 / middle, abs=1e-4)
    assert weights[700] == pytest.approx(300 / (1000 - middle), abs=1e-4)


def test_neighbouring_bands_share_every_frequency() -> None:
    weights = spectrum.mel_weights(20, 512, 16000, 100, 8000)
    corner = np.flatnonzero(weights[0])[0], np.flatnonzero(weights[-1])[-1]
    inside = weights.sum(axis=0)[weights[0].argmax() + 1 : weights[-1].argmax()]
    assert corner[0] == 4    # 125 Hz: the first above 100
    assert np.allclose(inside, 1, atol=1e-5)
