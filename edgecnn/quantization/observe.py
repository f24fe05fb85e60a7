"""Every activation of a ``.tflite`` on samples, and what a histogram keeps of it.

LiteRT runs the network one sample at a time with all tensors preserved and without a delegate, which would hide those
inside it. Only one sample's activations are in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import TensorContract
from edgecnn.errors import EdgecnnError, first_line
from edgecnn.keras_quiet import quiet_native
from edgecnn.quantization.pair import layer_name
from edgecnn.runtimes.base import only_one
from edgecnn.runtimes.litert import interpreter_module
from firmware_export.errors import ModelError
from firmware_export.graph import Graph, Quant, Tensor, short_name
from firmware_export.tflite import read_model

BINS = 8192
"""Of a histogram, at most. At least half of them lie within the range of the values."""

VAST = 1e30
"""A larger value has no range, as an infinite one has none: 8 bits of it leave nothing of other values."""

_INFINITE = float(np.finfo(np.float32).max)    # what LiteRT's convolutions clamp infinities to

_DEEPEST = -126    # exponent of a bin's width: that of the smallest normal float32


@dataclass(frozen=True)
class Observation:
    """What one activation was, over all samples.

    Attributes:
        low: Smallest value.
        high: Largest value.
        counts: int64 ``[bins]``, how many values fell into each bin; the first and the last bin are not empty.
        edges: float64 ``[bins + 1]``, ascending, all bins of one width, which is a power of two; 0 is an edge wherever
            it is inside.
        channel_low: float32 ``[channels]``: smallest value of each channel, which is the last dimension.
        channel_high: float32 ``[channels]``: largest value of each.
        channel_mean: float64 ``[channels]``: mean of each.
        samples: How many samples ran.
    """

    low: float
    high: float
    counts: np.ndarray
    edges: np.ndarray
    channel_low: np.ndarray
    channel_high: np.ndarray
    channel_mean: np.ndarray
    samples: int

    def quantile(self, share: float) -> float:
        """The value that ``share`` (0 to 1) of all values do not exceed, to the width of a bin."""
        below = np.cumsum(self.counts)
        wanted = share * float(below[-1])
        place = min(int(np.searchsorted(below, wanted)), len(self.counts) - 1)
        before = float(below[place - 1]) if place else 0.0
        inside = (wanted - before) / max(1.0, float(self.counts[place]))
        value = float(self.edges[place] + inside * (self.edges[place + 1] - self.edges[place]))
        return min(max(value, self.low), self.high)


def observe(
    model: bytes | Path,
    inputs: np.ndarray,
    tensors: Iterable[int],
    advance: Callable[[int], None] | None = None,
) -> dict[int, Observation]:
    """Run samples and keep histograms of activations.

    Args:
        model: A ``.tflite``; of a quantized one the values are dequantized.
        inputs: ``[N, ...]`` what the network takes: real values (also for a quantized input), ids as int32.
        tensors: Which, by their index in the file.
        advance: Called with 1 after each sample.

    Raises:
        EdgecnnError: There is no sample, LiteRT cannot run the file, or an activation is infinite, above ``VAST`` or
            not a number; the message names the layer.
    """
    wanted = tuple(dict.fromkeys(tensors))
    found = {index: Accumulator() for index in wanted}
    for values in activations(model, inputs, wanted):
        for index, value in values.items():
            found[index].add(value)
        if advance is not None:
            advance(1)
    if not len(inputs):
        raise EdgecnnError("there are no samples to observe the network on. Give at least one.")
    return {index: one.observation() for index, one in found.items()}


def activations(model: bytes | Path, inputs: np.ndarray, tensors: Iterable[int]) -> Iterator[dict[int, np.ndarray]]:
    """Run samples one by one.

    Args:
        model: A ``.tflite``.
        inputs: As for ``observe``.
        tensors: Which values to give, by their index in the file.

    Yields:
        For each sample its values, float32 of the tensors' shapes, in new arrays. Quantized ones are dequantized.

    Raises:
        EdgecnnError: LiteRT cannot run the file, or a value is infinite, above ``VAST`` or not a number.
    """
    name, content = (str(model), model.read_bytes()) if isinstance(model, Path) else ("the model", model)
    graph = _graph(name, content)
    interpreter = _interpreter(name, content)
    entering = only_one(Path(name), "input", interpreter.get_input_details())
    end = graph.tensors[entering["index"]]
    wanted = [graph.tensors[index] for index in tensors]
    for number, sample in enumerate(inputs):
        encoded = _encoded(end, sample).reshape(entering["shape"])
        interpreter.set_tensor(end.index, np.ascontiguousarray(encoded))
        with np.errstate(all="ignore"):
            interpreter.invoke()
        values = {one.index: dequantized(one, interpreter.get_tensor(one.index)) for one in wanted}
        for index, value in values.items():
            largest = float(np.abs(value).max(initial=0))
            if not largest <= VAST:    # true of NaN too
                raise EdgecnnError(_without_range(graph, index, number, largest))
        yield values


def dequantized(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    """Values of an activation as float32."""
    if tensor.quant is None or tensor.dtype == "float32":
        return values.astype(np.float32)
    scale, zero_point = np.float32(tensor.quant.scale[0]), np.float32(tensor.quant.zero_point[0])
    real: np.ndarray = (values.astype(np.float32) - zero_point) * scale
    return real


def limits(quant: Quant, dtype: str) -> tuple[float, float]:
    """Smallest and largest real value that an activation of this scale can have."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return (low - quant.zero_point[0]) * quant.scale[0], (high - quant.zero_point[0]) * quant.scale[0]


