"""One layer quantized at a time: what it alone costs the network's output. Needs TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgecnn.errors import EdgecnnError, MissingDependencyError
from edgecnn.quantization.layer_errors import Row
from edgecnn.quantization.pair import Pair
from edgecnn.quantization.records import decibels
from edgecnn.tasks import Task, decide

_BATCH = 16    # samples of all layers' activations in memory at once


@dataclass(frozen=True)
class Sensitivity:
    """What each layer alone costs.

    Attributes:
        sqnr_db: Name of a row to the ratio of the network's output, its variance about the mean of each value, to the
            mean squared error that only this layer causes.
        drops: Name of a row to the accuracy lost by it; empty without labels.
        remarks: Why there is nothing.
    """

    sqnr_db: Mapping[str, float | None] = field(default_factory=dict)
    drops: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def sensitivity_of(
    pair: Pair,
    rows: tuple[Row, ...],
    inputs: np.ndarray,
    truth: np.ndarray | None,
    task: Task,
    advance: Callable[[int], None] | None = None,
) -> Sensitivity:
    """Run the network once for every row, with that row's weights and output quantized and all else in float.

    Args:
        pair: The two graphs.
        rows: Which layers.
        inputs: ``[N, ...]`` what the float network takes.
        truth: Class indices; None where there are no classes.
        task: Of the network.
        advance: Called with 1 after each row.

    Returns:
        Nothing but a remark where TensorFlow is not installed, or an operator cannot be simulated.
    """
    try:
        exact = _outputs(pair, (), inputs)
        found = {}
        for row in rows:
            found[row.name] = _outputs(pair, _nodes(row), inputs)
            if advance is not None:
                advance(1)
    except MissingDependencyError as error:
        return Sensitivity(remarks=(f"One layer quantized at a time was not measured: {error}",))
    except EdgecnnError as error:
        return Sensitivity(remarks=(f"One layer quantized at a time could not be measured: {error}",))
    signal = float(exact.astype(np.float64).var(axis=0).mean())
    ratios = {name: decibels(signal, float(np.square(values - exact).mean())) for name, values in found.items()}
    if truth is None:
        return Sensitivity(ratios)
    before = _accuracy(task, exact, truth)
    return Sensitivity(ratios, {name: before - _accuracy(task, values, truth) for name, values in found.items()})


def _nodes(row: Row) -> tuple[int, ...]:
    from edgecnn.quantization.graph_layers import INPUTS

    own = () if row.node is None else (row.node,)
    return (INPUTS, *own) if row.op == "INPUT" else own


def _outputs(pair: Pair, quantize: Collection[int], inputs: np.ndarray) -> np.ndarray:
    """``[N, ...]`` of the network with some nodes quantized."""
    from edgecnn.quantization.graph_layers import fake_quantized

    model = fake_quantized(pair, quantize=quantize)
    shape = (-1, *model.input_shape[1:])
    batches = (inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH))
    return np.concatenate([np.asarray(model(batch.reshape(shape), training=False)) for batch in batches])


def _accuracy(task: Task, outputs: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(decide(task, outputs) == truth))
