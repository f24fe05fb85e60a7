"""Runs the C that is made of a model, here and on emulated boards, and compares every byte of its outputs."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn.artefacts import ModelFile
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.evaluation_data import default_section, load_test_data
from edgecnn.files import readable_os_errors
from edgecnn.mcu.image import Form, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.layers import Difference, first_difference
from edgecnn.mcu.oracle import expected_outputs, expected_tensors
from edgecnn.mcu.running import RunError, run_image, time_limit
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.sizes import Sizes, measure
from edgecnn.mcu.targets import Target
from edgecnn.mcu.toolchain import MissingToolError, require_tools
from edgecnn.zoo import shipped_by
from firmware_export.c_names import name_problem
from firmware_export.choice import Optimize
from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError
from firmware_export.graph import Graph
from firmware_export.instruction_sets import PORTABLE

HOST_SAMPLES = 1000
"""What this machine runs when nobody says."""

BOARD_SAMPLES = 20
"""What an emulated board runs when nobody says."""

Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True)
class Inputs:
    """What a network is run on.

    Attributes:
        arrays: One array ``[N, *shape]`` (the batch of 1 included) for each input.
        source: Where they come from, for people.
        remark: Why they are not the model's own data, where that is so; a sentence.
    """

    arrays: Arrays
    source: str
    remark: str = ""

    def __len__(self) -> int:
        return len(self.arrays[0])

    def spread(self, count: int) -> list[int]:
        """The indices of ``count`` samples from all over the set, ascending."""
        return sorted({int(index) for index in np.linspace(0, len(self) - 1, min(count, len(self)))})


@dataclass(frozen=True)
class TargetResult:
    """What one target computed.

    Attributes:
        target: Its name.
        arena: Bytes of the arena that the runs were given.
        samples: How many it was to run.
        outputs_bytes: Bytes of their outputs.
        differing_bytes: Bytes that differ.
        differing_samples: Samples with such bytes.
        stack: Bytes of stack that the network used at the deepest, from a painted stack; None if it did not get so far.
        sizes: Of the compiled code; None where they cannot be read.
        problem: Why it did not run to the end, or what the layer check found; empty when all is well.
        difference: The first layer that differs, where one was found.
    """

    target: str
    arena: int
    samples: int
    outputs_bytes: int
    differing_bytes: int
    differing_samples: int
    stack: int | None
    sizes: Sizes | None
    problem: str
    difference: Difference | None

    @property
    def passed(self) -> bool:
        """Whether every sample ran and every byte is right."""
        return not self.problem and self.differing_bytes == 0


@dataclass(frozen=True)
class Verification:
    """The whole result.

    Attributes:
        model: The file.
        name: The C identifier that it was compiled under.
        form: How it was built and run.
        inputs: Where the samples come from.
        oracle: Who said what is right.
        macs: Multiply-accumulates of an inference.
        results: One for each target, in the order asked for.
        remarks: What the user should know.
    """

    model: str
    name: str
    form: Form
    inputs: str
    oracle: str
    macs: int
    results: tuple[TargetResult, ...]
    remarks: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all targets did."""
        return all(result.passed for result in self.results)


