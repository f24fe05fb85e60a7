"""``results.json``: what a measurement found. Everything that a table, plot or report shows is read from it.

The schema is versioned and published as JSON Schema (``docs/results.schema.json``; ``edgecnn.results.json_schema``).
Latency names follow LiteRT's benchmark tool where a figure exists there (``init_ms``, ``min_ms``, ``max_ms``,
``std_ms``, ``p95_ms``, ``num_runs``); its ``avg_ms`` and ``median_ms`` are ``mean_ms`` and ``p50_ms`` here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecnn.errors import EdgecnnError
from edgecnn.files import write_json
from edgecnn.memory_plan import MemoryPlan

SCHEMA_VERSION: Final = 2


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
    frequency_before_mhz: float | None = Field(default=None, description="Of the fastest core, where the kernel tells.")
    frequency_after_mhz: float | None = None
    throttled_before: list[str] | None = Field(
        default=None,
        description="What holds a Raspberry Pi back, such as under-voltage, in words; None where nobody tells.",
    )
    throttled_after: list[str] | None = None
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


class LayerTime(_Record):
    """What one layer takes of an inference."""

    name: str = Field(description="Of the operator or layer, unique.")
    op: str
    ms: float = Field(description="Median over the profiled inferences.")
    share: float = Field(description="Of the sum over all layers.")


class Sustained(_Record):
    """Latency and temperature while inference follows inference; the lists are of one length."""

    seconds: list[float] = Field(description="End of each window, from the first run on.")
    runs: list[int] = Field(description="In each window.")
    p50_ms: list[float]
    p95_ms: list[float]
    temperature_c: list[float | None]
    frequency_mhz: list[float | None]


class Entry(_Record):
    """One artefact on one runtime."""

    device: str = Field(default="", description="Key in ``devices``; empty for this machine.")
    runtime: str
    runtime_version: str
    artefact: str = Field(description="File name.")
    sha256: str
    size_bytes: int
    precision: Literal["float32", "int8", "int16", "mixed"]
    threads: int
    # Latency of one inference, batch 1: input handed over, run, output read.
    init_ms: float = Field(description="Loading the model, from file to ready; of several processes, the median.")
    first_ms: float = Field(description="The very first inference of a process; of several, the median.")
    mean_ms: float
    std_ms: float
    min_ms: float
    p50_ms: float
    p50_low_ms: float = Field(
        description="Lower end of the 95 % interval in which the median falls when the same command is run again, from "
        "a bootstrap over processes and their turns."
    )
    p50_high_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    num_warmup: int = Field(description="Uncounted runs until latency had settled, in all processes.")
    steady: bool = Field(description="Whether latency had settled, in each process, when its warm-up ended.")
    num_runs: int
    blocks: list[int] = Field(
        description="Counted runs in each turn: the artefacts of a document are measured in turns, A B A B …"
    )
    processes: list[int] = Field(
        default_factory=list, description="How many of the turns each fresh process took, one after the other."
    )
    latencies_ms: list[float] = Field(description="Every counted run, in order; none is left out.")
    outliers: int = Field(description="Runs above the upper quartile by more than 1.5 times the interquartile range.")
    pinned_core: int | None = None
    throughput_per_s: float = Field(description="Counted runs divided by their total time.")
    peak_rss_bytes: int | None = Field(description="Highest peak resident memory of a process after its runs.")
    arena_bytes: int | None = Field(default=None, description="What the network's activations take, where it is known.")
    profile: list[LayerTime] | None = Field(default=None, description="In the order in which layers run.")
    sustained: Sustained | None = None
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


class BoardLayer(_Record):
    """What one layer takes of an inference on a board."""

    name: str
    op: str
    macs: int
    instructions: float


class BoardEntry(_Record):
    """One artefact, compiled to C, on one emulated board: instructions are exact, time is not known."""

    target: str = Field(description="Such as cortex-m4.")
    description: str
    artefact: str = Field(description="File name.")
    sha256: str
    precision: Literal["int8", "int16"]
    compiler: str = Field(description="Name and version.")
    optimization: str = Field(description="-O2 or -Os.")
    emulator: str = Field(description="Name and version.")
    runs: int = Field(description="Inferences that were counted.")
    instructions: float = Field(description="Of one inference, the mean over the runs.")
    instructions_per_mac: float | None
    layers: list[BoardLayer] = Field(description="In the order in which layers run; the rest is what joins them.")
    arena_bytes: int
    stack_bytes: int | None
    code_bytes: int | None
    weights_bytes: int | None
    # Quality on samples of the test split; None where there is no data.
    samples: int | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    agreement_with_float: float | None = None


class WorstSample(_Record):
    """A test sample that the headline entry gets wrong."""

    index: int = Field(description="In the test split as it was measured.")
    truth: str
    predicted: str
    score: float = Field(description="What the network gives the class that it predicts, a real value.")
    truth_score: float = Field(description="What it gives the right one.")


class LayerNoise(_Record):
    """What quantization does to one layer."""

    name: str
    op: str
    sqnr_db: float | None = Field(description="Signal to quantization noise, float against quantized, at its output.")
    own_db: float | None = Field(description="What its own rounding leaves.")
    clipped: float = Field(description="Share of values outside the range.")


class QuantizationRecord(_Record):
    """Where quantization loses accuracy: the short form of ``quantization.json`` (``edgecnn quantize --analyze``)."""

    quantized_file: str
    samples: int
    output_sqnr_db: float | None
    drop: float | None = Field(description="Of accuracy, a share.")
    layers: list[LayerNoise]
    advice: str


class HistoryRecord(_Record):
    """The learning curve: one value per epoch in each list, by Keras's names (``loss``, ``val_loss``, …)."""

    epochs: list[int]
    values: dict[str, list[float]]
    best_epoch: int | None = None


class Results(_Record):
    """The whole document."""

    schema_version: Literal[2] = SCHEMA_VERSION
    created: str = Field(description="ISO 8601, UTC.")
    model: ModelRecord
    data: DataRecord | None = None
    device: DeviceRecord = Field(description="This machine.")
    devices: dict[str, DeviceRecord] = Field(default_factory=dict, description="Other machines, by host.")
    entries: list[Entry]
    boards: list[BoardEntry] = Field(default_factory=list)
    history: HistoryRecord | None = None
    memory: MemoryPlan | None = Field(default=None, description="Of the integer model compiled to C.")
    quantization: QuantizationRecord | None = None
    worst: list[WorstSample] = Field(default_factory=list, description="The surest mistakes first.")
    notes: list[str] = Field(default_factory=list, description="What a reader should know about these figures.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``results.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Results.model_json_schema()}


def write_results(path: Path, results: Results) -> None:
    """Write ``results.json``, whole or not at all."""
    write_json(path, results.model_dump(mode="json"))


def is_results(path: Path) -> bool:
    """Whether a file is a ``results.json`` of any schema version, ours to replace."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"schema_version", "device", "entries"} <= document.keys()


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
