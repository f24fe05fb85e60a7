"""``recipe.toml``: everything that decides how a model is trained, quantized and judged, typed and validated."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from edgecnn.architecture.plan import check_architecture
from edgecnn.architecture.settings import ArchitectureSettings
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.preprocess import KINDS, ImagePreprocess, Preprocess
from edgecnn.tasks import Task
from firmware_export.c_names import name_problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TAGS = {(kind,) for kind in KINDS}
_UNITS = {"": 1, "b": 1, "kb": 1000, "kib": 1024, "mb": 1000**2, "mib": 1024**2}


def parse_bytes(value: object) -> object:
    """``"64 kB"`` to 64000, ``"64 KiB"`` to 65536; integers are bytes already."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value)
    if not match or match[2].lower() not in _UNITS:
        raise ValueError("a size such as '64 kB', '64 KiB', '1 MB' or a number of bytes is expected")
    return round(float(match[1]) * _UNITS[match[2].lower()])


def _c_name(value: str) -> str:
    if problem := name_problem(value):
        raise ValueError(problem.rstrip("."))
    return value


Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ModelSection(_Section, ArchitectureSettings):
    """``[model]``"""

    name: Annotated[str, AfterValidator(_c_name)] = Field(description="Names files and C identifiers of exports.")
    task: Task = "classification"
    description: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict, description="Handed to build() of model.py by name.")
    base: str | None = Field(
        default=None, description="A trained run whose layers the network continues; a model's name for its latest run."
    )
    architecture: str | None = Field(
        default=None,
        validate_default=True,
        description="In place of model.py: a notation such as '(CR)2P(CR)2P(CR)2PF', with its sizes beside it.",
    )

    @field_validator("architecture")
    @classmethod
    def _can_be_built(cls, value: str | None, info: ValidationInfo) -> str | None:
        """The fields before it are known here, as far as they have no mistake of their own."""
        try:
            check_architecture(value, info.data)
        except UsageError as error:
            raise PydanticCustomError("architecture", "{message}", {"message": str(error)}) from error
        return value


class AugmentSection(_Section):
    """``[data.augment]``: random changes to training samples, none to validation or test."""

    # Images and clips.
    shift: float = Field(default=0.0, ge=0, le=0.5, description="Largest shift, as a fraction of height and width.")
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    rotation: float = Field(default=0.0, ge=0, le=180, description="Largest rotation, in degrees.")
    quarter_turns: bool = Field(default=False, description="Turns by 0, 90, 180 or 270 degrees, of square images.")
    zoom: float = Field(default=0.0, ge=0, lt=1, description="Largest change of size, as a fraction.")
    brightness: float = Field(default=0.0, ge=0, le=1, description="Largest change, as a fraction of full scale.")
    contrast: float = Field(default=0.0, ge=0, lt=1, description="Largest change of contrast, as a fraction.")
    cutout: float = Field(default=0.0, ge=0, lt=1, description="Side of a square set to the mean, as a fraction.")
    # Audio and signals.
    noise: float = Field(default=0.0, ge=0, description="Deviation of white noise, as a fraction of the sample's own.")
    gain: float = Field(default=0.0, ge=0, lt=1, description="Largest change of amplitude, as a fraction.")
    speed: float = Field(default=0.0, ge=0, le=0.5, description="Largest change of speed, and so of pitch.")
    time_shift: float = Field(default=0.0, ge=0, le=0.5, description="Largest shift in time, as a fraction.")
    time_mask: float = Field(default=0.0, ge=0, lt=1, description="Longest stretch of time masked, as a fraction.")
    frequency_mask: float = Field(default=0.0, ge=0, lt=1, description="Widest band of a spectrogram masked.")
    # All kinds.
    mixup: float = Field(default=0.0, ge=0, description="Alpha of the Beta distribution that mixes pairs; 0 for none.")


