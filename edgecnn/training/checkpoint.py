"""The state of a training after a finished epoch: one file, whole or not at all, without pickles."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.files import write_bytes
from edgecnn.runs import CHECKPOINT
from edgecnn.training.average import WeightAverage


@dataclass
class Progress:
    """What has happened so far, as plain values.

    Attributes:
        finished: Epochs done.
        history: One dict per finished epoch: Keras's metric names to values, and ``seconds``.
        best_epoch: Index of the epoch whose weights are kept, from 0; -1 before the first.
    """

    finished: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1


@dataclass
class State:
    """All that a training needs to go on.

    Attributes:
        model: A compiled ``keras.Model`` whose optimizer is built; ``model.variables`` includes the state of its
            dropout generators.
        best: The weights that are kept, in the order of ``model.variables``.
        average: Of the weights, where the recipe asks for one.
        progress: What happened so far.
    """

    model: Any
    best: list[np.ndarray]
    average: WeightAverage | None = None
    progress: Progress = field(default_factory=Progress)


def save_checkpoint(folder: Path, state: State) -> None:
    """Write weights, random-generator states, optimizer state, averages, kept weights and progress into a run."""
    write_bytes(folder / CHECKPOINT, pack(state))


def pack(state: State) -> bytes:
    """A state as a ``.npz`` file."""
    parts = {
        "model": state.model.variables,
        "optimizer": state.model.optimizer.variables,
        "average": [] if state.average is None else state.average.state,
        "best": state.best,
    }
    arrays = {f"{name}_{i:04d}": np.asarray(value) for name, values in parts.items() for i, value in enumerate(values)}
    stream = io.BytesIO()
    np.savez(stream, progress=np.array(json.dumps(asdict(state.progress))), **arrays)    # type: ignore[arg-type]
    return stream.getvalue()


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while it wrote a checkpoint left beside it."""
    for path in folder.glob(f".{Path(CHECKPOINT).stem}-*"):
        path.unlink(missing_ok=True)


def load_checkpoint(folder: Path, state: State) -> None:
    """Put a run's checkpoint into a state.

    Raises:
        EdgecnnError: The file is damaged, or belongs to another model.
    """
    path = folder / CHECKPOINT
    try:
        unpack(path.read_bytes(), state)
    except _OtherModelError:
        raise EdgecnnError(
            f"{path} belongs to another model than {folder / 'model.py'}. Train anew without --resume."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise EdgecnnError(f"{path} is damaged ({error}). Train anew without --resume.") from error


class _OtherModelError(Exception):
    """The shapes are not those of the model."""


def unpack(data: bytes, state: State) -> None:
    """Put what ``pack`` gave into a state of the same model."""
    model = state.model
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:

        def arrays(prefix: str) -> list[np.ndarray]:
            return [stored[name] for name in sorted(stored.files) if name.startswith(f"{prefix}_")]

        progress, best = Progress(**json.loads(str(stored["progress"]))), arrays("best")
        parts = [(arrays("model"), model.variables), (arrays("optimizer"), model.optimizer.variables)]
        for values, variables in parts:
            if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
                raise _OtherModelError
        for values, variables in parts:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        if state.average is not None:
            state.average.state = arrays("average")
    state.best, state.progress = best, progress


def restore(model: Any, weights: list[np.ndarray]) -> None:
    """Set ``model.variables`` to ``weights``."""
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)
