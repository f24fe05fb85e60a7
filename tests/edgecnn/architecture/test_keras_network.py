"""Networks from notation: the course's own, with the parameters of their model.py; whole paths to int8 and C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.architecture.keras_network import build_network
from edgecnn.architecture.settings import ArchitectureSettings
from edgecnn.errors import UsageError
from edgecnn.recipe import ModelSection
from edgecnn.summary import summarize_keras
from edgecnn.zoo import build_model, find_model
from tests.firmware_export.c_build import build
from tests.networks import tflite_micro

pytestmark = pytest.mark.slow


def network(text: str, shape: tuple[int, ...], classes: int = 10, task: Any = "classification", **given: Any) -> Any:
    return build_network(text, ArchitectureSettings(**given), "net", task, shape, classes)


COURSE = [
    # the zoo's network, its notation and sizes, its parameters as the notes have them or as counted by hand
    ("fashion_mnist_cnn", "(CR)3DFRDF",
     {"filters": [32, 64, 128], "strides": 2, "padding": "valid", "dense": 512, "dropout": 0.2}, 360_458),
    ("cifar10_cnn", "(CR)3DFRDF",
     {"filters": [32, 64, 128], "strides": 2, "padding": "valid", "dense": 1024, "dropout": [0.5, 0.2]}, 1_284_170),
    ("cifar10_bn", "((CBR)2P)3DFRDF",
     {"filters": [32, 32, 64, 64, 128, 128], "dense": 1024, "dropout": 0.2}, 2_397_226),
    ("mlp", "FRF", {"dense": 128}, 101_770),
    # R where the network has tanh, which no letter stands for: the parameters and the shapes are the same.
    ("lenet5", "CRACRACRFRF",
     {"filters": [6, 16, 120], "kernels": 5, "padding": ["same", "valid", "valid"], "dense": 84}, 61_706),
]    # fmt: skip


@pytest.mark.parametrize(("name", "text", "given", "parameters"), COURSE, ids=[row[0] for row in COURSE])
def test_the_courses_networks_in_notation(name: str, text: str, given: dict[str, Any], parameters: int) -> None:
    folder = find_model(name)
    shape = (32, 32, 3) if name.startswith("cifar10") else (28, 28, 1)
    ours = network(text, shape, **given)
    theirs = build_model(folder.source, folder.recipe().model, shape, 10)
    assert ours.count_params() == theirs.count_params() == parameters
    assert summarize_keras(ours).macs == summarize_keras(theirs).macs
    weights = [[tuple(weight.shape) for weight in model.weights] for model in (ours, theirs)]
    assert weights[0] == weights[1]


def test_the_order_of_layers_is_that_of_the_letters() -> None:
    model = network("CBRPSRAGDFRF", (16, 16, 3), filters=8, dense=4, dropout=0.25)
    assert [type(layer).__name__ for layer in model.layers] == [
        "Conv2D",
        "BatchNormalization",
        "ReLU",
        "MaxPooling2D",
        "SeparableConv2D",
        "ReLU",
        "AveragePooling2D",
        "GlobalAveragePooling2D",
        "Dropout",
        "Dense",
        "ReLU",
        "Dense",
    ]
    assert model.layers[8].rate == 0.25
    assert model.layers[-1].activation.__name__ == "softmax"


def test_a_binary_task_has_one_sigmoid_and_other_tasks_are_refused() -> None:
    model = network("CRGF", (8, 8, 1), 2, "binary", filters=2)
    assert model.output_shape == (None, 1) and model.layers[-1].activation.__name__ == "sigmoid"
    with pytest.raises(UsageError, match=r"model\.task is 'segmentation'"):
        network("CRGF", (8, 8, 1), 2, "segmentation", filters=2)


def test_a_section_is_enough_to_build_from(tmp_path: Path) -> None:
    section = ModelSection.model_validate({"name": "net", "architecture": "CRGF", "filters": 2})
    assert build_model(tmp_path / "nothing.py", section, (9, 9, 1), 3).count_params() == 20 + 9


@pytest.mark.parametrize(
    ("shape", "text", "given"),
    [
        ((12, 12, 3), "CBRPSBRASRGF", {"filters": [4, 6, 5], "strides": [2, 1, 1]}),
        ((40, 2), "(CR)2PSBRAFRDF", {"filters": [4, 4, 6], "kernels": [5, 3, 3], "dense": 7}),
    ],
    ids=["image", "signal"],
)
def test_every_letter_goes_to_int8_and_to_the_same_c(
    tmp_path: Path, shape: tuple[int, ...], text: str, given: dict[str, Any]
) -> None:
    from edgecnn.quantization.convert import convert

    chance = np.random.default_rng(0)
    model = network(text, shape, 4, **given)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(chance.uniform(0.5, 2, weight.shape))
    data = convert(model, chance.random((16, *shape), np.float32)).int8_tflite
    program = build(data, tmp_path)
    for _ in range(3):
        x = chance.integers(-128, 128, (1, *shape), np.int8)
        assert np.array_equal(program.run(x)[0], tflite_micro(data, x)[0])


RECIPE = """\
[model]
name = "letters"
description = "written in letters"
architecture = "(CR)2P(CR)2PDFRF"
filters = [8, 8, 16, 16]
dense = 32
dropout = 0.2

[data]
set = "digits"

[preprocess]
kind = "image"
scale = 0.0625

[train]
optimizer = { name = "adam", learning_rate = 0.003 }
epochs = 8
batch = 32
"""


def test_a_folder_without_model_py_is_shown_summed_up_and_learns(
    cli_here: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    code, shown, _ = cli_here("models", "./letters")
    assert code == 0 and "written in letters" in shown and "(CR)2P(CR)2PDFRF" in shown
    assert "16 filters, window 3, stride 1, padding same" in shown
    code, printed, said = cli_here("summary", "./letters", "--json")
    assert code == 0, said
    summary = json.loads(printed)
    # 8*9+8, 8*8*9+8, 16*8*9+16, 16*16*9+16, 2*2*16*32+32, 32*10+10
    assert summary["parameters"] == 80 + 584 + 1168 + 2320 + 2080 + 330
    assert [layer["output_shape"] for layer in summary["layers"]][-1] == [1, 10]
    code, printed, said = cli_here("train", "./letters", "--out", "run", "--json")
    assert code == 0, said
    assert json.loads(printed)["accuracy"] > 0.8    # chance is 0.1
    assert not (tmp_path / "run" / "model.py").exists()
    code, printed, said = cli_here("train", "letters", "--resume", "--out", "run")
    assert code == 0 and "trained to its end already" in said
