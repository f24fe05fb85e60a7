"""What a machine is: runs there, as a program of its own that needs nothing but Python.

It is sent as text (``connection.Connection.call``) and imports only the standard library; its syntax is that of
Python 3.7, so that an old Python can still say how old it is.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import time
from typing import Any

MARK = "EDGECNN "


def main(parameters: dict[str, Any]) -> None:
    """Print the facts as one line.

    Args:
        parameters: ``root``, the folder below which would be installed.
    """
    print(MARK + json.dumps({"answer": facts(parameters["root"])}), flush=True)


def facts(root: str) -> dict[str, Any]:
    """Everything that is checked before a deployment; see ``edgecnn.remote.facts.Facts`` for the fields."""
    place = os.path.expanduser(root)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    disk, inodes = shutil.disk_usage(place), os.statvfs(place)
    return {
        "kernel_architecture": platform.machine(),
        "multiarch": sysconfig.get_config_var("MULTIARCH") or "",
        "bits": struct.calcsize("P") * 8,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable or "",
        "glibc": _glibc(),
        "system": _system(),
        "kernel": platform.release(),
        "model": _text("/proc/device-tree/model").strip("\0 \n"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": _memory("MemTotal"),
        "available_bytes": _memory("MemAvailable"),
        "disk_free_bytes": disk.free,
        "inodes_free": inodes.f_favail if inodes.f_files else None,    # some file systems do not count them
        "writable": os.access(place, os.W_OK),
        "numpy": _numpy(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "sudo": _sudo(),
        "user": _user(),
        "time": time.time(),
    }


def _glibc() -> str:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):    # another C library, such as musl
        return ""
    return version if name == "glibc" else ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(65536)
    except OSError:
        return ""


def _system() -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text("/etc/os-release"), re.MULTILINE)
    return match.group(1) if match else platform.system()


def _cpu() -> str:
    text = _text("/proc/cpuinfo")
    for key in ("model name", "Model", "Hardware"):
        match = re.search(r"^{}\s*:\s*(.+)$".format(key), text, re.MULTILINE)
        if match:
            return match.group(1)
    part = re.search(r"^CPU part\s*:\s*(\w+)$", text, re.MULTILINE)
    names = {"0xb76": "ARM1176", "0xc07": "Cortex-A7", "0xd03": "Cortex-A53", "0xd08": "Cortex-A72",
             "0xd0b": "Cortex-A76"}    # fmt: skip
    return names.get(part.group(1), "part " + part.group(1)) if part else ""


def _memory(key: str) -> int | None:
    match = re.search(r"^{}:\s*(\d+) kB$".format(key), _text("/proc/meminfo"), re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _numpy() -> str:
    """The version that this Python finds, read from its file: importing costs seconds on a small board."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or not spec.origin:
        return ""
    text = _text(os.path.join(os.path.dirname(spec.origin), "version.py"))
    match = re.search(r"""(?:^|\W)version["']?\s*[=:]\s*["'](\d[^"']*)["']""", text)
    if match:
        return match.group(1)
    try:    # versions before 1.26 keep it elsewhere
        import numpy

        return str(numpy.__version__)
    except Exception:    # a NumPy that does not import is none, whatever the reason
        return ""


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _sudo() -> bool:
    """Whether this account may do what root may, without a password."""
    if os.getuid() == 0:
        return True
    sudo = shutil.which("sudo")
    if sudo is None:
        return False
    try:
        done = subprocess.run([sudo, "-n", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=10)    # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
