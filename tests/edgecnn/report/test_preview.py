"""The picture of samples: each kind is drawn, in its row, and a file is written whole or not at all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.report.preview import Row, preview_png

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("matplotlib", reason="Matplotlib is not installed")

COLOURS = [(200, 20, 20), (20, 200, 20), (20, 20, 200)]


def drawn(tmp_path: Path, *rows: Row) -> np.ndarray:
    path = tmp_path / "preview.png"
    preview_png(rows, "a title", path)
    return np.asarray(Image.open(path).convert("RGB"))


def where(picture: np.ndarray, colour: tuple[int, ...]) -> tuple[slice, slice]:
    """The box that holds every pixel of a colour."""
    places = np.argwhere((picture == colour).all(axis=2))
    assert len(places) > 50, f"{colour} is nowhere in the picture"
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0)
    return slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)


def plain(*colours: tuple[int, ...], size: tuple[int, int] = (8, 8)) -> np.ndarray:
    return np.stack([np.broadcast_to(np.array(colour, np.uint8), (*size, len(colour))) for colour in colours])


def test_images_stand_side_by_side_and_rows_one_below_the_other(tmp_path: Path) -> None:
    picture = drawn(tmp_path, Row("one", "", plain(*COLOURS)), Row("two", "note", plain(*reversed(COLOURS))))
    half = where(picture, COLOURS[0])[0]
    middle = (half.start + half.stop) // 2
    above, below = picture[:middle], picture[middle:]
    for part, order in ((above, COLOURS), (below, COLOURS[::-1])):
        boxes = [where(part, colour) for colour in order]
        assert len({box[0].start for box in boxes}) == 1
        columns = [box[1] for box in boxes]
        assert all(left.stop < right.start for left, right in pairwise(columns))
        widths = [column.stop - column.start for column in columns]
        assert max(widths) - min(widths) <= 2


def test_grey_images_are_grey_and_a_mask_is_a_tint_on_its_pixels(tmp_path: Path) -> None:
    x = plain((100,), (100,), size=(8, 8))
    tinted = np.zeros((2, 8, 8), bool)
    tinted[1, :, 4:] = True    # the right half of the second
    picture = drawn(tmp_path, Row("grey", "", x, tinted))
    grey = where(picture, (100, 100, 100))
    red = (picture[..., 0].astype(int) - picture[..., 1] > 40) & (picture[..., 1] > 0)
    places = np.argwhere(red)
    assert len(places) > 50
    assert places[:, 1].min() > (grey[1].start + grey[1].stop) / 2
    assert places[:, 0].min() >= grey[0].start
    assert places[:, 0].max() < grey[0].stop
    share = len(places) / (picture[grey] == 100).all(axis=2).sum()
    assert share == pytest.approx(1 / 3, abs=0.05)


def test_the_frames_of_a_clip_are_a_strip(tmp_path: Path) -> None:
    clip = plain(*COLOURS)[np.newaxis]    # one clip of three frames
    columns = [where(drawn(tmp_path, Row("clip", "", clip)), colour)[1] for colour in COLOURS]
    assert all(0 < right.start - left.stop < 6 for left, right in pairwise(columns))


def test_curves_follow_the_signal(tmp_path: Path) -> None:
    """A step up: the line is low on the left and high on the right."""
    step = np.concatenate([np.full((50, 1), -1000), np.full((50, 1), 1000)]).astype(np.int16)
    picture = drawn(tmp_path, Row("step", "", np.stack([step, -step])))
    blue = np.argwhere(picture[..., 2].astype(int) - picture[..., 0] > 80)
    columns = np.array_split(np.arange(blue[:, 1].min(), blue[:, 1].max() + 1), 4)    # left and right of two signals
    heights = [float(np.median(blue[np.isin(blue[:, 1], part[3:-3])][:, 0])) for part in columns]
    assert heights[0] > heights[1] + 20    # rows count from the top
    assert heights[3] > heights[2] + 20


def test_signals_of_many_channels_spectrograms_and_texts(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    signal = drawn(tmp_path, Row("walking", "", generator.normal(size=(4, 100, 6)).astype(np.float32)))
    assert len(np.unique(signal.reshape(-1, 3), axis=0)) > 20
    bands = np.zeros((2, 40, 30, 1), np.float32)
    bands[:, :, :10] = 1    # energy in the low frequencies: the lower third is bright
    picture = drawn(tmp_path, Row("spectrogram", "", bands))
    bright = np.argwhere((picture[..., 0] > 240) & (picture[..., 2] < 220))    # the upper end of the colour map
    dark = np.argwhere(picture.sum(axis=2) < 12)    # the lower end
    assert bright[:, 0].min() > dark[:, 0].max() - 2
    texts = np.array(["short", "word " * 100, "[b]tag[/b] $x^2$ \x1b[2J é", ""])
    lines = drawn(tmp_path, Row("ham", "", texts))
    inked = (lines[:, 200:] < 128).any(axis=(1, 2))
    blocks = int(np.sum(inked[1:] & ~inked[:-1]))
    assert blocks >= 4    # the title, and a line or more for each text


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "preview.png").mkdir()
    with pytest.raises(EdgecnnError, match="cannot write"):
        preview_png([Row("one", "", plain(*COLOURS))], "title", tmp_path / "preview.png")
    assert [path.name for path in tmp_path.iterdir()] == ["preview.png"]
