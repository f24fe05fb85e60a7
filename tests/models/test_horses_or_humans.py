"""The binary classifier, trained for real for a moment on images of 32x32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training_runs import trained

pytestmark = pytest.mark.slow


def test_it_learns_to_tell_horses_from_humans(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from edgecnn.data import open_dataset
    from edgecnn.training.train import training_splits

    monkeypatch.setenv("EDGECNN_DATA", str(shared / "data"))
    run = trained("horses_or_humans", tmp_path / "run", ["data.size=[32, 32]", "train.epochs=12"])
    found = run.info.evaluation
    assert found is not None
    assert found.samples == 256
    assert found.auc is not None
    assert found.auc > 0.8    # chance is 0.5
    assert [one.support for one in found.per_class] == [128, 128]
    # No figure stands on both sides of the validation split.
    splits = training_splits(open_dataset(run.info.recipe.data), run.info.recipe)
    assert splits.train.groups is not None
    assert splits.validation.groups is not None
    assert not np.intersect1d(splits.train.groups, splits.validation.groups).size
    assert len(splits.validation) >= 50