def verify_file(
    artefact: ModelFile,
    targets: Sequence[Target],
    samples: int | None = None,
    every_sample: bool = False,
    form: Form | None = None,
    say: Callable[[str], None] | None = None,
    optimize: Optimize = "balanced",
) -> Verification:
    """Compile a model, run it on each target and compare.

    Args:
        artefact: An int8 ``.tflite`` file; with a contract, its data set's test split is run through it.
        targets: What to build for.
        samples: How many on each; None for ``HOST_SAMPLES`` and ``BOARD_SAMPLES``.
        every_sample: All samples of the data set, on each.
        form: How to build and run; not with ``rows``.
        say: Called with what is done next.
        optimize: What kernels are chosen for.

    Raises:
        MissingToolError: A compiler or QEMU is not installed; nothing was run then.
        UsageError: Rows were asked for and the network has no row-wise input, or all samples of a model without data.
        EdgecnnError: The compiler does not take the model, or a C compiler refuses what it made.
    """
    form = form or Form()
    say = say or _say_nothing
    for target in targets:
        require_tools(target)
    with readable_os_errors(artefact.path, "read"):
        data = artefact.path.read_bytes()
    compiled = compiled_model(data, artefact, optimize=optimize)
    by_set = {PORTABLE: compiled}
    for target in targets:
        if target.instruction_set not in by_set:
            by_set[target.instruction_set] = compiled_model(data, artefact, target.instruction_set, optimize)
    if form.push and compiled.plan.push is None:
        raise UsageError(f"{artefact.path}: its input cannot be handed over row by row; verify it without --push.")
    wanted = [samples or (HOST_SAMPLES if target.emulator is None else BOARD_SAMPLES) for target in targets]
    inputs = gather_inputs(artefact, compiled.graph, None if every_sample else max(wanted))
    used = [list(range(len(inputs))) if every_sample else inputs.spread(count) for count in wanted]
    needed = sorted({index for indices in used for index in indices})
    say(f"Computing {len(needed)} samples as they should be")
    expected = expected_outputs(data, compiled.prepared, [array[needed] for array in inputs.arrays])
    place = {index: position for position, index in enumerate(needed)}
    results = []
    for target, indices in zip(targets, used, strict=True):
        say(f"Running {len(indices)} samples on {target.name}")
        right = [array[[place[index] for index in indices]] for array in expected.outputs]
        given = [array[indices] for array in inputs.arrays]
        results.append(verify_on(target, by_set[target.instruction_set], data, form, given, right))
    program = compiled.plan.program
    return Verification(
        model=str(artefact.path),
        name=program.name,
        form=form,
        inputs=inputs.source,
        oracle=expected.source,
        macs=sum(layer.macs for layer in program.layers),
        results=tuple(results),
        remarks=tuple(remark for remark in (inputs.remark, expected.remark) if remark),
    )


def _say_nothing(text: str) -> None:
    del text


def compiled_model(
    data: bytes, artefact: ModelFile, instruction_set: str = PORTABLE, optimize: Optimize = "balanced"
) -> Compiled:
    """Compile a file under a name that C takes.

    Args:
        data: Its content.
        artefact: The file.
        instruction_set: Of the kernels.
        optimize: What they are chosen for.

    Raises:
        EdgecnnError: The compiler does not take the model.
    """
    folder = shipped_by(artefact.path)
    known = artefact.run.info.model if artefact.run is not None else folder.name if folder is not None else None
    stem = known or artefact.path.stem
    name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_")
    if name_problem(name):
        name = "network"
    labels = artefact.contract.labels if artefact.contract is not None else ()
    try:
        return compile_model(data, str(artefact.path), name, labels, instruction_set=instruction_set, optimize=optimize)
    except ModelError as error:
        raise EdgecnnError(str(error)) from error


def gather_inputs(artefact: ModelFile, graph: Graph, limit: int | None) -> Inputs:
    """Test samples of the model's own data through its contract, or random inputs for a model without data.

    Args:
        artefact: The file.
        graph: What is in it.
        limit: So many; None for all.

    Raises:
        UsageError: All were asked for, and nothing tells of which data.
        EdgecnnError: All were asked for, and the data cannot be had.
    """
    section, contract = default_section(artefact), artefact.contract
    remark = ""
    if section is not None and contract is not None and len(graph.inputs) == 1:
        try:
            test = load_test_data(section, contract.input, limit, contract.preprocess)
        except EdgecnnError as error:
            if limit is None:
                raise
            remark = f"The model's data cannot be had, so random inputs are used. {error}"
        else:
            tensor = graph.tensors[graph.inputs[0]]
            encoded = contract.encode(test.samples.x).astype(tensor.dtype).reshape(-1, *tensor.shape)
            return Inputs([encoded], f"test samples of {section.set}")
    if limit is None:
        raise UsageError(f"{artefact.path}: there is no data set to take all samples of. Give --samples a number.")
    return Inputs(random_samples(graph, limit), "random inputs", remark)


