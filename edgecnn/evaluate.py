"""How often a model is right, and how sure that figure is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edgecnn.artefacts import Artefact
from edgecnn.contract import TensorContract
from edgecnn.data import DATASETS, Samples, open_dataset
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError
from edgecnn.predict import check_samples, classify
from edgecnn.recipe import DataSection
from edgecnn.results import ClassRecord, DataRecord
from edgecnn.statistics import confusion_matrix, per_class, wilson

__all__ = [
    "Evaluation",
    "TestData",
    "classify",
    "default_section",
    "evaluate_predictions",
    "load_test_data",
]

@dataclass(frozen=True)
class TestData:
    """A test split that is ready to be measured on.

    Attributes:
        samples: Raw samples and their classes.
        labels: Class names.
        record: Where it came from, for ``results.json``.
    """

    __test__ = False    # not one of pytest's

    samples: Samples
    labels: tuple[str, ...]
    record: DataRecord


def default_section(artefact: Artefact) -> DataSection | None:
    """The data that a model is measured on when nobody says: its run's, or what its contract names.

    None where nothing tells it, or where the contract tells only that it was some folder of images.
    """
    if artefact.run is not None:
        return artefact.run.info.recipe.data
    name = artefact.contract.data_set if artefact.contract is not None else None
    return DataSection(set=name) if name in DATASETS and name != "image_folder" else None


def load_test_data(section: DataSection, end_in: TensorContract, limit: int | None = None) -> TestData:
    """Open a data set's test split for a model.

    Args:
        section: Which set; images of a folder are brought to the model's size where the section gives none.
        end_in: The model's input.
        limit: Take so many samples, stratified, the same ones every time.

    Raises:
        UsageError: The set is unknown or a setting is missing.
        EdgecnnError: The set cannot be had or read, has no test samples, or does not fit the model.
    """
    if section.set == "image_folder" and len(end_in.shape) in (3, 4):
        channels = end_in.shape[3] if len(end_in.shape) == 4 else 1
        fill: dict[str, object] = {}
        if section.size is None:
            fill["size"] = end_in.shape[1:3]
        if section.channels is None and channels in (1, 3):
            fill["channels"] = channels
        section = section.model_copy(update=fill)
    dataset = open_dataset(section)
    samples = dataset.test
    if len(samples) == 0:
        raise EdgecnnError(f"{dataset.source}: the test split is empty. Choose data that has one with --data.")
    check_samples("the model", end_in, samples.x.shape[1:])
    if limit is not None:
        samples = samples.take(stratified_subset(samples.y, limit, seed=0))
    record = DataRecord(
        set=section.set,
        samples=len(samples),
        labels=list(dataset.labels),
        sha256=dict(dataset.sha256),
        source=dataset.source,
    )
    return TestData(samples, dataset.labels, record)


class Evaluation(BaseModel):
    """A model's figures on labelled samples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int
    correct: int
    accuracy: float
    accuracy_low: float = Field(description="Lower end of Wilson's 95 % interval.")
    accuracy_high: float
    confusion_matrix: list[list[int]] = Field(description="Row: true class. Column: predicted.")
    per_class: list[ClassRecord]


def evaluate_predictions(truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> Evaluation:
    """All figures from true and predicted classes.

    Args:
        truth: ``[N]`` class indices.
        predicted: ``[N]`` class indices.
        labels: Class names.

    Raises:
        EdgecnnError: There is no sample.
    """
    if len(truth) == 0:
        raise EdgecnnError("there are no samples to evaluate on: the test split is empty.")
    matrix = confusion_matrix(truth, predicted, len(labels))
    correct = int(np.trace(matrix))
    interval = wilson(correct, len(truth))
    return Evaluation(
        samples=len(truth),
        correct=correct,
        accuracy=interval.value,
        accuracy_low=interval.low,
        accuracy_high=interval.high,
        confusion_matrix=matrix.tolist(),
        per_class=[ClassRecord(**vars(figures)) for figures in per_class(matrix, tuple(labels))],
    )
