"""``ssh://user@host:port``: which machine is meant, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgecnn.errors import UsageError

SCHEME = "ssh://"
_EXPECTED = "Expected ssh://[user@]host[:port], for example ssh://pi@raspberrypi.local"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Address:
    """A machine and an account on it.

    Attributes:
        host: Name or address, or an alias of the user's ssh configuration.
        user: None where the ssh configuration or the user's own name here decides.
        port: None where the ssh configuration decides, and 22 where it says nothing.
    """

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        """As it is typed, without what was left out."""
        return SCHEME + self.name

    @property
    def name(self) -> str:
        """``user@host:port`` without what was left out: no secret in it, for messages and results."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")


def is_address(text: str) -> bool:
    """Whether an argument means a machine."""
    return text.lower().startswith(SCHEME)


def parse_address(text: str) -> Address:
    """Read ``ssh://[user@]host[:port]``.

    Raises:
        UsageError: It is something else, or has a password, a path or a query in it.
    """
    if not is_address(text):
        raise UsageError(f"{text!r} is no ssh address. {_EXPECTED}")
    rest = text[len(SCHEME) :]
    user, at, place = rest.rpartition("@")
    if ":" in user:    # the text is not repeated: it would stand in logs
        raise UsageError(
            "a password in an ssh address is not supported: it would stand in the shell's history. Use a key: "
            "ssh-keygen, then ssh-copy-id USER@HOST"
        )
    place = place.removesuffix("/")
    if any(sign in place for sign in "/?#"):
        raise UsageError(f"{text!r}: a path or query is not supported. {_EXPECTED}")
    if at and not _USER.fullmatch(user):
        raise UsageError(f"{text!r}: {user!r} is no user name. {_EXPECTED}")
    if place.count(":") > 1 and not place.startswith("["):
        raise UsageError(f"{text!r}: an IPv6 address stands in brackets: ssh://pi@[fe80::1%eth0]:22.")
    if match := re.fullmatch(r"\[(.*)\](?::(.*))?", place):
        host, port, allowed = match[1], match[2], _IPV6
    else:
        host, colon, port_text = place.partition(":")
        port, allowed = port_text if colon else None, _HOST
    if not allowed.fullmatch(host):
        raise UsageError(f"{text!r}: {host!r} is no host name. {_EXPECTED}")
    if port is not None and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise UsageError(f"{text!r}: {port!r} is no port, which is a number from 1 to 65535. {_EXPECTED}")
    return Address(host, user or None, int(port) if port is not None else None)
