"""Figures of an analysis against the same ones computed another way, and what is left out where it cannot be told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.artefacts import resolve
from edgecnn.data.base import Samples
from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.quantization import graph_layers
from edgecnn.quantization.analysis import analyse, settle_pair, work_of
from edgecnn.quantization.layer_errors import rows_of
from edgecnn.quantization.observe import activations
from edgecnn.quantization.pair import match_graphs
from edgecnn.quantization.records import EXACT_DB, Analysis, decibels
from edgecnn.quantization.rewrite import rewritten
from edgecnn.tflite_file import read_graph
from tests.edgecnn.quantization import bad_networks
from tests.edgecnn.quantization.bad_networks import LABELS, Case

SAMPLES = 24


def analysed(case: Case, labels: tuple[str, ...] = LABELS, sensitivity: bool = False) -> Analysis:
    samples = case.samples.take(np.arange(100))
    return analyse(
        case.pair, case.float_model, case.int8_model, samples, case.contracts, labels, SAMPLES, sensitivity
    )


@pytest.fixture(scope="module")
def case() -> Case:
    return bad_networks.plain()


@pytest.fixture(scope="module")
def plain(case: Case) -> Analysis:
    return analysed(case, sensitivity=True)


def test_layers_are_those_that_compute_by_their_names(plain: Analysis) -> None:
    names = [layer.name for layer in plain.layers]
    assert names[0] == "input"
    assert [name.partition("_1 ")[0] for name in names[1:]] == ["first", "second", "pooling", "scores"]
    assert [layer.op for layer in plain.layers] == ["INPUT", "CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    assert sorted(plain.ranking) == sorted(names)


def test_ratios_are_those_of_all_values_at_once(case: Case) -> None:
    found = analyse(
        case.pair, case.float_model, case.int8_model, case.samples.take(np.arange(5)), case.contracts, (), 5, False
    )
    inputs = case.contracts[0].preprocess.apply(case.samples.x[:5])
    for row, layer in zip(rows_of(case.pair), found.layers, strict=True):
        exact, other = (
            np.stack([values[index] for values in activations(model, inputs, [index])]).astype(np.float64)
            for model, index in ((case.float_model, row.real), (case.int8_model, row.quantized.index))
        )
        errors = other - exact
        assert layer.sqnr_db == pytest.approx(decibels(float(exact.var()), float(np.square(errors).mean())))
        assert layer.largest_error == pytest.approx(float(np.abs(errors).max()))
        cosine = float((exact * other).sum() / np.linalg.norm(exact) / np.linalg.norm(other))
        assert layer.cosine == pytest.approx(cosine)
        assert layer.codes == len(np.unique(other)) / 256
        assert (layer.seen_low, layer.seen_high) == (float(exact.min()), float(exact.max()))
        outside = (exact > layer.range_high + layer.step) | (exact < layer.range_low - layer.step)
        assert layer.clipped == pytest.approx(float(outside.mean()))
        assert sum(layer.histogram.counts) == exact.size


def test_own_error_of_rounding_is_that_of_uniform_noise(plain: Analysis) -> None:
    """step²/12, for a layer of a range that nothing is outside of, with weights that add a little."""
    pooling = plain.layers[3]
    assert pooling.weights is None and pooling.own_sqnr_db is not None
    first = plain.layers[1]
    assert first.own_sqnr_db is not None and first.sqnr_db is not None
    assert abs(first.own_sqnr_db - first.sqnr_db) < 1.5    # before it there is only the input, which is nearly exact
    assert plain.layers[2].score is not None and plain.layers[2].score > 30


def test_without_any_quantization_error_all_is_exact(case: Case) -> None:
    """A ratio has a largest value, which JSON can hold."""
    assert decibels(1.0, 0.0) == EXACT_DB
    assert decibels(0.0, 1.0) is None
    assert decibels(1.0, 1e-40) == EXACT_DB
    del case


def test_sensitivity_ranks_by_the_output(plain: Analysis) -> None:
    assert plain.ranked_by == "sensitivity"
    figures = [plain.layer(name).output_sqnr_db for name in plain.ranking]
    assert all(figure is not None for figure in figures)
    assert figures == sorted(figures, key=lambda figure: figure or 0.0)
    assert all(layer.accuracy_drop is not None for layer in plain.layers)
    scores = plain.layers[-1]    # nothing follows it: its own error is that of the output
    assert scores.output_sqnr_db is not None and scores.own_sqnr_db is not None
    assert abs(scores.output_sqnr_db - scores.own_sqnr_db) < 4


def test_flips_are_where_decisions_differ(case: Case) -> None:
    found = analysed(bad_networks.unequal()).accuracy
    assert found is not None and found.samples == 100
    assert len(found.flips) == round(100 * (1 - found.agreement)) > 0
    assert all(one.before != one.after for one in found.flips)
    right = {one.label: one for one in found.classes}
    for label in LABELS:
        lost = sum(one.truth == label == one.before for one in found.flips)
        won = sum(one.truth == label == one.after for one in found.flips)
        before, after = right[label].before, right[label].after
        assert before is not None and after is not None
        assert (before - after) * right[label].support == pytest.approx(lost - won)
    del case


def test_without_labels_there_is_no_accuracy(case: Case) -> None:
    found = analysed(case, labels=())
    assert found.accuracy is None
    assert "is right" not in found.advice
    assert found.ranked_by == "own"


def test_progress_adds_up_to_what_was_announced(case: Case) -> None:
    done: list[int] = []
    samples = case.samples.take(np.arange(30))
    analyse(
        case.pair, case.float_model, case.int8_model, samples, case.contracts, LABELS, SAMPLES, True,
        advance=done.append,
    )  # fmt: skip
    assert sum(done) == work_of(case.pair, 30, "classification", LABELS, SAMPLES)


def test_json_holds_everything(plain: Analysis) -> None:
    assert Analysis.model_validate_json(plain.to_json()) == plain


def test_without_tensorflow_the_ranking_is_by_own_errors(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*arguments: object, **options: object) -> None:
        del arguments, options
        raise MissingDependencyError("tensorflow", "train", "quantization")

    monkeypatch.setattr(graph_layers, "fake_quantized", absent)
    found = analysed(case, sensitivity=True)
    assert found.ranked_by == "own"
    assert len(found.remarks) == 1 and "edgecnn[train]" in found.remarks[0]


def test_no_sample_is_refused(case: Case) -> None:
    with pytest.raises(EdgecnnError, match="no samples to analyse"):
        analyse(case.pair, case.float_model, case.int8_model, case.samples.take(np.arange(0)), case.contracts, LABELS)


def test_samples_of_another_shape_are_refused(case: Case) -> None:
    other = Samples(np.zeros((3, 9, 9, 1), np.uint8), np.zeros(3, np.int64))
    with pytest.raises(EdgecnnError, match=r"takes 8×8×1 samples, the data has 9×9×1"):
        analyse(case.pair, case.float_model, case.int8_model, other, case.contracts, LABELS)


def test_an_activation_that_is_no_number_names_its_layer(case: Case) -> None:
    second = case.pair.matches[1].real
    bias = case.pair.real.tensors[second.inputs[2]]
    broken = rewritten(case.float_model, {}, {bias.index: np.full(bias.shape, np.nan, np.float32).tobytes()})
    with pytest.raises(EdgecnnError, match=r"second.*\(CONV_2D\) is infinite or not a number"):
        analyse(case.pair, broken, case.int8_model, case.samples, case.contracts, LABELS)


def test_files_that_edgecnn_never_made(shared: Path) -> None:
    files = (
        resolve(str(shared / "models" / "ic_resnet8_float.tflite")).artefacts[0],
        resolve(str(shared / "models" / "ic_resnet8_int8.tflite")).artefacts[0],
    )
    pair = match_graphs(read_graph(files[0].path), read_graph(files[1].path))
    contracts, remarks = settle_pair(files, LABELS)
    assert contracts[0].preprocess == contracts[1].preprocess
    assert "from the range of its input" in remarks[0]
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (8, 4, 4, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    found = analyse(
        pair, files[0].path.read_bytes(), files[1].path.read_bytes(), Samples(coarse, np.arange(8)), contracts,
        sensitivity=False, remarks=tuple(remarks),
    )  # fmt: skip
    assert len(found.layers) == 16
    assert found.layers[0].sqnr_db == EXACT_DB    # pixels are the int8 input
    # Its pooling writes at the scale of the sum before it, nine times too coarse.
    assert found.ranking[0].endswith("(AVERAGE_POOL_2D)")
    assert "writes at the scale of its input" in found.advice
