"""Networks and augmentations for horses_or_humans, each judged on backgrounds that it has not seen.

    python benchmarks/held_out_backgrounds.py [EPOCHS]

The test images of the set are shifted, so nothing may be chosen on them. Here the training images are divided by their
background into three kinds (k-means on means and deviations of the corners); each kind is held back in turn, and what
was learned from the other two is judged on it. Printed are the AUC and the accuracy (mean of the two classes) at 0.5,
for each kind and their mean. About a minute a line on one core, with 12 epochs.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers
from sklearn.cluster import KMeans

from edgecnn.data import open_dataset
from edgecnn.data.base import Samples
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import AugmentSection, DataSection
from edgecnn.statistics import area_under_roc
from edgecnn.training import feed

KINDS = 3
BATCH = 32
USUAL = AugmentSection(shift=0.1, flip="horizontal", rotation=15, zoom=0.2, brightness=0.2, contrast=0.3)
STRONG = AugmentSection(
    shift=0.2, flip="horizontal", rotation=30, zoom=0.3, brightness=0.3, contrast=0.5, cutout=0.4
)
LINES: tuple[tuple[str, str, AugmentSection], ...] = (
    ("dense", "strong", STRONG),
    ("dense", "usual", USUAL),
    ("max", "strong", STRONG),
    ("max", "usual", USUAL),
    ("norm, average", "strong", STRONG),
)


def network(kind: str) -> Any:
    """The convolutions of models/horses_or_humans with one of three ends."""
    norm = kind.startswith("norm")
    image = keras.Input((96, 96, 3))
    x = image
    for filters, stride in ((16, 2), (32, 1), (64, 1), (64, 1)):
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=not norm)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x) if norm else x)
        x = layers.MaxPooling2D(2)(x)
    if kind == "dense":
        x = layers.Dense(64, activation="relu")(layers.Dropout(0.5)(layers.Flatten()(x)))
    else:
        x = (layers.GlobalMaxPooling2D() if kind == "max" else layers.GlobalAveragePooling2D())(x)
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.3)(x)))


def backgrounds(x: np.ndarray) -> np.ndarray:
    """Which of the kinds each image's background is, ``[N]``."""
    pixels = x.astype(np.float32) / 255
    corners = (pixels[:, :24, :16], pixels[:, :24, -16:], pixels[:, -16:, :12], pixels[:, -16:, -12:])
    means = [corner.mean((1, 2)) for corner in corners]
    deviations = [corners[0].std((1, 2)), corners[2].std((1, 2))]
    found: np.ndarray = KMeans(KINDS, n_init=10, random_state=0).fit_predict(np.concatenate([*means, *deviations], 1))
    return found


def judged(kind: str, augment: AugmentSection, learned: Samples, held: Samples, epochs: int) -> tuple[float, float]:
    """AUC and mean accuracy of the classes on the samples held back."""
    preprocess = ImagePreprocess()
    y = feed.targets(learned.y, "binary", 2, indices=False)
    steps = math.ceil(len(y) / BATCH)
    keras.utils.set_random_seed(1)
    model = network(kind)
    rate = keras.optimizers.schedules.CosineDecay(0.002, epochs * steps)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")

    def batches() -> Iterator[feed.Batch]:
        return feed.training_batches(learned, y, preprocess, augment, batch=BATCH, seed=1, epochs=range(epochs))

    data = feed.as_dataset(batches, (96, 96, 3), "float32", y, steps * epochs, feed.Waiting())
    model.fit(data, steps_per_epoch=steps, epochs=epochs, verbose=0, shuffle=False)
    score = model.predict(preprocess.apply(held.x), verbose=0).reshape(-1)
    auc = area_under_roc(held.y == 1, score)
    assert auc is not None    # both classes stand before each kind of background
    return auc, float(np.mean([np.mean((score >= 0.5)[held.y == label] == label) for label in (0, 1)]))


def main() -> None:
    """Measure and print the table."""
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    samples = open_dataset(DataSection(set="horses_or_humans")).train
    kinds = backgrounds(samples.x)
    print("images of each kind:", np.bincount(kinds).tolist())
    for kind, name, augment in LINES:
        judge = functools.partial(judged, kind, augment, epochs=epochs)
        found = np.array([
            judge(samples.take(np.flatnonzero(kinds != held)), samples.take(np.flatnonzero(kinds == held)))
            for held in range(KINDS)
        ])
        each = "  ".join(f"{auc:.3f} {accuracy:.3f}" for auc, accuracy in found)
        print(f"{kind:14s} {name:7s}  AUC {found[:, 0].mean():.3f}  accuracy {found[:, 1].mean():.3f}  ({each})")


if __name__ == "__main__":
    main()
