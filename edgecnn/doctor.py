"""What is installed, what is missing for what, and the command that gets it.

Nothing heavy is imported: versions come from the packages' metadata. ``deep`` imports each package in a process of its
own, since a package that was built against another NumPy may end the process that imports it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecnn import __version__
from edgecnn.child_process import python_command, said_lines, signal_name
from edgecnn.data import DATASETS, dataset_module
from edgecnn.files import is_there
from edgecnn.recipe import DataSection
from edgecnn.requirements import FEATURES, LITERT, TFLITE_RUNTIME, TOOLS, Feature, Package, Tool
from edgecnn.runs import runs_root
from edgecnn.runtimes.base import litert_source
from edgecnn.zoo import model_names, models_folder

Status = Literal["ok", "missing", "broken"]

_LOW_DISK = 500_000_000    # bytes; a run of fashion_mnist_cnn takes about 20 MB, its checkpoints included
_IMPORT_TIMEOUT = 180    # seconds; TensorFlow from a cold SD card takes a minute


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    Attributes:
        section: ``base``, ``packages``, ``tools``, ``data`` or ``folders``.
        name: What it is.
        status: ``ok``, ``missing`` (not there, or not enough of it) or ``broken`` (there, but cannot work).
        found: Versions, or how it was found; why it is broken.
        purpose: What it is for.
        get: The command that gets it; empty where there is nothing to do.
        path: Where it lies, for data sets, tools and folders.
    """

    section: str
    name: str
    status: Status
    found: str
    purpose: str
    get: str
    path: str = ""


def examine(deep: bool, advance: Callable[[str], None]) -> list[Check]:
    """Look for everything.

    Args:
        deep: Import each package that is installed, each in a process of its own (TensorFlow takes 5 to 20 s).
        advance: Called with the name of what is looked at next.
    """
    checks = _base(deep, advance) + _features(deep, advance)
    advance("tools")
    checks += [_tool(tool) for tool in TOOLS]
    advance("data sets")
    checks += [check for name in DATASETS if (check := _data_set(name)) is not None]
    return [*checks, _runs_folder()]


def base_works(checks: list[Check]) -> bool:
    """Whether a ``.tflite`` file can be run here at all."""
    return all(check.status == "ok" for check in checks if check.section == "base")


def machine() -> dict[str, str]:
    """Versions of edgecnn and Python, and what they run on."""
    return {
        "edgecnn": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "location": str(Path(__file__).resolve().parent),
    }


def _base(deep: bool, advance: Callable[[str], None]) -> list[Check]:
    numpy = importlib.metadata.version("numpy")
    models = model_names()
    return [
        Check("base", "NumPy", "ok", numpy, "arrays", ""),
        _tflite_runtime(numpy, deep, advance),
        Check(
            "base",
            "model zoo",
            "ok" if models else "broken",
            f"{len(models)} models" if models else f"no models in {models_folder()}",
            "models by name",
            "" if models else "install edgecnn again: this installation is incomplete",
        ),
    ]


def _tflite_runtime(numpy: str, deep: bool, advance: Callable[[str], None]) -> Check:
    purpose = "running .tflite files"

    def check(status: Status, found: str, get: str) -> Check:
        return Check("base", "TFLite runtime", status, found, purpose, get)

    package = next((package for package in (LITERT, TFLITE_RUNTIME) if _version(package)), None)
    if package is None:
        source = litert_source()
        here = f"Python {platform.python_version()} on {platform.machine()}"
        return check("missing", "" if source.startswith("pip ") else f"no wheel for {here}", source)
    found = f"{package.distributions[0]} {_version(package)}"
    # It was built against NumPy 1 and does not say so in its metadata.
    if package is TFLITE_RUNTIME and int(numpy.split(".")[0]) >= 2:
        return check("broken", f"{found} cannot work with NumPy {numpy}", "pip install 'numpy<2'")
    if deep:
        advance(package.module)
        if failure := _import_failure(package.module):
            return check("broken", f"{found}: {failure}", f"pip install --force-reinstall {package.distributions[0]}")
    return check("ok", found, "")


