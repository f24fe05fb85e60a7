"""The test split that a model is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.artefacts import ModelFile
from edgecnn.contract import TensorContract
from edgecnn.data import DATASETS, Samples, dataset_module, open_dataset
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError
from edgecnn.predict import check_samples
from edgecnn.preprocess import PreprocessKind
from edgecnn.preprocess.audio import AudioKind
from edgecnn.recipe import DataSection
from edgecnn.results import DataRecord
from edgecnn.zoo import shipped_by


@dataclass(frozen=True)
class EvaluationData:
    """A test split that is ready to be measured on.

    Attributes:
        samples: Raw samples and their classes.
        labels: Class names.
        record: Where it came from, for ``results.json``.
    """

    samples: Samples
    labels: tuple[str, ...]
    record: DataRecord


def default_section(artefact: ModelFile) -> DataSection | None:
    """The data that a model is measured on when nobody says: its run's, or what its contract names.

    None where nothing tells it, or where the contract tells only that it was some user's own samples.
    """
    if artefact.run is not None:
        return artefact.run.info.recipe.data
    if (folder := shipped_by(artefact.path)) is not None:
        return folder.recipe().data
    name = artefact.contract.data_set if artefact.contract is not None else None
    # Of a user's own files, whatever their kind, the name does not tell where they are.
    return DataSection(set=name) if name in DATASETS and dataset_module(name).INFO.counts is not None else None


_FITTED = {"image_folder": "size", "horses_or_humans": "size", "image_mask": "tile", "isbi_membrane": "tile"}
"""Sets that can be brought to a model's height and width, and by which setting."""


def fitted_section(section: DataSection, shape: tuple[int, ...]) -> DataSection:
    """The section with the model's height and width filled in, for images that nobody gave a size: resized, or tiles.

    Args:
        section: Which set.
        shape: The model's input, batch first.
    """
    if section.set not in _FITTED or len(shape) not in (3, 4):
        return section
    channels = shape[3] if len(shape) == 4 else 1
    fill: dict[str, object] = {}
    if section.size is None and section.tile is None:
        fill[_FITTED[section.set]] = shape[1:3]
    if section.channels is None and channels in (1, 3):
        fill["channels"] = channels
    return section.model_copy(update=fill)


def fitted_recordings(section: DataSection, preprocess: PreprocessKind | None) -> DataSection:
    """The section with the rate and the length that a model of sound was trained on, where nobody gave others.

    Args:
        section: Which set.
        preprocess: What is done to a recording.
    """
    if section.set not in ("audio_folder", "spoken_digits") or not isinstance(preprocess, AudioKind):
        return section
    fill: dict[str, object] = {}
    if section.rate is None:
        fill["rate"] = preprocess.rate
    if section.length is None and preprocess.samples:
        fill["length"] = preprocess.samples / preprocess.rate
    return section.model_copy(update=fill)


def load_test_data(
    section: DataSection, end_in: TensorContract, limit: int | None = None, preprocess: PreprocessKind | None = None
) -> EvaluationData:
    """Open a data set's test split for a model.

    Args:
        section: Which set; images of a folder are brought to the model's size where the section gives none.
        end_in: The model's input.
        limit: Take so many samples, stratified, the same ones every time.
        preprocess: What is done to a sample before it is the input; None where it keeps its shape.

    Raises:
        UsageError: The set is unknown or a setting is missing.
        EdgecnnError: The set cannot be had or read, has no test samples, or does not fit the model.
    """
    dataset = open_dataset(fitted_recordings(fitted_section(section, end_in.shape), preprocess))
    if isinstance(preprocess, AudioKind):
        preprocess.check_rate(dataset.rate)
    samples = dataset.test
    if len(samples) == 0:
        raise EdgecnnError(f"{dataset.source}: the test split is empty. Choose data that has one with --data.")
    shape = samples.x.shape[1:] if preprocess is None else preprocess.sample_shape(samples.x)
    check_samples("the model", end_in, shape)
    if limit is not None:
        samples = samples.take(stratified_subset(samples.strata, limit, seed=0))
    record = DataRecord(
        set=section.set,
        samples=len(samples),
        labels=list(dataset.labels),
        sha256=dict(dataset.sha256),
        source=dataset.source,
    )
    return EvaluationData(samples, dataset.labels, record)
