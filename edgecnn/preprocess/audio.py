"""Recordings as waveforms: samples of 16 bits to real values, loud and quiet clips made alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.preprocess.base import PreprocessKind

if TYPE_CHECKING:
    from typing_extensions import Self

Loudness = Literal["none", "rms", "peak"]

FULL_SCALE = 32768.0
"""Of 16 bits: what stands for 1."""


class AudioKind(PreprocessKind):
    """What waveforms and spectrograms of recordings have in common.

    Raw samples are ``int16 [N, T, 1]``: one channel, ``T`` samples at ``rate``.
    """

    rate: int = Field(gt=0, description="Samples a second at which the microphone must be read, Hz.")
    samples: int = Field(default=0, ge=0, description="Of a clip; filled in from the training data.")
    normalize: Loudness = Field(
        default="rms", description="A clip's loudness is taken out of it: by root mean square, by peak, or not."
    )
    quietest: float = Field(
        default=1 / FULL_SCALE,
        ge=1e-6,
        le=1,
        description="Clips below this loudness, as a fraction of full scale, are amplified no further.",
    )

    def fit(self, raw: np.ndarray) -> Self:
        """With the length of a clip filled in."""
        _require_clips(raw, self.kind)
        return self if self.samples else self.model_copy(update={"samples": int(raw.shape[1])})

    def check_rate(self, rate: int | None) -> None:
        """Refuse recordings at another rate than the microphone will have: every frequency would be another one.

        Args:
            rate: Of a data set's recordings, Hz; None where they are none.

        Raises:
            UsageError: It differs.
        """
        if rate is not None and rate != self.rate:
            raise UsageError(
                f"the recordings have {rate} Hz, preprocess.rate is {self.rate} Hz. To resample them: --set "
                f"data.rate={self.rate}. Where the microphone has {rate} Hz too: --set preprocess.rate={rate}"
            )

    def checked(self, raw: np.ndarray) -> np.ndarray:
        """The clips as ``int16 [N, T]``.

        Raises:
            EdgecnnError: They are no clips, or of another length than those of the training.
        """
        _require_clips(raw, self.kind)
        if self.samples and raw.shape[1] != self.samples:
            raise EdgecnnError(
                f"a clip has {raw.shape[1]} samples, the network was trained on {self.samples} ({self.rate} Hz). Cut "
                f"or pad it: --set data.rate={self.rate} --set data.length={self.samples / self.rate:g}"
            )
        return raw[:, :, 0]

    def loudness(self, clips: np.ndarray) -> np.ndarray:
        """Of each clip, at least ``quietest``; 1 where it is not taken out.

        Squares are summed in integers, which no order of summation changes.

        Args:
            clips: int16 ``[N, T]``.

        Returns:
            float32 ``[N]``, as a fraction of full scale.
        """
        wide = clips.astype(np.int32)
        if self.normalize == "rms":
            mean = (wide * wide).sum(axis=1, dtype=np.int64).astype(np.float32) / np.float32(clips.shape[1])
            level = np.sqrt(mean) / np.float32(FULL_SCALE)
        elif self.normalize == "peak":
            level = np.abs(wide).max(axis=1).astype(np.float32) / np.float32(FULL_SCALE)
        else:
            return np.ones(len(clips), np.float32)
        bounded: np.ndarray = np.maximum(level, np.float32(self.quietest))
        return bounded


def _require_clips(raw: np.ndarray, kind: str) -> None:
    if raw.ndim != 3 or raw.shape[2] != 1 or raw.dtype != np.int16:
        raise EdgecnnError(
            f"preprocess.kind = {kind!r} is for recordings (int16 [N, T, 1]); the data are {raw.dtype} "
            f"{list(raw.shape)}. Choose another data.set, or the kind that fits it."
        )


class AudioPreprocess(AudioKind):
    """``value[t] = v[t] - emphasis * v[t - 1]``, kept within -1 to 1, with ``v = sample * gain``; float32.

    ``gain = level / loudness / 32768`` of the clip; with ``normalize = "none"`` the loudness counts as 1, and before
    the first sample there is silence. Emphasis of high frequencies (Young and others 2006, The HTK Book 3.4, section
    5.2) makes up for the fall of speech towards them, where consonants differ. What lies beyond -1 to 1 is cut, so that
    a few loud samples do not use up the steps of an int8 input.
    """

    kind: Literal["audio"] = "audio"
    level: float = Field(default=0.2, gt=0, le=1, description="Loudness that every clip is brought to, of full scale.")
    emphasis: float = Field(default=0.0, ge=0, le=1, description="How much of each value is taken off the next one.")

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw clips ``int16 [N, T, 1]`` to float32 values from -1 to 1, same shape."""
        clips = self.checked(raw)
        gain = np.float32(self.level) / self.loudness(clips) / np.float32(FULL_SCALE)
        values = clips.astype(np.float32) * gain[:, np.newaxis]
        if self.emphasis:
            values[:, 1:] = values[:, 1:] - np.float32(self.emphasis) * values[:, :-1]
        bounded: np.ndarray = np.clip(values, -1, 1)[:, :, np.newaxis]
        return bounded
