"""Ranges and repairs, on networks whose faults are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.data.base import Samples
from edgecnn.errors import EdgecnnError
from edgecnn.quantization.convert import HELD_BACK, Converted, calibration_samples, held_back
from edgecnn.quantization.improve import Asked, improved, sqnr_db
from edgecnn.quantization.observe import observe
from edgecnn.quantization.pair import Pair, match_graphs
from edgecnn.quantization.ranges import METHODS, choose, ranges_by
from edgecnn.quantization.repair import corrected_biases, equalized, with_constants
from edgecnn.quantization.requantize import Range, groups_of, requantized
from firmware_export.tflite import read_model


def pair_of(converted: Converted) -> Pair:
    return match_graphs(read_model(converted.float_tflite), read_model(converted.int8_tflite))


def test_equalization_leaves_the_float_network_as_it_was(
    unequal: Converted, digits: np.ndarray, same_output: Callable[[bytes, bytes, np.ndarray], float]
) -> None:
    pair = pair_of(unequal)
    seen = observe(unequal.float_tflite, digits[:100], [pair.twin[one.index] for one in pair.activations()])
    constants, done = equalized(pair, seen)
    assert len(done) >= 2 and max(one.largest for one in done) > 100
    other = with_constants(unequal.float_tflite, pair, constants)
    assert other != unequal.float_tflite
    assert same_output(unequal.float_tflite, other, digits[:100]) < 1e-5
    # And what a channel of the first layer reaches is alike now.
    reached = observe(other, digits[:100], [pair.twin[pair.layers()[0].quantized.outputs[0]]])
    highs = next(iter(reached.values())).channel_high
    assert highs[highs > 0].min() > 0.2 * highs.max()


def test_equalization_takes_the_error_of_unequal_channels_away(unequal: Converted, digits: np.ndarray) -> None:
    found = improved(unequal, digits[:200], digits[200:300], Asked("minmax", repair=True))
    plain, equalization, correction = found.steps
    assert (plain.name, equalization.name, correction.name) == ("plain", "equalization", "bias correction")
    assert equalization.kept and equalization.sqnr_db > plain.sqnr_db + 6    # at least a bit more of precision
    assert found.model != unequal.int8_tflite and len(found.model) == len(unequal.int8_tflite)


def test_the_equalized_file_has_a_float_file_to_be_trained_and_analysed_with(
    unequal: Converted, digits: np.ndarray, same_output: Callable[[bytes, bytes, np.ndarray], float]
) -> None:
    found = improved(unequal, digits[:200], digits[200:300], Asked("minmax", repair=True))
    assert match_graphs(read_model(found.float_model), read_model(found.model)).layers()
    assert same_output(unequal.float_tflite, found.float_model, digits[:100]) < 1e-5


def test_a_repair_that_does_not_gain_is_not_kept(branches: Converted, digits: np.ndarray) -> None:
    found = improved(branches, digits[:200], digits[200:300], Asked("auto", repair=True))
    kept = [step.sqnr_db for step in found.steps if step.kept]
    assert kept == sorted(kept)
    assert all(step.sqnr_db <= kept[-1] for step in found.steps)


def test_bias_correction_takes_a_shift_of_the_mean_away(branches: Converted, digits: np.ndarray) -> None:
    """Ranges that clip make every sum too small on average; the biases bring the mean back."""
    pair = pair_of(branches)
    clipped = ranges_by("minmax", pair, observe(branches.float_tflite, digits[:100], set(pair.twin.values())))
    entry = groups_of(pair)[pair.quantized.inputs[0]]
    clipped[entry] = Range(0.0, 0.6)
    constants = corrected_biases(
        pair,
        branches.float_tflite,
        lambda given: requantized(pair, branches.int8_tflite, clipped, given),
        digits[:50],
        {},
    )
    first = pair.layers()[0].quantized.outputs[0]
    means = []
    for model, index in (
        (branches.float_tflite, pair.twin[first]),
        (requantized(pair, branches.int8_tflite, clipped), first),
        (requantized(pair, branches.int8_tflite, clipped, constants), first),
    ):
        means.append(observe(model, digits[:50], [index])[index].channel_mean)
    exact, before, after = means
    assert np.abs(after - exact).sum() < 0.5 * np.abs(before - exact).sum()


def test_ranges_without_outliers(branches: Converted, digits: np.ndarray) -> None:
    """One sample of a thousand is a hundred times as large."""
    pair = pair_of(branches)
    inputs = np.concatenate([np.tile(digits[:99], (10, 1, 1, 1)), digits[:1] * 100])
    entry = groups_of(pair)[pair.quantized.inputs[0]]
    seen = observe(branches.float_tflite, inputs, sorted({pair.twin[one.index] for one in pair.activations()}))
    ranges = {method: ranges_by(method, pair, seen)[entry] for method in ("minmax", "mse")}
    assert ranges["minmax"].high == pytest.approx(inputs.max())
    assert ranges["mse"].high < ranges["minmax"].high
    assert all(one.low == 0 for one in ranges.values())


def test_percentile_leaves_a_ten_thousandth_outside(branches: Converted) -> None:
    pair = pair_of(branches)
    inputs = np.random.default_rng(0).normal(size=(300, 8, 8, 1)).astype(np.float32)
    entry = groups_of(pair)[pair.quantized.inputs[0]]
    seen = observe(branches.float_tflite, inputs, sorted({pair.twin[one.index] for one in pair.activations()}))
    found = ranges_by("percentile", pair, seen)[entry]
    outside = np.mean((inputs < found.low) | (inputs > found.high))
    assert 0 < outside < 4e-4


def test_least_squared_error_is_least(branches: Converted) -> None:
    """Against trying: no other symmetric range has a smaller error on the very values."""
    pair = pair_of(branches)
    inputs = np.random.default_rng(0).laplace(size=(300, 8, 8, 1)).astype(np.float32)
    entry = groups_of(pair)[pair.quantized.inputs[0]]
    seen = observe(branches.float_tflite, inputs, sorted({pair.twin[one.index] for one in pair.activations()}))
    found = ranges_by("mse", pair, seen)[entry]

    def error(one: Range) -> float:
        quant = one.quant("int8")
        codes = np.clip(np.round(inputs / quant.scale[0]) + quant.zero_point[0], -128, 127)
        return float(np.square((codes - quant.zero_point[0]) * quant.scale[0] - inputs).mean())

    others = [Range(-limit, limit) for limit in np.linspace(0.1, 1, 30) * np.abs(inputs).max()]
    assert error(found) <= 1.02 * min(map(error, others))


def test_the_choice_goes_group_by_group() -> None:
    """Two groups, of which one wants the first method and the other the second."""
    narrow, wide = Range(0, 1), Range(0, 2)
    wanted = {1: narrow, 2: wide}

    def error(ranges: object) -> float:
        assert isinstance(ranges, dict)
        return float(sum(ranges[group] != one for group, one in wanted.items()))

    candidates = {"minmax": {1: narrow, 2: narrow}, "mse": {1: wide, 2: wide}}
    ranges, methods = choose(candidates, error)    # type: ignore[arg-type]
    assert ranges == wanted
    assert methods == {1: "minmax", 2: "mse"}


def test_judges_are_others_than_those_that_set_the_ranges() -> None:
    labels = np.repeat(np.arange(4), 300)
    samples = Samples(np.arange(1200, dtype=np.float32).reshape(-1, 1), labels)
    chosen = calibration_samples(samples, 512, seed=3)
    judges = held_back(samples, chosen, seed=3)
    assert len(judges) == HELD_BACK
    assert not set(judges.x.ravel()) & set(chosen.x.ravel())
    few = Samples(samples.x[:20], np.arange(20) % 4)
    assert len(held_back(few, calibration_samples(few, 512, seed=3), seed=3)) == 20    # better the same than none


def test_no_samples_are_refused(branches: Converted, digits: np.ndarray) -> None:
    with pytest.raises(EdgecnnError, match="too few training samples"):
        improved(branches, digits[:0], digits[:5], Asked("auto"))


def test_signal_to_noise() -> None:
    assert sqnr_db(np.ones(4), np.ones(4) * 1.1) == pytest.approx(20)
    assert sqnr_db(np.ones(4), np.ones(4)) == 200


def test_whole_samples_that_are_far_off_are_trimmed(branches: Converted, digits: np.ndarray) -> None:
    """They hold so many values that neither a share of 1 in 10,000 nor the squared error leaves them out."""
    pair = pair_of(branches)
    glitched = digits[:256].copy()
    glitched[::128] *= 100
    seen = observe(branches.float_tflite, glitched, set(pair.twin.values()))
    entry = groups_of(pair)[pair.quantized.inputs[0]]
    highs = {method: ranges_by(method, pair, seen)[entry].high for method in METHODS}
    assert min(highs["minmax"], highs["percentile"], highs["mse"]) > 10
    assert highs["trimmed"] < 1.1
