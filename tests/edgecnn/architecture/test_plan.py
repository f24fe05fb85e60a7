"""Sizes and shapes of the layers that a notation stands for, and what does not fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgecnn.architecture.plan import output_size, plan, shapes
from edgecnn.architecture.settings import ArchitectureSettings
from edgecnn.errors import UsageError
from edgecnn.recipe import load_recipe


def settings(**given: Any) -> ArchitectureSettings:
    return ArchitectureSettings(**given)


def test_values_go_to_their_layers_in_order() -> None:
    layers = plan(
        "CPSADFDF",
        settings(filters=[4, 6], kernels=[5, 3], strides=[1, 2], padding=["valid", "same"], pool=[2, 3], dense=7,
                 dropout=[0.25, 0.5]),
    )
    assert [(layer.name, layer.units, layer.window, layer.stride, layer.padding, layer.rate) for layer in layers] == [
        ("conv1", 4, 5, 1, "valid", 0.0),
        ("pool1", 0, 2, 2, "valid", 0.0),
        ("separable1", 6, 3, 2, "same", 0.0),
        ("average1", 0, 3, 3, "valid", 0.0),
        ("dropout1", 0, 0, 1, "valid", 0.25),
        ("dense1", 7, 0, 1, "valid", 0.0),
        ("dropout2", 0, 0, 1, "valid", 0.5),
        ("output", 0, 0, 1, "valid", 0.0),
    ]


def test_one_value_is_for_all_and_what_is_not_given_has_a_default() -> None:
    layers = plan("C2PDF", settings(filters=8))
    assert [(layer.units, layer.window, layer.stride, layer.padding, layer.rate) for layer in layers[:4]] == [
        (8, 3, 1, "same", 0.0),
        (8, 3, 1, "same", 0.0),
        (0, 2, 2, "valid", 0.0),
        (0, 0, 1, "valid", 0.5),
    ]


MISTAKES = [
    # notation, settings, the mark, words of the message
    ("CRF", {}, "^", "model.filters is needed: give filters one value"),
    ("(CR)2PCF", {"filters": [8, 16]}, "      ^", "has 2 values, none for this C: give filters 3 values"),
    ("(CR)3F", {"filters": [8, 16]}, " ^", "give filters 3 values, one for each C and S, or a single one for all"),
    ("CSF", {"filters": [1, 2, 3]}, " ^", "has 3 values, and this is the last layer for them"),
    ("CPPF", {"filters": 8, "pool": [2, 2, 2]}, "  ^", "model.pool has 3 values"),
    ("FRF", {}, "^", "model.dense is needed"),
    ("FCF", {"dense": 8, "filters": 8}, " ^", "C, convolution, cannot come after the dense layer F (character 1)"),
    ("CGPF", {"filters": 8}, "  ^", "P, max pooling, cannot come after the global average pooling G (character 2)"),
    ("CFGF", {"filters": 8, "dense": 8}, "  ^", "G, global average pooling, cannot come after the dense layer F"),
    ("(CRFR)2F", {"filters": 8, "dense": 8}, " ^", "cannot come after"),
    ("CRG", {"filters": 8}, "  ^", "the last layer is G; it must be F"),
    ("CFR", {"filters": 8}, "  ^", "the last layer is R"),
]


@pytest.mark.parametrize(("text", "given", "mark", "words"), MISTAKES, ids=[row[0] + str(row[1]) for row in MISTAKES])
def test_what_does_not_fit_is_marked(text: str, given: dict[str, Any], mark: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(text, settings(**given))
    message, shown, below = str(caught.value).split("\n")
    assert words in message
    assert (shown, below) == (f"    {text}", f"    {mark}")


def test_a_value_without_a_layer_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model\.dropout = 0\.3, but there is no D in 'CF'"):
        plan("CF", settings(filters=8, dropout=0.3))


def test_shapes_are_followed_through_the_network() -> None:
    text, given = "(CR)2PSPF", settings(filters=[32, 64, 128], strides=[2, 1, 1], padding=["valid", "same", "same"])
    found = list(shapes(text, plan(text, given), (28, 28, 1), 10))
    assert found == [
        (13, 13, 32),
        (13, 13, 32),
        (13, 13, 64),
        (13, 13, 64),
        (6, 6, 64),
        (6, 6, 128),
        (3, 3, 128),
        (10,),
    ]
    assert list(shapes("CGF", plan("CGF", settings(filters=4, strides=2)), (9, 3), 2)) == [(5, 4), (4,), (2,)]


@pytest.mark.parametrize(
    ("text", "given", "mark", "words"),
    [
        ("(CRP)6F", {"filters": 8}, "   ^", "pool5: a window of 2×2 does not fit into maps of 1×1"),
        ("CPCF", {"filters": 8, "kernels": 15, "padding": "valid"}, "  ^", "conv2: a window of 15×15"),
        ("CRFF", {"filters": 32, "dense": 65_536}, "  ^", "dense1 would have 1,644,167,168 weights on an"),
        ("C2F", {"filters": [1, 4096], "kernels": 1024}, "^", "conv2 would have 4,294,967,296 weights"),
    ],
)
def test_what_does_not_fit_the_data_is_marked(text: str, given: dict[str, Any], mark: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        list(shapes(text, plan(text, settings(**given)), (28, 28, 1), 10))
    message, _, below = str(caught.value).split("\n")
    assert words in message and below == f"    {mark}"


def test_samples_without_maps_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the data gives \[8, 32, 32, 1\]"):
        list(shapes("CF", plan("CF", settings(filters=8)), (8, 32, 32, 1), 10))


def test_output_size_against_counting() -> None:
    for size in range(1, 12):
        for window in range(1, 6):
            for stride in range(1, 4):
                for padding in range(3):
                    starts = range(-padding, size + padding - window + 1, stride)
                    assert output_size(size, window, stride, padding) == len(starts)


# --- In a recipe -----------------------------------------------------------------------------------------------------

RECIPE = """\
[model]
name = "net"
architecture = "(CR)2PF"
filters = [8, 16]

