"""The U-Net, trained for real for a moment: masks that are learned, kept in int8, and the same in C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.training_runs import Silent, trained

pytestmark = pytest.mark.slow

Here = Callable[..., tuple[int, str, str]]
SMALL = [
    "data.size=[128, 128]", "data.tile=[64, 64]", "model.arguments={filters=4, levels=2}",
    "train.epochs=6", "train.batch=8", "train.schedule.initial_learning_rate=0.01", "quantize.calibration=64",
]


def test_it_learns_where_membranes_are(
    shared: Path, cli_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from edgecnn.data import open_dataset
    from edgecnn.quantize_run import quantize_stage

    monkeypatch.setenv("EDGECNN_DATA", str(shared / "data"))
    run = trained("unet", tmp_path / "run", SMALL)
    found = run.info.evaluation
    assert found is not None
    membrane, interior = found.per_class
    assert (membrane.label, interior.label) == ("membrane", "interior")
    # All interior is right in 0.80 of the pixels, and then the membrane's F1 is 0.
    assert found.accuracy > 0.85
    assert membrane.f1 is not None
    assert membrane.f1 > 0.6
    assert found.samples == 6 * 4    # six images, each as the tiles that cover it
    assert membrane.support + interior.support == 6 * 128 * 128
    history = run.info.training.history if run.info.training is not None else None
    assert history is not None
    assert all(0 <= share <= 1 for share in history.values["waiting"])

    figures = quantize_stage(run, open_dataset(run.info.recipe.data), Silent())
    assert abs(figures.drop) < 0.01
    assert figures.agreement_with_float > 0.97
    code, out, said = cli_here("verify", "run", "--on", "host", "--samples", "6")
    assert code == 0, said
    assert "identical" in out


def test_any_number_of_levels_and_what_a_skip_connection_joins() -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    from edgecnn.zoo import build_model, find_model

    model = find_model("unet")
    recipe = model.recipe()
    assert build_model(model.source, recipe.model, (128, 128, 1), 2).count_params() == 101_521
    section = recipe.model.model_copy(update={"arguments": {"filters": 2, "levels": 1}})
    small = build_model(model.source, section, (8, 8, 3), 2)
    assert small.output_shape == (None, 8, 8, 1)
    shapes = [layer.output.shape[1:] for layer in small.layers if type(layer).__name__ == "Concatenate"]
    assert shapes == [(8, 8, 4)]    # what came down at full size, beside what comes up
    out = np.asarray(small(np.zeros((1, 8, 8, 3), np.float32)))
    assert 0 <= out.min() <= out.max() <= 1
