"""How the stages of a run show themselves: bars on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from edgecnn.cli._common import Output


class TerminalDisplay:
    """The ``pipeline.Display`` of the command line."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def say(self, text: str) -> None:
        """A remark, unless ``--quiet``."""
        self._output.say(text)

    def warn(self, text: str) -> None:
        """A warning, always."""
        self._output.warn(text)

    @contextmanager
    def training(self) -> Iterator[TrainingDisplay]:
        """A bar for the running epoch above which a line per finished one stays."""
        with self._output.progress() as progress:
            yield TrainingDisplay(self._output, progress)

    @contextmanager
    def counting(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar that counts to ``total``."""
        with self._output.progress() as progress:
            task = progress.add_task(description, total=total, note="")
            yield lambda count: progress.advance(task, count)

    @contextmanager
    def following(self) -> Iterator[Progress]:
        """A progress whose tasks the work adds itself."""
        with self._output.progress() as progress:
            yield progress


class TrainingDisplay:
    """The ``train.Watcher`` of the command line."""

    def __init__(self, output: Output, progress: Progress) -> None:
        self._output, self._progress = output, progress
        self._task = progress.add_task("starting TensorFlow", total=None, note="")

    def batch(self, epoch: int, step: int, steps: int, logs: dict[str, float]) -> None:
        """Move the bar of the running epoch."""
        note = f"loss {logs.get('loss', float('nan')):.4f}"
        self._progress.update(self._task, description=f"epoch {epoch + 1}", total=steps, completed=step + 1, note=note)

    def epoch(self, epoch: int, epochs: int, values: dict[str, float], best: bool) -> None:
        """One line that stays."""
        beside = "".join(f"  {name} {values[name]:.4f}" for name in ("val_auc", "val_mean_iou") if name in values)
        self._output.say(
            f"epoch {epoch + 1:3d}/{epochs}  loss {values['loss']:.4f}  acc {values['accuracy']:.4f}  "
            f"val_loss {values['val_loss']:.4f}  val_acc {values['val_accuracy']:.4f}{beside}"
            f"{values['seconds']:6.1f} s  waiting {values['waiting']:.0%}{' *' if best else ''}"
        )
