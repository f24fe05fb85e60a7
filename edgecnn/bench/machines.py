"""The machines of a measurement: which of them can be reached, what runs there, and all of them at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from edgecnn.bench.device import before_and_after, machine_now
from edgecnn.bench.host import Host, Place
from edgecnn.bench.parent import Worker
from edgecnn.errors import EdgecnnError
from edgecnn.results import DeviceRecord

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Refused:
    """What could not be measured.

    Attributes:
        raises: Raise the first one instead of keeping it.
        problems: A sentence each.
    """

    raises: bool
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str, error: EdgecnnError | None = None) -> None:
        """One more.

        Args:
            problem: In words.
            error: What to raise, where it is more than these words.

        Raises:
            EdgecnnError: With ``raises``.
        """
        if self.raises:
            raise error or EdgecnnError(problem)
        self.problems.append(problem)


@dataclass(frozen=True)
class Machine:
    """A machine that answers.

    Attributes:
        host: How it is reached.
        device: What it is, and how it was before the measurement.
        runtimes: Those to be measured that it has.
    """

    host: Host
    device: DeviceRecord
    runtimes: tuple[str, ...]

    def now(self) -> DeviceRecord:
        """Its description with the condition before and now; only before where it does not answer any more."""
        if not self.host.name:
            return before_and_after(self.device, machine_now())
        try:
            with Worker(self.host, "the description of the machine") as worker:
                return before_and_after(self.device, worker.describe().device)
        except EdgecnnError:
            return self.device


@contextlib.contextmanager
def reached(
    hosts: Sequence[Place], runtimes: Sequence[str], leave_out: bool, refused: Refused
) -> Iterator[list[Machine]]:
    """Reach all machines at the same time, and ask them what they are; they are left when the block ends.

    Args:
        hosts: The machines.
        runtimes: To be measured.
        leave_out: Do not tell of runtimes that a machine does not have.
        refused: Told of machines that do not answer.

    Yields:
        Those that answer, in the order given.
    """
    opened = contextlib.ExitStack()

    def ask(place: Place) -> Machine:
        host = place.open()
        opened.callback(host.close)
        if not host.name:    # this process can tell, and what is not installed here says so when it is started
            return Machine(host, machine_now(), tuple(runtimes))
        with Worker(host, "the description of the machine") as worker:
            described = worker.describe()
        return Machine(host, described.device, tuple(name for name in runtimes if name in described.runtimes))

    with opened:
        machines = []
        for place, found in zip(hosts, in_parallel(ask, hosts), strict=True):
            if isinstance(found, EdgecnnError):
                refused.add(str(found) if place.name in str(found) else f"{place.name}: {found}", found)
                continue
            machines.append(found)
            missing = [name for name in runtimes if name not in found.runtimes]
            if missing and not leave_out:
                refused.add(f"{place.name} does not have {', '.join(missing)}.")
        yield machines


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result | EdgecnnError]:
    """Do the same with several things at once.

    Args:
        work: What to do; an ``EdgecnnError`` is a result, anything else that it raises is raised here.
        items: With what. A single one is done in this thread.

    Returns:
        In the order of ``items``.
    """
    results: dict[int, Result | EdgecnnError] = {}
    broken: list[BaseException] = []

    def one(index: int) -> None:
        try:
            results[index] = work(items[index])
        except EdgecnnError as error:
            results[index] = error
        except BaseException as error:
            broken.append(error)

    if len(items) == 1:
        one(0)
    else:
        # Daemons: after Ctrl-C this process need not wait for machines that are in the middle of a measurement.
        threads = [threading.Thread(target=one, args=(index,), daemon=True) for index in range(len(items))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if broken:
        raise broken[0]
    return [results[index] for index in range(len(items))]
