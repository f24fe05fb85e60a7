"""Generated networks through the compiler and a C compiler, many in one executable, against TFLite Micro.

The C runs in a process of its own, as TFLite Micro does: what kills one of them is one network's result, not the end.
"""

from __future__ import annotations

import re
import subprocess
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError
from tests.firmware_export.c_build import main_text, write_files
from tests.firmware_export.limits import TooLong, time_limit
from tests.firmware_export.oracle import Oracle
from tests.firmware_export.random_networks import RandomNetwork, random_network

Kind = Literal["equal", "refused", "no oracle", "failed"]

PYTHON_LIMIT_S = 60
COMPILER_LIMIT_S = 600
PROGRAM_LIMIT_S = 60


@dataclass(frozen=True)
class Outcome:
    """What became of a network.

    Attributes:
        seed: Of the network.
        kind: ``equal``: the same bytes; ``refused``: a ModelError; ``no oracle``: it compiles, and TFLite Micro does
            not take it; ``failed``: a difference, a crash, any other exception.
        detail: The message, or the reason, or what differs.
        ops: How often each operator stands in it.
        pushed: The rows were pushed in, too.
    """

    seed: int
    kind: Kind
    detail: str
    ops: Mapping[str, int]
    pushed: bool = False


def compare(
    networks: Sequence[RandomNetwork],
    folder: Path,
    oracle: Oracle,
    samples: int = 4,
    flags: Sequence[str] = ("-O1",),
    compiler: str = "gcc",
) -> list[Outcome]:
    """Compile the networks into one program, run it and TFLite Micro on the same inputs, and compare every byte.

    Args:
        networks: With different seeds.
        folder: For the C files and the program.
        oracle: TFLite Micro.
        samples: Inputs for each network.
        flags: For the C compiler.
        compiler: The C compiler.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: dict[int, Outcome] = {}
    compiled: dict[int, Compiled] = {}
    for network in networks:
        try:
            with time_limit(PYTHON_LIMIT_S):
                compiled[network.seed] = compile_model(network.data, "model", _name(network))
        except ModelError as error:
            outcomes[network.seed] = Outcome(network.seed, "refused", str(error), network.ops)
        except (Exception, TooLong):
            outcomes[network.seed] = Outcome(network.seed, "failed", traceback.format_exc(), network.ops)
    program = _build(compiled, folder, flags, compiler)
    for network in networks:
        if network.seed in compiled:
            if isinstance(program, Path):
                outcomes[network.seed] = _compare(network, compiled[network.seed], program, oracle, samples)
            elif len(networks) > 1:    # which one is it?
                outcomes[network.seed] = compare([network], folder, oracle, samples, flags, compiler)[0]
            else:
                outcomes[network.seed] = Outcome(network.seed, "failed", program, network.ops)
    return [outcomes[network.seed] for network in networks]


def _name(network: RandomNetwork) -> str:
    return f"n{network.seed}"


def _build(compiled: Mapping[int, Compiled], folder: Path, flags: Sequence[str], compiler: str) -> Path | str:
    """One translation unit with all networks, which also shows that they do not get in each other's way."""
    text, cases = [], []
    for seed, each in compiled.items():
        write_files(each.files, folder)
        text.append(f'#include "n{seed}.c"\n')
        for push in (False, True):
            if push and each.plan.push is None:
                continue
            function = f"n{seed}_{'pushed' if push else 'whole'}"
            text.append(f"#define main {function}\n{main_text(each, push)}\n#undef main\n")
            cases.append(f'    if (strcmp(arguments[1], "{function}") == 0) return {function}();\n')
    text.append(f"int main(int count, char **arguments)\n{{\n    (void)count;\n{''.join(cases)}    return 9;\n}}\n")
    (folder / "all.c").write_text("#include <string.h>\n" + "".join(text), encoding="utf-8")
    done = subprocess.run(
        [compiler, *flags, "all.c", "-o", "all"], cwd=folder, capture_output=True, timeout=COMPILER_LIMIT_S, check=False
    )
    return (folder / "all").resolve() if done.returncode == 0 else "C: " + done.stderr.decode()[:3000]


