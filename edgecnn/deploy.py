"""A model to another machine: installed beside what answers there, tested, and only then switched to."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.remote import facts as machine
from edgecnn.remote.bundle import Payload, make_bundle
from edgecnn.remote.connection import Connection
from edgecnn.remote.facts import ROOT, Facts
from edgecnn.remote.transfer import DEVICE, transfer
from edgecnn.remote.wheels import wheels_for
from edgecnn.serve.unit import unit_text

SERVICE = DEVICE.with_name("on_device_service.py")
RUNTIMES = ("litert", "litert-ref")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RuntimeTest(BaseModel):
    """What a self-test found on one runtime."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    identical: int
    agreeing: int


class SelfTest(BaseModel):
    """What a self-test found.

    Attributes:
        samples: Stored ones.
        stored_by: Package and version that gave the stored predictions.
        runtimes: Those that were tried there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int
    stored_by: str
    runtimes: dict[str, RuntimeTest]

    def words(self) -> str:
        """For people."""
        return "; ".join(
            f"{name} ({test.version}): "
            + (
                f"{test.identical} of {self.samples} predictions identical"
                if test.identical == self.samples
                else f"same class for {test.agreeing} of {self.samples} samples, {test.identical} identical"
            )
            for name, test in self.runtimes.items()
        )


class Version(BaseModel):
    """An installed version; ``installed`` in seconds since 1970, by the clock there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    model: str
    runtime: str
    edgecnn: str
    installed: float | None
    self_test: SelfTest | None


class Deployment(BaseModel):
    """What is deployed under a name.

    Attributes:
        current: Version that answers.
        previous: What ``--rollback`` goes back to.
        versions: The newest first.
        bytes: On the disk, without the packages that several share.
        service: Its systemd unit's state, empty where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    folder: str
    current: str | None
    previous: str | None
    versions: tuple[Version, ...]
    bytes: int
    service: str = ""


class Deployed(BaseModel):
    """What a deployment or a roll-back came to.

    Attributes:
        id: Version that answers now.
        before: Version that answered before; None for the first.
        folder: On the machine; ``run`` in it starts it.
        self_test: What it found.
        sent_bytes: Over the network.
        seconds: From the connection to the switch.
        service: Its systemd unit's state, empty where there is none.
        remarks: What the user should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    id: str
    before: str | None
    folder: str
    self_test: SelfTest
    sent_bytes: int = 0
    seconds: float = 0.0
    service: str = ""
    remarks: tuple[str, ...] = ()


class Steps:
    """Told what a deployment does; all of it may come from several threads.

    Args:
        say: Told what the user should know.
        step: Told what is being done.
        advance: Told how many bytes were sent since the last call, and how many there are in all.
    """

    def __init__(
        self, say: Callable[[str], None], step: Callable[[str], None], advance: Callable[[int, int], None]
    ) -> None:
        self.say, self.step, self.advance = say, step, advance


def check_name(name: str) -> str:
    """A name for a deployment: also that of a folder and of a service.

    Raises:
        UsageError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--name {name!r}: not a name for a deployment. Supported: letters, digits, '.', '_' and '-', the first a "
            "letter or digit, at most 64."
        )
    return name


def default_name(model: str) -> str:
    """A name for a model's deployment where nobody gives one: the model's, with what no name may have replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-._")[:64] or "model"


def deploy(
    connection: Connection, payload: Payload, name: str, serve: Sequence[str] | None, steps: Steps
) -> Deployed:
    """Install a model and switch to it.

    Args:
        connection: To the machine.
        payload: What to deploy.
        name: Under which name.
        serve: For a service, the options of ``edgecnn serve``; None for no new service. One that is there already is
            started anew.
        steps: Told what is being done.

    Raises:
        EdgecnnError: The machine does not fit, there is no room, the connection is cut, or the self-test fails; what
            answered before still does.
    """
    started = time.monotonic()
    steps.step("looking at the machine")
    facts = machine.gather(connection)
    machine.require(facts, connection.name)
    if serve is not None:
        _require_service(facts, connection.name)
    steps.step("packages")
    bundle = make_bundle(payload, facts, wheels_for(facts, steps.say))
    steps.step("sending")
    sent = transfer(connection, bundle, steps.advance)
    parameters = {"action": "install", "root": ROOT, "name": name, "manifest": bundle.manifest.model_dump()}
    answer = connection.call(DEVICE, parameters, steps.step)
    state = _serve(connection, answer, name, serve, facts, steps)
    return Deployed(
        **answer,
        name=name,
        sent_bytes=sent,
        seconds=time.monotonic() - started,
        service=state,
        remarks=(*connection.remarks, *bundle.remarks),
    )


