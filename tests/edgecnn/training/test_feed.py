"""Training batches depend on the seed and the epoch, and on nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.base import Samples
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import AugmentSection
from edgecnn.training.feed import augment_images, evaluation_batches, targets, training_batches

PLAIN = ImagePreprocess(scale=1.0)


def numbered(count: int) -> Samples:
    """Samples whose every pixel is their number."""
    x = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 4, 6, 1)).copy()
    return Samples(x, np.arange(count))


def epochs_of(count: int, batch: int, seed: int, epochs: range) -> list[list[np.ndarray]]:
    samples = numbered(count)
    feed = training_batches(
        samples, samples.y, PLAIN, AugmentSection(shift=0.3, flip="both"), batch=batch, seed=seed, epochs=epochs
    )
    steps = -(-count // batch)
    return [[next(feed)[0] for _ in range(steps)] for _ in epochs]


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5))
def test_an_epoch_shows_every_sample_once(count: int, batch: int, seed: int) -> None:
    samples = numbered(count)
    feed = training_batches(samples, samples.y, PLAIN, AugmentSection(), batch=batch, seed=seed, epochs=range(1))
    pairs = list(feed)
    seen = np.concatenate([y for _, y in pairs])
    assert sorted(seen) == list(range(count))
    assert all((x == y[:, None, None, None]).all() for x, y in pairs)


@given(st.integers(2, 40), st.integers(1, 50), st.integers(0, 5), st.integers(1, 3))
def test_an_epoch_is_the_same_whether_or_not_those_before_it_ran(count: int, batch: int, seed: int, first: int) -> None:
    unbroken = epochs_of(count, batch, seed, range(5))[first:]
    resumed = epochs_of(count, batch, seed, range(first, 5))
    for ours, theirs in zip(unbroken, resumed, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_epochs_and_seeds_differ() -> None:
    first, second = (np.concatenate(batches) for batches in epochs_of(40, 8, 1, range(2)))
    other = np.concatenate(epochs_of(40, 8, 2, range(1))[0])
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_shifts_move_whole_pixels_and_repeat_the_edge() -> None:
    image = np.arange(8 * 8, dtype=np.uint8).reshape(1, 8, 8, 1)
    shifted = {
        augment_images(image, AugmentSection(shift=0.125), np.random.default_rng(seed)).tobytes() for seed in range(200)
    }
    allowed = set()
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            padded = np.pad(image[0, :, :, 0], 1, mode="edge")
            allowed.add(padded[1 - down : 9 - down, 1 - right : 9 - right].tobytes())
    assert shifted == allowed


def test_flips_happen_about_half_the_time_and_along_the_right_axis() -> None:
    images = np.tile(np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1), (1000, 1, 1, 1))
    for flip, axis in (("horizontal", 2), ("vertical", 1)):
        out = augment_images(images, AugmentSection(flip=flip), np.random.default_rng(0))
        turned = (out == np.flip(images, axis)).all(axis=(1, 2, 3))
        kept = (out == images).all(axis=(1, 2, 3))
        assert (turned ^ kept).all()
        assert 400 < turned.sum() < 600


def test_evaluation_keeps_the_order_and_targets_take_both_forms() -> None:
    samples = numbered(10)
    x = np.concatenate([x for x, _ in evaluation_batches(samples, samples.y, PLAIN, batch=3)])
    assert np.array_equal(x, samples.x)
    assert np.array_equal(targets(np.array([2, 0]), 3, indices=False), [[0, 0, 1], [1, 0, 0]])
    assert np.array_equal(targets(np.array([2, 0]), 3, indices=True), [2, 0])
