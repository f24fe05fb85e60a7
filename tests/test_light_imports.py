"""What a base install has is enough to start: nothing heavy is imported before a command needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "PIL",
    "ai_edge_litert",
    "asyncssh",
    "jinja2",
    "keras",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "optuna",
    "sklearn",
    "sqlalchemy",
    "tensorboard",
    "tensorflow",
    "tf2onnx",
    "tflite_micro",
    "tflite_runtime",
)

# Refuses every heavy module as if it were not installed, and remembers who asked: an import that is tried and given up
# costs time too, and would hide behind its ImportError.
REFUSE = """
import importlib.abc, json, sys

class Refuse(importlib.abc.MetaPathFinder):
    asked = []

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in HEAVY:
            self.asked.append(name)
            raise ModuleNotFoundError(f"refused: {name}", name=name)

sys.meta_path.insert(0, Refuse())
"""

HELP = """
from edgecnn.cli import main

try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps({"code": code, "asked": Refuse.asked, "modules": sorted(sys.modules)}))
"""

ALL = """
import importlib

failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"asked": Refuse.asked, "failed": failed}))
"""


def fresh(program: str, *arguments: str, heavy: tuple[str, ...] = HEAVY) -> dict[str, object]:
    """Run a program in a fresh interpreter that has no heavy package; the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {set(heavy)}\n{REFUSE}\n{program}", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_the_refusal_works() -> None:
    said = fresh(ALL, "json.decoder", "keras.ops")
    assert said == {"asked": ["keras"], "failed": {"keras.ops": "ModuleNotFoundError: refused: keras"}}


def test_help_loads_nothing_heavy_and_no_numpy() -> None:
    said = fresh(HELP, "--help")
    assert said["code"] == 0
    assert said["asked"] == []
    loaded = {str(name).partition(".")[0] for name in said["modules"]}    # type: ignore[attr-defined]
    # These belong to the base, and are not needed to list the commands either.
    assert not loaded & {"numpy", "pydantic", "rich"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    said = fresh(HELP, command, "--help")
    assert said["code"] == 0
    assert said["asked"] == []
    # Nor what the command does: it is imported once the command runs.
    loaded = [str(name) for name in said["modules"]]    # type: ignore[attr-defined]
    assert not [name for name in loaded if name.startswith(("edgecnn.training", "edgecnn.tune", "firmware_export.ops"))]


def test_every_module_imports_without_anything_heavy() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in ("edgecnn", "firmware_export")
        for path in sorted((ROOT / package).rglob("*.py"))
        # edgecnn.layers imports Keras, as its name says.
        if path.name != "__main__.py" and path.parent != ROOT / "edgecnn" / "layers"
    ]
    assert len(names) > 30
    assert fresh(ALL, *names) == {"asked": [], "failed": {}}
