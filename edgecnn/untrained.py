"""The network of a model folder before any training: its layers, and the weights that training begins at."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.data import dataset_module, open_dataset
from edgecnn.data.base import SETTINGS
from edgecnn.keras_quiet import quiet_native
from edgecnn.recipe import Recipe
from edgecnn.zoo import ModelFolder, build_model


def untrained_model(folder: ModelFolder) -> Any:
    """Build the network of a folder's recipe for its data.

    Samples are read only where nothing else tells their shape.

    Args:
        folder: A model of the zoo or of the user's.

    Returns:
        A ``keras.Model``, not compiled.

    Raises:
        UsageError: Recipe, architecture or model.py have a mistake.
        EdgecnnError: The data must be asked and is not here.
    """
    recipe = folder.recipe()
    shape, classes = sample_facts(recipe)
    with quiet_native():
        return build_model(folder.source, recipe.model, shape, classes)


def sample_facts(recipe: Recipe) -> tuple[tuple[int, ...], int]:
    """Shape of a preprocessed sample, without batch, and number of classes."""
    info = dataset_module(recipe.data.set).INFO
    asked = [name for name in SETTINGS if getattr(recipe.data, name) is not None]
    if info.shape is not None and info.classes is not None and not asked and recipe.preprocess.kind == "image":
        return recipe.preprocess.sample_shape(np.zeros((1, *info.shape), np.uint8)), info.classes
    dataset = open_dataset(recipe.data)
    raw = dataset.train.x
    return recipe.preprocess.fit(raw).sample_shape(raw), len(dataset.labels)