def _graph(name: str, content: bytes) -> Graph:
    try:
        return read_model(content, name)
    except ModelError as error:
        raise EdgecnnError(str(error)) from error


def _interpreter(name: str, content: bytes) -> Any:
    module, version = interpreter_module()
    try:
        with quiet_native():
            interpreter = module.Interpreter(
                model_content=content,
                experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            interpreter.allocate_tensors()
            return interpreter
    except (ValueError, RuntimeError) as error:
        raise EdgecnnError(f"{name}: {version} cannot run it: {first_line(error)}.") from error


def _encoded(end: Tensor, sample: np.ndarray) -> np.ndarray:
    if end.quant is None or end.dtype not in ("int8", "uint8", "int16"):
        return sample.astype(end.dtype)
    contract = TensorContract(
        name=end.name,
        shape=end.shape,
        dtype=end.dtype,    # type: ignore[arg-type]
        scale=end.quant.scale[0],
        zero_point=end.quant.zero_point[0],
    )
    return contract.quantize(sample)


def _without_range(graph: Graph, index: int, sample: int, largest: float) -> str:
    found = f"as large as {largest:.2g}" if largest < _INFINITE else "infinite or not a number"
    if index in graph.inputs:
        return (
            f"{graph.name}: sample {sample} holds a value that is {found}. "
            "Mend or leave out that sample, and look at its preprocessing."
        )
    maker = next((node for node in graph.nodes if index in node.outputs), None)
    layer = short_name(graph.tensors[index].name) if maker is None else layer_name(graph, maker)
    return (
        f"{graph.name}: the output of {layer} is {found} on sample {sample}, so no range holds it. If weights are "
        "large, train anew with a lower learning rate or with train.optimizer.clipnorm; if the layer takes a "
        "logarithm, a root or a quotient, keep what it is given away from 0."
    )


class Accumulator:
    """A histogram that grows: bins are as wide as a power of two and begin at multiples of their width.

    So when a value lies outside, pairs of neighbours merge into bins twice as wide, exactly, and nothing has to be
    known beforehand.
    """

    def __init__(self) -> None:
        self._exponent = 0    # a bin is 2^exponent wide
        self._first = 0    # the first bin begins at first * 2^exponent
        self._counts = np.zeros(0, np.int64)
        self._low, self._high = np.inf, -np.inf
        self._channel_low = self._channel_high = np.zeros(0, np.float32)
        self._channel_sum = np.zeros(0, np.float64)
        self._rows = self._samples = 0

    def add(self, values: np.ndarray) -> None:
        """Count the values of one sample.

        Args:
            values: float32, finite, of the same number of channels every time.
        """
        self._samples += 1
        if not values.size:
            return
        rows = values.reshape(-1, values.shape[-1] if values.ndim else 1)
        lows, highs = rows.min(axis=0), rows.max(axis=0)
        if not self._rows:
            self._channel_low, self._channel_high = lows, highs
            self._channel_sum = np.zeros(len(lows), np.float64)
        self._channel_low = np.minimum(self._channel_low, lows)
        self._channel_high = np.maximum(self._channel_high, highs)
        self._channel_sum += rows.sum(axis=0, dtype=np.float64)
        self._rows += len(rows)
        self._low, self._high = min(self._low, float(lows.min())), max(self._high, float(highs.max()))
        self._make_room()
        places = np.floor(rows.reshape(-1) * np.float64(2.0**-self._exponent)).astype(np.int64) - self._first
        self._counts += np.bincount(places, minlength=len(self._counts))

    def observation(self) -> Observation:
        """What was seen."""
        used = np.flatnonzero(self._counts)
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, -1)
        edges = np.arange(self._first + first, self._first + last + 2, dtype=np.float64) * 2.0**self._exponent
        return Observation(
            self._low, self._high, self._counts[first : last + 1].copy(), edges,
            self._channel_low, self._channel_high, self._channel_sum / max(1, self._rows), self._samples,
        )    # fmt: skip

    def _make_room(self) -> None:
        """Bins for all from ``low`` to ``high``: more, and wider ones where they would be more than ``BINS``."""
        exponent = self._exponent if len(self._counts) else _DEEPEST
        span = max(self._high - self._low, 2.0 ** (np.frexp(max(abs(self._low), abs(self._high)))[1] - 24))
        exponent = max(exponent, _DEEPEST, int(np.frexp(span)[1]) - int(np.log2(BINS)))
        while True:
            first, last = (int(np.floor(value * 2.0**-exponent)) for value in (self._low, self._high))
            if last - first < BINS:
                break
            exponent += 1
        counts = np.zeros(last - first + 1, np.int64)
        if len(self._counts):
            old = (self._first + np.arange(len(self._counts))) >> (exponent - self._exponent)
            inside = (old >= first) & (old <= last)    # an empty bin at the border may lie outside
            np.add.at(counts, old[inside] - first, self._counts[inside])
        self._exponent, self._first, self._counts = exponent, first, counts
