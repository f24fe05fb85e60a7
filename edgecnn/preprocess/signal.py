"""Signals of one or many channels: motion, EEG, temperatures; each channel brought to mean 0 and deviation 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from edgecnn.errors import EdgecnnError
from edgecnn.preprocess.base import PreprocessKind

if TYPE_CHECKING:
    from typing_extensions import Self

Window = Literal["as_is", "centred", "detrended", "normalized"]
Real = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

LEAST_DEVIATION = np.float32(1e-6)
"""A channel that varies less within a window is divided by this instead: silence stays silent."""


class SignalPreprocess(PreprocessKind):
    """Windows of a signal to what the network takes: four steps, channel by channel, in float32.

    1. ``decimate``: the mean of so many successive samples takes their place; what is left over at the end is dropped.
       A low-pass filter and a lower rate in one.
    2. ``window``: what is done to each window by itself. ``centred`` takes its mean out (gravity, an electrode's
       offset), ``detrended`` the straight line of least squares, ``normalized`` its mean and then its root mean square.
    3. ``(value - mean) / deviation``, from all training samples after the steps before (``fit``), unless the recipe
       gives them.
    4. ``clip``: kept within minus and plus this many deviations, so that a few outliers do not use up the steps of an
       int8 input.

    Raw samples are float32 ``[N, T, C]``; the network's input is ``[N, T // decimate, C]``. Sums are taken in float32
    from the first sample to the last, so a loop on a device gives the same bits.
    """

    kind: Literal["signal"] = "signal"
    rate: int | None = Field(
        default=None, gt=0, description="Samples a second at which the sensor must be read, Hz: told to the device."
    )
    samples: int = Field(default=0, ge=0, description="Of a raw window; filled in from the training data.")
    decimate: int = Field(default=1, gt=0, description="So many samples become one, their mean.")
    window: Window = Field(default="as_is", description="What is taken out of each window by itself.")
    clip: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Largest value, in deviations.")
    mean: tuple[Real, ...] = Field(default=(), description="Of each channel; empty until it is fitted.")
    deviation: tuple[Positive, ...] = Field(default=(), description="Of each channel, above 0.")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if len(self.mean) != len(self.deviation):
            raise ValueError(
                f"mean has {len(self.mean)} values, deviation {len(self.deviation)}: one of each a channel, or neither"
            )
        return self

    def fit(self, raw: np.ndarray) -> Self:
        """With the length of a window, and mean and deviation of each channel; one that never changes has deviation 1.

        Raises:
            EdgecnnError: The samples are no windows of a signal, or shorter than ``decimate``.
        """
        shaped = self.model_copy(update={"samples": self.samples or int(raw.shape[1]) if raw.ndim == 3 else 0})
        if self.mean:
            return shaped
        values = shaped._window_by_window(raw).astype(np.float64).reshape(-1, raw.shape[-1])
        deviation = values.std(axis=0)
        deviation[deviation == 0] = 1.0
        # float32, so that the contract holds the very numbers that are used.
        found = {"mean": values.mean(axis=0), "deviation": deviation}
        return shaped.model_copy(
            update={name: tuple(float(np.float32(value)) for value in array) for name, array in found.items()}
        )

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw windows ``[N, T, C]`` to float32 ``[N, T // decimate, C]``.

        Raises:
            EdgecnnError: They have another length or another number of channels than those of the training.
        """
        values = self._window_by_window(raw)
        if len(self.mean) != values.shape[2]:
            raise EdgecnnError(
                f"preprocess.mean has {len(self.mean)} values, the signals have {values.shape[2]} channels. Give one "
                "for every channel, or none: then they come from the training samples."
            )
        values = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.deviation, np.float32)
        return values if self.clip is None else np.clip(values, np.float32(-self.clip), np.float32(self.clip))

    def _window_by_window(self, raw: np.ndarray) -> np.ndarray:
        """The steps that need no training data."""
        if raw.ndim != 3 or raw.dtype.kind not in "fiu":
            raise EdgecnnError(
                f"preprocess.kind = 'signal' is for windows of signals (float32 [N, T, C]); the data are {raw.dtype} "
                f"{list(raw.shape)}. Choose another data.set, or the kind that fits it."
            )
        if self.samples and raw.shape[1] != self.samples:
            at = f" at {self.rate} Hz" if self.rate else ""
            raise EdgecnnError(
                f"a window has {raw.shape[1]} samples, the network was trained on {self.samples}{at}. "
                "Set data.length to that."
            )
        if raw.shape[1] < self.decimate:
            raise EdgecnnError(
                f"preprocess.decimate = {self.decimate}: a window has {raw.shape[1]} samples only. Choose fewer, or a "
                "longer data.length."
            )
        values = decimated(raw.astype(np.float32), self.decimate)
        if self.window == "as_is":
            return values
        centred: np.ndarray = values - mean_over_time(values)[:, np.newaxis]
        if self.window == "detrended":
            straightened: np.ndarray = centred - trend(centred)
            return straightened
        if self.window == "normalized":
            size = np.sqrt(mean_over_time(centred * centred))[:, np.newaxis]
            centred = centred / np.maximum(size, LEAST_DEVIATION)
        return centred


def decimated(x: np.ndarray, factor: int) -> np.ndarray:
    """The mean of ``factor`` successive samples in place of them: float32 ``[N, T, C]`` to ``[N, T // factor, C]``."""
    if factor == 1:
        return x
    length = x.shape[1] // factor
    total = x[:, 0 : length * factor : factor]
    for phase in range(1, factor):
        total = total + x[:, phase : length * factor : factor]
    means: np.ndarray = total / np.float32(factor)
    return means


def mean_over_time(x: np.ndarray) -> np.ndarray:
    """float32 ``[N, T, C]`` to its mean ``[N, C]``.

    Not ``x.mean(axis=1)``: NumPy adds in pairs where that is faster, and rounds otherwise than a loop.
    """
    total = np.zeros_like(x[:, 0])
    for step in range(x.shape[1]):
        total += x[:, step]
    mean: np.ndarray = total / np.float32(x.shape[1])
    return mean


def trend(x: np.ndarray) -> np.ndarray:
    """The straight line of least squares through each window of mean 0, float32 ``[N, T, C]``, same shape.

    Its slope is ``sum(t x[t]) / sum(t^2)``, with ``t`` counted from the middle of the window; ``sum(t^2)`` is
    ``T (T^2 - 1) / 12``.
    """
    length = x.shape[1]
    if length < 2:
        return np.zeros_like(x)
    time = np.arange(length, dtype=np.float32) - np.float32((length - 1) / 2)    # halves: exact
    total = np.zeros_like(x[:, 0])
    for step in range(length):
        total += time[step] * x[:, step]
    slope = total / np.float32(length * (length**2 - 1) / 12)
    line: np.ndarray = time[:, np.newaxis] * slope[:, np.newaxis]
    return line
