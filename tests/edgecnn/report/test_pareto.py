"""The picture of a search."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edgecnn.errors import EdgecnnError
from edgecnn.report.pareto import Axis, Point, pareto_png

FLASH = Axis("flash", "flash (kB)", 1000, budget=16_000)
ARENA = Axis("arena", "arena (B)", 1)


def point(number: int, flash: float, accuracy: float | None, kind: str, best: bool = False) -> Point:
    return Point(number, {"flash": flash, "arena": flash / 10}, accuracy, kind, best)    # type: ignore[arg-type]


POINTS = [
    point(0, 9000, 0.95, "front", best=True),
    point(1, 5000, 0.90, "front"),
    point(2, 9500, 0.94, "trained"),
    point(3, 7000, 0.60, "stopped"),
    point(4, 17_204, None, "over budget"),
]


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as image:
        pixels = image.convert("RGB").getcolors(maxcolors=2**20)
    assert pixels is not None
    return {colour for count, colour in pixels if count > 10}    # type: ignore[misc]


def test_each_cost_has_a_panel_and_each_kind_its_mark(tmp_path: Path) -> None:
    pareto_png(POINTS, [FLASH], tmp_path / "one.png", "net: 5 trials")
    pareto_png(POINTS, [FLASH, ARENA], tmp_path / "two.png", "net: 5 trials")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert two.height == one.height
        assert 1.7 * one.width < two.width < 2 * one.width
    blue, orange, red = (0x1F, 0x5F, 0xBF), (0xC2, 0x57, 0x0C), (0xA3, 0x24, 0x6B)
    assert {blue, orange, red} <= colours(tmp_path / "one.png")
    pareto_png(POINTS[:2], [ARENA], tmp_path / "front.png", "net: 2 trials")
    assert not {blue, red} & colours(tmp_path / "front.png")


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match="no trial was trained"):
        pareto_png(POINTS[4:], [FLASH], tmp_path / "none.png", "net: 1 trial")
    assert not (tmp_path / "none.png").exists()
