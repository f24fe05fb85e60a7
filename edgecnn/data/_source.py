"""Files in a folder or in a zip, listed by name and read one by one. Nothing is unpacked to disk."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edgecnn.data.base import SplitName
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import readable_os_errors, sha256_file, sha256_tree

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")
_MOST_BYTES = 1 << 28    # of one file in a zip: what unpacks to more is no sample

Parts = tuple[str, ...]


class Source(Protocol):
    """A folder or a zip.

    Attributes:
        path: Where it is.
        files: Those of the wanted kind by the parts of their names, sorted; the value is what ``read`` takes.
        folders: All its folders, empty ones too, by the parts of their names.
    """

    path: Path
    files: dict[Parts, str]
    folders: set[Parts]

    def read(self, key: str) -> bytes:
        """The bytes of one file."""

    def where(self, key: str) -> str:
        """One file's name, for messages."""

    def digest(self, split: SplitName, keys: list[str]) -> dict[str, str]:
        """SHA-256 of what holds these files."""


class FolderSource:
    """Files below a folder. Symbolic links are followed, but not back into a folder they are in."""

    def __init__(self, path: Path, suffixes: tuple[str, ...]) -> None:
        self.path = path
        self.files: dict[Parts, str] = {}
        self.folders: set[Parts] = set()
        for parts, is_folder in sorted(_walk(path, (), ())):
            if is_folder:
                self.folders.add(parts)
            elif parts[-1].lower().endswith(suffixes):
                self.files[parts] = "/".join(parts)

    def read(self, key: str) -> bytes:
        """The bytes of one file."""
        with readable_os_errors(self.path / key, "read"):
            return (self.path / key).read_bytes()

    def where(self, key: str) -> str:
        """The file's path."""
        return str(self.path / key)

    def digest(self, split: SplitName, keys: list[str]) -> dict[str, str]:
        """One digest over the names and contents of the files given."""
        name = f"{self.path.resolve().name}: {split} files"
        with readable_os_errors(self.path, "read"):
            return {name: sha256_tree([self.path / key for key in keys], self.path)}


class ZipSource:
    """Files in a zip file. Names are only ever looked at, so none can lead out of the archive."""

    def __init__(self, path: Path, suffixes: tuple[str, ...]) -> None:
        self.path = path
        self.files: dict[Parts, str] = {}
        self.folders: set[Parts] = set()
        try:
            with readable_os_errors(path, "read"):
                self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise EdgecnnError(
                f"{path}: not a readable zip file ({error}). Supported: a folder or a .zip. "
                "If it was downloaded, get it again."
            ) from error
        found = {}
        for entry in self._archive.infolist():
            name = entry.filename.replace("\\", "/")    # as some Windows tools write them
            parts = tuple(part for part in name.split("/") if part)
            if not parts or any(_is_ignored(part) for part in parts):
                continue
            self.folders.update(parts[:depth] for depth in range(1, len(parts)))
            if name.endswith("/"):
                self.folders.add(parts)
            elif parts[-1].lower().endswith(suffixes):
                found[parts] = entry.filename
        self.files = dict(sorted(found.items()))

    def read(self, key: str) -> bytes:
        """The bytes of one member."""
        try:
            entry = self._archive.getinfo(key)
            if entry.file_size > _MOST_BYTES:
                raise EdgecnnError(
                    f"{self.where(key)}: unpacks to {entry.file_size} bytes, at most {_MOST_BYTES} are read. Remove it."
                )
            if entry.flag_bits & 0x1:
                raise EdgecnnError(f"{self.path}: the zip is encrypted. Unpack it and give the folder.")
            return self._archive.read(entry)
        except EdgecnnError:
            raise
        except Exception as error:    # zipfile, zlib, lzma, struct: whatever notices first that the bytes are wrong
            raise EdgecnnError(
                f"{self.where(key)}: cannot be unpacked ({error}). The zip is damaged: get it again."
            ) from error

    def where(self, key: str) -> str:
        """The zip's path and the name inside it."""
        return f"{self.path}: {key}"

    def digest(self, split: SplitName, keys: list[str]) -> dict[str, str]:
        """The digest of the zip itself."""
        del split, keys
        return {self.path.name: sha256_file(self.path)}


def open_source(path: Path, suffixes: tuple[str, ...] = IMAGES, like: str = "train/<class>/*.png") -> Source:
    """The folder or zip at ``path``.

    Args:
        path: A folder or a ``.zip``.
        suffixes: Of the files that are listed, in lower case.
        like: What such a tree looks like, for messages.

    Raises:
        UsageError: There is nothing of that name.
        EdgecnnError: It is neither a folder nor a readable zip.
    """
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:    # too long a name, or a folder above it that may not be entered
        raise UsageError(f"{path}: cannot be looked at: {error.strerror}. Give a folder or a zip.") from error
    if not is_there:
        raise UsageError(f"{path}: no such file or folder. data.path is a folder or zip with {like}")
    return FolderSource(path, suffixes) if is_folder else ZipSource(path, suffixes)


def _walk(folder: Path, parts: Parts, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[Parts, bool]]:
    """Names below ``folder`` as parts, and whether each is a folder; ``above`` identifies the folders it is in."""
    try:
        here = folder.stat()
        identity = (here.st_dev, here.st_ino)
        if identity in above:
            return
        with os.scandir(folder) as entries:
            listed = [entry for entry in entries if not _is_ignored(entry.name)]
    except OSError as error:
        raise EdgecnnError(f"cannot read the folder {folder}: {error.strerror}.") from error
    for entry in listed:
        name = (*parts, entry.name)
        try:
            entry.name.encode()
            mode = entry.stat().st_mode
        except UnicodeEncodeError as error:
            raise EdgecnnError(f"{folder}: the name {entry.name!r} is not UTF-8. Rename it.") from error
        except OSError:    # a link to nowhere: an error once it is read, if it is an image
            yield name, False
            continue
        if stat.S_ISDIR(mode):
            yield name, True
            yield from _walk(folder / entry.name, name, (*above, identity))
        elif stat.S_ISREG(mode):
            yield name, False


def _is_ignored(name: str) -> bool:
    """Hidden files and folders (``..`` among them), and what operating systems leave behind."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")

