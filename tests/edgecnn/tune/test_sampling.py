"""Samplers on a shared storage, and the median rule against Optuna's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from edgecnn.cli.tune import command
from edgecnn.tune.sampling import SAMPLERS, STARTUP_TRIALS, Curve, make_sampler, should_stop
from edgecnn.tune.space import Choices, Range, Space

SPACE = Space(Path("space.toml"), {"a": Range(0.001, 1.0, log=True), "b": Range(2, 10, 2), "c": Choices((3, "x"))})
GRID = Space(Path("space.toml"), {"b": Range(2, 10, 2), "c": Choices((3, "x"))})


def run(storage: Any, name: str, space: Space, trials: int) -> optuna.Study:
    """What one process does: some trials of a study that others may share."""
    study = optuna.create_study(storage=storage, study_name="shared", direction="maximize", load_if_exists=True)
    study.sampler = make_sampler(name, space, seed=1)

    def value(trial: optuna.Trial) -> float:
        values = space.suggest(trial)
        return float(values["b"]) * (0.5 if values["c"] == "x" else 1.0)

    for _ in range(trials):
        study.optimize(value, n_trials=1)
    return study


def test_the_command_takes_what_there_is() -> None:
    (option,) = (one for one in command.params if one.name == "sampler")
    assert sorted(option.type.choices) == sorted(SAMPLERS)    # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_two_processes_draw_what_one_would(name: str) -> None:
    """With a generator a process, the second one would repeat the first one's draws."""
    alone = run(optuna.storages.InMemoryStorage(), name, SPACE, 16)
    storage = optuna.storages.InMemoryStorage()
    for _ in range(8):    # each call makes a sampler of its own, as a process does
        shared = run(storage, name, SPACE, 2)
    assert [trial.params for trial in shared.trials] == [trial.params for trial in alone.trials]
    assert len({trial.params["a"] for trial in shared.trials}) == 16


def test_tpe_finds_the_better_half() -> None:
    study = run(optuna.storages.InMemoryStorage(), "tpe", SPACE, 60)
    late = [trial.value for trial in study.trials[30:]]
    early = [trial.value for trial in study.trials[:10]]
    assert np.mean(late) > np.mean(early) + 1.0


def test_a_grid_is_covered_once() -> None:
    storage = optuna.storages.InMemoryStorage()
    for _ in range(5):
        study = run(storage, "grid", GRID, 2)
    seen = Counter((trial.params["b"], trial.params["c"]) for trial in study.trials)
    assert seen == Counter({(b, c): 1 for b in (2, 4, 6, 8, 10) for c in (3, "x")})


def test_with_accuracy_alone_the_rule_is_optunas() -> None:
    generator = np.random.default_rng(2)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=2)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    ended: list[Curve] = []
    decisions = Counter[bool]()
    for _ in range(60):
        trial = study.ask()
        level, curve = generator.uniform(0.2, 0.9), []
        for epoch in range(8):
            curve.append(float(level + generator.normal(0, 0.15) + 0.02 * epoch))
            trial.report(curve[-1], epoch)
            stop = should_stop(curve, {}, ended, warm_up=2)
            assert stop == trial.should_prune()
            decisions[stop] += 1
            if stop:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, curve[-1])
            ended.append(Curve({}, curve))
    assert decisions[True] > 10 and decisions[False] > 50


def test_a_small_network_is_judged_among_small_ones() -> None:
    large = [Curve({"flash": 100.0 + number}, [0.9, 0.9]) for number in range(8)]
    assert should_stop([0.5], {"flash": 200.0}, large, warm_up=0)
    assert not should_stop([0.5], {"flash": 50.0}, large, warm_up=0)
    assert not should_stop([0.5], {"flash": 103.0}, large, warm_up=0)    # four rivals are too few
    assert should_stop([0.5], {"flash": 104.0}, large, warm_up=0)
    other = [Curve({"flash": 10.0, "arena": 900.0}, [0.9, 0.9])] * 8
    assert not should_stop([0.5], {"flash": 50.0, "arena": 800.0}, other, warm_up=0)


def test_no_judgement_while_warming_up_nor_beyond_what_others_have() -> None:
    ended = [Curve({}, [0.9, 0.9])] * 8
    assert not should_stop([0.1], {}, ended, warm_up=1)
    assert should_stop([0.1, 0.1], {}, ended, warm_up=1)
    assert not should_stop([0.1, 0.1, 0.1], {}, ended, warm_up=1)
