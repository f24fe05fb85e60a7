"""Networks with one layer made bad on purpose: the paragraph names it and says what helps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgecnn.quantization.advice import advice, cause_of
from edgecnn.quantization.analysis import analyse
from edgecnn.quantization.records import Analysis
from tests.edgecnn.quantization import bad_networks
from tests.edgecnn.quantization.bad_networks import LABELS, Case


def analysed(case: Case, sensitivity: bool) -> Analysis:
    return analyse(
        case.pair, case.float_model, case.int8_model, case.samples.take(np.arange(200)), case.contracts, LABELS, 32,
        sensitivity,
    )  # fmt: skip


@pytest.mark.parametrize("sensitivity", [False, True], ids=["own", "sensitivity"])
@pytest.mark.parametrize(
    ("make", "layer", "why", "remedy"),
    [
        (bad_networks.unequal, "first", "as wide as the median one", "--repair equalizes"),
        (bad_networks.off_zero, "first", "the inputs (input: 20 to 21) are far from 0", "mean subtracted"),
        (bad_networks.heavy_tail, "square", "a heavy tail takes", "--ranges mse"),
    ],
)
def test_the_bad_layer_is_named_with_its_reason(
    make: Callable[[], Case], layer: str, why: str, remedy: str, sensitivity: bool
) -> None:
    found = analysed(make(), sensitivity)
    assert found.ranked_by == ("sensitivity" if sensitivity else "own")
    assert found.ranking[0].startswith(layer), found.advice
    assert f"loses most is {found.ranking[0]}" in found.advice
    assert why in found.advice and remedy in found.advice


@pytest.mark.parametrize("sensitivity", [False, True], ids=["own", "sensitivity"])
def test_a_norm_after_the_activation_is_named(sensitivity: bool) -> None:
    found = analysed(bad_networks.late_norm(), sensitivity)
    assert [name.rpartition("(")[2] for name in found.norms] == ["MUL)", "ADD)"]
    assert all(name in found.advice or "a batch norm stands after" in found.advice for name in found.norms)
    assert "A batch norm before its activation goes into the convolution" in found.advice


def test_where_nothing_is_lost_nothing_has_to_be_mended() -> None:
    found = analysed(bad_networks.plain(), sensitivity=False)
    assert found.accuracy is not None and abs(found.accuracy.drop) <= 0.005
    assert "Nothing has to be mended" in found.advice
    assert "--auto" not in found.advice


def test_what_is_lost_is_mended_by_auto() -> None:
    found = analysed(bad_networks.unequal(), sensitivity=False)
    assert "What would help:" in found.advice
    assert found.advice.endswith("--auto tries all of it in turn and stops where the loss is allowed.")


def test_inputs_far_from_zero_use_few_codes() -> None:
    found = analysed(bad_networks.off_zero(), sensitivity=False)
    assert found.layers[0].off_zero and not found.layers[1].off_zero
    assert "only 5 % of the 256 codes occur" in cause_of(found.layers[0], found).why


def test_clipped_values_are_a_cause_of_their_own() -> None:
    found = analysed(bad_networks.plain(), sensitivity=False)
    layer = found.layers[1].model_copy(update={"clipped": 0.02})
    assert "2.00 % of the values lie outside the range" in cause_of(layer, found).why


def test_weights_with_one_scale_and_unequal_channels() -> None:
    found = analysed(bad_networks.plain(), sensitivity=False)
    weights = found.layers[1].weights
    assert weights is not None
    alike = found.layers[1].model_copy(
        update={"weights": weights.model_copy(update={"per_channel": False, "range_ratio": 300.0})}
    )
    cause = cause_of(alike, found)
    assert "differ by a factor of 300" in cause.why and "without --per-tensor" in cause.remedy


def test_a_layer_without_fault_needs_training_or_bits() -> None:
    found = analysed(bad_networks.plain(), sensitivity=False)
    cause = cause_of(found.layers[2], found)
    assert "nothing is wrong with the range" in cause.why and "--qat EPOCHS" in cause.remedy


def test_no_layer_at_all() -> None:
    found = analysed(bad_networks.plain(), sensitivity=False)
    assert advice(found.model_copy(update={"layers": [], "ranking": []})).endswith("No layer loses anything.")
