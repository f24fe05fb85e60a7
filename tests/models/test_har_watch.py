"""Signals of many channels, for real: movements of people that the network never met, then int8 and C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import watch_motion
from edgecnn.data.base import Location
from edgecnn.recipe import DataSection
from edgecnn.runs import Run

pytestmark = pytest.mark.slow

Here = Callable[..., tuple[int, str, str]]


def test_it_learns_what_strangers_do(cli_here: Here, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    place: Location | None = watch_motion.locate(DataSection(set="watch_motion"))
    if place is None:
        pytest.skip("seglearn, which brings the data, is not installed")
    short = ["--set", "data.step=2.0", "--set", "train.batch=32", "--epochs", "4"]
    code, _, said = cli_here("train", "har_watch", *short, "--out", "run")
    assert code == 0, said
    run = Run(tmp_path / "run")
    assert run.info.evaluation is not None
    truth = np.sum(run.info.evaluation.confusion_matrix, axis=1)
    assert truth.max() / truth.sum() < 0.2, "no answer is right by its frequency alone"
    assert run.info.evaluation.accuracy > 0.55

    code, _, said = cli_here("quantize", "run")
    assert code == 0, said
    contract = json.loads((tmp_path / "run/contract.json").read_text(encoding="utf-8"))
    assert contract["preprocess"] == json.loads(run.info.preprocessing.model_dump_json())
    assert (contract["preprocess"]["rate"], contract["preprocess"]["samples"]) == (50, 200)
    assert len(contract["preprocess"]["mean"]) == len(watch_motion.CHANNELS)
    code, out, said = cli_here("verify", "run", "--on", "host", "--samples", "50")
    assert code == 0, said
    assert "identical" in out
