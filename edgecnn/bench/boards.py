"""A model on an emulated board: compiled to C, its instructions counted, its memory read from what gcc made of it."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgecnn.errors import EdgecnnError
from edgecnn.files import readable_os_errors
from edgecnn.mcu.counting import count_image
from edgecnn.mcu.image import Form, Image, build_image
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import run_image, time_limit
from edgecnn.mcu.samples import random_samples
from edgecnn.mcu.sizes import Sizes, measure
from edgecnn.mcu.targets import Target
from edgecnn.mcu.toolchain import compiler_of, emulator_of, require_tools, tool_version
from edgecnn.results import BoardLayer
from edgecnn.runtimes.base import check_model_file, only_one
from firmware_export.choice import Optimize
from firmware_export.compiler import Compiled, compile_model
from firmware_export.emit.names import names_of
from firmware_export.errors import ModelError

_NAME = "net"
_SLOWER = 10    # a run that is counted than one that is not, at most
_TURN = 100    # samples of which the outputs are asked for at a time


@dataclass(frozen=True)
class BoardRun:
    """What was found. Sizes are in bytes.

    Attributes:
        target: Its name, such as ``cortex-m4``.
        description: What that is.
        precision: Of the activations.
        compiler: Name and version.
        optimization: ``-O2`` or ``-Os``.
        emulator: Name and version.
        runs: Inferences that were counted.
        macs: Multiply-accumulates of one.
        instructions: Of one, the mean over the runs: exact, and the same every time.
        layers: Instructions of each layer's kernel, in the order in which layers can run.
        arena: What the network's activations take, without input and output.
        stack: Of ``<name>_run`` at the deepest, by static analysis; None where the compiler does not tell.
        code: Instructions and the constants among them.
        weights: Weights, biases, requantization and look-up tables.
        outputs: ``[N, *shape]`` (the batch of 1 included), of the inputs that were given; None if there were none.
    """

    target: str
    description: str
    precision: Literal["int8", "int16"]
    compiler: str
    optimization: str
    emulator: str
    runs: int
    macs: int
    instructions: float
    layers: tuple[BoardLayer, ...]
    arena: int
    stack: int | None
    code: int | None
    weights: int | None
    outputs: NDArray[np.generic] | None

    @property
    def rest(self) -> float:
        """Instructions that belong to no layer: finding rows, the order of steps, entry and return."""
        return self.instructions - sum(layer.instructions for layer in self.layers)

    @property
    def instructions_per_mac(self) -> float | None:
        """None for a network without multiplications."""
        return self.instructions / self.macs if self.macs else None


def bench_board(
    path: Path,
    target: Target,
    inputs: NDArray[np.generic] | None,
    *,
    runs: int = 1,
    optimization: str = "-O2",
    optimize: Optimize = "balanced",
    advance: Callable[[int], None] | None = None,
) -> BoardRun:
    """Compile a model, run it on an emulated board, and measure.

    Args:
        path: An int8 or int16×8 ``.tflite`` file.
        target: One with a board.
        inputs: Samples ``[N, …]`` of the network's input type, N at least 1; the first ``runs`` are counted, and the
            outputs of all come back. None: seeded random samples are counted.
        runs: Inferences to count. The count hardly depends on the sample.
        optimization: ``-O2`` or ``-Os``.
        optimize: What kernels are chosen for.
        advance: Told how many more samples have their outputs, now and then.

    Raises:
        MissingToolError: A compiler or QEMU is not installed.
        EdgecnnError: The compiler does not take the model, it does not fit into the board, or it does not run.
    """
    require_tools(target)
    compiled = _compiled(path, target, optimize)
    samples = _samples(path, compiled, inputs, runs)
    with tempfile.TemporaryDirectory(prefix="edgecnn-board-") as temporary:
        plain = _image(compiled, target, optimization, Path(temporary), "plain", marks=False)
        marked = _image(compiled, target, optimization, Path(temporary), "marked", marks=True)
        macs = sum(layer.macs for layer in compiled.plan.program.layers)
        limit_s = _SLOWER * time_limit(target, len(samples[0]), macs)
        total = count_image(plain, samples, limit_s)
        parts = count_image(marked, samples, limit_s, len(compiled.plan.program.layers))
        outputs = _outputs(plain, inputs, macs, advance) if inputs is not None else None
    sizes = _sizes(compiled, target, optimization)
    return BoardRun(
        target=target.name,
        description=target.description,
        precision=_precision(compiled),
        compiler=tool_version(compiler_of(target)),
        optimization=optimization,
        emulator=tool_version(emulator_of(target)),
        runs=total.runs,
        macs=macs,
        instructions=total.each,
        layers=_layers(compiled, [count / parts.runs for count in parts.layers]),
        arena=compiled.plan.arena_bytes,
        stack=sizes.stack if sizes is not None else None,
        code=sizes.code if sizes is not None else None,
        weights=sizes.weights if sizes is not None else None,
        outputs=outputs,
    )


def _compiled(path: Path, target: Target, optimize: Optimize) -> Compiled:
    """The network in C; for several boards of one instruction set it is compiled once."""
    check_model_file(path, ".tflite")
    with readable_os_errors(path, "read"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _compile(path, digest, target.instruction_set, optimize)


@functools.lru_cache(maxsize=4)
def _compile(path: Path, digest: str, instruction_set: str, optimize: Optimize) -> Compiled:
    del digest    # of the file's content: what the cache goes by
    try:
        return compile_model(path.read_bytes(), str(path), _NAME, instruction_set=instruction_set, optimize=optimize)
    except ModelError as error:
        raise EdgecnnError(str(error)) from error


def _samples(
    path: Path, compiled: Compiled, inputs: NDArray[np.generic] | None, runs: int
) -> list[NDArray[np.generic]]:
    """What is counted: one array ``[runs, …]`` for each input of the network."""
    if inputs is None:
        return random_samples(compiled.graph, runs)
    tensor = compiled.graph.tensors[only_one(path, "input", list(compiled.graph.inputs))]
    only_one(path, "output", list(compiled.graph.outputs))
    wanted = int(np.prod(tensor.shape))
    if not len(inputs) or inputs[0].size != wanted or inputs.dtype.name != tensor.dtype:
        raise EdgecnnError(
            f"{path}: the samples are {inputs.dtype.name} {list(inputs.shape)}; "
            f"the network takes {tensor.dtype} {['N', *tensor.shape[1:]]}."
        )
    return [inputs[:runs]]


def _image(compiled: Compiled, target: Target, optimization: str, parent: Path, name: str, marks: bool) -> Image:
    folder = parent / name
    folder.mkdir()
    form = Form(optimization, marks=marks)
    return build_image(compiled.files, interface_of(compiled.plan), target, folder, form)


def _outputs(
    image: Image, inputs: NDArray[np.generic], macs: int, advance: Callable[[int], None] | None
) -> NDArray[np.generic]:
    found = []
    for at in range(0, len(inputs), _TURN):
        part = inputs[at : at + _TURN]
        found.append(run_image(image, [part], time_limit(image.target, len(part), macs)).outputs[0])
        if advance is not None:
            advance(len(part))
    return np.concatenate(found)


def _sizes(compiled: Compiled, target: Target, optimization: str) -> Sizes | None:
    try:
        return measure(compiled.files, _NAME, target, optimization)
    except EdgecnnError:    # a compiler that does not tell: the figures are without them
        return None


def _precision(compiled: Compiled) -> Literal["int8", "int16"]:
    return "int16" if any(value.dtype == "int16" for value in compiled.plan.program.values) else "int8"


def _layers(compiled: Compiled, instructions: list[float]) -> tuple[BoardLayer, ...]:
    program = compiled.plan.program
    return tuple(
        BoardLayer(name=name, op=layer.op, macs=layer.macs, instructions=count)
        for name, layer, count in zip(names_of(program).layers, program.layers, instructions, strict=True)
    )
