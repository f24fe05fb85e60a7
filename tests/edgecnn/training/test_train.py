"""Training for real: it learns, it is reproducible, and a killed one ends as an unbroken one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError, UsageError
from tests.support import Cli, child_environment, heed_ctrl_c
from tests.training_runs import trained

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
        preexec_fn=heed_ctrl_c,
    )


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


STATEFUL = [
    part
    for change in (
        "train.average=0.95",
        "train.schedule={name='reduce_on_plateau', initial_learning_rate=0.005, patience=1, min_delta=0.05}",
        "train.optimizer={name='momentum', global_clipnorm=1.0}",
    )
    for part in ("--set", change)
]
"""What knows of the epochs before: the averages of the weights, momentum, and the schedule."""


@pytest.mark.parametrize(
    ("line", "options"),
    [("Training digits_tiny", []), ("epoch   3/", STATEFUL)],
    ids=["before epoch 1", "after epoch 3"],
)
def test_killed_and_resumed_ends_as_the_unbroken_run(
    cli: Cli, tmp_path: Path, line: str, options: list[str]
) -> None:
    cli("train", "digits_tiny", *SHORT, *options, "--out", "unbroken")
    process = start(tmp_path, "train", "digits_tiny", *SHORT, *options, "--out", "killed")
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
        del history["values"]["seconds"], history["values"]["waiting"]    # what the clock says
    assert ours == theirs
    if options:
        assert len(set(ours["values"]["learning_rate"])) > 2, "the schedule never came to its point"


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


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        trained("digits_tiny", tmp_path / name, ["train.epochs=1", "data.limit=200", f"train.seed={seed}"])
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    process = start(tmp_path, "train", "digits_tiny", "--out", "run")
    said = stop_after(process, "epoch   2/", signal.SIGINT)
    assert process.returncode == 130
    assert "edgecnn train digits_tiny --resume --out run" in " ".join(said.split())
    assert "Traceback" not in said
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


SETTINGS = {
    "momentum, a schedule of Keras's": [
        "train.optimizer={name='SGD', momentum=0.9, nesterov=true}",
        "train.schedule={name='ExponentialDecay', initial_learning_rate=0.03, decay_rate=0.5}",
    ],
    "dice, cosine with a warm-up": [
        "train.loss=dice",
        "train.optimizer={name='rmsprop', learning_rate=0.005}",
        "train.schedule={name='cosine', warmup_epochs=1}",
    ],
    "mean squared error, averages": ["train.loss=mse", "train.optimizer=adamw", "train.average=0.9", "train.keep=last"],
    "smoothed, weighted and mixed": [
        "train.loss={name='sparse_categorical_crossentropy', label_smoothing=0.1}",
        "train.class_weight=balanced",
        "data.augment.mixup=0.2",
    ],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_learns_with(name: str, tmp_path: Path) -> None:
    changes = ["train.epochs=8", "data.limit=400", "train.batch=16", *SETTINGS[name]]
    info = trained("digits_tiny", tmp_path / "run", changes).info
    assert info.training is not None and info.evaluation is not None
    values = info.training.history.values
    assert values["val_loss"][-1] < 0.9 * values["val_loss"][0]
    assert info.evaluation.accuracy > 0.5    # chance is 0.1
    assert info.evaluation.accuracy == pytest.approx(values["val_accuracy"][info.training.best_epoch - 1], abs=0.25)


def test_the_last_weights_are_kept_where_the_recipe_says_so(tmp_path: Path) -> None:
    """With a rate that grows until it destroys what was learned, the last weights are not the best."""
    changes = [
        "train.epochs=6",
        "data.limit=300",
        "train.optimizer=sgd",
        "train.schedule={name='PiecewiseConstantDecay', boundaries=[27], values=[0.1, 30.0]}",
    ]
    runs = (trained("digits_tiny", tmp_path / keep, [*changes, f"train.keep={keep}"]) for keep in ("best", "last"))
    best, last = runs
    ours, theirs = best.info.training, last.info.training
    assert ours is not None and theirs is not None
    assert ours.history.values["loss"] == theirs.history.values["loss"]
    assert ours.best_epoch <= 3
    assert ours.history.best_epoch == ours.best_epoch
    assert theirs.best_epoch == 6
    assert theirs.history.best_epoch is None
    assert theirs.val_loss == theirs.history.values["val_loss"][-1] > ours.val_loss


def test_class_weights_move_decisions_to_the_class(tmp_path: Path) -> None:
    changes = ["train.epochs=4", "data.limit=400"]
    plain = trained("digits_tiny", tmp_path / "plain", changes)
    heavy = trained("digits_tiny", tmp_path / "heavy", [*changes, "train.class_weight={'3' = 30.0}"])
    said = [np.sum(run.info.evaluation.confusion_matrix, axis=0)[3] for run in (plain, heavy)]    # type: ignore[union-attr]
    assert said[1] > 2 * said[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["train.monitor=val_auc"], "train.monitor = 'val_auc': this task has val_loss, val_accuracy"),
        (["train.keep=last", "train.early_stopping=3"], "remove one of the two"),
        (["train.loss=sparse_categorical_crossentropi"], "unknown loss"),
    ],
)
def test_what_contradicts_itself_is_refused_before_any_epoch(
    tmp_path: Path, change: list[str], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        trained("digits_tiny", tmp_path / "run", change)
    assert not (tmp_path / "run" / "checkpoint.npz").exists()


def test_early_stopping_stops(tmp_path: Path) -> None:
    changes = ["train.early_stopping=1", "train.schedule.initial_learning_rate=1e-7", "data.limit=200"]
    training = trained("digits_tiny", tmp_path / "run", [*changes, "train.epochs=40"]).info.training
    assert training is not None
    assert training.epochs == training.best_epoch + 1 < 40


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (["train.schedule.initial_learning_rate=1e30"], "schedule.initial_learning_rate"),
        (["train.schedule=cosine", "train.optimizer={name='sgd', learning_rate=1e30}"], "optimizer.learning_rate"),
    ],
)
def test_a_loss_that_is_no_number_is_explained(tmp_path: Path, changes: list[str], key: str) -> None:
    with pytest.raises(EdgecnnError, match=rf"no longer a number.*--set train\.{key}=0\.0003.*clipnorm"):
        trained("digits_tiny", tmp_path / "run", [*changes, "train.epochs=2", "data.limit=100"])
