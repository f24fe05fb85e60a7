"""What a machine must be: judged from facts, those of this machine gathered for real."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from typing import Any

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.remote.connection import BOOTSTRAP, MARK
from edgecnn.remote.facts import PROGRAM, ROOT, Facts, judge, require

PI = Facts(
    kernel_architecture="aarch64", multiarch="aarch64-linux-gnu", bits=64, python="3.11.2", implementation="CPython",
    executable="/usr/bin/python3", glibc="2.36", system="Debian GNU/Linux 12 (bookworm)", kernel="6.6", cores=4,
    model="Raspberry Pi 4 Model B Rev 1.4", cpu="Cortex-A72", memory_bytes=4 * 10**9, available_bytes=3 * 10**9,
    disk_free_bytes=20 * 10**9, inodes_free=10**6, writable=True, numpy="", systemd=True, sudo=True, user="pi",
    time=1e9,
)    # fmt: skip
PI_32 = {"multiarch": "arm-linux-gnueabihf", "bits": 32, "numpy": "1.24.2"}


def pi(**changes: Any) -> Facts:
    return PI.model_copy(update=changes)


def verdicts(facts: Facts) -> dict[str, str]:
    return {fact.name: fact.verdict for fact in judge(facts, now=1e9) if fact.verdict != "ok"}


def test_this_machine_tells_what_it_is() -> None:
    request = {"source": PROGRAM.read_text(encoding="utf-8"), "name": "facts", "parameters": {"root": ROOT}}
    # The very text that an ssh server hands to a shell, in a shell.
    done = subprocess.run(
        ["sh", "-c", BOOTSTRAP.replace("exec python3", f"exec '{sys.executable}'")],
        input=json.dumps(request).encode() + b"\n", capture_output=True, timeout=60,
    )    # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = Facts.model_validate(json.loads(done.stdout.decode().removeprefix(MARK))["answer"])
    assert facts.python == platform.python_version()
    assert facts.kernel_architecture == platform.machine()
    assert facts.disk_free_bytes > 0
    assert abs(facts.time - time.time()) < 60
    assert len(judge(facts)) == 11


@pytest.mark.parametrize(
    ("changes", "architecture"),
    [
        ({}, "aarch64"),
        (PI_32, "armv7l"),    # Raspberry Pi OS of 32 bits on a 64-bit kernel
        (PI_32 | {"kernel_architecture": "armv6l"}, "armv6l"),
        ({"multiarch": "", "bits": 32}, "armv7l"),
        ({"multiarch": "", "kernel_architecture": "x86_64"}, "x86_64"),
        ({"multiarch": "i386-linux-gnu", "bits": 32, "kernel_architecture": "x86_64"}, "i686"),
    ],
)
def test_the_architecture_is_that_of_programs(changes: dict[str, Any], architecture: str) -> None:
    assert pi(**changes).architecture == architecture


def test_a_pi_is_fine() -> None:
    assert verdicts(PI) == {}
    assert verdicts(pi(**PI_32)) == {}
    require(PI, "pi@host")


@pytest.mark.parametrize(
    ("changes", "name", "advice"),
    [
        ({"python": "3.9.2"}, "Python", "CPython 3.10 to 3.13"),
        ({"python": "3.15.0"}, "Python", "CPython 3.10 to 3.13"),
        ({"implementation": "PyPy"}, "Python", "CPython"),
        (PI_32 | {"python": "3.13.5"}, "Python", "tflite-runtime ends"),
        (PI_32 | {"numpy": ""}, "NumPy", "sudo apt install python3-numpy"),
        (PI_32 | {"numpy": "2.2.4"}, "NumPy", "NumPy 1"),
        (PI_32 | {"glibc": "2.31"}, "glibc", "2.34 or newer"),
        ({"glibc": ""}, "glibc", "Raspberry Pi OS"),
        (PI_32 | {"kernel_architecture": "armv6l"}, "architecture", "--to c"),
        ({"writable": False}, "disk", "writable"),
        ({"inodes_free": 3}, "disk", "inodes"),
    ],
)
def test_what_is_refused_and_what_to_do(changes: dict[str, Any], name: str, advice: str) -> None:
    assert verdicts(pi(**changes))[name] == "refused"
    with pytest.raises(EdgecnnError) as refusal:
        require(pi(**changes), "pi@host")
    assert advice in str(refusal.value)
    assert "Nothing was copied" in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"available_bytes": 50_000_000}, "memory"),
        ({"disk_free_bytes": 10_000_000}, "disk"),
        ({"systemd": False}, "service"),
        ({"sudo": False}, "service"),
        ({"time": 1e9 - 3600}, "clock"),
    ],
)
def test_what_works_with_a_warning(changes: dict[str, Any], name: str) -> None:
    assert verdicts(pi(**changes)) == {name: "warning"}
    require(pi(**changes), "pi@host")
