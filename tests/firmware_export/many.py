"""Many networks in one program, for this machine or an emulated one, and each one's outputs apart.

Where there are processes each network runs in one of its own, so that what kills one of them is one network's result.
A board runs all of them from one start: where one ends it, the board starts again with the next.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn.mcu.image import link_script, target_flags
from edgecnn.mcu.targets import BOARD_SOURCES, HARNESS_SOURCES, Target
from edgecnn.mcu.toolchain import compiler_of, emulator_of
from firmware_export.compiler import Compiled
from tests.firmware_export.c_build import main_text, write_files

LIBRARY = Path(__file__).with_name("board_library")

COMPILER_LIMIT_S = 600
NETWORK_LIMIT_S = 60
QEMU = ("-display", "none", "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native")


@dataclass(frozen=True)
class Case:
    """A network and a way to hand its input over.

    Attributes:
        seed: Of the network.
        push: The rows are pushed in.
        inputs: Bytes of all samples.
    """

    seed: int
    push: bool
    inputs: bytes = b""

    @property
    def function(self) -> str:
        """In the program."""
        return f"n{self.seed}_{self.way}"

    @property
    def way(self) -> str:
        """For messages."""
        return "pushed" if self.push else "whole"


@dataclass(frozen=True)
class Failed:
    """What became of a case that did not end well."""

    said: str


def build(
    compiled: Mapping[int, Compiled], folder: Path, target: Target, flags: Sequence[str] = ("-O1",)
) -> Path | Failed:
    """One translation unit with all networks, which also shows that they do not get in each other's way.

    Args:
        compiled: By seed; the network of seed 5 is named ``n5``.
        folder: For the C files and the program.
        target: What the program is for.
        flags: For the C compiler, beside those of the target.
    """
    text, cases = [], []
    for seed, each in compiled.items():
        write_files(each.files, folder)
        text.append(f'#include "n{seed}.c"\n')
        for push in (False, True):
            if push and each.plan.push is None:
                continue
            case = Case(seed, push)
            main = main_text(each, push, skewed=seed // 4 % 2 == 0)
            text.append(f"#define main {case.function}\n{main}\n#undef main\n")
            cases.append(case)
    choose = _main_of_process(cases) if target.board is None else _main_of_board(cases)
    (folder / "all.c").write_text("#include <stdint.h>\n#include <string.h>\n" + "".join(text) + choose, "utf-8")
    compiler = [str(compiler_of(target)), *target_flags(target)]
    linking = ["-static"] if target.process is not None else []    # QEMU needs no libraries of that processor
    commands = [[*compiler, *flags, "all.c", "-o", "all", *linking]]
    if target.board is not None:
        (folder / "link.ld").write_text(link_script(target.board), encoding="utf-8")
        parts = ("files.c", "memory.c", target.board.start)
        sources = [LIBRARY / "library.c", *(BOARD_SOURCES / part for part in parts)]
        folders = [f"-I{place}" for place in (LIBRARY, BOARD_SOURCES, HARNESS_SOURCES)]
        rest = ["-O2", "-fno-tree-loop-distribute-patterns", "-nostdlib", "-T", "link.ld", "-lgcc"]
        commands = [
            [*compiler, *flags, f"-I{LIBRARY}", "-c", "all.c", "-o", "all.o"],
            [*compiler, *folders, *map(str, sources), "all.o", "-o", "all", *rest],
        ]
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=COMPILER_LIMIT_S, check=False)
        if done.returncode:
            return Failed("C: " + done.stderr.decode()[:3000])
    return (folder / "all").resolve()


def _number(case: Case) -> int:
    return 2 * case.seed + case.push


def _main_of_process(cases: Sequence[Case]) -> str:
    tests = (f'    if (strcmp(arguments[1], "{case.function}") == 0) return {case.function}();\n' for case in cases)
    return f"int main(int count, char **arguments)\n{{\n    (void)count;\n{''.join(tests)}    return 9;\n}}\n"


def _main_of_board(cases: Sequence[Case]) -> str:
    tests = "".join(f"    case {_number(case)}: return {case.function}();\n" for case in cases)
    head = "int many_run(int32_t number);\nint many_run(int32_t number)\n"
    return f"{head}{{\n    switch (number) {{\n{tests}    default: return 9;\n    }}\n}}\n"


def run(program: Path, target: Target, cases: Sequence[Case]) -> list[bytes | Failed]:
    """The outputs of each case.

    Args:
        program: What ``build`` made.
        target: What it was made for.
        cases: Of networks in the program.
    """
    if target.board is None:
        return [_run_alone(program, target, case) for case in cases]
    results: list[bytes | Failed] = []
    while len(results) < len(cases):
        results += _run_from(program, target, cases[len(results) :])
    return results


def _run_alone(program: Path, target: Target, case: Case) -> bytes | Failed:
    emulated = [str(emulator_of(target)), *target.process.arguments] if target.process is not None else []
    command = [*emulated, str(program), case.function]
    try:
        done = subprocess.run(command, input=case.inputs, capture_output=True, timeout=NETWORK_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Failed(f"the C takes more than {NETWORK_LIMIT_S} s")
    if done.returncode:
        return Failed(f"exit code {done.returncode}\n{done.stderr.decode()[-3000:]}")
    return done.stdout


def _run_from(program: Path, target: Target, cases: Sequence[Case]) -> list[bytes | Failed]:
    """One start of the board: every case up to the first that does not end well, that one included."""
    assert target.board is not None
    folder = program.parent
    with (folder / "inputs.bin").open("wb") as file:
        for case in cases:
            file.write(np.array([_number(case), len(case.inputs)], "<i4").tobytes() + case.inputs)
    for name in ("outputs.bin", "rows.bin"):
        (folder / name).write_bytes(b"")
    command = [str(emulator_of(target)), *target.board.arguments, *QEMU, "-kernel", str(program)]
    limit_s = NETWORK_LIMIT_S + len(cases)
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False
        )
        reason = f"exit code {done.returncode}\n{(done.stdout + done.stderr).decode(errors='replace')[-2000:]}"
    except subprocess.TimeoutExpired:
        reason = f"the C takes more than {NETWORK_LIMIT_S} s"
    ends = np.fromfile(folder / "rows.bin", "<i4").reshape(-1, 2)
    outputs = (folder / "outputs.bin").read_bytes()
    results: list[bytes | Failed] = []
    at = 0
    for code, size in ends.tolist():
        results.append(Failed(f"exit code {code}") if code else outputs[at : at + size])
        at += size
    if len(results) < len(cases) and not (results and isinstance(results[-1], Failed)):
        results.append(Failed(reason))
    return results
