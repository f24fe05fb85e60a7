"""The cards of the zoo against what is shipped, and what is shipped against its data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecnn.contract import parse_contract
from edgecnn.data import open_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.evaluate import evaluate_outputs
from edgecnn.export.c_source import plan_of
from edgecnn.predict import run_outputs
from edgecnn.runtimes import load_session
from edgecnn.summary import summarize
from edgecnn.tflite_file import contract_of, read_graph
from edgecnn.zoo import ModelFolder, zoo

LARGEST = 600_000
SHIPPED = [model for model in zoo() if model.shipped.is_file()]


def name_of(model: ModelFolder) -> str:
    return model.name


def figures(model: ModelFolder) -> dict[str, list[str]]:
    """The rows of the card's tables: first cell to the others."""
    found = {}
    section = re.search("<!-- figures -->(.*?)<!-- /figures -->", model.card, flags=re.DOTALL)
    assert section is not None, f"{model.name}: the card has no figures"
    for line in section[1].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) > 1 and cells[0]:
            found[cells[0]] = cells[1:]
    return found


def number(text: str) -> int:
    match = re.match(r"[\d,]+", text)
    assert match, text
    return int(match[0].replace(",", ""))


def share(text: str) -> float:
    match = re.match(r"([\d.]+)( %)?", text)
    assert match, text
    return float(match[1]) / (100 if match[2] else 1)


@pytest.fixture
def data_root(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[None]:
    """The data sets that lie beside the checkout are found by their names in ``$EDGECNN_DATA``."""
    folder = root.parent / "shared" / "data"
    if folder.is_dir():
        monkeypatch.setenv("EDGECNN_DATA", str(folder))
    yield


def test_something_is_shipped() -> None:
    assert len(SHIPPED) >= 4


@pytest.mark.parametrize("model", zoo(), ids=name_of)
def test_card_says_what_one_wants_to_know(model: ModelFolder) -> None:
    card = model.card
    assert all(heading in card for heading in ("## What it teaches", "## Figures", "## Data")), "a heading is missing"
    assert "edgecnn " in card, "no command"
    assert re.search(r"licen[cs]e|CC |MIT|BSD|PDDL|GPL|CC0|terms", card), "the licence of the data is not named"
    assert "MACs of one inference" in figures(model)


@pytest.mark.parametrize("model", SHIPPED, ids=name_of)
def test_shipped_model_is_small_and_has_its_contract(model: ModelFolder) -> None:
    assert model.shipped.stat().st_size < LARGEST
    contract = contract_of(model.shipped)
    assert contract is not None
    beside = model.path / "contract.json"
    assert parse_contract(beside.read_bytes(), str(beside)) == contract
    recipe = model.recipe()
    assert (contract.name, contract.task) == (recipe.model.name, recipe.model.task)
    assert contract.data_set == recipe.data.set
    assert contract.preprocess.kind == recipe.preprocess.kind


@pytest.mark.parametrize("model", SHIPPED, ids=name_of)
def test_card_has_the_figures_of_the_shipped_model(model: ModelFolder) -> None:
    card = figures(model)
    plan = plan_of(model.shipped)
    assert number(card["MACs of one inference"][0]) == summarize(read_graph(model.shipped)).macs
    assert number(card["int8 file"][0]) == model.shipped.stat().st_size
    assert number(card["weights in int8"][0]) == plan.weight_bytes
    assert number(card["arena of the C source"][0]) == plan.arena_bytes
    budget = model.recipe().budget
    if budget.ram is not None:
        assert plan.arena_bytes <= budget.ram
    if budget.flash is not None:
        flash = next((values for name, values in card.items() if name.startswith("flash on ")), None)
        assert (number(flash[0]) if flash else plan.weight_bytes) <= budget.flash


@pytest.mark.slow
@pytest.mark.parametrize("model", SHIPPED, ids=name_of)
@pytest.mark.usefixtures("data_root")
def test_card_has_the_accuracy_of_the_shipped_model(model: ModelFolder) -> None:
    """On LiteRT, as when it was measured; XNNPACK may decide a tie otherwise on another processor."""
    contract = contract_of(model.shipped)
    assert contract is not None
    if contract.task == "filter":
        pytest.skip("a filter has no accuracy")
    section = model.recipe().data
    try:
        test = open_dataset(section).test
    except EdgecnnError as error:
        pytest.skip(f"no data: {error}")
    outputs = run_outputs(load_session("litert", model.shipped), contract, test.x)
    found = evaluate_outputs(contract.task, test.y, outputs, contract.labels)
    card = figures(model)
    rows = {"accuracy": found.accuracy, "accuracy of pixels": found.accuracy, "area under the ROC curve": found.auc}
    compared = [name for name, value in rows.items() if name in card and value is not None]
    assert compared
    for name in compared:
        value = rows[name]
        assert value is not None and abs(share(card[name][1]) - value) <= 0.0051, f"{name}: {value}"
