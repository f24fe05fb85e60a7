"""The state of a training after a finished epoch: one file, whole or not at all, without pickles."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.files import whole_file
from edgecnn.runs import CHECKPOINT


@dataclass
class Progress:
    """What has happened so far, as plain values.

    Attributes:
        finished: Epochs done.
        history: One dict per finished epoch: Keras's metric names to values, and ``seconds``.
        best_epoch: Index of the best epoch so far, from 0; -1 before the first.
    """

    finished: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1


def save_checkpoint(folder: Path, model: Any, best: list[np.ndarray], progress: Progress) -> None:
    """Write weights, random-generator states, optimizer state, best weights and progress.

    Args:
        folder: The run.
        model: A compiled ``keras.Model``; ``model.variables`` includes the state of its dropout generators.
        best: The weights of the best epoch, in the order of ``model.variables``.
        progress: What happened so far.
    """
    arrays = {f"model_{i:04d}": np.asarray(value) for i, value in enumerate(model.variables)}
    arrays |= {f"optimizer_{i:04d}": np.asarray(value) for i, value in enumerate(model.optimizer.variables)}
    arrays |= {f"best_{i:04d}": value for i, value in enumerate(best)}
    with whole_file(folder / CHECKPOINT) as temporary, temporary.open("wb") as stream:
        np.savez(stream, progress=np.array(json.dumps(asdict(progress))), **arrays)    # type: ignore[arg-type]


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while it wrote a checkpoint left beside it."""
    for path in folder.glob(f".{Path(CHECKPOINT).stem}-*"):
        path.unlink(missing_ok=True)


def load_checkpoint(folder: Path, model: Any) -> tuple[list[np.ndarray], Progress]:
    """Put a checkpoint's state into a compiled model whose optimizer is built.

    Returns:
        The best weights and the progress.

    Raises:
        EdgecnnError: The file is damaged, or belongs to another model.
    """
    path = folder / CHECKPOINT
    try:
        with np.load(path, allow_pickle=False) as stored:
            progress = Progress(**json.loads(str(stored["progress"])))
            best = [stored[name] for name in sorted(stored.files) if name.startswith("best_")]
            for prefix, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
                names = [name for name in sorted(stored.files) if name.startswith(f"{prefix}_")]
                if [stored[name].shape for name in names] != [tuple(variable.shape) for variable in variables]:
                    raise EdgecnnError(
                        f"{path} belongs to another model than {folder / 'model.py'}. Train anew without --resume."
                    )
                for name, variable in zip(names, variables, strict=True):
                    variable.assign(stored[name])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise EdgecnnError(f"{path} is damaged ({error}). Train anew without --resume.") from error
    return best, progress


def restore(model: Any, weights: list[np.ndarray]) -> None:
    """Set ``model.variables`` to ``weights``."""
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)
