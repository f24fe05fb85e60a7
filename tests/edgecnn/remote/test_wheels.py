"""The packages of a machine: what is asked for, what is kept, and (slow) what the index has."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.remote import wheels
from edgecnn.remote.wheels import cache_folder, held_versions, platforms, requirements, wheels_for
from tests.edgecnn.remote.test_facts import PI_32, pi

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("architecture", ["aarch64", "armv7l"])
@pytest.mark.parametrize("python", ["3.10.1", "3.11.2"])
def test_what_is_asked_for_is_the_base_install(root: Path, architecture: str, python: str) -> None:
    from packaging.requirements import Requirement

    facts = pi(python=python, **(PI_32 if architecture == "armv7l" else {}))
    asked = {name for group in requirements(facts) for name in group.names}
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    machine = {"platform_machine": architecture, "python_version": python[:4], "sys_platform": "linux"}
    wanted = set()
    for line in tomllib.loads(text)["project"]["dependencies"]:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(machine):
            wanted.add(f"{requirement.name}{requirement.specifier}")
    if architecture == "armv7l":    # NumPy is the system's there
        wanted = {line for line in wanted if not line.startswith("numpy")}
    assert asked == wanted


def test_tags_are_those_of_the_c_library() -> None:
    assert platforms(pi(glibc="2.19")) == [
        "manylinux_2_19_aarch64", "manylinux_2_18_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64",
    ]    # fmt: skip
    assert platforms(pi(**PI_32))[0] == "manylinux_2_36_armv7l"


def test_the_interpreter_is_held_to_the_version_here() -> None:
    import importlib.metadata

    assert f"ai-edge-litert=={importlib.metadata.version('ai-edge-litert')}" in held_versions(pi(python="3.12.1"))
    assert not [line for line in held_versions(pi(python="3.8.1")) if line.startswith("numpy")]


@pytest.mark.slow    # for pip, which takes seconds to start
class TestWithoutAnIndex:
    @pytest.fixture(autouse=True)
    def nothing_around(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """pip finds nothing but the folder ``links``, and the cache is empty."""
        for name in list(os.environ):
            if name.startswith("PIP_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        (tmp_path / "links").mkdir()
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def test_a_wheel_that_does_not_exist(self) -> None:
        with pytest.raises(EdgecnnError, match=r"there is no wheel of \S+ for aarch64, Python 3\.11\.2, glibc 2\.36"):
            wheels_for(pi(), print)
        assert not any(cache_folder().iterdir())    # nothing half is left

    def test_what_was_fetched_is_not_fetched_again(self, tmp_path: Path) -> None:
        from tests.edgecnn.remote.test_on_device import archive

        def put(name: str, version: str, tag: str = "py3-none-any") -> None:
            folder = f"{name.replace('-', '_')}-{version}"
            data = archive({
                f"{folder}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                f"{folder}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
                f"{folder}.dist-info/RECORD": "",
            })    # fmt: skip
            (tmp_path / "links" / f"{folder}-{tag}.whl").write_bytes(data)

        for name in ("click", "pydantic", "rich", "numpy"):
            put(name, "99.0")
        put("ai-edge-litert", "99.0", "cp311-cp311-manylinux_2_27_aarch64")
        put("ai-edge-litert", "99.1", "cp311-cp311-manylinux_2_37_aarch64")    # for a newer C library
        put("ai-edge-litert", "99.2", "cp311-cp311-manylinux_2_27_x86_64")
        said: list[str] = []
        found = wheels_for(pi(), said.append)
        assert {path.name.split("-")[0] for path in found} == {"ai_edge_litert", "click", "numpy", "pydantic", "rich"}
        assert {path.name.split("-")[1] for path in found} == {"99.0"}    # what is tested here was not to be had
        assert len(said) == 1
        for path in (tmp_path / "links").iterdir():
            path.unlink()
        assert wheels_for(pi(), said.append) == found    # no network needed
        assert len(said) == 1
        found[0].write_bytes(b"damaged")
        with pytest.raises(EdgecnnError, match="there is no wheel"):
            wheels_for(pi(), said.append)

    def test_no_pip_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wheels.importlib.util, "find_spec", {}.get)
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(EdgecnnError, match="needs pip"):
            wheels_for(pi(), print)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "runtime", "numpy"),
    [
        ({}, "ai_edge_litert", True),
        ({"python": "3.13.5", "glibc": "2.41"}, "ai_edge_litert", True),
        (PI_32, "tflite_runtime", False),
        ({"kernel_architecture": "x86_64", "multiarch": "x86_64-linux-gnu"}, "ai_edge_litert", True),
    ],
)
def test_the_index_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], runtime: str, numpy: bool
) -> None:
    facts = pi(**changes)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        found = wheels_for(facts, print)
    except EdgecnnError as error:
        if "no connection" in str(error) or "needs pip" in str(error):
            pytest.skip(str(error))
        raise
    names = {path.name.split("-")[0].lower() for path in found}
    assert {runtime, "click", "pydantic", "pydantic_core", "rich"} <= names
    assert ("numpy" in names) == numpy
    for path in found:
        tags = re.sub(r"\.whl$", "", path.name).rsplit("-", 1)[1].split(".")
        assert "any" in tags or set(tags) & set(platforms(facts))
