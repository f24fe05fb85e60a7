"""A binary network and a segmentation from training to the report: each command shows the figures of the task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.results import read_results
from tests.training_runs import trained

pytestmark = pytest.mark.slow

Here = Callable[..., tuple[int, str, str]]

MODEL = """\
import keras
from keras import layers

def build(input_shape):
    return keras.Sequential([
        keras.Input(input_shape),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        {last}
    ])
"""
BINARY = 'layers.GlobalMaxPooling2D(), layers.Dense(1, activation="sigmoid"),'
MAP = 'layers.Conv2D(1, 1, activation="sigmoid"),'
RECIPE = """\
[model]
name = "net"
task = "{task}"
[data]
set = "{set}"
path = "../data"
channels = 1
[train]
optimizer = {{ name = "adam", learning_rate = 0.02 }}
epochs = 15
batch = 16
monitor = "{monitor}"
loss = "{loss}"
"""


def model(folder: Path, last: str, **recipe: str) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text(MODEL.format(last=last), encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE.format(**recipe), encoding="utf-8")
    return folder


def picture(generator: np.random.Generator, light: bool) -> np.ndarray:
    """``[12, 12]``, dark and noisy, with a light square in it or without."""
    image = generator.integers(0, 110, (12, 12), dtype=np.uint8)
    if light:
        top, left = generator.integers(0, 8, 2)
        image[top : top + 4, left : left + 4] += 110
    return image


def write(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_binary_network(tmp_path: Path, cli_here: Here) -> None:
    generator = np.random.default_rng(0)
    for split, count in (("train", 60), ("test", 25)):
        for label in ("dark", "light"):
            for number in range(count):
                write(tmp_path / "data" / split / label / f"{number}.png", picture(generator, label == "light"))
    folder = model(
        tmp_path / "net", BINARY, task="binary", set="image_folder", monitor="val_auc", loss="binary_crossentropy"
    )
    run = trained(folder, tmp_path / "run")
    info = run.info
    assert info.training is not None and info.evaluation is not None
    assert info.training.history.values["val_auc"][info.training.best_epoch - 1] > 0.9
    assert info.evaluation.auc is not None and info.evaluation.auc > 0.95    # chance is 0.5
    area = f"{info.evaluation.auc:.4f}"

    code, said, _ = cli_here("evaluate", run.path, "--on", "keras")
    assert code == 0
    assert f"AUC {area}, macro F1" in said
    assert "from a probability of 0.5 on" in said

    code, said, _ = cli_here("quantize", run.path)
    assert code == 0
    figures = run.info.quantization
    assert figures is not None and figures.float_metrics["auc"] == pytest.approx(info.evaluation.auc, abs=0.01)
    assert re.search(rf"float .*{figures.float_metrics['auc']:.4f}", said)
    assert re.search(rf"int8 .*{figures.metrics['auc']:.4f}", said)

    code, said, _ = cli_here("bench", run.path, "--on", "litert", "--runs", "5", "--warmup", "0")
    assert code == 0
    assert "AUC" in said
    results = read_results(run.path / "results.json")
    assert results.model.task == "binary"
    int8 = next(entry for entry in results.entries if entry.precision == "int8")
    assert int8.auc == pytest.approx(figures.metrics["auc"])
    assert f"{int8.auc:.4f}" in (run.path / "report.html").read_text(encoding="utf-8")


def test_a_segmentation(tmp_path: Path, cli_here: Here) -> None:
    generator = np.random.default_rng(0)
    for number in range(60):
        image = picture(generator, light=True)
        write(tmp_path / "data" / "image" / f"{number}.png", image)
        write(tmp_path / "data" / "label" / f"{number}.png", ((image >= 110) * 255).astype(np.uint8))
    folder = model(
        tmp_path / "net", MAP, task="segmentation", set="image_mask", monitor="val_mean_iou", loss="dice"
    )
    run = trained(folder, tmp_path / "run")
    found = run.info.evaluation
    assert found is not None and found.mean_iou is not None
    assert found.mean_iou > 0.8    # a network that says background everywhere has 0.44
    pixels = int(np.sum(found.confusion_matrix))
    assert pixels == found.samples * 144

    code, said, _ = cli_here("evaluate", run.path, "--on", "keras")
    assert code == 0
    assert f"mean IoU {found.mean_iou * 100:.2f} %" in said
    assert f"{found.correct:,} of {pixels:,} pixels in {found.samples} test images" in said
    assert "Confusion matrix of pixels" in said
    assert "IoU" in said.split("Per class")[1]

    code, said, _ = cli_here("evaluate", run.path, "--on", "keras", "--json")
    assert json.loads(said)["mean_iou"] == found.mean_iou

    code, said, _ = cli_here("quantize", run.path)
    assert code == 0
    assert "mean IoU" in said
    assert "of the pixels of" in said
