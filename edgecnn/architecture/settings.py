"""The sizes that stand beside a notation in ``[model]``: one value for all layers of a kind, or one for each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

Padding = Literal["same", "valid"]


def _one_or_more(value: object) -> object:
    """A single value is a list of one, which holds for every layer."""
    return value if isinstance(value, (list, tuple)) else (value,)


_LIST, _FROM_ONE = Field(strict=False, min_length=1), BeforeValidator(_one_or_more)
Counts = Annotated[tuple[Annotated[int, Field(gt=0, le=65_536)], ...], _LIST, _FROM_ONE]
Sides = Annotated[tuple[Annotated[int, Field(gt=0, le=1_024)], ...], _LIST, _FROM_ONE]
Shares = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], _LIST, _FROM_ONE]
Paddings = Annotated[tuple[Padding, ...], _LIST, _FROM_ONE]


class ArchitectureSettings(BaseModel):
    """Fields of ``[model]`` that belong to ``architecture``; None where the recipe does not say.

    A list has one value for each layer of the kind, in the order of the network, repetitions written out.
    """

    filters: Counts | None = Field(default=None, description="Maps of each C and S.")
    kernels: Sides | None = Field(default=None, description="Side of the window of each C and S; by default 3.")
    strides: Sides | None = Field(default=None, description="Stride of each C and S; by default 1.")
    padding: Paddings | None = Field(default=None, description="'same' or 'valid' for each C and S; by default same.")
    pool: Sides | None = Field(default=None, description="Window and stride of each P and A; by default 2.")
    dense: Counts | None = Field(default=None, description="Units of each F but the last, whose units are the classes.")
    dropout: Shares | None = Field(default=None, description="Share that each D drops; by default 0.5.")
