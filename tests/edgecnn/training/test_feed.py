"""Training batches depend on the seed and the epoch, and on nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data.base import Samples
from edgecnn.errors import UsageError
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import AugmentSection
from edgecnn.training import feed
from edgecnn.training.feed import Batch, Waiting, evaluation_batches, targets, training_batches

PLAIN = ImagePreprocess(scale=1.0)
MUCH = AugmentSection(shift=0.3, flip="both", brightness=0.2, rotation=20, cutout=0.3)


def numbered(count: int) -> Samples:
    """Samples whose every pixel is their number."""
    x = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 4, 6, 1)).copy()
    return Samples(x, np.arange(count))


def noisy(count: int) -> Samples:
    return Samples(np.random.default_rng(7).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8), np.arange(count))


def epochs_of(count: int, batch: int, seed: int, epochs: range, workers: int | None = None) -> list[list[Batch]]:
    samples = noisy(count)
    made = training_batches(samples, samples.y, PLAIN, MUCH, batch=batch, seed=seed, epochs=epochs, workers=workers)
    steps = -(-count // batch)
    result = [[next(made) for _ in range(steps)] for _ in epochs]
    assert next(made, None) is None
    return result


def same(ours: list[list[Batch]], theirs: list[list[Batch]]) -> bool:
    pairs = [(a, b) for one, other in zip(ours, theirs, strict=True) for a, b in zip(one, other, strict=True)]
    return all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in pairs)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5))
def test_an_epoch_shows_every_sample_once(count: int, batch: int, seed: int) -> None:
    samples = numbered(count)
    made = training_batches(samples, samples.y, PLAIN, AugmentSection(), batch=batch, seed=seed, epochs=range(1))
    pairs = list(made)
    seen = np.concatenate([y for _, y in pairs])
    assert sorted(seen) == list(range(count))
    assert all((x == y[:, None, None, None]).all() for x, y in pairs)


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(1, 50), st.integers(0, 5), st.integers(1, 3))
def test_an_epoch_is_the_same_whether_or_not_those_before_it_ran(count: int, batch: int, seed: int, first: int) -> None:
    unbroken = epochs_of(count, batch, seed, range(5))[first:]
    assert same(unbroken, epochs_of(count, batch, seed, range(first, 5)))


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_however_many_threads_make_them_the_batches_are_those_of_none(workers: int) -> None:
    assert same(epochs_of(40, 3, 1, range(3), workers=0), epochs_of(40, 3, 1, range(3), workers=workers))


def test_epochs_seeds_and_batches_differ() -> None:
    first, second = (np.concatenate([x for x, _ in made]) for made in epochs_of(40, 8, 1, range(2)))
    other = np.concatenate([x for x, _ in epochs_of(40, 8, 2, range(1))[0]])
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
    # One sample, shown again and again: each batch draws anew.
    samples = Samples(np.repeat(noisy(1).x, 8, axis=0), np.zeros(8, np.int64))
    made = training_batches(samples, samples.y, PLAIN, MUCH, batch=1, seed=1, epochs=range(1))
    assert len({x.tobytes() for x, _ in made}) > 4


def test_the_first_batch_does_not_draw_what_the_order_drew() -> None:
    """NumPy's seeds are filled up with zeros: [1, 0] and [1, 0, 0] are one seed."""
    assert np.random.default_rng([1, 0]).random() == np.random.default_rng([1, 0, 0]).random()
    samples = Samples(np.zeros((64, 1, 1, 1), np.uint8), np.zeros((64, 1), np.float32))
    drawn: list[np.random.Generator] = []

    def spy(x: np.ndarray, y: np.ndarray, *rest: object) -> Batch:
        generator = rest[-1]
        assert isinstance(generator, np.random.Generator)
        drawn.append(generator)
        return x, y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed.changes, "augment_raw", spy)
        list(training_batches(samples, samples.y, PLAIN, MUCH, batch=32, seed=1, epochs=range(1), workers=0))
    first, second = (generator.random() for generator in drawn)
    assert len({first, second, np.random.default_rng([1, 0]).random()}) == 3


