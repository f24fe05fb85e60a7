"""How far the activations of a quantized network are from those of the float one, layer by layer.

Two errors of a layer are told apart: that of its output in the network as it runs, in which all layers before it have a
share, and its own: weights and biases as the file holds them, output rounded and clipped, but inputs exact. For the
second one the *float* file gets the layer's dequantized constants in place of its own and runs once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from edgecnn.quantization.observe import Accumulator, activations, limits
from edgecnn.quantization.pair import CONVOLUTIONS, Match, Pair, input_of, real_values, weights_of
from edgecnn.quantization.records import decibels
from edgecnn.quantization.requantize import MOVES
from edgecnn.quantization.rewrite import rewritten
from firmware_export.graph import ABSENT, Node, Quant, Tensor

OWN_SAMPLES = 16
"""On how many samples a layer's own error is measured: one more run of the network a layer."""

_OWN_ROWS = 256    # places of an activation that are looked at for it, all channels of each
_ROUNDS = frozenset(("AVERAGE_POOL_2D", "RESIZE_BILINEAR"))    # move at one scale, and compute all the same


@dataclass(frozen=True)
class Row:
    """An activation that is compared.

    Attributes:
        name: For people, unique.
        op: Operator; ``INPUT`` for what the network takes.
        node: Index in the quantized graph; None for its input.
        quantized: The quantized tensor.
        real: Index of the float tensor.
        match: Both nodes; None where only the quantized graph has one.
        source: Name of the row that it is computed from, the first of several; None where that is none.
    """

    name: str
    op: str
    node: int | None
    quantized: Tensor
    real: int
    match: Match | None
    source: str | None

    @property
    def quant(self) -> Quant:
        """Scale and zero point."""
        assert self.quantized.quant is not None    # an activation of a quantized node
        return self.quantized.quant


def rows_of(pair: Pair) -> tuple[Row, ...]:
    """The activations worth comparing, in the order of the network.

    Left out are those of nodes that only move values at the same scale, such as RESHAPE and MAX_POOL_2D: they lose
    nothing.
    """
    graph = pair.quantized
    makers = {index: node for node in graph.nodes for index in node.outputs}
    matches = {match.quantized.index: match for match in pair.matches}
    found, names = [], set[str]()
    giving: dict[int, str] = {}    # tensor to the row whose values it holds
    for tensor in pair.activations():
        node = makers.get(tensor.index)
        before = None
        if node is None:
            name, op = "input", "INPUT"
        else:
            source = graph.tensors[input_of(node) if node.op in CONVOLUTIONS else node.inputs[0]]
            before = giving.get(source.index)
            if node.op in MOVES - _ROUNDS and source.quant == tensor.quant:
                giving.update({tensor.index: before} if before is not None else {})
                continue
            entering = node.op == "QUANTIZE" and source.dtype == "float32" and source.index in graph.inputs
            name, op = ("input", "INPUT") if entering else (name_of(pair, node), node.op)
        name = _unique(name, names)
        match = None if node is None else matches.get(node.index)
        giving[tensor.index] = name
        place = None if node is None else node.index
        found.append(Row(name, op, place, tensor, pair.twin[tensor.index], match, before))
    return tuple(found)


def name_of(pair: Pair, node: Node) -> str:
    """``Pair.label``, and for an output, which the converter names after the model, the name of its weights."""
    graph = pair.quantized
    label, weights = pair.label(node), weights_of(graph, node)
    parts = [] if weights is None else weights.name.split(";")[0].split("/")
    if not label.startswith("node "):
        return label
    if len(parts) > 1:
        return f"{parts[-2]} ({node.op})"
    return f"output ({node.op})" if node.outputs[0] in graph.outputs else label


def _unique(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} #{number}"
    taken.add(found)
    return found


@dataclass
class Sums:
    """What is added up over the samples to compare one activation.

    Attributes:
        low: Smallest value that the scale holds.
        high: Largest value that the scale holds.
        step: The scale.
        zero_point: Code of 0.
        first_code: Smallest code of the type.
        seen: Histogram of the float values.
        count: Values so far.
        total: Sum of the float values.
        squares: Sum of their squares.
        found_squares: Sum of the squares of the quantized values.
        product: Sum of the products of both.
        noise: Sum of the squared errors.
        largest: Largest error.
        clipped: Float values more than one step outside the range.
        codes: Which codes occurred, from ``first_code`` on.
    """

    low: float
    high: float
    step: float
    zero_point: int
    first_code: int
    seen: Accumulator = field(default_factory=Accumulator)
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    found_squares: float = 0.0
    product: float = 0.0
    noise: float = 0.0
    largest: float = 0.0
    clipped: int = 0
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def add(self, exact: np.ndarray, found: np.ndarray) -> None:
        """One sample: float values, and the dequantized ones, both of the activation's shape."""
        self.seen.add(exact)
        real, other = exact.reshape(-1).astype(np.float64), found.reshape(-1).astype(np.float64)
        errors = np.abs(other - real)
        self.count += real.size
        self.total += float(real.sum())
        self.squares += float(real @ real)
        self.found_squares += float(other @ other)
        self.product += float(real @ other)
        self.noise += float(errors @ errors)
        self.largest = max(self.largest, float(errors.max(initial=0)))
        self.clipped += int(np.sum((real > self.high + self.step) | (real < self.low - self.step)))
        codes = np.rint(other / self.step).astype(np.int64) + self.zero_point - self.first_code
        self.codes[np.clip(codes, 0, len(self.codes) - 1)] = True

    @property
    def sqnr_db(self) -> float | None:
        """Of this activation in the network as it runs."""
        return decibels(self.squares - self.total**2 / max(1, self.count), self.noise)

    @property
    def cosine(self) -> float | None:
        """Between float and quantized values."""
        size = float(np.sqrt(self.squares) * np.sqrt(self.found_squares))
        return min(1.0, self.product / size) if size > 0 else None


