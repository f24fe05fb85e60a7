"""``edgecnn train`` where ``TF_CONFIG`` makes this process a worker that is not the chief."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.cli._common import Output

if TYPE_CHECKING:
    from edgecnn.runs import Run
    from edgecnn.training.distributed import Cluster


class _Silent:
    """The ``callbacks.Watcher`` of a worker: the chief tells the same figures."""

    def batch(self, epoch: int, step: int, steps: int, logs: dict[str, float]) -> None:
        """Nothing."""

    def epoch(self, epoch: int, epochs: int, values: dict[str, float], best: bool) -> None:
        """Nothing."""


def follow(cluster: Cluster, begin: Callable[[Path], Run], output: Output) -> None:
    """Compute on this worker's share of a training whose run the chief writes.

    Args:
        cluster: This process is not its chief.
        begin: Makes a run in the folder that it is given: the chief's, as it was begun.
        output: Told of the beginning and the end.
    """
    from edgecnn.data import open_dataset
    from edgecnn.runs import KERAS
    from edgecnn.training.train import train

    whole = len(cluster.workers)
    with tempfile.TemporaryDirectory(prefix="edgecnn-worker-") as folder:
        run = begin(Path(folder) / "run")
        if KERAS in run.info.artefacts:
            output.say("The run is trained to its end already.")
        else:
            output.say(f"Worker {cluster.index + 1} of {whole}: computing for the chief at {cluster.workers[0]}")
            dataset = open_dataset(run.info.recipe.data)
            train(run, dataset, _Silent(), resume=run.info.data is not None, cluster=cluster)
        model = run.info.model
    document = {"worker": cluster.index, "workers": whole, "model": model}
    output.result(document, f"worker         {cluster.index + 1} of {whole}: done; the chief has the run")


def copy_of(run: Run, path: Path) -> Run:
    """What a run was begun with, in a folder of its own."""
    from edgecnn.runs import BASE, INFO, Run

    path.mkdir()
    for name in (INFO, "model.py", BASE):
        if run.file(name).is_file():
            shutil.copy2(run.file(name), path / name)
    return Run(path)
