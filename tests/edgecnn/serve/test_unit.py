"""The systemd unit: what systemd itself understands of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecnn.errors import UsageError
from edgecnn.serve.unit import command_line, unit_text

WORDS = [
    "serve", "a b", "q\"u'o;t", ";", "%n %% $HOME ${HOME} $$", "new\nline\ttab", "back\\slash\\", "é", "", "--http",
    "8080",
]    # fmt: skip
FOLDERS = ["plain", "sp ace;%n$HOME é:z", "a b\"c'd;e%n$x\\y é:z"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-unit-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def program_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    program = folder / "run it"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    return program


def unescaped(text: str) -> list[str]:
    """The words of a command line as systemd prints it: quoted where needed, with C's escapes."""
    words = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text):
        words.append(bare or re.sub(r"\\(.)", lambda sign: {"n": "\n", "t": "\t"}.get(sign[1], sign[1]), quoted))
    return words


@pytest.mark.parametrize("name", FOLDERS)
def test_systemd_verifies_it(place: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt install systemd)")
    program = program_in(place / name)
    for number, options in enumerate(({}, {"user": "pi", "camera": True, "writable": [str(place / name / "in box")]})):
        unit = place / f"edgecnn-{number}.service"
        text = unit_text("50 % of\nit \\", [str(program), *WORDS], folder=str(place / name), **options)    # type: ignore[arg-type]
        unit.write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, encoding="utf-8", timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert unit.name not in done.stderr, done.stderr    # nor a remark on a line of it


@pytest.mark.parametrize("name", FOLDERS)
def test_systemd_reads_the_very_words(place: Path, name: str) -> None:
    """As its own dump of what it would start shows; a dollar stays doubled there, until the program is started."""
    systemd = next((path for path in ("/lib/systemd/systemd", "/usr/lib/systemd/systemd") if Path(path).exists()), None)
    if systemd is None or os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs systemd, setpriv and root, who gives up being root")
    program = program_in(place / name)
    home, units = place / "home", place / "units"
    home.mkdir()
    units.mkdir()
    os.chown(home, 65534, 65534)
    writable = str(place / name / "in box")
    text = unit_text("x", [str(program), *WORDS], folder=str(place / name), writable=[writable],
                     environment={"NOTE": "v % $ \" '\\"})    # fmt: skip
    (units / "edgecnn-x.service").write_text(text, encoding="utf-8")
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", systemd, "--test", "--user"]
    done = subprocess.run(
        [*command, "--unit=edgecnn-x.service"], cwd="/", capture_output=True, encoding="utf-8", timeout=120,
        env={**os.environ, "XDG_RUNTIME_DIR": str(home), "HOME": str(home), "SYSTEMD_UNIT_PATH": f"{units}:",
             "LC_ALL": "C.UTF-8"},
    )    # fmt: skip
    if "edgecnn-x.service" not in done.stdout:
        pytest.skip(f"systemd --test does not run here: {done.stderr.strip()[-200:]}")
    ours = done.stdout.partition("Unit edgecnn-x.service:")[2].partition("-> Unit ")[0]
    found = unescaped(re.search(r"Command Line: (.*)", ours)[1])    # type: ignore[index]
    words = [str(program), *WORDS]
    if '"' in str(program):    # systemd starts no program of such a name; env does
        assert found.pop(0) == "/usr/bin/env"
        assert found == [word.replace("$", "$$") for word in words]
    else:
        assert found == [words[0], *(word.replace("$", "$$") for word in words[1:])]
    folder = str(place / name)
    assert f"BindReadOnlyPaths: {folder}:{folder}:rbind\n" in ours
    assert f"BindPaths: {writable}:{writable}:rbind\n" in ours
    assert f"ReadWritePaths: {writable}\n" in ours
    assert "Environment: NOTE=v % $ \" '\\\n" in ours


def test_who_it_runs_as_and_what_it_may() -> None:
    own = unit_text("x", ["/bin/true"], folder="/opt/x")
    assert "DynamicUser=yes\n" in own and "User=" not in own.replace("DynamicUser=", "")
    assert "PrivateDevices=yes\n" in own
    named = unit_text("x", ["/bin/true"], folder="/opt/x", user="pi", camera=True, memory_mb=300)
    assert "User=pi\n" in named and "SupplementaryGroups=video\n" in named and "MemoryMax=300M\n" in named
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "Restart=on-failure", "Type=notify"):
        assert f"{line}\n" in own and f"{line}\n" in named


def test_what_no_unit_can_hold() -> None:
    with pytest.raises(UsageError, match="absolute"):
        command_line(["edgecnn", "serve"])
    with pytest.raises(UsageError, match="absolute"):
        unit_text("x", ["/bin/true"], folder="here")
    with pytest.raises(UsageError, match="control characters"):
        unit_text("x", ["/bin/true"], folder="/a\nExecStart=/bin/sh")
    with pytest.raises(UsageError, match="user"):
        unit_text("x", ["/bin/true"], folder="/a", user="pi\nExecStartPre=/bin/sh")
    with pytest.raises(UsageError, match="="):
        command_line(['/a="b"/run'])
    assert unit_text("a\n[Service]\nExecStart=/bin/sh", ["/bin/true"], folder="/a").count("\nExecStart=") == 1
