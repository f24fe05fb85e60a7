"""What ``--on`` takes: runtimes, boards, machines and fleets, separated by commas."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.cli._common import USUAL_RUNTIMES, split_names

if TYPE_CHECKING:
    from edgecnn.bench.host import Place
    from edgecnn.remote.address import Address


@dataclass(frozen=True)
class Asked:
    """What ``--on`` names.

    Attributes:
        runtimes: None where it names none.
        boards: Targets of ``edgecnn.mcu``.
        hosts: Other machines.
    """

    runtimes: list[str] | None
    boards: tuple[str, ...]
    hosts: tuple[Place, ...]

    @property
    def here(self) -> bool:
        """Whether this machine is measured: it is, unless only boards or other machines were named."""
        return not self.hosts and (self.runtimes is not None or not self.boards)


def asked_places(on: str | None, accept_new: bool) -> Asked:
    """Read ``--on``; each name once, in the order given.

    Args:
        on: The option's text, or None where it was not given.
        accept_new: Trust the key of a machine that is not known yet.

    Raises:
        UsageError: There is no name in it, or one that means nothing.
        EdgecnnError: A runtime is not installed here, though it is this machine that is measured; or a fleet file
            cannot be read.
    """
    if on is None:
        return Asked(None, (), ())
    from edgecnn.errors import UsageError, unknown_name
    from edgecnn.mcu.targets import target_names
    from edgecnn.remote.address import is_address, parse_address
    from edgecnn.runtimes import RUNTIMES, installed, is_board, missing

    names = list(dict.fromkeys(split_names(on)))
    if not names:
        raise UsageError(f"--on {on!r}: no runtime named. For example: --on {','.join(USUAL_RUNTIMES)}")
    runtimes: list[str] = []
    boards: list[str] = []
    hosts: list[Place] = []
    for name in names:
        if name in RUNTIMES:
            runtimes.append(name)
        elif is_board(name):
            boards.append(name)
        elif is_address(name):
            hosts.append(_machine(parse_address(name), "", accept_new))
        elif name.endswith(".toml"):
            hosts += _fleet(Path(name), accept_new)
        else:
            known = [*RUNTIMES, *(target for target in target_names() if is_board(target))]
            raise unknown_name("runtime", name, known, "Or ssh://user@host, or a fleet.toml.")
    if not hosts:
        for name in runtimes:
            if not installed(name):
                raise missing(name, f"--on {name}")
    return Asked(runtimes or None, tuple(boards), tuple(hosts))


def check_pin(core: int) -> None:
    """Refuse a core that this machine does not have, before anything is measured.

    Raises:
        UsageError: It has none of that number for us, or the system cannot keep a process on a core.
    """
    from edgecnn.errors import UsageError

    if not hasattr(os, "sched_setaffinity"):
        raise UsageError("--pin: this system cannot keep a process on a core. Measure without it.")
    cores = sorted(os.sched_getaffinity(0))
    if core not in cores:
        raise UsageError(f"--pin {core}: there is no such core. There are: {', '.join(map(str, cores))}.")


def seconds_of(text: str, option: str) -> float:
    """``90``, ``90s``, ``5m`` or ``1h`` in seconds.

    Raises:
        UsageError: It is something else, or less than a second.
    """
    from edgecnn.errors import UsageError

    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match is not None else 0.0
    if seconds < 1:
        raise UsageError(f"{option} {text}: expected a time of 1 s or more, such as 30s, 5m or 1h.")
    return seconds


def _machine(address: Address, name: str, accept_new: bool) -> Place:
    """A machine that is reached when it is to be measured on."""
    from edgecnn.bench.host import Host, Place

    def reach() -> Host:
        from edgecnn.remote.host import SshHost

        return SshHost(address, name=name, accept_new=accept_new)

    return Place(name or address.name, reach)


def _fleet(path: Path, accept_new: bool) -> list[Place]:
    from edgecnn.fleet import load_fleet

    return [_machine(member.where, member.title, accept_new) for member in load_fleet(path)]
