"""Training for real: it learns, it is reproducible, and a killed one ends as an unbroken one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import Cli, child_environment

pytestmark = pytest.mark.slow

SHORT = ["--epochs", "20", "--limit", "400"]    # long enough that a signal meets it at work


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgecnn", *arguments],
        cwd=tmp_path,
        env=child_environment(tmp_path),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=_heed_ctrl_c,
    )


def _heed_ctrl_c() -> None:
    """Tests that run in the background may have been started with SIGINT ignored, which children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop_after(process: subprocess.Popen[str], text: str, how: signal.Signals) -> str:
    """Send a signal as soon as a line with ``text`` was printed; return what came after it."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            process.send_signal(how)
            return process.communicate()[1]
    raise AssertionError(f"the training ended without printing {text!r}")


def same_weights(one: Path, other: Path) -> bool:
    from edgecnn.keras_quiet import load_keras_model

    ours, theirs = (load_keras_model(run / "model.keras", "the test").weights for run in (one, other))
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("line", ["Training digits_tiny", "epoch   3/"], ids=["before epoch 1", "after epoch 3"])
def test_killed_and_resumed_ends_as_the_unbroken_run(cli: Cli, tmp_path: Path, line: str) -> None:
    cli("train", "digits_tiny", *SHORT, "--out", "unbroken")
    process = start(tmp_path, "train", "digits_tiny", *SHORT, "--out", "killed")
    stop_after(process, line, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.keras").exists()
    cli("train", "digits_tiny", "--resume", "--out", "killed")
    assert same_weights(tmp_path / "unbroken", tmp_path / "killed")
    assert not list((tmp_path / "killed").glob(".*"))
    ours, theirs = (
        json.loads((tmp_path / name / "run.json").read_text())["training"]["history"] for name in ("unbroken", "killed")
    )
    for history in (ours, theirs):
        del history["values"]["seconds"]
    assert ours == theirs


def test_a_run_that_was_killed_before_its_evaluation_is_completed(cli: Cli, tmp_path: Path) -> None:
    cli("train", "digits_tiny", "--epochs", "1", "--limit", "200", "--out", "run")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    whole = info["evaluation"]
    (tmp_path / "run" / "run.json").write_text(json.dumps({**info, "evaluation": None}))
    again = cli("train", "digits_tiny", "--resume", "--out", "run")
    assert "trained to its end already" in again.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["evaluation"] == whole


def test_resume_goes_on_with_its_own_model_and_data_only(cli: Cli, tmp_path: Path) -> None:
    from PIL import Image

    generator = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 3)):
        for label in ("a", "b"):
            (tmp_path / "pictures" / split / label).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(generator.integers(0, 255, (8, 8), dtype=np.uint8))
                image.save(tmp_path / "pictures" / split / label / f"{number}.png")
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "model.py").write_text(
        "import keras\nfrom keras import layers\n"
        "def build(input_shape, classes):\n"
        "    first = keras.Input(input_shape[:2])\n"
        "    return keras.Sequential([first, layers.Flatten(), layers.Dense(classes, 'softmax')])\n"
    )
    (folder / "recipe.toml").write_text(
        '[model]\nname = "net"\n[data]\nset = "image_folder"\npath = "../pictures"\nchannels = 1\n'
        "[train]\nepochs = 400\nbatch = 4\n"
    )
    process = start(tmp_path, "train", "net", "--out", "run")
    stop_after(process, "epoch   3/", signal.SIGKILL)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["data"]["sha256"]
    other = cli("train", "digits_tiny", "--resume", "--out", "run", code=2)
    assert "is a run of net, not of digits_tiny" in other.stderr
    longer = cli("train", "net", "--resume", "--epochs", "3", "--out", "run", code=2)
    assert "leave out --set" in longer.stderr
    changed = tmp_path / "pictures" / "train" / "a" / "0.png"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(changed)
    done = cli("train", "net", "--resume", "--out", "run", code=1)
    assert "not the data that run began with" in " ".join(done.stderr.split())


def test_data_path_is_meant_from_the_recipe_and_every_split_is_recorded(cli: Cli, tmp_path: Path) -> None:
    from edgecnn.files import sha256_file
    from tests.support import write_idx_set

    write_idx_set(tmp_path / "net" / "idx", count=200)
    (tmp_path / "net" / "model.py").write_text(
        "import keras\nfrom keras import layers\n"
        "def build():\n"
        "    return keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(10, 'softmax')])\n"
    )
    recipe = '[model]\nname = "net"\n[data]\nset = "mnist"\npath = "idx"\n[train]\nepochs = 1\n'
    (tmp_path / "net" / "recipe.toml").write_text(recipe)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cli("train", "../net", "--out", "../run", cwd=elsewhere)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    files = {path.name: sha256_file(path) for path in (tmp_path / "net" / "idx").iterdir()}
    assert len(files) == 4
    assert info["data"]["sha256"] == files


def test_the_same_seed_gives_the_same_weights_and_another_one_others(cli: Cli, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        cli("train", "digits_tiny", "--epochs", "1", "--limit", "200", "--set", f"train.seed={seed}", "--out", name)
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    process = start(tmp_path, "train", "digits_tiny", "--out", "run")
    said = stop_after(process, "epoch   2/", signal.SIGINT)
    assert process.returncode == 130
    assert "edgecnn train digits_tiny --resume --out run" in " ".join(said.split())
    assert "Traceback" not in said
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


def test_any_optimizer_loss_and_schedule_of_keras(cli: Cli, tmp_path: Path) -> None:
    choices = {
        "momentum": ["train.optimizer={name='SGD', momentum=0.9, nesterov=true}"],
        "schedule": ["train.schedule={name='ExponentialDecay', initial_learning_rate=0.01, decay_rate=0.5}"],
        "one-hot targets": ["train.loss=categorical_crossentropy", "train.optimizer.name=RMSprop"],
        "mean squared error": ["train.loss=mean_squared_error", "train.optimizer.name=adamw"],
    }
    for number, (title, changes) in enumerate(choices.items()):
        options = [part for change in changes for part in ("--set", change)]
        cli("train", "digits_tiny", "--epochs", "8", *options, "--out", f"run{number}")
        figures = json.loads((tmp_path / f"run{number}" / "run.json").read_text())["training"]
        first, last = (figures["history"]["values"]["loss"][index] for index in (0, -1))
        assert last < 0.9 * first, title


def test_early_stopping_stops(cli: Cli, tmp_path: Path) -> None:
    change = ["--set", "train.early_stopping=1", "--set", "train.schedule.initial_learning_rate=0.0000001"]
    cli("train", "digits_tiny", *change, "--limit", "200", "--epochs", "40", "--out", "run")
    training = json.loads((tmp_path / "run" / "run.json").read_text())["training"]
    assert training["epochs"] == training["best_epoch"] + 1 < 40


def test_a_loss_that_is_no_number_is_explained(cli: Cli) -> None:
    rate = "train.schedule.initial_learning_rate=1e30"
    done = cli("train", "digits_tiny", "--set", rate, "--epochs", "2", code=1)
    assert "no longer a number" in done.stderr
    assert "learning" in done.stderr
