"""Clips: a small training for real learns the direction of motion, and one frame alone does not show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, Samples, dataset_module
from edgecnn.data.base import SplitName
from edgecnn.recipe import DataSection
from tests.training_runs import Silent, trained

pytestmark = pytest.mark.slow

SMALL = ["train.epochs=6", "train.batch=32", "train.schedule.initial_learning_rate=0.01"]
CHANCE = 1 / 8


@pytest.fixture(autouse=True)
def fashion_mnist() -> None:
    if dataset_module("moving_fashion").locate(DataSection(set="moving_fashion")) is None:
        pytest.skip("Fashion-MNIST is not on this machine")


def frozen(dataset: DataSet) -> DataSet:
    """The same clips, standing still at their first frame."""

    def read(split: SplitName) -> tuple[Samples, dict[str, str]]:
        samples, digests = dataset.read(split)
        return Samples(np.repeat(samples.x[:, :1], samples.x.shape[1], axis=1), samples.y), digests

    return DataSet(dataset.info, dataset.labels, dataset.source, read)


def test_it_learns_the_direction_and_stays_so_in_int8(tmp_path: Path) -> None:
    from edgecnn.data import open_dataset
    from edgecnn.quantize_run import How, quantize_stage

    run = trained("moving_fashion_3d", tmp_path / "run", ["data.limit=1000", *SMALL])
    assert run.info.evaluation is not None
    assert run.info.evaluation.accuracy > 0.85
    figures = quantize_stage(run, open_dataset(run.info.recipe.data), Silent(), How(calibration=100))
    assert figures.accuracy is not None
    assert figures.accuracy > 0.85


def test_one_frame_alone_is_near_chance(tmp_path: Path) -> None:
    run = trained("moving_fashion_3d", tmp_path / "run", ["data.limit=1000", *SMALL], change=frozen)
    assert run.info.evaluation is not None
    assert abs(run.info.evaluation.accuracy - CHANCE) < 0.05    # 2,000 test clips: a deviation of 0.007
