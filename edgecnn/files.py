"""Files written whole or not at all, and what identifies their content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError, UsageError


def require_file(path: Path) -> None:
    """Refuse a path that names no file, before anything is tried on it.

    Raises:
        UsageError: There is nothing there, or a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file.")
    if not path.is_file():
        raise UsageError(f"{path}: no such file.")


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_tree(paths: list[Path], root: Path) -> str:
    """SHA-256 over the names (relative to ``root``) and contents of many files, independent of the order given."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def readable_os_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn the operating system's refusals below ``path`` into one sentence that says what to do."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "The disk is full: free some space or choose another folder with --out.",
            errno.EDQUOT: "The disk quota is used up: free some space or choose another folder with --out.",
            errno.EACCES: "Permission denied: choose a folder you may write to with --out.",
            errno.EPERM: "Not permitted: choose a folder you may write to with --out.",
            errno.EROFS: "The file system is read-only: choose another folder with --out.",
            errno.ENOTDIR: "A part of the path is a file, not a folder.",
            errno.EISDIR: "It is a folder, not a file.",
            errno.ENOENT: "It does not exist.",
        }.get(error.errno or 0, (error.strerror or str(error)) + ".")
        raise EdgecnnError(f"cannot {doing} {error.filename or path}: {advice}") from error


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the name ``path`` when the block ends without an error.

    The temporary name keeps the suffix, because libraries choose formats by it. On any exception, Ctrl-C
    included, the temporary file goes and whatever stood at ``path`` stays.

    Raises:
        EdgecnnError: The folder cannot be written to or the disk is full.
    """
    with readable_os_errors(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """A folder beside ``path`` to fill; it takes the name ``path`` when the block ends without an error.

    Raises:
        EdgecnnError: ``path`` exists, holds files and ``replace`` is false, or the place cannot be written to.
    """
    with readable_os_errors(path, "write"):
        if path.exists() and not replace and (not path.is_dir() or any(path.iterdir())):
            raise EdgecnnError(f"{path} exists already. Choose another folder with --out, or remove it first.")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with ``\\n`` line ends, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
