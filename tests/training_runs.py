"""Trains models in the process of the test, by the same code as the command line: what starting costs is paid once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgecnn.data import DataSet, open_dataset
from edgecnn.pipeline import train_stage
from edgecnn.runs import Run, create_run
from edgecnn.zoo import find_model


class Silent:
    """A ``pipeline.Display`` and ``train.Watcher`` that shows nothing and keeps warnings.

    Args:
        after_epoch: Called with the number of each finished epoch, from 0.
    """

    def __init__(self, after_epoch: Callable[[int], None] | None = None) -> None:
        self.warnings: list[str] = []
        self._after_epoch = after_epoch

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def training(self) -> Iterator[Silent]:
        yield self

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        del description, total
        yield lambda _: None

    @contextmanager
    def following(self) -> Iterator[None]:
        yield None

    def batch(self, *state: Any) -> None:
        del state

    def epoch(self, epoch: int, *state: Any) -> None:
        del state
        if self._after_epoch is not None:
            self._after_epoch(epoch)


def trained(
    model: str | Path,
    out: Path,
    overrides: Sequence[str] = (),
    change: Callable[[DataSet], DataSet] | None = None,
    display: Silent | None = None,
) -> Run:
    """A new run of a model, trained and evaluated.

    Args:
        model: A name in the zoo, or a folder.
        out: The run's folder.
        overrides: As ``--set`` takes them.
        change: Makes other data of the recipe's.
        display: Told what happens.
    """
    found = find_model(str(model))
    recipe = found.recipe(overrides)
    run = create_run(found, recipe, out)
    dataset = open_dataset(recipe.data)
    train_stage(run, change(dataset) if change is not None else dataset, display or Silent())
    return run
