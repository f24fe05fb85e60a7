"""Emulated boards as entries of ``results.json``: exact instructions, and accuracy on a few samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.artefacts import ModelFile
from edgecnn.bench.entries import agreement
from edgecnn.bench.plan import settled
from edgecnn.contract import Contract
from edgecnn.evaluate import evaluate_outputs
from edgecnn.evaluation_data import EvaluationData
from edgecnn.files import sha256_file
from edgecnn.mcu.targets import Target, load_targets
from edgecnn.preprocess import ImagePreprocess
from edgecnn.results import BoardEntry
from edgecnn.settle import in_data_order

COUNTED = 3
"""Inferences whose instructions are counted, at most: the count hardly depends on the sample."""


@dataclass(frozen=True)
class BoardRow:
    """One file to be measured on one board."""

    target: Target
    artefact: ModelFile
    contract: Contract | None


def board_rows(
    files: Sequence[ModelFile],
    boards: Sequence[str],
    test: EvaluationData | None,
    preprocess: ImagePreprocess | None,
) -> list[BoardRow]:
    """Every file on every board, one file after the other: it is compiled to C once.

    Args:
        files: int8 and int16 ``.tflite`` files.
        boards: Names of targets.
        test: The data, or None.
        preprocess: What the user said.

    Raises:
        UsageError: There is no such target.
        EdgecnnError: The data does not fit the model.
    """
    targets = load_targets(boards)
    return [
        BoardRow(target, one, settled(one, files, test, preprocess, [])) for one in files for target in targets
    ]


def board_entry(row: BoardRow, test: EvaluationData | None, floats: np.ndarray | None, samples: int) -> BoardEntry:
    """Measure a file on a board.

    Args:
        row: What and where.
        test: The data; None for instructions on random inputs.
        floats: ``[N, ...]`` what the float model gives for all samples of ``test``, or None.
        samples: So many of them run on the board, evenly spread.

    Raises:
        EdgecnnError: A tool is missing, or the network does not fit the board.
    """
    from edgecnn.bench.boards import bench_board

    chosen: np.ndarray | None = None
    inputs = None
    contract = row.contract
    if test is not None and contract is not None:
        chosen = np.linspace(0, len(test.samples) - 1, min(samples, len(test.samples)), dtype=int)
        real = contract.preprocess.apply(test.samples.x[chosen])
        inputs = contract.input.quantize(real).reshape(-1, *contract.input.shape[1:])
    runs = COUNTED if inputs is None else min(COUNTED, len(inputs))
    run = bench_board(row.artefact.path, row.target, inputs, runs=runs)
    entry = BoardEntry(
        target=run.target,
        description=run.description,
        artefact=row.artefact.path.name,
        sha256=sha256_file(row.artefact.path),
        precision=run.precision,
        compiler=run.compiler,
        optimization=run.optimization,
        emulator=run.emulator,
        runs=run.runs,
        instructions=run.instructions,
        instructions_per_mac=run.instructions_per_mac,
        layers=list(run.layers),
        arena_bytes=run.arena,
        stack_bytes=run.stack,
        code_bytes=run.code,
        weights_bytes=run.weights,
    )
    if run.outputs is None or chosen is None or test is None or contract is None:
        return entry
    given = contract.output.dequantize(run.outputs).reshape(len(chosen), *contract.output.shape[1:])
    given = in_data_order(given, contract, test.labels)
    found = evaluate_outputs(contract.task, test.samples.y[chosen], given, test.labels)
    return entry.model_copy(
        update={
            "samples": found.samples,
            "accuracy": found.accuracy,
            "accuracy_low": found.accuracy_low,
            "accuracy_high": found.accuracy_high,
            "agreement_with_float": None if floats is None else agreement(contract.task, given, floats[chosen]),
        }
    )
