"""The kept figures of ``benchmarks/mcu.py``: their text, and what counts as worse."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
KEY = "net cortex-m4 balanced -O2"


@pytest.fixture
def mcu_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import mcu_figures

    yield mcu_figures
    for name in ("mcu_figures", "mcu_measuring"):
        sys.modules.pop(name, None)


def figures(instructions: int = 1000, kernel: str = "conv_2d", arena: int = 500) -> dict[str, dict[str, Any]]:
    sizes = {"arena": arena, "stack": 100, "code": 2000, "weights": 300, "tables": 20}
    layers = {"conv_2d_1": {"kernel": kernel, "macs": 200, "instructions": instructions - 100}}
    return {KEY: {"macs": 200, "instructions": instructions, **sizes, "layers": layers}}


def test_the_text_has_a_line_for_each_figure_and_reads_back(mcu_figures: Any, tmp_path: Path) -> None:
    tools = {"cortex-m4": "gcc 12.2, qemu 7.2"}
    path = tmp_path / "figures.json"
    path.write_text(mcu_figures.figures_text(tools, figures()))
    assert mcu_figures.load_figures(path) == (tools, figures())
    longer = mcu_figures.figures_text(tools, figures(1001)).splitlines()
    assert sum(a != b for a, b in zip(path.read_text().splitlines(), longer, strict=True)) == 2    # and the layer's
    assert mcu_figures.load_figures(tmp_path / "none") == ({}, {})


def test_half_a_per_cent_more_is_no_worse_and_a_little_more_is(mcu_figures: Any) -> None:
    assert mcu_figures.changes(figures(), figures()) == ([], False)
    assert not mcu_figures.changes(figures(), figures(1005))[1]
    lines, worse = mcu_figures.changes(figures(), figures(1006))
    assert worse
    assert lines[0] == KEY
    assert lines[1].split() == ["instructions", "1,000", "1,006", "+0.6", "%", "worse"]
    assert mcu_figures.changes(figures(), figures(arena=504))[1]
    assert not mcu_figures.changes(figures(), figures(500, arena=100))[1]


def test_layers_are_shown_with_their_kernels_and_new_programs_judged_by_nobody(mcu_figures: Any) -> None:
    lines, worse = mcu_figures.changes(figures(), figures(900, "conv_2d_pairs"))
    assert not worse
    assert lines[2].split() == ["conv_2d_1", "900", "800", "-11.1", "%", "conv_2d", "->", "conv_2d_pairs"]
    assert mcu_figures.changes({}, figures()) == ([f"{KEY}: new"], False)


def test_tflite_micros_figures_are_there_for_the_cores_that_it_was_measured_on(mcu_figures: Any) -> None:
    assert mcu_figures.reference("ic_resnet8_int8.tflite", "cortex-m4")["instructions"] == 28_510_000
    assert not mcu_figures.reference("ic_resnet8_int8.tflite", "riscv32")
    assert not mcu_figures.reference("other.tflite", "cortex-m4")
