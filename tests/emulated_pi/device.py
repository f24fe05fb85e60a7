"""A device to deploy to: a Debian userland of another architecture with a real OpenSSH behind a loopback port.

It lives in namespaces of its own: users, mounts, processes, host name and network. The emulator is registered in a
binfmt_misc that only this user namespace sees (Linux 6.7), so nothing of the machine changes, and the device ends with
the process that started it. It has a loopback interface and no other network. What reaches it goes through ``Line``,
which counts, and which can break in the middle of a transfer; each connection gets an ``sshd -i``, as from inetd.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.emulated_pi.line import Line
from tests.emulated_pi.userland import PI, UnavailableError, Userland, default_cache

_OLDEST_LINUX = (6, 7)    # binfmt_misc per user namespace
_TOOLS = ("bash", "chroot", "mount", "nsenter", "unshare")

# Magic number and mask of the ELF header, as qemu's own registration has them: class, data, version, type, machine.
_ELF = r"\x7fELF{klass}\x01\x01" + r"\x00" * 9 + r"\x02\x00{machine}\x00"
_MASK = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
_MAGIC = {
    "arm64": _ELF.format(klass=r"\x02", machine=r"\xb7"),
    "armhf": _ELF.format(klass=r"\x01", machine=r"\x28"),
}

# What /proc/cpuinfo says of a core. The emulator passes on the machine's own, over which libraries that choose their
# kernels by it crash.
_CORE = """processor\t: {number}
{name}BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: {architecture}
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: {revision}

"""


@dataclass(frozen=True)
class Processor:
    """What a device has: its name for the emulator, and what Linux says of it, which on 64 bits is no name.

    The emulator's own choice would be a processor with every extension there is, for which XNNPACK takes kernels that
    give wrong results in it.
    """

    emulated: str
    name: str
    features: str
    architecture: int
    part: str
    revision: int

    def cpuinfo(self, cores: int) -> str:
        """The text of ``/proc/cpuinfo``."""
        name = f"model name\t: {self.name}\n" if self.name else ""
        fields = {**vars(self), "name": name}
        return "".join(_CORE.format(number=number, **fields) for number in range(cores))


PROCESSORS = {
    "arm64": Processor("cortex-a72", "", "fp asimd evtstrm crc32 cpuid", 8, "0xd08", 3),    # Raspberry Pi 4
    "armhf": Processor(    # Raspberry Pi 2
        "cortex-a7",
        "ARMv7 Processor rev 5 (v7l)",
        "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm",
        7,
        "0xc07",
        5,
    ),
}

# Runs as root of the namespaces, with the machine's own programs. $1 work folder, $2 userland, $3 size of the home,
# $4 number of its owner, $5 line for binfmt_misc or nothing, then paths that this device does not have.
_SET_UP = r"""
set -euo pipefail
work=$1 userland=$2 home_size=$3 pi=$4 format=$5; shift 5
root=$work/root
mount -t tmpfs -o mode=755 tmpfs "$work/layer"
mkdir "$work/layer/upper" "$work/layer/work"
chmod 755 "$work/layer/upper"
mount -t overlay -o "lowerdir=$userland,upperdir=$work/layer/upper,workdir=$work/layer/work,userxattr" overlay "$root"
for path in "$@"; do (cd "$root" && rm -rf -- $path); done
mount -t proc proc "$root/proc"
mount --bind "$work/cpuinfo" "$root/proc/cpuinfo"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in full null random tty urandom zero; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o "mode=755,uid=$pi,gid=$pi,size=$home_size" tmpfs "$root/home/pi"
mkdir -m 700 "$root/home/pi/.ssh"
cp "$work/authorized_keys" "$root/home/pi/.ssh/"
chown -R $pi:$pi "$root/home/pi/.ssh"
cp "$work/ssh_host_ed25519_key" "$work/sshd_config" "$root/etc/ssh/"
hostname raspberrypi
if [ -n "$format" ]; then
    mount -t binfmt_misc binfmt_misc "$work/formats"
    printf '%s' "$format" >"$work/formats/register"
