"""The test split that a model is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from edgecnn.artefacts import ModelFile
from edgecnn.contract import TensorContract
from edgecnn.data import DATASETS, Samples, open_dataset
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError
from edgecnn.predict import check_samples
from edgecnn.preprocess import PreprocessKind
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

    None where nothing tells it, or where the contract tells only that it was some folder of images.
    """
    if artefact.run is not None:
        return artefact.run.info.recipe.data
    if (folder := shipped_by(artefact.path)) is not None:
        return folder.recipe().data
    name = artefact.contract.data_set if artefact.contract is not None else None
    return DataSection(set=name) if name in DATASETS and name != "image_folder" else None


def fitted_section(section: DataSection, shape: tuple[int, ...]) -> DataSection:
    """The section with the model's image size filled in, for a folder of images whose size nobody gave.

    Args:
        section: Which set.
        shape: The model's input, batch first.
    """
    if section.set != "image_folder" or len(shape) not in (3, 4):
        return section
    channels = shape[3] if len(shape) == 4 else 1
    fill: dict[str, object] = {}
    if section.size is None:
        fill["size"] = shape[1:3]
    if section.channels is None and channels in (1, 3):
        fill["channels"] = channels
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
    dataset = open_dataset(fitted_section(section, end_in.shape))
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
