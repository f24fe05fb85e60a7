"""Recordings as log-mel spectrograms: how loud each band of frequencies is, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from edgecnn.preprocess import _spectrum
from edgecnn.preprocess.audio import FULL_SCALE, AudioKind

if TYPE_CHECKING:
    from typing_extensions import Self

_BLOCK = 64                    # clips at a time: memory stays small whatever their number
_LEAST = np.float32(1e-20)     # power of silence, which has no logarithm


class SpectrogramPreprocess(AudioKind):
    """``value = (max(level, floor) - mean) / deviation``, float32, of the level in dB of each band in each frame.

    A frame is ``frame`` samples as fractions of full scale times a Hann window; the next begins ``hop`` samples later,
    and the last one ends within the clip. Its power spectrum is that of an FFT of ``fft`` points, zeros behind the
    frame. A band's power is the sum under a triangle on the mel scale (Davis and Mermelstein 1980, Comparison of
    parametric representations for monosyllabic word recognition, figure 1), its level ``10 log10`` of that minus the
    level of the whole clip. So a device can compute frame after frame and take the clip's level off at the end.

    All of it is defined to the bit: see ``_spectrum`` for the order of the operations.
    """

    kind: Literal["spectrogram"] = "spectrogram"
    frame: int = Field(default=256, ge=4, description="Length of a frame, in samples.")
    hop: int = Field(default=160, gt=0, description="From one frame's start to the next one's, in samples.")
    fft: int = Field(
        default=0,
        ge=0,
        validate_default=True,
        description="Points of the FFT, a power of two; 0: the next one from frame on.",
    )
    low: float = Field(default=60.0, ge=0, allow_inf_nan=False, description="Lower end of the first band, Hz.")
    high: float = Field(
        default=0.0, ge=0, validate_default=True, description="Upper end of the last band, Hz; 0: half of the rate."
    )
    mels: int = Field(default=40, gt=0, validate_default=True, description="Bands.")
    floor: float = Field(
        default=-60.0, allow_inf_nan=False, description="Lowest level, dB: against the clip's, or full scale's."
    )
    mean: float | None = Field(default=None, allow_inf_nan=False, description="Of levels, dB; None until fitted.")
    deviation: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Of levels, dB.")

    @field_validator("fft")
    @classmethod
    def _power_of_two(cls, value: int, info: ValidationInfo) -> int:
        frame = info.data.get("frame")
        if frame and value and (value < frame or value & (value - 1)):
            raise ValueError(f"a power of two, at least frame = {frame}, is expected, or 0")
        return value

    @field_validator("high")
    @classmethod
    def _above_low(cls, value: float, info: ValidationInfo) -> float:
        rate, low = info.data.get("rate"), info.data.get("low")
        if rate and low is not None and not low < (value or rate / 2) <= rate / 2:
            raise ValueError(f"above low = {low:g} Hz and at most {rate / 2:g}, half of the rate, is expected, or 0")
        return value

    @field_validator("mels")
    @classmethod
    def _no_empty_band(cls, value: int, info: ValidationInfo) -> int:
        known = info.data
        if {"rate", "frame", "fft", "low", "high"} <= set(known):
            points, rate = _points(known["fft"], known["frame"]), known["rate"]
            weights = _spectrum.mel_weights(value, points, rate, known["low"], known["high"] or rate / 2)
            if len(empty := np.flatnonzero(~weights.any(axis=1))):
                raise ValueError(
                    f"band {empty[0]} would be so narrow that no frequency of the FFT lies in it: {points} points are "
                    f"{rate / points:g} Hz apart. Take fewer mels, or fft = {2 * points}"
                )
        return value

    @property
    def points(self) -> int:
        """Of the FFT."""
        return _points(self.fft, self.frame)

    @property
    def top(self) -> float:
        """Upper end of the last band, Hz."""
        return self.high or self.rate / 2

    @property
    def weights(self) -> np.ndarray:
        """Of each frequency in each band, float32 ``[mels, points // 2 + 1]``."""
        return _spectrum.mel_weights(self.mels, self.points, self.rate, self.low, self.top)

    def frames(self, samples: int) -> int:
        """How many frames a clip of so many samples has; a clip shorter than a frame has one."""
        return 1 + max(0, samples - self.frame) // self.hop

    def fit(self, raw: np.ndarray) -> Self:
        """With the length of a clip, and the mean and deviation of all levels, filled in."""
        fitted = super().fit(raw)
        if self.mean is not None and self.deviation is not None:
            return fitted
        levels = fitted.levels(raw)
        deviation = float(levels.std(dtype=np.float64)) or 1.0
        # float32, so that the contract holds the very numbers that are used.
        update = {"mean": float(np.float32(levels.mean(dtype=np.float64))), "deviation": float(np.float32(deviation))}
        given = {name: value for name, value in update.items() if getattr(self, name) is None}
        return fitted.model_copy(update=given)

    def levels(self, raw: np.ndarray) -> np.ndarray:
        """Raw clips ``int16 [N, T, 1]`` to levels in dB, ``floor`` and above, float32 ``[N, frames, mels]``."""
        clips = self.checked(raw)
        reference = self.loudness(clips)
        result = np.empty((len(clips), self.frames(clips.shape[1]), self.mels), np.float32)
        for start in range(0, len(clips), _BLOCK):
            part = slice(start, start + _BLOCK)
            own = _spectrum.decibels(reference[part] * reference[part])[:, np.newaxis, np.newaxis]
            result[part] = np.maximum(self._band_levels(clips[part]) - own, np.float32(self.floor))
        return result

    def _band_levels(self, clips: np.ndarray) -> np.ndarray:
        """int16 ``[N, T]`` to levels against full scale, float32 ``[N, frames, mels]``."""
        count = self.frames(clips.shape[1])
        values = np.zeros((len(clips), max(clips.shape[1], self.frame)), np.float32)
        values[:, : clips.shape[1]] = clips.astype(np.float32) / np.float32(FULL_SCALE)
        windows = np.lib.stride_tricks.sliding_window_view(values, self.frame, axis=1)[:, :: self.hop][:, :count]
        frames = np.zeros((len(clips) * count, self.points), np.float32)
        frames[:, : self.frame] = windows.reshape(-1, self.frame) * _spectrum.hann(self.frame)
        energies = _spectrum.band_energies(_spectrum.power_spectrum(frames), self.weights)
        return _spectrum.decibels(np.maximum(energies, _LEAST)).reshape(len(clips), count, self.mels)

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw clips ``int16 [N, T, 1]`` to float32 values ``[N, frames, mels, 1]``."""
        centred = self.levels(raw) - np.float32(0.0 if self.mean is None else self.mean)
        values: np.ndarray = centred / np.float32(1.0 if self.deviation is None else self.deviation)
        return values[..., np.newaxis]


def _points(fft: int, frame: int) -> int:
    """``fft``, or the power of two from ``frame`` on."""
    return fft or 1 << (frame - 1).bit_length()
