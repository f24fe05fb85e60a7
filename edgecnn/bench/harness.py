"""One model over many runtimes, machines and boards: latency, memory and accuracy on the same samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from edgecnn.artefacts import ModelFile, Target, ends_of
from edgecnn.bench.device import machine_now
from edgecnn.bench.entries import entries_of, real_outputs, worst_samples
from edgecnn.bench.host import HERE, LocalHost, Place
from edgecnn.bench.interleave import Inputs, Measured, Progress, Settings, measure_in_turns
from edgecnn.bench.machines import Machine, Refused, in_parallel, reached
from edgecnn.bench.model_facts import compilable, history, memory_plan, model_record, quantization_record
from edgecnn.bench.plan import Row, nothing_fits, plan_rows, with_onnx
from edgecnn.bench.remarks import data_remarks, device_remarks, entry_remarks, settings_remarks
from edgecnn.bench.temporary import save_array, temporary_folder
from edgecnn.errors import EdgecnnError
from edgecnn.evaluation_data import EvaluationData, default_section, load_test_data
from edgecnn.preprocess import ImagePreprocess
from edgecnn.recipe import DataSection
from edgecnn.results import BoardEntry, DataRecord, Results, WorstSample

_LATENCY_SAMPLES = 256    # enough to choose from when no accuracy is wanted

BOARD_SAMPLES = 20
"""Test samples that a board gets when nobody says: an emulator takes about a second for some."""


@dataclass(frozen=True)
class Places:
    """Where a model is measured.

    Attributes:
        hosts: Machines; every runtime is measured on each.
        boards: Targets of ``edgecnn.mcu``, emulated.
        board_samples: Test samples that each board runs for its accuracy.
        leave_out: Runtimes that a machine does not have are left out of it without a word, not told as failures.
    """

    hosts: tuple[Place, ...] = (HERE,)
    boards: tuple[str, ...] = ()
    board_samples: int = BOARD_SAMPLES
    leave_out: bool = False


def bench(
    target: Target,
    runtimes: Sequence[str],
    *,
    section: DataSection | None,
    settings: Settings | None = None,
    places: Places | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    accuracy: bool = True,
    preprocess: ImagePreprocess | None = None,
    failed: Callable[[str], None] | None = None,
    pictures: dict[int, np.ndarray] | None = None,
) -> Results:
    """Measure a model's files on every runtime that takes them.

    Args:
        target: The model.
        runtimes: Names in ``RUNTIMES``; rows come in this order.
        section: The data; its test split gives the inputs and the accuracy. None: what the run or the contract names;
            where neither does, latency on random inputs alone.
        settings: How each is measured.
        places: Where; None for this machine.
        limit: Test samples for the accuracy, stratified; None for all.
        progress: Shown while it works.
        accuracy: Measure accuracy too.
        preprocess: For files without a contract, or instead of it.
        failed: Told of each measurement that could not be made beside those that were; without it, the first one
            raises.
        pictures: Gets the raw samples that ``Results.worst`` names, by their index.

    Raises:
        UsageError: A runtime or board is unknown, or none takes any of the files.
        EdgecnnError: The data does not fit the model, or no measurement could be made.
    """
    settings, places = settings or Settings(), places or Places()
    here = Machine(LocalHost(), machine_now(), ())
    notes: list[str] = []
    refused = Refused(raises=failed is None)
    with temporary_folder() as folder, reached(places.hosts, runtimes, places.leave_out, refused) as machines:
        wanted = [name for name in runtimes if any(name in machine.runtimes for machine in machines)]
        artefacts, unconverted = with_onnx(target, wanted, folder, notes)
        for problem in unconverted:
            refused.add(problem)
        test = _test_data(artefacts[0], section, limit if accuracy else limit or _LATENCY_SAMPLES, notes)
        rows = plan_rows(artefacts, wanted, test, preprocess, notes)
        if not rows and not places.boards:
            raise EdgecnnError(" ".join(refused.problems)) if refused.problems else nothing_fits(target, runtimes)
        judged = accuracy and not any(row.contract is not None and row.contract.task == "filter" for row in rows)
        if accuracy and not judged:
            notes.append("A filter with fixed weights has no accuracy: there is nothing that it could be right about.")
        inputs = _inputs(test, judged, folder)
        measured = _measured(machines, rows, settings, inputs, progress, refused)
        boards: list[BoardEntry] = []
        if places.boards:
            boards = _boards(artefacts, places, test if judged else None, preprocess, measured, refused)
        if not measured and not boards:
            raise EdgecnnError(f"{target.name}: no measurement could be made. {' '.join(refused.problems)}")
        entries = entries_of(measured, test, settings)
        worst = _worst(measured, test, pictures)
        this = here.now()
        devices = {machine.host.name: machine.now() for machine in machines if machine.host.name}
    for problem in refused.problems:
        assert failed is not None    # without it, the first one raised
        failed(problem)
    notes += [f"Not measured: {problem}" for problem in refused.problems]
    notes += data_remarks(test, accuracy)
    for machine in machines:
        name = machine.host.name
        clocks = [clock for one in measured if one.host.name == name for clock in one.frequencies_mhz]
        notes += device_remarks(name, devices[name] if name else this, clocks)
    notes += entry_remarks(entries) + settings_remarks(settings, measured)
    memory, quantization = memory_plan(artefacts, notes), quantization_record(target, entries, notes)
    return Results(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model=model_record(target),
        data=_data_record(test, judged) if test is not None and accuracy else None,
        device=this,
        devices=devices,
        entries=entries,
        boards=boards,
        history=history(target),
        memory=memory,
        quantization=quantization,
        worst=worst,
        notes=list(dict.fromkeys(notes)),
    )


def _test_data(
    artefact: ModelFile, section: DataSection | None, limit: int | None, notes: list[str]
) -> EvaluationData | None:
    """The data that was asked for, or the model's own; a plain file may come without any, as on a bare device."""
    asked = section is not None
    section = section or default_section(artefact)
    if section is None:
        return None
    try:
        known = None if artefact.contract is None else artefact.contract.preprocess
        return load_test_data(section, ends_of(artefact)[0], limit, known)
    except EdgecnnError as error:
        if asked or artefact.run is not None:
            raise
        notes.append(f"The model's data set {section.set} cannot be had here: {error}")
        return None


