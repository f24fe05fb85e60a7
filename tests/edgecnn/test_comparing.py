"""Two measurements side by side: real ones of a small network, and documents whose difference is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.artefacts import resolve
from edgecnn.bench.harness import bench
from edgecnn.bench.interleave import Settings
from edgecnn.comparing import compare, results_file
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.results import BoardEntry, Results, write_results
from edgecnn.statistics import wilson
from tests.tflite_builder import pack, small_model


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Results:
    path = tmp_path_factory.mktemp("compare") / "small.tflite"
    path.write_bytes(pack(small_model()))
    return bench(resolve(str(path)), ["litert", "litert-ref"], section=None, settings=Settings(runs=40, warmup=5))


def changed(results: Results, index: int = 0, **changes: Any) -> Results:
    """The same document with one entry changed."""
    entries = list(results.entries)
    entries[index] = entries[index].model_copy(update=changes)
    return results.model_copy(update={"entries": entries})


def slower(results: Results, factor: float) -> Results:
    """The first entry as if each of its runs had taken ``factor`` times as long."""
    latencies = [factor * one for one in results.entries[0].latencies_ms]
    return changed(results, latencies_ms=latencies, p50_ms=factor * results.entries[0].p50_ms)


def test_a_measurement_against_itself_is_noise(measured: Results) -> None:
    found = compare(measured, measured, ("a", "b"))
    assert [(one.runtime, one.verdict, one.ratio) for one in found.entries] == [
        ("litert", "noise", 1.0), ("litert-ref", "noise", 1.0)
    ]    # fmt: skip
    assert (found.only_a, found.only_b) == ([], [])
    assert all(one.ratio_low < 1 < one.ratio_high for one in found.entries)


def test_a_factor_of_ten_is_no_noise(measured: Results) -> None:
    one = compare(measured, slower(measured, 10), ("a", "b")).entries[0]
    assert one.ratio == pytest.approx(10)
    assert one.verdict == "slower"
    assert 1 < one.ratio_low <= one.ratio <= one.ratio_high
    other = compare(slower(measured, 10), measured, ("a", "b")).entries[0]
    assert (other.verdict, other.ratio) == ("faster", pytest.approx(0.1))


def test_only_what_is_alike_is_compared(measured: Results) -> None:
    found = compare(measured, changed(measured, threads=2), ("a", "b"))
    assert [one.runtime for one in found.entries] == ["litert-ref"]
    assert found.only_a == ["small.tflite on litert"]
    assert found.only_b == ["small.tflite on litert, 2 threads"]
    renamed = changed(measured, artefact="other.tflite", sha256="0" * 64)
    assert compare(measured, renamed, ("a", "b")).entries[0].artefacts == ("small.tflite", "other.tflite")


@pytest.mark.parametrize(
    ("right", "verdict"), [((900, 905), "noise"), ((900, 960), "better"), ((900, 700), "worse")]
)
def test_accuracy_stands_with_an_interval(measured: Results, right: tuple[int, int], verdict: str) -> None:
    sides = []
    for correct, digest in zip(right, ("0" * 64, "1" * 64), strict=True):
        share = wilson(correct, 1000)
        judged = {"accuracy": share.value, "accuracy_low": share.low, "accuracy_high": share.high}
        sides.append(changed(measured, samples=1000, sha256=digest, **judged))
    one = compare(sides[0], sides[1], ("a", "b")).entries[0]
    assert one.difference == pytest.approx((right[1] - right[0]) / 1000)
    assert one.difference_low is not None and one.difference_high is not None
    assert one.difference_low < one.difference < one.difference_high
    assert one.accuracy_verdict == verdict


def test_newcombes_example(measured: Results) -> None:
    """Newcombe 1998, table II, contrast (a) 56/70 and 48/80, method 10: 0.0524 to 0.3339."""
    first, second = wilson(48, 80), wilson(56, 70)
    sides = [
        changed(measured, samples=80, accuracy=one.value, accuracy_low=one.low, accuracy_high=one.high)
        for one in (first, second)
    ]
    one = compare(sides[0], sides[1], ("a", "b")).entries[0]
    assert one.difference_low == pytest.approx(0.0524, abs=5e-5)
    assert one.difference_high == pytest.approx(0.3339, abs=5e-5)


def test_boards_are_exact(measured: Results) -> None:
    board = BoardEntry(
        target="cortex-m4", description="", artefact="small.tflite", sha256="0" * 64, precision="int8", compiler="gcc",
        optimization="-O2", emulator="qemu", runs=1, instructions=8000.0, instructions_per_mac=2.0, layers=[],
        arena_bytes=100, stack_bytes=None, code_bytes=900, weights_bytes=400,
    )    # fmt: skip
    sides = [
        measured.model_copy(update={"boards": [board.model_copy(update={"instructions": count})]})
        for count in (8000.0, 7999.0)
    ]
    found = compare(sides[0], sides[1], ("a", "b")).boards[0]
    assert found.instructions.ratio == 7999 / 8000
    assert found.stack_bytes is None
    assert found.code_bytes is not None and found.code_bytes.a == found.code_bytes.b


def test_what_makes_it_a_comparison_of_different_things_is_said(measured: Results) -> None:
    device = measured.device.model_copy(update={"cpu": "Raspberry Pi 5 Model B Rev 1.0"})
    notes = compare(measured, measured.model_copy(update={"device": device}), ("a", "b")).notes
    assert any("Raspberry Pi 5" in note for note in notes)
    assert any("one process took all turns" in note for note in notes)


def test_a_changed_document_is_refused(measured: Results) -> None:
    with pytest.raises(EdgecnnError, match=r"small\.tflite on litert: blocks, processes and latencies_ms do not fit"):
        compare(changed(measured, blocks=[3, 4]), measured, ("a", "b"))


def test_results_are_found_by_file_and_folder(
    measured: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECNN_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "there" / "results.json"
    write_results(path, measured)
    assert results_file(str(path)) == results_file(str(path.parent)) == path
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="it is no run"):
        results_file(str(tmp_path / "empty"))
    with pytest.raises(EdgecnnError, match="fashion_mnist_cnn has no run"):
        results_file("fashion_mnist_cnn")


def test_ratios_of_a_real_pair_are_those_of_the_medians(measured: Results) -> None:
    again = slower(measured, 1.5)
    for one, a, b in zip(compare(measured, again, ("a", "b")).entries, measured.entries, again.entries, strict=True):
        assert one.ratio == pytest.approx(float(np.median(b.latencies_ms) / np.median(a.latencies_ms)))