def test_batches_are_made_ahead_on_other_threads_which_end_with_the_iterator() -> None:
    samples = numbered(40)
    before = set(threading.enumerate())
    made = training_batches(
        samples, samples.y, PLAIN, AugmentSection(), batch=1, seed=1, epochs=range(3), workers=2
    )
    next(made)
    started = [thread for thread in threading.enumerate() if thread not in before]
    assert started
    del made
    for thread in started:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_an_augmentation_that_cannot_be_is_refused_before_the_first_batch() -> None:
    samples = numbered(4)
    with pytest.raises(UsageError, match="categorical_crossentropy"):
        training_batches(samples, samples.y, PLAIN, AugmentSection(mixup=0.2), batch=1, seed=1, epochs=range(1))


def test_evaluation_keeps_the_order_and_targets_take_every_form() -> None:
    samples = numbered(10)
    x = np.concatenate([x for x, _ in evaluation_batches(samples, samples.y, PLAIN, batch=3)])
    assert np.array_equal(x, samples.x)
    y, masks = np.array([2, 0]), np.array([[[0, 1]], [[1, 1]]])
    assert np.array_equal(targets(y, "classification", 3, indices=False), [[0, 0, 1], [1, 0, 0]])
    assert np.array_equal(targets(y, "classification", 3, indices=True), [2, 0])
    assert np.array_equal(targets(np.array([1, 0]), "binary", 2, indices=False), [[1], [0]])
    assert np.array_equal(targets(masks, "segmentation", 2, indices=False), masks[..., None])
    assert targets(masks, "segmentation", 3, indices=False).shape == (2, 1, 2, 3)


@pytest.mark.slow
def test_a_data_set_begins_anew_whenever_it_is_iterated_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    samples = numbered(7)

    def make() -> Iterator[Batch]:
        return training_batches(samples, samples.y, PLAIN, MUCH, batch=2, seed=1, epochs=range(2))

    dataset = feed.as_dataset(make, (4, 6), "float32", samples.y, 8, Waiting())
    assert [part.shape.as_list() for part in dataset.element_spec] == [[None, 4, 6], [None]]
    for taken in (8, 3, 8):    # the second time it is left in the middle
        drawn = [(x.numpy(), y.numpy()) for x, y in dataset.take(taken)]
        assert [x.shape for x, _ in drawn] == ([(2, 4, 6), (2, 4, 6), (2, 4, 6), (1, 4, 6)] * 2)[:taken]
        for (x, y), (ours, classes) in zip(drawn, make(), strict=False):
            assert np.array_equal(x, ours.reshape(-1, 4, 6))
            assert np.array_equal(y, classes)
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("edgecnn-feed"):
            thread.join(timeout=30)
            assert not thread.is_alive()


@pytest.mark.slow
def test_what_a_step_stands_still_for_is_waiting_and_what_is_made_meanwhile_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that stands still but for the four seconds that each batch takes."""
    samples, waiting = numbered(3), Waiting()
    made, first_taken = threading.Semaphore(0), threading.Event()
    now = 0.0

    def make() -> Iterator[Batch]:
        nonlocal now
        for number in range(3):
            if number == 1:
                assert first_taken.wait(60)
            now += 4
            made.release()
            yield samples.x[number : number + 1].astype(np.float32), samples.y[number : number + 1]

    monkeypatch.setattr(feed, "time", SimpleNamespace(perf_counter=lambda: now))
    drawn = iter(feed.as_dataset(make, (4, 6, 1), "float32", samples.y, 3, waiting))
    next(drawn)    # nothing is made before it is wanted
    assert waiting.seconds == 4
    first_taken.set()
    for _ in range(3):    # while the network computes
        assert made.acquire(timeout=60)
    assert [int(y[0]) for _, y in drawn] == [1, 2]
    assert waiting.seconds == 4
