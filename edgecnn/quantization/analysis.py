"""What quantization costs a network, layer by layer, and which decisions change: any float and int8 pair of files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from edgecnn.artefacts import ModelFile
from edgecnn.contract import Contract
from edgecnn.data.base import Samples
from edgecnn.data.split import stratified_subset
from edgecnn.errors import EdgecnnError
from edgecnn.evaluate import evaluate_outputs, hits
from edgecnn.predict import check_samples, run_outputs
from edgecnn.preprocess import ImagePreprocess
from edgecnn.quantization.advice import advice
from edgecnn.quantization.layer_errors import Row, compare_activations, own_errors, rows_of
from edgecnn.quantization.layer_records import layer_record
from edgecnn.quantization.pair import Pair
from edgecnn.quantization.records import AccuracyChange, Analysis, ClassChange, Flip, LayerRecord
from edgecnn.quantization.sensitivity import Sensitivity, sensitivity_of
from edgecnn.runtimes import load_session
from edgecnn.settle import in_data_order, settle_contract
from edgecnn.statistics import mean_interval, paired_drop
from edgecnn.tasks import Task, decide
from firmware_export.graph import Node

LAYER_SAMPLES = 64
"""On how many samples layers are compared when nobody says: some thousand values of the smallest layer."""


def analyse(
    pair: Pair,
    float_model: bytes,
    int8_model: bytes,
    samples: Samples,
    contracts: tuple[Contract, Contract],
    labels: tuple[str, ...] = (),
    layer_samples: int = LAYER_SAMPLES,
    sensitivity: bool = True,
    remarks: tuple[str, ...] = (),
    advance: Callable[[int], None] | None = None,
) -> Analysis:
    """Compare both files on real samples.

    Args:
        pair: The two graphs, ``pair.real`` read from ``float_model`` and ``pair.quantized`` from ``int8_model``.
        float_model: The float ``.tflite``.
        int8_model: The quantized one.
        samples: Raw samples, never those of a calibration; on all of them decisions are compared.
        contracts: Of the two files, in that order.
        labels: Class names of the samples; none where they have no classes, and then no accuracy is told.
        layer_samples: On how many of the samples, stratified, layers are compared.
        sensitivity: Whether to quantize one layer at a time too, where TensorFlow is installed.
        remarks: What was assumed before, such as the preprocessing of a file without a contract.
        advance: Told how much of ``work_of`` was done since the last call.

    Raises:
        EdgecnnError: There is no sample, the samples do not fit the network, or an activation is infinite or not a
            number.
    """
    if len(samples) == 0:
        raise EdgecnnError("there are no samples to analyse the network on. Choose data that has some with --data.")
    chosen = samples.take(stratified_subset(samples.strata, layer_samples, seed=0))
    inputs = contracts[0].preprocess.apply(chosen.x)
    check_samples(contracts[0].name, contracts[0].input, inputs.shape[1:])
    rows = rows_of(pair)
    compared = compare_activations(rows, (float_model, int8_model), inputs, advance)
    own = own_errors(pair, rows, float_model, inputs, compared.exact, advance)
    layers = [layer_record(pair, *one) for one in zip(rows, compared.sums, own, strict=True)]
    truth = chosen.y if _is_judged(contracts[0].task, labels) else None
    said = list(remarks)
    if sensitivity:
        found = sensitivity_of(pair, rows, inputs, truth, contracts[0].task, advance)
        said += found.remarks
        layers = [_with_sensitivity(layer, found) for layer in layers]
    ranked, by = ranking(layers)
    accuracy = None
    if _is_judged(contracts[0].task, labels):
        accuracy = _accuracy_change((float_model, int8_model), contracts, samples, labels, advance)
    result = Analysis(
        name=contracts[0].name,
        float_file=Path(pair.real.name).name,
        quantized_file=Path(pair.quantized.name).name,
        dtype=layers[-1].dtype if layers else "int8",
        samples=len(chosen),
        output_sqnr_db=layers[-1].sqnr_db if layers else None,
        layers=layers,
        ranking=ranked,
        ranked_by=by,
        norms=norms_of(pair, rows),
        accuracy=accuracy,
        remarks=said,
        advice="",
    )
    return result.model_copy(update={"advice": advice(result)})


def work_of(pair: Pair, samples: int, task: Task, labels: tuple[str, ...], layer_samples: int = LAYER_SAMPLES) -> int:
    """How much ``advance`` will be told in all, sensitivity included.

    Args:
        pair: The two graphs.
        samples: How many there are.
        task: Of the network.
        labels: As for ``analyse``.
        layer_samples: As for ``analyse``.
    """
    judged = 2 * samples if _is_judged(task, labels) else 0
    return min(layer_samples, samples) + 2 * len(rows_of(pair)) + judged


def settle_pair(
    files: tuple[ModelFile, ModelFile], labels: tuple[str, ...], preprocess: ImagePreprocess | None = None
) -> tuple[tuple[Contract, Contract], list[str]]:
    """The contracts of a float and a quantized file; the quantized one, whose scales tell more, speaks for both.

    Args:
        files: The float and the quantized file.
        labels: Of the data set.
        preprocess: What the user said.

    Returns:
        The contracts in the order of the files, and remarks that a reader of the figures needs.

    Raises:
        EdgecnnError: The data has another number of classes, or the preprocessing cannot be told.
    """
    second, remarks = settle_contract(files[1], labels, preprocess)
    if files[0].contract is None and preprocess is None and isinstance(second.preprocess, ImagePreprocess):
        first, _ = settle_contract(files[0], labels, second.preprocess)
        return (first, second), [*remarks, f"{files[0].path.name} is given the same inputs."]
    first, more = settle_contract(files[0], labels, preprocess)
    return (first, second), list(dict.fromkeys([*remarks, *more]))


def ranking(layers: list[LayerRecord]) -> tuple[list[str], Literal["sensitivity", "own"]]:
    """Names of the layers, the one that loses most first, and by which figure; layers without a figure are left out."""
    by_output = {one.name: one.output_sqnr_db for one in layers if one.output_sqnr_db is not None}
    figures = by_output or {one.name: one.score for one in layers if one.score is not None and not one.fixed}
    return sorted(figures, key=lambda name: (figures[name] or 0.0)), "sensitivity" if by_output else "own"


def norms_of(pair: Pair, rows: tuple[Row, ...]) -> list[str]:
    """Names of the nodes of batch norms that no convolution took in: a MUL by a constant, and an ADD of one.

    Each constant has a value for each channel.
    """
    readers: dict[int, list[Node]] = {}
    for node in pair.quantized.nodes:
        for index in node.inputs:
            readers.setdefault(index, []).append(node)
    names, found = {row.node: row.name for row in rows}, []
    for node in pair.quantized.nodes:
        after = readers.get(node.outputs[0], [])
        if node.op == "MUL" and len(after) == 1 and after[0].op in ("ADD", "SUB"):
            both = (node, after[0])
            found += [names[one.index] for one in both if all(_by_channel(pair, other) for other in both)]
    return found


def _by_channel(pair: Pair, node: Node) -> bool:
    constants = [one for one in pair.quantized.present(node.inputs) if one.is_constant]
    channels = pair.quantized.tensors[node.outputs[0]].shape[-1:]
    return any(channels and one.size == channels[0] for one in constants)


def _is_judged(task: Task, labels: tuple[str, ...]) -> bool:
    return bool(labels) and task != "filter"


def _with_sensitivity(layer: LayerRecord, found: Sensitivity) -> LayerRecord:
    update = {"output_sqnr_db": found.sqnr_db.get(layer.name), "accuracy_drop": found.drops.get(layer.name)}
    return layer.model_copy(update=update)


def _accuracy_change(
    models: tuple[bytes, bytes],
    contracts: tuple[Contract, Contract],
    samples: Samples,
    labels: tuple[str, ...],
    advance: Callable[[int], None] | None,
) -> AccuracyChange:
    task = contracts[0].task
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        outputs = []
        for number, (model, contract) in enumerate(zip(models, contracts, strict=True)):
            path = Path(folder) / f"{number}.tflite"
            path.write_bytes(model)
            found = run_outputs(load_session("litert", path), contract, samples.x, advance)
            outputs.append(in_data_order(found, contract, labels))
    before, after = (evaluate_outputs(task, samples.y, values, labels) for values in outputs)
    decided = [decide(task, values) for values in outputs]
    right = [hits(samples.y, classes) for classes in decided]
    drop = paired_drop(*right) if right[0].dtype == np.bool_ else mean_interval(right[0] - right[1])
    classes = [
        ClassChange(label=one.label, support=one.support, before=one.recall, after=other.recall)
        for one, other in zip(before.per_class, after.per_class, strict=True)
    ]
    return AccuracyChange(
        samples=len(samples),
        before=before.accuracy,
        after=after.accuracy,
        drop=drop.value,
        drop_low=drop.low,
        drop_high=drop.high,
        agreement=float(np.mean(decided[0] == decided[1])),
        classes=classes,
        flips=[] if task == "segmentation" else _flips(task, outputs, decided, samples.y, labels),
    )


def _flips(
    task: Task, outputs: list[np.ndarray], decided: list[np.ndarray], truth: np.ndarray, labels: tuple[str, ...]
) -> list[Flip]:
    return [
        Flip(
            index=int(index),
            truth=labels[truth[index]],
            before=labels[decided[0][index]],
            after=labels[decided[1][index]],
            before_score=_score(task, outputs[0][index], int(decided[0][index])),
            after_score=_score(task, outputs[1][index], int(decided[1][index])),
        )
        for index in np.flatnonzero(decided[0] != decided[1])
    ]


def _score(task: Task, output: np.ndarray, decided: int) -> float:
    """What a network gives the class that it decides for."""
    if task == "binary":
        chance = float(output.reshape(-1)[0])
        return chance if decided else 1 - chance
    return float(output.reshape(-1)[decided])
