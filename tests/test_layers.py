"""Imports point down, and there are no circles: read from the source, imports inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edgecnn", "firmware_export")

# From the top to the bottom. A module may import from its own layer and from those below it, never from one above.
# ``name.*`` is a package and all that is in it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("edgecnn.__main__",),
    ("edgecnn.cli.*",),
    ("edgecnn.crossval",),
    ("edgecnn.deploy", "edgecnn.fleet"),
    ("edgecnn.pipeline", "edgecnn.plain_files", "edgecnn.quantize_run", "edgecnn.untrained", "edgecnn.tune.*"),
    ("edgecnn.comparing",),
    ("edgecnn.display",),
    (
        "edgecnn.bench.*",
        "edgecnn.doctor",
        "edgecnn.evaluate",
        "edgecnn.export.*",
        "edgecnn.quantization.*",
        "edgecnn.remote.*",
        "edgecnn.report.*",
        "edgecnn.serve.*",
        "edgecnn.summary",
        "edgecnn.training.*",
        "edgecnn.verify",
    ),
    (
        "edgecnn.artefacts",
        "edgecnn.data.*",
        "edgecnn.evaluation_data",
        "edgecnn.kernel_choice",
        "edgecnn.mcu.*",
        "edgecnn.predict",
        "edgecnn.runs",
        "edgecnn.runtimes.*",
        "edgecnn.settle",
        "edgecnn.tflite_file",
        "edgecnn.tflite_metadata",
        "edgecnn.zoo",
    ),
    ("edgecnn.contract", "edgecnn.memory_plan", "edgecnn.recipe", "edgecnn.results", "edgecnn.statistics"),
    ("edgecnn.architecture.*", "edgecnn.preprocess.*", "edgecnn.tasks"),
    ("edgecnn.keras_lowering", "edgecnn.keras_macs", "edgecnn.keras_quiet"),
    ("edgecnn.layers.*",),
    (
        "edgecnn.child_process",
        "edgecnn.errors",
        "edgecnn.files",
        "edgecnn.formats",
        "edgecnn.machine",
        "edgecnn.requirements",
    ),
    ("edgecnn",),    # its version
    ("firmware_export.__main__",),
    ("firmware_export.cli",),
    ("firmware_export.compiler",),
    (
        "firmware_export.bounds",
        "firmware_export.choice.*",
        "firmware_export.cuts",
        "firmware_export.emit.*",
        "firmware_export.lowering",
        "firmware_export.memory",
        "firmware_export.passes.*",
        "firmware_export.plan_check",
        "firmware_export.plan_execution",
        "firmware_export.schedule",
        "firmware_export.segments",
        "firmware_export.simulate",
        "firmware_export.stages",
        "firmware_export.tflite",
    ),
    ("firmware_export.instruction_sets.*",),
    ("firmware_export.ops.*",),
    ("firmware_export.dataflow", "firmware_export.order", "firmware_export.plan"),
    ("firmware_export.layer",),
    (
        "firmware_export.c_names",
        "firmware_export.fixedpoint",
        "firmware_export.flatbuffer",
        "firmware_export.graph",
        "firmware_export.schema",
    ),
    ("firmware_export.errors",),
    ("firmware_export",),
)


def modules_of(root: Path, packages: Sequence[str] = PACKAGES) -> dict[str, Path]:
    """Dotted name to file of every module below ``root``."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[tuple[str, int]]:
    """Modules of ours that a module imports anywhere in it, with the line.

    ``from edgecnn.data import base`` means the module ``edgecnn.data.base`` when there is one, and otherwise a name
    inside ``edgecnn.data``. That a package's ``__init__`` runs before its modules is not counted as an import.
    """
    parents = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            inside = [f"{module}.{alias.name}" for alias in node.names]
            targets = [target if target in modules else module for target in inside]
        else:
            continue
        for target in dict.fromkeys(targets):
            if target in modules and target != name:
                yield target, node.lineno


