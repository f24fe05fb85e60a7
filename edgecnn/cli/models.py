"""``edgecnn models``"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from edgecnn.architecture.plan import PlannedLayer


@click.command()
@click.argument("name", required=False)
@common_options
def command(name: str | None, output: Output) -> None:
    """The zoo as a table, or with NAME a model's card. NAME is a model of the zoo or a model folder.

    A recipe that has an architecture in place of model.py is shown with what each of its letters stands for.

    \b
    Example:
      edgecnn models
      edgecnn models digits_tiny
    """
    from rich.markdown import Markdown
    from rich.table import Table

    from edgecnn.architecture.plan import plan
    from edgecnn.zoo import find_model, zoo

    if name is not None:
        model = find_model(name)
        recipe = model.recipe()
        document: dict[str, Any] = {"name": recipe.model.name, "recipe": recipe.model_dump(mode="json")}
        document["card"] = model.card
        parts: list[RenderableType] = [Markdown(model.card) if model.card else recipe.model.description]
        if recipe.model.architecture is not None:
            layers = plan(recipe.model.architecture, recipe.model)
            document["layers"] = [asdict(layer) for layer in layers]
            parts += ["", recipe.model.architecture, _layers(layers)]
        output.result(document, *parts)
        return
    recipes = [model.recipe() for model in zoo()]
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "data", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for recipe in recipes:
        table.add_row(recipe.model.name, recipe.data.set, recipe.model.description)
    rows = [
        {"name": recipe.model.name, "data": recipe.data.set, "description": recipe.model.description}
        for recipe in recipes
    ]
    output.result(rows, table)


def _layers(layers: tuple[PlannedLayer, ...]) -> Table:
    """The layers of an architecture with their sizes; shapes come from the data: edgecnn summary shows them."""
    from rich.table import Table

    from edgecnn.architecture.notation import LETTERS

    table = Table(box=None, pad_edge=False)
    for heading in ("letter", "name", "layer", "sizes"):
        table.add_column(heading, no_wrap=True)
    for layer in layers:
        table.add_row(layer.letter, layer.name, LETTERS[layer.letter], _sizes(layer))
    return table


def _sizes(layer: PlannedLayer) -> str:
    from edgecnn.architecture.plan import CONVOLUTIONS, OUTPUT, POOLS

    if layer.letter in CONVOLUTIONS:
        return f"{layer.units} filters, window {layer.window}, stride {layer.stride}, padding {layer.padding}"
    if layer.letter in POOLS:
        return f"window {layer.window}"
    if layer.letter == "D":
        return f"drops {layer.rate:g}"
    if layer.letter == "F":
        return "one for each class" if layer.name == OUTPUT else f"{layer.units} units"
    return ""
