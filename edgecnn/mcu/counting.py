"""Instructions of an inference under QEMU, exact and the same every time; by function and by layer.

A QEMU plugin (``count_instructions.c``) counts what the core executes from the entry of ``<name>_run`` to its return.
No cycles: QEMU knows none. Layers are told apart by labels in the code, in a second image: where a kernel is called one
label stands, where it has returned another. A label is no instruction, so that the second image is the first but for
what the compiler then orders otherwise: of ResNet8 it executes less than a ten-thousandth more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn.errors import EdgecnnError
from edgecnn.mcu.elf import read_elf
from edgecnn.mcu.image import Form, Image, build_image, layer_marks
from edgecnn.mcu.interface import interface_of
from edgecnn.mcu.running import RunError, run_image, time_limit
from edgecnn.mcu.targets import Target
from edgecnn.mcu.toolchain import call, find_tool
from firmware_export.compiler import Compiled

PLUGIN_SOURCE = Path(__file__).with_name("count_instructions.c")
PLUGIN_VERSIONS = (1, 2, 3, 4, 5, 6)
"""Of QEMU's plugin interface. Each QEMU takes a range of them; what the plugin uses is the same in all."""

_COUNTS, _MARKS = "counts.txt", "marks.txt"
_SLOWER = 10    # a run that is counted than one that is not, at most
_LAYER = re.compile(r"layer (-?\d+)")


@dataclass(frozen=True)
class Counts:
    """Executed instructions.

    Attributes:
        runs: Inferences.
        functions: Instructions of all of them together, by function, the most first.
        layers: The same by layer, in the order of ``Program.layers``; empty where they were not told apart.
        rest: What belongs to no layer: finding rows, the order of steps, entry and return.
    """

    runs: int
    functions: dict[str, int]
    layers: tuple[int, ...] = ()
    rest: int = 0

    @property
    def each(self) -> float:
        """Instructions of an inference, the mean over the samples."""
        return sum(self.functions.values()) / self.runs


def count_instructions(
    compiled: Compiled,
    target: Target,
    optimization: str,
    inputs: Sequence[NDArray[np.generic]],
    folder: Path,
    layers: bool = False,
) -> Counts:
    """Run a model on an emulated board or processor and count.

    Args:
        compiled: The model.
        target: A target that QEMU emulates.
        optimization: ``-O2`` or ``-Os``.
        inputs: One array ``[N, ...]`` for each input of the network, N at least 1.
        folder: An empty folder of its own.
        layers: Tell layers apart. ``functions`` then names the places in the code where layers begin and end as
            functions of their own.

    Raises:
        EdgecnnError: It cannot be built or does not run.
    """
    interface = interface_of(compiled.plan)
    image = build_image(compiled.files, interface, target, folder, Form(optimization, marks=layers))
    macs = sum(layer.macs for layer in compiled.plan.program.layers)
    limit_s = _SLOWER * time_limit(target, len(inputs[0]), macs)
    return count_image(image, inputs, limit_s, len(compiled.plan.program.layers) if layers else 0)


def count_image(image: Image, inputs: Sequence[NDArray[np.generic]], limit_s: float, layers: int = 0) -> Counts:
    """Count an image; see ``count_instructions``.

    Args:
        image: For such a target; with marks if ``layers`` are asked for. Files are written to its folder.
        inputs: One array ``[N, ...]`` for each input of the network.
        limit_s: After so many seconds the program is ended.
        layers: How many the network has; 0 not to tell them apart.

    Raises:
        EdgecnnError: It does not run.
    """
    folder = image.path.parent
    elf = read_elf(image.path.read_bytes())
    places = {symbol.name: symbol.value & ~1 for symbol in elf.symbols}    # bit 0: Thumb
    begin, end = places[f"{image.interface.name}_run"], places["harness_ended"]
    counts = folder / _COUNTS
    counts.unlink(missing_ok=True)
    options = f"begin={begin:#x},end={end:#x},out={counts.name}"
    if layers:
        lines = [f"{address:#x} {layer}\n" for address, layer in layer_marks(elf)]
        (folder / _MARKS).write_text("".join(lines), encoding="utf-8")
        options += f",marks={_MARKS}"
    refused: RunError | None = None
    for version in PLUGIN_VERSIONS:
        library = build_plugin(folder, version)
        try:
            run_image(image, inputs, limit_s, ("-plugin", f"./{library.name},{options}"))
        except RunError as error:
            refused = refused or error
            if counts.is_file():    # it was not the plugin that QEMU refused
                raise
            continue
        return read_counts(counts.read_text(encoding="utf-8"), layers)
    assert refused is not None
    raise refused


def build_plugin(folder: Path, version: int) -> Path:
    """Compile the plugin for a version of QEMU's interface.

    Raises:
        MissingToolError: This machine has no C compiler.
        BuildError: It refused the plugin.
    """
    library = folder / f"count{version}.so"
    compiler = find_tool(("gcc", "clang", "cc"), "building the plugin that counts")
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden"]
    command: list[str | Path] = [compiler, *flags, f"-DQEMU_PLUGIN_VERSION={version}", PLUGIN_SOURCE, "-o", library]
    call(command, folder, "building the plugin that counts")
    return library


def read_counts(text: str, layers: int = 0) -> Counts:
    """The plugin's file; what the harness itself does between return and end is left out.

    Args:
        text: Its content.
        layers: How many the network has; 0 where they were not told apart.

    Raises:
        EdgecnnError: The core ran nothing that is counted.
    """
    found = {name: int(number) for name, number in (line.rsplit(" ", 1) for line in text.splitlines())}
    runs = found.pop("runs")
    if runs == 0:
        raise EdgecnnError("the emulator counted no inference.")
    by_layer = {int(match[1]): found.pop(name) for name in list(found) if (match := _LAYER.fullmatch(name))}
    outside = found.pop("harness_network", 0)
    functions = dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
    if not layers:
        return Counts(runs, functions)
    each = tuple(by_layer.get(index, 0) for index in range(layers))
    return Counts(runs, functions, each, by_layer.get(-1, 0) - outside)
