"""How large TFLite Micro's tensor arena must be for a model: measured with the interpreter of the tflite-micro wheel.

The measurement runs in a process of its own, because native code that meets something unexpected ends the process it
runs in.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgecnn.child_process import python_command, said_lines, signal_name
from firmware_export.tflite import read_model

STEP = 16
"""Arena sizes are tried in multiples of this: TFLite Micro aligns buffers to 16 bytes."""

LARGEST_ARENA = 64 << 20
"""The size tried first. A model that does not fit into it fits into no microcontroller."""

TIMEOUT_S = 300

REFUSED = 3
"""Exit code of the measuring process when TFLite Micro does not take the model; a Python error ends it with 1."""


@dataclass(frozen=True)
class Arena:
    """The result of a measurement.

    Attributes:
        bytes: The smallest arena in which the model allocates and runs, a multiple of ``STEP``; None if not measured.
        note: How it was measured, or why it was not; without a full stop.
    """

    bytes: int | None
    note: str


def measure_arena(model: Path) -> Arena:
    """Find the smallest arena; never raises for what TFLite Micro cannot do, the note says it instead."""
    if importlib.util.find_spec("tflite_micro") is None:
        return Arena(None, "the package tflite-micro is not installed; get it with: pip install 'edgecnn[mcu]'")
    command = python_command("from edgecnn.export.tflm_arena import main; main()", str(model.resolve()))
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return Arena(None, f"TFLite Micro did not end within {TIMEOUT_S} s")
    if done.returncode < 0:
        return Arena(None, f"TFLite Micro crashed on this model ({signal_name(-done.returncode)})")
    if done.returncode:
        said = said_lines(done.stderr) or ["no reason given"]
        if done.returncode == REFUSED:    # TFLite Micro writes the reason first, then what follows from it
            return Arena(None, f"TFLite Micro refused this model: {said[0]}")
        return Arena(None, f"the measuring process failed: {said[-1]}")
    version = importlib.metadata.version("tflite-micro")
    found = int(json.loads(done.stdout)["arena_bytes"])
    return Arena(found, f"measured with tflite-micro {version} on x86-64: the smallest that allocates and runs")


def smallest_arena(model: bytes) -> int:
    """The smallest multiple of ``STEP`` in which ``model`` allocates its tensors and runs once on zeros.

    To be called in a process that may die.

    Raises:
        RuntimeError: TFLite Micro does not take the model at all.
    """
    import numpy as np
    from tflite_micro.python.tflite_micro import runtime

    def prepare(size: int) -> runtime.Interpreter:
        return runtime.Interpreter.from_bytes(model, arena_size=size)

    def allocates(size: int) -> bool:
        try:
            prepare(size)
        except RuntimeError:
            return False
        return True

    prepare(LARGEST_ARENA)
    too_small, enough = 0, LARGEST_ARENA // STEP
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if allocates(middle * STEP):
            enough = middle
        else:
            too_small = middle
    interpreter = prepare(enough * STEP)
    for index in range(len(read_model(model).inputs)):
        details = interpreter.get_input_details(index)
        interpreter.set_input(np.zeros(details["shape"], details["dtype"]), index)
    interpreter.invoke()
    return enough * STEP


def main() -> None:
    """The measuring process: the model's path is its argument, ``{"arena_bytes": N}`` on standard output its answer."""
    try:
        size = smallest_arena(Path(sys.argv[1]).read_bytes())
    except RuntimeError as error:    # TFLite Micro has written its reason to standard error by now
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)
    sys.stdout.write(json.dumps({"arena_bytes": size}))
