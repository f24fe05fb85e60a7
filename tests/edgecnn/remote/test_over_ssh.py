"""Over a real ssh server on this machine's loopback: who is trusted, what is refused, a whole deployment."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.remote.address import Address
from edgecnn.remote.connection import connect

asyncssh = pytest.importorskip("asyncssh", reason="asyncssh, of the extra 'ssh', is not installed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")

CUT = "import os, signal\ndef main(parameters):\n    os.kill(os.getppid(), signal.SIGKILL)\n"
SILENT = "def main(parameters):\n    raise SystemExit(3)\n"
ECHO = """import json
def main(parameters):
    print('what a shell says at login', flush=True)
    print('EDGECNN ' + json.dumps({'answer': parameters}))
"""


@dataclass
class Server:
    """A server that lets one key in, and a home for each side."""

    folder: Path
    port: int
    sshd: str

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", getpass.getuser(), self.port)

    @property
    def device(self) -> Path:
        return self.folder / "device home"

    def start(self, sftp: bool = True) -> subprocess.Popen[bytes]:
        lines = [
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.folder}/host_key", "UsePAM no",
            f"PidFile {self.folder}/pid", "PasswordAuthentication no", "StrictModes no", "PermitRootLogin yes",
            f"AuthorizedKeysFile {self.folder}/authorized", f'SetEnv "HOME={self.device}"',
            *(["Subsystem sftp internal-sftp"] if sftp else []),
        ]    # fmt: skip
        (self.folder / "config").write_text("\n".join(lines) + "\n")
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([self.sshd, "-D", "-e", "-f", self.folder / "config"], stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            time.sleep(0.05)
        pytest.skip(f"no ssh server can be started here: {(self.folder / 'log').read_text()[-300:]}")

    def new_host_key(self) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(self.folder / "host_key"))
        (self.folder / "host_key").chmod(0o600)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(20)


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that does not run yet, and a home here with a key that it takes."""
    sshd = shutil.which("sshd", path=f"/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}")
    if sshd is None:
        pytest.skip("there is no sshd here (Debian: openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)    # where the server gives up its rights
    home = tmp_path / "user"
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(tmp_path, port, sshd)
    server.device.mkdir()
    server.new_host_key()
    own = asyncssh.generate_private_key("ssh-ed25519")
    own.write_private_key(str(home / ".ssh" / "id_ed25519"))
    own.write_public_key(str(tmp_path / "authorized"))
    return server


@pytest.fixture
def server(stopped: Server) -> Iterator[Server]:
    process = stopped.start()
    try:
        with connect(stopped.address, accept_new=True):
            pass
    except EdgecnnError as error:
        stop(process)
        pytest.skip(f"this account cannot log in to its own machine: {error}")
    known_hosts().unlink()
    yield stopped
    stop(process)


def known_hosts() -> Path:
    return Path.home() / ".ssh" / "known_hosts"


def refusal(address: Address, accept_new: bool = False) -> str:
    with pytest.raises(EdgecnnError) as error:
        connect(address, accept_new)
    return str(error.value)


def test_a_machine_that_is_not_known_is_trusted_only_when_asked(server: Server) -> None:
    said = refusal(server.address)
    assert "SHA256:" in said and "--accept-new" in said
    assert not known_hosts().exists()
    with connect(server.address, accept_new=True) as connection:
        assert "SHA256:" in connection.remarks[0]
    assert known_hosts().read_text().startswith(f"[127.0.0.1]:{server.port} ssh-ed25519 ")
    with connect(server.address) as connection:
        assert connection.remarks == ()


def test_a_changed_key_is_never_accepted(stopped: Server) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    known_hosts().write_text(f"[127.0.0.1]:{stopped.port} {other}\n")
    before = known_hosts().read_text()
    process = stopped.start()
    try:
        for accept_new in (False, True):
            said = refusal(stopped.address, accept_new)
            assert "HOST KEY HAS CHANGED" in said and "ssh-keygen -R" in said
    finally:
        stop(process)
    assert known_hosts().read_text() == before


def test_a_key_that_is_not_taken(server: Server) -> None:
    (server.folder / "authorized").write_text("")
    said = refusal(server.address, accept_new=True)
    assert "takes none of your keys" in said and "ssh-copy-id" in said


def test_nobody_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    assert "no ssh server listens there" in refusal(Address("127.0.0.1", "pi", closed))
    assert "the name 'no-such-host.invalid' is not known" in refusal(Address("no-such-host.invalid"))


def test_something_else_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", "import socket,sys;s=socket.socket(fileno=int(sys.argv[1]));c,_=s.accept();"
             "c.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n');c.close()", str(other.fileno())],
            pass_fds=[other.fileno()],
        )    # fmt: skip
        assert "cannot connect" in refusal(Address("127.0.0.1", "pi", port))
        process.wait(20)


