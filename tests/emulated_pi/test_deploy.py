"""``edgecnn deploy``, ``doctor --on`` and ``bench --on ssh://…`` against devices: emulated, with a real sshd.

``EDGECNN_TEST_LONG=1`` cuts the transfer at ten points; otherwise it is three on 64 bits and one on 32.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.emulated_pi.device import Device, MakePi
from tests.support import child_environment

pytestmark = pytest.mark.slow

LONG = bool(os.environ.get("EDGECNN_TEST_LONG"))
PLACE = ".local/share/edgecnn"    # below the home of ``pi``
SAMPLES = 20


def arguments_of(device: Device, *arguments: str | Path) -> dict[str, Any]:
    """What ``subprocess`` is given to run ``edgecnn ARGUMENTS`` as the user who may log in to a device."""
    return {
        "args": [sys.executable, "-m", "edgecnn", *map(str, arguments)],
        "env": {**child_environment(device.home), **device.environment()},
        "cwd": device.home,
        "stdin": subprocess.DEVNULL,
        "encoding": "utf-8",
    }


def edgecnn(
    device: Device, *arguments: str | Path, code: int = 0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs ``edgecnn`` to its end: its exit code is asserted, and that no traceback reaches the user."""
    given = arguments_of(device, *arguments)
    given["env"] |= env or {}
    done = subprocess.run(**given, capture_output=True, timeout=900)
    said = f"{' '.join(map(str, arguments))}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}\n{device.log}"
    assert "Traceback" not in done.stderr, said
    assert done.returncode == code, said
    return done


def deployed(device: Device, *arguments: str | Path) -> dict[str, Any]:
    """What ``edgecnn deploy ARGUMENTS --json`` says of the one device."""
    (outcome,) = json.loads(edgecnn(device, "deploy", *arguments, device.address, "--json").stdout)
    assert outcome["error"] is None
    result: dict[str, Any] = outcome["result"]
    return result


def refused(device: Device, *arguments: str | Path, code: int = 1, env: dict[str, str] | None = None) -> str:
    """The message with which ``edgecnn ARGUMENTS`` refuses, on one line; nothing on the device may change by it."""
    before = contents(device)
    done = edgecnn(device, *arguments, code=code, env=env)
    assert contents(device) == before
    return " ".join(done.stderr.split())


def contents(device: Device) -> str:
    """Every file, link and size below the home, but bytecode and what is only kept to be sent no second time."""
    return device.run(r"find . \( -name __pycache__ -o -name .incoming \) -prune -o -printf '%p %l %s\n' | sort")


def answers(lines: str) -> list[dict[str, Any]]:
    """Answers of ``edgecnn serve`` without the times, which no two machines share."""
    return [
        {name: value for name, value in json.loads(line).items() if name != "ms"}
        for line in lines.splitlines()
        if line.startswith('{"id"')
    ]


def ask(device: Device, name: str, requests: str, *options: str) -> list[dict[str, Any]]:
    """What the version of a deployment that ``current`` points to answers, freshly started."""
    script = f'printf "%s\\n" "$1" >/tmp/requests; cd {PLACE}/"$2"/current; shift 2; ./run "$@" </tmp/requests'
    return answers(device.run(script, requests, name, *options))


@dataclass(frozen=True)
class Model:
    """A trained network with what it is asked.

    Attributes:
        path: Its int8 ``.tflite``.
        requests: Real test samples, a JSON request a line.
        reference: What ``litert-ref`` answers on this machine.
    """

    path: Path
    requests: str
    reference: list[dict[str, Any]]

    @property
    def one(self) -> str:
        """The first request."""
        return self.requests.splitlines()[0]


@pytest.fixture(scope="module")
def model(root: Path) -> Model:
    from edgecnn.artefacts import resolve
    from edgecnn.evaluation_data import default_section, load_test_data
    from edgecnn.runtimes import load_session
    from edgecnn.serve.model import find_model

    path, contract = find_model(str(root / "models" / "digits_tiny" / "model_int8.tflite"))
    (artefact,) = resolve(str(path)).artefacts
    section = default_section(artefact)
    assert section is not None
    data = load_test_data(section, load_session("litert-ref", path).input, SAMPLES, contract.preprocess)
    samples = data.samples.x[:SAMPLES]
    requests = "".join(json.dumps({"id": n, "data": sample.tolist()}) + "\n" for n, sample in enumerate(samples))
    command = [sys.executable, "-m", "edgecnn", "serve", str(path), "--runtime", "litert-ref"]
    done = subprocess.run(command, input=requests, capture_output=True, encoding="utf-8", check=True)
    reference = answers(done.stdout)
    assert len(reference) == SAMPLES
    return Model(path, requests, reference)


