"""``edgecnn deploy``: what is refused before any machine is asked, and the text of a service."""

from __future__ import annotations

import configparser
from collections.abc import Callable

import pytest

from edgecnn.deploy import default_name, unit
from tests.edgecnn.remote.test_facts import PI, pi

Here = Callable[..., tuple[int, str, str]]
PI_ADDRESS = "ssh://pi@localhost:1"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["digits_tiny"], "which machine?"),
        ([PI_ADDRESS], "what is to be deployed?"),
        (["a.tflite", "b.tflite", PI_ADDRESS], "one model at a time"),
        (["digits_tiny", "pi@host"], "one model at a time"),
        (["digits_tiny", "ssh://pi:x@host"], "a password"),
        (["digits_tiny", PI_ADDRESS, "--name", "a b;'c"], "not a name for a deployment"),
        (["digits_tiny", PI_ADDRESS, "--name", "../x"], "not a name for a deployment"),
        (["digits_tiny", PI_ADDRESS, "--http", "80"], "--http goes with --service"),
        (["digits_tiny", PI_ADDRESS, "--service", "--http", "80", "--camera"], "exclude each other"),
        (["digits_tiny", PI_ADDRESS, "--service", "--watch", "photos"], "absolute path"),
        (["digits_tiny", PI_ADDRESS, "--on", "f.toml"], "not both"),
        (["digits_tiny", PI_ADDRESS, "--label", "x"], "--label chooses from a fleet file"),
        (["digits_tiny", "--on", "none.toml"], "no such file"),
        (["--status", "digits_tiny", PI_ADDRESS], "--status takes no model"),
        (["--status", "--remove", PI_ADDRESS], "exclude each other"),
        (["a b; 'c'.tflite", PI_ADDRESS], "a b; 'c'.tflite: no such file"),
        (["digits_tiny", PI_ADDRESS, "--runtime", "keras"], "litert"),
    ],
)
def test_mistakes_are_told_at_once(cli_here: Here, arguments: list[str], says: str) -> None:
    code, _, said = cli_here("deploy", *arguments)
    assert code == 2
    assert says in said


def test_names_of_deployments() -> None:
    assert default_name("fashion_mnist_cnn") == "fashion_mnist_cnn"
    assert default_name("a b;'c'") == "a-b-c"
    assert default_name("--") == "model"


def read(text: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str    # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser["Service"]


FOLDER = "/home/pi/.local/share/edgecnn/door/versions/0123"


def test_a_service_over_http_has_a_user_of_its_own_and_follows_current() -> None:
    service = read(unit("door", FOLDER, ["--http", "8080"], PI))
    assert service["ExecStart"].replace('"', "") == "/home/pi/.local/share/edgecnn/door/current/run --http 8080"
    assert service["DynamicUser"] == "yes"
    assert service["BindReadOnlyPaths"].strip('"') == "/home/pi/.local/share/edgecnn"
    assert service["NoNewPrivileges"] == "yes"


def test_a_service_that_writes_or_sees_has_the_rights_of_the_account() -> None:
    service = read(unit("door", FOLDER, ["--watch", "/home/pi/photos"], PI))
    assert service["User"] == "pi"
    assert service["BindPaths"].strip('"') == "/home/pi/photos"
    service = read(unit("door", FOLDER, ["--camera"], pi(user="root")))
    assert service["DynamicUser"] == "yes"    # never root's
    assert service["SupplementaryGroups"] == "video"
