"""What a network that was never trained is built for: told by the data set, or by its samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.recipe import DataSection, ModelSection, Recipe
from edgecnn.untrained import sample_facts


def recipe(**data: object) -> Recipe:
    return Recipe(model=ModelSection(name="net"), data=DataSection.model_validate(data))


def test_a_set_of_one_shape_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))    # nothing there
    assert sample_facts(recipe(set="cifar10")) == ((32, 32, 3), 10)
    assert sample_facts(recipe(set="digits")) == ((8, 8, 1), 10)


def test_images_of_the_user_are_looked_at(tmp_path: Path) -> None:
    from PIL import Image

    for label in ("a", "b", "c"):
        (tmp_path / "train" / label).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(np.full((6, 4), number, np.uint8)).save(tmp_path / "train" / label / f"{number}.png")
    assert sample_facts(recipe(set="image_folder", path=str(tmp_path), channels=1)) == ((6, 4, 1), 3)
    with pytest.raises(EdgecnnError, match="nowhere"):
        sample_facts(recipe(set="image_folder", path=str(tmp_path / "nowhere")))
