"""Files written whole or not at all, and what identifies their content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from edgecnn.errors import EdgecnnError, UsageError


def is_there(path: Path) -> bool:
    """Whether a file or folder exists, as far as this user can see."""
    try:
        return path.exists()
    except OSError:    # a folder on the way may not be entered, or the name is too long
        return False


def require_file(path: Path) -> None:
    """Refuse a path that names no file, before anything is tried on it.

    Raises:
        UsageError: There is nothing there, or a folder; or the system does not let this user look.
    """
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        path.stat()    # newer Pythons answer False above where older ones raise
    except (FileNotFoundError, NotADirectoryError, ValueError):    # ValueError: a null character in the name
        raise UsageError(f"{_shown(path)}: no such file.") from None
    except OSError as error:
        raise UsageError(f"cannot read {_shown(path)}: {_advice(error, 'read')}") from error
    if is_folder:
        raise UsageError(f"{path} is a folder, not a file.")
    if not is_file:
        raise UsageError(f"{path} is not a regular file.")


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


Doing = Literal["read", "write"]

_WRITE_ADVICE = {
    errno.ENOSPC: "The disk is full: free some space or choose another folder with --out.",
    errno.EDQUOT: "The disk quota is used up: free some space or choose another folder with --out.",
    errno.EACCES: "Permission denied: choose a folder you may write to with --out.",
    errno.EPERM: "Not permitted: choose a folder you may write to with --out.",
    errno.EROFS: "The file system is read-only: choose another folder with --out.",
}
_READ_ADVICE = {
    errno.EACCES: "Permission denied: make the file readable, and every folder on the way to it, or copy it elsewhere.",
    errno.EPERM: "Not permitted: copy it to a place that you may read from.",
    errno.EIO: "Input or output error: the disk may be failing, take another copy.",
}
_ANY_ADVICE = {
    errno.ENOTDIR: "A part of the path is a file, not a folder.",
    errno.EISDIR: "It is a folder, not a file.",
    errno.ENOENT: "It does not exist.",
    errno.ENAMETOOLONG: "The name is longer than the file system allows.",
}
_LONGEST_SHOWN = 200


def _advice(error: OSError, doing: Doing) -> str:
    """What happened, and what to do, for one who reads or one who writes."""
    own = _WRITE_ADVICE if doing == "write" else _READ_ADVICE
    return {**_ANY_ADVICE, **own}.get(error.errno or 0, (error.strerror or str(error)).rstrip(".") + ".")


def _shown(path: object) -> str:
    """A path for a message: one too long for a file system is too long for a reader."""
    text = str(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN // 2]}…{text[-20:]}"


@contextlib.contextmanager
def readable_os_errors(path: Path, doing: Doing) -> Iterator[None]:
    """Turn the operating system's refusals below ``path`` into one sentence that says what to do.

    Raises:
        EdgecnnError: In place of an ``OSError``, with the advice for one who reads or one who writes.
    """
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or path    # of a failed renaming, the name that was to be taken
        raise EdgecnnError(f"cannot {doing} {_shown(where)}: {_advice(error, doing)}") from error


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
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        except OSError as error:
            error.filename = str(path)    # nobody asked for the temporary name
            raise
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


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with ``\\n`` line ends, whole or not at all."""
    write_bytes(path, text.encode())


def write_files(texts: Mapping[Path, str]) -> None:
    """Write several files as UTF-8 with ``\\n`` line ends, all of them or none.

    All are written beside their places, down to the disk, before the first takes its name.

    Raises:
        EdgecnnError: A folder cannot be written to, the disk is full, or a folder has the name of one of the files.
    """
    with contextlib.ExitStack() as stack:
        for path, text in texts.items():
            temporary = stack.enter_context(whole_file(path))
            with temporary.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        for path in texts:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