class Deployment:
    """What is tested on each architecture, in this order: each test goes on from the one before."""

    points: int
    packages: str

    @pytest.fixture(scope="class")
    def first(self, device: Device, model: Model) -> dict[str, Any]:
        """The first deployment, and how long it took to its first prediction."""
        begin, before = time.monotonic(), device.line.sent
        result = deployed(device, model.path, "--name", "first")
        ask(device, "first", model.one)
        seconds, count = time.monotonic() - begin, device.line.sent - before
        print(f"{device.userland.architecture}: deploy to first prediction {seconds:.1f} s, {count} bytes sent")
        return result

    def test_doctor_says_what_it_is(self, device: Device) -> None:
        said = edgecnn(device, "doctor", "--on", device.address).stdout
        for word in ("Debian GNU/Linux 12", "CPython 3.11.2", "2.36", "no systemd", "can be deployed there"):
            assert word in said

    def test_a_cut_first_transfer_goes_on_where_it_was(self, device: Device, model: Model) -> None:
        device.line.break_after(5_000_000)
        try:
            said = refused_cut(device, "deploy", model.path, device.address, "--name", "first")
        finally:
            device.line.mend()
        assert "cut" in said
        assert "nothing is deployed" in edgecnn(device, "deploy", "--status", device.address).stdout

    def test_it_is_deployed_and_the_self_test_agrees(self, first: dict[str, Any]) -> None:
        test = first["self_test"]
        assert test["runtimes"]["litert-ref"]["agreeing"] == test["samples"] == 10
        assert test["runtimes"]["litert"]["agreeing"] == 10
        assert self.packages in test["runtimes"]["litert"]["version"]

    @pytest.mark.usefixtures("first")
    def test_its_predictions_are_those_of_this_machine(self, device: Device, model: Model) -> None:
        assert ask(device, "first", model.requests, "--runtime", "litert-ref") == model.reference

    def test_a_second_version_sends_little_and_answers(self, device: Device, model: Model, first: Any) -> None:
        before = device.line.sent
        second = deployed(device, model.path, "--name", "first", "--runtime", "litert-ref")
        assert second["before"] == first["id"] != second["id"]
        assert device.line.sent - before < 1_000_000
        assert current(device) == second["id"]
        status = json.loads(edgecnn(device, "deploy", "--status", device.address, "--json").stdout)[0]["result"]
        (deployment,) = status
        assert (deployment["current"], deployment["previous"]) == (second["id"], first["id"])

    def test_rollback_leads_back(self, device: Device, model: Model, first: Any) -> None:
        edgecnn(device, "deploy", "--rollback", device.address, "--name", "first")
        assert current(device) == first["id"]
        assert len(ask(device, "first", model.one)) == 1

    def test_a_cut_leaves_what_answers(self, device: Device, model: Model, first: Any) -> None:
        """The line breaks, or ``edgecnn`` is killed, at seeded points of the transfer of another version."""
        before, another = device.line.sent, (model.path, "--runtime", "litert-ref")
        deployed(device, *another, "--name", "other")
        total = device.line.sent - before
        edgecnn(device, "deploy", "--remove", device.address, "--name", "other")
        forget(device, "first", first["id"])
        for number, point in enumerate(seeded_points(self.points, total)):
            arguments = ("deploy", *another, "--name", "first", device.address)
            device.run(f"rm -rf {PLACE}/.incoming")    # what arrived whole would not be sent again
            if number % 2:
                kill_at(device, point, *arguments)
            else:
                device.line.break_after(point)
                try:
                    assert f"pi@127.0.0.1:{device.line.port}" in refused_cut(device, *arguments)
                finally:
                    device.line.mend()
            settle(device)
            assert ask(device, "first", model.one, "--runtime", "litert-ref") == model.reference[:1]
            if number % 2 and current(device) != first["id"]:
                # A process dies a moment after the point: the order to install was out, and was carried out.
                edgecnn(device, "deploy", "--rollback", device.address, "--name", "first")
                forget(device, "first", first["id"])
            assert current(device) == first["id"], f"cut after {point} of {total} bytes"
        assert deployed(device, *another, "--name", "first")["before"] == first["id"]

    @pytest.mark.usefixtures("first")
    def test_it_is_measured_over_ssh(self, device: Device, model: Model) -> None:
        out = device.home / "measured"
        places = f"litert-ref,{device.address}"
        edgecnn(device, "bench", model.path, "--on", places, "--runs", "20", "--limit", "20", "--out", out)
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        (entry,) = results["entries"]
        assert entry["runtime"] == "litert-ref"
        assert entry["device"] in results["devices"]
        assert 0 < entry["p50_low_ms"] <= entry["p50_ms"] <= entry["p50_high_ms"]

    @pytest.mark.usefixtures("first")
    def test_it_is_removed(self, device: Device) -> None:
        edgecnn(device, "deploy", "--remove", device.address, "--name", "first")
        assert device.run(f"ls {PLACE}").strip() == ""


