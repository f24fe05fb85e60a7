"""Folds and seeds: what is trained where, what they have in common, and what is not done twice."""

from __future__ import annotations

import csv
import json
import math
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgecnn.crossval import Part, PartResult, cross_validate, figure_names, make_plan, spreads
from edgecnn.errors import UsageError
from edgecnn.runs import CHECKPOINT, Run, create_run
from edgecnn.zoo import ModelFolder, find_model

Here = Callable[..., tuple[int, str, str]]

DIGITS = find_model("digits_tiny")


@pytest.fixture
def voices(tmp_path: Path) -> ModelFolder:
    """A model on an audio folder of six speakers, whose recipe names one fold."""
    generator = np.random.default_rng(0)
    for label in ("no", "yes"):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for speaker in ("ada", "bob", "cleo", "dan", "eve", "finn"):
            with wave.open(str(folder / f"{speaker}_{label}.wav"), "wb") as stream:
                stream.setnchannels(1)
                stream.setsampwidth(2)
                stream.setframerate(8000)
                stream.writeframes(generator.integers(-999, 999, 800, dtype=np.int16).tobytes())
    model = tmp_path / "voices"
    model.mkdir()
    (model / "model.py").write_text("def build():\n    return None\n")
    (model / "recipe.toml").write_text(
        '[model]\nname = "voices"\n[data]\nset = "audio_folder"\npath = "../data"\nsplit = "speaker"\nfold = 1\n'
        'rate = 8000\nlength = 0.1\n[preprocess]\nkind = "signal"\n[train]\nseed = 4\n'
    )
    return ModelFolder(model)


def test_every_fold_of_the_set(voices: ModelFolder, tmp_path: Path) -> None:
    plan = make_plan(voices, voices.recipe(["data.folds=3"]), None, None, False, tmp_path)
    assert plan.parts == (Part(0, 4), Part(1, 4), Part(2, 4))
    assert plan.parts[2].name == "fold-2-seed-4"
    recipe = plan.recipe_of(plan.parts[2])
    assert (recipe.data.fold, recipe.data.folds, recipe.train.seed) == (2, 3, 4)


def test_a_number_of_folds_and_seeds(voices: ModelFolder, tmp_path: Path) -> None:
    plan = make_plan(voices, voices.recipe(), 2, 2, False, tmp_path)
    assert plan.parts == (Part(0, 4), Part(0, 5), Part(1, 4), Part(1, 5))
    assert {plan.recipe_of(part).data.folds for part in plan.parts} == {2}


def test_seeds_alone_keep_the_split_of_the_recipe(voices: ModelFolder, tmp_path: Path) -> None:
    plan = make_plan(voices, voices.recipe(), None, 2, False, tmp_path)
    assert [part.name for part in plan.parts] == ["seed-4", "seed-5"]
    assert [plan.recipe_of(part).data.fold for part in plan.parts] == [1, 1]