fi
"""

# SIOCSIFFLAGS: IFF_UP | IFF_RUNNING, since iproute2 need not be there.
_LOOPBACK_UP = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH22x", b"lo", 0x41))
"""

_SSHD_CONFIG = """\
AuthenticationMethods publickey
HostKey /etc/ssh/ssh_host_ed25519_key
PrintMotd no
SetEnv QEMU_CPU={emulated}
Subsystem sftp internal-sftp
UsePAM no
"""


class MakePi(Protocol):
    """Makes a device that ends with the test; see ``build`` and ``Device`` for the parameters."""

    def __call__(
        self,
        architecture: str = "arm64",
        release: str = "bookworm",
        *,
        home_size: str = "1g",
        without: tuple[str, ...] = (),
    ) -> Device: ...


class Device:
    """An emulated device, from ``start()`` to ``close()``.

    Args:
        userland: What it runs.
        home_size: Size of the file system that is the home of ``pi``, as ``mount`` takes it: ``64m``.
        without: Patterns of paths that this device does not have, such as ``usr/bin/python3*``.

    Attributes:
        line: What connects it with the machine: bytes that went each way, and the way to break it.
        home: A folder of this machine to be the user's home: its ``.ssh`` holds the key and ``known_hosts``.
    """

    def __init__(self, userland: Userland, home_size: str = "1g", without: Sequence[str] = ()) -> None:
        self.userland = userland
        self._processor = PROCESSORS[userland.architecture]
        self._home_size = home_size
        self._without = tuple(without)
        self._work = Path(tempfile.mkdtemp(prefix="edgecnn-device-"))
        self.home = self._work / "user"
        self.key = self.home / ".ssh" / "id_ed25519"
        self.known_hosts = self.home / ".ssh" / "known_hosts"
        self.line = Line(self._open_session)
        self._init: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where ``edgecnn`` finds it: ``ssh://pi@127.0.0.1:PORT``."""
        return f"ssh://pi@127.0.0.1:{self.line.port}"

    @property
    def log(self) -> str:
        """What sshd said."""
        path = self._work / "sshd.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def start(self) -> None:
        """Makes the namespaces, mounts, keys and the listening port.

        Raises:
            UnavailableError: This machine cannot; the text says why.
        """
        try:
            _require_kernel()
            self._write_keys()
            self._make_namespaces()
            self._set_up()
            self.line.open()
            self._write_known_hosts()
        except BaseException:
            self.close()
            raise

    def environment(self) -> dict[str, str]:
        """For a program of this machine: its user has the device's key and host key, no agent, and nothing else."""
        return {
            "HOME": str(self.home),
            "SSH_AUTH_SOCK": "",
            "XDG_CACHE_HOME": str(default_cache() / "user"),    # packages for a device are fetched once
            "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config")),    # pip's settings
        }

    def close(self) -> None:
        """Ends whatever runs on the device and forgets its files."""
        self.line.close()
        if self._init is not None:
            self._init.communicate()    # its input ends, and so does it: the first process, and all others with it
        shutil.rmtree(self._work, ignore_errors=True)

    def run(self, script: str, *arguments: str, user: str = "pi", code: int | None = 0) -> str:
        """Runs a shell script on the device, not through ssh: what it prints.

        Args:
            script: For ``bash``; ``arguments`` are its ``$1``, ``$2``, …
            user: ``pi`` or ``root``.
            code: The exit code that is asserted; None asserts none.
        """
        number, home = (PI, "/home/pi") if user == "pi" else (0, "/root")
        shell = ["env", "-i", f"HOME={home}", f"USER={user}", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]
        shell += [f"QEMU_CPU={self._processor.emulated}", "bash", "-c", f"cd\n{script}", "bash", *arguments]
        done = subprocess.run(
            [*self._inside(), "chroot", f"--userspec={number}:{number}", f"--groups={number}", self._root, *shell],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert code is None or done.returncode == code, f"{script}\n{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    # --- Beginning ----------------------------------------------------------------------------------------------------

    @property
    def _root(self) -> Path:
        return self._work / "root"

    def _write_keys(self) -> None:
        import asyncssh

        (self.home / ".ssh").mkdir(mode=0o700, parents=True)
        own, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        own.write_private_key(self.key)
        own.write_public_key(self._work / "authorized_keys")
        host.write_private_key(self._work / "ssh_host_ed25519_key")
        settings = _SSHD_CONFIG.format(emulated=self._processor.emulated)
        (self._work / "sshd_config").write_text(settings, encoding="utf-8")
        self._host_key = host.export_public_key().decode().strip()
        for path in (self.key, self._work / "ssh_host_ed25519_key"):
            path.chmod(0o600)

    def _write_known_hosts(self) -> None:
        self.known_hosts.write_text(f"[127.0.0.1]:{self.line.port} {self._host_key}\n", encoding="utf-8")

    def _make_namespaces(self) -> None:
        # bash and not cat: as the device's first process it inherits orphans, and bash buries them when they end.
        waiting = ["bash", "-c", "echo ready; while read -r _; do :; done"]
        kinds = ["--user", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
        self._init = init = subprocess.Popen(
            ["unshare", *kinds, *waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert init.stdout is not None and init.stderr is not None
        if init.stdout.readline() != b"ready\n":
            said = init.stderr.read().decode(errors="replace").strip()
            raise UnavailableError(f"no namespaces for an emulated device here: {said or 'unshare failed'}")
        try:
            for kind in ("uid_map", "gid_map"):
                Path(f"/proc/{init.pid}/{kind}").write_text("0 0 65536\n", encoding="ascii")
        except OSError as error:
            raise UnavailableError(f"no users for an emulated device here: {error.strerror}") from None

    def _inside(self) -> list[str]:
        """What stands before a command of this machine that is to run as root of the device's namespaces."""
        assert self._init is not None, "the device is not started"
        pid = self._init.pid
        kinds = ["--user", "--mount", "--net", "--ipc", "--uts", f"--pid=/proc/{pid}/ns/pid_for_children"]
        return ["nsenter", f"--target={pid}", *kinds, "--"]

    def _set_up(self) -> None:
        for name in ("root", "layer", "formats"):
            (self._work / name).mkdir()
        (self._work / "cpuinfo").write_text(self._processor.cpuinfo(os.cpu_count() or 1), encoding="ascii")
        emulator = self.userland.qemu
        magic = _MAGIC[self.userland.architecture]
        format_line = f":edgecnn:M::{magic}:{_MASK}:{emulator}:F" if emulator else ""
        arguments = [self._work, self.userland.root, self._home_size, str(PI), format_line, *self._without]
        for script in (["bash", "-c", _SET_UP, "bash", *arguments], [sys.executable, "-c", _LOOPBACK_UP]):
            done = subprocess.run([*self._inside(), *script], stdin=subprocess.DEVNULL, capture_output=True)
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
                raise UnavailableError(f"an emulated device cannot be set up here: {said[-1]}")

    def _open_session(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        """An sshd that serves one connection, which is its standard input and output."""
        with (self._work / "sshd.log").open("ab") as log:
            server = ["/usr/sbin/sshd", "-i", "-e", "-f", "/etc/ssh/sshd_config"]
            return subprocess.Popen(
                [*self._inside(), "chroot", self._root, *server], stdin=connection, stdout=connection, stderr=log
            )


def _require_kernel() -> None:
    missing = [name for name in _TOOLS if shutil.which(name) is None]
    if missing:
        raise UnavailableError(f"an emulated device needs {', '.join(missing)}, which this machine does not have")
    release = os.uname().release
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if numbers < _OLDEST_LINUX:
        raise UnavailableError(f"an emulated device needs Linux 6.7 (a binfmt_misc of its own), this is {release}")