class TestArm64(Deployment):
    points = 10 if LONG else 3
    packages = "ai-edge-litert"

    @pytest.fixture(scope="class")
    def device(self, arm64_pi: Device) -> Device:
        return arm64_pi


class TestArmhf(Deployment):
    points = 10 if LONG else 1
    packages = "tflite-runtime"

    @pytest.fixture(scope="class")
    def device(self, armhf_pi: Device) -> Device:
        return armhf_pi


def current(device: Device) -> str:
    """Id of the version that answers."""
    return Path(device.run(f"readlink {PLACE}/first/current").strip()).name


def forget(device: Device, name: str, kept: str) -> None:
    """Removes all versions but one, so that each has to be sent again."""
    others = 'find versions -mindepth 1 -maxdepth 1 ! -name "$2" -exec rm -r {} +'
    device.run(f'cd {PLACE}/"$1"; rm -f previous; {others}', name, kept)


def settle(device: Device) -> None:
    """Waits until nothing that was ordered is still being done."""
    device.run("while pgrep -u pi -f '[i]mport sys,json' >/dev/null; do sleep 0.2; done")


def seeded_points(count: int, total: int) -> list[int]:
    """Numbers of bytes after which a transfer of ``total`` is cut: anywhere, but before its last tenth.

    In that the order to install may have arrived whole, and what was ordered is then done.
    """
    generator = random.Random(6)
    return [generator.randrange(1, total * 9 // 10) for _ in range(count)]


def refused_cut(device: Device, *arguments: str | Path) -> str:
    """As ``refused``, where what arrived may stay."""
    return " ".join(edgecnn(device, *arguments, code=1).stderr.split())


def kill_at(device: Device, point: int, *arguments: str | Path) -> None:
    """Runs ``edgecnn`` and kills it (SIGKILL) when it has sent so many bytes."""
    until = device.line.sent + point
    with subprocess.Popen(
        **arguments_of(device, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while device.line.sent < until and process.poll() is None:
            time.sleep(0.001)
        process.kill()
    assert process.returncode == -9


class TestBadInput:
    @pytest.fixture(scope="class")
    def device(self, arm64_pi: Device) -> Device:
        return arm64_pi

    def test_a_machine_that_is_not_there(self, device: Device, model: Model) -> None:
        said = refused(device, "deploy", model.path, "ssh://pi@127.0.0.1:1")
        assert "cannot connect to ssh://pi@127.0.0.1:1" in said

    def test_a_key_that_it_does_not_know(self, device: Device, model: Model, tmp_path: Path) -> None:
        import asyncssh

        shutil.copytree(device.home / ".ssh", tmp_path / ".ssh")
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / ".ssh" / "id_ed25519")
        said = refused(device, "deploy", model.path, device.address, env={"HOME": str(tmp_path)})
        assert "takes none of your keys" in said
        assert "ssh-copy-id" in said

    def test_a_machine_that_is_not_known_yet(self, device: Device, tmp_path: Path) -> None:
        shutil.copytree(device.home / ".ssh", tmp_path / ".ssh")
        (tmp_path / ".ssh" / "known_hosts").write_text("")
        home = {"HOME": str(tmp_path)}
        assert "--accept-new" in refused(device, "doctor", "--on", device.address, env=home)
        edgecnn(device, "doctor", "--on", device.address, "--accept-new", env=home)
        edgecnn(device, "doctor", "--on", device.address, env=home)

    def test_a_machine_that_became_another(self, device: Device, tmp_path: Path) -> None:
        import asyncssh

        shutil.copytree(device.home / ".ssh", tmp_path / ".ssh")
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{device.line.port} {other}")
        for option in ((), ("--accept-new",)):
            said = refused(device, "doctor", "--on", device.address, *option, env={"HOME": str(tmp_path)})
            assert "HOST KEY HAS CHANGED" in said

    def test_a_name_with_a_space_a_quote_and_a_semicolon(self, device: Device, model: Model) -> None:
        name = "a b'; touch /tmp/owned; \""
        assert "name" in refused(device, "deploy", model.path, device.address, "--name", name, code=2)
        assert device.run("ls /tmp/owned 2>/dev/null || echo none").strip() == "none"

    def test_no_systemd(self, device: Device, model: Model) -> None:
        said = refused(device, "deploy", model.path, device.address, "--service")
        assert "--service needs systemd" in said
        assert "Nothing was copied" in said

    def test_a_full_disk(self, make_pi: MakePi, model: Model) -> None:
        device = make_pi(home_size="60m")
        said = refused_cut(device, "deploy", model.path, device.address)
        assert "MB are needed" in said
        assert "Nothing was copied" in said
        assert device.run("find . -type f").split() == ["./.ssh/authorized_keys"]

    def test_no_python(self, make_pi: MakePi, model: Model) -> None:
        device = make_pi(without=("usr/bin/python3*",))
        assert "there is no python3" in refused(device, "deploy", model.path, device.address)

    def test_a_python_that_is_too_old(self, make_pi: MakePi, model: Model) -> None:
        device = make_pi(release="bullseye")
        said = refused(device, "deploy", model.path, device.address)
        assert "CPython 3.9" in said
        assert "Nothing was copied" in said


class TestCorruption:
    """A path with a space, a quote and a ``;``, and what becomes of damaged files, over one deployment."""

    @pytest.fixture(scope="class")
    def device(self, arm64_pi: Device) -> Iterator[Device]:
        yield arm64_pi
        edgecnn(arm64_pi, "deploy", "--remove", arm64_pi.address, "--name", "kept")

    @pytest.fixture(scope="class")
    def versions(self, device: Device, model: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
        """Two versions, the second answers."""
        path = tmp_path_factory.mktemp("models") / "it's a \"model\"; touch owned" / "model int8.tflite"
        path.parent.mkdir()
        shutil.copy(model.path, path)
        shutil.copy(model.path.with_name("contract.json"), path.parent)
        first = deployed(device, path, "--name", "kept")["id"]
        return first, deployed(device, path, "--name", "kept", "--runtime", "litert-ref")["id"]

    def test_a_damaged_version_is_not_gone_back_to(self, device: Device, versions: tuple[str, str]) -> None:
        old, new = versions
        device.run(f'truncate -s -4000 {PLACE}/kept/versions/"$1"/model.tflite', old)
        said = refused_cut(device, "deploy", "--rollback", device.address, "--name", "kept")
        assert said
        assert Path(device.run(f"readlink {PLACE}/kept/current").strip()).name == new

    def test_a_damaged_version_is_made_whole_by_deploying_it(
        self, device: Device, model: Model, versions: tuple[str, str]
    ) -> None:
        assert deployed(device, model.path, "--name", "kept")["id"] == versions[0]
        assert ask(device, "kept", model.requests, "--runtime", "litert-ref") == model.reference

    @pytest.mark.usefixtures("versions")
    def test_what_arrived_damaged_is_sent_again(self, device: Device, model: Model) -> None:
        device.run(f'cd {PLACE}/.incoming; sha=$(sha256sum ../kept/current/model.tflite | cut -c-64); echo bad >"$sha"')
        deployed(device, model.path, "--name", "again")
        assert ask(device, "again", model.one, "--runtime", "litert-ref") == model.reference[:1]
        edgecnn(device, "deploy", "--remove", device.address, "--name", "again")