[data]
set = "digits"
"""


def load(folder: Path, text: str, overrides: tuple[str, ...] = ()) -> Any:
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return load_recipe(folder / "recipe.toml", overrides).model


def test_a_recipe_has_lists_and_single_values(tmp_path: Path) -> None:
    model = load(tmp_path, RECIPE, ("model.kernels=5", "model.padding=valid"))
    assert (model.filters, model.kernels, model.padding, model.strides) == ((8, 16), (5,), ("valid",), None)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (("(CR)2PF", "(CR2PF"), "recipe.toml:3: model.architecture", "\n    (CR2PF\n    ^"),
        (("[8, 16]", "[8]\nkernels = [3, 3, 3]"), "recipe.toml:3: model.architecture", "model.kernels has 3 values"),
        (("[8, 16]", "[8, 0]"), "recipe.toml:4: model.filters", "greater than 0"),
        (("[8, 16]", "[]"), "recipe.toml:4: model.filters", "at least 1 item"),
        (("[8, 16]", '"many"'), "recipe.toml:4: model.filters", "'many'"),
        (("[8, 16]", "8.5"), "recipe.toml:4: model.filters", "8.5"),
        (("[8, 16]", "8\npadding = 'full'"), "recipe.toml:5: model.padding", "'full'"),
        (("[8, 16]", "8\narguments = { a = 1 }"), "recipe.toml:3: model.architecture", "model.arguments"),
        (("[8, 16]", "8\nbase = 'run'"), "recipe.toml:3: model.architecture", "model.base"),
        (('architecture = "(CR)2PF"', ""), "recipe.toml:1: model.architecture", "which is not there"),
    ],
)
def test_a_mistake_in_a_recipe_has_its_line(
    tmp_path: Path, change: tuple[str, str], where: str, words: str
) -> None:
    assert change[0] in RECIPE
    with pytest.raises(UsageError) as caught:
        load(tmp_path, RECIPE.replace(*change))
    assert where in str(caught.value) and words in str(caught.value)


def test_a_mistake_typed_is_one_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--set model\.architecture: this closing parenthesis"):
        load(tmp_path, RECIPE, ("model.architecture=(CR)2)PF",))
