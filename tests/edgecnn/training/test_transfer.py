"""A trained run continued on other data: real trainings of a few seconds, from digits to larger pictures of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.data import open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection, TrainSection
from edgecnn.runs import BASE, KERAS, Run
from tests.training_runs import Silent, trained

pytestmark = pytest.mark.slow

MODEL = """
import keras
from keras import layers

def build(base, scratch=False):
    if scratch:
        base = keras.models.clone_model(base)
    x = layers.Dropout(0.1)(layers.Flatten()(base.output))
    return keras.Model(base.input, layers.Dense(1, activation="sigmoid")(x))
"""
RECIPE = """
[model]
name = "odd"
task = "binary"
[data]
set = "image_folder"
path = "../pictures"
channels = 1
[train]
optimizer = { name = "adam", learning_rate = 0.002 }
epochs = 6
head_epochs = 2
freeze = 1
batch = 16
keep = "last"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run of ``digits_tiny``, a model ``odd`` that continues it, and pictures of 16x16 of two classes."""
    pytest.importorskip("sklearn")
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("transfer")
    digits = open_dataset(DataSection(set="digits"))
    for split, count in (("train", 320), ("test", 320)):
        samples = digits.split(split)    # type: ignore[arg-type]
        for number in range(count):
            target = folder / "pictures" / split / ("even", "odd")[samples.y[number] % 2]
            target.mkdir(parents=True, exist_ok=True)
            larger = np.kron(samples.x[number, ..., 0], np.ones((2, 2), np.uint8)) * 15
            image.fromarray(larger.astype(np.uint8)).save(target / f"{number}.png")
    (folder / "odd").mkdir()
    (folder / "odd" / "model.py").write_text(MODEL)
    (folder / "odd" / "recipe.toml").write_text(RECIPE)
    trained("digits_tiny", folder / "base", ["train.epochs=12"])
    return folder


def weights(run: Run, name: str = KERAS) -> dict[str, np.ndarray]:
    """Every weight of a model of a run, by the names of layer and weight."""
    from edgecnn.keras_quiet import load_keras_model

    model = load_keras_model(run.file(name), "the test")
    return {f"{layer.name}/{one.name}": np.asarray(one) for layer in model.layers for one in layer.weights}


def accuracy(run: Run) -> float:
    assert run.info.evaluation is not None
    return run.info.evaluation.accuracy


def from_base(place: Path, *more: str) -> list[str]:
    return [f"model.base={place / 'base'}", *more]


def test_it_learns_and_more_than_from_scratch(place: Path, tmp_path: Path) -> None:
    run = trained(place / "odd", tmp_path / "run", from_base(place))
    bare = ["model.arguments.scratch=true", "train.head_epochs=0", "train.freeze=0"]
    scratch = trained(place / "odd", tmp_path / "scratch", from_base(place, *bare))
    assert accuracy(run) > 0.8
    assert accuracy(run) > accuracy(scratch)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["base"] == {"run": str(place / "base"), "model": "digits_tiny", "data_set": "digits"}
    assert info["artefacts"][BASE] == json.loads((place / "base" / "run.json").read_text())["artefacts"][KERAS]
    before, after = weights(Run(place / "base")), weights(run)
    names = {name.rpartition("/")[0]: None for name in before}
    convolutions = [name for name in names if name.startswith("conv2d")]
    assert f"base_{[*names][-1]}/kernel" not in after    # the old head is gone
    first, second = (f"{name}/kernel" for name in convolutions)
    assert np.array_equal(after[f"base_{first}"], before[first])
    assert not np.array_equal(after[f"base_{second}"], before[second])


def test_while_the_head_learns_the_base_does_not(place: Path, tmp_path: Path) -> None:
    run = trained(place / "odd", tmp_path / "run", from_base(place, "train.epochs=2"))
    before, after = weights(Run(place / "base")), weights(run)
    kept = [name for name in after if name.startswith("base_")]
    assert len(kept) == 4    # two convolutions with their biases
    assert all(np.array_equal(after[name], before[name.removeprefix("base_")]) for name in kept)
    (head,) = (values for name, values in after.items() if not name.startswith("base_") and name.endswith("kernel"))
    assert head.shape == (8 * 8 * 16, 1)
    assert accuracy(run) > 0.6


@pytest.fixture(scope="module")
def unbroken(place: Path) -> Run:
    return trained(place / "odd", place / "unbroken", from_base(place, "train.epochs=4"))


@pytest.mark.parametrize("finished", [1, 3], ids=["while the head learns", "while all learns"])
def test_killed_and_resumed_without_the_old_run_ends_as_the_unbroken_one(
    place: Path, tmp_path: Path, unbroken: Run, finished: int
) -> None:
    from edgecnn.pipeline import train_stage

    def stop(epoch: int) -> None:
        if epoch + 1 == finished:
            raise KeyboardInterrupt

    copy = tmp_path / "base"
    shutil.copytree(place / "base", copy)
    overrides = [f"model.base={copy}", "train.epochs=4"]
    with pytest.raises(KeyboardInterrupt):
        trained(place / "odd", tmp_path / "killed", overrides, display=Silent(stop))
    shutil.rmtree(copy)
    killed = Run(tmp_path / "killed")
    assert not killed.file(KERAS).exists()
    train_stage(killed, open_dataset(killed.info.recipe.data), Silent(), resume=True)
    ours, theirs = weights(unbroken), weights(killed)
    assert [values.shape for values in ours.values()] == [values.shape for values in theirs.values()]
    assert all(np.array_equal(a, b) for a, b in zip(ours.values(), theirs.values(), strict=True))


def with_normalization() -> Any:
    """A base with batch normalization, random weights, 8x8x1."""
    from edgecnn.keras_quiet import import_keras

    keras = import_keras("the test")
    layers = keras.layers
    parts = [
        layers.Conv2D(4, 3, padding="same", name="a"), layers.BatchNormalization(name="b", trainable=False),
        layers.MaxPooling2D(2), layers.Conv2D(4, 3, padding="same", name="c"), layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    ]    # fmt: skip
    return keras.Sequential([keras.Input((8, 8, 1)), *parts], name="mine")


def test_a_backbone_has_the_weights_at_another_size_and_ends_before_the_pooling() -> None:
    from edgecnn.training.transfer import backbone

    model = with_normalization()
    grown = backbone(model, (20, 12, 1))
    assert grown.output_shape == (None, 10, 6, 4)
    assert [layer.name for layer in grown.layers if layer.weights] == ["base_a", "base_b", "base_c"]
    small = backbone(model, (8, 8, 1))
    image = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    pooled = np.asarray(small(image)).mean(axis=(1, 2))
    dense = model.layers[-1]
    outputs = pooled @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    assert np.abs(outputs - np.asarray(model(image))).max() < 1e-5
    again = backbone(_with_head(grown), (8, 8, 1))    # a base of a base keeps its names
    assert [layer.name for layer in again.layers if layer.weights] == ["base_a", "base_b", "base_c"]


def _with_head(base: Any) -> Any:
    from edgecnn.keras_quiet import import_keras

    keras = import_keras("the test")
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, keras.layers.Dense(2, activation="softmax")(pooled))


def test_a_frozen_normalization_works_by_its_averages_and_keeps_them() -> None:
    from edgecnn.keras_quiet import import_keras
    from edgecnn.recipe import Recipe
    from edgecnn.training.transfer import backbone, freezing

    keras = import_keras("the test")
    keras.utils.set_random_seed(0)
    model = _with_head(backbone(with_normalization(), (8, 8, 1)))
    sections = {"model": {"name": "x", "base": "y"}, "data": {"set": "digits"}}
    recipe = Recipe.model_validate({**sections, "train": {"head_epochs": 1, "freeze": 1}})
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    layers = {layer.name: layer for layer in model.layers}
    seen: list[dict[str, np.ndarray]] = []

    class Watch(keras.callbacks.Callback):    # type: ignore[misc, name-defined]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            del epoch, logs
            seen.append({one.path: np.array(one) for name in "abc" for one in layers[f"base_{name}"].weights})

    before = {one.path: np.array(one) for name in "abc" for one in layers[f"base_{name}"].weights}
    x = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
    y = np.arange(64) % 2
    model.fit(x, y, epochs=2, verbose=0, callbacks=[*freezing(model, recipe), Watch()])
    head, tuned = seen
    assert all(np.array_equal(head[path], values) for path, values in before.items())
    same = {path for path in before if np.array_equal(tuned[path], head[path])}
    assert {path.rpartition("/")[0].rpartition("/")[2] for path in same} == {"base_a"}
    assert len(same) == 2    # kernel and bias
    # Asked again for an epoch in which the head learns, as after a resumption, all is frozen.
    from edgecnn.training.transfer import freeze

    assert freeze(model, recipe.train, 0)
    assert not freeze(model, recipe.train, 0)
    assert not any(layers[f"base_{name}"].trainable for name in "abc")


def test_what_cannot_be_continued() -> None:
    from edgecnn.keras_quiet import import_keras
    from edgecnn.training.transfer import backbone, freeze

    keras = import_keras("the test")
    model = with_normalization()
    with pytest.raises(UsageError, match=r"mine has learned from \(8, 8, 1\) samples, the data gives \(8, 8, 3\)"):
        backbone(model, (8, 8, 3))
    with pytest.raises(UsageError, match="no layer that ends its feature maps"):
        backbone(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 8)]), (9, 9, 1))
    narrow = [keras.layers.Conv2D(2, 5), keras.layers.Flatten(), keras.layers.Dense(2)]
    with pytest.raises(UsageError, match=r"cannot work on \(3, 3, 1\) samples"):
        backbone(keras.Sequential([keras.Input((8, 8, 1)), *narrow]), (3, 3, 1))
    with pytest.raises(UsageError, match=r"train\.freeze = 4: 3 layers with weights come from the base"):
        freeze(_with_head(backbone(model, (8, 8, 1))), TrainSection(freeze=4), 0)


def test_mistakes_are_explained(place: Path, tmp_path: Path, cli_here: Callable[..., tuple[int, str, str]]) -> None:
    odd = place / "odd"

    def said(*arguments: str | Path, code: int) -> str:
        found, _, errors = cli_here("train", *arguments, "--out", "run")
        assert found == code, errors
        assert not (tmp_path / "run").exists()
        return " ".join(errors.split())

    assert "unknown run 'nowhere'" in said(odd, "--from", "nowhere", code=2)
    assert "no run in" in said(odd, "--from", "mlp", code=1)
    bare = ["--set", "train.freeze=0", "--set", "train.head_epochs=0"]
    assert "name its run with --from RUN" in said(odd, *bare, code=2)
    assert "there is no trained run whose layers could be frozen" in said(odd, code=2)
    assert "build() takes no base" in said("digits_tiny", "--from", place / "base", code=2)
    assert "train.freeze = 9: 2 layers" in said(odd, "--from", place / "base", "--freeze", "9", code=2)
    assert "leave out --set, --epochs, --limit, --from" in said(odd, "--from", "x", "--resume", code=2)
    half = tmp_path / "half"
    shutil.copytree(place / "base", half)
    (half / KERAS).unlink()
    assert "has no model.keras. Make it with: edgecnn train digits_tiny" in said(odd, "--from", half, code=1)


def test_a_name_means_its_latest_run_also_when_the_new_one_has_the_same(place: Path, tmp_path: Path) -> None:
    from edgecnn.runs import create_run
    from edgecnn.zoo import ModelFolder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECNN_RUNS", str(tmp_path))
        folder = ModelFolder(place / "odd")
        shutil.copytree(place / "base", tmp_path / "odd" / "20260101-000000")
        run = create_run(folder, folder.recipe(["model.base=odd"]), None)
        assert run.info.base is not None
        assert Path(run.info.base.run).name == "20260101-000000"
        with pytest.raises(EdgecnnError, match=r"has no model\.keras"):    # the latest is the one just made
            create_run(folder, folder.recipe(["model.base=odd"]), None)
