"""Random changes to training samples, drawn from the generator of the batch: none to validation or test.

Changes that the sensor could have seen are made to raw samples (``augment_raw``), the others to what the network takes
(``augment_inputs``). One file for each kind of sample.
"""

from __future__ import annotations

import numpy as np

from edgecnn.errors import UsageError
from edgecnn.preprocess import PreprocessKind
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import images, signals

FIELDS: dict[str, tuple[str, ...]] = {
    "audio": signals.FIELDS,
    "image": images.FIELDS,
    "signal": signals.FIELDS,
    "spectrogram": signals.SPECTROGRAM_FIELDS,
    "text": (),
}
"""``preprocess.kind`` to what of ``[data.augment]`` its samples know; any other field that is set is refused."""


def check(x: np.ndarray, y: np.ndarray, preprocess: PreprocessKind, augment: AugmentSection) -> None:
    """Refuse what cannot be done to these samples, before a training begins.

    Args:
        x: ``[N, ...]`` raw samples.
        y: ``[N, ...]`` targets as the loss takes them.
        preprocess: Its kind tells what the samples are.
        augment: How much of what.

    Raises:
        UsageError: A setting is not one for this kind of samples, or needs targets or inputs that are not these.
    """
    if augment.mixup:
        _check_mixup(x, y, preprocess)
    known = FIELDS.get(preprocess.kind)
    for name, field in AugmentSection.model_fields.items():
        if known is not None and name not in known and getattr(augment, name) != field.default:
            raise UsageError(
                f"data.augment.{name}: not for samples of preprocess.kind = {preprocess.kind!r}. "
                f"They know {', '.join(known) or 'none of these'}. Remove it."
            )
    if preprocess.kind == "image":
        images.check(x.shape[1:], augment)


def _check_mixup(x: np.ndarray, y: np.ndarray, preprocess: PreprocessKind) -> None:
    if not np.issubdtype(y.dtype, np.floating):
        raise UsageError(
            "data.augment.mixup mixes targets, and train.loss takes classes as integers. Set train.loss = "
            "'categorical_crossentropy', which takes one-hot targets."
        )
    if not np.issubdtype(preprocess.apply(x[:1]).dtype, np.floating):
        raise UsageError(
            "data.augment.mixup mixes inputs, and what this network takes are whole numbers that look something up. "
            "Remove it."
        )


def augment_raw(
    x: np.ndarray, y: np.ndarray, preprocess: PreprocessKind, augment: AugmentSection, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A batch of raw samples and its classes, changed at random.

    Args:
        x: ``[B, ...]`` raw samples.
        y: ``[B, ...]`` targets as the loss takes them; masks ``[B, H, W, ...]`` move with their images.
        preprocess: Its kind tells what the samples are.
        augment: How much of what.
        generator: Of the batch.
    """
    if preprocess.kind == "image":
        return images.augment(x, y, augment, generator)
    if preprocess.kind in signals.KINDS:
        return signals.augment(x, augment, generator), y
    return x, y


def augment_inputs(
    x: np.ndarray, y: np.ndarray, preprocess: PreprocessKind, augment: AugmentSection, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A batch as the network takes it and its targets, changed at random: masks over spectrograms, mixtures.

    Args:
        x: ``[B, ...]`` float32 or int32.
        y: ``[B, ...]`` targets as the loss takes them.
        preprocess: Its kind tells what the samples are.
        augment: How much of what.
        generator: Of the batch.
    """
    if preprocess.kind in signals.KINDS:
        x = signals.mask(x, preprocess, augment, generator)
    if augment.mixup:
        x, y = mixed(x, y, augment.mixup, generator)
    return x, y


def mixed(x: np.ndarray, y: np.ndarray, alpha: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each sample mixed with another one of the batch: ``share * one + (1 - share) * other``, inputs and targets alike.

    After Zhang, Cissé, Dauphin and Lopez-Paz (2018), *mixup: beyond empirical risk minimization*, section 2; the
    share is drawn from ``Beta(alpha, alpha)``, here for each sample.

    Args:
        x: float ``[B, ...]``.
        y: float ``[B, ...]``: one-hot, or one value for each output.
        alpha: Above 0; the larger, the more even the mixtures.
        generator: Of the batch.

    Returns:
        Both, float32 and of the same shape.
    """
    share = generator.beta(alpha, alpha, len(x)).astype(np.float32)
    other = generator.permutation(len(x))
    return _between(x, share, other), _between(y, share, other)


def _between(part: np.ndarray, share: np.ndarray, other: np.ndarray) -> np.ndarray:
    others: np.ndarray = part[other]
    result: np.ndarray = part - others
    result *= share.reshape(-1, *[1] * (part.ndim - 1))
    result += others
    return result
