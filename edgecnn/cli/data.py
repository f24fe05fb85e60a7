"""``edgecnn data``"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options
from edgecnn.formats import ABSENT, shape_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgecnn.data import DataSet, DataSetInfo, Location
    from edgecnn.recipe import Recipe


@click.command()
@click.argument("name", metavar="[NAME|PATH|MODEL]", required=False)
@click.option("--preview", type=click.Path(path_type=Path), metavar="PNG", help="Draw training samples of each class.")
@common_options
def command(name: str | None, preview: Path | None, output: Output) -> None:
    """The data sets: where each was found, its size, its licence.

    With a NAME, or the PATH of an image folder or zip, that one in detail: it is read, counted and checked.
    With a MODEL, the data of its recipe; its preview shows the samples with their augmentation too.
    Nothing is downloaded.

    \b
    Example:
      edgecnn data
      edgecnn data fashion_mnist
      edgecnn data photos.zip
      edgecnn data cifar10_bn --preview samples.png
    """
    if preview is not None and (name is None or preview.suffix.lower() != ".png"):
        from edgecnn.errors import UsageError

        raise UsageError(
            "--preview needs the NAME of a set or model." if name is None
            else f"--preview {preview}: a picture is written as PNG. Give a name that ends in .png."
        )
    if name is None:
        _list(output)
    else:
        _show(name, preview, output)


def _list(output: Output) -> None:
    from rich.table import Table
    from rich.text import Text

    from edgecnn.data import DATASETS, dataset_module
    from edgecnn.recipe import DataSection

    table = Table(box=None, pad_edge=False)
    table.add_column("name", min_width=max(map(len, DATASETS)), max_width=17)
    table.add_column("shape", no_wrap=True)
    for heading in ("classes", "train", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("licence", max_width=12, overflow="fold")
    table.add_column("where", overflow="fold")
    documents = []
    for key in DATASETS:
        module = dataset_module(key)
        info, place = module.INFO, module.locate(DataSection(set=key))
        counts = info.counts or {}
        table.add_row(
            Text.assemble(info.name, "\n", (info.title, "dim")),
            _shape(info),
            str(info.classes or "–"),
            str(counts.get("train", "–")),
            str(counts.get("test", "–")),
            info.licence,
            place.how if place else _absent(info),
        )
        documents.append(_document(info, place))
    output.result(documents, table)
    output.say("Details, and how to get one that is not here: edgecnn data NAME")


def _show(name: str, preview: Path | None, output: Output) -> None:
    from edgecnn.data import dataset_module, open_dataset, section_from_text
    from edgecnn.zoo import model_names

    recipe = _recipe_of(name, preview is not None)
    section = recipe.data if recipe is not None else section_from_text(name, model_names())
    module = dataset_module(section.set)
    place = module.locate(section)
    if place is None and section.path is None:
        if preview is not None:
            from edgecnn.errors import EdgecnnError

            raise EdgecnnError(
                f"{module.INFO.title} is not on this machine, so there is nothing to show. "
                f"Ways to get it: {'; '.join(module.INFO.get)}."
            )
        output.result(_document(module.INFO, None), *_facts(module.INFO, _absent(module.INFO)))
        return
    data = open_dataset(section)
    counts = {split: _counts(data, split) for split in ("train", "test")}
    document = {
        **_document(data.info, place),
        "source": data.source,
        "sha256": data.sha256,
        "labels": list(data.labels),
        "classes_by_split": {
            split: dict(zip(data.labels, found.by_class, strict=True)) for split, found in counts.items()
        },
        "counts": {split: found.samples for split, found in counts.items()},
    }
    own = module.INFO.counts is None    # a user's: where it comes from and whose it is is no news to the user
    facts = _own_facts(data.info, data.source) if own else _facts(data.info, data.source)
    rest = ["", _class_table(data.labels, counts), "", _digests(data.sha256)]
    if preview is not None:
        _draw(name, data, recipe, preview)
        document["preview"] = str(preview)
        rest += ["", f"preview  {preview}"]
    output.result(document, *facts, *rest)


def _recipe_of(name: str, wanted: bool) -> Recipe | None:
    """The recipe that a name means, or None where it means a set. For a name that means both, what is ``wanted``."""
    from edgecnn.data import DATASETS
    from edgecnn.files import is_there
    from edgecnn.zoo import find_model, model_names

    is_model = name in model_names() or is_there(Path(name) / "recipe.toml")
    return find_model(name).recipe() if is_model and (wanted or name not in DATASETS) else None


def _draw(name: str, data: DataSet, recipe: Recipe | None, path: Path) -> None:
    """Write the preview."""
    from edgecnn.report.preview import preview_png
    from edgecnn.training.preview import MOST_CLASSES, recipe_rows, set_rows

    rows = set_rows(data) if recipe is None else recipe_rows(data, recipe)
    more = f", the first {MOST_CLASSES} of {len(data.labels)} classes" if len(data.labels) > MOST_CLASSES else ""
    preview_png(rows, f"{name}: training samples{more}", path)


@dataclass(frozen=True)
class _Counts:
    """What is in a split.

    Attributes:
        samples: How many.
        by_class: How many of each class; where samples have masks, pixels.
        of_pixels: Whether they have.
    """

    samples: int
    by_class: list[int]
    of_pixels: bool


def _counts(data: DataSet, split: Any) -> _Counts:
    import numpy as np

    y = data.classes(split)
    counts: list[int] = np.bincount(y.reshape(-1), minlength=len(data.labels)).tolist()
    return _Counts(len(y), counts, y.ndim > 1)


def _document(info: DataSetInfo, place: Location | None) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "description": info.description,
        "shape": list(info.shape) if info.shape else None,
        "classes": info.classes,
        "counts": info.counts,
        "licence": info.licence,
        "home": info.home or None,
        "found": {"path": str(place.path), "how": place.how} if place else None,
        "get": list(info.get),
    }


def _shape(info: DataSetInfo) -> str:
    return shape_text(info.shape) if info.shape else ABSENT


def _absent(info: DataSetInfo) -> str:
    return "not here" if info.counts else "give a path"


def _facts(info: DataSetInfo, found: str) -> list[RenderableType]:
    """A published set: description, then one line a fact."""
    ways = [("" if number else "to get it", way) for number, way in enumerate(info.get)]
    home = [("home", info.home)] if info.home else []
    rows = [("shape", _shape(info)), ("found", found), *ways, ("licence", info.licence), *home]
    return [f"{info.title}: {info.description}", "", *_lines(rows)]


def _own_facts(info: DataSetInfo, found: str) -> list[RenderableType]:
    """A user's own samples."""
    what = "images" if info.name == "image_folder" else "found"
    return _lines([(what, found), ("shape", _shape(info)), ("classes", str(info.classes))])


def _lines(rows: list[tuple[str, str]]) -> list[RenderableType]:
    """One line a fact, which nothing folds: there are paths and commands among them, to be copied."""
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def _class_table(labels: tuple[str, ...], counts: dict[str, _Counts]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from firmware_export.graph import printable

    table = Table(box=None, pad_edge=False)
    table.add_column("class", justify="right")
    table.add_column("label", overflow="fold")
    for split, found in counts.items():
        table.add_column(f"{split}, pixels" if found.of_pixels else split, justify="right")
    for index, label in enumerate(labels):
        table.add_row(str(index), Text(printable(label)), *(str(found.by_class[index]) for found in counts.values()))
    table.add_section()
    table.add_row("", "all", *(str(sum(found.by_class)) for found in counts.values()))
    if any(found.of_pixels for found in counts.values()):
        table.add_row("", "samples", *(str(found.samples) for found in counts.values()))
    return table


def _digests(sha256: dict[str, str]) -> RenderableType:
    """Name and digest on lines of their own: side by side they are wider than a terminal."""
    from rich.text import Text

    return Text("\n".join(["sha256 of what was read", *(f"  {name}\n    {digest}" for name, digest in sha256.items())]))
