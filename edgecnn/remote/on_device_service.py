"""A systemd service of a deployment: runs on the other machine, as a program of its own that needs nothing but Python.

Sent as text and with the syntax of Python 3.7, as ``on_device``. Programs are called with lists of arguments.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from typing import Any

MARK = "EDGECNN "
UNITS = "/etc/systemd/system"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TIMEOUT_S = 180    # of a command; starting waits until the model is loaded


class ServiceError(Exception):
    """What the user is told."""


def main(parameters: dict[str, Any]) -> None:
    """Do ``parameters["action"]`` and print its answer.

    Args:
        parameters: ``action``, a key of ``ACTIONS``; ``name`` of the deployment; ``text`` of the unit for ``install``.
    """
    try:
        name = parameters["name"]
        if not _NAME.fullmatch(name):
            raise ServiceError(f"{name!r} is no name for a deployment.")
        rest = {key: value for key, value in parameters.items() if key not in ("action", "name")}
        message = {"answer": ACTIONS[parameters["action"]](f"edgecnn-{name}.service", **rest)}
    except ServiceError as error:
        message = {"error": str(error)}
    except OSError as error:
        message = {"error": str(error)}
    with contextlib.suppress(BrokenPipeError):
        print(MARK + json.dumps(message), flush=True)


def install(unit: str, text: str) -> str:
    """Put a unit in place, start it now and at every boot; its state."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".service") as stream:
        stream.write(text)
        stream.flush()
        _root("install", "-m", "644", stream.name, os.path.join(UNITS, unit))
    _root("systemctl", "daemon-reload")
    _root("systemctl", "enable", "--quiet", unit)
    return restart(unit)


def restart(unit: str) -> str:
    """Start a unit anew, if there is one: it then runs what ``current`` points to. Its state."""
    if not _there(unit):
        return ""
    _root("systemctl", "reset-failed", unit, check=False)    # it may have been started too often
    done = _root("systemctl", "restart", unit, check=False)
    if done.returncode != 0:
        raise ServiceError(f"the service does not start: {_reason(unit, done)}")
    return state(unit)


def state(unit: str) -> str:
    """``active``, ``failed`` and so on, in systemd's words; empty where there is no unit."""
    if not _there(unit):
        return ""
    return _run("systemctl", "is-active", unit).stdout.decode(errors="replace").strip()


def remove(unit: str) -> str:
    """Stop a unit and remove it, if there is one."""
    if _there(unit):
        _root("systemctl", "disable", "--now", "--quiet", unit)
        _root("rm", "-f", os.path.join(UNITS, unit))
        _root("systemctl", "daemon-reload")
    return ""


def _there(unit: str) -> bool:
    return os.path.exists(os.path.join(UNITS, unit))


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=_TIMEOUT_S)    # fmt: skip
    except FileNotFoundError:
        raise ServiceError(f"there is no program {command[0]}.") from None
    except subprocess.TimeoutExpired:
        raise ServiceError(f"{' '.join(command[:3])} took more than {_TIMEOUT_S} s.") from None


def _root(*command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run a program with root's rights.

    Raises:
        ServiceError: It may not, or (with ``check``) it fails.
    """
    sudo = () if os.getuid() == 0 else ("sudo", "-n")
    if sudo and shutil.which("sudo") is None:
        raise ServiceError("a service needs root's rights, and there is no sudo.")
    done = _run(*sudo, *command)
    if check and done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ServiceError(f"{' '.join(command[:3])} failed: {said[-1] if said else done.returncode}")
    return done


def _reason(unit: str, done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line that the service wrote, or what systemctl says."""
    journal = _root("journalctl", "--unit", unit, "--lines", "5", "--output", "cat", "--no-pager", check=False)
    for text in (journal.stdout, done.stderr):
        lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
        said = [line for line in lines if line.startswith(("edgecnn:", "Error"))] or lines
        if said:
            return said[-1].strip()
    return f"systemctl ended with code {done.returncode}"


ACTIONS: dict[str, Any] = {"install": install, "restart": restart, "state": state, "remove": remove}
"""What it can do, by name."""
