"""``edgecnn deploy``: a model to another machine, and what is deployed there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgecnn.cli._common import Output, common_options

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType
    from rich.progress import Progress

    from edgecnn.deploy import Deployed, Deployment, Steps
    from edgecnn.fleet import Host, Outcome
    from edgecnn.remote.bundle import Payload
    from edgecnn.remote.connection import Connection

Result = TypeVar("Result")


@click.command(no_args_is_help=True)
@click.argument("arguments", metavar="[RUN|FILE.tflite] [ssh://[USER@]HOST[:PORT]]...", nargs=-1)
@click.option("--on", "on", type=click.Path(path_type=Path), metavar="FLEET.toml", help="The machines of a file.")
@click.option("--label", "labels", multiple=True, metavar="L", help="--on: only machines with this label.")
@click.option("--name", metavar="N", help="Of the deployment. Default: the model's.")
@click.option(
    "--runtime", type=click.Choice(["litert", "litert-ref"]), default="litert", show_default=True, help="To serve on."
)
@click.option("--service", is_flag=True, help="Serve predictions from boot on, as a systemd unit.")
@click.option("--http", metavar="[HOST:]PORT", help="--service: over HTTP, on that machine only without HOST; 8080.")
@click.option("--watch", metavar="FOLDER", help="--service: each new file in a folder there (absolute path).")
@click.option("--camera", is_flag=True, help="--service: what the camera there sees.")
@click.option("--status", is_flag=True, help="What is deployed there.")
@click.option("--rollback", is_flag=True, help="Back to the version before; twice leads forward again.")
@click.option("--remove", is_flag=True, help="Remove a deployment, its versions and its service.")
@click.option("--accept-new", is_flag=True, help="Trust a machine that ssh does not know yet, and remember its key.")
@common_options
def command(
    arguments: tuple[str, ...],
    on: Path | None,
    labels: tuple[str, ...],
    name: str | None,
    runtime: str,
    service: bool,
    http: str | None,
    watch: str | None,
    camera: bool,
    status: bool,
    rollback: bool,
    remove: bool,
    accept_new: bool,
    output: Output,
) -> int:
    """Install a model on another machine, over ssh, without internet or pip there.

    The machine is looked at first. Model, contract, edgecnn and the packages for its architecture and Python are sent
    (fetched here, once), checksums verified there, and a self-test must reproduce stored predictions. Only then one
    link is switched; whatever fails or is cut before, what answered there still does. Keys and the ssh agent are used,
    never passwords. Exit code 1: a machine failed.

    \b
    Example:
      edgecnn deploy fashion_mnist_cnn ssh://pi@raspberrypi.local
      edgecnn deploy door.tflite ssh://pi@10.0.0.7:2222 --service
      edgecnn deploy fashion_mnist_cnn --on fleet.toml --label kitchen
      edgecnn deploy --status ssh://pi@raspberrypi.local
      edgecnn deploy --rollback ssh://pi@raspberrypi.local --name door
    """
    from edgecnn import deploy as work

    reference, hosts = _asked(arguments, on, labels)
    actions = [word for word, given in (("status", status), ("rollback", rollback), ("remove", remove)) if given]
    serve = _serve_options(service, http, watch, camera)
    _check(actions, reference, serve is not None, name)
    if actions == ["status"]:
        return _each(output, hosts, accept_new, lambda c, _: work.status(c, name), _status_page, _as_list)
    if actions == ["rollback"]:
        return _each(output, hosts, accept_new, lambda c, steps: work.rollback(c, name, steps), _deployed_page, _as_one)
    if actions == ["remove"]:
        return _each(output, hosts, accept_new, lambda c, _: work.remove(c, name), _removed_page, _removed)
    assert reference is not None
    payload = _payload(reference, runtime, output)
    title = work.check_name(name) if name is not None else work.default_name(payload.model)

    def one(connection: Connection, steps: Steps) -> Deployed:
        return work.deploy(connection, payload, title, serve, steps)

    return _each(output, hosts, accept_new, one, _deployed_page, _as_one)


def _asked(arguments: tuple[str, ...], on: Path | None, labels: tuple[str, ...]) -> tuple[str | None, list[Host]]:
    """The model, and the machines.

    Raises:
        UsageError: There is more than one model, or no machine.
    """
    from edgecnn.errors import UsageError
    from edgecnn.fleet import Host, load_fleet
    from edgecnn.remote.address import is_address, parse_address

    addresses = [text for text in arguments if is_address(text)]
    others = [text for text in arguments if not is_address(text)]
    if len(others) > 1:
        raise UsageError(
            f"one model at a time: {', '.join(others)}. A machine is written ssh://[user@]host[:port]."
        )
    for text in addresses:
        parse_address(text)    # refused in its own words
    if on is not None and addresses:
        raise UsageError("give machines as ssh://… or as --on FLEET.toml, not both.")
    if labels and on is None:
        raise UsageError("--label chooses from a fleet file: give one with --on FLEET.toml.")
    hosts = load_fleet(on, labels) if on is not None else [Host(address=text) for text in dict.fromkeys(addresses)]
    if not hosts:
        raise UsageError("which machine? Give ssh://[user@]host[:port], or --on FLEET.toml.")
    return (others[0] if others else None), hosts


def _serve_options(service: bool, http: str | None, watch: str | None, camera: bool) -> list[str] | None:
    """The options of ``edgecnn serve`` for a service, None where none is asked for.

    Raises:
        UsageError: Several sources, one without ``--service``, or a folder that is no absolute path.
    """
    from edgecnn.errors import UsageError

    given = [word for word, value in (("--http", http), ("--watch", watch), ("--camera", camera)) if value]
    if given and not service:
        raise UsageError(f"{given[0]} goes with --service.")
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: one source a service.")
    if not service:
        return None
    if watch is not None:
        if not watch.startswith("/"):
            raise UsageError(f"--watch {watch!r}: give the absolute path of a folder on the other machine.")
        return ["--watch", watch]
    return ["--camera"] if camera else ["--http", http or "8080"]


def _check(actions: list[str], reference: str | None, service: bool, name: str | None) -> None:
    """Refuse what cannot be meant together.

    Raises:
        UsageError: As the message says.
    """
    from edgecnn.deploy import check_name
    from edgecnn.errors import UsageError

    if name is not None:
        check_name(name)
    if len(actions) > 1:
        raise UsageError(f"--{' and --'.join(actions)} exclude each other.")
    if actions and reference is not None:
        raise UsageError(f"--{actions[0]} takes no model ({reference!r}); a deployment is chosen with --name.")
    if actions and service:
        raise UsageError(f"--{actions[0]} and --service exclude each other.")
    if not actions and reference is None:
        raise UsageError("what is to be deployed? Give a run, a model's name or a .tflite file.")


def _payload(reference: str, runtime: str, output: Output) -> Payload:
    from edgecnn.remote.bundle import make_payload

    with output.progress() as progress:
        progress.add_task("predictions for the self-test", total=None, note="")
        payload = make_payload(reference, runtime)
    for remark in payload.remarks:
        output.say(remark)
    return payload


def _each(
    output: Output,
    hosts: list[Host],
    accept_new: bool,
    work: Callable[[Connection, Steps], Result],
    page: Callable[[str, Result], list[RenderableType]],
    document: Callable[[Result], Any],
) -> int:
    """Do it on every machine, print each outcome; the exit code."""
    from edgecnn.fleet import on_all
    from edgecnn.remote.connection import connect

    with output.progress() as progress:
        def one(host: Host) -> Result:
            steps = _steps(output, progress, host.title, len(hosts) > 1)
            with connect(host.where, accept_new) as connection:
                for remark in connection.remarks:
                    steps.say(remark)
                return work(connection, steps)

        outcomes = on_all(hosts, one)
    shown: list[RenderableType] = []
    for outcome in outcomes:
        if outcome.result is not None:
            shown += page(outcome.host.title, outcome.result)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(hosts) == 1 and failed:
        assert failed[0].error is not None
        raise failed[0].error
    output.result([_document(outcome, document) for outcome in outcomes], *shown)
    for outcome in failed:
        output.warn(f"{outcome.host.title}: failed: {outcome.error}")
    return 1 if failed else 0


def _document(outcome: Outcome[Result], document: Callable[[Result], Any]) -> dict[str, Any]:
    return {
        "host": outcome.host.title,
        "address": str(outcome.host.where),
        "error": None if outcome.error is None else str(outcome.error),
        "result": None if outcome.result is None else document(outcome.result),
    }


def _steps(output: Output, progress: Progress, title: str, several: bool) -> Steps:
    """A bar for one machine."""
    from edgecnn.deploy import Steps
    from edgecnn.formats import size

    task = progress.add_task(title, total=None, note="connecting")
    lock = threading.Lock()

    def advance(count: int, total: int) -> None:
        with lock:
            progress.update(task, total=max(total, 1), advance=count, note=f"sending {size(total)}")

    def say(text: str) -> None:
        output.say(f"{title}: {text}" if several else text)

    return Steps(say, lambda text: progress.update(task, note=text), advance)


def _as_one(result: BaseModel) -> Any:
    return result.model_dump(mode="json")


def _as_list(result: list[Deployment]) -> Any:
    return [deployment.model_dump(mode="json") for deployment in result]


def _removed(result: tuple[str, int]) -> Any:
    return {"name": result[0], "freed_bytes": result[1]}


def _deployed_page(host: str, result: Deployed) -> list[RenderableType]:
    from edgecnn.formats import size

    before = f", before {result.before}" if result.before not in (None, result.id) else ""
    again = " (it answered already)" if result.before == result.id else ""
    lines = [
        f"{host}: {result.name} answers as {result.id}{again}{before}",
        f"  self-test  {result.self_test.words()}",
        f"  sent       {size(result.sent_bytes)} in {result.seconds:.1f} s, test and switch included",
    ]
    if result.service:
        lines.append(f"  service    edgecnn-{result.name}.service is {result.service}")
    else:
        lines.append(f"  run        {result.folder.rpartition('/versions/')[0]}/current/run")
    return ["\n".join(lines)]


def _removed_page(host: str, result: tuple[str, int]) -> list[RenderableType]:
    from edgecnn.formats import size

    return [f"{host}: {result[0]} is removed, {size(result[1])} freed"]


def _status_page(host: str, result: list[Deployment]) -> list[RenderableType]:
    from datetime import datetime

    from rich.table import Table

    from edgecnn.formats import size

    if not result:
        return [f"{host}: nothing is deployed"]
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "", "model", "runtime", "installed", "self-test", "service"):
        table.add_column(heading)
    for deployment in result:
        for version in deployment.versions:
            marks = {deployment.previous: "before", deployment.current: "answers"}
            when = datetime.fromtimestamp(version.installed).strftime("%Y-%m-%d %H:%M") if version.installed else "?"
            test = version.self_test
            passed = f"{max(t.agreeing for t in test.runtimes.values())}/{test.samples}" if test else "–"
            state = deployment.service if version.id == deployment.current else ""
            table.add_row(
                deployment.name, version.id, marks.get(version.id, ""), version.model, version.runtime, when, passed,
                state,
            )    # fmt: skip
    total = sum(deployment.bytes for deployment in result)
    return [f"{host}: {len(result)} deployed, {size(total)} without their packages", table]
