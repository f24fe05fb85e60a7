"""Studies in a database: shared, gone on with, and refused where they are about something else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.mcu.toolchain import MissingToolError
from edgecnn.tune.storage import open_storage, open_study, settle_target, shown_url, usable_storage
from edgecnn.tune.study import put_back

ABOUT = {"model": "net", "space": {"train.batch": {"choices": [8, 16]}}}


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'deep' / 'study.db'}"


def study_of(folder: Path, **changed: Any) -> optuna.Study:
    study: optuna.Study = open_study(url_of(folder), "net", ["maximize"], {**ABOUT, **changed})
    return study


def test_processes_that_begin_at_once_share_one_study(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "import optuna\n"
        "from edgecnn.tune.storage import open_study\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "study = open_study(sys.argv[1], 'net', ['maximize'], {'model': 'net'})\n"
        "study.optimize(lambda trial: 1.0, n_trials=2)\n"
    )
    command = [sys.executable, "-c", program, url_of(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, encoding="utf-8", **pipes) for _ in range(2)]
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    study = open_study(url_of(tmp_path), "net", ["maximize"], {"model": "net"})
    assert sorted(trial.number for trial in study.trials) == [0, 1, 2, 3]


def test_another_study_of_that_name_is_refused(tmp_path: Path) -> None:
    study_of(tmp_path)
    assert study_of(tmp_path).study_name == "net"    # the same one goes on
    with pytest.raises(UsageError, match=r"'net' in sqlite:.* was begun with another space; .* --study NAME"):
        study_of(tmp_path, space={"train.batch": {"choices": [8]}})


def test_a_study_of_others_is_left_alone(tmp_path: Path) -> None:
    study = optuna.create_study(storage=open_storage(url_of(tmp_path)), study_name="net", direction="maximize")
    study.tell(study.ask(), 1.0)
    with pytest.raises(UsageError, match="that edgecnn did not begin"):
        study_of(tmp_path)


@pytest.mark.parametrize("text", ["study.db", "", "sqlite", "mysql://host:port/db"])
def test_no_url(text: str) -> None:
    with pytest.raises(UsageError, match=r"not a URL\. Supported: sqlite:///FILE"):
        open_storage(text)


def test_no_file() -> None:
    with pytest.raises(UsageError, match=r"name a file, as in sqlite:///study\.db"):
        open_storage("sqlite://")


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_text("no database at all, but long enough to be read as one\n" * 20)
    with pytest.raises(EdgecnnError, match=r"this database cannot be used: .*not a database"):
        open_storage(f"sqlite:///{path}")
    with pytest.raises(EdgecnnError, match=r"this database cannot be used: "):
        open_storage("nosuchdatabase://host/name")


def test_a_database_of_another_form_and_one_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE studies (name TEXT)")
    url, unusable = f"sqlite:///{path}", "this database cannot be used: .*"
    with pytest.raises(EdgecnnError, match=f"{unusable}studies"), usable_storage(url):
        open_study(url, "net", ["maximize"], ABOUT)

    study = study_of(tmp_path)
    (tmp_path / "deep" / "study.db").unlink()
    with pytest.raises(EdgecnnError, match=f"{unusable}readonly"), usable_storage(url_of(tmp_path)):
        study.set_user_attr("trials", 3)


def test_a_password_is_not_shown() -> None:
    assert shown_url("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
    with pytest.raises(EdgecnnError) as error:
        open_storage("postgresql+nodriver://me:secret@host/db")
    assert "secret" not in str(error.value)
    with pytest.raises(UsageError) as error:
        open_storage("postgresql://me:secret@host:port/db")
    assert "secret" not in str(error.value)


def test_what_was_interrupted_is_tried_again_once(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    seen: list[int] = []

    def value(trial: optuna.Trial) -> float:
        seen.append(trial.suggest_int("train.batch", 8, 10_000))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return 1.0

    study.optimize(value, n_trials=1)
    with pytest.raises(KeyboardInterrupt):
        study.optimize(value, n_trials=1)
    assert put_back(study, parameters=1) == 1
    assert put_back(study, parameters=1) == 1    # queued once, whoever looks
    study.optimize(value, n_trials=2)
    assert seen[2] == seen[1] != seen[3]
    assert put_back(study, parameters=1) == 3
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_what_was_tried_elsewhere_is_not_tried_again(tmp_path: Path) -> None:
    """As the last point of a grid, which two processes drew at the same moment."""
    study = study_of(tmp_path)
    study.enqueue_trial({"train.batch": 8})
    study.enqueue_trial({"train.batch": 8})
    study.optimize(lambda trial: trial.suggest_int("train.batch", 8, 16), n_trials=1)

    def give_way(trial: optuna.Trial) -> float:
        raise ValueError(trial.suggest_int("train.batch", 8, 16))

    study.optimize(give_way, n_trials=1, catch=ValueError)
    assert put_back(study, parameters=1) == 1
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"]


def test_a_trial_whose_process_died_is_tried_again(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    program = (
        "import os, sys\n"
        "from edgecnn.tune.storage import open_study\n"
        "study = open_study(sys.argv[1], 'net', ['maximize'], {'model': 'net', 'space': {'train.batch': "
        "{'choices': [8, 16]}}})\n"
        "study.optimize(lambda trial: os._exit(9) if trial.suggest_int('train.batch', 8, 9) else 0.0, n_trials=1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, url_of(tmp_path)], timeout=120)
    assert done.returncode == 9
    assert put_back(study, parameters=1) == 1    # it may still be alive: it counts
    _age_heartbeats(url_of(tmp_path))
    assert put_back(study, parameters=1) == 0
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]


def _age_heartbeats(url: str) -> None:
    """As if an hour had passed."""
    with sqlalchemy.create_engine(url).begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-1 hour')"))


def test_flash_means_the_same_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(tmp_path)
    monkeypatch.setenv("PATH", "")    # no compiler
    with pytest.raises(MissingToolError, match="needs arm-none-eabi-gcc, which is not installed"):
        settle_target(study, "cortex-m4")
    assert settle_target(study, None) is None
    with pytest.raises(UsageError, match="--target cortex-m4: the study 'net' was begun with weights and tables alone"):
        settle_target(study, "cortex-m4")
    monkeypatch.undo()
    assert settle_target(study, None) is None    # also where the compiler is


def test_a_study_with_code_needs_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of(tmp_path)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "arm-none-eabi-gcc").write_text("#!/bin/sh\n")
    (folder / "arm-none-eabi-gcc").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert settle_target(study, None) == "cortex-m4"
    with pytest.raises(UsageError, match="--target cortex-m0: the study 'net' was begun with code for cortex-m4"):
        settle_target(study, "cortex-m0")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError):
        settle_target(study, None)
