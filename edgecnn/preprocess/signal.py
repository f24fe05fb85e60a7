"""Signals of one or many channels: motion, EEG, temperatures; each channel brought to mean 0 and deviation 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from edgecnn.preprocess.base import PreprocessKind

if TYPE_CHECKING:
    from typing_extensions import Self


class SignalPreprocess(PreprocessKind):
    """``value = (sample - mean[channel]) / deviation[channel]``, in float32.

    Raw samples are windows ``[N, T, C]``; the network's float input has the same shape. Mean and deviation come from
    the training samples (``fit``), unless the recipe gives them. On the device they fold into the quantized input.
    """

    kind: Literal["signal"] = "signal"
    mean: tuple[float, ...] = Field(default=(), description="Of each channel; empty until it is fitted.")
    deviation: tuple[float, ...] = Field(default=(), description="Of each channel, above 0.")

    def fit(self, raw: np.ndarray) -> Self:
        """With mean and deviation of each channel; a channel that never changes gets the deviation 1."""
        if self.mean:
            return self
        flat = raw.reshape(-1, raw.shape[-1]).astype(np.float64)
        deviation = flat.std(axis=0)
        deviation[deviation == 0] = 1.0
        # float32, so that the contract holds the very numbers that are used.
        values = {"mean": flat.mean(axis=0), "deviation": deviation}
        return self.model_copy(
            update={name: tuple(float(np.float32(value)) for value in array) for name, array in values.items()}
        )

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw windows ``[N, T, C]`` to float32 values of the same shape."""
        centred = raw.astype(np.float32) - np.asarray(self.mean, np.float32)
        values: np.ndarray = centred / np.asarray(self.deviation, np.float32)
        return values
