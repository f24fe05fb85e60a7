"""The packages that a machine needs, fetched here: it needs neither internet nor pip.

``pip download`` resolves for another platform, but reads markers such as ``python_version < '3.11'`` as of the Python
that it runs on. So what edgecnn itself asks for is listed here for the machine (``requirements``), and pip resolves
only what those packages need, which no such marker changes.
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
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edgecnn.child_process import said_lines
from edgecnn.errors import EdgecnnError
from edgecnn.files import readable_os_errors, sha256_bytes, sha256_file, write_json
from edgecnn.remote.facts import Facts

_INDEX = "wheels.json"
_PIP_TIMEOUT_S = 900
_BASE = ("click>=8.1", "pydantic>=2.6", "rich>=13.7")
_GLIBC_FIRST = 17    # manylinux_2_17, which is manylinux2014, the oldest that anything here is built for


@dataclass(frozen=True)
class Group:
    """Requirements that pip resolves together.

    Attributes:
        names: As for pip.
        dependencies: Whether what they need comes, too.
    """

    names: tuple[str, ...]
    dependencies: bool = True


class _Cached(BaseModel):
    """What was resolved: file name to sha256."""

    model_config = ConfigDict(extra="forbid")

    wheels: dict[str, str]


def requirements(facts: Facts) -> tuple[Group, ...]:
    """The base install of edgecnn on a machine; a test holds it against ``pyproject.toml``.

    On 32-bit Arm NumPy is the system's: there is no wheel of it. tflite-runtime asks for NumPy and nothing else.
    """
    older = ("tomli>=2",) if facts.python_minor < (3, 11) else ()
    if facts.architecture == "armv7l":
        return Group((*_BASE, *older)), Group(("tflite-runtime>=2.14",), dependencies=False)
    return (Group((*_BASE, *older, "numpy>=1.26", "ai-edge-litert>=1.4")),)


def held_versions(facts: Facts) -> tuple[str, ...]:
    """The versions that this machine runs with, for pip's constraints: what was measured here is what answers there.

    Where Pythons differ only the interpreter is held: of other packages the same version may not exist.
    """
    names = ["ai-edge-litert"] if facts.architecture != "armv7l" else ["tflite-runtime"]
    if ".".join(platform.python_version_tuple()[:2]) == ".".join(map(str, facts.python_minor)):
        names += ["click", "pydantic", "pydantic-core", "rich"]
        if facts.architecture != "armv7l":
            names.append("numpy")
    held = []
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            held.append(f"{name}=={importlib.metadata.version(name)}")
    return tuple(held)


def platforms(facts: Facts) -> list[str]:
    """The platform tags of wheels that run on a machine (PEP 600), the newest first."""
    match = re.match(r"2\.(\d+)", facts.glibc)
    newest = int(match[1]) if match else _GLIBC_FIRST
    tags = [f"manylinux_2_{minor}_{facts.architecture}" for minor in range(newest, _GLIBC_FIRST - 1, -1)]
    return [*tags, f"manylinux2014_{facts.architecture}"]


def cache_folder() -> Path:
    """Where wheels are kept: ``edgecnn/wheels`` in the user's cache (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path("~/.cache").expanduser()) / "edgecnn" / "wheels"


def wheels_for(facts: Facts, say: Callable[[str], None]) -> list[Path]:
    """The wheels for a machine: from the cache, or fetched.

    Args:
        facts: Of the machine.
        say: Told that a download begins.

    Raises:
        EdgecnnError: There is no pip here, no network, or no wheel for that machine.
    """
    groups, held = requirements(facts), held_versions(facts)
    asked = "\n".join([*map(str, groups), *held, *platforms(facts)])
    python = ".".join(map(str, facts.python_minor))
    folder = cache_folder() / f"{facts.architecture}-python{python}-{sha256_bytes(asked.encode())[:12]}"
    if (cached := _from_cache(folder)) is not None:
        return cached
    say(f"Fetching packages for {facts.architecture}, Python {python}: once, they are kept in {cache_folder()}")
    with readable_os_errors(folder, "write"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as temporary:
            new = Path(temporary) / "wheels"
            new.mkdir()
            _fetch(groups, held, facts, new)
            found = {path.name: sha256_file(path) for path in sorted(new.glob("*.whl"))}
            write_json(new / _INDEX, _Cached(wheels=found).model_dump())
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)    # damaged, since it was not taken
            with contextlib.suppress(FileExistsError):    # another edgecnn was faster
                new.rename(folder)
    return [folder / name for name in sorted(found)]


