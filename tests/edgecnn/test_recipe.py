"""Recipes: what is accepted, and how a mistake is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import load_recipe, parse_bytes

GOOD = """\
[model]
name = "net"

[data]
set = "digits"
augment = { shift = 0.1 }

[train]
optimizer = { name = "sgd", momentum = 0.9 }
epochs = 3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_and_values(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD))
    assert recipe.train.epochs == 3
    assert recipe.train.optimizer.arguments() == {"momentum": 0.9}
    assert recipe.data.augment.shift == 0.1
    assert recipe.quantize.scheme == "int8"
    assert recipe.preprocess.scale == pytest.approx(1 / 255)


def test_a_name_alone_will_do(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, GOOD), ["train.optimizer=rmsprop", "train.schedule=cosine_decay"])
    assert recipe.train.optimizer.name == "rmsprop" and recipe.train.optimizer.arguments() == {}
    assert recipe.train.schedule is not None and recipe.train.schedule.name == "cosine_decay"


def test_a_path_in_the_file_is_meant_from_there_and_one_typed_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    path = write(there, GOOD.replace('set = "digits"', 'set = "image_folder"\npath = "photos"'))
    assert load_recipe(path).data.path == str(there / "photos")
    assert load_recipe(path, ["data.path=mine.zip"]).data.path == str(here / "mine.zip")


def test_overrides_are_typed_and_text_needs_no_quotes(tmp_path: Path) -> None:
    changes = ["train.epochs=7", "train.optimizer.name=adam", "train.optimizer.learning_rate=0.01", "data.size=[8, 9]"]
    recipe = load_recipe(write(tmp_path, GOOD), changes)
    assert recipe.train.epochs == 7
    assert recipe.train.optimizer.name == "adam"
    assert recipe.train.optimizer.arguments()["learning_rate"] == 0.01
    assert recipe.data.size == (8, 9)


MISTAKES = [
    # what is changed in the text, what the message must hold
    (("epochs = 3", "epohcs = 3"), ["recipe.toml:10", "train.epohcs", "unknown key", "'epochs'"]),
    (("epochs = 3", 'epochs = "three"'), ["recipe.toml:10", "train.epochs", "'three'", "integer"]),
    (("epochs = 3", 'class_weight = "balance"'), ["recipe.toml:10: train.class_weight: found 'balance'", "'balanced'"]),
    (("epochs = 3", "epochs = 0"), ["recipe.toml:10", "train.epochs", "0", "greater than 0"]),
    (("shift = 0.1", "shfit = 0.1"), ["recipe.toml:6", "data.augment.shfit", "'shift'"]),
    (("shift = 0.1", "shift = 3"), ["recipe.toml:6", "data.augment.shift", "less than or equal to 0.5"]),
    (('set = "digits"\n', ""), ["recipe.toml:4", "data.set", "required"]),
    (("[train]", "[training]"), ["recipe.toml:8", "training", "unknown key", "'train'"]),
    (('name = "net"', 'name = "2-net"'), ["recipe.toml:2", "model.name", "'2-net'"]),
    (('name = "net"', 'name = "double"'), ["recipe.toml:2", "model.name", "keyword of C", "double_net"]),
    (("epochs = 3", "epochs = = 3"), ["recipe.toml", "not valid TOML", "line 10"]),
    (('name = "net"', "name = 7"), ["recipe.toml:2", "model.name", "7", "string"]),
]


@pytest.mark.parametrize(("change", "expected"), MISTAKES, ids=[str(change[1]) for change, _ in MISTAKES])
def test_a_mistake_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], expected: list[str]) -> None:
    assert change[0] in GOOD
    with pytest.raises(UsageError) as caught:
        load_recipe(write(tmp_path, GOOD.replace(*change)))
    for part in expected:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("train.epochs", "section.key=value"),
        ("train.epochs=abc", "--set train.epochs"),
        ("train.epohcs=3", "Did you mean 'epochs'?"),
        ("model.name.x=3", "is a value, not a section"),
        ("train.epochs=-1", "greater than 0"),
        ("data.length=inf", "finite number"),
    ],
)
def test_a_wrong_override_names_the_option(tmp_path: Path, item: str, expected: str) -> None:
    with pytest.raises(UsageError, match="--set") as caught:
        load_recipe(write(tmp_path, GOOD), [item])
    assert expected in str(caught.value)


def test_a_missing_file_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(EdgecnnError, match=r"cannot read .*recipe\.toml"):
        load_recipe(tmp_path / "recipe.toml")
    (tmp_path / "recipe.toml").write_bytes(b"[model]\nname = \"\xff\"")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_recipe(tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    ("text", "count"),
    [("64 kB", 64_000), ("64KiB", 65_536), ("1 MB", 1_000_000), ("1.5 MiB", 1_572_864), ("512", 512), (300, 300)],
)
def test_sizes(text: object, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["64 parsecs", "kB", "-3 kB", ""])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="64 kB"):
        parse_bytes(text)
