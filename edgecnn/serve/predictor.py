"""A loaded model that answers one raw sample at a time, for any number of askers."""

from __future__ import annotations

import base64
import collections
import io
import statistics
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn.contract import Contract
from edgecnn.errors import EdgecnnError
from edgecnn.predict import check_classes, check_samples, input_contract, output_contract
from edgecnn.preprocess import ImagePreprocess
from edgecnn.runtimes.base import Session
from edgecnn.tasks import Task, decide

_REMEMBERED = 1000    # predictions, for the median
_DIGITS = 6    # of a score: an int8 output has steps of 1/256


@dataclass(frozen=True)
class Prediction:
    """What a model says of one sample.

    Attributes:
        label: The class, for segmentation that of the most pixels; None for a filter.
        score: The network's output for it, for segmentation the share of its pixels.
        top: Labels and scores, the best first; the first is ``label``.
        array: For segmentation the class of each pixel, ``uint8 [H, W]`` (``uint16`` from 257 classes on); for a filter
            its output, float32; otherwise None.
        ms: From the raw sample to the output: preprocessing and network.
    """

    label: str | None
    score: float | None
    top: tuple[tuple[str, float], ...]
    array: np.ndarray | None
    ms: float

    def document(self) -> dict[str, Any]:
        """For JSON; an array is the base64 of an ``.npy`` file."""
        top = [{"label": label, "score": score} for label, score in self.top]
        document: dict[str, Any] = {"label": self.label, "score": self.score, "top": top, "ms": self.ms}
        if self.array is not None:
            stream = io.BytesIO()
            np.save(stream, self.array, allow_pickle=False)
            document["array"] = base64.b64encode(stream.getvalue()).decode()
        return document


class Predictor:
    """Preprocessing, network and decision of one model, with a lock: an interpreter is no place for two.

    Attributes:
        session: The loaded model.
        contract: Of the model.
        count: Predictions so far.
    """

    def __init__(self, session: Session, contract: Contract, top: int) -> None:
        """Check that session and contract fit.

        Args:
            session: The loaded model.
            contract: Its preprocessing, labels and task.
            top: So many labels in an answer, at most.

        Raises:
            EdgecnnError: The contract belongs to another model.
        """
        self.session, self.contract, self.count = session, contract, 0
        self._top = min(top, len(contract.labels))
        self._lock = threading.Lock()
        self._times: collections.deque[float] = collections.deque(maxlen=_REMEMBERED)
        self._end, self._last = input_contract(session, contract), output_contract(session, contract)
        check_classes(contract.name, session.output, len(contract.labels), contract.task)
        # An image's preprocessing treats every pixel alike: its 256 results are looked up instead of computed.
        preprocess = contract.preprocess
        known = np.arange(256, dtype=np.uint8)
        self._table = (
            self._end.quantize(preprocess.apply(known)) if isinstance(preprocess, ImagePreprocess) else None
        )

    def predict(self, raw: np.ndarray) -> Prediction:
        """What the model says.

        Args:
            raw: ``[1, ...]``, one raw sample.

        Raises:
            EdgecnnError: It does not have the model's shape, or the output is no number.
        """
        start = time.perf_counter()
        outputs = self._last.dequantize(self.run(raw))
        milliseconds = round(1e3 * (time.perf_counter() - start), 3)
        if not np.isfinite(outputs).all():
            raise EdgecnnError(f"{self.contract.name}: the output is no finite number. The model is damaged.")
        with self._lock:
            self.count += 1
            self._times.append(milliseconds)
        return self._decided(outputs, milliseconds)

    def run(self, raw: np.ndarray) -> np.ndarray:
        """The model's output as it stands in its tensor, such as int8; a copy, ``[1, ...]``.

        Args:
            raw: ``[1, ...]``, one raw sample.

        Raises:
            EdgecnnError: It does not have the model's shape.
        """
        if self._table is not None and raw.dtype == np.uint8:
            encoded = self._table[raw]
        else:
            encoded = self._end.quantize(self.contract.preprocess.apply(raw))
        check_samples(self.contract.name, self.session.input, encoded.shape[1:])
        sample = np.ascontiguousarray(encoded).reshape(self.session.input.shape)
        with self._lock:
            return np.array(self.session.run(sample))

    def median_ms(self) -> float | None:
        """Of the last thousand predictions; None before the first."""
        with self._lock:
            return round(statistics.median(self._times), 3) if self._times else None

    def idle(self, seconds: float) -> bool:
        """Whether the interpreter becomes free within so many seconds: one that hangs does not."""
        free = self._lock.acquire(timeout=seconds)
        if free:
            self._lock.release()
        return free

    def _decided(self, outputs: np.ndarray, milliseconds: float) -> Prediction:
        labels, task = self.contract.labels, self.contract.task
        if task == "filter":
            return Prediction(None, None, (), outputs[0], milliseconds)
        classes = decide(task, outputs)
        scores = class_scores(task, outputs, classes, len(labels))
        best = np.argsort(-scores, kind="stable")[: self._top]
        top = tuple((labels[index], round(float(scores[index]), _DIGITS)) for index in best)
        mask = classes[0].astype(np.uint8 if len(labels) <= 256 else np.uint16) if task == "segmentation" else None
        return Prediction(*top[0], top, mask, milliseconds)


def class_scores(task: Task, outputs: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """A figure for each class of which the class that is decided for has the largest, the first where several tie.

    Args:
        task: Not ``filter``.
        outputs: ``[1, ...]`` real values.
        classes: What ``decide`` makes of them.
        count: Number of classes.

    Returns:
        ``[count]``: outputs; of a binary network the probabilities of both; of a segmentation the shares of pixels.
    """
    if task == "segmentation":
        return np.bincount(classes.reshape(-1), minlength=count) / classes.size
    flat = outputs.reshape(-1)
    if task != "binary":
        return flat
    # At exactly one half the decision falls for the second class, so it must come first.
    second = float(flat[0])
    return np.array([1 - second if not classes[0] else min(1 - second, np.nextafter(second, -1)), second])