class DataSection(_Section):
    """``[data]``"""

    set: str
    path: str | None = Field(default=None, description="Folder or zip file, for sets that are read from one.")
    size: Annotated[tuple[int, int], Field(strict=False)] | None = Field(
        default=None, description="Height and width that images of an image_folder are resized to."
    )
    channels: Literal[1, 3] | None = None
    tile: Annotated[tuple[int, int], Field(strict=False)] | None = Field(
        default=None, description="Height and width of the tiles that images and their masks are cut into."
    )
    validation: float = Field(default=0.1, gt=0, lt=1, description="Share of the training split that is held back.")
    limit: int | None = Field(default=None, gt=0, description="Use so many training samples, stratified.")
    split: str | None = Field(default=None, description="How the set is divided, where it knows several ways.")
    fold: int | None = Field(default=None, ge=0, description="Which part is held out for the test, from 0.")
    folds: int | None = Field(default=None, gt=1, description="Into how many parts the set is divided.")
    rate: int | None = Field(default=None, gt=0, description="Samples per second of audio and signals, in Hz.")
    length: float | None = Field(default=None, gt=0, description="Length of a clip or window, in seconds.")
    step: float | None = Field(default=None, gt=0, description="Between the starts of two windows, in seconds.")
    augment: AugmentSection = AugmentSection()