def test_programs_and_parameters(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "echo.py"
    path.write_text(ECHO)
    nasty = {"a; rm -rf ~": ["'", '"', "$(id)", "`id`", "\n", "ü\\"]}
    with connect(server.address, accept_new=True) as connection:
        assert connection.call(path, nasty) == nasty
        path.write_text(SILENT)
        with pytest.raises(EdgecnnError, match="ended with code 3"):
            connection.call(path, {})
        path.write_text("x = (")
        with pytest.raises(EdgecnnError, match="Python is too old"):
            connection.call(path, {})


def test_files_arrive_whole(server: Server, tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    place = server.device / "a 'file'; $(x)"
    counted: list[int] = []
    with connect(server.address, accept_new=True) as connection:
        connection.upload(data, str(place), counted.append)
        assert sum(counted) == connection.sent_bytes == len(data)
        assert place.read_bytes() == data
        assert [path.name for path in server.device.iterdir()] == [place.name]
        connection.download(str(place), tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == data
        with pytest.raises(EdgecnnError, match="No such file"):
            connection.upload(data, str(server.device / "none" / "x"))


def test_a_connection_that_is_cut(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "cut.py"
    path.write_text(CUT)
    with connect(server.address, accept_new=True) as connection:
        with pytest.raises(EdgecnnError, match="connection was cut"):
            connection.call(path, {})
        with pytest.raises(EdgecnnError, match="connection was cut"):
            connection.upload(b"x", str(server.device / "x"))


def test_no_file_transfer(stopped: Server) -> None:
    process = stopped.start(sftp=False)
    try:
        with (
            connect(stopped.address, accept_new=True) as connection,
            pytest.raises(EdgecnnError, match=r"no file transfer.*Subsystem sftp"),
        ):
            connection.upload(b"x", str(stopped.device / "x"))
    finally:
        stop(process)


@pytest.mark.slow
def test_a_whole_deployment(server: Server, tmp_path: Path) -> None:
    """By the command line: doctor, deploy, deploy again, status, serve, measure, rollback, remove."""
    kept = tmp_path / "cache"
    environment = {
        **os.environ, "XDG_CACHE_HOME": os.environ.get("EDGECNN_TEST_CACHE", str(kept)), "EDGECNN_RUNS": str(tmp_path),
    }    # fmt: skip
    address = str(server.address)

    def edgecnn(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn", *arguments], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", timeout=600,
        )    # fmt: skip
        if "no connection to the package index" in done.stderr or "needs pip" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stderr

    assert "--accept-new" in edgecnn("deploy", "digits_tiny", address, code=1)
    assert '"works": true' in edgecnn("doctor", "--on", address, "--accept-new", "--json")
    (first,) = json.loads(edgecnn("deploy", "digits_tiny", address, "--json"))
    test = first["result"]["self_test"]
    assert test["runtimes"]["litert-ref"]["identical"] == test["samples"] == 10
    assert test["runtimes"]["litert"]["agreeing"] == 10
    (second,) = json.loads(
        edgecnn("deploy", "digits_tiny", address, "--runtime", "litert-ref", "--json")
    )
    assert second["result"]["before"] == first["result"]["id"]
    assert second["result"]["sent_bytes"] < 100_000 < first["result"]["sent_bytes"]
    current = server.device / ".local/share/edgecnn/digits_tiny/current"
    served = subprocess.run(
        [current / "run", "--self-test", current / "self_test.npz"], env={"HOME": "/", "PATH": "/usr/bin:/bin"},
        cwd=tmp_path, capture_output=True, timeout=120,
    )    # fmt: skip
    assert served.returncode == 0, served.stderr
    assert "no systemd" in edgecnn("doctor", "--on", address) or shutil.which("systemctl")
    (back,) = json.loads(edgecnn("deploy", "--rollback", address, "--json"))
    assert back["result"]["id"] == first["result"]["id"]
    assert "answers" in edgecnn("deploy", "--status", address)
    assert "is removed" in edgecnn("deploy", "--remove", address)
    assert not (server.device / ".local/share/edgecnn/digits_tiny").exists()