def _features(deep: bool, advance: Callable[[str], None]) -> list[Check]:
    failures: dict[str, str] = {}
    checks = []
    for feature in FEATURES:
        versions = {package: _version(package) for package in feature.packages}
        if deep:
            for package in (package for package, version in versions.items() if version):
                if package.module not in failures:
                    advance(package.module)
                    failures[package.module] = _import_failure(package.module)
        checks.append(_feature(feature, versions, failures))
    return checks


def _feature(feature: Feature, versions: dict[Package, str], failures: dict[str, str]) -> Check:
    get = f"pip install 'edgecnn[{feature.extra}]'"
    absent = [package.distributions[-1] for package, version in versions.items() if not version]
    if absent:
        return Check("packages", feature.name, "missing", f"without {', '.join(absent)}", feature.purpose, get)
    broken = [package for package in versions if failures.get(package.module)]
    if broken:
        found = "; ".join(f"{package.module}: {failures[package.module]}" for package in broken)
        get = f"pip install --force-reinstall {' '.join(package.distributions[0] for package in broken)}"
        return Check("packages", feature.name, "broken", found, feature.purpose, get)
    found = ", ".join(f"{package.distributions[-1]} {version}" for package, version in versions.items())
    return Check("packages", feature.name, "ok", found, feature.purpose, "")


def _version(package: Package) -> str:
    """The installed version, ``?`` for a module that came without metadata, empty when it is not there."""
    for name in package.distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return "?" if importlib.util.find_spec(package.module.partition(".")[0]) is not None else ""


def _import_failure(module: str) -> str:
    """Why ``import module`` fails in a fresh process; empty when it works."""
    try:
        done = subprocess.run(
            python_command(f"import {module}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_IMPORT_TIMEOUT,
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    except subprocess.TimeoutExpired:
        return f"import takes more than {_IMPORT_TIMEOUT} s"
    if done.returncode < 0:
        return f"import ends the process with {signal_name(-done.returncode)}"
    if done.returncode == 0:
        return ""
    return (said_lines(done.stderr) or [f"import fails with exit code {done.returncode}"])[-1]


def _tool(tool: Tool) -> Check:
    path = shutil.which(tool.name)
    if path is None:
        return Check("tools", tool.name, "missing", "", tool.purpose, _system_install(tool.package or tool.name))
    try:
        done = subprocess.run(
            [path, tool.version], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("tools", tool.name, "broken", str(error), tool.purpose, "", path)
    number = re.search(r"\d+(\.\d+)+", done.stdout)
    return Check("tools", tool.name, "ok", number[0] if number else path, tool.purpose, "", path)


def _system_install(package: str) -> str:
    if shutil.which("apt-get"):
        return f"sudo apt-get install {package}"
    return f"your system's package manager (on Debian: {package})"


def _data_set(name: str) -> Check | None:
    module = dataset_module(name)
    if module.INFO.counts is None:    # the user's own files, which may be anywhere
        return None
    place = module.locate(DataSection(set=name))
    if place is None:
        return Check("data", name, "missing", "", module.INFO.title, module.INFO.get[0])
    return Check("data", name, "ok", place.how, module.INFO.title, "", str(place.path))


def _runs_folder() -> Check:
    root = runs_root().absolute()
    place = root
    while not is_there(place):
        place = place.parent
    free = shutil.disk_usage(place).free
    status: Status = "ok"
    found, get = f"{free / 1e9:.1f} GB free", ""
    if not os.access(place, os.W_OK):
        status, found, get = "broken", f"{place} cannot be written to", "export EDGECNN_RUNS=FOLDER"
    elif free < _LOW_DISK:
        status, get = "missing", "export EDGECNN_RUNS=FOLDER (on a disk with more room)"
    return Check("folders", "runs", status, found, "what every command writes", get, str(root))