def _inputs(test: EvaluationData | None, judged: bool, folder: Path) -> Inputs:
    if test is None:
        return Inputs(None, 0, False, folder)
    samples = folder / "samples.npy"
    save_array(samples, test.samples.x)
    return Inputs(samples, len(test.samples), judged, folder)


def _measured(
    machines: Sequence[Machine],
    rows: Sequence[Row],
    settings: Settings,
    inputs: Inputs,
    progress: Progress | None,
    refused: Refused,
) -> list[Measured]:
    """All rows on all machines: first this one, which is then idle, then the others, all at the same time."""

    def measure(machine: Machine) -> list[Measured]:
        own = [row for row in rows if row.runtime in machine.runtimes]
        return measure_in_turns(machine.host, own, settings, inputs, progress, stop_at_failure=refused.raises)

    found: list[Measured] = []
    here = [machine for machine in machines if not machine.host.name]
    for group in (here, [machine for machine in machines if machine.host.name]):
        for machine, result in zip(group, in_parallel(measure, group), strict=True):
            if isinstance(result, EdgecnnError):
                refused.add(f"{machine.host.name}: {result}" if machine.host.name else str(result), result)
                continue
            for one in result:
                if one.error is not None:
                    refused.add(str(one.error), one.error)
                else:
                    found.append(one)
    return found


def _boards(
    artefacts: Sequence[ModelFile],
    places: Places,
    test: EvaluationData | None,
    preprocess: ImagePreprocess | None,
    measured: Sequence[Measured],
    refused: Refused,
) -> list[BoardEntry]:
    """Every int8 and int16 file on every board."""
    from edgecnn.bench.board_entries import board_entry, board_rows

    reference = next((one for one in measured if one.row.precision == "float32"), None)
    floats = None if reference is None else real_outputs(reference, test)
    found = []
    files = compilable(artefacts)
    if not files:
        refused.add(f"{', '.join(places.boards)}: boards take int8 and int16 .tflite files, and there is none.")
    for row in board_rows(files, places.boards, test, preprocess):
        try:
            found.append(board_entry(row, test, floats, places.board_samples))
        except EdgecnnError as error:
            refused.add(f"{row.target.name} with {row.artefact.path.name}: {error}", error)
    return found


def _worst(
    measured: Sequence[Measured], test: EvaluationData | None, pictures: dict[int, np.ndarray] | None
) -> list[WorstSample]:
    """Mistakes of the entry that stands for the model in the report."""
    judged = [one for one in measured if one.outputs is not None and one.row.contract is not None]
    one = min(judged, key=lambda one: one.row.precision != "int8", default=None)    # as `report.view.headline_entry`
    if one is None or test is None or one.row.contract is None:
        return []
    outputs = real_outputs(one, test)
    assert outputs is not None
    worst = worst_samples(one.row.contract.task, test.samples.y, outputs, test.labels)
    if pictures is not None:
        pictures.update({sample.index: test.samples.x[sample.index] for sample in worst})
    return worst


def _data_record(test: EvaluationData, judged: bool) -> DataRecord:
    """The data; its classes only where they were asked for."""
    return test.record if judged else test.record.model_copy(update={"labels": []})
