"""Quantization-aware training: what is exported is what was trained, and it can be broken off like any training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.keras_quiet import load_keras_model
from edgecnn.quantization.convert import Converted, convert
from edgecnn.quantization.graph_layers import fake_quantized, trained
from edgecnn.quantization.pair import Pair, match_graphs, values
from edgecnn.quantization.qat import FOLDER, Ranges, files_of, network, qat_run, quantized_from
from edgecnn.runs import CHECKPOINT, KERAS, Run
from edgecnn.training.train import train
from firmware_export.tflite import read_model
from tests.edgecnn.quantization.running import run_on_device
from tests.training_runs import Silent
from tests.training_runs import trained as trained_run

Begun = tuple[Run, DataSet, Converted]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """A network that was trained for a short time, and its files."""
    run = trained_run("digits_tiny", tmp_path_factory.mktemp("qat") / "run", ["train.epochs=4"])
    dataset = open_dataset(run.info.recipe.data)
    samples = run.info.preprocessing.apply(dataset.train.x[:200])
    return run, dataset, convert(load_keras_model(run.file(KERAS), "a test"), samples.reshape(-1, 8, 8, 1))


def copy_of(begun: Begun, folder: Path) -> Run:
    """A run of its own, so that tests do not meet."""
    folder.mkdir()
    (folder / "run.json").write_bytes(begun[0].file("run.json").read_bytes())
    return Run(folder)


def pair_of(files: Converted) -> Pair:
    return match_graphs(read_model(files.float_tflite), read_model(files.int8_tflite))


@pytest.mark.parametrize("ranges", ["learned", "moving"])
def test_exported_file_computes_what_was_trained(begun: Begun, tmp_path: Path, ranges: Ranges) -> None:
    run, (_, dataset, files) = copy_of(begun, tmp_path / "run"), begun
    qat = qat_run(run, 2, files=files, learning_rate=1e-3, ranges=ranges)
    assert qat.path == run.path / FOLDER
    train(qat, dataset, Silent())
    exported = quantized_from(qat)
    model, pair = load_keras_model(qat.file(KERAS), "a test"), pair_of(files)
    learned = trained(model, pair)
    samples = run.info.preprocessing.apply(dataset.test.x).reshape(-1, 8, 8, 1)
    on_device = run_on_device(exported.int8_tflite, samples)
    assert np.abs(np.asarray(model(samples)) - on_device).max() <= 1.5 / 256    # its softmax is not rounded
    rounded = fake_quantized(pair, learned.ranges, constants=learned.constants)
    assert np.abs(np.asarray(rounded(samples)) - on_device).max() <= 1 / 256
    assert len(exported.int8_tflite) == len(files.int8_tflite)

    # Everything has learned something, and the float file has the weights that int8 came from.
    graphs = pair_of(exported)
    for index, array in learned.constants.items():
        assert np.any(array != values(pair.real.tensors[index]))
        np.testing.assert_array_equal(values(graphs.real.tensors[index]), array)
    assert len(learned.ranges) == 3    # of two convolutions and of the dense layer; the softmax has its own
    for group, span in learned.ranges.items():
        assert graphs.quantized.tensors[group].quant == span.quant("int8") != pair.quantized.tensors[group].quant
    assert graphs.quantized.tensors[0].quant == pair.quantized.tensors[0].quant    # the contract's


def test_broken_off_and_resumed_ends_as_the_unbroken_training(begun: Begun, tmp_path: Path) -> None:
    _, dataset, files = begun

    def interrupted(epoch: int) -> None:
        if epoch == 0:
            raise KeyboardInterrupt

    whole = qat_run(copy_of(begun, tmp_path / "whole"), 2, files=files)
    train(whole, dataset, Silent())
    broken = copy_of(begun, tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        train(qat_run(broken, 2, files=files), dataset, Silent(interrupted))
    assert (broken.path / FOLDER / CHECKPOINT).is_file()
    with pytest.raises(EdgecnnError, match="--resume"):
        quantized_from(Run(broken.path / FOLDER))
    resumed = qat_run(broken, 2, files=files, resume=True)
    train(resumed, dataset, Silent(), resume=True)
    assert quantized_from(resumed) == quantized_from(whole)


def test_only_the_same_training_is_resumed(begun: Begun, tmp_path: Path) -> None:
    run, files = copy_of(begun, tmp_path / "run"), begun[2]
    with pytest.raises(UsageError, match="no quantization-aware training was begun"):
        qat_run(run, 2, files=files, resume=True)
    with pytest.raises(EdgecnnError, match="edgecnn quantize"):
        qat_run(run, 2)    # the run has no files of its own
    qat = qat_run(run, 2, files=files)
    assert files_of(qat) == files
    assert qat_run(run, 2, files=files, resume=True).path == qat.path
    for settings in ({"epochs": 3}, {"learning_rate": 0.1}, {"ranges": "moving"}):
        with pytest.raises(EdgecnnError, match=r"other settings \(2 epochs, 0.0001 as learning rate, learned ranges\)"):
            qat_run(run, files=files, resume=True, **{"epochs": 2, **settings})    # type: ignore[arg-type]
    other = Converted(files.float_tflite + b"\0", files.int8_tflite)
    with pytest.raises(EdgecnnError, match=r"other \.tflite files"):
        qat_run(run, 2, files=other, resume=True)


def test_recipe_is_that_of_the_run_but_for_how_it_learns(begun: Begun, tmp_path: Path) -> None:
    run = copy_of(begun, tmp_path / "run")
    before, after = run.info.recipe, qat_run(run, 5, files=begun[2]).info.recipe
    assert (after.data, after.preprocess, after.train.batch) == (before.data, before.preprocess, before.train.batch)
    assert (after.train.monitor, after.train.keep, after.train.epochs) == (before.train.monitor, "last", 5)
    assert after.train.schedule is not None and after.train.schedule.name == "cosine"


def test_it_learns_from_the_float_network_and_labels_only_judge(begun: Begun, tmp_path: Path) -> None:
    run, (_, dataset, files) = copy_of(begun, tmp_path / "run"), begun
    qat = qat_run(run, 1, files=files)
    model = network(qat.path, "learned", 0)
    samples = run.info.preprocessing.apply(dataset.train.x[:64]).reshape(-1, 8, 8, 1)
    model.compile(loss="sparse_categorical_crossentropy")
    exact = fake_quantized(pair_of(files), quantize=())(samples)
    wrong = (dataset.train.y[:64] + 1) % 10
    distance = float(model.compute_loss(samples, wrong, model(samples), training=True))
    assert 0 < distance < 0.05 < 1 < float(model.compute_loss(samples, wrong, model(samples), training=False))
    assert float(model.compute_loss(samples, wrong, exact, training=True)) == pytest.approx(0, abs=1e-6)


def test_filter_has_nothing_to_learn(begun: Begun, tmp_path: Path) -> None:
    run = copy_of(begun, tmp_path / "run")
    recipe = run.info.recipe
    run.record(recipe=recipe.model_copy(update={"model": recipe.model.model_copy(update={"task": "filter"})}))
    with pytest.raises(UsageError, match="fixed"):
        qat_run(run, 2, files=begun[2])
