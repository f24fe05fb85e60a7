"""What every kind of preprocessing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from typing_extensions import Self


class PreprocessKind(BaseModel):
    """Parameters as fields, arithmetic as ``apply``. Frozen, strict about unknown keys, written to JSON as it is.

    A kind has a field ``kind``, a ``Literal`` with its name, which tells it from the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str

    def fit(self, raw: np.ndarray) -> Self:
        """With parameters that depend on the data filled in, such as a vocabulary; others return themselves.

        Args:
            raw: Raw training samples ``[N, ...]``; never others.

        Raises:
            EdgecnnError: The samples are not of the kind that this preprocessing is for.
        """
        del raw
        return self

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Raw samples ``[N, ...]`` to what the network takes, float32 or (ids) int32 ``[N, ...]``."""
        raise NotImplementedError

    def sample_shape(self, raw: np.ndarray) -> tuple[int, ...]:
        """Shape of one sample as the network takes it, without the batch.

        Args:
            raw: Raw samples; the first is looked at.
        """
        return tuple(self.apply(raw[:1]).shape[1:])
