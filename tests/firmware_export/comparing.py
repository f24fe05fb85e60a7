"""Generated networks through the compiler and a C compiler, many in one executable, against TFLite Micro.

The C runs in a process of its own, as TFLite Micro does: what kills one of them is one network's result, not the end.
"""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from edgecnn.mcu.targets import HOST, Target, load_target
from firmware_export.choice import Optimize
from firmware_export.compiler import Compiled, compile_model
from firmware_export.errors import ModelError
from tests.firmware_export.limits import TooLong, time_limit
from tests.firmware_export.many import Case, Failed, build, run
from tests.firmware_export.oracle import Oracle
from tests.firmware_export.random_networks import RandomNetwork, random_network

Kind = Literal["equal", "refused", "no oracle", "failed"]

PYTHON_LIMIT_S = 60


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
        functions: How often each kernel's function stands in it, by ``kernel function``.
    """

    seed: int
    kind: Kind
    detail: str
    ops: Mapping[str, int]
    pushed: bool = False
    functions: Mapping[str, int] = field(default_factory=dict)


def compare(
    networks: Sequence[RandomNetwork],
    folder: Path,
    oracle: Oracle,
    samples: int = 4,
    flags: Sequence[str] = ("-O1",),
    target: Target | None = None,
) -> list[Outcome]:
    """Compile the networks into one program, run it and TFLite Micro on the same inputs, and compare every byte.

    Args:
        networks: With different seeds.
        folder: For the C files and the program.
        oracle: TFLite Micro.
        samples: Inputs for each network.
        flags: For the C compiler.
        target: What the program is compiled for and runs on; None: this machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = target or load_target(HOST)
    outcomes: dict[int, Outcome] = {}
    compiled: dict[int, Compiled] = {}
    for network in networks:
        seed = network.seed
        try:
            with time_limit(PYTHON_LIMIT_S):
                compiled[seed] = compile_model(
                    network.data,
                    "model",
                    f"n{seed}",
                    instruction_set=target.instruction_set,
                    optimize=optimize_of(seed),
                )
        except ModelError as error:
            outcomes[seed] = Outcome(seed, "refused", str(error), network.ops)
        except (Exception, TooLong):
            outcomes[seed] = Outcome(seed, "failed", traceback.format_exc(), network.ops)
    taken = [network for network in networks if network.seed in compiled]
    program = build(compiled, folder, target, flags) if taken else Failed("nothing to compile")
    if isinstance(program, Path):
        outcomes |= _compare(taken, compiled, program, oracle, samples, target)
    elif len(networks) > 1:    # which one is it?
        for network in taken:
            outcomes[network.seed] = compare([network], folder, oracle, samples, flags, target)[0]
    else:
        outcomes |= {network.seed: Outcome(network.seed, "failed", program.said, network.ops) for network in taken}
    return [outcomes[network.seed] for network in networks]


def optimize_of(seed: int) -> Optimize:
    """What a network is compiled for: each kind in its turn."""
    kinds: tuple[Optimize, ...] = get_args(Optimize)
    return kinds[seed % len(kinds)]


def _compare(
    networks: Sequence[RandomNetwork],
    compiled: Mapping[int, Compiled],
    program: Path,
    oracle: Oracle,
    samples: int,
    target: Target,
) -> dict[int, Outcome]:
    cases, wanted = [], {}
    for network in networks:
        given = network.samples(samples)
        wanted[network.seed] = oracle.run(network.data, given, network.outputs)
        inputs = b"".join(np.ascontiguousarray(array).tobytes() for sample in given for array in sample)
        cases.append(Case(network.seed, push=False, inputs=inputs))
        if compiled[network.seed].plan.push is not None:
            cases.append(Case(network.seed, push=True, inputs=inputs))
    wrong: dict[int, str] = {}
    for case, found in zip(cases, run(program, target, cases), strict=True):
        expected = wanted[case.seed]
        if isinstance(found, Failed):
            wrong.setdefault(case.seed, f"{case.way}: {found.said}")
        elif not isinstance(expected, str) and (differs := _difference(expected, found)):
            wrong.setdefault(case.seed, f"{case.way}: {differs}")
    outcomes = {}
    for network in networks:
        seed, expected = network.seed, wanted[network.seed]
        pushed = any(case.push for case in cases if case.seed == seed)
        layers = compiled[seed].plan.program.layers
        functions = dict(Counter(f"{layer.kernel} {layer.function}" for layer in layers))
        if seed in wrong:
            outcomes[seed] = Outcome(seed, "failed", wrong[seed], network.ops, functions=functions)
        elif isinstance(expected, str):
            outcomes[seed] = Outcome(seed, "no oracle", expected, network.ops, functions=functions)
        else:
            outcomes[seed] = Outcome(seed, "equal", "", network.ops, pushed, functions)
    return outcomes


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
    network: RandomNetwork,
    folder: Path,
    oracle: Oracle,
    flags: Sequence[str] = ("-O1",),
    target: Target | None = None,
) -> tuple[RandomNetwork, Outcome] | None:
    """The smallest part of a failing network that still fails: its first additions, and of those one output's.

    Returns:
        The network and its outcome; None if no part of it fails, nor the whole.
    """

    def fails(part: RandomNetwork) -> Outcome | None:
        outcome = compare([part], folder / "part", oracle, flags=flags, target=target)[0]
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
