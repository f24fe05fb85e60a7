"""Which range an activation gets, from what was seen of it on training samples.

=============  ========================================================================================================
``minmax``     the smallest and the largest value: nothing is clipped, and one outlier makes every step larger
``percentile`` all but 1 of 10,000 values on either side
``trimmed``    all but 1 of 100: where not a few values but a few whole samples are far off, which also rule the squares
``mse``        the range with the least expected squared error: a value inside costs step²/12, one outside its distance
               (Choukroun, Kravchik, Yang and Kisilev 2019, *Low-bit quantization of neural networks for efficient
               inference*, section 4)
=============  ========================================================================================================

``choose`` takes for every group of activations the one with which the whole network errs least on samples that set no
range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from edgecnn.quantization.observe import Observation
from edgecnn.quantization.pair import Pair
from edgecnn.quantization.requantize import Range, groups_of

Method = Literal["minmax", "percentile", "trimmed", "mse"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "trimmed", "mse")

TAILS: dict[Method, float] = {"percentile": 1e-4, "trimmed": 1e-2}
"""Share of values that a method leaves outside on either side."""

_SHARES = np.linspace(0.05, 1, 96)
"""Parts of the seen range that ``mse`` tries as limits."""


def ranges_by(method: Method, pair: Pair, observed: Mapping[int, Observation]) -> dict[int, Range]:
    """A range for every group that may have one.

    Args:
        method: How.
        pair: The two graphs.
        observed: By tensor of the float graph; every activation that is quantized.
    """
    members: dict[int, set[int]] = {}
    for index, group in groups_of(pair).items():
        members.setdefault(group, set()).add(pair.twin[index])
    found = {}
    for group, twins in members.items():
        seen = [observed[index] for index in sorted(twins)]
        whole = Range(min(0.0, *(one.low for one in seen)), max(0.0, *(one.high for one in seen)))
        if method in TAILS:
            found[group] = _percentile(seen, whole, TAILS[method])
        elif method == "mse":
            found[group] = _least_error(seen, whole, symmetric=pair.quantized.tensors[group].dtype == "int16")
        else:
            found[group] = whole
    return found


def _percentile(seen: Sequence[Observation], whole: Range, tail: float) -> Range:
    centres, counts = _merged(seen)
    share = np.cumsum(counts) / counts.sum()
    last = len(centres) - 1
    low, high = (centres[min(int(np.searchsorted(share, at)), last)] for at in (tail, 1 - tail))
    return Range(max(whole.low, min(float(low), 0.0)), min(whole.high, max(float(high), 0.0)))


def _least_error(seen: Sequence[Observation], whole: Range, symmetric: bool) -> Range:
    centres, counts = _merged(seen)
    lows = whole.low * _SHARES if whole.low < 0 else np.zeros(1)
    highs = whole.high * _SHARES if whole.high > 0 else np.zeros(1)
    below = np.array([(counts * np.square(np.minimum(centres - low, 0))).sum() for low in lows])
    above = np.array([(counts * np.square(np.maximum(centres - high, 0))).sum() for high in highs])
    best, least = whole, np.inf
    for low, outside in zip(lows, below, strict=True):
        steps = 2 * np.maximum(highs, -low) / 65534 if symmetric else (highs - low) / 255
        errors = outside + above + counts.sum() * np.square(steps) / 12
        place = int(np.argmin(errors))
        if errors[place] < least:
            best, least = Range(float(low), float(highs[place])), float(errors[place])
    return best


def _merged(seen: Sequence[Observation]) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the bins of all histograms in order, and how many values lie in each."""
    centres = np.concatenate([(one.edges[1:] + one.edges[:-1]) / 2 for one in seen])
    counts = np.concatenate([one.counts for one in seen]).astype(np.float64)
    order = np.argsort(centres, kind="stable")
    return centres[order], counts[order]


def choose(
    candidates: Mapping[Method, Mapping[int, Range]], error: Callable[[Mapping[int, Range]], float]
) -> tuple[dict[int, Range], dict[int, Method]]:
    """The best range for each group, judged by the whole network.

    The best single method is where it starts; then each group, in the order of the network, keeps another method where
    the error falls by it. Groups are not independent, but a second round changes next to nothing.

    Args:
        candidates: The ranges of every method.
        error: Of the network with given ranges, on samples that set none of them.

    Returns:
        The ranges, and the method that each came from.
    """
    errors = {method: error(ranges) for method, ranges in candidates.items()}
    start = min(errors, key=lambda method: errors[method])
    ranges, methods, least = dict(candidates[start]), dict.fromkeys(candidates[start], start), errors[start]
    for group in sorted(ranges):
        for method, others in candidates.items():
            if others[group] == ranges[group]:
                continue
            tried = error(ranges | {group: others[group]})
            if tried < least:
                ranges[group], methods[group], least = others[group], method, tried
    return ranges, methods