def test_the_folder_is_that_of_the_recipe(voices: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_RUNS", "there")

    def root(*overrides: str, folds: int | None = 2, seeds: int | None = None) -> Path:
        return make_plan(voices, voices.recipe(overrides), folds, seeds, False, None).root

    assert root().parent == Path("there/voices")
    assert root() == root("train.seed=9") == root("data.fold=0") == root(seeds=3)
    assert len({root(), root("train.epochs=1"), root(folds=3)}) == 3
    before = root()
    voices.source.write_text("def build():\n    return 1\n")
    assert root() != before


@pytest.mark.parametrize("folds", [None, "all", 5])
def test_a_set_without_folds(folds: int | str | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no folds: .* --seeds 3|data\.folds = 5: .* digits has no such setting"):
        make_plan(DIGITS, DIGITS.recipe(), folds, None, False, tmp_path)


@pytest.mark.parametrize("folds", ["few", "1", "0", "-2"])
def test_no_number_of_folds(cli_here: Here, folds: str) -> None:
    code, _, said = cli_here("crossval", "digits_tiny", "--folds", folds)
    assert code == 2 and f"--folds {folds!r}: expected all, or a number from 2 on" in said


def test_runs_of_another_network_are_not_counted(voices: ModelFolder, tmp_path: Path) -> None:
    """With --out the folder is the same whatever model.py says."""
    plan = make_plan(voices, voices.recipe(), 2, None, False, tmp_path / "runs")
    create_run(voices, plan.recipe_of(plan.parts[0]), plan.root / plan.parts[0].name)
    voices.source.write_text("def build():\n    return 1\n")
    with pytest.raises(UsageError, match=r"fold-0-seed-4 was trained by another model\.py\. Choose another .*--out"):
        cross_validate(plan, Follower())


def test_one_fold_alone_is_no_cross_validation(cli_here: Here, voices: ModelFolder) -> None:
    code, _, said = cli_here("crossval", voices.path, "--set", "data.fold=1")
    assert code == 2 and "--set data.fold: every fold is trained" in said


def result(fold: int, **figures: float) -> PartResult:
    return PartResult(Part(fold, 1), Path("run"), 10, figures)


def test_mean_and_deviation() -> None:
    found = spreads([result(0, accuracy=0.8, auc=0.9), result(1, accuracy=0.9, auc=0.7), result(2, accuracy=0.4)])
    assert math.isclose(found["accuracy"].mean, 0.7)
    assert found["accuracy"].deviation is not None
    assert math.isclose(found["accuracy"].deviation, math.sqrt((0.1**2 + 0.2**2 + 0.3**2) / 2))
    assert "auc" not in found    # one fold has none
    assert spreads([result(0, accuracy=0.8)])["accuracy"].deviation is None


def test_the_order_of_figures() -> None:
    one = result(0, int8_accuracy=0.8, mean_iou=0.5, f1=0.1, int8_auc=0.2, accuracy=0.8)
    assert figure_names([one]) == ["accuracy", "mean_iou", "int8_accuracy", "int8_auc", "f1"]


class Silent:
    """A ``Display`` and ``Watcher`` that shows nothing, and stops the training of one part after its first epoch."""

    def __init__(self, stops: bool) -> None:
        self.stops = stops

    def say(self, text: str) -> None:
        """Nothing."""

    warn = say

    @contextmanager
    def training(self) -> Iterator[Silent]:
        yield self

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        assert description and total > 0
        yield lambda _: None

    following = training

    def batch(self, *_: object) -> None:
        """Nothing."""

    def epoch(self, *_: object) -> None:
        if self.stops:
            raise KeyboardInterrupt


class Follower:
    """Notes what was trained."""

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at, self.trained, self.earlier = stop_at, list[str](), list[str]()

    def begin(self, part: Part, number: int, parts: int) -> Silent:
        assert 0 <= number < parts
        self.trained.append(part.name)
        return Silent(part.name == self.stop_at)

    def end(self, result: PartResult, earlier: bool) -> None:
        if earlier:
            self.earlier.append(result.part.name)


@pytest.mark.slow
def test_seeds_for_real_with_a_stop_between(tmp_path: Path) -> None:
    plan = make_plan(DIGITS, DIGITS.recipe(["train.epochs=4"]), None, 2, True, tmp_path / "runs")
    stopped = Follower(stop_at="seed-2")
    with pytest.raises(KeyboardInterrupt):
        cross_validate(plan, stopped)
    assert stopped.trained == ["seed-1", "seed-2"]
    assert (plan.root / "seed-2" / CHECKPOINT).is_file()
    assert json.loads((plan.root / "crossval.json").read_text())["complete"] is False

    follower = Follower()
    results = cross_validate(plan, follower)
    assert (follower.trained, follower.earlier) == (["seed-2"], ["seed-1"])
    assert list(results[0].figures) == ["accuracy", "macro_f1", "int8_accuracy", "int8_macro_f1"]
    assert all(0.6 < one.figures["accuracy"] < 1 for one in results)    # of ten classes: it learned
    assert all(abs(one.figures["accuracy"] - one.figures["int8_accuracy"]) < 0.05 for one in results)
    assert results[0].figures != results[1].figures
    infos = [Run(one.run).info for one in results]
    assert [info.recipe.train.seed for info in infos] == [1, 2]
    assert [info.training.epochs for info in infos if info.training is not None] == [4, 4]

    again = Follower()
    assert cross_validate(plan, again) == results
    assert again.trained == []
    table = json.loads((plan.root / "crossval.json").read_text())
    assert table["complete"] is True
    assert math.isclose(table["summary"]["accuracy"]["mean"], np.mean([one.figures["accuracy"] for one in results]))
    assert [part["int8_accuracy"] for part in table["parts"]] == [one.figures["int8_accuracy"] for one in results]
    with (plan.root / "crossval.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["fold"] for row in rows] == ["", "", "mean", "deviation"]
    assert [row["seed"] for row in rows] == ["1", "2", "", ""]

    with pytest.raises(UsageError, match=r"seed-1 was trained by another recipe"):
        cross_validate(make_plan(DIGITS, DIGITS.recipe(["train.epochs=5"]), None, 2, True, plan.root), again)
