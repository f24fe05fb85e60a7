"""What a training batch costs before the network sees it: augmentation and preprocessing, on one core and on several.

    python benchmarks/feed.py [REPEATS]

Random images of CIFAR-10's size, batches of 128. The first column is the time of one batch on one thread of this
machine (the lower quartile, by the thread's own clock); the second is what a training can draw a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from edgecnn.data.base import Samples
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import augment_inputs, augment_raw
from edgecnn.training.feed import training_batches

BATCH = 128
SETTINGS: dict[str, dict[str, object]] = {
    "nothing": {},
    "shift, flip": {"shift": 0.1, "flip": "horizontal"},
    "flips, quarter turns": {"flip": "both", "quarter_turns": True},
    "rotation, zoom": {"rotation": 15.0, "zoom": 0.2},
    "brightness, contrast": {"brightness": 0.2, "contrast": 0.3},
    "cutout": {"cutout": 0.3},
    "mixup": {"mixup": 0.2},
}


def quartile(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds of this thread that a call takes, the lower quartile."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        taken.append(1000 * (time.thread_time() - start))
    return sorted(taken)[len(taken) // 4]


def main() -> None:
    """Measure and print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40 * BATCH, 32, 32, 3), dtype=np.uint8)
    samples = Samples(images, np.zeros(len(images), np.int64))
    y = np.eye(10, dtype=np.float32)[generator.integers(0, 10, len(samples))]
    preprocess = ImagePreprocess()
    print(f"{'augmentation':22s} {'ms a batch':>10s} {'batches/s':>10s}")
    for title, settings in SETTINGS.items():
        section = AugmentSection.model_validate(settings)

        def batch(section: AugmentSection = section) -> object:
            x, targets = augment_raw(samples.x[:BATCH], y[:BATCH], preprocess, section, generator)
            return augment_inputs(preprocess.apply(x), targets, preprocess, section, generator)

        one = quartile(batch, repeats)
        start = time.perf_counter()
        made = sum(
            1 for _ in training_batches(samples, y, preprocess, section, batch=BATCH, seed=1, epochs=range(2))
        )
        print(f"{title:22s} {one:10.2f} {made / (time.perf_counter() - start):10.0f}")


if __name__ == "__main__":
    main()
