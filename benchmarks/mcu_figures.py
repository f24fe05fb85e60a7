"""The figures of ``benchmarks/mcu.py`` that are kept in the repository, and what changed against them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mcu_measuring import Measured

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEPT = Path(__file__).with_name("mcu_figures.json")
REFERENCE = Path(__file__).with_name("mcu_reference.toml")

JUDGED = ("instructions", "arena", "stack", "code", "weights", "tables")
"""Figures of which less is better."""

TOLERANCE = 5
"""A figure that grew by more than so many thousandths makes the comparison fail."""

Figures = dict[str, dict[str, Any]]
"""By ``model core optimize flag``: ``macs``, those of ``JUDGED``, and ``layers`` by name."""


def figures_of(measured: Iterable[Measured]) -> Figures:
    """What is kept of measurements."""
    found: Figures = {}
    for one in measured:
        key = f"{Path(one.model).stem} {one.target} {one.optimize} {one.optimization}"
        numbers = {name: round(getattr(one, name)) for name in ("macs", *JUDGED)}
        found[key] = {**numbers, "layers": {name: asdict(layer) for name, layer in one.layers.items()}}
    return found


def load_figures(path: Path = KEPT) -> tuple[dict[str, str], Figures]:
    """Versions of the tools, and the kept figures; nothing where there is no file."""
    if not path.is_file():
        return {}, {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["tools"], document["figures"]


def figures_text(tools: Mapping[str, str], figures: Figures) -> str:
    """JSON with a line for each figure, so that a change shows as one."""
    parts = []
    for key, entry in sorted(figures.items()):
        lines = [f"   {json.dumps(name)}: {json.dumps(value)}" for name, value in entry.items() if name != "layers"]
        layers = [f"    {json.dumps(name)}: {json.dumps(layer)}" for name, layer in entry["layers"].items()]
        lines.append('   "layers": {\n' + ",\n".join(layers) + "\n   }")
        parts.append(f"  {json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n  }")
    versions = ",\n".join(f"  {json.dumps(name)}: {json.dumps(version)}" for name, version in sorted(tools.items()))
    return f'{{\n "tools": {{\n{versions}\n }},\n "figures": {{\n' + ",\n".join(parts) + "\n }\n}\n"


def changes(old: Figures, new: Figures) -> tuple[list[str], bool]:
    """What changed, and whether something got worse.

    Args:
        old: The kept figures.
        new: Those of now; what was not measured is not compared.

    Returns:
        Lines of text: the old figure, the new one, the change in per cent. Layers are shown below a changed number of
        instructions, and are not judged themselves.
    """
    lines, worse = [], False
    for key, entry in sorted(new.items()):
        if key not in old:
            lines.append(f"{key}: new")
            continue
        found = []
        for name in JUDGED:
            before, now = old[key][name], entry[name]
            if now != before:
                grew = 1000 * (now - before) > TOLERANCE * before
                worse |= grew
                mark = "  worse" if grew else ""
                found.append(f"  {name:<32}{before:>14,}{now:>14,}{_per_cent(before, now):>10}{mark}")
                if name == "instructions":
                    found += _layer_changes(old[key]["layers"], entry["layers"])
        if found:
            lines += [key, *found]
    return lines, worse


def _layer_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found = []
    for name, layer in new.items():
        before, now = old.get(name, {}), layer["instructions"]
        if before and 1000 * abs(now - before["instructions"]) > TOLERANCE * before["instructions"]:
            kernels = "" if before["kernel"] == layer["kernel"] else f"  {before['kernel']} -> {layer['kernel']}"
            per_cent = _per_cent(before["instructions"], now)
            found.append(f"    {name:<30}{before['instructions']:>14,}{now:>14,}{per_cent:>10}{kernels}")
    return found


def _per_cent(before: float, now: float) -> str:
    return f"{(now / before - 1) * 100:+.1f} %" if before else "new"


def reference(model: str, target: str, name: str = "cmsis_nn") -> Mapping[str, int]:
    """What TFLite Micro takes: ``instructions``, and where they are known ``arena`` and ``code``.

    Args:
        model: Name of the file.
        target: The core.
        name: A table of the file: ``cmsis_nn`` or ``reference``.
    """
    tables = tomllib.loads(REFERENCE.read_text(encoding="utf-8"))
    found: Mapping[str, int] = tables[name].get(Path(model).stem, {}).get(target, {})
    return found


def markdown(measured: Sequence[Measured]) -> str:
    """A table for a README."""
    lines = [
        "| model | core | for | instructions | per MAC | TFLite Micro with CMSIS-NN | times fewer | arena | stack "
        "| code and tables | weights |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in measured:
        theirs = reference(one.model, one.target).get("instructions")
        cells = [
            Path(one.model).stem,
            one.target,
            f"{one.optimize}, {one.optimization}",
            f"{one.instructions:,.0f}",
            f"{one.per_mac:.3f}",
            f"{theirs:,}" if theirs else "",
            f"{theirs / one.instructions:.2f}" if theirs else "",
            *(f"{size:,} B" for size in (one.arena, one.stack, one.code + one.tables, one.weights)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