class NamedOptions(BaseModel):
    """A Keras object: its ``name``, and whatever arguments its constructor takes. The name alone will do."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.model_extra or {})


class TrainSection(_Section):
    """``[train]``"""

    loss: NamedOptions | None = Field(default=None, description="By default the cross-entropy of the task.")
    optimizer: NamedOptions = NamedOptions(name="adam")
    schedule: NamedOptions | None = Field(
        default=None, description="One of edgecnn.training.schedules, or a keras.optimizers.schedules class."
    )
    epochs: int = Field(default=15, gt=0)
    batch: int = Field(default=128, gt=0)
    seed: int = Field(default=1, ge=0)
    monitor: Literal["val_accuracy", "val_loss", "val_auc", "val_mean_iou"] = Field(
        default="val_accuracy", description="What makes an epoch the best one; val_loss is steadier on small sets."
    )
    keep: Literal["best", "last"] = Field(
        default="best", description="The weights of the best epoch, or those at the end of a fixed schedule."
    )
    class_weight: Literal["none", "balanced"] | dict[str, float] = Field(
        default="none", description="Weight of each class in the loss: balanced is inverse to its frequency."
    )
    average: float | None = Field(
        default=None, gt=0, lt=1, description="Keep a moving average of the weights with this decay a step."
    )
    freeze: int = Field(default=0, ge=0, description="So many of the first layers of model.base are not trained.")
    head_epochs: int = Field(default=0, ge=0, description="First epochs in which nothing of model.base is trained.")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        default="float32", description="What training computes in; weights and the saved model are float32."
    )
    early_stopping: int | None = Field(default=None, gt=0, description="Stop after so many epochs without a best.")


class QuantizeSection(_Section):
    """``[quantize]``"""

    scheme: Literal["int8"] = "int8"
    calibration: int = Field(default=512, gt=0, description="Training samples that set the activation ranges.")
    ranges: Literal["minmax", "percentile", "mse", "auto"] = Field(
        default="minmax", description="Of activations: what was seen, without outliers, or with the least error."
    )
    repair: bool = Field(default=False, description="Equalize channels and correct biases, each where it gains.")


class BudgetSection(_Section):
    """``[budget]``: what the device and the task allow."""

    flash: Bytes | None = None
    ram: Bytes | None = None
    macs: int | None = Field(default=None, gt=0)
    accuracy: float | None = Field(default=None, ge=0, le=1)
    max_drop: float = Field(default=0.01, ge=0, le=1, description="Largest loss of accuracy from float to int8.")


class Recipe(_Section):
    """A whole ``recipe.toml``."""

    model: ModelSection
    data: DataSection
    preprocess: Preprocess = ImagePreprocess()
    train: TrainSection = TrainSection()
    quantize: QuantizeSection = QuantizeSection()
    budget: BudgetSection = BudgetSection()


def load_recipe(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        path: The ``recipe.toml``.
        overrides: ``section.key=value`` each; the value is read as TOML, or as text where it is none.

    Raises:
        EdgecnnError: The file cannot be read.
        UsageError: It is not TOML, or a key or value is not allowed; the message gives file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EdgecnnError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save the recipe as UTF-8.") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    _anchor(document, path.parent)
    overridden = {_apply_override(document, item) for item in overrides}
    _anchor(document, Path())
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise UsageError("\n".join(_explain(path, text, overridden, line) for line in error.errors())) from error


def _anchor(document: dict[str, Any], folder: Path) -> None:
    """Make ``data.path`` absolute: in the file it is meant from the recipe's folder, in ``--set`` from the user's."""
    section = document.get("data")
    if isinstance(section, dict) and isinstance(section.get("path"), str):
        section["path"] = str((folder / Path(section["path"]).expanduser()).resolve())


def _apply_override(document: dict[str, Any], item: str) -> tuple[str, ...]:
    key, equals, value = item.partition("=")
    parts = tuple(part.strip() for part in key.split("."))
    if not equals or not all(parts):
        raise UsageError(f"--set {item}: expected section.key=value, for example --set train.epochs=3")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    target = document
    for part in parts[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise UsageError(f"--set {item}: {part!r} is a value, not a section")
    target[parts[-1]] = parsed
    return parts


def _explain(path: Path, text: str, overridden: set[tuple[str, ...]], error: Any) -> str:
    """One validation error as a sentence with the file and the line."""
    # Positions inside a list, and what pydantic inserts for the parts of a union (dict[str,float]), are no keys of the
    # file.
    location = tuple(str(part) for part in error["loc"] if isinstance(part, str) and "[" not in part)
    keys = (location[0], *location[2:]) if location[:1] == ("preprocess",) and location[1:2] in _TAGS else location
    dotted = ".".join(keys)
    from_option = any(keys[: len(parts)] == parts for parts in overridden)
    where = f"--set {dotted}" if from_option else f"{path}:{line_of(text, keys)}: {dotted}"
    if error["type"] == "extra_forbidden":
        allowed = _keys_at(location[:-1])
        close = get_close_matches(location[-1], allowed, n=1, cutoff=0.5)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        return f"{where}: unknown key.{guess} Allowed here: {', '.join(allowed)}."
    if error["type"] == "missing":
        return f"{where}: this key is required and is not there."
    if error["type"] == "architecture":    # shows the notation itself, with a mark below it
        return f"{where}: {error['msg']}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: found {error['input']!r}: {message[0].lower()}{message[1:]}."


def _keys_at(location: tuple[str, ...]) -> list[str]:
    section: Any = Recipe
    for part in location:
        if part in KINDS:    # the tag that tells one kind of preprocessing from the others
            section = KINDS[part]
            continue
        section = section.model_fields[part].annotation
        if not hasattr(section, "model_fields"):
            section = next((option for option in section.__args__ if hasattr(option, "model_fields")), section)
    return sorted(section.model_fields)


def line_of(text: str, location: tuple[str, ...]) -> int:
    """Line (from 1) of a key in TOML text: its own, or that of the nearest table or inline table that would hold it.

    Args:
        text: The file.
        location: The key's parts, from the outermost table.
    """
    best, best_depth = 1, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            found = table
        elif key := re.match(r"\s*([A-Za-z0-9_.\-\"']+)\s*=", line):
            found = table + tuple(part.strip().strip("\"'") for part in key[1].split("."))
        else:
            continue
        depth = len(found)
        if found == location[:depth] and depth > best_depth:
            best, best_depth = number, depth
    return best
