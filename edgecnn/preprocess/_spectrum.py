"""The arithmetic of a spectrogram, in float32 and in a fixed order: a C program that does the same steps gets the same
bits. NumPy's own FFT, matrix product and logarithm leave their order of operations to the machine.
"""

from __future__ import annotations

import functools

import numpy as np

_CHUNK = 256    # frames at a time: their values stay in the cache


@functools.lru_cache(maxsize=8)
def _twiddles(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of ``-2 pi k / points`` for ``k`` below ``points / 2``, rounded to float32."""
    angle = -2 * np.pi * np.arange(points // 2) / points
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _reversed(points: int) -> np.ndarray:
    """Indices whose bits are in reverse order, int64 ``[points]``."""
    order = np.zeros(1, np.int64)
    while len(order) < points:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def hann(length: int) -> np.ndarray:
    """The periodic Hann window, ``0.5 - 0.5 cos(2 pi n / length)``, scaled to squares that sum to 1.

    So the power of white noise is the same at all frequencies and for all lengths: the noise's own. Harris (1978), On
    the use of windows for harmonic analysis with the discrete Fourier transform, section V.C.

    Returns:
        float32 ``[length]``.
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    scaled: np.ndarray = (window / np.sqrt((window * window).sum())).astype(np.float32)
    return scaled


def mel_weights(bands: int, points: int, rate: int, low: float, high: float) -> np.ndarray:
    """Triangular filters whose corners are equally far apart on the mel scale, each of height 1.

    ``mel(f) = 2595 log10(1 + f / 700)`` (O'Shaughnessy 1987, Speech Communication: Human and Machine, page 150); the
    filters are those of Young and others (2006), The HTK Book 3.4, section 5.4.

    Args:
        bands: Number of filters.
        points: Of the Fourier transform.
        rate: Samples a second, Hz.
        low: Lower end of the first filter, Hz.
        high: Upper end of the last one, Hz.

    Returns:
        float32 ``[bands, points // 2 + 1]``: the weight of each frequency in each band.
    """
    ends = 2595 * np.log10(1 + np.array([low, high]) / 700)
    corners = 700 * (10 ** (np.linspace(ends[0], ends[1], bands + 2) / 2595) - 1)    # Hz, [bands + 2]
    left, middle, right = (corners[place : place + bands, np.newaxis] for place in range(3))
    frequency = np.arange(points // 2 + 1) * rate / points
    rising, falling = (frequency - left) / (middle - left), (right - frequency) / (right - middle)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def power_spectrum(frames: np.ndarray) -> np.ndarray:
    """Squared magnitudes of the discrete Fourier transform of real frames.

    The frame's even and odd samples are the real and imaginary parts of a complex one of half the length; that is
    transformed by the radix-2 method of Cooley and Tukey (1965), and the two spectra are taken apart by their symmetry
    (Press and others 1992, Numerical Recipes in C, section 12.3).

    Args:
        frames: float32 ``[M, points]``, points a power of two from 4 on.

    Returns:
        float32 ``[M, points // 2 + 1]``.
    """
    count, points = frames.shape
    result = np.empty((count, points // 2 + 1), np.float32)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        result[part] = _power(frames[part]).T
    return result


def _power(frames: np.ndarray) -> np.ndarray:
    """``power_spectrum`` of a few frames; ``[points // 2 + 1, M]``, so that equal steps of all frames are one row."""
    half = frames.shape[1] // 2
    order = _reversed(half)
    real, imaginary = (np.ascontiguousarray(frames[:, part::2].T[order]) for part in (0, 1))    # [half, M]
    cosine, sine = _twiddles(frames.shape[1])
    width = 1
    while width < half:
        step = half // width
        c, s = cosine[::step, np.newaxis], sine[::step, np.newaxis]    # [width, 1]: angles -pi k / width
        pair_real, pair_imaginary = (array.reshape(-1, 2, width, array.shape[1]) for array in (real, imaginary))
        turned_real = c * pair_real[:, 1] - s * pair_imaginary[:, 1]
        turned_imaginary = c * pair_imaginary[:, 1] + s * pair_real[:, 1]
        for pair, turned in ((pair_real, turned_real), (pair_imaginary, turned_imaginary)):
            np.subtract(pair[:, 0], turned, out=pair[:, 1])
            np.add(pair[:, 0], turned, out=pair[:, 0])
        width *= 2
    mirror = np.concatenate([[0], np.arange(half - 1, 0, -1)])    # of bin k: (half - k) modulo half
    even_real, even_imaginary = real + real[mirror], imaginary - imaginary[mirror]    # each twice too large
    odd_real, odd_imaginary = imaginary + imaginary[mirror], real[mirror] - real
    c, s = cosine[:, np.newaxis], sine[:, np.newaxis]
    power = np.empty((half + 1, frames.shape[0]), np.float32)
    sum_real = even_real + (c * odd_real - s * odd_imaginary)
    sum_imaginary = even_imaginary + (c * odd_imaginary + s * odd_real)
    power[:half] = (sum_real * sum_real + sum_imaginary * sum_imaginary) * np.float32(0.25)
    last = real[0] - imaginary[0]
    power[half] = last * last
    return power


def band_energies(power: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums over frequencies, added from the lowest to the highest.

    Args:
        power: float32 ``[M, bins]``.
        weights: float32 ``[bands, bins]``, of which only those above 0 are visited.

    Returns:
        float32 ``[M, bands]``.
    """
    columns = np.ascontiguousarray(power.T)    # [bins, M]
    result = np.zeros((len(weights), len(power)), np.float32)
    for band, line in zip(result, weights, strict=True):
        for place in np.flatnonzero(line):
            band += line[place] * columns[place]
    return np.ascontiguousarray(result.T)


def decibels(power: np.ndarray) -> np.ndarray:
    """``10 log10(power)`` by arithmetic alone, within 3e-5 of the true value.

    ``power = m 2^e`` with ``m`` from sqrt(1/2) to sqrt(2), and ``log m = 2 (t + t^3/3 + t^5/5 + …)`` of
    ``t = (m - 1) / (m + 1)`` (Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 4.1.27).

    Args:
        power: float32 above 0, not subnormal.

    Returns:
        float32, same shape.
    """
    mantissa, exponent = np.frexp(power)    # mantissa from 0.5 to 1
    small = mantissa < np.float32(np.sqrt(0.5))
    mantissa = np.where(small, mantissa + mantissa, mantissa)
    exponent = (exponent - small).astype(np.float32)
    t = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    square = t * t
    series = np.float32(1 / 9) * square + np.float32(1 / 7)
    for odd in (5, 3, 1):
        series = series * square + np.float32(1 / odd)
    result: np.ndarray = exponent * np.float32(10 * np.log10(2)) + t * series * np.float32(20 / np.log(10))
    return result
