"""What is told of a layer: its errors, how its values lie in the range, how its weights were rounded."""

from __future__ import annotations

import numpy as np

from edgecnn.quantization.layer_errors import Row, Sums
from edgecnn.quantization.observe import Accumulator, Observation
from edgecnn.quantization.pair import CONVOLUTIONS, INTEGERS, Pair, real_values, weights_of
from edgecnn.quantization.records import Histogram, LayerRecord, WeightRecord, decibels
from edgecnn.quantization.requantize import FIXED

_BARS = 96      # of a histogram that is drawn
_TAIL = 5e-4    # share of values outside the bulk, at either end
_NARROW = 1 / 16


def layer_record(pair: Pair, row: Row, sums: Sums, own: tuple[float | None, float | None]) -> LayerRecord:
    """What is told of a row."""
    seen = sums.seen.observation()
    spans = np.maximum(seen.channel_high, 0) - np.minimum(seen.channel_low, 0)    # 0 is always in a range
    live = spans[seen.channel_high > seen.channel_low]
    return LayerRecord(
        name=row.name,
        op=row.op,
        node=row.node,
        source=row.source,
        shape=row.quantized.shape,
        dtype=row.quantized.dtype,
        sqnr_db=sums.sqnr_db,
        cosine=sums.cosine,
        largest_error=sums.largest,
        largest_error_steps=sums.largest / sums.step,
        own_sqnr_db=own[0],
        own_channel_sqnr_db=own[1],
        step=sums.step,
        range_low=sums.low,
        range_high=sums.high,
        fixed=row.op in FIXED,
        seen_low=seen.low,
        seen_high=seen.high,
        bulk_low=_at_least(seen.quantile(_TAIL), sums.step),
        bulk_high=_at_least(seen.quantile(1 - _TAIL), sums.step),
        clipped=sums.clipped / max(1, sums.count),
        codes=float(sums.codes.mean()),
        channels=len(spans),
        widest_channel=int(np.argmax(spans)),
        channel_ratio=float(live.max() / np.median(live)) if len(live) > 1 else None,
        narrow_channels=int(np.sum(live < _NARROW * (sums.high - sums.low))),
        histogram=_bars(seen),
        weights=_weight_record(pair, row),
    )


def _at_least(value: float, step: float) -> float:
    """0 for what a histogram cannot tell from it."""
    return value if abs(value) >= step / 4 else 0.0


def _bars(seen: Observation) -> Histogram:
    """The fine histogram in at most ``_BARS`` bars."""
    together = max(1, -(-len(seen.counts) // _BARS))
    padded = np.zeros(-(-len(seen.counts) // together) * together, np.int64)
    padded[: len(seen.counts)] = seen.counts
    width = float(seen.edges[1] - seen.edges[0]) * together
    return Histogram(low=float(seen.edges[0]), width=width, counts=padded.reshape(-1, together).sum(axis=1).tolist())


def _weight_record(pair: Pair, row: Row) -> WeightRecord | None:
    if row.match is None:
        return None
    quantized, real = weights_of(pair.quantized, row.match.quantized), None
    if quantized is not None and quantized.index in pair.twin and quantized.dtype in INTEGERS:
        real = pair.real.tensors[pair.twin[quantized.index]]
    if quantized is None or quantized.quant is None or real is None or not quantized.size:
        return None
    axis = CONVOLUTIONS[row.match.quantized.op]
    exact, found = real_values(real), real_values(quantized)
    by_channel = [np.moveaxis(one, axis, 0).reshape(one.shape[axis], -1) for one in (exact, found)]
    noise = np.square(by_channel[1] - by_channel[0]).mean(axis=1)
    ratios = [
        decibels(float(signal), float(error))
        for signal, error in zip(np.square(by_channel[0]).mean(axis=1), noise, strict=True)
    ]
    told = [ratio if ratio is not None else np.inf for ratio in ratios]
    worst = int(np.argmin(told))
    largest = np.abs(by_channel[0]).max(axis=1)
    live = largest[largest > 0]
    seen = Accumulator()
    seen.add(exact.astype(np.float32))
    return WeightRecord(
        sqnr_db=decibels(float(np.square(exact).mean()), float(noise.mean())),
        worst_channel=worst,
        worst_channel_sqnr_db=ratios[worst],
        channels=exact.shape[axis],
        per_channel=quantized.quant.per_channel,
        range_ratio=float(live.max() / live.min()) if len(live) else 1.0,
        limit=127 * max(quantized.quant.scale),
        histogram=_bars(seen.observation()),
    )
