"""The plain int8 file made better without training: better ranges, equalized channels, corrected biases.

Every step is judged on samples that set no range, by how far the whole network's outputs are from the float ones, and
is kept only where it gains. The test split has no say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edgecnn.data.base import Samples
from edgecnn.errors import EdgecnnError
from edgecnn.preprocess import PreprocessKind
from edgecnn.quantization.convert import Converted, held_back
from edgecnn.quantization.observe import Observation, activations, observe
from edgecnn.quantization.pair import Pair, match_graphs
from edgecnn.quantization.ranges import METHODS, Method, choose, ranges_by
from edgecnn.quantization.repair import corrected_biases, equalized, with_constants
from edgecnn.quantization.requantize import Range, requantized
from firmware_export.tflite import read_model

Ranges = Literal["minmax", "percentile", "mse", "auto"]

OBSERVED = 256
"""Samples that ranges are taken from, at most: a histogram of every activation needs no more."""

CORRECTED = 64
"""Samples whose mean corrects the biases, at most: every layer has its own pass over them."""


@dataclass(frozen=True)
class Asked:
    """What to do beyond the plain conversion.

    Attributes:
        ranges: ``minmax`` keeps those of the converter.
        repair: Equalize channels and correct biases, each where it gains.
    """

    ranges: Ranges = "minmax"
    repair: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the plain file is what is wanted."""
        return self.ranges == "minmax" and not self.repair


@dataclass(frozen=True)
class Step:
    """One thing that was tried.

    Attributes:
        name: ``plain``, ``ranges``, ``equalization``, ``bias correction``.
        what: In words.
        sqnr_db: Signal-to-quantization-noise ratio of the network's outputs with it, ``10 log10`` of the float outputs'
            power over that of the difference, on the held-back samples.
        kept: Whether it gained and stayed.
    """

    name: str
    what: str
    sqnr_db: float
    kept: bool


@dataclass(frozen=True)
class Improved:
    """The result.

    Attributes:
        model: The int8 file.
        float_model: The float file that it is the int8 form of: it computes what the first one did, with the channels
            that were equalized.
        constants: Float weights and biases behind it, where they differ from the float file's.
        ranges: Of the groups of activations, where they differ from the converter's.
        steps: What was tried, in order.
    """

    model: bytes
    float_model: bytes
    constants: Mapping[int, np.ndarray]
    ranges: Mapping[int, Range]
    steps: tuple[Step, ...]


def improved(
    converted: Converted,
    inputs: np.ndarray,
    held: np.ndarray,
    asked: Asked,
    advance: Callable[[str], None] | None = None,
) -> Improved:
    """Better numbers for the same network.

    Args:
        converted: The float file and the plain quantized one.
        inputs: ``[N, ...]`` what the network takes: preprocessed training samples, for ranges and means.
        held: Others, which judge.
        asked: What to do.
        advance: Told what begins.

    Raises:
        EdgecnnError: There are no samples, or an activation is not a number.
    """
    if not len(inputs) or not len(held):
        raise EdgecnnError("there are too few training samples to set ranges and to judge them. Use more (--limit).")
    work = _Work(converted, inputs, held, advance or (lambda _: None))
    work.begin()
    if asked.ranges != "minmax":
        work.new_ranges(asked.ranges)
    if asked.repair:
        work.equalize(asked.ranges)
        work.correct()
    model = work.model(work.constants, work.ranges)
    return Improved(model, work.float_model, work.constants, work.ranges, tuple(work.steps))


def better_numbers(
    converted: Converted,
    learned: Samples,
    calibrated: Samples,
    seed: int,
    preprocess: PreprocessKind,
    asked: Asked,
    say: Callable[[str], None],
) -> tuple[Converted, tuple[Step, ...]]:
    """``improved`` with what a training split has to offer.

    Args:
        converted: The float file and the plain int8 one.
        learned: The training samples.
        calibrated: Those of them that ``calibration_samples`` chose with ``seed``.
        seed: Of the choice.
        preprocess: From samples to inputs.
        asked: What to do; with nothing asked for, ``converted`` comes back.
        say: Told what begins.

    Returns:
        The two files, and what was tried.
    """
    if asked.nothing:
        return converted, ()
    held = held_back(learned, calibrated, seed)
    found = improved(
        converted,
        preprocess.apply(calibrated.x),
        preprocess.apply(held.x),
        asked,
        lambda what: say(f"Looking for better numbers: {what}"),
    )
    return replace(converted, float_tflite=found.float_model, int8_tflite=found.model), found.steps


