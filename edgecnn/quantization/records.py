"""What an analysis of a quantized network found, as a document: terminal, JSON and report are made from it.

Ratios of signal and noise are in dB: ``10 log10(variance of the float values / mean squared error)``. The variance and
not the mean square, because an offset that all values share carries nothing and would make the ratio look better.
``EXACT_DB`` stands where there was no error at all, None where there was no signal: a value that never changes.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

EXACT_DB: Final = 150.0
"""The ratio where nothing differs, and the largest that is told."""

SCHEMA_VERSION: Final = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Histogram(_Record):
    """How often which values occur: bins of one width from ``low`` on."""

    low: float
    width: float = Field(description="Of a bin.")
    counts: list[int]


class WeightRecord(_Record):
    """The weights of a layer, float against int8."""

    sqnr_db: float | None
    worst_channel: int = Field(description="Output channel with the lowest ratio.")
    worst_channel_sqnr_db: float | None
    channels: int
    per_channel: bool = Field(description="Whether each output channel has a scale of its own.")
    range_ratio: float = Field(description="Largest magnitude in the widest output channel to that in the narrowest.")
    limit: float = Field(description="Largest magnitude that the widest scale holds: 127 steps.")
    histogram: Histogram


class LayerRecord(_Record):
    """An activation of the network and the node that computes it; of the network's input, no node."""

    name: str = Field(description="Layer and operator, unique.")
    op: str = Field(description="TFLite's operator; INPUT for the network's input.")
    node: int | None = Field(description="Index in the quantized file.")
    source: str | None = Field(description="Layer that it is computed from, the first of several.")
    shape: tuple[int, ...]
    dtype: str
    # Float against quantized, in the network as it runs: with what the layers before it have lost.
    sqnr_db: float | None
    cosine: float | None = Field(description="Between float and quantized values; None where one is zero throughout.")
    largest_error: float
    largest_error_steps: float
    # What this layer adds: its weights rounded, its output rounded and clipped, its inputs exact.
    own_sqnr_db: float | None
    own_channel_sqnr_db: float | None = Field(
        description="Mean of the ratios of its channels, each with its own variance: a channel that all but vanishes "
        "beside a wide one counts as much as that one."
    )
    # Only this layer quantized.
    output_sqnr_db: float | None = Field(default=None, description="Of the network's output then.")
    accuracy_drop: float | None = Field(default=None, description="Accuracy lost then.")
    # How the values lie in the range.
    step: float = Field(description="Scale of the output.")
    range_low: float = Field(description="Smallest value that the scale holds.")
    range_high: float
    fixed: bool = Field(description="The operator fixes the scale.")
    seen_low: float = Field(description="Smallest float value.")
    seen_high: float
    bulk_low: float = Field(description="All but 1 of 2,000 float values lie above.")
    bulk_high: float = Field(description="All but 1 of 2,000 float values lie below.")
    clipped: float = Field(description="Share of float values more than one step outside the range.")
    codes: float = Field(description="Share of the scale's integers that occurred.")
    channels: int
    widest_channel: int
    channel_ratio: float | None = Field(description="Range of the widest channel to the median one's.")
    narrow_channels: int = Field(description="Channels, not constant, that have less than 1/16 of the range: 4 bits.")
    histogram: Histogram = Field(description="Of the float values.")
    weights: WeightRecord | None = None

    @property
    def score(self) -> float | None:
        """What its own rounding costs, as layers are compared: the worse of the two own ratios."""
        found = [value for value in (self.own_sqnr_db, self.own_channel_sqnr_db) if value is not None]
        return min(found, default=None)

    @property
    def off_zero(self) -> bool:
        """Whether all values lie on one side of 0, at a distance of twice what they differ by or more."""
        width = self.bulk_high - self.bulk_low
        return 0 < 2 * width <= max(self.bulk_low, -self.bulk_high)

    @property
    def stretch(self) -> float:
        """How many times wider the range is than what 99.9 % of the values need; 0 is always in a range."""
        bulk = max(self.bulk_high, 0.0) - min(self.bulk_low, 0.0)
        return (self.range_high - self.range_low) / bulk if bulk > 0 else math.inf


class ClassChange(_Record):
    """How well one class is found in float and quantized."""

    label: str
    support: int = Field(description="True samples of the class; for segmentation, pixels.")
    before: float | None = Field(description="Recall in float.")
    after: float | None = Field(description="Recall quantized.")


class Flip(_Record):
    """A sample that the quantized network decides differently."""

    index: int = Field(description="In the samples that were analysed.")
    truth: str
    before: str = Field(description="Class by the float network.")
    after: str = Field(description="Class by the quantized one.")
    before_score: float = Field(description="What the float network gives its class.")
    after_score: float = Field(description="What the quantized network gives its class.")


class AccuracyChange(_Record):
    """Decisions of both networks on the same samples."""

    samples: int
    before: float
    after: float
    drop: float
    drop_low: float = Field(description="95 % interval of paired samples.")
    drop_high: float
    agreement: float = Field(description="Share of same decisions; for segmentation, of pixels.")
    classes: list[ClassChange]
    flips: list[Flip] = Field(description="In the order of the samples; none for segmentation.")


class Analysis(_Record):
    """What quantization cost, layer by layer."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    float_file: str
    quantized_file: str
    dtype: str = Field(description="Of the activations: int8 or int16.")
    samples: int = Field(description="On which the layers were compared.")
    output_sqnr_db: float | None = Field(description="Of the network's output.")
    layers: list[LayerRecord] = Field(description="In the order in which they run.")
    ranking: list[str] = Field(description="Names of layers, the one that loses most first.")
    ranked_by: Literal["sensitivity", "own"] = Field(
        description="sensitivity: the network's output with only that layer quantized. own: what the layer adds."
    )
    norms: list[str] = Field(description="Layers that are halves of a batch norm which no convolution took in.")
    accuracy: AccuracyChange | None = None
    remarks: list[str] = Field(description="What could not be measured, and what was assumed.")
    advice: str

    def layer(self, name: str) -> LayerRecord:
        """The record of a layer by its name."""
        return next(one for one in self.layers if one.name == name)

    def to_json(self) -> str:
        """As it is stored."""
        return self.model_dump_json(indent=2) + "\n"


def decibels(signal: float, noise: float) -> float | None:
    """``10 log10(signal / noise)``, at most ``EXACT_DB``; None without a signal."""
    if signal <= 0:
        return None
    if noise <= 0:
        return EXACT_DB
    return min(EXACT_DB, 10 * (math.log10(signal) - math.log10(noise)))
