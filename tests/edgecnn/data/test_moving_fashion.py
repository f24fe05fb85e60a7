"""Clips against what they claim: real pictures, one direction each, and nothing of it in a single frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import fashion_mnist, moving_fashion, open_dataset
from edgecnn.data.moving_fashion import DIRECTIONS, FRAMES, PICTURE, SPEEDS, clips, halved
from edgecnn.errors import UsageError
from edgecnn.recipe import DataSection
from tests.support import write_idx_set

SIZE = (24, 24)


@pytest.fixture
def pictures(tmp_path: Path) -> DataSection:
    """Random pictures in the files of Fashion-MNIST: 400 for training, 100 for the test."""
    write_idx_set(tmp_path / "idx", count=400)
    return DataSection(set="moving_fashion", path=str(tmp_path / "idx"))


def test_clips_are_made_of_the_pictures_of_their_own_split(pictures: DataSection) -> None:
    data = open_dataset(pictures)
    source = fashion_mnist.open_set(DataSection(set="fashion_mnist", path=pictures.path))
    assert data.labels == tuple(DIRECTIONS)
    for split in ("train", "test"):
        small = halved(source.split(split).x)
        made = data.split(split)
        assert made.x.shape == (len(small), FRAMES, *SIZE, 1)
        assert made.x.dtype == np.uint8
        # The pixels of the picture, no more and no fewer, are in every frame.
        for clip, picture in zip(made.x, small, strict=True):
            pixels = np.sort(np.concatenate([picture.ravel(), np.zeros(24 * 24 - PICTURE**2, np.uint8)]))
            assert (np.sort(clip.reshape(FRAMES, -1), axis=1) == pixels).all()
        counts = np.bincount(made.y, minlength=len(DIRECTIONS))
        assert counts.max() - counts.min() <= 1


def test_each_frame_is_the_one_before_moved_in_the_direction_of_the_class(pictures: DataSection) -> None:
    made = open_dataset(pictures).train
    speeds = set()
    for clip, label in zip(made.x, made.y, strict=True):
        step = list(DIRECTIONS.values())[label]
        fitting = [
            speed
            for speed in SPEEDS
            if all(
                np.array_equal(np.roll(clip[f], (step[0] * speed, step[1] * speed), axis=(0, 1)), clip[f + 1])
                for f in range(FRAMES - 1)
            )
        ]
        assert len(fitting) == 1
        speeds.update(fitting)
    assert speeds == set(SPEEDS)


def test_where_a_picture_stands_in_a_frame_says_nothing_of_its_direction() -> None:
    side = 12
    dots = np.full((16_000, 1, 1, 1), 255, np.uint8)
    made = clips(dots, (side, side), np.random.default_rng(1))
    where = made.x.reshape(len(dots), FRAMES, -1).argmax(axis=2)
    for frame in (0, FRAMES // 2, FRAMES - 1):
        for label in range(len(DIRECTIONS)):
            found = np.bincount(where[made.y == label, frame], minlength=side**2)
            expected = found.sum() / found.size
            chi_squared = ((found - expected) ** 2 / expected).sum()
            # 143 degrees of freedom: mean 143, deviation 17. One row that is never met would add some 170.
            assert chi_squared < 143 + 5 * 17


def test_the_same_clips_every_time_and_others_for_the_test(pictures: DataSection) -> None:
    one, other = (open_dataset(pictures) for _ in range(2))
    assert np.array_equal(one.train.x, other.train.x)
    assert np.array_equal(one.test.y, other.test.y)
    assert not np.array_equal(one.train.y[:100], one.test.y)


def test_digests_are_those_of_the_files_that_were_read(pictures: DataSection) -> None:
    data = open_dataset(pictures)
    _ = data.train
    assert sorted(data.sha256) == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    _ = data.test
    assert len(data.sha256) == 4


def test_halved_is_the_mean_of_blocks() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
    exact = images.reshape(5, 14, 2, 14, 2, 1).mean(axis=(2, 4))
    assert np.abs(halved(images) - exact).max() <= 0.5
    assert halved(np.full((1, 28, 28, 1), 255, np.uint8)).min() == 255


def test_a_larger_frame_and_settings_that_are_refused(pictures: DataSection) -> None:
    larger = open_dataset(pictures.model_copy(update={"size": (24, 40)}))
    assert larger.test.x.shape == (100, FRAMES, 24, 40, 1)
    assert larger.info.shape == (FRAMES, 24, 40, 1)
    with pytest.raises(UsageError, match=r"data\.size = \[20, 24\].*24x24"):
        open_dataset(pictures.model_copy(update={"size": (20, 24)}))
    with pytest.raises(UsageError, match="no such setting"):
        open_dataset(pictures.model_copy(update={"rate": 8000}))


def test_it_is_there_where_fashion_mnist_is(pictures: DataSection) -> None:
    place = moving_fashion.locate(pictures)
    assert place is not None
    assert str(place.path) == pictures.path
    assert moving_fashion.locate(pictures.model_copy(update={"path": "nowhere"})) is None
