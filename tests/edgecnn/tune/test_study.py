"""Searches for real, in this process and in another one."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.tune.asked import Search
from edgecnn.tune.outcome import chosen, write_outcome
from edgecnn.tune.records import TrialRecord
from edgecnn.tune.space_file import load_space
from edgecnn.tune.study import search
from edgecnn.zoo import ModelFolder, find_model
from tests.support import child_environment

Here = Callable[..., tuple[int, str, str]]

SPACE = "model.arguments.filters = { choices = [2, 4, 8] }\n"
SETTINGS = ("budget.macs=20000", "train.epochs=4")    # the default network, of 8 filters, has 25,600 MACs


class Follower:
    """Notes which trials ran here."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.ended: list[TrialRecord] = []
        self.epochs = 0

    def begin(self, number: int, done: int, trials: int, values: Mapping[str, Any]) -> None:
        assert done < trials == 3
        assert list(values) == ["model.arguments.filters"]
        self.began.append(number)

    def epoch(self, epoch: int, epochs: int, accuracy: float) -> None:
        assert 1 <= epoch <= epochs and 0 <= accuracy <= 1
        self.epochs += 1

    def end(self, record: TrialRecord) -> None:
        self.ended.append(record)


def search_for(model: ModelFolder, folder: Path, **changed: Any) -> Search:
    (folder / "space.toml").write_text(SPACE)
    given = changed.pop("given", SETTINGS)
    settings: dict[str, Any] = {
        "model": model,
        "given": given,
        "space": load_space(folder / "space.toml", model, given),
        "objectives": ("accuracy", "flash"),
        "sampler": "grid",
        "trials": None,
        "prune": True,
        "study": "digits_tiny",
        "storage": f"sqlite:///{folder / 'runs' / 'tune' / 'digits_tiny' / 'study.db'}",
        "target": None,
        "folder": folder / "runs" / "tune" / "digits_tiny" / "digits_tiny",
    }
    return Search(**{**settings, **changed})


@pytest.mark.slow
def test_two_processes_search_a_grid_within_the_budget(
    tmp_path: Path, cli_here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = search_for(find_model("digits_tiny"), tmp_path)
    overrides = [word for setting in SETTINGS for word in ("--set", setting)]
    arguments = ["tune", "digits_tiny", "--space", "space.toml", "--sampler", "grid", *overrides]
    other = subprocess.Popen(
        [sys.executable, "-m", "edgecnn", *arguments],
        cwd=tmp_path,
        env=child_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    follower = Follower()
    try:
        search(asked, follower)
    finally:
        theirs, _ = other.communicate(timeout=900)
    assert other.returncode == 0, theirs
    # Each ran some of the trials (or the other one all of them), together they ran them all, and none twice.
    ended = [int(line.split()[1][:-1]) for line in theirs.splitlines() if line.startswith("trial ") and " B, " in line]
    assert sorted([*ended, *(one.number for one in follower.ended)]) == [0, 1, 2]
    assert follower.began == [one.number for one in follower.ended]
    assert follower.epochs == sum(one.epochs for one in follower.ended)

    found = search(asked, follower)    # nothing is left to do
    assert len(follower.ended) + len(ended) == 3
    assert {one.values["model.arguments.filters"]: one.state for one in found.records} == {
        2: "trained",
        4: "trained",
        8: "over budget",
    }
    over = next(one for one in found.records if one.state == "over budget")
    assert (over.note, over.epochs, over.run) == ("macs 25,600 of 20,000", 0, "")
    trained = [one for one in found.records if one.state == "trained"]
    assert all((one.accuracy or 0) > 0.5 and one.samples == 144 for one in trained)    # of ten classes: they learned
    assert all((Path(one.run) / "model.keras").is_file() for one in trained)
    flash = {one.values["model.arguments.filters"]: one.value("flash") or 0 for one in trained}
    assert flash[2] < flash[4]

    best = chosen(found.records, None)
    write_outcome(asked, found, best)
    run = json.loads((Path(best.run) / "run.json").read_text())
    assert run["training"]["val_accuracy"] == best.accuracy == max(one.accuracy or 0 for one in trained)
    assert run["evaluation"] is None, "a search must not look at the test split"
    recipe = find_model(str(asked.folder / "best")).recipe()
    assert recipe.model_dump(mode="json") == run["recipe"]

    # The command, again: it trains nothing more and says the same.
    capsys.readouterr()    # what the converter printed
    code, out, _ = cli_here(*arguments, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["trials"] == {"trained": 2, "over budget": 1}
    assert document["best"]["number"] == best.number
    assert [one["number"] for one in document["front"]] == [one.number for one in found.records if one.on_front]
    with (asked.folder / "trials.csv").open(encoding="utf-8") as stream:
        assert [row["state"] for row in csv.DictReader(stream)] == [one.state for one in found.records]
    assert (asked.folder / "pareto.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_network_that_never_works_stops_the_search(tmp_path: Path) -> None:
    digits = find_model("digits_tiny")
    (tmp_path / "recipe.toml").write_bytes((digits.path / "recipe.toml").read_bytes())
    (tmp_path / "model.py").write_text("def build(filters=8):\n    raise ValueError('no luck')\n")
    follower = Follower()
    with pytest.raises(EdgecnnError, match=r"3 trials in a row failed in the same way: .*ValueError: no luck"):
        search(search_for(ModelFolder(tmp_path), tmp_path), follower)
    assert [one.state for one in follower.ended] == ["failed"] * 3
    assert not list((tmp_path / "runs").rglob("trial-*"))
