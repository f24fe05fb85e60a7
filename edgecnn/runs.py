"""A run folder holds everything that came out of one training: ``runs/<model>/<stamp>/``, with a ``latest`` link.

``run.json`` in it says how everything was made. It is rewritten whole after every step, so it always describes what
is there.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgecnn import __version__
from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.files import is_there, readable_os_errors, sha256_file, write_bytes, write_json
from edgecnn.kernel_choice import KernelChoice
from edgecnn.memory_plan import MemoryPlan, TargetSizes
from edgecnn.preprocess import Preprocess
from edgecnn.recipe import Recipe
from edgecnn.results import Evaluation, HistoryRecord
from edgecnn.zoo import ModelFolder, model_names

SCHEMA_VERSION: Final = 1
INFO = "run.json"
KERAS = "model.keras"
BASE = "base.keras"
FLOAT_TFLITE = "model_float.tflite"
INT8_TFLITE = "model_int8.tflite"
OTHER_TFLITES = tuple(
    f"model_{form}.tflite"
    for form in (
        "int8_per_tensor",
        "int8_float_io",
        "int8_per_tensor_float_io",
        "int16x8",
        "int16x8_per_tensor",
        "int16x8_float_io",
        "int16x8_per_tensor_float_io",
        "dynamic",
        "float16",
    )
)
"""Quantized files that ``edgecnn quantize`` makes when it is asked for them."""
CONTRACT = "contract.json"
ONNX = "model.onnx"
INT8_ONNX = "model_int8.onnx"
CHECKPOINT = "checkpoint.npz"
RESULTS = "results.json"
REPORT = "report.html"

_VERSIONED = (
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "numpy",
    "ai-edge-litert",
    "tflite-runtime",
    "onnx",
    "onnxruntime",
    "tf2onnx",
)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Artefact(_Record):
    """A file of the run."""

    sha256: str
    bytes: int


class BaseUsed(_Record):
    """The trained run whose layers the run's network continues; its model is in the run as ``base.keras``."""

    run: str
    model: str
    data_set: str


class DataUsed(_Record):
    """What the run was trained, and later tested, on."""

    set: str
    source: str
    labels: list[str]
    sha256: dict[str, str] = Field(description="File name to digest of all that was read.")
    training_samples: int
    validation_samples: int
    test_samples: int | None = None


class Training(_Record):
    """How the training went."""

    epochs: int
    best_epoch: int = Field(description="Of the weights that were kept, from 1.")
    seconds: float
    val_accuracy: float
    val_loss: float
    parameters: int
    history: HistoryRecord


class QuantizationStep(_Record):
    """Something that was tried to make an int8 file better, judged on training samples that were held back."""

    name: str
    what: str
    sqnr_db: float = Field(description="Of the network's outputs, against the float network's.")
    kept: bool


class Rung(_Record):
    """One means to keep the accuracy, tried by ``quantize --auto`` and judged on the validation split."""

    name: str
    float_accuracy: float
    accuracy: float
    drop: float
    enough: bool = Field(description="The drop is not above budget.max_drop.")


class Quantization(_Record):
    """Float and int8 on the whole test split: how often each is right, or how far apart the outputs of a filter are."""

    scheme: str = Field(default="int8", description="int8, int16x8, dynamic or float16.")
    calibration_samples: int
    size_bytes: int = Field(description="Of the int8 file.")
    float_size_bytes: int
    samples: int = Field(description="Test samples.")
    float_accuracy: float | None = None
    float_accuracy_low: float | None = None
    float_accuracy_high: float | None = None
    accuracy: float | None = Field(default=None, description="Of the int8 file, with Wilson's 95 % interval.")
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    drop: float | None = Field(default=None, description="Float minus int8, with the 95 % interval for paired samples.")
    drop_low: float | None = None
    drop_high: float | None = None
    agreement_with_float: float | None = None
    psnr_db: float | None = Field(default=None, description="Of a filter's int8 outputs against its float ones.")
    largest_error_steps: float | None = Field(default=None, description="In steps of a filter's int8 output.")
    float_metrics: dict[str, float] = Field(default_factory=dict, description="Others than accuracy, by name.")
    metrics: dict[str, float] = Field(default_factory=dict, description="The same of the int8 file.")
    float_class_f1: dict[str, float] = Field(default_factory=dict, description="F1 of each class, by its label.")
    class_f1: dict[str, float] = Field(default_factory=dict, description="The same of the int8 file.")
    max_drop: float = Field(description="What the budget allows.")
    wanted_accuracy: float | None = Field(default=None, description="What the budget asks for.")
    steps: list[QuantizationStep] = Field(default_factory=list, description="Empty for the converter's own file.")
    folded: list[str] = Field(default_factory=list, description="Batch norms that are gone, and where they went.")
    qat_epochs: int = Field(default=0, description="Of quantization-aware training, where it was kept.")
    ladder: list[Rung] = Field(default_factory=list, description="What --auto tried, the last one being this file.")


