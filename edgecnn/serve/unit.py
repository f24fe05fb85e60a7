"""The systemd unit of a served model: a user of its own, no privileges, restarted when it fails.

After systemd.service(5) ("Command lines"), systemd.exec(5) and systemd.unit(5); understood by systemd 247 (Debian 11)
and later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from edgecnn.errors import UsageError

MEMORY_MB = 512
"""Enough for the interpreter and the largest network of the zoo three times over; a leak ends in a restart."""

WATCHDOG_SECONDS = 60

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def unit_text(
    description: str,
    command: Sequence[str],
    *,
    folder: str,
    user: str | None = None,
    writable: Sequence[str] = (),
    camera: bool = False,
    memory_mb: int = MEMORY_MB,
    environment: Mapping[str, str] | None = None,
) -> str:
    """A ``.service`` file for ``edgecnn serve``, which tells systemd that it is ready and that it lives.

    No shell is involved: the words of ``command`` reach the program as they are. Homes are hidden from the service
    but for ``folder`` and ``writable``, so a folder inside a home that others may not enter can be served too. What
    lies in ``folder`` must be readable for everybody, unless ``user`` owns it.

    Args:
        description: One line for ``systemctl status``.
        command: The program's absolute path and its arguments.
        folder: What the service reads: absolute path of the folder with the versions.
        user: Whose rights it has; None for a user that exists only while the service runs (``DynamicUser``).
        writable: Absolute paths of folders that the service writes to, such as that of ``--watch``; ``user`` must be
            allowed to.
        camera: The service needs the devices of the group ``video``.
        memory_mb: Most memory, MB; what needs more is ended and started again.
        environment: Further variables.

    Raises:
        UsageError: A path is not absolute, holds what no unit can, or the user's name is none.
    """
    if user is not None and not _USER.fullmatch(user):
        raise UsageError(f"user {user!r}: not a name of a user (lower-case letters, digits, _ and -).")
    owner = "DynamicUser=yes" if user is None else f"User={user}"
    devices = "SupplementaryGroups=video" if camera else "PrivateDevices=yes"
    variables = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **(environment or {})}
    lines = [
        "[Unit]",
        f"Description={_line(description)}",
        "After=network.target",
        "StartLimitIntervalSec=300",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={command_line(command)}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()),
        "SuccessExitStatus=130",    # asked to end before it had begun
        "Restart=on-failure",
        "RestartSec=5",
        f"WatchdogSec={WATCHDOG_SECONDS}",
        "TimeoutStopSec=30",
        "",
        owner,
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "ProtectSystem=strict",
        "ProtectHome=tmpfs",
        f"BindReadOnlyPaths={_path(folder)}",
        *(f"BindPaths={_path(path)}" for path in writable),
        *(f"ReadWritePaths={_path(path)}" for path in writable),
        "PrivateTmp=yes",
        devices,
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectControlGroups=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6" + (" AF_NETLINK" if camera else ""),
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
        "UMask=0022",
        f"MemoryMax={memory_mb}M",
        "TasksMax=64",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def command_line(command: Sequence[str]) -> str:
    """Words for ``ExecStart=``: quoted, so that no space, quote, ``;``, ``%`` or ``$`` means anything.

    The program's own path is not searched for variables, so a ``$`` stays single there. systemd takes no program whose
    path has quotes, a backslash or a control character in it; ``env`` starts those.

    Raises:
        UsageError: The program's path is not absolute, or one that ``env`` would take for a variable.
    """
    program, *arguments = command
    _absolute(program)
    if any(sign in "\"'\\\x7f" or sign < " " for sign in program):
        if "=" in program:
            raise UsageError(f"{program!r}: a service cannot be started from a path with = and quotes. Rename it.")
        program, arguments = "/usr/bin/env", [program, *arguments]
    return " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in arguments)])


def _quoted(text: str) -> str:
    """In double quotes with C's escapes; ``%`` would begin a specifier."""
    escaped = []
    for byte in text.encode("utf-8", "surrogateescape"):
        sign = chr(byte)
        if sign in '"\\':
            escaped.append("\\" + sign)
        elif sign == "%":
            escaped.append("%%")
        elif sign.isascii() and sign.isprintable():
            escaped.append(sign)
        else:
            escaped.append(f"\\x{byte:02x}")
    return '"' + "".join(escaped) + '"'


def _path(path: str) -> str:
    """A path in a list of paths, where C's escapes are not known and a colon would begin a second path.

    Raises:
        UsageError: It is not absolute, or a control character is in it.
    """
    if not _absolute(path).isprintable():
        raise UsageError(f"{path!r}: a systemd unit takes no path with control characters. Rename it.")
    return re.sub(r"([\s\"'\\:])", r"\\\1", path).replace("%", "%%")


def _absolute(path: str) -> str:
    if not PurePosixPath(path).is_absolute() or "\0" in path:
        raise UsageError(f"{path!r}: a systemd unit needs absolute paths.")
    return path


def _line(text: str) -> str:
    """On one line, without specifiers; a backslash at the end would join the next line."""
    return " ".join(text.split()).replace("%", "%%").rstrip("\\")
