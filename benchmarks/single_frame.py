"""What one frame tells of a moving clip's direction: the network of moving_fashion_3d on clips that stand still.

    python benchmarks/single_frame.py [EPOCHS]

The same network, data, schedule and number of epochs as in its recipe, but every frame of a clip is the same one: the
first, a middle one, the last. Accuracy on the test split has to be that of guessing, 1 in 8.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgecnn.data import DataSet, Samples
from edgecnn.data.base import SplitName
from edgecnn.data.moving_fashion import DIRECTIONS, FRAMES
from edgecnn.statistics import wilson
from tests.training_runs import trained

MARGIN = 0.03
"""How far from chance a network may come by luck on 2,000 clips: four deviations."""


def standing(dataset: DataSet, frame: int) -> DataSet:
    """The clips of a data set, each standing still at one of its frames."""

    def read(split: SplitName) -> tuple[Samples, dict[str, str]]:
        samples, digests = dataset.read(split)
        return Samples(np.repeat(samples.x[:, frame : frame + 1], FRAMES, axis=1), samples.y), digests

    return DataSet(dataset.info, dataset.labels, dataset.source, read)


def main() -> None:
    """Train, print a line for each frame, and fail where one is right more often than guessing."""
    overrides = [f"train.epochs={int(sys.argv[1])}"] if len(sys.argv) > 1 else []
    chance, failed = 1 / len(DIRECTIONS), False
    print(f"chance              {chance:.4f}")
    for frame in (0, FRAMES // 2, FRAMES - 1):
        with tempfile.TemporaryDirectory() as folder:
            run = trained(
                "moving_fashion_3d", Path(folder) / "run", overrides, lambda dataset, f=frame: standing(dataset, f)
            )
            found = run.info.evaluation
        assert found is not None
        interval = wilson(found.correct, found.samples)
        print(f"frame {frame + 1} of {FRAMES} alone  {found.accuracy:.4f} ({interval.low:.4f} to {interval.high:.4f})")
        failed |= abs(found.accuracy - chance) > MARGIN
    sys.exit(failed)


if __name__ == "__main__":
    main()
