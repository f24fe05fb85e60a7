"""``edgecnn models``"""

from __future__ import annotations

import click

from edgecnn.cli._common import Output, common_options


@click.command()
@click.argument("name", required=False)
@common_options
def command(name: str | None, output: Output) -> None:
    """The zoo as a table, or with NAME a model's card.

    \b
    Example:
      edgecnn models
      edgecnn models digits_tiny
    """
    from rich.markdown import Markdown
    from rich.table import Table

    from edgecnn.zoo import find_model, zoo

    if name is not None:
        model = find_model(name)
        recipe = model.recipe()
        document = {"name": recipe.model.name, "recipe": recipe.model_dump(mode="json"), "card": model.card}
        output.result(document, Markdown(model.card) if model.card else recipe.model.description)
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