class _Work:
    """What is known while the steps run: the best numbers so far and how good they are."""

    def __init__(
        self, converted: Converted, inputs: np.ndarray, held: np.ndarray, advance: Callable[[str], None]
    ) -> None:
        self._float, self._plain = converted.float_tflite, converted.int8_tflite
        self.float_model = self._float
        self._pair: Pair = match_graphs(read_model(self._float, "float"), read_model(self._plain, "int8"))
        self._inputs, self._held, self._advance = inputs, held, advance
        self.constants: dict[int, np.ndarray] = {}
        self.ranges: dict[int, Range] = {}
        self.steps: list[Step] = []
        self._best = -np.inf

    def model(self, constants: Mapping[int, np.ndarray], ranges: Mapping[int, Range]) -> bytes:
        return requantized(self._pair, self._plain, ranges, constants)

    def begin(self) -> None:
        self._advance("the float network's outputs")
        self._exact = _outputs(self._float, self._pair.real.outputs[0], self._held)
        self._best = self._sqnr(self._plain)
        self.steps.append(Step("plain", "as the converter wrote it", self._best, True))

    def new_ranges(self, method: Ranges) -> None:
        self._advance("ranges")
        ranges, what = self._ranges(method, {}, self._seen(self._float))
        self._keep_if_better(Step("ranges", what, self._sqnr(self.model(self.constants, ranges)), False), ranges=ranges)

    def equalize(self, method: Ranges) -> None:
        self._advance("equalization")
        constants, done = equalized(self._pair, self._seen(self._float))
        if not done:
            self.steps.append(Step("equalization", "no two layers whose channels differ", self._best, False))
            return
        # Channels that were lifted need ranges of their own: those of the converter would clip or waste them.
        ranges, _ = self._ranges(method, constants, self._seen(with_constants(self._float, self._pair, constants)))
        factor = max(one.largest for one in done)
        what = f"{len(done)} pairs of layers, channels multiplied by up to {factor:.3g}"
        sqnr = self._sqnr(self.model(constants, ranges))
        self._keep_if_better(Step("equalization", what, sqnr, False), constants, ranges)
        if self.constants is constants:
            self.float_model = with_constants(self._float, self._pair, constants)

    def correct(self) -> None:
        self._advance("bias correction")
        constants = corrected_biases(
            self._pair,
            self.float_model,
            lambda given: self.model(given, self.ranges),
            self._inputs[:CORRECTED],
            self.constants,
        )
        sqnr = self._sqnr(self.model(constants, self.ranges))
        self._keep_if_better(Step("bias correction", "the mean error of every channel", sqnr, False), constants)

    def _keep_if_better(
        self,
        step: Step,
        constants: dict[int, np.ndarray] | None = None,
        ranges: dict[int, Range] | None = None,
    ) -> None:
        kept = step.sqnr_db > self._best
        self.steps.append(Step(step.name, step.what, step.sqnr_db, kept))
        if kept:
            self._best = step.sqnr_db
            self.constants = self.constants if constants is None else constants
            self.ranges = self.ranges if ranges is None else ranges

    def _seen(self, model: bytes) -> dict[int, Observation]:
        twins = {self._pair.twin[one.index] for one in self._pair.activations()}
        return observe(model, self._inputs[:OBSERVED], sorted(twins))

    def _ranges(
        self, method: Ranges, constants: Mapping[int, np.ndarray], seen: Mapping[int, Observation]
    ) -> tuple[dict[int, Range], str]:
        if method != "auto":
            return ranges_by(method, self._pair, seen), f"by {method}"
        candidates: dict[Method, dict[int, Range]] = {one: ranges_by(one, self._pair, seen) for one in METHODS}
        ranges, methods = choose(candidates, lambda tried: -self._sqnr(self.model(constants, tried)))
        count = {one: list(methods.values()).count(one) for one in METHODS}
        return ranges, "per layer: " + ", ".join(f"{number} by {one}" for one, number in count.items() if number)

    def _sqnr(self, model: bytes) -> float:
        return sqnr_db(self._exact, _outputs(model, self._pair.quantized.outputs[0], self._held))


def _outputs(model: bytes, output: int, inputs: np.ndarray) -> np.ndarray:
    return np.stack([values[output] for values in activations(model, inputs, [output])])


def sqnr_db(exact: np.ndarray, found: np.ndarray) -> float:
    """Signal-to-quantization-noise ratio: ``10 log10(sum(exact²) / sum((found - exact)²))``; at most 200 dB."""
    noise = float(np.square(found.astype(np.float64) - exact).sum())
    signal = float(np.square(exact.astype(np.float64)).sum())
    if noise == 0 or signal == 0:
        return 200.0 if noise == 0 else -200.0
    return min(200.0, 10 * float(np.log10(signal / noise)))
