"""What is done to a raw sample before the network sees it: written once, read by Python and by the C export.

A kind is one file with one frozen pydantic model: its fields are the parameters in ``recipe.toml`` and in the
contract, its ``apply`` is the arithmetic. To add a kind: one file, one name in ``Preprocess``.
"""

from __future__ import annotations

from edgecnn.preprocess.image import ImagePreprocess

Preprocess = ImagePreprocess

__all__ = ["ImagePreprocess", "Preprocess"]