def layer_of(name: str, layers: Sequence[Sequence[str]]) -> int | None:
    """Index of the layer that a module is in: by its own name, or by ``package.*`` of a package around it."""
    parts = name.split(".")
    entries = {name, *(".".join(parts[:count]) + ".*" for count in range(1, len(parts) + 1))}
    return next((number for number, layer in enumerate(layers) if entries & set(layer)), None)


def faults(root: Path, layers: Sequence[Sequence[str]] = LAYERS, packages: Sequence[str] = PACKAGES) -> list[str]:
    """What is wrong with the imports below ``root``, one sentence each."""
    modules = modules_of(root, packages)
    found = []
    graph: dict[str, list[str]] = {}
    for name, path in modules.items():
        where = path.relative_to(root)
        if layer_of(name, layers) is None:
            found.append(f"{where}: {name} is in no layer. Add it to LAYERS in tests/test_layers.py, as low as fits.")
        graph[name] = []
        for target, line in imports_of(name, path, modules):
            graph[name].append(target)
            own, other = layer_of(name, layers), layer_of(target, layers)
            if own is not None and other is not None and other < own:
                found.append(f"{where}:{line}: {name} imports {target}, which stands above it in LAYERS.")
    found += [f"circle: {' -> '.join(circle)}" for circle in circles(graph)]
    for entry in (entry for layer in layers for entry in layer):
        if entry.removesuffix(".*") not in modules:
            found.append(f"LAYERS names {entry}, which does not exist.")
    return found


def circles(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One path around each circle that a depth-first walk meets."""
    found: list[list[str]] = []
    done: set[str] = set()
    trail: list[str] = []

    def walk(name: str) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
            return
        if name in done:
            return
        trail.append(name)
        for target in graph[name]:
            walk(target)
        trail.pop()
        done.add(name)

    for name in graph:
        walk(name)
    return found


def test_imports_point_down() -> None:
    assert not (wrong := faults(ROOT)), "\n" + "\n".join(wrong)


def test_every_module_is_in_one_layer() -> None:
    for name in modules_of(ROOT):
        layers = [layer for layer in LAYERS if layer_of(name, [layer]) is not None]
        assert len(layers) <= 1, f"{name} is in several layers: {layers}"


# The checker itself, on small trees with one fault each.

SMALL = (("pack.top",), ("pack.middle",), ("pack.low", "pack.lower", "pack"))


def tree(root: Path, **texts: str) -> Path:
    folder = root / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name in ("top", "middle", "low", "lower"):
        (folder / f"{name}.py").write_text(texts.get(name, ""))
    for name in texts.keys() - {"top", "middle", "low", "lower"}:
        (folder / f"{name}.py").write_text(texts[name])
    return root


def small_faults(root: Path) -> list[str]:
    return faults(root, SMALL, ("pack",))


def test_downward_and_sideways_imports_are_fine(tmp_path: Path) -> None:
    assert small_faults(tree(tmp_path, top="from pack import middle\nimport pack.low", low="from . import lower")) == []


def test_upward_import_in_a_function_is_found(tmp_path: Path) -> None:
    wrong = small_faults(tree(tmp_path, low="def f():\n    from pack.top import x\n"))
    assert wrong == ["pack/low.py:2: pack.low imports pack.top, which stands above it in LAYERS."]


def test_relative_upward_import_is_found(tmp_path: Path) -> None:
    assert small_faults(tree(tmp_path, middle="from .top import x")) == [
        "pack/middle.py:1: pack.middle imports pack.top, which stands above it in LAYERS."
    ]


def test_circle_inside_a_layer_is_found(tmp_path: Path) -> None:
    wrong = small_faults(tree(tmp_path, low="import pack.lower", lower="def f():\n    from pack import low\n"))
    assert wrong == ["circle: pack.low -> pack.lower -> pack.low"]


def test_new_module_must_be_given_a_layer(tmp_path: Path) -> None:
    (wrong,) = small_faults(tree(tmp_path, fresh=""))
    assert wrong.startswith("pack/fresh.py: pack.fresh is in no layer. Add it to LAYERS")


def test_vanished_module_must_leave_its_layer(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "pack" / "low.py").unlink()
    assert small_faults(root) == ["LAYERS names pack.low, which does not exist."]
