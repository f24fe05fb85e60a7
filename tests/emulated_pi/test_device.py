"""The emulated devices themselves: a real sshd on a foreign userland, which leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.emulated_pi.device import Device, MakePi
from tests.emulated_pi.userland import UnavailableError, build

asyncssh = pytest.importorskip("asyncssh")
pytestmark = pytest.mark.slow


def connect(device: Device, key: Path | None = None) -> Any:
    """A connection of asyncssh's, with nothing of this machine's own user."""
    return asyncssh.connect(
        "127.0.0.1",
        device.line.port,
        username="pi",
        client_keys=[str(key or device.key)],
        known_hosts=str(device.known_hosts),
        agent_path=None,
        config=None,
    )


def over_ssh(device: Device, *commands: str, key: Path | None = None) -> list[str]:
    """What commands print, over one connection."""

    async def talk() -> list[str]:
        async with connect(device, key) as connection:
            return [(await connection.run(command, check=True)).stdout.strip() for command in commands]

    return asyncio.run(talk())


class TestArm64:
    @pytest.fixture
    def device(self, arm64_pi: Device) -> Device:
        return arm64_pi

    def test_it_is_a_debian_of_64_bits_with_python(self, device: Device) -> None:
        machine, bits, python, system = over_ssh(
            device, "uname -m", "getconf LONG_BIT", "python3 -V", "sed -n s/VERSION_CODENAME=//p /etc/os-release"
        )
        assert (machine, bits, python, system) == ("aarch64", "64", "Python 3.11.2", "bookworm")

    def test_the_user_is_an_ordinary_one(self, device: Device) -> None:
        who, allowed = over_ssh(device, "id -un; pwd", "touch /usr/bin/x 2>/dev/null && echo yes || echo no")
        assert who.split() == ["pi", "/home/pi"]
        assert allowed == "no"

    def test_it_has_a_loopback_and_no_network(self, device: Device) -> None:
        program = "import socket as s; s.create_server(('127.0.0.1', 0)); print(s.if_nameindex())"
        assert device.run('python3 -c "$1"', program).strip() == "[(1, 'lo')]"

    def test_a_file_arrives_and_the_line_counts_its_bytes(self, device: Device, tmp_path: Path) -> None:
        content = bytes(range(256)) * 1000
        source = tmp_path / "with 'quotes' and ; here"
        source.write_bytes(content)

        async def send() -> None:
            async with connect(device) as connection, connection.start_sftp_client() as sftp:
                await sftp.put(str(source), "arrived")

        before = device.line.sent
        asyncio.run(send())
        assert device.run("wc -c < arrived").strip() == str(len(content))
        assert len(content) < device.line.sent - before < len(content) + 50_000

    def test_the_line_breaks_at_a_byte_and_mends(self, device: Device) -> None:
        before = device.line.sent
        device.line.break_after(2000)
        try:
            with pytest.raises((asyncssh.Error, OSError)):
                over_ssh(device, "true")
            assert device.line.sent - before == 2000
            with pytest.raises((asyncssh.Error, OSError)):
                over_ssh(device, "true")
        finally:
            device.line.mend()
        assert over_ssh(device, "echo again") == ["again"]

    def test_another_key_is_refused(self, device: Device, tmp_path: Path) -> None:
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "key")
        with pytest.raises(asyncssh.PermissionDenied):
            over_ssh(device, "true", key=tmp_path / "key")

    def test_another_host_key_is_refused(self, device: Device, make_pi: MakePi) -> None:
        other = make_pi()
        other.known_hosts.write_text(
            device.known_hosts.read_text().replace(f":{device.line.port} ", f":{other.line.port} ")
        )
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            over_ssh(other, "true")

    def test_its_disk_can_be_small(self, make_pi: MakePi) -> None:
        small = make_pi(home_size="1m")
        assert "No space left" in small.run("head -c 2000000 /dev/zero 2>&1 > much || true; cat much | wc -c; df -P . ")

    def test_it_can_lack_python(self, make_pi: MakePi) -> None:
        assert make_pi(without=("usr/bin/python3*",)).run("command -v python3 || echo none").strip() == "none"

    def test_nothing_is_left_of_it(self, make_pi: MakePi) -> None:
        formats = Path("/proc/sys/fs/binfmt_misc")
        before = sorted(formats.iterdir()) if formats.is_dir() else []
        device = make_pi()
        device.run("sleep 1000 > /dev/null 2>&1 & sleep 1000 > /dev/null 2>&1 &")
        inside = device.run("readlink /proc/self/ns/pid").strip()
        device.close()
        assert (sorted(formats.iterdir()) if formats.is_dir() else []) == before
        namespaces = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                namespaces.append((process / "ns/pid").readlink().name)
            except OSError:    # ended meanwhile
                continue
        assert namespaces
        assert inside not in namespaces


class TestArmhf:
    def test_it_is_a_debian_of_32_bits_with_numpy(self, armhf_pi: Device) -> None:
        machine, bits, numpy = over_ssh(
            armhf_pi, "uname -m", "getconf LONG_BIT", 'python3 -c "import numpy; print(numpy.ones(3).sum())"'
        )
        assert (machine, bits, numpy) == ("armv7l", "32", "3.0")


def test_a_machine_that_cannot_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"root|Linux|apt-get"):
        build("arm64", cache=tmp_path)
    assert not list(tmp_path.iterdir())
