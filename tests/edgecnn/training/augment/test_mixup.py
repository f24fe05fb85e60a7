"""Mixtures of inputs and targets, and the settings that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import UsageError
from edgecnn.preprocess import ImagePreprocess, SignalPreprocess
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import augment_inputs, check, mixed

IMAGES = np.zeros((4, 6, 6, 1), np.uint8)
ONE_HOT = np.eye(4, dtype=np.float32)


def test_inputs_and_targets_are_mixed_in_the_same_shares() -> None:
    # Each sample is its own one-hot target, so a mixture of inputs must be the mixture of targets.
    x = np.eye(50, dtype=np.float32)
    out, y = mixed(x, x.copy(), 0.4, np.random.default_rng(1))
    assert np.array_equal(out, y)
    assert np.allclose(out.sum(axis=1), 1)
    assert ((out > 0).sum(axis=1) <= 2).all()
    assert ((out > 0).sum(axis=1) == 2).sum() > 30


def test_shares_are_those_of_the_beta_distribution() -> None:
    x = np.concatenate([np.zeros((2000, 1), np.float32), np.ones((2000, 1), np.float32)])
    for alpha in (0.2, 2.0):
        out, _ = mixed(x, x, alpha, np.random.default_rng(2))
        between = out[(out > 0) & (out < 1)]
        expected = 1 / (4 * (2 * alpha + 1))    # variance of Beta(alpha, alpha)
        assert between.mean() == pytest.approx(0.5, abs=0.03)
        assert between.var() == pytest.approx(expected, rel=0.12)


def test_any_shape_of_input_and_target_and_float32_stays() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.random((6, 4, 4, 3), np.float32), generator.random((6, 4, 4, 1), np.float32)
    out, targets = augment_inputs(x, y, ImagePreprocess(), AugmentSection(mixup=0.3), np.random.default_rng(1))
    assert (out.shape, out.dtype) == (x.shape, x.dtype)
    assert (targets.shape, targets.dtype) == (y.shape, y.dtype)
    assert not np.array_equal(out, x)
    again, _ = augment_inputs(x, y, ImagePreprocess(), AugmentSection(mixup=0.3), np.random.default_rng(1))
    assert np.array_equal(out, again)


def test_class_indices_cannot_be_mixed_and_the_message_says_what_can() -> None:
    check(IMAGES, ONE_HOT, ImagePreprocess(), AugmentSection(mixup=0.2))
    with pytest.raises(UsageError, match=r"mixup.*integers.*categorical_crossentropy"):
        check(IMAGES, np.arange(4), ImagePreprocess(), AugmentSection(mixup=0.2))


def test_ids_cannot_be_mixed() -> None:
    from edgecnn.preprocess import TextPreprocess

    texts = np.array(["a b", "b c"])
    words = TextPreprocess(length=4, vocabulary_size=8).fit(texts)
    with pytest.raises(UsageError, match="whole numbers"):
        check(texts, ONE_HOT[:2], words, AugmentSection(mixup=0.2))


def test_what_a_kind_of_sample_does_not_know_is_refused() -> None:
    signals = np.zeros((4, 16, 2), np.float32)
    with pytest.raises(UsageError, match=r"data\.augment\.flip.*'signal'.*noise"):
        check(signals, ONE_HOT, SignalPreprocess(), AugmentSection(flip="horizontal"))
    with pytest.raises(UsageError, match=r"data\.augment\.noise.*'image'.*shift, flip"):
        check(IMAGES, ONE_HOT, ImagePreprocess(), AugmentSection(noise=0.1))
    check(IMAGES, ONE_HOT, ImagePreprocess(), AugmentSection())
