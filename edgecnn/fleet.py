"""Several machines at once: ``fleet.toml``, and the same work on all of them in parallel."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, require_file
from edgecnn.recipe import line_of
from edgecnn.remote.address import Address, parse_address

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_AT_ONCE = 16
_EXAMPLE = '[[host]]\naddress = "ssh://pi@kitchen.local"\nlabels = ["pi4"]'

Result = TypeVar("Result")


class Host(BaseModel):
    """A machine of a fleet.

    Attributes:
        address: ``ssh://[user@]host[:port]``.
        name: What it is called in results; its address where nothing is given.
        labels: By which ``--label`` chooses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str
    name: str = Field(default="", max_length=64, pattern=r"^[^\x00-\x1f]*$")
    labels: tuple[str, ...] = ()

    @field_validator("address")
    @classmethod
    def _address(cls, text: str) -> str:
        try:
            parse_address(text)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return text

    @property
    def where(self) -> Address:
        """The address, read."""
        return parse_address(self.address)

    @property
    def title(self) -> str:
        """The name, or the address without what was left out."""
        return self.name or self.where.name


class _Fleet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: tuple[Host, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of one machine.

    Attributes:
        host: The machine.
        result: What the work gave; None where it failed.
        error: Why it failed; None where it did not.
    """

    host: Host
    result: Result | None
    error: EdgecnnError | None


def load_fleet(path: Path, labels: Sequence[str] = ()) -> list[Host]:
    """Read a ``fleet.toml``.

    Args:
        path: The file.
        labels: Only machines with at least one of these; empty for all.

    Raises:
        UsageError: It is not TOML, a key or value is not allowed, two machines have one name, or none has a label; the
            message gives file and line.
        EdgecnnError: The file cannot be read.
    """
    require_file(path)
    with readable_os_errors(path, "read"):
        data = path.read_bytes()
    try:
        text = data.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    try:
        hosts = _Fleet.model_validate(document).host
    except ValidationError as error:
        raise UsageError("\n".join(_explain(path, text, item) for item in error.errors())) from error
    titles: dict[str, int] = {}
    for index, host in enumerate(hosts):
        if host.title in titles:
            raise UsageError(
                f"{path}:{_line(text, index, '')}: {host.title!r} is the name of host {titles[host.title] + 1}, too. "
                "Give each a name of its own."
            )
        titles[host.title] = index
    chosen = [host for host in hosts if not labels or set(labels) & set(host.labels)]
    if not chosen:
        known = ", ".join(sorted({label for host in hosts for label in host.labels})) or "none"
        raise UsageError(f"{path}: no host has the label {' or '.join(labels)}. Known: {known}.")
    return chosen


def _explain(path: Path, text: str, error: Any) -> str:
    """One validation error as a sentence with the file and the line."""
    location = error["loc"]
    index = next((part for part in location if isinstance(part, int)), None)
    keys = [str(part) for part in location if isinstance(part, str)]
    if index is None:
        where = f"{path}:{line_of(text, tuple(keys))}: {'.'.join(keys)}"
    else:
        where = f"{path}:{_line(text, index, keys[-1])}: host {index + 1}: {keys[-1]}"
    if error["type"] == "extra_forbidden":
        allowed = ", ".join(Host.model_fields) if index is not None else "[[host]]"
        return f"{where}: unknown key. Allowed here: {allowed}."
    if error["type"] == "missing":
        return f"{where}: this key is required and is not there. For example:\n{_EXAMPLE}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:].rstrip('.')}."


def _line(text: str, index: int, key: str) -> int:
    """Line (from 1) of a key of the host number ``index``, or of its header."""
    headers = [number for number, line in enumerate(text.splitlines(), 1) if line.split("#")[0].strip() == "[[host]]"]
    if index >= len(headers):    # written as an inline list
        return 1
    start = headers[index]
    for number, line in enumerate(text.splitlines()[start:], start + 1):
        if line.lstrip().startswith("["):
            break
        if line.partition("=")[0].strip() == key:
            return number
    return start


def on_all(
    hosts: Sequence[Host], work: Callable[[Host], Result], done: Callable[[Outcome[Result]], None] = lambda _: None
) -> list[Outcome[Result]]:
    """Do the same on every machine at once; one that fails does not stop the others.

    Args:
        hosts: The machines.
        work: Called in a thread of its own for each.
        done: Told each outcome as it comes, one at a time.

    Returns:
        In the order of ``hosts``.
    """
    outcomes: dict[int, Outcome[Result]] = {}
    mistakes: list[BaseException] = []
    lock, gate = threading.Lock(), threading.BoundedSemaphore(_AT_ONCE)

    def one(index: int, host: Host) -> None:
        with gate:
            try:
                outcome = Outcome(host, work(host), None)
            except EdgecnnError as error:
                outcome = Outcome(host, None, error)
            except BaseException as mistake:
                mistakes.append(mistake)
                return
            with lock:
                outcomes[index] = outcome
                done(outcome)

    # Not an executor, which waits for its threads at the program's end: after Ctrl-C none is waited for.
    threads = [threading.Thread(target=one, args=item, daemon=True) for item in enumerate(hosts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if mistakes:
        raise mistakes[0]
    return [outcomes[index] for index in range(len(hosts))]
