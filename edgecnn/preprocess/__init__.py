"""What is done to a raw sample before the network sees it: written once, read by Python and by the C export.

A kind is one file with one frozen pydantic model: its fields are the parameters in ``recipe.toml`` and in the
contract, its ``apply`` is the arithmetic. To add a kind: one file, one name in ``_Kinds`` and in ``KINDS``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from edgecnn.preprocess.audio import AudioPreprocess
from edgecnn.preprocess.base import PreprocessKind
from edgecnn.preprocess.image import ImagePreprocess
from edgecnn.preprocess.signal import SignalPreprocess
from edgecnn.preprocess.spectrogram import SpectrogramPreprocess
from edgecnn.preprocess.text import TextPreprocess

KINDS: dict[str, type[PreprocessKind]] = {
    "audio": AudioPreprocess,
    "image": ImagePreprocess,
    "signal": SignalPreprocess,
    "spectrogram": SpectrogramPreprocess,
    "text": TextPreprocess,
}
"""``preprocess.kind`` to its model."""

_Kinds = Annotated[
    AudioPreprocess | ImagePreprocess | SignalPreprocess | SpectrogramPreprocess | TextPreprocess,
    Field(discriminator="kind"),
]


def _image_by_default(value: Any) -> Any:
    """A ``[preprocess]`` without a ``kind`` is that of an image."""
    return {"kind": "image", **value} if isinstance(value, dict) else value


Preprocess = Annotated[_Kinds, BeforeValidator(_image_by_default)]

__all__ = [
    "KINDS",
    "AudioPreprocess",
    "ImagePreprocess",
    "Preprocess",
    "PreprocessKind",
    "SignalPreprocess",
    "SpectrogramPreprocess",
    "TextPreprocess",
]
