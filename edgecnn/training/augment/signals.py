"""Recordings int16 ``[B, T, 1]``, signals float32 ``[B, T, C]``: speed, shift, gain, noise; masks over spectrograms."""

from __future__ import annotations

import numpy as np

from edgecnn.preprocess import PreprocessKind
from edgecnn.recipe import AugmentSection

FIELDS = ("noise", "gain", "speed", "time_shift", "time_mask", "mixup")
"""What of ``[data.augment]`` waveforms and signals know."""

SPECTROGRAM_FIELDS = (*FIELDS, "frequency_mask")
"""What spectrograms know."""

KINDS = ("audio", "signal", "spectrogram")
"""The kinds of preprocessing whose raw samples are changed here."""


def augment(x: np.ndarray, section: AugmentSection, generator: np.random.Generator) -> np.ndarray:
    """Raw samples played faster or slower, moved in time, made louder or softer, with noise on top, in this order.

    Args:
        x: ``[B, T, C]``; int16 recordings are cut at full scale.
        section: How much of what.
        generator: Of the batch.

    Returns:
        Same shape and type.
    """
    if section.speed:
        x = _played(x, generator.uniform(1 - section.speed, 1 + section.speed, len(x)))
    if steps := round(section.time_shift * x.shape[1]):
        x = _shifted(x, generator.integers(-steps, steps + 1, len(x)))
    if not section.gain and not section.noise:
        return x
    values = x.astype(np.float32)
    if section.gain:
        values *= generator.uniform(1 - section.gain, 1 + section.gain, (len(x), 1, 1)).astype(np.float32)
    if section.noise:
        scale = values.std(axis=1, keepdims=True) * np.float32(section.noise)    # [B, 1, C]
        values += generator.standard_normal(values.shape, np.float32) * scale
    if x.dtype == np.int16:
        return np.clip(np.rint(values), -32768, 32767).astype(np.int16)
    return values


def _played(x: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Each sample at its own speed around its middle, with what lies between two values interpolated linearly.

    Voices become higher and shorter, or lower and longer: Ko, Peddinti, Povey and Khudanpur (2015), Audio augmentation
    for speech recognition, section 3.1.
    """
    time = np.arange(x.shape[1])
    middle = (x.shape[1] - 1) / 2
    outside = 0 if x.dtype == np.int16 else None    # None: the value at the edge
    values = np.empty(x.shape, np.float32)
    for sample, result, factor in zip(x, values, speed, strict=True):
        place = (time - middle) * factor + middle
        for channel in range(x.shape[2]):
            result[:, channel] = np.interp(place, time, sample[:, channel], left=outside, right=outside)
    return np.rint(values).astype(x.dtype) if x.dtype == np.int16 else values


def _shifted(x: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Each sample moved by its number of steps; silence comes into a recording, the edge's value into a signal."""
    length = x.shape[1]
    moved = np.empty_like(x)
    for sample, result, steps in zip(x, moved, later, strict=True):
        start, stop = max(0, steps), length + min(0, steps)
        result[start:stop] = sample[start - steps : stop - steps]
        result[:start] = 0 if x.dtype == np.int16 else sample[0]
        result[stop:] = 0 if x.dtype == np.int16 else sample[-1]
    return moved


def mask(
    x: np.ndarray, preprocess: PreprocessKind, section: AugmentSection, generator: np.random.Generator
) -> np.ndarray:
    """A stretch of time, and of a spectrogram a band of frequencies, replaced by the sample's mean.

    After Park and others (2019), SpecAugment, section 2, with one mask of each: its width is drawn evenly from 0 to the
    largest, then its start.

    Args:
        x: float32 ``[B, T, C]``, or a spectrogram ``[B, frames, bands, 1]``.
        preprocess: Its kind tells which of the two.
        section: The largest widths, as fractions.
        generator: Of the batch.
    """
    axes = [(1, section.time_mask)] + [(2, section.frequency_mask)] * (preprocess.kind == "spectrogram")
    for axis, share in axes:
        if not share:
            continue
        size, most = x.shape[axis], share * x.shape[axis]
        width = np.floor(generator.uniform(0, most + 1, len(x)).clip(max=size))
        start = np.floor(generator.random(len(x)) * (size - width + 1))
        place = np.arange(size)
        hidden = (place >= start[:, np.newaxis]) & (place < (start + width)[:, np.newaxis])    # [B, size]
        shape = [len(x), *(size if other == axis else 1 for other in range(1, x.ndim))]
        means = x.mean(axis=tuple(range(1, x.ndim if preprocess.kind == "spectrogram" else 2)), keepdims=True)
        x = np.where(hidden.reshape(shape), means, x)
    return x