def verify_on(
    target: Target, compiled: Compiled, data: bytes, form: Form, inputs: Sequence[NDArray[np.generic]], right: Arrays
) -> TargetResult:
    """Build, run and compare on one target; where the outputs differ, find the first layer that does.

    Args:
        target: What to build for.
        compiled: The network and its C text.
        data: The model file.
        form: How to build and run.
        inputs: One array ``[N, *shape]`` for each input.
        right: One array ``[N, *shape]`` for each output.

    Raises:
        MissingToolError: A program is not installed.
        BuildError: A compiler refused the text.
    """
    interface = interface_of(compiled.plan)
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    count = len(inputs[0])
    output_bytes = sum(array.nbytes for array in right)
    plan = compiled.plan
    arena = plan.push.arena_bytes if form.push and plan.push else plan.arena_bytes
    try:
        sizes = measure(compiled.files, interface.name, target, form.optimization)
    except MissingToolError:
        raise
    except EdgecnnError:    # no ELF, or no frame sizes: a host with another compiler
        sizes = None
    with tempfile.TemporaryDirectory(prefix="edgecnn-verify-") as temporary:
        folder = Path(temporary)
        image = build_image(compiled.files, interface, target, folder, form)
        try:
            run = run_image(image, inputs, time_limit(target, count, macs))
        except RunError as error:
            return TargetResult(target.name, arena, count, output_bytes, 0, 0, None, sizes, str(error), None)
    wrong = differing(run.outputs, right)
    found, problem = None, ""
    if wrong.any():
        sample = int(np.flatnonzero(wrong)[0])
        found, problem = find_difference(target, compiled, data, form, [array[sample] for array in inputs])
    return TargetResult(
        target=target.name,
        arena=arena,
        samples=count,
        outputs_bytes=output_bytes,
        differing_bytes=int(wrong.sum()),
        differing_samples=int(np.count_nonzero(wrong)),
        stack=run.stack,
        sizes=sizes,
        problem=problem,
        difference=found,
    )


def differing(found: Arrays, right: Arrays) -> NDArray[np.int64]:
    """How many bytes differ in each sample.

    Args:
        found: One array ``[N, ...]`` for each output.
        right: As many, of the same shapes and types.
    """
    counts = np.zeros(len(found[0]), np.int64)
    for one, other in zip(found, right, strict=True):
        rows = [np.ascontiguousarray(array).reshape(len(counts), -1).view(np.uint8) for array in (one, other)]
        counts += np.count_nonzero(rows[0] != rows[1], axis=1)
    return counts


def find_difference(
    target: Target, compiled: Compiled, data: bytes, form: Form, sample: Sequence[NDArray[np.generic]]
) -> tuple[Difference | None, str]:
    """Run one sample with every layer's rows recorded, and compare them with the right tensors.

    Args:
        target: Where the outputs differ.
        compiled: The network and its C text.
        data: The model file.
        form: How it was built and run.
        sample: One array of the tensor's shape for each input.

    Returns:
        The first layer that differs, or None; and what there is to say, without a full stop.
    """
    interface = interface_of(compiled.plan)
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    tensors = expected_tensors(data, compiled.prepared, sample)
    with tempfile.TemporaryDirectory(prefix="edgecnn-layers-") as temporary:
        folder = Path(temporary)
        image = build_image(compiled.files, interface, target, folder, Form(form.optimization, form.push, rows=True))
        try:
            run = run_image(image, [array[np.newaxis] for array in sample], time_limit(target, 10, macs))
        except RunError as error:
            return None, f"the layers could not be compared: {error}"
    found = first_difference(compiled, run.rows, tensors)
    if found is not None:
        return found, str(found)
    return None, "every row of every layer was right when it was written: rows are overwritten before they are read"
