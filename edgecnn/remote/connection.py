"""A synchronous face of asyncssh: programs with their parameters, and files, to another machine.

No command line is ever made of anything the user typed. An ssh server hands what it is asked to run to a login shell,
so that is one constant text (``BOOTSTRAP``); the program and all its parameters follow on its standard input, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from edgecnn.child_process import said_lines
from edgecnn.errors import EdgecnnError, MissingDependencyError, first_line
from edgecnn.files import whole_file
from edgecnn.remote.address import Address

if TYPE_CHECKING:
    from edgecnn.remote.host_keys import HostKeys

BOOTSTRAP = (
    "exec python3 -I -c 'import sys,json;r=json.loads(sys.stdin.buffer.readline().decode());"
    'g={"__name__":"edgecnn_device"};exec(compile(r["source"],r["name"],"exec"),g);g["main"](r["parameters"])\''
)
"""What the other side's shell is given, always and only. ``-I``: no module from the home folder comes in."""
MARK = "EDGECNN "
"""Before every line of ours: what a user's shell prints at login is not taken for an answer."""

_CONNECT_S, _LOGIN_S = 15, 60    # an old board takes its time over the key exchange
_KEEPALIVE_S, _KEEPALIVES = 15, 4
_KEPT_STDERR = 65536
_BLOCK = 32768    # bytes of a write; the largest that every SFTP server takes
_IN_FLIGHT = 32    # writes under way at a time, so that the line's delay does not set the pace

Result = TypeVar("Result")


class _Loop:
    """One event loop in a thread of its own, for all connections of this process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="edgecnn-ssh", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end; Ctrl-C while waiting cancels it."""
        future: Future[Result] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


_lock = threading.Lock()
_shared: list[_Loop] = []


def _loop() -> _Loop:
    with _lock:
        if not _shared:
            _shared.append(_Loop())
        return _shared[0]


class _SSHProcess(Protocol):
    stdin: Any
    stdout: Any
    stderr: Any
    returncode: int | None

    async def wait_closed(self) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None: ...


