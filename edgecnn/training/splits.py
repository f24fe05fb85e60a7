"""What of the training split is learned from, and what is held back to judge by."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.data import DataSet, Samples
from edgecnn.data.split import group_split, stratified_split, stratified_subset
from edgecnn.errors import UsageError
from edgecnn.recipe import Recipe


@dataclass(frozen=True)
class TrainingSplits:
    """What a training may see, and what it is judged by while it runs. The test split is no part of it.

    Attributes:
        train: Samples that are learned from.
        validation: Samples that choose the best epoch.
    """

    train: Samples
    validation: Samples


def training_splits(dataset: DataSet, recipe: Recipe) -> TrainingSplits:
    """The training split divided into what is learned from and what is held back: stratified or by group, and seeded.

    Raises:
        UsageError: ``data.limit`` leaves too few samples, or none can be held back.
    """
    samples = dataset.train
    classes = len(dataset.labels)
    if recipe.data.limit is not None:
        samples = samples.take(stratified_subset(samples.strata, recipe.data.limit, recipe.train.seed))
    if len(samples) < 2 * classes:
        raise UsageError(
            f"{len(samples)} training samples are too few for {classes} classes. Use at least {2 * classes} (--limit)."
        )
    seed, share = recipe.train.seed, recipe.data.validation
    if samples.groups is not None:
        learned, held = group_split(samples.groups, samples.strata, share, seed)
    else:
        learned, held = stratified_split(samples.strata, share, seed)
    if not len(held):
        raise UsageError(
            f"{dataset.source}: of {len(samples)} training samples none can be held back for validation: each is the "
            "only one of its class in its group (a person, a recording). Have more samples of each."
        )
    return TrainingSplits(samples.take(learned), samples.take(held))
