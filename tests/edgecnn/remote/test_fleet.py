"""``fleet.toml``: read, refused with the line, and one machine that fails beside others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.fleet import Host, load_fleet, on_all

FLEET = """# the flat
[[host]]
address = "ssh://pi@kitchen.local"
labels = ["pi4", "camera"]

[[host]]
name = "door"
address = "ssh://pi@10.0.0.7:2222"
labels = ["pi3"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_machines_with_names_and_labels(tmp_path: Path) -> None:
    path = write(tmp_path, FLEET)
    assert [host.title for host in load_fleet(path)] == ["pi@kitchen.local", "door"]
    assert [host.title for host in load_fleet(path, ["pi3"])] == ["door"]
    assert [host.title for host in load_fleet(path, ["pi3", "camera"])] == ["pi@kitchen.local", "door"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"ssh://pi@10.0.0.7:2222"', '"10.0.0.7"', "fleet.toml:8: host 2: address: '10.0.0.7' is no ssh address"),
        ("name =", "nmae =", "fleet.toml:7: host 2: nmae: unknown key. Allowed here: address, name, labels"),
        ('address = "ssh://pi@10.0.0.7:2222"\n', "", "fleet.toml:6: host 2: address: this key is required"),
        ('["pi3"]', "3", "fleet.toml:9: host 2: labels: "),
        ('"door"', '"pi@kitchen.local"', "fleet.toml:6: 'pi@kitchen.local' is the name of host 1, too"),
        ("[[host]]", "[[hosts]]", "hosts: unknown key"),
        ("[[host]]", "[[host]", "not valid TOML"),
    ],
)
def test_mistakes_are_refused_with_their_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in FLEET
    with pytest.raises(UsageError) as refusal:
        load_fleet(write(tmp_path, FLEET.replace(old, new)))
    assert says in str(refusal.value)


def test_an_empty_file_and_an_unknown_label(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="host: this key is required"):
        load_fleet(write(tmp_path, ""))
    with pytest.raises(UsageError, match=r"no host has the label x\. Known: camera, pi3, pi4"):
        load_fleet(write(tmp_path, FLEET), ["x"])
    with pytest.raises(UsageError, match="no such file"):
        load_fleet(tmp_path / "none.toml")


def test_one_that_fails_does_not_stop_the_rest_and_all_run_at_once() -> None:
    hosts = [Host(address=f"ssh://pi@host{number}") for number in range(4)]
    together = threading.Barrier(len(hosts), timeout=20)    # broken if they ran one after the other
    told = []

    def work(host: Host) -> str:
        together.wait()
        if host is hosts[1]:
            raise EdgecnnError("it is down")
        return host.title

    outcomes = on_all(hosts, work, told.append)
    assert [outcome.result for outcome in outcomes] == ["pi@host0", None, "pi@host2", "pi@host3"]
    assert str(outcomes[1].error) == "it is down"
    assert len(told) == 4