def _compare(network: RandomNetwork, compiled: Compiled, program: Path, oracle: Oracle, samples: int) -> Outcome:
    given = network.samples(samples)
    pushed = compiled.plan.push is not None
    wanted = oracle.run(network.data, given, network.outputs)
    stdin = b"".join(np.ascontiguousarray(array).tobytes() for sample in given for array in sample)
    ways = ["whole"] + ["pushed"] * pushed
    for way in ways:
        try:
            command = [str(program), f"{_name(network)}_{way}"]
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=PROGRAM_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return Outcome(network.seed, "failed", f"{way}: the C takes more than {PROGRAM_LIMIT_S} s", network.ops)
        if done.returncode:
            said = f"{way}: exit code {done.returncode}\n{done.stderr.decode()[-3000:]}"
            return Outcome(network.seed, "failed", said, network.ops)
        if isinstance(wanted, str):
            continue
        if differs := _difference(wanted, done.stdout):
            return Outcome(network.seed, "failed", f"{way}: {differs}", network.ops)
    if isinstance(wanted, str):
        return Outcome(network.seed, "no oracle", wanted, network.ops)
    return Outcome(network.seed, "equal", "", network.ops, pushed)


def _difference(wanted: Sequence[Sequence[Any]], found: bytes) -> str:
    """What differs first; nothing if nothing does."""
    size = sum(array.nbytes for sample in wanted for array in sample)
    if len(found) != size:
        return f"{len(found)} bytes, TFLite Micro gives {size}"
    at = 0
    for number, sample in enumerate(wanted):
        for output, array in enumerate(sample):
            ours = np.frombuffer(found[at : at + array.nbytes], array.dtype).reshape(array.shape)
            at += array.nbytes
            if array.tobytes() != ours.tobytes():
                wrong = np.atleast_1d(ours != array)
                place = [int(index) for index in np.argwhere(wrong)[0]] if wrong.any() else ["sign or NaN"]
                largest = np.abs(ours.astype(np.float64) - array).max()
                first, theirs = np.atleast_1d(ours)[wrong][:4], np.atleast_1d(array)[wrong][:4]
                return (
                    f"sample {number}, output {output}, at {place} of {list(array.shape)}: {first}, "
                    f"TFLite Micro gives {theirs}; {wrong.sum()} differ by up to {largest:g}"
                )
    return ""


def shortest(
    network: RandomNetwork, folder: Path, oracle: Oracle, flags: Sequence[str] = ("-O1",)
) -> tuple[RandomNetwork, Outcome] | None:
    """The smallest part of a failing network that still fails: its first additions, and of those one output's.

    Returns:
        The network and its outcome; None if no part of it fails, nor the whole.
    """

    def fails(part: RandomNetwork) -> Outcome | None:
        outcome = compare([part], folder / "part", oracle, flags=flags)[0]
        return outcome if outcome.kind == "failed" else None

    for growths in range(1, network.growths + 1):
        shorter = random_network(network.seed, growths, network.only)
        outcome = fails(shorter)
        if outcome is not None:
            for output in range(shorter.outputs if shorter.outputs > 1 else 0):
                narrow = shorter.one_output(output)
                if narrowed := fails(narrow):
                    return narrow, narrowed
            return shorter, outcome
    return None


_REFUSAL = re.compile(r"model: (?:node \d+ (?P<op>\w+)(?: '[^']*')?: )?(?P<rest>.*)", re.DOTALL)


def refusal_of(message: str) -> tuple[str, str]:
    """Operator and reason of a refusal, numbers left out so that equal reasons count as one."""
    found = _REFUSAL.match(message)
    if found is None:
        return "?", message
    reason = re.sub(r"\(supported:.*", "", found["rest"], flags=re.DOTALL)
    reason = re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "#", reason)
    return found["op"] or "?", re.sub(r"(#, )+#", "#…", reason).strip()
