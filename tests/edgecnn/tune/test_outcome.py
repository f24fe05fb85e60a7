"""What a search leaves: records, the table, the picture, and a recipe that is a model."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import optuna
import pytest

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import BudgetSection
from edgecnn.tune.asked import Search
from edgecnn.tune.objectives import Costs, excess, parse_objectives, violations
from edgecnn.tune.outcome import chosen, doubt, summary, trials_csv, write_best, write_outcome
from edgecnn.tune.records import TrialRecord, best_of, records_of
from edgecnn.tune.space import Choices, Range, Space
from edgecnn.tune.space_file import load_space
from edgecnn.tune.study import Found
from edgecnn.zoo import ModelFolder, find_model

DIGITS = find_model("digits_tiny")
SPACE = Space(Path("space.toml"), {"model.arguments.filters": Range(2, 16, 2), "train.batch": Choices((16, 32))})


def search_in(folder: Path, space: Space = SPACE, **changed: Any) -> Search:
    settings: dict[str, Any] = {
        "model": DIGITS,
        "given": ("train.epochs=2",),
        "space": space,
        "objectives": ("accuracy", "flash"),
        "sampler": "tpe",
        "trials": 4,
        "prune": True,
        "study": "digits_tiny",
        "storage": "sqlite://",
        "target": None,
        "folder": folder,
    }
    return Search(**{**settings, **changed})


def trained(number: int, accuracy: float, flash: int, **more: Any) -> TrialRecord:
    values = {"model.arguments.filters": 4, "train.batch": 32}
    costs = Costs(flash, more.pop("arena", 500), more.pop("macs", 20_000))
    return TrialRecord(number, "trained", values, accuracy, costs, epochs=2, **more)


def study_with_every_end() -> optuna.Study:
    """Two objectives; trials 0 and 2 are on the front."""
    study = optuna.create_study(directions=["maximize", "minimize"])

    def tell(result: tuple[float, float] | None, state: str = "PRUNED", **attributes: Any) -> None:
        trial = study.ask()
        SPACE.suggest(trial)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        study.tell(trial, result, state=None if result else optuna.trial.TrialState[state])

    def costs(flash: int) -> dict[str, int]:
        return {"flash": flash, "arena": 500, "macs": 20_000}

    tell((0.95, 9000), costs=costs(9000), val_accuracy=[0.5, 0.97], run="here/trial-0000")
    tell((0.94, 9500), costs=costs(9500), val_accuracy=[0.5, 0.94])
    tell((0.90, 5000), costs=costs(5000), val_accuracy=[0.5, 0.9])
    tell(None, costs=costs(7000), val_accuracy=[0.4, 0.3])
    tell(None, costs=costs(17_204), over_budget=["flash 17,204 B of 16,000"])
    tell(None, problem="the loss is no longer a number")
    tell(None, "FAIL", costs=costs(7000))
    tell(None, "FAIL", surplus=True)
    study.enqueue_trial({"train.batch": 16})
    study.ask()
    study.enqueue_trial({"train.batch": 16})
    return study


def test_every_end_of_a_trial() -> None:
    records = records_of(study_with_every_end(), SPACE)    # the surplus one is not among them
    states = ["trained"] * 3 + ["stopped", "over budget", "failed", "interrupted", "running"]
    assert [one.state for one in records] == states
    assert [one.number for one in records if one.on_front] == [0, 2]
    assert [one.accuracy for one in records[:5]] == [0.95, 0.94, 0.90, 0.4, None]
    assert [one.epochs for one in records[:5]] == [2, 2, 2, 2, 0]
    assert records[0].run == "here/trial-0000"
    assert records[0].costs == Costs(9000, 500, 20_000)
    assert (records[4].note, records[5].note) == ("flash 17,204 B of 16,000", "the loss is no longer a number")
    assert set(records[0].values) == set(SPACE.parameters)


def test_the_best_is_the_most_accurate_then_the_cheapest() -> None:
    small = [trained(2, 0.97, 8000, arena=900), trained(3, 0.97, 8000)]
    best = best_of([trained(0, 0.95, 9000), trained(1, 0.97, 9000), *small])
    assert best is not None and best.number == 3
    assert best_of([TrialRecord(0, "stopped", {}, accuracy=0.99)]) is None


def test_which_trial_is_written_out() -> None:
    records = [trained(0, 0.95, 9000, on_front=True), trained(1, 0.9, 9000), TrialRecord(2, "stopped", {}, 0.4)]
    assert chosen(records, None).number == 0
    assert chosen(records, 1).number == 1
    with pytest.raises(UsageError, match=r"--pick 2: it is stopped, not trained\. On the front are: 0\."):
        chosen(records, 2)
    with pytest.raises(UsageError, match=r"--pick 9: there is no such trial"):
        chosen(records, 9)
    over = TrialRecord(0, "over budget", {}, note="flash 17,204 B of 16,000")
    with pytest.raises(EdgecnnError, match=r"none of 1 trials .* trial 0 over budget \(flash 17,204 B of 16,000\)"):
        chosen([over], None)


def test_the_best_recipe_is_a_model(tmp_path: Path) -> None:
    space = load_space(DIGITS.path / "space.toml", DIGITS)
    values = {
        "model.arguments.filters": 4,
        "model.arguments.more_filters": 8,
        "model.arguments.kernel": 5,
        "model.arguments.dense": 16,
        "train.batch": 64,
        "train.schedule.initial_learning_rate": 0.00319284,
        "data.augment.shift": 0.0,
    }
    asked = search_in(tmp_path / "study", space)
    record = TrialRecord(7, "trained", values, 0.9722, Costs(9312, 640, 25_600), epochs=2)
    write_best(asked, Found([record], "cortex-m4", 20), record, tmp_path / "best")
    found = find_model(str(tmp_path / "best"))
    assert found.recipe() == asked.recipe(values)
    assert found.recipe().train.schedule.arguments() == {"initial_learning_rate": 0.00319284}    # type: ignore[union-attr]
    assert found.recipe().train.epochs == 2
    assert found.source.read_bytes() == DIGITS.source.read_bytes()
    text = (tmp_path / "best" / "recipe.toml").read_text()
    assert "trial 7 of the study digits_tiny" in text
    assert "97.22 %, flash 9,312 B, arena 640 B, MACs 25,600; flash is weights, tables and code for cortex-m4" in text


def test_table_and_picture(tmp_path: Path) -> None:
    records = records_of(study_with_every_end(), SPACE)
    asked = search_in(tmp_path)
    files = write_outcome(asked, Found(records, None, 8), chosen(records, None))
    assert [path.name for path in files] == ["trials.csv", "pareto.png", "best"]
    assert all(path.exists() for path in files)
    rows = list(csv.DictReader(io.StringIO(files[0].read_text())))
    assert [row["state"] for row in rows] == [one.state for one in records]
    assert [row["front"] for row in rows] == ["1", "0", "1", "0", "0", "0", "0", "0"]
    assert [row["flash"] for row in rows[3:6]] == ["7000", "17204", ""]
    assert {row["train.batch"] for row in rows[:7]} <= {"16", "32"}
    assert rows[5]["note"] == "the loss is no longer a number"


def test_tables_in_the_table_of_trials() -> None:
    record = TrialRecord(0, "trained", {"train.optimizer": {"name": "sgd", "momentum": 0.9}}, 1.0)
    text = trials_csv([record], ["train.optimizer"])
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["train.optimizer"] == '{ name = "sgd", momentum = 0.9 }'
    assert row["accuracy"] == "1"
    assert summary(record) == "validation accuracy 100.00 %"


def test_how_sure_an_accuracy_is() -> None:
    record = TrialRecord(0, "trained", {}, 0.9861111, samples=144)
    assert doubt(record).startswith("144 validation samples: between 95.08 % and 99.62 % with 95 % confidence")
    assert doubt(TrialRecord(0, "trained", {}, 0.9861111)) == ""


def test_budgets() -> None:
    budget = BudgetSection(flash=16_000, ram=1000)
    assert violations(Costs(8000, 2000, 10**9), budget) == {"flash": -0.5, "ram": 1.0}
    assert excess(Costs(8000, 2000, 10**9), budget) == ["arena 2,000 B of 1,000"]
    assert excess(Costs(16_000, 1000, 10**9), budget) == []
    assert excess(Costs(1, 1, 3000), BudgetSection(macs=2000)) == ["macs 3,000 of 2,000"]


def test_objectives() -> None:
    assert parse_objectives(["accuracy", "macs", "accuracy"]) == ("accuracy", "macs")
    with pytest.raises(UsageError, match=r"unknown objective 'flsh'\. Did you mean 'flash'"):
        parse_objectives(["accuracy", "flsh"])
    with pytest.raises(UsageError, match=r"accuracy is missing.*--objective accuracy,flash"):
        parse_objectives(["flash"])


def test_a_filter_has_nothing_to_search_for(tmp_path: Path) -> None:
    from edgecnn.tune.study import search

    (tmp_path / "recipe.toml").write_text('[model]\nname = "edges"\ntask = "filter"\n[data]\nset = "digits"\n')
    with pytest.raises(UsageError, match="a filter has nothing to be right about"):
        search(search_in(tmp_path, model=ModelFolder(tmp_path)), None)    # type: ignore[arg-type]
