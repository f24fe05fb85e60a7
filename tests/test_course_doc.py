"""The guides through the course: one set of commands in three languages, and each of them is one that edgecnn takes."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

from edgecnn.cli import cli
from edgecnn.data import DATASETS
from edgecnn.zoo import find_model, model_names

ROOT = Path(__file__).resolve().parents[1]
GUIDES = [ROOT / "docs" / name for name in ("course.md", "course.pt.md", "course.es.md")]
ENGLISH = GUIDES[0].read_text(encoding="utf-8")


def rows(guide: str) -> list[list[str]]:
    """The rows of the tables, without their headings: subject, commands, what to look for."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in guide.splitlines() if line[:1] == "|"]
    headings = {number for rule, row in enumerate(cells) if set(row[0]) == {"-"} for number in (rule - 1, rule)}
    return [row for number, row in enumerate(cells) if number not in headings]


def blocks(guide: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", guide, flags=re.MULTILINE | re.DOTALL)


def commands(guide: str) -> list[str]:
    """Every command of the tables and of the blocks, once."""
    found = [code for row in rows(guide) for code in re.findall("`([^`]+)`", row[1])]
    found += [shlex.join(words) for block in blocks(guide) for line in block.splitlines()
              if (words := shlex.split(line, comments=True))]    # fmt: skip
    return list(dict.fromkeys(found))


def words_of(program: str) -> list[list[str]]:
    """The arguments of all commands that begin so."""
    split = [shlex.split(command) for command in commands(ENGLISH)]
    length = len(shlex.split(program))
    return [words[length:] for words in split if words[:length] == shlex.split(program)]


def parameters_of_build(model: str) -> set[str]:
    """What ``build()`` of a model's ``model.py`` takes, without importing Keras."""
    tree = ast.parse(find_model(model).source.read_text(encoding="utf-8"))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    return {argument.arg for argument in build.args.args}


@pytest.mark.parametrize("path", GUIDES[1:], ids=lambda path: path.name)
def test_the_guides_have_the_same_commands(path: Path) -> None:
    guide = path.read_text(encoding="utf-8")
    assert [row[1] for row in rows(guide)] == [row[1] for row in rows(ENGLISH)]
    assert blocks(guide) == blocks(ENGLISH)
    for english, other in zip(rows(ENGLISH), rows(guide), strict=True):
        assert len(english) == len(other) == 3
        codes, others = (sorted(re.findall("`([^`]+)`", row[2])) for row in (english, other))
        assert codes == others, f"other settings or numbers in code: {other[0]}"


def test_every_chapter_has_commands() -> None:
    chapters = re.split("^## ", ENGLISH, flags=re.MULTILINE)[1:]
    assert len(chapters) == 6
    assert all(commands(chapter) for chapter in chapters)
    known = ("edgecnn ", "python -m pytest ", "pip install ", "printf ")
    assert all(command.startswith(known) for command in commands(ENGLISH))


@pytest.mark.parametrize("words", words_of("edgecnn"), ids=shlex.join)
def test_edgecnn_takes_the_command(words: list[str]) -> None:
    """Its options are parsed, its models exist, and the recipe takes what is set."""
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None
    given = command.make_context(words[0], words[1:], parent=context).params
    arguments = {parameter.name for parameter in command.params if isinstance(parameter, click.Argument)}
    named = [name for key in arguments for name in ([given[key]] if isinstance(given[key], str) else given[key] or ())]
    for name in named:
        assert name in model_names() or (words[0] == "data" and name in DATASETS)
    overrides = given.get("overrides", ())
    if overrides:
        (name,) = named
        recipe = find_model(name).recipe(overrides)
        assert recipe.model.architecture or set(recipe.model.arguments) <= parameters_of_build(name)


@pytest.mark.parametrize("words", words_of("python -m pytest"), ids=shlex.join)
def test_there_are_tests_of_that_name(words: list[str]) -> None:
    path, verbose, chosen, name = words
    assert (verbose, chosen) == ("-v", "-k")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert any(name in node.name for node in tree.body if isinstance(node, ast.FunctionDef))
