"""Model folders: ``recipe.toml``, ``model.py`` with ``build()``, and a card. Found by name in the zoo, or by path.

A recipe with an ``architecture`` takes the place of ``model.py``.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError, UsageError, unknown_name
from edgecnn.files import is_there
from edgecnn.keras_quiet import import_keras
from edgecnn.recipe import ModelSection, Recipe, load_recipe
from edgecnn.tasks import outputs_wanted

SHIPPED = "model_int8.tflite"
"""Name of a trained model in a model's folder."""


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds a model.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, which is the model's name."""
        return self.path.resolve().name

    @property
    def source(self) -> Path:
        """``model.py``; not there where the recipe has an ``architecture``."""
        return self.path / "model.py"

    @property
    def card(self) -> str:
        """The card's Markdown; empty where there is none."""
        card = self.path / "README.md"
        return card.read_text(encoding="utf-8") if card.is_file() else ""

    @property
    def shipped(self) -> Path:
        """``model_int8.tflite``: the trained model that comes with the zoo; small ones have it."""
        return self.path / SHIPPED

    def recipe(self, overrides: Iterable[str] = ()) -> Recipe:
        """The model's recipe; see ``load_recipe``."""
        return load_recipe(self.path / "recipe.toml", overrides)


def models_folder() -> Path:
    """Where the zoo lies: inside an installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "models"
    return installed if installed.is_dir() else here.parent / "models"


def zoo() -> list[ModelFolder]:
    """All models that come with edgecnn, by name."""
    return [ModelFolder(path.parent) for path in sorted(models_folder().glob("*/recipe.toml"))]


def model_names() -> list[str]:
    """Names of all models that come with edgecnn."""
    return [model.name for model in zoo()]


def find_model(reference: str) -> ModelFolder:
    """A model by its name in the zoo, or by the path of its folder.

    Raises:
        UsageError: There is no such model, or the folder lacks a file.
    """
    for model in zoo():
        if model.name == reference:
            return model
    path = Path(reference)
    if is_there(path) and path.is_dir():
        model = ModelFolder(path)
        missing = [name for name in ("recipe.toml", "model.py") if not (path / name).is_file()]
        if "recipe.toml" in missing or (missing and model.recipe().model.architecture is None):
            raise UsageError(
                f"{reference}: no {' and no '.join(missing)} in it. A model is a folder with both, or with a recipe "
                "that has an architecture, such as architecture = '(CR)2P(CR)2PF'."
            )
        return model
    hint = "The path of a folder with recipe.toml and model.py works too."
    raise unknown_name("model", reference, model_names(), hint)


def shipped_by(path: Path) -> ModelFolder | None:
    """The model of the zoo whose trained file this is, or None."""
    folder = path.resolve().parent
    if path.name != SHIPPED or folder.parent != models_folder().resolve():
        return None
    return ModelFolder(folder)


def build_model(
    source: Path,
    section: ModelSection,
    input_shape: tuple[int, ...],
    classes: int,
    **offered: Any,
) -> Any:
    """Build the network of a recipe by its ``architecture``, or by its ``model.py`` and check that it fits the data.

    ``build()`` may declare the parameters ``input_shape`` and ``classes`` to follow the data set; without them the
    model is of one size. ``model.arguments`` of the recipe are handed over by name.

    Args:
        source: The ``model.py``; not read where the section has an architecture.
        section: The recipe's ``[model]``.
        input_shape: Shape of one preprocessed sample, without batch.
        classes: Number of classes in the data.
        offered: What else ``build()`` may declare.

    Returns:
        The ``keras.Model``, not compiled.

    Raises:
        UsageError: The file fails, lacks ``build``, or builds a model for other data.
    """
    if section.architecture is not None:
        from edgecnn.architecture.keras_network import build_network

        return build_network(section.architecture, section, section.name, section.task, input_shape, classes)
    model = _from_python(source, section, {"input_shape": input_shape, "classes": classes, **offered})
    if not model.built:
        raise UsageError(f"{source}: the model does not know its input. Put keras.Input({input_shape}) first.")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            f"{source}: the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "supported: one of each."
        )
    if not same_but_for_ones(model.input_shape[1:], input_shape):
        raise UsageError(
            f"{source}: the model takes {tuple(model.input_shape[1:])}, the data gives {tuple(input_shape)}. "
            "Choose another [data] set, or let build(input_shape, classes) follow the data."
        )
    outputs, allowed = model.output_shape[-1], outputs_wanted(section.task, classes)
    if allowed and outputs not in allowed:
        raise UsageError(
            f"{source}: the model has {outputs} outputs, the data has {classes} classes; {section.task} needs "
            f"{' or '.join(map(str, allowed))}. Change the last layer, or let build(input_shape, classes) follow the "
            "data."
        )
    return model


def _from_python(source: Path, section: ModelSection, offered: dict[str, Any]) -> Any:
    """What ``build()`` of a ``model.py`` returns."""
    spec = importlib.util.spec_from_file_location(f"_edgecnn_model_{source.parent.name}", source)
    if spec is None or spec.loader is None:
        raise EdgecnnError(f"{source}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True    # no __pycache__ in the user's folder
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        raise EdgecnnError(f"{source}: not there.") from error
    except Exception as error:
        raise UsageError(f"{source}: {type(error).__name__}: {error} (--debug shows where)") from error
    finally:
        sys.dont_write_bytecode = writes_bytecode
    build = getattr(module, "build", None)
    if not callable(build):
        raise UsageError(f"{source}: no function build() in it. It must return a keras.Model.")
    wanted = inspect.signature(build).parameters
    for name in section.arguments:
        if name not in wanted:
            raise unknown_name("model.arguments", name, list(wanted), f"build() in {source} takes those.")
    if "base" in offered and "base" not in wanted:
        raise UsageError(f"{source}: build() takes no base, so model.base ({section.base}) would not be used.")
    if "base" in wanted and wanted["base"].default is inspect.Parameter.empty and "base" not in offered:
        raise UsageError(
            f"{source}: build() continues a trained network: name its run with --from RUN, or as model.base in the "
            "recipe."
        )
    arguments = {name: value for name, value in offered.items() if name in wanted} | section.arguments
    try:
        model = build(**arguments)
    except Exception as error:
        raise UsageError(f"{source}: build() failed: {type(error).__name__}: {error} (--debug shows where)") from error
    if not isinstance(model, import_keras("training").Model):
        raise UsageError(f"{source}: build() returned {type(model).__name__}, not a keras.Model.")
    return model


def same_but_for_ones(shape: tuple[int | None, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes hold the same values in the same order: ``28x28`` and ``28x28x1`` do."""
    return [size for size in shape if size != 1] == [size for size in other if size != 1]
