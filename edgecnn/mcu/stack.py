"""How much stack a call needs at most, from what gcc writes beside an object file (``-fcallgraph-info=su``).

Generated code has neither recursion nor function pointers nor arrays of variable size, so that the deepest path through
the calls is the answer. Of what assembly pushes gcc knows nothing: for Arm Cortex-M it is read from the machine code.
What lies outside (``memcpy``, the compiler's own arithmetic) is in no such file: it gets an allowance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgecnn.mcu.elf import ARM, Elf
from edgecnn.mcu.thumb import stack_taken

FLAGS = ("-fstack-usage", "-fcallgraph-info=su")

LIBRARY_BYTES = 64
"""For a function of the C library or of libgcc: memory copies, 64-bit and floating-point arithmetic take less."""

_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"]*)"(.*)\}$', re.MULTILINE)
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)
_BYTES = re.compile(r"\\n(\d+) bytes \((\w+)[^)]*\)")
_INDIRECT = "__indirect_call"


@dataclass(frozen=True)
class CallGraph:
    """Functions of one C file.

    Attributes:
        frames: Bytes of stack of each function that is compiled there, by its symbol.
        calls: What each of them calls.
        unbounded: Functions whose frame has no limit that the compiler knows.
    """

    frames: Mapping[str, int]
    calls: Mapping[str, frozenset[str]]
    unbounded: frozenset[str]


def parse_call_graph(text: str, elf: Elf) -> CallGraph:
    """Read gcc's file, and from the object file the calls that are not in C: of arithmetic that the core lacks.

    Args:
        text: Of the ``.ci`` file.
        elf: The object file that was written with it, of ``-ffunction-sections``.
    """
    frames: dict[str, int] = {}
    unbounded = set()
    for title, label, _ in _NODE.findall(text):
        measured = _BYTES.search(label)
        if measured:
            frames[_symbol(title)] = int(measured[1])
            if measured[2] != "static" and "bounded" not in label:
                unbounded.add(_symbol(title))
    calls: dict[str, set[str]] = {name: set() for name in frames}
    for source, target in _EDGE.findall(text):
        calls.setdefault(_symbol(source), set()).add(_symbol(target))
    for symbol in elf.symbols:
        if symbol.name in frames and symbol.section is not None:
            if elf.machine == ARM and symbol.value & 1:    # Thumb
                frames[symbol.name] = max(frames[symbol.name], stack_taken(elf.instructions(symbol)))
            named = [elf.symbols[index] for index in elf.references.get(symbol.section, ())]
            calls[symbol.name].update(other.name for other in named if other.external)
    return CallGraph(frames, {name: frozenset(targets) for name, targets in calls.items()}, frozenset(unbounded))


def deepest(graph: CallGraph, roots: Iterable[str]) -> int:
    """Bytes of stack of the deepest path from any of some functions, their own frames included.

    Raises:
        ValueError: A function is not there, calls itself, calls through a pointer, or has a frame without a limit.
    """
    return max(_depth(graph, root, ()) for root in roots)


def _depth(graph: CallGraph, name: str, above: tuple[str, ...]) -> int:
    if name in above:
        raise ValueError(f"{name} calls itself")
    if name == _INDIRECT:
        raise ValueError(f"{above[-1]} calls through a pointer")
    if name not in graph.frames:
        if not above:
            raise ValueError(f"there is no function {name}")
        return LIBRARY_BYTES
    if name in graph.unbounded:
        raise ValueError(f"the stack of {name} has no limit")
    below = [_depth(graph, target, (*above, name)) for target in graph.calls[name]]
    return graph.frames[name] + max(below, default=0)


def _symbol(title: str) -> str:
    """``file.c:row`` to ``row``: gcc puts the file before the name of a static function."""
    return title.rsplit(":", 1)[-1]
