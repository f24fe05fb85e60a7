"""Debian userlands of another architecture, for tests: made of packages, without running any of their scripts.

The machine's own apt resolves, fetches and verifies the packages, dpkg-deb takes them apart, and the few things that
their maintainer scripts would have done are done here; so nothing runs under emulation while a userland is made, and
the packages of the machine itself stay as they are. What was made is kept in a cache folder and serves every session
until this file changes.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE_VARIABLE = "EDGECNN_TEST_CACHE"
"""Environment variable with the folder that keeps userlands, about 150 MB each."""

MIRROR_VARIABLE = "EDGECNN_TEST_MIRROR"
"""Environment variable with the address of a Debian archive, where the machine's own apt knows none."""

PI = 1000
"""Number of the user and of the group ``pi``, the first ordinary user of a device."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_QEMU_RELEASE = "bookworm"    # whose qemu-user-static holds static programs, as a program in a chroot has to be
_QEMU = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}

# What a small Debian has, and a Raspberry Pi with it: a shell and its tools, Python, an ssh server.
_PACKAGES = (
    *("base-files", "base-passwd", "bash", "coreutils", "dash", "findutils", "grep", "gzip", "libc-bin"),
    *("libgomp1", "libstdc++6", "openssh-server", "openssh-sftp-server", "procps", "python3", "sed", "tar"),
)
# 32-bit Arm gets NumPy from Debian: the package index has no wheel of it, and a Pi has it from there too.
_ADDED = {"arm64": (), "armhf": ("python3-numpy",)}


# Compiles the files that standard input names; the bytecode says where they will lie on the device.
_COMPILE = """
import py_compile, sys
for path in sys.stdin.read().split("\\n"):
    py_compile.compile(path, dfile=path[len(sys.argv[1]):], quiet=1)
"""
_SELDOM = {"test", "tests", "idlelib", "lib2to3", "tkinter"}


class UnavailableError(Exception):
    """This machine cannot make or run a userland of another architecture; the text says why."""


@dataclass(frozen=True)
class Userland:
    """A userland in the cache.

    Attributes:
        architecture: Debian's name of it, such as ``arm64``.
        root: Its root folder, which is only read: a device writes into a layer above it.
        qemu: The static emulator of its programs; None where the machine is of that architecture.
    """

    architecture: str
    root: Path
    qemu: Path | None


def build(architecture: str, release: str = "bookworm", cache: Path | None = None) -> Userland:
    """The userland of an architecture, out of the cache or made now (about half a minute).

    Args:
        architecture: ``arm64`` or ``armhf``.
        release: Debian's code name: ``bookworm`` has Python 3.11, ``bullseye`` 3.9.
        cache: The folder that keeps it; by default ``$EDGECNN_TEST_CACHE``, or one in the system's temporary folder.

    Raises:
        UnavailableError: No root, no apt, no network for packages.
    """
    _require_tools()
    cache = cache or default_cache()
    qemu = _kept(cache, f"qemu-{_machine()}", _make_qemu) / _QEMU[architecture] if _foreign(architecture) else None
    make = functools.partial(_make_root, architecture, release)
    return Userland(architecture, _kept(cache, f"{release}-{architecture}", make), qemu)


def default_cache() -> Path:
    """``$EDGECNN_TEST_CACHE``, or a folder of this user's in the system's temporary folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    folder = Path(tempfile.gettempdir()) / f"edgecnn-test-cache-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UnavailableError(f"{folder} belongs to somebody else; name a folder with {CACHE_VARIABLE}")
    return folder


def _require_tools() -> None:
    if sys.platform != "linux":
        raise UnavailableError(f"an emulated device needs Linux, this is {sys.platform}")
    if os.geteuid() != 0:
        raise UnavailableError("an emulated device needs root: its files belong to several users")
    missing = [name for name in ("apt-get", "dpkg-deb", "tar") if shutil.which(name) is None]
    if missing:
        raise UnavailableError(f"an emulated device is made of Debian packages, which needs {', '.join(missing)}")
    if not _KEYRING.is_file():
        raise UnavailableError(f"the keys of Debian's archive ({_KEYRING}) are missing: package debian-archive-keyring")