def rollback(connection: Connection, name: str | None, steps: Steps) -> Deployed:
    """Switch back to the version that answered before; twice leads forward again.

    Args:
        connection: To the machine.
        name: Of the deployment; None for the only one.
        steps: Told what is being done.

    Raises:
        EdgecnnError: There is no such deployment, nothing to go back to, or its self-test fails.
    """
    started = time.monotonic()
    name = name or _only(connection)
    answer = connection.call(DEVICE, {"action": "rollback", "root": ROOT, "name": name}, steps.step)
    state = _service(connection, "restart", name)
    return Deployed(**answer, name=name, service=state, seconds=time.monotonic() - started)


def status(connection: Connection, name: str | None = None) -> list[Deployment]:
    """What is deployed on a machine.

    Args:
        connection: To the machine.
        name: Of one deployment; None for all.

    Raises:
        EdgecnnError: There is none of that name.
    """
    found = [Deployment.model_validate(item) for item in connection.call(DEVICE, {"action": "status", "root": ROOT})]
    if name is not None:
        found = [deployment for deployment in found if deployment.name == name] or [_unknown(connection, name, found)]
    return [
        deployment.model_copy(update={"service": _service(connection, "state", deployment.name)})
        for deployment in found
    ]


def remove(connection: Connection, name: str | None) -> tuple[str, int]:
    """Remove a deployment with all its versions and its service.

    Args:
        connection: To the machine.
        name: Of the deployment; None for the only one.

    Returns:
        Its name, and the bytes that are free now.

    Raises:
        EdgecnnError: There is no such deployment.
    """
    name = name or _only(connection)
    _service(connection, "remove", name)
    answer = connection.call(DEVICE, {"action": "remove", "root": ROOT, "name": name})
    return name, int(answer["freed_bytes"])


def _only(connection: Connection) -> str:
    """The name of the only deployment."""
    names = [item["name"] for item in connection.call(DEVICE, {"action": "status", "root": ROOT})]
    if len(names) != 1:
        there = f"There are: {', '.join(names)}. Choose one with --name." if names else "Nothing is deployed there."
        raise EdgecnnError(f"{connection.name}: which deployment? {there}")
    return str(names[0])


def _unknown(connection: Connection, name: str, found: Sequence[Deployment]) -> Deployment:
    known = ", ".join(deployment.name for deployment in found)
    there = f"There is: {known}." if known else "Nothing is deployed there."
    raise EdgecnnError(f"{connection.name}: nothing is deployed under the name {name!r}. {there}")


def _require_service(facts: Facts, where: str) -> None:
    if not facts.systemd:
        raise EdgecnnError(
            f"{where}: --service needs systemd, which does not run there. Deploy without --service, and start it with "
            "~/.local/share/edgecnn/NAME/current/run. Nothing was copied."
        )
    if not facts.sudo:
        raise EdgecnnError(
            f"{where}: --service installs a unit for the whole system, and {facts.user} may not use sudo without a "
            "password. Allow it (sudo visudo), or deploy without --service. Nothing was copied."
        )


def _serve(
    connection: Connection, answer: dict[str, Any], name: str, serve: Sequence[str] | None, facts: Facts, steps: Steps
) -> str:
    """Start what was installed as a service; where it does not start, go back to what ran before."""
    try:
        if serve is None:
            return _service(connection, "restart", name)
        steps.step("starting the service")
        return _service(connection, "install", name, text=unit(name, str(answer["folder"]), serve, facts))
    except EdgecnnError as error:
        if answer["before"] in (None, answer["id"]):
            raise
        connection.call(DEVICE, {"action": "rollback", "root": ROOT, "name": name})
        _service(connection, "restart", name)
        raise EdgecnnError(f"{error} Rolled back to {answer['before']}, which answers again.") from error


def unit(name: str, version: str, serve: Sequence[str], facts: Facts) -> str:
    """The text of a deployment's systemd unit, which follows ``current``.

    Over HTTP it runs as a user that exists only while it runs. A folder or a camera needs the rights of the account
    that it was deployed with.

    Args:
        name: Of the deployment.
        version: Absolute path of a version's folder on the machine.
        serve: Options of ``edgecnn serve``.
        facts: Of the machine.
    """
    deployment = version.rpartition("/versions/")[0]
    root = deployment.rpartition("/")[0]
    writable = [serve[index + 1] for index, word in enumerate(serve) if word == "--watch"]
    own = "--http" in serve
    return unit_text(
        f"edgecnn: predictions of {name}",
        [f"{deployment}/current/run", *serve],
        folder=root,
        user=None if own or facts.user == "root" else facts.user,
        writable=writable,
        camera="--camera" in serve,
    )


def _service(connection: Connection, action: str, name: str, **parameters: str) -> str:
    return str(connection.call(SERVICE, {"action": action, "name": name, **parameters}))
