"""Space files: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from edgecnn.errors import UsageError
from edgecnn.tune.space import Choices, Range, Space, overrides
from edgecnn.tune.space_file import load_space
from edgecnn.zoo import ModelFolder, find_model

DIGITS = find_model("digits_tiny")


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "recipe.toml").write_text(
        '[model]\nname = "net"\n[data]\nset = "digits"\n[train]\noptimizer = "adam"\nepochs = 3\n'
    )
    (folder / "model.py").write_text("def build(filters=8, *, wide=False):\n    return None\n")
    return ModelFolder(folder)


def space_of(model: ModelFolder, text: str, given: tuple[str, ...] = ()) -> Space:
    path = model.path / "space.toml"
    path.write_text(text, encoding="utf-8")
    return load_space(path, model, given)


def test_keys_and_values(model: ModelFolder) -> None:
    space = space_of(
        model,
        '"data.augment.shift" = { low = 0.0, high = 0.5, step = 0.125 }\n'
        "[model.arguments]\n"
        "filters = { low = 2, high = 16, step = 2 }\n"
        "wide = { choices = [true, false] }\n"
        "[data]\n"
        "step = { low = 0.5, high = 1.5 }\n"    # a key of the recipe, and a word of a range
        "[train]\n"
        'optimizer = { choices = ["adam", { name = "sgd", momentum = 0.9 }] }\n'
        "epochs = { low = 1, high = 100, log = true }\n",
    )
    assert space.parameters == {
        "data.augment.shift": Range(0.0, 0.5, 0.125),
        "model.arguments.filters": Range(2, 16, 2),
        "model.arguments.wide": Choices((True, False)),
        "data.step": Range(0.5, 1.5),
        "train.optimizer": Choices(("adam", {"name": "sgd", "momentum": 0.9})),
        "train.epochs": Range(1, 100, log=True),
    }


def test_every_value_that_is_drawn_makes_a_recipe() -> None:
    space = load_space(DIGITS.path / "space.toml", DIGITS)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    batches = set()
    for _ in range(20):
        trial = study.ask()
        values = space.suggest(trial)
        recipe = DIGITS.recipe(overrides(values))
        assert values == space.values_of(trial.params)
        assert recipe.model.arguments["filters"] == values["model.arguments.filters"] in range(2, 17, 2)
        assert recipe.train.schedule is not None
        rate = recipe.train.schedule.arguments()["initial_learning_rate"]
        assert 0.001 <= rate == values["train.schedule.initial_learning_rate"] <= 0.02
        assert float(f"{rate:.6g}") == rate
        batches.add(recipe.train.batch)
    assert batches == {16, 32, 64}


def test_tables_are_kept_as_text_and_come_back(model: ModelFolder) -> None:
    wanted = {"name": "sgd", "momentum": 0.9}
    space = space_of(model, 'train.optimizer = { choices = ["adam", { name = "sgd", momentum = 0.9 }] }')
    stored = '{"name": "sgd", "momentum": 0.9}'
    assert space.grid() == {"train.optimizer": ["adam", stored]}
    assert space.suggest(optuna.trial.FixedTrial({"train.optimizer": stored})) == {"train.optimizer": wanted}
    options = model.recipe(overrides({"train.optimizer": wanted})).train.optimizer
    assert (options.name, options.arguments()) == ("sgd", {"momentum": 0.9})


def test_steps_end_at_high_and_are_round() -> None:
    assert Range(0.1, 0.7, 0.1).values() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert Range(4, 12, 4).values() == [4, 8, 12]
    assert Range(2, 4).values() == [2, 3, 4]
    assert Range(0.1, 0.7).values() is None


def test_the_example_of_digits_tiny_has_the_recipe_in_it() -> None:
    """The default network is one of those that the search can find."""
    space = load_space(DIGITS.path / "space.toml", DIGITS)
    grid = {key: parameter for key, parameter in space.parameters.items() if key.startswith("model.arguments.")}
    values = {key: one.values if isinstance(one, Choices) else one.values() for key, one in grid.items()}
    assert 8 in values["model.arguments.filters"] and 16 in values["model.arguments.more_filters"]    # type: ignore[operator]
    assert 3 in values["model.arguments.kernel"] and 0 in values["model.arguments.dense"]    # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "space.toml: nothing to search over"),
        ("[train\n", "space.toml: not valid TOML"),
        ("train.batch = 3\n", "space.toml:1: train.batch: found 3: expected { low = 1, high = 8 }"),
        ("train.batch = {}\n", "space.toml:1: train.batch: found {}: expected {"),
        ("\n[train]\nbatch = { low = 3 }\n", "space.toml:3: train.batch: high is missing"),
        ("train.batch = { low = 3, heigh = 4 }\n", "train.batch: unknown key 'heigh'. Did you mean 'high'?"),
        ("train.batch = { choices = [] }\n", "train.batch: choices = []: expected a list"),
        ("train.batch = { choices = [4, 8, 4] }\n", "train.batch: choices: 4 stands there twice"),
        ("train.batch = { choices = [4], low = 3 }\n", "train.batch: choices and low: write one or the other"),
        ("train.batch = { low = 8, high = 8 }\n", "train.batch: low = 8 is not below high = 8"),
        ("train.batch = { low = 8, high = 32.0 }\n", "train.batch: low = 8 and high = 32.0: write both as integers"),
        ("train.batch = { low = 8, high = 20, step = 8 }\n", "high = 20 is not a whole number of steps"),
        ("train.batch = { low = 8, high = 16, step = 0 }\n", "step = 0: a whole number above 0 is expected"),
        ("train.batch = { low = 8, high = 16, log = 1 }\n", "log = 1: true or false"),
        ("train.batch = { low = 8, high = 16, step = 4, log = true }\n", "a range with log has no step"),
        ("data.augment.shift = { low = 0.0, high = 0.5, log = true }\n", "low = 0.0 has no logarithm"),
        ("data.augment.shift = { low = 0.0, high = nan }\n", "high = nan: a number is expected"),
        ("train.batch = { low = 0, high = 16 }\n", "train.batch: found 0: input should be greater than 0"),
        ("data.augment.shift = { low = 0.0, high = 0.7 }\n", "augment.shift: found 0.7: input should be less than"),
        ("train.bach = { choices = [4] }\n", "space.toml:1: train.bach: unknown key. Did you mean 'batch'? Allowed"),
        ("train.optimizer.momentum = { low = 0.0, high = 0.9 }\n", "'optimizer' is a value, not a section"),
        ("train.batch = { choices = [1979-05-27] }\n", "train.batch: found datetime.date(1979, 5, 27): numbers, text"),
        ("train = { choices = [4] }\n", "train: a whole section cannot be searched over"),
        ("train.seed = { low = 1, high = 3 }\n", "train.seed: it cannot be searched over: trials would be judged on"),
        ("budget.flash = { low = 1, high = 3 }\n", "it cannot be searched over: it is what trials are held to"),
        ("model.arguments.filter = { low = 1, high = 3 }\n", "model.arguments 'filter'. Did you mean 'filters'?"),
        (
            'train.optimizer = { choices = ["adam"] }\n"train.optimizer.momentum" = { low = 0.0, high = 0.9 }\n',
            "is searched over too, and one holds the other",
        ),
    ],
)
def test_what_cannot_be_meant(model: ModelFolder, text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        space_of(model, text)
    assert said in str(error.value)
    assert str(error.value).startswith(str(model.path / "space.toml"))
    assert "--set" not in str(error.value)


def test_what_set_gives_is_not_searched_over(model: ModelFolder) -> None:
    with pytest.raises(UsageError, match=r"space.toml:1: train.epochs: .* gives train.epochs=4: remove one of the two"):
        space_of(model, "train.epochs = { low = 1, high = 9 }", given=("train.epochs=4",))


def test_a_wrong_override_is_no_fault_of_the_space(model: ModelFolder) -> None:
    with pytest.raises(UsageError, match=r"^--set train.epochs: found 0"):
        space_of(model, "train.batch = { choices = [8] }", given=("train.epochs=0",))


def test_no_file_and_no_text(model: ModelFolder) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_space(model.path / "space.toml", model)
    path = model.path / "latin.toml"
    path.write_bytes("# Größe\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 4\)"):
        load_space(path, model)


def test_a_grid_needs_an_end(model: ModelFolder) -> None:
    space = space_of(model, "train.batch = { choices = [8, 16] }\ndata.augment.shift = { low = 0.0, high = 0.5 }\n")
    with pytest.raises(UsageError, match=r"data.augment.shift: --sampler grid needs an end of values"):
        space.grid()


def test_any_keyword_may_be_an_argument(model: ModelFolder) -> None:
    model.source.write_text("def build(**anything):\n    return None\n")
    parameters: Any = space_of(model, "model.arguments.depth = { low = 1, high = 3 }").parameters
    assert parameters == {"model.arguments.depth": Range(1, 3)}