def _machine() -> str:
    """Debian's name for the architecture of this machine."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _foreign(architecture: str) -> bool:
    return architecture != _machine()


# --- Kept until the recipe changes ------------------------------------------------------------------------------------


def _kept(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``cache/name-HASH``, filled by ``make`` if it is not there: whole or not at all, by one process."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = cache / f"{name}-{recipe}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{name}.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as work:
                made = Path(work) / "made"
                made.mkdir(mode=0o755)
                make(made)
                made.rename(folder)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that the operating system drops when the process ends, however it does."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Making -----------------------------------------------------------------------------------------------------------


def _make_qemu(folder: Path) -> None:
    work = folder.parent
    _unpack(_fetch(_machine(), _QEMU_RELEASE, ["qemu-user-static"], work / "apt"), work / "all")
    for program in _QEMU.values():
        shutil.move(work / "all" / "usr" / "bin" / program, folder / program)


def _make_root(architecture: str, release: str, folder: Path) -> None:
    for name in ("bin", "sbin", "lib"):    # as Debian is laid out since version 11
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    work = folder.parent
    _unpack(_fetch(architecture, release, [*_PACKAGES, *_ADDED[architecture]], work / "device"), folder)
    _finish(folder)
    _unpack(_fetch(_machine(), release, ["python3-minimal"], work / "native"), work / "python")
    _compile_python(folder, work / "python")


def _fetch(architecture: str, release: str, packages: Iterable[str], state: Path) -> list[Path]:
    """Downloads packages and what they depend on, verified by apt: the ``.deb`` files, in a folder of ``state``."""
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    trust = f"arch={architecture} signed-by={_KEYRING}"
    (state / "sources.list").write_text(f"deb [{trust}] {_mirror()} {release} main\n", encoding="utf-8")
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Check-Valid-Until": "false",    # a release that is no longer renewed is as good here
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
        "Debug::NoLocking": "true",
        "Dir::Cache::archives": state / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/nonexistent",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
    _run([*apt, "update", "--error-on=any"], "fetching the list of packages")
    _run([*apt, "--yes", "--no-install-recommends", "--download-only", "install", *packages], "fetching packages")
    return sorted((state / "archives").glob("*.deb"))


@functools.cache
def _mirror() -> str:
    """The Debian archive that the machine's own apt uses."""
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        return named
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    addresses = sorted(set(_run(targets, "asking apt for its archive").split()))
    for address in addresses:
        if address.rstrip("/").endswith("/debian"):
            return address
    found = ", ".join(addresses) or "none"
    raise UnavailableError(f"apt knows no archive of Debian (it has: {found}); set {MIRROR_VARIABLE}")


def _unpack(packages: list[Path], folder: Path) -> None:
    """Takes packages apart into one folder, without their documentation; and throws them away."""
    folder.mkdir(exist_ok=True)
    left_out = [f"--exclude=./usr/share/{name}/*" for name in ("doc", "man", "locale", "info", "lintian")]

    def unpack(package: Path) -> None:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as reading:
            into = ["tar", "--extract", "--keep-directory-symlink", f"--directory={folder}", *left_out]
            subprocess.run(into, stdin=reading.stdout, check=True)
        if reading.returncode:
            raise RuntimeError(f"dpkg-deb cannot read {package.name}")
        package.unlink()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(unpack, packages))


def _finish(root: Path) -> None:
    """What the packages' scripts would have done, as far as Python and ssh need it, and the user ``pi``."""
    etc = root / "etc"
    users = (root / "usr/share/base-passwd/passwd.master").read_text(encoding="utf-8").replace("root:*:", "root:x:")
    groups = (root / "usr/share/base-passwd/group.master").read_text(encoding="utf-8")
    users += f"sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\npi:x:{PI}:{PI}::/home/pi:/bin/bash\n"
    (etc / "passwd").write_text(users, encoding="utf-8")
    (etc / "group").write_text(f"{groups}pi:x:{PI}:\n", encoding="utf-8")
    (etc / "hostname").write_text("raspberrypi\n", encoding="utf-8")
    (etc / "hosts").write_text("127.0.0.1 localhost raspberrypi\n", encoding="utf-8")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="utf-8")
    for name in ("dev", "etc/ssh", "home/pi", "proc", "root", "run/sshd", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    for library in ("blas", "lapack"):    # the work of update-alternatives
        for file in (root / "usr/lib").glob(f"*/{library}/lib{library}.so.3"):
            (file.parents[1] / file.name).symlink_to(f"{library}/{file.name}")


def _compile_python(root: Path, native: Path) -> None:
    """Python's bytecode, which its packages' scripts make: an import without it takes three times as long.

    It is the same on every architecture, so this machine's build of that very Python makes it, in seconds. The modules
    that it runs on are those that it compiles.
    """
    (library,) = (root / "usr/lib").glob("python3.[0-9]*")
    (program,) = (native / "usr/bin").glob("python3.[0-9]*")
    (loader,) = (native / "lib").glob("*/ld-linux-*.so.*")
    start = [loader, "--library-path", f"{loader.parent}:{native}/usr/lib/{loader.parent.name}", program, "-S"]
    folders = [library, root / "usr/lib/python3/dist-packages"]
    sources = [file for folder in folders for file in folder.rglob("*.py") if _worth_compiling(file)]
    done = subprocess.run(
        [*start, "-c", _COMPILE, root],
        input="\n".join(map(str, sources)),
        env={"PYTHONHOME": str(root / "usr"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"Python's modules could not be compiled: {done.stderr[-500:]}")


def _worth_compiling(file: Path) -> bool:
    return not _SELDOM & set(file.parts) and file.is_file()    # sitecustomize.py is a link to what may not be there


def _run(command: list[str | Path], what: str) -> str:
    """What a program prints.

    Raises:
        UnavailableError: It failed; with the last line that it wrote.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-1:]
        raise UnavailableError(f"{what} failed: {' '.join(last) or f'exit code {done.returncode}'}")
    return done.stdout
