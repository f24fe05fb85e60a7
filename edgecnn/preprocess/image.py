"""Images: what happens to a pixel between the sensor and the network's first layer."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from edgecnn.preprocess.base import PreprocessKind


class ImagePreprocess(PreprocessKind):
    """``value = pixel * scale + offset``, in float32, for every pixel of every channel.

    Raw samples are ``uint8`` images ``[N, H, W, C]`` or clips ``[N, frames, H, W, C]``; the network's float input has
    the same shape. On the device the two constants fold into the quantized input: with ``scale = 1/255`` the int8 input
    is simply ``pixel - 128``.
    """

    kind: Literal["image"] = "image"
    scale: float = Field(default=1 / 255, gt=0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw ``uint8`` pixels to the float32 values that the network was trained on, same shape."""
        values: np.ndarray = raw.astype(np.float32)    # in place from here on: half the time, the same bits
        values *= np.float32(self.scale)
        values += np.float32(self.offset)
        return values