class RemoteProcess:
    """A program on the other machine; ``edgecnn.bench.host.Process`` is its protocol.

    Args:
        connection: That it runs over.
        process: Of asyncssh.
        errors: The task that collects what it writes to standard error.
    """

    def __init__(self, connection: Connection, process: _SSHProcess, errors: asyncio.Task[bytes]) -> None:
        self._connection, self._process, self._errors = connection, process, errors
        self._said = b""
        self._closed = False

    @property
    def returncode(self) -> int | None:
        """Of the process once it has ended, negative for a signal; None before, or where the connection was cut."""
        return self._process.returncode

    def send(self, line: str) -> None:
        """One line to its standard input; see ``Process.send``.

        Raises:
            EdgecnnError: The connection is cut.
        """
        self._connection.run(self._send(line))

    async def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):    # it has ended: its output ends, too
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()

    def lines(self) -> Iterator[str]:
        """Lines of its standard output, until it ends.

        Raises:
            EdgecnnError: The connection is cut.
        """
        while line := self._connection.run(self._process.stdout.readline()):
            yield line.decode(errors="replace").rstrip("\r\n")
        self._connection.run(self._process.wait_closed())

    def close(self) -> None:
        """End it, whatever it does."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(EdgecnnError):    # a machine that is gone has ended it already
                self._said = self._connection.run(self._end())

    async def _end(self) -> bytes:
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                self._process.kill()
        self._process.close()
        await self._process.wait_closed()
        return await self._errors

    def last_words(self) -> bytes:
        """What it wrote to standard error; complete once it has ended."""
        if not self._closed and self._process.returncode is not None:
            self._said = self._connection.run(_awaited(self._errors))
        return self._said


async def _awaited(task: asyncio.Task[bytes]) -> bytes:
    return await task


async def _collect(stream: Any) -> bytes:
    """All of standard error, of which the end is kept."""
    import asyncssh

    kept = b""
    with contextlib.suppress(asyncssh.Error, OSError):
        while block := await stream.read(8192):
            kept = (kept + block)[-_KEPT_STDERR:]
    return kept


class Connection:
    """An open connection; made by ``connect``, closed by ``close`` or at the end of a ``with``.

    Attributes:
        name: ``user@host:port`` for messages and results.
        sent_bytes: Of files, so far.
        remarks: What the user should know about how it came about.
    """

    def __init__(self, name: str, ssh: Any, remarks: tuple[str, ...] = ()) -> None:
        self.name, self._ssh, self.remarks = name, ssh, remarks
        self._sftp: Any = None
        self.sent_bytes = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it everything that runs over it."""
        with contextlib.suppress(EdgecnnError):
            self.run(self._close())

    async def _close(self) -> None:
        self._ssh.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ssh.wait_closed(), 5)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine of asyncssh's to its end.

        Raises:
            EdgecnnError: The connection is cut, or was cut before.
        """
        import asyncssh

        try:
            return _loop().run(work)
        except (asyncssh.DisconnectError, asyncssh.ChannelOpenError, ConnectionError) as error:
            raise EdgecnnError(
                f"{self.name}: the connection was cut ({first_line(error)}). What ran there stays as it was; try again."
            ) from error

    def start(self, program: Path, parameters: dict[str, Any]) -> RemoteProcess:
        """Start a program there.

        Args:
            program: A Python file here with ``main(parameters)``; see ``on_device_facts`` for what it may use.
            parameters: JSON; they travel on standard input, and what is sent later follows them.

        Raises:
            EdgecnnError: The connection is cut, or the other side starts no program.
        """
        return self.run(self._start(program, parameters))

    async def _start(self, program: Path, parameters: dict[str, Any]) -> RemoteProcess:
        process = await self._ssh.create_process(BOOTSTRAP, encoding=None)
        errors = asyncio.create_task(_collect(process.stderr))
        request = {"source": program.read_text(encoding="utf-8"), "name": program.name, "parameters": parameters}
        with contextlib.suppress(BrokenPipeError):    # no Python there: its last words say so
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
        return RemoteProcess(self, process, errors)

    def call(
        self, program: Path, parameters: dict[str, Any], advance: Callable[[str], None] | None = None
    ) -> Any:
        """Run a program there to its end.

        Args:
            program: As for ``start``; it prints ``MARK`` and JSON: ``{"step": …}`` while it works, at the end
                ``{"answer": …}`` or ``{"error": …}``.
            parameters: As for ``start``.
            advance: Told each step.

        Returns:
            The answer.

        Raises:
            EdgecnnError: The program says that something is wrong, ends without an answer, or the connection is cut.
        """
        process = self.start(program, parameters)
        try:
            for line in process.lines():
                if not line.startswith(MARK):
                    continue
                message = json.loads(line[len(MARK) :])
                if "answer" in message:
                    return message["answer"]
                if "error" in message:
                    raise EdgecnnError(f"{self.name}: {message['error']}")
                if advance is not None:
                    advance(message["step"])
            raise EdgecnnError(f"{self.name}: {_no_answer(process.returncode, said_lines(process.last_words()))}")
        finally:
            process.close()

    def upload(self, source: Path | bytes, place: str, advance: Callable[[int], None] | None = None) -> None:
        """Send a file; it has its name only when all of it is there.

        Args:
            source: A file here, or the bytes themselves.
            place: Its path there, absolute; its folder exists.
            advance: Called with the number of bytes sent since the last call.

        Raises:
            EdgecnnError: No SFTP there, its disk is full, or the connection is cut.
        """
        self.run(self._upload(source, place, advance or _nothing))

    async def _upload(self, source: Path | bytes, place: str, advance: Callable[[int], None]) -> None:
        sftp = await self._sftp_client()
        data = source.read_bytes() if isinstance(source, Path) else source
        part = f"{place}.part"
        with self._sftp_errors(place):
            async with sftp.open(part, "wb") as stream:
                async def write(offset: int) -> None:
                    block = data[offset : offset + _BLOCK]
                    await stream.write(block, offset)
                    self.sent_bytes += len(block)
                    advance(len(block))

                for first in range(0, len(data), _BLOCK * _IN_FLIGHT):
                    last = min(first + _BLOCK * _IN_FLIGHT, len(data))
                    await asyncio.gather(*(write(offset) for offset in range(first, last, _BLOCK)))
            arrived = await sftp.stat(part)
            if arrived.size != len(data):
                raise EdgecnnError(
                    f"{self.name}: {place} has {arrived.size} bytes there and {len(data)} here. Is the disk full?"
                )
            await sftp.posix_rename(part, place)

    def download(self, place: str, to: Path) -> None:
        """Fetch a file, whole or not at all.

        Raises:
            EdgecnnError: It cannot be read there or written here, or the connection is cut.
        """
        with whole_file(to) as temporary:
            self.run(self._download(place, temporary))

    async def _download(self, place: str, to: Path) -> None:
        sftp = await self._sftp_client()
        with self._sftp_errors(place):
            await sftp.get(place, str(to))

    async def _sftp_client(self) -> Any:
        import asyncssh

        if self._sftp is None:
            try:
                self._sftp = await asyncio.wait_for(self._ssh.start_sftp_client(), _LOGIN_S)
            except (asyncssh.ChannelOpenError, asyncssh.SFTPError, asyncio.TimeoutError) as error:
                if self._ssh.is_closed():
                    raise ConnectionError(first_line(error)) from error    # said by `run`
                raise EdgecnnError(
                    f"{self.name}: no file transfer (SFTP): {first_line(error)}. Its sshd_config needs a line such as "
                    "'Subsystem sftp internal-sftp', and the shell must print nothing at login."
                ) from error
        return self._sftp

    @contextlib.contextmanager
    def _sftp_errors(self, place: str) -> Iterator[None]:
        import asyncssh

        try:
            yield
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise EdgecnnError(
                f"{self.name}: the connection was cut in the middle of a file. What ran there stays as it was; try "
                "again: what arrived whole is not sent again."
            ) from error
        except asyncssh.SFTPError as error:
            raise EdgecnnError(f"{self.name}: {place}: {first_line(error)}. Is the disk full?") from error


def _nothing(count: int) -> None:
    del count


def _no_answer(code: int | None, said: list[str]) -> str:
    last = f" It said: {said[-1][:300]}" if said else ""
    if code == 127 or any("python3" in line and "not found" in line for line in said):
        return "there is no python3. Install it: sudo apt install python3"
    if any(line.startswith("SyntaxError") for line in said):
        return "its Python is too old: 3.10 or newer is needed. Upgrade the system."
    if code is None:
        return f"the connection was cut before an answer came. What ran there stays as it was; try again.{last}"
    return f"no answer: Python there ended with code {code}.{last}"


def connect(address: Address, accept_new: bool = False) -> Connection:
    """Connect with the user's keys and ssh configuration; passwords are neither asked for nor sent.

    Args:
        address: The machine.
        accept_new: Trust the key of a machine that is not known yet, and add it to ``~/.ssh/known_hosts``.

    Raises:
        MissingDependencyError: asyncssh is not installed.
        EdgecnnError: The machine cannot be reached, is not the one that is known, or takes none of the keys.
    """
    try:
        import asyncssh
    except ImportError:
        raise MissingDependencyError("asyncssh", "ssh", f"connecting to {address}") from None
    from edgecnn.remote.host_keys import HostKeys

    keys = HostKeys(accept_new)

    class Client(asyncssh.SSHClient):    # type: ignore[misc]
        def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
            return keys.judge(host, addr, port, key)

    async def open_it() -> Any:
        options: dict[str, Any] = {"known_hosts": keys.known, "client_factory": Client}
        if address.user is not None:
            options["username"] = address.user
        if address.port is not None:
            options["port"] = address.port
        return await asyncssh.connect(
            address.host, **options, password=None, preferred_auth=("publickey",), client_host_keysign=False,
            connect_timeout=_CONNECT_S, login_timeout=_LOGIN_S,
            keepalive_interval=_KEEPALIVE_S, keepalive_count_max=_KEEPALIVES,
        )    # fmt: skip

    try:
        ssh = _loop().run(open_it())
    except (asyncssh.Error, OSError, asyncio.TimeoutError, ValueError) as error:
        raise _refused(address, keys, error) from error
    remarks = (f"{address}: trusted on first use, added to ~/.ssh/known_hosts: {keys.shown}",) if keys.added else ()
    return Connection(address.name, ssh, remarks)


def _refused(address: Address, keys: HostKeys, error: Exception) -> EdgecnnError:
    """Why there is no connection, and what to do."""
    import asyncssh

    where = f"cannot connect to {address}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        if keys.changed:
            return EdgecnnError(
                f"{where}: THE HOST KEY HAS CHANGED. It shows {keys.shown}, and ~/.ssh/known_hosts has another one. "
                "Either the machine was installed anew, or somebody stands between. If you know why, remove the old "
                f"key with ssh-keygen -R and connect again. {_keygen_name(address)}"
            )
        if keys.shown:
            return EdgecnnError(
                f"{where}: the machine is not known yet. It shows {keys.shown}. If that is its key (on the machine: "
                "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), say --accept-new once."
            )
        return EdgecnnError(f"{where}: its host key is not trusted: {first_line(error)}.")
    if isinstance(error, asyncssh.PermissionDenied):
        return EdgecnnError(
            f"{where}: it takes none of your keys. Copy one there with: ssh-copy-id{_ssh_target(address)}. A key with "
            "a passphrase must be in the agent: ssh-add. Passwords are not used."
        )
    if isinstance(error, socket.gaierror):
        return EdgecnnError(f"{where}: the name {address.host!r} is not known. Check it, or use the IP address.")
    if isinstance(error, ConnectionRefusedError):
        return EdgecnnError(
            f"{where}: refused: no ssh server listens there. On a Raspberry Pi: sudo raspi-config, Interface Options, "
            "SSH. Otherwise check the port."
        )
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return EdgecnnError(f"{where}: no answer within {_CONNECT_S} s. Is it switched on, and in this network?")
    if isinstance(error, asyncssh.ConnectionLost):
        return EdgecnnError(f"{where}: it hung up: {first_line(error)}. Is that an ssh server?")
    return EdgecnnError(f"{where}: {first_line(error)}.")


def _ssh_target(address: Address) -> str:
    port = f" -p {address.port}" if address.port else ""
    return f"{port} {address.user + '@' if address.user else ''}{address.host}"


def _keygen_name(address: Address) -> str:
    name = f"[{address.host}]:{address.port}" if address.port not in (None, 22) else address.host
    return f"The command: ssh-keygen -R '{name}'"

