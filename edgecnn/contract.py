"""The preprocessing contract: what the device must do to a sample, and what the numbers that come out mean.

Training writes it once. It travels inside the ``.tflite`` as a metadata buffer (``METADATA_NAME``, UTF-8 JSON) and
beside it as ``contract.json``; ``evaluate`` and ``bench`` read it from the file, not from the recipe, so what is
measured is what the device will do.
"""

from __future__ import annotations

import json
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecnn.errors import EdgecnnError
from edgecnn.preprocess import Preprocess
from edgecnn.tasks import Task

METADATA_NAME = "EDGECNN_CONTRACT"
SCHEMA_VERSION: Final = 1


class TensorContract(BaseModel):
    """One end of the network. ``real = (q - zero_point) * scale`` for integer types; float tensors have neither."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: tuple[int, ...] = Field(description="Batch first; the batch is 1.")
    dtype: Literal["float32", "int8", "uint8", "int16", "int32"]
    scale: float | None = None
    zero_point: int | None = None

    def quantize(self, real: np.ndarray) -> np.ndarray:
        """Real values to this tensor's own type: round half away from zero, then clamp.

        That is what QUANTIZE does in TFLite Micro and in TFLite's reference kernels (``TfLiteRound`` in
        ``reference_ops/quantize.h``), so what is measured here is what a device computes. XNNPACK rounds half to even.
        Ties do occur: a pixel scaled to -1 to 1 lies half-way between two int8 steps of 2/255, up to the last bit of
        float32.
        """
        if self.scale is None or self.zero_point is None:
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = real.astype(np.float32) / np.float32(self.scale)
        whole = np.trunc(steps)
        rounded = whole + np.copysign(np.abs(steps - whole) >= 0.5, steps)
        clamped: np.ndarray = np.clip(rounded + self.zero_point, limits.min, limits.max).astype(self.dtype)
        return clamped

    def dequantize(self, values: np.ndarray) -> np.ndarray:
        """This tensor's own type to the real values that it stands for, float32."""
        if self.scale is None or self.zero_point is None:
            return values.astype(np.float32)
        real: np.ndarray = (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)
        return real


class Contract(BaseModel):
    """Everything that a program needs to turn a raw sample into a label with one model file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    task: Task = "classification"
    labels: tuple[str, ...]
    preprocess: Preprocess
    input: TensorContract
    output: TensorContract
    data_set: str | None = Field(default=None, description="The data set that the model was trained on.")

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Raw samples ``[N, ...]`` to network inputs ``[N, ...]`` of the input's type."""
        return self.input.quantize(self.preprocess.apply(raw))

    def to_json(self) -> str:
        """The text that is stored: indented, keys in a fixed order."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def parse_contract(text: str | bytes, where: str) -> Contract:
    """Read a contract.

    Raises:
        EdgecnnError: It is not JSON, or not a contract of a version that is understood.
    """
    try:
        return Contract.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the text"
        raise EdgecnnError(
            f"{where}: the contract cannot be read: {place}: {first['msg']}. "
            f"Supported: schema_version {SCHEMA_VERSION}. Quantize the model again with this version of edgecnn."
        ) from error
