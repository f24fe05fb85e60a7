"""A model compiled to C and by this machine's compiler to a shared library, which is called from Python.

It is as fast as this machine can: by kernels for its vector instructions, chosen for speed.

Planning takes hundreds of megabytes for a large network. It is done in a process of its own, so that the process which
calls the library holds nothing but the network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edgecnn.child_process import python_command, said_lines, signal_name
from edgecnn.errors import EdgecnnError
from edgecnn.mcu.image import compile_network
from edgecnn.mcu.targets import HOST, NATIVE, Target, load_target
from edgecnn.mcu.toolchain import BuildError, call, compiler_of, tool_version
from firmware_export.graph import Tensor

NAME = "net"
"""The prefix of the library's functions."""

OPTIMIZATION = "-O2"

_CLOCK = Path(__file__).with_name("layer_clock.c")
_LIBRARY = "network.so"
_SHARED = ("-fPIC",)
_LIMIT_S = 1800
_TIMED = "--timed"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class End(_Record):
    """An input or output as the file has it; scale and zero point where there is one of each."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


class CompiledLayer(_Record):
    """A layer in the C text."""

    name: str
    op: str


class Library(_Record):
    """What was built.

    Attributes:
        path: The library.
        inputs: In the order of the arguments of ``net_run``, which come after the arena.
        outputs: In the order of the arguments, after the inputs.
        arena_bytes: Of memory that ``net_run`` is given, aligned to 4 bytes.
        compiler: Name and version.
        flags: What it was told of the processor, and how to optimize.
        layers: In the order in which they can run.
    """

    path: Path
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    arena_bytes: int
    compiler: str
    flags: tuple[str, ...]
    layers: tuple[CompiledLayer, ...]


def build_library(model: Path, folder: Path, timed: bool = False) -> Library:
    """Compile a model in a process of its own.

    Args:
        model: An int8 or int16×8 ``.tflite`` file.
        folder: Where the library is put.
        timed: The layers are timed: ``layer_clock.c`` is part of the library.

    Raises:
        MissingToolError: This machine has no C compiler.
        EdgecnnError: The compiler does not take the model; the message says why.
    """
    compiler_of(load_target(HOST))    # said here and now, not in the other process
    arguments = (str(model.resolve()), str(folder), *([_TIMED] if timed else []))
    command = python_command("from edgecnn.mcu.library import main; main()", *arguments)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise EdgecnnError(f"{model}: compiling it to C did not end within {_LIMIT_S} s.") from None
    if done.returncode:
        ended = f"exit code {done.returncode}" if done.returncode > 0 else signal_name(-done.returncode)
        said = (said_lines(done.stderr) or ["it said nothing"])[-1]
        raise EdgecnnError(f"{model}: the process that compiles it to C failed ({ended}): {said}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise EdgecnnError(answer["error"])
    return Library.model_validate(answer)


def main() -> None:
    """The process: its arguments are the model, the folder and ``--timed``; JSON on standard output is its answer."""
    from firmware_export.errors import ModelError

    try:
        library = _build(Path(sys.argv[1]), Path(sys.argv[2]), _TIMED in sys.argv)
    except (EdgecnnError, ModelError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
    else:
        sys.stdout.write(library.model_dump_json())


def _build(model: Path, folder: Path, timed: bool) -> Library:
    from firmware_export.compiler import compile_model
    from firmware_export.emit.names import names_of

    target = _target(folder)
    compiler = compiler_of(target)
    set_name = target.instruction_set
    compiled = compile_model(model.read_bytes(), str(model), NAME, instruction_set=set_name, optimize="speed")
    program, graph = compiled.plan.program, compiled.graph
    hooks: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    if timed:
        (folder / "layer_clock.h").write_text(_clock_header(len(program.layers)), encoding="utf-8")
        hooks, sources = ("-include", "layer_clock.h"), (_CLOCK,)
    network = compile_network(compiled.files, NAME, target, folder, OPTIMIZATION, (*_SHARED, *hooks))
    flags = [*target.flags, "-std=gnu99", OPTIMIZATION, *_SHARED, "-shared", f"-I{folder}"]
    call([compiler, *flags, network.name, *sources, "-o", _LIBRARY], folder, f"linking {model.name} for this machine")
    names = names_of(program).layers
    return Library(
        path=folder / _LIBRARY,
        inputs=tuple(_end(graph.tensors[index]) for index in graph.inputs),
        outputs=tuple(_end(graph.tensors[index]) for index in graph.outputs),
        arena_bytes=compiled.plan.arena_bytes,
        compiler=tool_version(compiler),
        flags=(OPTIMIZATION, *target.flags),
        layers=tuple(CompiledLayer(name=names[i], op=layer.op) for i, layer in enumerate(program.layers)),
    )


def _target(folder: Path) -> Target:
    """This machine with its vector instructions, or without where the compiler does not know how to find them out."""
    native = load_target(NATIVE)
    nothing = folder / "nothing.c"
    nothing.write_text("typedef int nothing;\n", encoding="utf-8")
    try:
        call([compiler_of(native), *native.flags, "-fsyntax-only", nothing.name], folder, "looking for vectors")
    except BuildError:
        return load_target(HOST)
    return native


def _end(tensor: Tensor) -> End:
    quant = tensor.quant if tensor.quant is not None and len(tensor.quant.scale) == 1 else None
    return End(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=quant.scale[0] if quant is not None else None,
        zero_point=quant.zero_point[0] if quant is not None else None,
    )


def _clock_header(layers: int) -> str:
    macro = NAME.upper()
    return (
        "#include <stdint.h>\n\n"
        f"#define LAYER_CLOCK_LAYERS {max(layers, 1)}\n"
        "void layer_clock_begin(int32_t layer);\nvoid layer_clock_end(void);\n"
        f"#define {macro}_ON_LAYER(layer) layer_clock_begin(layer)\n"
        f"#define {macro}_ON_ROW(layer, y, row, bytes) layer_clock_end()\n"
    )
