"""Runs programs with a network in them, on an emulated board or processor or on this machine, with a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn.child_process import signal_name
from edgecnn.errors import EdgecnnError
from edgecnn.mcu.image import Image
from edgecnn.mcu.interface import pack_samples, unpack_samples
from edgecnn.mcu.targets import Target
from edgecnn.mcu.toolchain import emulator_of

INPUTS, OUTPUTS, ROWS = "inputs.bin", "outputs.bin", "rows.bin"    # HARNESS_FILE_NAMES of harness.h

_QEMU = ("-display", "none", "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native")

# To stop what hangs, not to judge a machine: far above what any run takes.
_START_S = 60.0
_INSTRUCTIONS_PER_MAC = 40.0
_EMULATED_PER_S, _NATIVE_PER_S = 10e6, 100e6


class RunError(EdgecnnError):
    """The program did not do its work: a fault, a guard that was overwritten, an error code, no end."""


@dataclass(frozen=True)
class Row:
    """A row that a layer wrote.

    Attributes:
        layer: Index in ``Program.layers``.
        y: Its number.
        data: Its bytes.
    """

    layer: int
    y: int
    data: bytes


@dataclass(frozen=True)
class Run:
    """What a program did.

    Attributes:
        outputs: One array ``[N, *shape]`` for each output of the network.
        stack: Bytes of stack that were used at the deepest, the harness not counted.
        rows: What the layers wrote, in that order, where the image records it.
        said: What the emulator wrote to standard error.
    """

    outputs: list[NDArray[np.generic]]
    stack: int
    rows: tuple[Row, ...]
    said: str


def time_limit(target: Target, samples: int, macs: int) -> float:
    """Seconds after which a run is taken for one that does not end.

    Args:
        target: What it runs on.
        samples: How many inferences.
        macs: Multiply-accumulates of one.
    """
    rate = _NATIVE_PER_S if target.emulator is None else _EMULATED_PER_S
    return _START_S + samples * (macs * _INSTRUCTIONS_PER_MAC + 1e6) / rate


def run_image(
    image: Image, inputs: Sequence[NDArray[np.generic]], limit_s: float, emulator_options: Sequence[str] = ()
) -> Run:
    """Run samples through a network.

    Args:
        image: The program. Files are written to its folder.
        inputs: One array ``[N, ...]`` for each input of the network.
        limit_s: After so many seconds the program is ended.
        emulator_options: More arguments for QEMU.

    Raises:
        MissingToolError: QEMU is not installed.
        RunError: As its docstring says; the message has what was found.
    """
    folder, target = image.path.parent, image.target
    where = f"{image.interface.name} on {target.name}"
    for name in (OUTPUTS, ROWS):
        (folder / name).unlink(missing_ok=True)
    (folder / INPUTS).write_bytes(pack_samples(image.interface.inputs, inputs))
    try:
        done = subprocess.run(
            list(map(str, _command(image, emulator_options))),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{where}: it did not end within {limit_s:.0f} s.") from None
    # QEMU gives what the program says to one of the two, by its version.
    printed, errors = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    lines = [line.strip() for line in (printed + "\n" + errors).splitlines() if line.strip()]
    if done.returncode:
        reason = next((line for line in lines if line.startswith(("error:", "fault"))), lines[-1] if lines else "")
        ended = f"exit code {done.returncode}" if done.returncode > 0 else signal_name(-done.returncode)
        raise RunError(f"{where}: {reason.removeprefix('error: ') or 'the program ended'} ({ended}).")
    count, stack = (_said_number(lines, key, where) for key in ("samples", "stack"))
    data = (folder / OUTPUTS).read_bytes() if (folder / OUTPUTS).is_file() else b""
    if count != len(inputs[0]) or len(data) != count * sum(end.nbytes for end in image.interface.outputs):
        raise RunError(f"{where}: it ran {count} of {len(inputs[0])} samples and wrote {len(data)} bytes of output.")
    rows = _parse_rows((folder / ROWS).read_bytes()) if image.form.rows and (folder / ROWS).is_file() else ()
    return Run(unpack_samples(image.interface.outputs, data), stack, rows, errors)


def _command(image: Image, emulator_options: Sequence[str]) -> list[str | Path]:
    target = image.target
    if target.board is not None:
        return [emulator_of(target), *target.board.arguments, *_QEMU, *emulator_options, "-kernel", image.path]
    if target.process is not None:
        return [emulator_of(target), *target.process.arguments, *emulator_options, image.path]
    return [image.path]


def _said_number(lines: Sequence[str], key: str, where: str) -> int:
    for line in lines:
        name, _, number = line.partition(" ")
        if name == key and number.isdecimal():
            return int(number)
    said = " / ".join(lines[-3:]) or "nothing"
    raise RunError(f"{where}: the program ended without saying its {key}; it said: {said}.")


def _parse_rows(data: bytes) -> tuple[Row, ...]:
    """``rows.bin``: for each row its layer, number and size as int32, then its bytes."""
    rows = []
    at = 0
    while at < len(data):
        layer, y, size = (int(number) for number in np.frombuffer(data, "<i4", 3, at))
        rows.append(Row(layer, y, data[at + 12 : at + 12 + size]))
        at += 12 + size
    return tuple(rows)
