"""The main path: an int8 or int16×8 ``.tflite`` in, C99 out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from firmware_export.bounds import check_arena, check_bounds
from firmware_export.choice import Choice, Goal, Optimize, choose
from firmware_export.emit import emit
from firmware_export.graph import Graph, verify
from firmware_export.instruction_sets import PORTABLE
from firmware_export.layer import Program
from firmware_export.lowering import lower
from firmware_export.ops import check_graph
from firmware_export.passes import prepare, run_passes
from firmware_export.plan import Plan
from firmware_export.tflite import read_model


@dataclass(frozen=True)
class Compiled:
    """The result of a compilation.

    Attributes:
        graph: As read from the file, unchanged.
        prepared: The nodes of it that are executed, with its tensors under the same indices: what the NumPy references
            can compute.
        plan: The lowered program and where everything lies.
        files: Text by file name.
        choice: Which form each layer has, and why.
    """

    graph: Graph
    prepared: Graph
    plan: Plan
    files: dict[str, str]
    choice: Choice


def compile_model(
    data: bytes,
    source: str,
    name: str,
    labels: tuple[str, ...] = (),
    single_header: bool = False,
    instruction_set: str = PORTABLE,
    optimize: Optimize | Goal = "balanced",
) -> Compiled:
    """Compile a model.

    Args:
        data: The ``.tflite`` file.
        source: What messages call it, most often its path.
        name: The C identifier that everything is named after.
        labels: Names of the classes; none where they are not known.
        single_header: One file in the manner of the stb libraries, instead of four.
        instruction_set: A key of ``instruction_sets.LOWERINGS``; the C is for processors that have it.
        optimize: What layers' forms are chosen for; a ``Goal`` has budgets too.

    Raises:
        ModelError: The file cannot be read, or holds something that is not supported; or a budget cannot be met.
    """
    graph = read_model(data, source)
    verify(graph)
    check_bounds(graph)
    prepared = prepare(graph)
    check_graph(prepared)
    choice = choose(
        lowered(prepared, name, instruction_set), optimize if isinstance(optimize, Goal) else Goal(optimize)
    )
    check_arena(graph, choice.plan.arena_bytes)
    files = emit(choice.plan, hashlib.sha256(data).hexdigest(), labels, single_header)
    return Compiled(graph, prepared, choice.plan, files, choice)


def lowered(prepared: Graph, name: str, instruction_set: str = PORTABLE) -> Program:
    """The program of a graph that was checked, with all forms of its layers."""
    simplified = run_passes(prepared)
    verify(simplified)
    return lower(simplified, name, instruction_set)
