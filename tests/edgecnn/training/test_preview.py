"""Which samples a preview shows, and what a recipe makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.data.base import DataSet, DataSetInfo, Samples, SplitName
from edgecnn.recipe import Recipe
from edgecnn.report.preview import Row
from edgecnn.training.preview import COLUMNS, recipe_rows, set_rows

INFO = DataSetInfo("noise", "Noise", None, None, None, "none", "", ("made here",))


def data_of(samples: Samples, *labels: str) -> DataSet:
    def read(name: SplitName) -> tuple[Samples, dict[str, str]]:
        assert name == "train", "a preview has no business in the test split"
        return samples, {}

    return DataSet(INFO, labels, "here", read)


def recipe_of(task: str = "classification", preprocess: dict[str, Any] | None = None, **augment: Any) -> Recipe:
    return Recipe.model_validate({
        "model": {"name": "net", "task": task},
        "data": {"set": "mnist", "augment": augment},
        "preprocess": preprocess or {"kind": "image"},
    })


def images(classes: int = 3, each: int = 20) -> Samples:
    """Images whose class is their first pixel."""
    x = np.random.default_rng(0).integers(0, 256, (classes * each, 8, 8, 1), dtype=np.uint8)
    y = np.arange(classes * each) % classes
    x[:, 0, 0, 0] = y
    return Samples(x, y)


def notes(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.label, row.note) for row in rows]


def test_a_row_for_each_class_with_samples_of_it() -> None:
    samples = images()
    rows = set_rows(data_of(samples, "a", "b", "c"))
    assert notes(rows) == [("a", ""), ("b", ""), ("c", "")]
    for label, row in enumerate(rows):
        assert len(row.x) == COLUMNS["picture"]
        assert (row.x[:, 0, 0, 0] == label).all()
        assert all((samples.x == one).all(axis=(1, 2, 3)).any() for one in row.x)
    again = set_rows(data_of(samples, "a", "b", "c"))
    assert all(np.array_equal(one.x, other.x) for one, other in zip(rows, again, strict=True))


def test_classes_with_few_samples_or_none() -> None:
    samples = images(2, 3)
    rows = set_rows(data_of(samples, "a", "b", "never"))
    assert [(row.label, len(row.x)) for row in rows] == [("a", 3), ("b", 3)]


def test_below_each_class_what_an_epoch_may_see() -> None:
    rows = recipe_rows(data_of(images(), "a", "b", "c"), recipe_of(flip="horizontal"))
    assert notes(rows)[:3] == [("a", "as they are"), ("a", "augmented"), ("b", "as they are")]
    turned = 0
    for plain, changed in zip(rows[::2], rows[1::2], strict=True):
        for one, other in zip(plain.x, changed.x, strict=True):
            flipped = np.array_equal(one[:, ::-1], other)
            assert flipped or np.array_equal(one, other)
            turned += flipped
    assert 0 < turned < 24


def test_without_augmentation_there_is_nothing_more_to_show() -> None:
    assert notes(recipe_rows(data_of(images(), "a", "b", "c"), recipe_of())) == [("a", ""), ("b", ""), ("c", "")]


def test_mixtures_are_shown_as_pixels() -> None:
    scaled = {"kind": "image", "scale": 2 / 255, "offset": -1.0}
    rows = recipe_rows(data_of(images(), "a", "b", "c"), recipe_of(preprocess=scaled, mixup=5.0))
    plain, mixed = (np.concatenate([row.x for row in rows[start::2]]).astype(int) for start in (0, 1))
    assert mixed.min() >= 0
    assert (np.abs(plain - mixed).max(axis=(1, 2, 3)) > 20).sum() > 20
    # Something of the sample is left in each mixture: its own pixels explain it better than a stranger's.
    own = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(plain, mixed, strict=True)]
    other = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(np.roll(plain, 7, axis=0), mixed, strict=True)]
    assert np.mean(own) > np.mean(other) + 0.3


def test_masks_are_tinted_where_the_rarer_class_is_and_move_with_their_images() -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    samples = Samples(x, (x[..., 0] >= 50).astype(np.int64), np.arange(40))
    rows = recipe_rows(data_of(samples, "dark", "light"), recipe_of("segmentation", flip="both", quarter_turns=True))
    assert notes(rows) == [
        ("samples", "as they are"), ("dark tinted", "as they are"),
        ("samples", "augmented"), ("dark tinted", "augmented"),
    ]
    for row in (rows[1], rows[3]):
        assert row.tinted is not None
        assert np.array_equal(row.tinted, row.x[..., 0] < 50)
    assert not np.array_equal(rows[0].x, rows[2].x)


def test_other_kinds_of_samples() -> None:
    generator = np.random.default_rng(0)
    y = np.arange(24) % 2
    signals = Samples(generator.normal(size=(24, 50, 3)).astype(np.float32), y)
    rows = recipe_rows(data_of(signals, "a", "b"), recipe_of(preprocess={"kind": "signal"}, noise=0.1))
    assert [(row.note, row.x.shape) for row in rows[:2]] == [("as they are", (4, 50, 3)), ("augmented", (4, 50, 3))]
    sounds = Samples(generator.integers(-9000, 9000, (24, 2000, 1)).astype(np.int16), y)
    spectrogram = {"kind": "spectrogram", "rate": 8000}
    rows = recipe_rows(data_of(sounds, "a", "b"), recipe_of(preprocess=spectrogram))
    assert [row.note for row in rows[:2]] == ["as they are", "what the network takes"]
    assert rows[1].x.ndim == 4
    texts = Samples(np.array([f"text number {number}" for number in range(24)]), y)
    words = {"kind": "text", "length": 4, "vocabulary_size": 8}
    rows = recipe_rows(data_of(texts, "a", "b"), recipe_of(preprocess=words))
    assert notes(rows) == [("a", ""), ("b", "")]
    clips = Samples(generator.integers(0, 256, (24, 3, 6, 6, 1), dtype=np.uint8), y)
    rows = recipe_rows(data_of(clips, "a", "b"), recipe_of(shift=0.2))
    assert [row.x.shape for row in rows[:2]] == [(2, 3, 6, 6, 1)] * 2
