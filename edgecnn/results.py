"""``results.json``: what a measurement found. Everything that a table, plot or report shows is read from it.

The schema is versioned and published as JSON Schema (``docs/results.schema.json``; ``edgecnn.results.json_schema``).
Latency names follow LiteRT's benchmark tool where a figure exists there (``init_ms``, ``min_ms``, ``max_ms``,
``std_ms``, ``p95_ms``, ``num_runs``); its ``avg_ms`` and ``median_ms`` are ``mean_ms`` and ``p50_ms`` here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecnn.errors import EdgecnnError
from edgecnn.files import write_json
from edgecnn.memory_plan import MemoryPlan

SCHEMA_VERSION: Final = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelRecord(_Record):
    """What was measured."""

    name: str
    task: str = Field(default="classification", description="classification, binary, segmentation or filter.")
    parameters: int | None = None
    macs: int | None = Field(default=None, description="Multiply-accumulates of one inference.")


class DataRecord(_Record):
    """On what it was measured."""

    set: str
    split: Literal["test"] = "test"
    samples: int
    labels: list[str]
    sha256: dict[str, str] = Field(description="File name to digest of what was read.")
    source: str


class DeviceRecord(_Record):
    """The machine, before and after the measurement."""

    cpu: str
    cores: int = Field(description="Logical processors that this process may use.")
    architecture: str
    memory_bytes: int | None
    system: str = Field(description="Operating system and version.")
    python: str
    governor: str | None = Field(description="CPU frequency governor of the first core, where the kernel tells.")
    load_before: float | None = Field(description="One-minute load average before the first run.")
    load_after: float | None = None
    temperature_before_c: float | None = None
    temperature_after_c: float | None = None
    packages: dict[str, str]


class ClassRecord(_Record):
    """One class; None where nothing was predicted or present."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None = Field(default=None, description="Intersection over union.")
    support: int = Field(description="True samples of the class; for segmentation, pixels.")


class Evaluation(_Record):
    """A model's figures on labelled samples."""

    samples: int
    correct: int = Field(description="Samples; for segmentation, pixels.")
    accuracy: float = Field(description="Share of right samples; for segmentation, of right pixels.")
    accuracy_low: float = Field(description="Lower end of the 95 % interval: Wilson's, or that of a mean over images.")
    accuracy_high: float
    auc: float | None = Field(default=None, description="Area under the ROC curve, for binary models.")
    macro_f1: float | None = Field(default=None, description="Mean of the classes' F1.")
    mean_iou: float | None = Field(default=None, description="Mean intersection over union, for segmentation.")
    confusion_matrix: list[list[int]] = Field(
        description="Row: true class. Column: predicted. Of samples; for segmentation, of pixels."
    )
    per_class: list[ClassRecord]


class Entry(_Record):
    """One artefact on one runtime."""

    runtime: str
    runtime_version: str
    artefact: str = Field(description="File name.")
    sha256: str
    size_bytes: int
    precision: Literal["float32", "int8", "int16", "mixed"]
    threads: int
    # Latency of one inference, batch 1: input handed over, run, output read.
    init_ms: float = Field(description="Loading the model, from file to ready.")
    first_ms: float = Field(description="The very first inference.")
    mean_ms: float
    std_ms: float
    min_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    num_warmup: int
    num_runs: int
    latencies_ms: list[float] = Field(description="Every counted run, in order.")
    throughput_per_s: float = Field(description="Counted runs divided by their total time.")
    peak_rss_bytes: int | None = Field(description="Peak resident memory of the fresh process after its runs.")
    # Quality on the test split; None where there is no data.
    samples: int | None = None
    accuracy: float | None = Field(
        default=None, description="Share of right samples; for segmentation, of right pixels."
    )
    accuracy_low: float | None = Field(
        default=None, description="Lower end of the 95 % interval: Wilson's, or that of a mean over images."
    )
    accuracy_high: float | None = None
    auc: float | None = Field(default=None, description="Area under the ROC curve, for binary models.")
    macro_f1: float | None = Field(default=None, description="Mean of the classes' F1.")
    mean_iou: float | None = Field(default=None, description="Mean intersection over union, for segmentation.")
    agreement_with_float: float | None = Field(
        default=None, description="Share of samples on which the class is that of the float model in this file."
    )
    confusion_matrix: list[list[int]] | None = Field(
        default=None, description="Row: true class. Column: predicted. Of samples; for segmentation, of pixels."
    )
    per_class: list[ClassRecord] | None = None


class HistoryRecord(_Record):
    """The learning curve: one value per epoch in each list, by Keras's names (``loss``, ``val_loss``, …)."""

    epochs: list[int]
    values: dict[str, list[float]]
    best_epoch: int | None = None


class Results(_Record):
    """The whole document."""

    schema_version: Literal[1] = SCHEMA_VERSION
    created: str = Field(description="ISO 8601, UTC.")
    model: ModelRecord
    data: DataRecord | None = None
    device: DeviceRecord
    entries: list[Entry]
    history: HistoryRecord | None = None
    memory: MemoryPlan | None = Field(default=None, description="Of the integer model compiled to C.")
    notes: list[str] = Field(default_factory=list, description="What a reader should know about these figures.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``results.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Results.model_json_schema()}


def write_results(path: Path, results: Results) -> None:
    """Write ``results.json``, whole or not at all."""
    write_json(path, results.model_dump(mode="json"))


def read_results(path: Path) -> Results:
    """Read ``results.json``.

    Raises:
        EdgecnnError: It is missing, or of another schema.
    """
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgecnnError(f"cannot read {path}: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise EdgecnnError(
            f"{path}: not a results file of schema_version {SCHEMA_VERSION}. Measure again: edgecnn bench"
        ) from error
