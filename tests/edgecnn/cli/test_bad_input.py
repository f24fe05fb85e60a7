"""A user's mistake costs one clear message: the right exit code, no traceback (the ``cli`` fixture looks), no file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Cli, child_environment

RECIPE = '[model]\nname = "net"\n[data]\nset = "digits"\n[train]\nepochs = 1\n'
MODEL = """\
import keras
def build():
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
"""


def model_folder(folder: Path, recipe: str = RECIPE, model: str | None = MODEL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    if model is not None:
        (folder / "model.py").write_text(model, encoding="utf-8")
    return folder


# what is typed; the exit code; what the message must hold. No TensorFlow is imported for any of these.
QUICK = [
    (["trian"], 2, ["unknown command 'trian'", "Did you mean 'train'"]),
    (["train"], 2, ["MODEL"]),
    (["train", "lenet6"], 2, ["unknown model 'lenet6'", "Did you mean 'lenet5'", "recipe.toml"]),
    (["train", "digits_tiny", "--set", "train.epohcs=3"], 2, ["--set train.epohcs", "Did you mean 'epochs'"]),
    (["train", "digits_tiny", "--set", "train.epochs=many"], 2, ["--set train.epochs", "'many'", "integer"]),
    (["train", "digits_tiny", "--epochs", "0"], 2, ["--epochs", "1"]),
    (["train", "digits_tiny", "--resume"], 1, ["no run", "edgecnn train digits_tiny"]),
    (["train", "digits_tiny", "--set", "data.set=digts"], 2, ["unknown data set 'digts'", "'digits'"]),
    (["models", "digits_tinny"], 2, ["unknown model", "'digits_tiny'"]),
    (["data", "fashon_mnist"], 2, ["unknown data set", "'fashion_mnist'"]),
    (["quantize", "digits_tiny"], 1, ["no run", "edgecnn train digits_tiny"]),
    (["quantize", "nothing.keras"], 2, ["--data", "--preprocess"]),
    (["quantize", "model.tflite", "--data", "digits"], 2, ["from the .keras model"]),
    (["run", "digits_tiny", "--on", ","], 2, ["no runtime named"]),
    (["quantize", "nowhere/run"], 2, ["no such file or folder"]),
    (["evaluate", "nothing.tflite"], 2, ["nothing.tflite"]),
    (["export", "digits_tiny", "--to", "coffee"], 2, ["coffee", "c-array"]),
    (["export", "nothing.tflite", "--to", "c-array"], 2, ["nothing.tflite"]),
    (["bench", "nothing.tflite"], 2, ["nothing.tflite"]),
    (["bench", "nothing.tflite", "--on", "litrt"], 2, ["unknown runtime 'litrt'", "'litert'"]),
    (["run", "digits_tiny", "--on", "tpu"], 2, ["unknown runtime 'tpu'"]),
    (["summary", "nothing.tflite"], 2, ["nothing.tflite"]),
    (["summary", "digits_tinny"], 2, ["digits_tiny"]),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), QUICK, ids=[" ".join(row[0]) for row in QUICK])
def test_a_mistake_in_words(
    cli_here: Callable[..., tuple[int, str, str]], tmp_path: Path, arguments: list[str], code: int, expected: list[str]
) -> None:
    found, printed, said = cli_here(*arguments)
    assert (found, printed) == (code, "")
    for part in expected:
        assert part in " ".join(said.split())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


FILES = [
    ("empty.tflite", b""),
    ("text.tflite", b"this is no model at all, only some words that are long enough"),
    ("magic.tflite", b"\x1c\0\0\0TFL3" + bytes(40)),
    ("zip.keras", b"PK\x03\x04 not a zip"),
    ("noise.onnx", os.urandom(200)),
]


@pytest.mark.parametrize(("name", "content"), FILES, ids=[name for name, _ in FILES])
@pytest.mark.parametrize("command", ["summary", "evaluate", "bench"])
@pytest.mark.slow
def test_a_damaged_model_file(cli: Cli, tmp_path: Path, command: str, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    done = cli(command, name, *(["--data", "digits"] if command != "summary" else []), code=None)
    assert done.returncode in (1, 2), done.stderr
    assert name in done.stderr
    assert "mistake in edgecnn itself" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]


@pytest.mark.slow
def test_a_model_file_cut_anywhere(cli: Cli, tmp_path: Path, digits_run: Path) -> None:
    whole = (digits_run / "model_int8.tflite").read_bytes()
    for length in (7, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.tflite").write_bytes(whole[:length])
        done = cli("summary", "cut.tflite", code=1)
        assert "cut.tflite" in done.stderr


BROKEN_MODELS = [
    ("import keras\n", "no function build()"),
    ("def build(:\n", "SyntaxError"),
    ("def build():\n    return 3\n", "returned int"),
    ("import keras\ndef build():\n    return keras.Sequential([keras.layers.Dense(10)])\n", "keras.Input((8, 8, 1))"),
    ("def build():\n    raise ValueError('no luck')\n", "no luck"),
    (MODEL.replace("(8, 8, 1)", "(9, 9, 1)"), "the data gives (8, 8, 1)"),
    (MODEL.replace("Dense(10", "Dense(7"), "7 outputs, the data has 10 classes"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "expected"), BROKEN_MODELS, ids=[row[1] for row in BROKEN_MODELS])
def test_a_model_that_cannot_be_built(cli: Cli, tmp_path: Path, model: str, expected: str) -> None:
    done = cli("train", model_folder(tmp_path / "net", model=model), code=2)
    assert expected in " ".join(done.stderr.split())


BROKEN_KERAS_NAMES = [
    ('optimizer = { name = "adamm" }', "unknown optimizer 'adamm'"),
    ('optimizer = { name = "adam", lerning_rate = 1 }', "'learning_rate'"),
    ('loss = "sparse_crossentropy"', "unknown loss"),
    ('schedule = { name = "sawtooth" }', "unknown schedule"),
    ('schedule = { name = "cosine_decay" }', "initial_learning_rate"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "expected"), BROKEN_KERAS_NAMES, ids=[row[1] for row in BROKEN_KERAS_NAMES])
def test_a_name_that_keras_does_not_have(cli: Cli, tmp_path: Path, line: str, expected: str) -> None:
    done = cli("train", model_folder(tmp_path / "net", recipe=RECIPE + line + "\n"), code=2)
    assert expected in " ".join(done.stderr.split())


def test_a_folder_that_is_no_model(cli: Cli, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "net", model=None)
    assert "no model.py" in cli("train", folder, code=2).stderr


def test_a_recipe_with_a_mistake_has_file_and_line(cli: Cli, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "net", recipe=RECIPE.replace("epochs", "epoch"))
    said = " ".join(cli("train", folder, code=2).stderr.split())
    assert "recipe.toml:6: train.epoch: unknown key. Did you mean 'epochs'?" in said


def test_an_output_folder_that_holds_something_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert "not empty" in cli("train", "digits_tiny", "--out", "out", code=1).stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_an_output_folder_that_cannot_be_made(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot write" in cli("train", "digits_tiny", "--out", "file/run", code=1).stderr
    assert "cannot write" in cli("train", "digits_tiny", "--out", "/proc/run", code=1).stderr


@pytest.mark.slow
def test_quantizing_a_damaged_keras_file(cli: Cli, tmp_path: Path, digits_run: Path) -> None:
    whole = (digits_run / "model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    done = cli("quantize", "cut.keras", "--data", "digits", "--preprocess", "scale=1/16", code=1)
    assert "cut.keras: not a model that Keras can load" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["cut.keras"]


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path, digits_run: Path) -> None:
    """A file-size limit stands in for the disk: the write fails in the same place."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
        "from edgecnn.cli import main; main(sys.argv[1:])"
    )
    model = digits_run / "model_int8.tflite"
    done = subprocess.run(
        [sys.executable, "-c", script, "export", str(model), "--to", "c-array", "--out", "out", "--name", "net"],
        cwd=tmp_path,
        env=child_environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
