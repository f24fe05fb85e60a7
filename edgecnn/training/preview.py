"""Which samples a preview shows: some of each class of the training split, and what a recipe's training makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecnn.data.base import DataSet, Samples
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import Recipe
from edgecnn.report.preview import Row
from edgecnn.training import augment as changes
from edgecnn.training.feed import targets, usual_outputs
from edgecnn.training.losses import takes_indices
from edgecnn.training.train import training_splits

COLUMNS = {"picture": 8, "clip": 2, "curve": 4, "text": 4}
"""How many samples of a class are shown."""

MOST_CLASSES = 12
SEED = 0


def set_rows(dataset: DataSet) -> list[Row]:
    """Samples of the training split as they are, a row for each class.

    Args:
        dataset: Any set; its training split is read.
    """
    chosen = _chosen(dataset.train, dataset.labels)
    return chosen.rows(chosen.samples.x, chosen.samples.y, "")


def recipe_rows(dataset: DataSet, recipe: Recipe) -> list[Row]:
    """The same of what a recipe learns from, and below each row what an epoch may see in its place.

    Args:
        dataset: What the recipe's ``[data]`` names.
        recipe: Of a model.

    Raises:
        UsageError: The augmentation is not one for these samples or targets.
    """
    learned = training_splits(dataset, recipe).train
    preprocess = recipe.preprocess.fit(learned.x)
    chosen = _chosen(learned, dataset.labels)
    samples = chosen.samples
    indices = takes_indices(recipe, usual_outputs(recipe.model.task, len(dataset.labels)))
    y = targets(samples.y, recipe.model.task, len(dataset.labels), indices)
    augment = recipe.data.augment
    changes.check(samples.x, y, preprocess, augment)
    generator = np.random.default_rng([recipe.train.seed, 0, 1])
    x, moved = changes.augment_raw(samples.x, y, preprocess, augment, generator)
    inputs, _ = changes.augment_inputs(preprocess.apply(x), moved, preprocess, augment, generator)
    masks = samples.y
    if samples.y.ndim > 1:    # as moved with their images
        masks = moved[..., 0] >= 0.5 if moved.shape[-1] == 1 else moved.argmax(axis=-1)
    rows = [chosen.rows(samples.x, samples.y, "as they are")]
    if augment != type(augment)():
        shown = _pixels(inputs, preprocess) if isinstance(preprocess, ImagePreprocess) else x
        rows.append(chosen.rows(shown.reshape(x.shape), masks, "augmented"))
    if inputs.ndim != x.ndim and x.ndim > 1:
        rows.append(chosen.rows(inputs, masks, "what the network takes"))
    if len(rows) == 1:
        return chosen.rows(samples.x, samples.y, "")
    if samples.y.ndim > 1:
        return [row for group in rows for row in group]
    return [row for group in zip(*rows, strict=True) for row in group]


def _pixels(inputs: np.ndarray, preprocess: ImagePreprocess) -> np.ndarray:
    """What a network takes, back to pixels ``uint8``."""
    values = (inputs - np.float32(preprocess.offset)) / np.float32(preprocess.scale)
    pixels: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


def _columns(x: np.ndarray) -> int:
    if x.dtype.kind in "US":
        return COLUMNS["text"]
    if x.dtype == np.uint8:
        return COLUMNS["clip" if x.ndim == 5 else "picture"]
    return COLUMNS["curve"]


@dataclass(frozen=True)
class _Chosen:
    """A few samples.

    Attributes:
        samples: They themselves.
        places: Class name, and where among them those of the class stand; for masks one entry with all.
        labels: Of the data.
    """

    samples: Samples
    places: list[tuple[str, np.ndarray]]
    labels: tuple[str, ...]

    def rows(self, x: np.ndarray, y: np.ndarray, note: str) -> list[Row]:
        """What stands for the samples, in rows; where they have masks, once without and once with.

        Args:
            x: ``[n, ...]``: the samples, or what was made of them.
            y: Their classes or masks.
            note: What ``x`` is.
        """
        if self.samples.y.ndim == 1:
            return [Row(name, note, x[places]) for name, places in self.places]
        rarer = int(np.mean(self.samples.y) < 0.5)    # what is looked for is mostly the rarer one
        return [Row("samples", note, x), Row(f"{self.labels[rarer]} tinted", note, x, y == rarer)]


def _chosen(samples: Samples, labels: tuple[str, ...]) -> _Chosen:
    """A few samples of each class, the same ones every time."""
    generator = np.random.default_rng(SEED)
    columns = _columns(samples.x)
    if samples.y.ndim > 1:
        order = np.sort(generator.permutation(len(samples))[:columns])
        return _Chosen(samples.take(order), [("", np.arange(len(order)))], labels)
    found = [generator.permutation(np.flatnonzero(samples.y == label))[:columns] for label in range(len(labels))]
    found = found[:MOST_CLASSES]
    ends = np.cumsum([len(places) for places in found])
    rows = [
        (name, np.arange(end - len(places), end))
        for name, places, end in zip(labels, found, ends, strict=False)
        if len(places)
    ]
    return _Chosen(samples.take(np.concatenate(found)), rows, labels)