class OnnxExport(_Record):
    """An ONNX file and how it compares with what it was made from."""

    size_bytes: int
    samples: int
    largest_difference: float
    unit: str
    agreement: float


class CArray(_Record):
    """A C array for TFLite Micro."""

    files: list[str] = Field(description="Names in the export's folder.")
    ops: list[str]
    arena_bytes: int | None
    arena_note: str


class CSource(_Record):
    """The compiled model as C source."""

    files: list[str] = Field(description="Names in the export's folder.")
    memory: MemoryPlan
    choice: KernelChoice | None = Field(default=None, description="Which form each layer has, and why.")
    sizes: TargetSizes | None = Field(default=None, description="For the target that was asked for.")
    sizes_note: str = Field(default="", description="Why there are none.")


class RunInfo(_Record):
    """``run.json``."""

    schema_version: Literal[1] = SCHEMA_VERSION
    model: str
    created: str = Field(description="ISO 8601, UTC.")
    recipe: Recipe
    versions: dict[str, str]
    machine: str
    artefacts: dict[str, Artefact] = Field(default_factory=dict)
    base: BaseUsed | None = None
    preprocess: Preprocess | None = Field(default=None, description="As fitted to the training samples.")
    data: DataUsed | None = None
    training: Training | None = None
    evaluation: Evaluation | None = Field(default=None, description="The float model on the whole test split.")
    quantization: Quantization | None = None
    forms: dict[str, Quantization] = Field(default_factory=dict, description="Other quantized files, by their name.")
    onnx: OnnxExport | None = None
    onnx_int8: OnnxExport | None = None
    c_array: CArray | None = None
    c_source: CSource | None = None

    @property
    def preprocessing(self) -> Preprocess:
        """What is done to a raw sample: as fitted, or as the recipe has it before that."""
        return self.preprocess or self.recipe.preprocess


