"""A paragraph on an analysis: which layer loses most, why, and what would help.

A cause is looked for in the figures of a layer, in the order of ``_CAUSES``; the first that applies is told. Where none
does, the layer is as good as eight bits allow, and only training or more bits help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.formats import percent
from edgecnn.quantization.records import Analysis, LayerRecord

STANDS_OUT_DB = 6.0
"""A layer stands out when it is so far below the median one: four times the noise."""

_COMPARABLE_DB = 3.0     # a layer that close to the worst one is named beside it
_NAMED = 3               # layers, at most
_SOUND_DB = 30.0         # at which the output of one layer is no reason to do anything
_CLIPPED = 1e-3
_STRETCHED = 4.0         # two of eight bits are spent on one value in a thousand
_UNEQUAL = 16.0          # ranges of channels, widest to median: four of eight bits are left
_FEW_CODES = 0.25
_LOST = 0.005            # half a point of accuracy: the budget that most recipes have

_COMMAND = "edgecnn quantize RUN"


@dataclass(frozen=True)
class Cause:
    """Why a layer loses.

    Attributes:
        why: A clause that follows the layer's name: ``its range ...``.
        remedy: A sentence on what would help.
    """

    why: str
    remedy: str


def advice(analysis: Analysis) -> str:
    """The paragraph, plain text of a few sentences."""
    sentences = [_outcome(analysis)]
    named = worst_layers(analysis)
    if not named:
        return " ".join([*sentences, "No layer loses anything."])
    sentences.append(_worst(analysis, named[0]))
    remedies = []
    for place, layer in enumerate(named):
        cause = cause_of(layer, analysis)
        sentences.append(f"There {cause.why}." if place == 0 else f"In {layer.name}, {cause.why}.")
        remedies.append(cause.remedy)
    if analysis.norms and not any(remedy == _FOLD for remedy in remedies):
        sentences.append(f"{_listed(analysis.norms)} are a batch norm after an activation, and round once more.")
        remedies.append(_FOLD)
    lost = is_lost(analysis)
    sentences.append("What would help:" if lost else "Nothing has to be mended; if more is wanted:")
    sentences += dict.fromkeys(remedies)
    if lost:
        sentences.append(f"{_COMMAND} --auto tries all of it in turn and stops where the loss is allowed.")
    return " ".join(sentences)


def worst_layers(analysis: Analysis) -> list[LayerRecord]:
    """The layer that loses most, and those that lose nearly as much for a reason of their own."""
    ranked = [analysis.layer(name) for name in analysis.ranking]
    if not ranked:
        return []
    first = figure(ranked[0], analysis)
    near = [
        layer
        for layer in ranked[1:]
        if figure(layer, analysis) < first + _COMPARABLE_DB and _specific(layer, analysis) is not None
    ]
    return [ranked[0], *near][:_NAMED]


def figure(layer: LayerRecord, analysis: Analysis) -> float:
    """What the layer is ranked by, in dB."""
    found = layer.output_sqnr_db if analysis.ranked_by == "sensitivity" else layer.score
    assert found is not None    # the ranking has none without
    return found


def is_lost(analysis: Analysis) -> bool:
    """Whether there is something to mend: accuracy, or where none is known, the output."""
    if analysis.accuracy is not None:
        return analysis.accuracy.drop > _LOST
    return analysis.output_sqnr_db is not None and analysis.output_sqnr_db < _SOUND_DB


def cause_of(layer: LayerRecord, analysis: Analysis) -> Cause:
    """Why a layer loses what it loses."""
    trains = f"{_COMMAND} --qat EPOCHS trains with the rounding in place; --scheme int16x8 gives activations 16 bits."
    more_bits = f"{_COMMAND} --scheme int16x8 gives the input 16 bits."
    return _specific(layer, analysis) or Cause(
        "nothing is wrong with the range: it is filled, nothing is clipped and its channels are alike",
        more_bits if layer.op == "INPUT" else trains,
    )


def _specific(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    return next((cause for look in _CAUSES if (cause := look(layer, analysis)) is not None), None)


def _outcome(analysis: Analysis) -> str:
    found, ratio = analysis.accuracy, _db(analysis.output_sqnr_db)
    if found is None:
        return f"The output in {analysis.dtype} is {ratio} above its error."
    drop, low, high = map(_points, (found.drop, found.drop_low, found.drop_high))
    return (
        f"Float is right on {percent(found.before)} of {found.samples} samples, {analysis.dtype} on "
        f"{percent(found.after)}: a drop of {drop} points ({low} to {high} with 95 % confidence)."
    )


def _worst(analysis: Analysis, layer: LayerRecord) -> str:
    found = figure(layer, analysis)
    others = [figure(analysis.layer(name), analysis) for name in analysis.ranking[1:]]
    how = (
        f"with nothing else quantized, the network's output is {_db(found)} above its error"
        if analysis.ranked_by == "sensitivity"
        else f"with exact inputs, its output is {_db(found)} above its error"
    )
    if not others:
        return f"The layer that loses is {layer.name}: {how}."
    middle = float(np.median(others))
    beside = f"the median of the others is {_db(middle)}"
    if found > middle - STANDS_OUT_DB:
        return f"No layer stands out; {layer.name} loses most: {how}, {beside}."
    return f"The layer that loses most is {layer.name}: {how}, {beside}."


# Causes. Each gives a clause on the layer and a sentence on the remedy, or None where it does not apply.

_FOLD = (
    "A batch norm before its activation goes into the convolution; after it, only "
    f"{_COMMAND} --qat EPOCHS or --scheme int16x8 takes its rounding away."
)


def _norm(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    if layer.name not in analysis.norms:
        return None
    return Cause("a batch norm stands after the activation as nodes of its own, and rounds the values once more", _FOLD)


def _fixed(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    del analysis
    if not layer.fixed:
        return None
    return Cause(
        f"the scale is fixed by {layer.op}: steps of {layer.step:.4g}, however small the values are",
        "Where only the largest output counts, the layer before it tells the class as well; with --scheme int16x8 the "
        "steps are 128 times finer.",
    )


def _clipped(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    del analysis
    if layer.clipped < _CLIPPED:
        return None
    return Cause(
        f"{percent(layer.clipped)} of the values lie outside the range {_span(layer.range_low, layer.range_high)} and "
        "are clipped",
        f"{_COMMAND} --calibration N with more samples that resemble the device's, or --ranges auto.",
    )


_CENTRE = "With values around 0 (the mean subtracted in the preprocessing, or batch norm) nothing of that is lost."


def _off_zero(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    """All values on one side of 0 and far from it: most of the range lies between 0 and them."""
    del analysis
    if not layer.off_zero:
        return None
    return Cause(
        f"the values, {_span(layer.bulk_low, layer.bulk_high)}, are far from 0, which a range must hold: only "
        f"{percent(layer.codes, 0)} of the {_codes(layer)} codes occur",
        _CENTRE,
    )


def _fed_off_zero(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    """What weights are rounded by is multiplied with the inputs: those far from 0 make an offset of it."""
    if layer.weights is None or layer.source is None:
        return None
    source = analysis.layer(layer.source)
    if not source.off_zero:
        return None
    return Cause(
        f"the inputs ({source.name}: {_span(source.bulk_low, source.bulk_high)}) are far from 0, so what the weights "
        "are rounded by adds up to an offset, and few codes tell the inputs apart",
        f"{_COMMAND} --repair corrects the bias by that offset. {_CENTRE}",
    )


def _shared(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    """A pooling has the range of what it averages, and averages are smaller."""
    del analysis
    if layer.op != "AVERAGE_POOL_2D" or layer.stretch < 2:
        return None
    return Cause(
        f"AVERAGE_POOL_2D writes at the scale of its input, {_span(layer.range_low, layer.range_high)}, though 99.9 % "
        f"of the averages lie in {_span(layer.bulk_low, layer.bulk_high)}",
        "Global average pooling (MEAN in the file) has a range of its own; in this file only --scheme int16x8 makes "
        "the steps finer.",
    )


def _unequal(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    del analysis
    if layer.op == "INPUT" or layer.channel_ratio is None or layer.channel_ratio < _UNEQUAL:
        return None
    return Cause(
        f"channel {layer.widest_channel} is {layer.channel_ratio:.0f} times as wide as the median one, and one scale "
        f"serves them all: {layer.narrow_channels} of {layer.channels} channels get less than 1/16 of the range",
        f"{_COMMAND} --repair equalizes the channels across layers, which changes nothing in float.",
    )


def _tail(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    del analysis
    if layer.stretch < _STRETCHED:
        return None
    bits = int(np.log2(min(layer.stretch, 256.0)))
    return Cause(
        f"the range {_span(layer.range_low, layer.range_high)} is {layer.stretch:.1f} times as wide as 99.9 % of the "
        f"values need ({_span(min(layer.bulk_low, 0.0), max(layer.bulk_high, 0.0))}): a heavy tail takes {bits} of "
        f"{_bits(layer)} bits",
        f"{_COMMAND} --ranges mse (or percentile, or auto) clips the tail for finer steps.",
    )


def _weights(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    del analysis
    weights = layer.weights
    if weights is None or weights.per_channel or weights.range_ratio < _UNEQUAL:
        return None
    remedy = (
        f"{_COMMAND} --repair equalizes them with the layer before; --qat EPOCHS trains them to fit."
        if layer.op == "FULLY_CONNECTED"
        else f"{_COMMAND} without --per-tensor gives each channel a scale of its own."
    )
    return Cause(
        f"the weights have one scale for {weights.channels} channels, whose ranges differ by a factor of "
        f"{weights.range_ratio:.0f}; channel {weights.worst_channel} keeps {_db(weights.worst_channel_sqnr_db)}",
        remedy,
    )


def _few(layer: LayerRecord, analysis: Analysis) -> Cause | None:
    del analysis
    enough = sum(layer.histogram.counts) >= 10 * 256    # values, for the codes that occur to mean something
    if layer.codes >= _FEW_CODES or layer.dtype != "int8" or not enough:
        return None
    return Cause(
        f"only {percent(layer.codes, 0)} of the 256 codes occur: the range {_span(layer.range_low, layer.range_high)} "
        f"is wider than these samples need, {_span(layer.seen_low, layer.seen_high)}",
        f"{_COMMAND} --ranges mse sets it anew.",
    )


_CAUSES: Sequence[Callable[[LayerRecord, Analysis], Cause | None]] = (
    _norm, _fixed, _off_zero, _fed_off_zero, _shared, _clipped, _unequal, _tail, _weights, _few,
)    # fmt: skip


def _points(share: float) -> str:
    return ("0.00" if abs(share) < 5e-5 else f"{share * 100:+.2f}").replace("-", "−")


def _span(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}".replace("-", "−")


def _db(value: float | None) -> str:
    return "no signal" if value is None else f"{value:.1f} dB".replace("-", "−")


def _bits(layer: LayerRecord) -> int:
    return 16 if layer.dtype == "int16" else 8


def _codes(layer: LayerRecord) -> int:
    return 1 << _bits(layer)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
