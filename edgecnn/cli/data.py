"""``edgecnn data``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options
from edgecnn.formats import ABSENT, shape_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgecnn.data import DataSet, DataSetInfo, Location


@click.command()
@click.argument("name", metavar="[NAME|PATH]", required=False)
@common_options
def command(name: str | None, output: Output) -> None:
    """The data sets: where each was found, its size, its licence.

    With a NAME, or the PATH of an image folder or zip, that one in detail: it is read, counted and checked.
    Nothing is downloaded.

    \b
    Example:
      edgecnn data
      edgecnn data fashion_mnist
      edgecnn data photos.zip
    """
    if name is None:
        _list(output)
    else:
        _show(name, output)


def _list(output: Output) -> None:
    from rich.table import Table
    from rich.text import Text

    from edgecnn.data import DATASETS, dataset_module
    from edgecnn.recipe import DataSection

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    for heading in ("classes", "train", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("licence", max_width=9)
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


def _show(name: str, output: Output) -> None:
    from edgecnn.data import dataset_module, open_dataset, section_from_text

    section = section_from_text(name)
    module = dataset_module(section.set)
    place = module.locate(section)
    if place is None and section.path is None:
        output.result(_document(module.INFO, None), *_facts(module.INFO, _absent(module.INFO)))
        return
    data = open_dataset(section)
    classes = {split: _counts(data, split) for split in ("train", "test")}
    document = {
        **_document(data.info, place),
        "source": data.source,
        "sha256": data.sha256,
        "labels": list(data.labels),
        "classes_by_split": {split: dict(zip(data.labels, counts, strict=True)) for split, counts in classes.items()},
    }
    document["counts"] = {split: sum(counts) for split, counts in classes.items()}
    facts = _own_facts(data.info, data.source) if section.set == "image_folder" else _facts(data.info, data.source)
    output.result(document, *facts, "", _class_table(data.labels, classes), "", _digests(data.sha256))


def _counts(data: DataSet, split: Any) -> list[int]:
    """Samples of each class in a split."""
    import numpy as np

    counts: list[int] = np.bincount(data.classes(split), minlength=len(data.labels)).tolist()
    return counts


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
    """A user's images: where they come from and whose they are is no news to the user."""
    return _lines([("images", found), ("shape", _shape(info)), ("classes", str(info.classes))])


def _lines(rows: list[tuple[str, str]]) -> list[RenderableType]:
    """One line a fact, which nothing folds: there are paths and commands among them, to be copied."""
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def _class_table(labels: tuple[str, ...], classes: dict[str, list[int]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from firmware_export.graph import printable

    table = Table(box=None, pad_edge=False)
    table.add_column("class", justify="right")
    table.add_column("label", overflow="fold")
    for split in classes:
        table.add_column(split, justify="right")
    for index, label in enumerate(labels):
        table.add_row(str(index), Text(printable(label)), *(str(counts[index]) for counts in classes.values()))
    table.add_section()
    table.add_row("", "all", *(str(sum(counts)) for counts in classes.values()))
    return table


def _digests(sha256: dict[str, str]) -> RenderableType:
    """Name and digest on lines of their own: side by side they are wider than a terminal."""
    from rich.text import Text

    return Text("\n".join(["sha256 of what was read", *(f"  {name}\n    {digest}" for name, digest in sha256.items())]))