class Run:
    """An open run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def info(self) -> RunInfo:
        """What ``run.json`` says now.

        Raises:
            EdgecnnError: It is missing or not one of ours.
        """
        path = self.path / INFO
        try:
            return RunInfo.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EdgecnnError(f"cannot read {path}: {error.strerror}") from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise EdgecnnError(
                f"{path}: not a run that this version of edgecnn understands (schema_version {SCHEMA_VERSION}). "
                "Train again, or use the edgecnn version that wrote it."
            ) from error

    def file(self, name: str) -> Path:
        """The path of an artefact, whether it exists or not."""
        return self.path / name

    def require(self, name: str, how: str) -> Path:
        """The path of an artefact that must exist.

        Args:
            name: File name in the run.
            how: The command that makes it.

        Raises:
            EdgecnnError: It is not there; the message gives ``how``.
        """
        path = self.file(name)
        if not path.is_file():
            raise EdgecnnError(f"{self.path} has no {name}. Make it with: {how}")
        return path

    def record(self, *artefacts: str, **sections: BaseModel | dict[str, Quantization]) -> None:
        """Put sections into ``run.json``, and the sha256 and size of artefacts.

        Args:
            artefacts: Paths relative to the run, with forward slashes.
            sections: Fields of ``RunInfo``; each replaces what was there.
        """
        info = self.info.model_copy(update=sections)
        for name in artefacts:
            path = self.file(name)
            info.artefacts[name] = Artefact(sha256=sha256_file(path), bytes=path.stat().st_size)
        write_json(self.path / INFO, info.model_dump(mode="json"))

    def forget(self, *artefacts: str) -> None:
        """Remove artefacts that nothing in the run stands for any more, and their digests."""
        info = self.info
        for name in artefacts:
            info.artefacts.pop(name, None)
        write_json(self.path / INFO, info.model_dump(mode="json"))
        with readable_os_errors(self.path, "write"):
            for name in artefacts:
                self.file(name).unlink(missing_ok=True)


def runs_root() -> Path:
    """``$EDGECNN_RUNS``, or ``runs`` in the working folder."""
    return Path(os.environ.get("EDGECNN_RUNS", "runs"))


def installed_versions() -> dict[str, str]:
    """Versions of edgecnn, Python and the packages that decide the figures, where installed."""
    versions = {"edgecnn": __version__, "python": platform.python_version()}
    for name in _VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def create_run(model: ModelFolder, recipe: Recipe, out: Path | None) -> Run:
    """Make a new run folder with its ``run.json`` and a copy of the model's definition.

    Args:
        model: What is to be trained; its ``model.py`` is copied, so that the run can be resumed as it was begun. A
            recipe with an architecture needs none.
        recipe: The recipe with every override applied.
        out: The folder, or None for ``runs/<model>/<stamp>``.

    Raises:
        UsageError: There is no run as ``model.base`` names it.
        EdgecnnError: The folder holds something already, or cannot be written; or ``model.base`` is not trained.
    """
    now = datetime.now(timezone.utc)
    name = recipe.model.name
    # Before ``latest`` means the new run, which may be of the same name.
    base = find_run(recipe.model.base) if recipe.model.base is not None else None
    learned = base.require(KERAS, f"edgecnn train {base.info.model}").read_bytes() if base is not None else None
    path = out if out is not None else _free_stamp(runs_root() / name, now)
    with readable_os_errors(path, "write"):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise EdgecnnError(
                f"{path} exists already and is not empty. Choose another --out, or continue that run with --resume."
            )
        path.mkdir(parents=True, exist_ok=True)
        run = Run(path)
        try:
            info = RunInfo(
                model=name,
                created=now.isoformat(timespec="seconds"),
                recipe=recipe,
                versions=installed_versions(),
                machine=f"{platform.system()} {platform.machine()}",
            )
            if base is not None and learned is not None:
                write_bytes(path / BASE, learned)
                used = base.info
                info.base = BaseUsed(run=str(base.path), model=used.model, data_set=used.recipe.data.set)
                info.artefacts[BASE] = Artefact(sha256=sha256_file(path / BASE), bytes=len(learned))
            if recipe.model.architecture is None:
                write_bytes(path / "model.py", model.source.read_bytes())
            write_json(path / INFO, info.model_dump(mode="json"))
            if out is None:
                _point_latest(path)
        except BaseException:
            discard_run(run)
            raise
    return run


def _free_stamp(folder: Path, now: datetime) -> Path:
    stamp = now.strftime("%Y%m%d-%H%M%S")
    path, number = folder / stamp, 1
    while path.exists():
        number += 1
        path = folder / f"{stamp}-{number}"
    return path


def _point_latest(path: Path) -> None:
    link = path.parent / "latest"
    temporary = path.parent / f".latest-{path.name}"
    try:
        temporary.symlink_to(path.name, target_is_directory=True)
    except OSError:    # Windows without the right to make links: find_run falls back to the newest stamp
        return
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(temporary, ignore_errors=True)
        return
    temporary.replace(link)


def is_resumable(run: Run) -> bool:
    """Whether the run has something worth keeping: a finished epoch or a trained model."""
    return run.file(CHECKPOINT).is_file() or run.file(KERAS).is_file()


def discard_run(run: Run) -> None:
    """Remove a run that came to nothing; ``latest`` goes back to the run before it."""
    shutil.rmtree(run.path, ignore_errors=True)
    folder = run.path.parent
    link = folder / "latest"
    if not link.is_symlink() or link.exists():
        return
    link.unlink()
    stamps = _stamps(folder)
    if stamps:
        _point_latest(stamps[-1])
    else:
        with contextlib.suppress(OSError):    # something of the user's may lie there
            folder.rmdir()


def _stamps(folder: Path) -> list[Path]:
    """Runs in a model's folder, the oldest first."""
    return sorted(entry for entry in folder.iterdir() if not entry.is_symlink() and (entry / INFO).is_file())


def has_run(reference: str) -> bool:
    """Whether ``find_run`` finds one."""
    try:
        find_run(reference)
    except EdgecnnError:
        return False
    return True


def find_run(reference: str) -> Run:
    """A run folder, or a model's name for its latest run.

    Raises:
        UsageError: It is neither.
        EdgecnnError: The model was never trained here.
    """
    path, folder = Path(reference), runs_root() / reference
    if is_there(path / INFO):
        return Run(path)
    if is_there(folder / "latest" / INFO):
        return Run((folder / "latest").resolve())
    if is_there(folder) and folder.is_dir() and (stamps := _stamps(folder)):
        return Run(stamps[-1])
    if is_there(path) and path.is_dir():
        raise UsageError(f"{reference}: no {INFO} in it, so it is no run. A run comes from: edgecnn train MODEL")
    if reference in model_names():
        raise EdgecnnError(f"{reference} has no run in {runs_root()} yet. Train it: edgecnn train {reference}")
    if path.suffix or "/" in reference:
        raise UsageError(f"{reference}: no such file or folder.")
    raise unknown_name("run", reference, model_names(), "A run folder or a .tflite or .keras file works too.")
