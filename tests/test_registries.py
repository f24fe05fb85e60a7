"""Tables against files, both ways: what is in a table exists, and what exists is in its table."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from edgecnn.cli import COMMANDS
from edgecnn.data import DATASETS
from edgecnn.mcu.targets import target_names
from edgecnn.requirements import FEATURES
from edgecnn.runtimes import RUNTIMES
from edgecnn.zoo import models_folder, zoo
from firmware_export.ops import OPS
from firmware_export.passes import PASSES, PREPARATIONS
from firmware_export.schema import BUILTIN_OPERATORS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
KERNELS = sorted((ROOT / "firmware_export" / "kernels").rglob("*.h"))
MODELS = sorted(path for path in (ROOT / "models").iterdir() if path.is_dir() and path.name != "__pycache__")


def public_modules(folder: str, function: str) -> set[str]:
    """Dotted names of the modules in a folder of the package that define a function and do not begin with ``_``."""
    found = set()
    for path in (ROOT / folder).glob("[!_]*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if any(isinstance(node, ast.FunctionDef) and node.name == function for node in body):
            found.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


def extras() -> dict[str, list[str]]:
    """The extras of ``pyproject.toml`` with their requirements, extras in extras resolved."""
    table: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]

    def requirements(name: str) -> Iterator[str]:
        for line in table[name]:
            inner = re.fullmatch(r"edgecnn\[([\w,]+)\]", line)
            if inner:
                for part in inner[1].split(","):
                    yield from requirements(part)
            else:
                yield re.split(r"[^\w.-]", line)[0]

    return {name: list(requirements(name)) for name in table}


def command_of(name: str) -> click.Command:
    command: click.Command = importlib.import_module(f"edgecnn.cli.{name}").command
    return command


# --- Commands --------------------------------------------------------------------------------------------------------


def test_commands_are_the_files() -> None:
    assert set(COMMANDS) == {path.stem for path in (ROOT / "edgecnn" / "cli").glob("[!_]*.py")}


@pytest.mark.parametrize("name", COMMANDS)
def test_command_explains_itself(name: str) -> None:
    command = command_of(name)
    text = command.help or ""
    assert re.search(rf"\x08\n *Examples?:\n( .*\n)*? *edgecnn {name}\b", text), f"no example block in:\n{text}"
    # click indents by two and folds at 78, which would break a command in two.
    assert all(len(line.strip()) <= 74 for line in text.splitlines() if line.strip().startswith("edgecnn "))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns(name: str) -> None:
    text = command_of(name).get_help(click.Context(command_of(name), info_name=f"edgecnn {name}", terminal_width=80))
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_targets_in_the_help_are_those_there_are() -> None:
    said = re.search(r"Targets: .*?; all\.", " ".join((command_of("verify").help or "").split()))
    assert said
    named = {word for word in re.findall(r"[a-z][\w-]+", said[0]) if re.search(r"cortex-|riscv|host|native", word)}
    assert named == set(target_names())


@pytest.mark.parametrize("name", COMMANDS)
def test_command_takes_the_common_options(name: str) -> None:
    options = {option for parameter in command_of(name).params for option in parameter.opts}
    assert {"--json", "--quiet", "--debug"} <= options


# --- Data sets and runtimes ------------------------------------------------------------------------------------------


def test_data_sets_are_the_files() -> None:
    assert set(DATASETS.values()) == public_modules("edgecnn/data", "open_set")


@pytest.mark.parametrize("name", DATASETS)
def test_data_set_describes_itself(name: str) -> None:
    module: Any = importlib.import_module(DATASETS[name])
    assert module.INFO.name == name
    assert module.INFO.title
    assert module.INFO.licence
    assert module.INFO.get, "says no way to get it"
    assert callable(module.locate)


def test_runtimes_are_the_files() -> None:
    assert {spec.module for spec in RUNTIMES.values()} == public_modules("edgecnn/runtimes", "load")


@pytest.mark.parametrize("name", RUNTIMES)
def test_runtime_names_an_extra_that_brings_its_package(name: str) -> None:
    spec = RUNTIMES[name]
    assert spec.takes in {".tflite", ".onnx", ".keras"}
    if spec.extra:
        assert spec.package.replace("_", "-") in extras()[spec.extra]


# --- Models ----------------------------------------------------------------------------------------------------------


def test_zoo_is_the_folders() -> None:
    assert models_folder() == ROOT / "models"
    assert [model.path for model in zoo()] == MODELS


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_model_folder_is_complete(folder: Path) -> None:
    assert {"model.py", "recipe.toml", "README.md"} <= {path.name for path in folder.iterdir()}
    (model,) = (model for model in zoo() if model.path == folder)
    recipe = model.recipe()
    assert recipe.model.name == folder.name
    assert recipe.data.set in DATASETS
    assert model.card.startswith(f"# {folder.name}")


# --- The compiler ----------------------------------------------------------------------------------------------------


def ops_modules() -> list[str]:
    """Stems of the modules that define an operator; the others are what operators of a family share."""
    found = []
    for path in sorted((ROOT / "firmware_export" / "ops").glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "OP" for target in targets):
            found.append(path.stem)
    return found


def strings_of(*folders: str) -> set[str]:
    """Every string constant in the modules of some folders of the compiler, ends of f-strings among them."""
    paths = [path for folder in folders for path in (ROOT / "firmware_export").glob(f"{folder}*.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def kernel_names() -> set[str]:
    """What the compiler may call a kernel: ``conv_2d``, or the portable one's name with an end, ``mean_fours``."""
    strings = strings_of("ops/", "passes/", "emit/", "instruction_sets/*/", "")
    ends = [string for string in strings if re.fullmatch(r"_[a-z]+", string)]
    return strings | {f"{kernel.stem}{end}" for kernel in KERNELS if kernel.parent.name == "portable" for end in ends}