def _from_cache(folder: Path) -> list[Path] | None:
    """The wheels of a folder that is whole, or None."""
    try:
        index = _Cached.model_validate_json((folder / _INDEX).read_bytes())
        whole = all(sha256_file(folder / name) == sha for name, sha in index.wheels.items())
    except (OSError, ValidationError):
        return None
    return [folder / name for name in sorted(index.wheels)] if whole else None


def _fetch(groups: Sequence[Group], held: Sequence[str], facts: Facts, folder: Path) -> None:
    pip = _pip()
    for group in groups:
        errors = _download(pip, group, held, facts, folder)
        if errors and held and not _no_network(errors):    # a version that is tested here may not exist there
            errors = _download(pip, group, (), facts, folder)
        if errors:
            raise EdgecnnError(_explain(errors, facts))


def _download(pip: list[str], group: Group, held: Sequence[str], facts: Facts, folder: Path) -> list[str]:
    """Run pip; the lines of its errors, none where it succeeded."""
    python = "".join(map(str, facts.python_minor))
    command = [*pip, "download", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", ".".join(map(str, facts.python_minor))]
    command += [part for abi in (f"cp{python}", "abi3", "none") for part in ("--abi", abi)]
    command += [part for tag in platforms(facts) for part in ("--platform", tag)]
    command += [] if group.dependencies else ["--no-deps"]
    with _constraints(held) as constraints:
        command += ["--constraint", str(constraints), "--dest", str(folder), *group.names]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PIP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return [f"pip took more than {_PIP_TIMEOUT_S} s"]
    if done.returncode == 0:
        return []
    return [line for line in said_lines(done.stderr) if line.startswith("ERROR")] or said_lines(done.stderr) or ["?"]


@contextlib.contextmanager
def _constraints(held: Sequence[str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("".join(f"{line}\n" for line in held), encoding="utf-8")
        yield path


def _pip() -> list[str]:
    """A pip: that of this Python, or another one of this machine, since it resolves for another machine anyway.

    Raises:
        EdgecnnError: There is none.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if (path := shutil.which(name)) is not None:
            return [path]
    raise EdgecnnError(
        f"fetching packages for another machine needs pip, and {sys.executable} has none. Get it with: "
        f"{sys.executable} -m ensurepip, or with uv: uv pip install pip"
    )


def _no_network(errors: Sequence[str]) -> bool:
    text = " ".join(errors).lower()
    return any(sign in text for sign in ("connection", "timed out", "name resolution", "proxy", "ssl"))


def _explain(errors: Sequence[str], facts: Facts) -> str:
    machine = f"{facts.architecture}, Python {facts.python}, glibc {facts.glibc}"
    if _no_network(errors):
        return (
            f"the packages for {machine} cannot be fetched: no connection to the package index from here. Connect "
            f"once, or copy {cache_folder()} from a machine that has them."
        )
    missing = re.search(r"No matching distribution found for ([A-Za-z0-9_.-]+)", " ".join(errors))
    if missing:
        return f"there is no wheel of {missing[1]} for {machine}. Upgrade that system, or this edgecnn."
    # Without addresses: an index of one's own may have a password in it.
    said = re.sub(r"\S+://\S+", "the index", errors[-1].removeprefix("ERROR: "))
    return f"pip could not fetch the packages for {machine}: {said[:300]}"