def sums_for(row: Row) -> Sums:
    """Nothing added up yet."""
    low, high = limits(row.quant, row.quantized.dtype)
    kind = np.iinfo(row.quantized.dtype)
    codes = np.zeros(int(kind.max) - int(kind.min) + 1, bool)
    return Sums(low, high, row.quant.scale[0], row.quant.zero_point[0], int(kind.min), codes=codes)


@dataclass(frozen=True)
class Compared:
    """All rows over all samples.

    Attributes:
        sums: Of each row.
        exact: Float values of each row on the first ``OWN_SAMPLES`` samples, ``[places, channels]`` of each.
    """

    sums: tuple[Sums, ...]
    exact: tuple[tuple[np.ndarray, ...], ...]


def compare_activations(
    rows: tuple[Row, ...],
    models: tuple[bytes, bytes],
    inputs: np.ndarray,
    advance: Callable[[int], None] | None = None,
) -> Compared:
    """Run both files over samples, side by side.

    Args:
        rows: What to compare.
        models: The float and the quantized file.
        inputs: As for ``observe``.
        advance: Called with 1 after each sample.

    Raises:
        EdgecnnError: As ``observe``.
    """
    sums = tuple(map(sums_for, rows))
    exact: list[tuple[np.ndarray, ...]] = []
    wanted = [row.real for row in rows], [row.quantized.index for row in rows]
    runs = (activations(model, inputs, tensors) for model, tensors in zip(models, wanted, strict=True))
    for real, quantized in zip(*runs, strict=True):
        for row, one in zip(rows, sums, strict=True):
            one.add(real[row.real], quantized[row.quantized.index])
        if len(exact) < OWN_SAMPLES:
            exact.append(tuple(thinned(real[row.real]) for row in rows))
        if advance is not None:
            advance(1)
    return Compared(sums, tuple(exact))


def thinned(values: np.ndarray) -> np.ndarray:
    """Some places of an activation, always the same ones, with all channels: ``[places, channels]``."""
    rows = values.reshape(-1, values.shape[-1] if values.ndim else 1)
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, min(len(rows), _OWN_ROWS)).astype(int)]
    return chosen


def own_errors(
    pair: Pair,
    rows: tuple[Row, ...],
    float_model: bytes,
    inputs: np.ndarray,
    exact: tuple[tuple[np.ndarray, ...], ...],
    advance: Callable[[int], None] | None = None,
) -> tuple[tuple[float | None, float | None], ...]:
    """Each row's own signal-to-noise ratio, of all values and as the mean over its channels, in dB.

    Args:
        pair: The two graphs.
        rows: What to measure.
        float_model: The float file.
        inputs: As for ``observe``; as many as ``exact`` has are used.
        exact: See ``Compared``.
        advance: Called with 1 after each row.
    """
    found = []
    for place, row in enumerate(rows):
        real = np.stack([sample[place] for sample in exact])
        constants = {} if row.match is None else dict(_dequantized_constants(pair, row.match))
        computed = real
        if constants:
            model = rewritten(float_model, {}, constants)
            runs = activations(model, inputs[: len(exact)], [row.real])
            computed = np.stack([thinned(values[row.real]) for values in runs])
        found.append(_ratios(real, rounded(computed, row)))
        if advance is not None:
            advance(1)
    return tuple(found)


def rounded(values: np.ndarray, row: Row) -> np.ndarray:
    """Float values as the row's scale holds them."""
    kind = np.iinfo(row.quantized.dtype)
    scale, zero_point = row.quant.scale[0], row.quant.zero_point[0]
    codes = np.clip(np.rint(values.astype(np.float64) / scale) + zero_point, kind.min, kind.max)
    held: np.ndarray = (codes - zero_point) * scale
    return held


def _dequantized_constants(pair: Pair, match: Match) -> Iterator[tuple[int, bytes]]:
    """Float tensor to the bytes that make it what the quantized file holds."""
    for index in match.quantized.inputs:
        if index == ABSENT or index not in pair.twin:
            continue
        tensor, twin = pair.quantized.tensors[index], pair.real.tensors[pair.twin[index]]
        if tensor.is_constant and tensor.quant is not None and twin.dtype in ("float32", "float16"):
            yield twin.index, real_values(tensor).astype(np.dtype(twin.dtype).newbyteorder("<")).tobytes()


def _ratios(real: np.ndarray, found: np.ndarray) -> tuple[float | None, float | None]:
    """Of ``[samples, places, channels]``."""
    exact = real.astype(np.float64)
    noise = np.square(found - exact)
    whole = decibels(float(exact.var()), float(noise.mean()))
    by_channel = [
        decibels(float(signal), float(error))
        for signal, error in zip(exact.var(axis=(0, 1)), noise.mean(axis=(0, 1)), strict=True)
    ]
    told = [one for one in by_channel if one is not None]
    return whole, float(np.mean(told)) if told else None