def test_operators_are_the_files() -> None:
    assert {name.lower() for name in OPS} == set(ops_modules())


@pytest.mark.parametrize("stem", ops_modules())
def test_operator_is_complete(stem: str) -> None:
    op = importlib.import_module(f"firmware_export.ops.{stem}").OP
    assert op.name == stem.upper()
    assert OPS[op.name] is op
    assert op.name in BUILTIN_OPERATORS
    assert (ROOT / "tests" / "firmware_export" / "ops" / f"test_{stem}.py").is_file()
    assert not (op.alias and op.lower), "an alias moves nothing, so there is nothing to lower it to"


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_kernel_is_guarded_and_used(kernel: Path) -> None:
    text = kernel.read_text(encoding="utf-8")
    guard = f"EDGECNN_{kernel.stem.upper()}_H"
    assert f"#ifndef {guard}\n#define {guard}\n" in text
    included = any(f'#include "{kernel.name}"' in other.read_text(encoding="utf-8") for other in KERNELS)
    assert included or kernel.stem in kernel_names()


def test_kernels_that_are_named_exist() -> None:
    named = set()
    for path in sorted((ROOT / "firmware_export").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "kernel" and isinstance(node.value, ast.Constant):
                named.add(node.value.value)
    named = {name for name in named if isinstance(name, str)}    # a window has a kernel too, of so many elements
    assert named
    assert named - {path.stem for path in KERNELS} == set()


def test_passes_are_the_files() -> None:
    run = {apply.__name__: apply for apply in (*PREPARATIONS, *PASSES)}
    modules = [path.stem for path in (ROOT / "firmware_export" / "passes").glob("[!_]*.py")]
    defined = {stem for stem in modules if hasattr(importlib.import_module(f"firmware_export.passes.{stem}"), stem)}
    assert set(run) == defined    # the other modules are what passes share
    for name, apply in run.items():
        assert apply.__module__ == f"firmware_export.passes.{name}"
        assert apply.__doc__


# --- Extras ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_doctor_names_an_extra_that_brings_the_packages(feature: Any) -> None:
    brought = extras()[feature.extra]
    for package in feature.packages:
        assert set(package.distributions) <= set(brought), f"{package} is not in [{feature.extra}]"


def test_messages_name_extras_that_exist() -> None:
    """``pip install 'edgecnn[...]'`` in an error must work."""
    used: dict[str, str] = {}
    for path in [*(ROOT / "edgecnn").rglob("*.py"), *(ROOT / "firmware_export").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingDependencyError":
                constants = [getattr(argument, "value", None) for argument in node.args]
                if len(constants) > 1 and isinstance(constants[1], str):
                    used[f"{path.relative_to(ROOT)}:{node.lineno}"] = constants[1]
    assert used
    assert {where: extra for where, extra in used.items() if extra not in extras()} == {}
