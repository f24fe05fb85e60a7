"""Float and int8 on the same test samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import Contract
from edgecnn.data.base import Samples
from edgecnn.errors import EdgecnnError
from edgecnn.evaluate import evaluate_outputs, hits
from edgecnn.predict import output_contract, run_outputs
from edgecnn.results import Evaluation
from edgecnn.runtimes import load_session
from edgecnn.statistics import Interval, mean_interval, paired_drop
from edgecnn.tasks import decide

_FILTER_CHUNK = 256

WARN_DROP = 0.01
"""A loss of accuracy above this is worth a warning whatever the budget allows: one point."""


@dataclass(frozen=True)
class Comparison:
    """Float and int8 on the same test samples.

    Attributes:
        before: Of the float ``.tflite``.
        after: Of the int8 ``.tflite``.
        drop: Accuracy, float minus int8, with the 95 % interval of paired samples.
        agreement: Share of decisions (samples; for segmentation pixels) that are the same.
    """

    before: Evaluation
    after: Evaluation
    drop: Interval
    agreement: float

    def figures(self) -> dict[str, Any]:
        """Flat, as ``run.json`` and ``--json`` have them."""
        flat: dict[str, Any] = {"agreement_with_float": self.agreement, "samples": self.after.samples}
        for prefix, found in (("float_accuracy", self.before), ("accuracy", self.after)):
            flat |= {prefix: found.accuracy, f"{prefix}_low": found.accuracy_low, f"{prefix}_high": found.accuracy_high}
        flat |= {"drop": self.drop.value, "drop_low": self.drop.low, "drop_high": self.drop.high}
        for prefix, found in (("float_", self.before), ("", self.after)):
            flat[f"{prefix}metrics"] = other_metrics(found)
            flat[f"{prefix}class_f1"] = {one.label: one.f1 for one in found.per_class}
        return flat


def other_metrics(found: Evaluation) -> dict[str, float]:
    """The figures beside accuracy that the task has, by name."""
    values = {"auc": found.auc, "macro_f1": found.macro_f1, "mean_iou": found.mean_iou}
    return {name: value for name, value in values.items() if value is not None}


def compare(
    float_file: Path,
    int8_file: Path,
    contracts: tuple[Contract, Contract],
    test: Samples,
    advance: Callable[[int], None] | None = None,
) -> Comparison:
    """Run both files over the whole test split, on LiteRT.

    Args:
        float_file: The float ``.tflite``.
        int8_file: The int8 ``.tflite``.
        contracts: Of the two files, in that order.
        test: Raw test samples.
        advance: Told how many samples were done since the last call.
    """
    task = contracts[0].task
    outputs = [
        run_outputs(load_session("litert", path), contract, test.x, advance)
        for path, contract in zip((float_file, int8_file), contracts, strict=True)
    ]
    before, after = (evaluate_outputs(task, test.y, values, contracts[0].labels) for values in outputs)
    classes = [decide(task, values) for values in outputs]
    right = [hits(test.y, decided) for decided in classes]
    drop = paired_drop(*right) if right[0].dtype == np.bool_ else mean_interval(right[0] - right[1])
    return Comparison(before, after, drop, float(np.mean(classes[0] == classes[1])))


@dataclass(frozen=True)
class FilterComparison:
    """The outputs of a filter in float and in int8 on the same test samples.

    Attributes:
        samples: Test samples.
        psnr: Peak signal-to-noise ratio in dB: ``10 log10(peak^2 / mean squared error)``, where ``peak`` is the range
            of the float outputs over all samples; None where the outputs are the same.
        largest_error: In steps of the int8 output; half a step is what rounding alone may cost.
    """

    samples: int
    psnr: float | None
    largest_error: float

    def figures(self) -> dict[str, Any]:
        """Flat, as ``run.json`` and ``--json`` have them."""
        return {"samples": self.samples, "psnr_db": self.psnr, "largest_error_steps": self.largest_error}


def compare_filters(
    float_file: Path,
    int8_file: Path,
    contracts: tuple[Contract, Contract],
    test: Samples,
    advance: Callable[[int], None] | None = None,
) -> FilterComparison:
    """Run both files of a filter over the whole test split, on LiteRT; arguments as those of ``compare``.

    Raises:
        EdgecnnError: The test split is empty.
    """
    if len(test) == 0:
        raise EdgecnnError("there are no samples to compare on: the test split is empty.")
    sessions = [load_session("litert", path) for path in (float_file, int8_file)]
    low, high, squares, largest, count = np.inf, -np.inf, 0.0, 0.0, 0
    for start in range(0, len(test), _FILTER_CHUNK):    # outputs are as large as inputs: never all of them at once
        raw = test.x[start : start + _FILTER_CHUNK]
        exact, found = (
            run_outputs(session, contract, raw, advance).astype(np.float64)
            for session, contract in zip(sessions, contracts, strict=True)
        )
        errors = np.abs(found - exact)
        low, high = min(low, float(exact.min())), max(high, float(exact.max()))
        squares, count = squares + float((errors**2).sum()), count + errors.size
        largest = max(largest, float(errors.max()))
    psnr = None if squares == 0 or high == low else 10 * float(np.log10((high - low) ** 2 * count / squares))
    step = output_contract(sessions[1], contracts[1]).scale
    assert step is not None    # an int8 file
    return FilterComparison(len(test), psnr, largest / step)
