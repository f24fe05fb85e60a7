"""The installer: runs on the other machine, as a program of its own that needs nothing but Python.

It is sent as text (``connection.Connection.call``) and imports only the standard library; its syntax is that of
Python 3.7, so that an old Python can still say how old it is.

Below ``root`` (``~/.local/share/edgecnn``)::

    .incoming/<sha256>            what was sent, one file a content; a whole one is not sent again
    .lib/<hash>/                  the packages of one list of wheels, or edgecnn itself, for all that was made with it
    .files/<sha256>.<suffix>      models and samples that are measured; those of the last week
    .harness/<id>/                edgecnn for ``bench --on ssh://…``: run, code and lib as below
    <name>/versions/<id>/         a deployment: model, contract, self-test, run, code and lib -> ../../../.lib/<hash>
    <name>/current -> versions/<id>      what answers
    <name>/previous -> versions/<id>     what ``--rollback`` goes back to

Everything is made beside its place and renamed when it is whole; ``current`` is replaced by one rename, after the
self-test. So a cut at any moment leaves what answers as it was.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from typing import Any, Iterator

MARK = "EDGECNN "
KEPT = 3    # versions of a name
_LOCK_S = 30
_SELF_TEST_S = 600
_STALE_S = 7 * 24 * 3600    # a blob that nobody came back for
_ID = re.compile(r"[0-9a-f]{8,64}")
_LIST = "archives.json"    # in a folder of packages, what they were unpacked from
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

RUN = """#!{python} -I
import os, sys

here = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(here, "code"), os.path.join(here, "lib")]
if not sys.argv[1:] or sys.argv[1].startswith("-"):
    sys.argv[1:1] = ["serve", here, "--runtime", {runtime!r}]
from edgecnn.cli import main

main()
"""
"""``run`` of a version: ``edgecnn`` with what it was deployed with; with options alone it serves the model."""


class DeviceError(Exception):
    """What the user is told."""


def main(parameters: dict[str, Any]) -> None:
    """Do ``parameters["action"]`` and print its answer.

    Args:
        parameters: ``root``; ``action``, a key of ``ACTIONS``; and what that function takes.
    """
    try:
        os.umask(0o022)    # a service's user must be able to read it
        root = os.path.abspath(os.path.expanduser(parameters["root"]))
        rest = {key: value for key, value in parameters.items() if key not in ("action", "root")}
        message = {"answer": ACTIONS[parameters["action"]](root, **rest)}
    except DeviceError as error:
        message = {"error": str(error)}
    except OSError as error:
        message = {"error": _os_error(error)}
    _say(message)


def _say(message: dict[str, Any]) -> None:
    # Nobody listens any more: what was begun is finished all the same, or not, but never half.
    with contextlib.suppress(BrokenPipeError):
        print(MARK + json.dumps(message), flush=True)


def _os_error(error: OSError) -> str:
    advice = {
        errno.ENOSPC: "The disk is full: free some space.",
        errno.EDQUOT: "The disk quota is used up: free some space.",
        errno.EROFS: "The file system is read-only: an SD card that fails is mounted so.",
        errno.EACCES: "Permission denied: it belongs to another account.",
    }.get(error.errno or 0, error.strerror or str(error))
    return "{}: {} What answers there is as it was.".format(error.filename or "its disk", advice)


# Blobs


def begin(root: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Which blobs are still to be sent, and where to.

    Args:
        root: See above.
        manifest: See ``edgecnn.remote.bundle``.

    Returns:
        ``incoming``: folder to send to; ``wanted``: sha256 of what is not there yet.
    """
    if sys.version_info < (3, 10):
        raise DeviceError("its Python is {}.{}; 3.10 or newer is needed.".format(*sys.version_info))
    incoming = os.path.join(root, ".incoming")
    os.makedirs(incoming, exist_ok=True)
    entries = list(manifest["files"])
    unpacked = 0
    for lib, archives in _libs(manifest):
        if not _is_lib(root, lib):
            entries += archives
            unpacked += sum(entry["unpacked"] for entry in archives)
    sizes = {entry["sha256"]: entry["bytes"] for entry in entries}
    wanted = [sha for sha, count in sizes.items() if not _is_blob(os.path.join(incoming, sha), sha, count)]
    needed = sum(sizes[sha] for sha in wanted) + unpacked + sum(entry["bytes"] for entry in manifest["files"])
    free = shutil.disk_usage(root).free
    if free < needed * 1.05:
        raise DeviceError(
            f"{needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free on the disk of {root}. "
            "Free some space. Nothing was copied."
        )
    return {"incoming": incoming, "wanted": wanted}


def _is_blob(path: str, sha: str, count: int) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) == count and _sha256(path) == sha


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _blob(root: str, entry: dict[str, Any]) -> str:
    """Path of a blob that arrived whole."""
    path = os.path.join(root, ".incoming", entry["sha256"])
    if not os.path.isfile(path):
        raise DeviceError("{} did not arrive. Deploy again.".format(entry["path"]))
    if not _is_blob(path, entry["sha256"], entry["bytes"]):
        os.remove(path)
        raise DeviceError(
            "{} arrived damaged (its checksum is wrong) and was removed. Deploy again; if it stays so, the disk or "
            "the network is failing.".format(entry["path"])
        )
    return path


# Installing


def install(root: str, name: str, manifest: dict[str, Any], test: bool = True) -> dict[str, Any]:
    """Install a version from blobs that are there, test it, switch to it, remove old ones.

    Args:
        root: See above.
        name: Of the deployment.
        manifest: See ``edgecnn.remote.bundle``.
        test: Run the self-test before the switch.

    Returns:
        ``id``, ``folder``, ``self_test``: what it printed, ``before``: id of what answered before, or None.
    """
    folder = _deployment(root, name)
    with _locked(root):
        version = _version_id(manifest)
        place = os.path.join(folder, "versions", version)
        _make_version(root, place, manifest)
        _say({"step": "testing"})
        tested = _self_test(place) if test else None
        if tested is not None:
            _write(os.path.join(place, "tested.json"), json.dumps(tested))
        os.sync()    # a power cut right after the switch must find the files, too
        before = _target(folder, "current")
        if before != version:
            if before is not None:
                _point(folder, "previous", before)
            _point(folder, "current", version)
        _say({"step": "removing old versions"})
        _collect(root, manifest)
        return {"id": version, "folder": place, "self_test": tested, "before": before}


def harness(root: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Install edgecnn for measuring, from blobs that are there.

    Returns:
        ``folder``: in which ``run``, ``code`` and ``lib`` are; ``files``: where what is measured goes.
    """
    with _locked(root):
        files = os.path.join(root, ".files")
        os.makedirs(files, exist_ok=True)
        _remove_stale(files, set())
        place = os.path.join(root, ".harness", _version_id(manifest))
        _make_version(root, place, manifest)
        _collect(root, manifest)
        return {"folder": place, "files": files}


def has(root: str, file: str, sha256: str) -> bool:
    """Whether a file that is to be measured is there whole; it is then kept for another week."""
    path = _inside(os.path.join(root, ".files"), file)
    there = os.path.isfile(path) and _sha256(path) == sha256
    if there:
        os.utime(path)
    return there


def _version_id(manifest: dict[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_version(root: str, place: str, manifest: dict[str, Any]) -> None:
    code, lib = (_make_lib(root, lib, archives) for lib, archives in _libs(manifest))
    if _is_version(place, manifest):
        return
    blobs = {entry["path"]: _blob(root, entry) for entry in manifest["files"]}
    new = _fresh(place)
    for name, blob in blobs.items():
        shutil.copyfile(blob, _inside(new, name))
    for link, target in (("code", code), ("lib", lib)):
        os.symlink(os.path.relpath(os.path.join(root, ".lib", target), place), os.path.join(new, link))
    _write(os.path.join(new, "run"), RUN.format(python=os.path.realpath(sys.executable), runtime=manifest["runtime"]))
    os.chmod(os.path.join(new, "run"), 0o755)
    _write(os.path.join(new, "installed.json"), json.dumps({"number": _next_number(place), "time": time.time()}))
    _write(os.path.join(new, "manifest.json"), json.dumps(manifest, indent=2))
    if os.path.isdir(place):    # damaged: it was there, and was not what it should be
        os.rename(place, _fresh(place + ".damaged") + "/old")
    os.rename(new, place)


def _is_version(place: str, manifest: dict[str, Any]) -> bool:
    """Whether it is there as it was installed; its packages are many files, which the self-test covers."""
    if not manifest or _json(os.path.join(place, "manifest.json")) != manifest:
        return False
    return all(_is_blob(_inside(place, e["path"]), e["sha256"], e["bytes"]) for e in manifest["files"])


def _next_number(place: str) -> int:
    """Counts installations of a name: the clock of a board without a battery says nothing about order."""
    beside = os.path.dirname(place)
    return max([_number(os.path.join(beside, other)) for other in os.listdir(beside)], default=0) + 1


def _number(place: str) -> int:
    return int(_installed(place).get("number", 0))


def _installed(place: str) -> dict[str, Any]:
    return _json(os.path.join(place, "installed.json"))


def _json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            value = json.load(stream)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def _fresh(place: str) -> str:
    """An empty folder beside ``place``, for what will take its name; what a cut one left goes."""
    new = os.path.join(os.path.dirname(place), "." + os.path.basename(place) + ".new")
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    return new


def _inside(folder: str, name: str) -> str:
    """The path of a name below a folder; refused where it would lie elsewhere."""
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isabs(name) or not path.startswith(folder + os.sep):
        raise DeviceError(f"{name!r} in the bundle leads out of its folder. It was not made by edgecnn.")
    return path


# Packages


def _libs(manifest: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What is installed once for many versions, by its hash: edgecnn itself, and the packages that it needs."""
    return [(_lib_hash(archives), archives) for archives in ([manifest["code"]], manifest["wheels"])]


def _lib_hash(archives: list[dict[str, Any]]) -> str:
    """What a list of archives is known by, whatever its order."""
    return hashlib.sha256("\n".join(sorted(archive["sha256"] for archive in archives)).encode()).hexdigest()[:16]


def _is_lib(root: str, lib: str) -> bool:
    return os.path.isfile(os.path.join(root, ".lib", lib, _LIST))


def _make_lib(root: str, lib: str, archives: list[dict[str, Any]]) -> str:
    if _is_lib(root, lib):
        return lib
    blobs = [_blob(root, archive) for archive in archives]
    new = _fresh(os.path.join(root, ".lib", lib))
    for archive, blob in zip(archives, blobs):
        _say({"step": "unpacking " + archive["path"].split("-")[0]})
        if archive["path"].endswith(".whl"):
            _unpack_wheel(blob, archive["path"], new)
        else:
            _unzip(blob, new)
    _write(os.path.join(new, _LIST), json.dumps(archives, indent=2))
    os.rename(new, os.path.join(root, ".lib", lib))
    return lib


def _unzip(archive: str, folder: str) -> None:
    with zipfile.ZipFile(archive) as source:
        for name in source.namelist():
            _inside(folder, name)
        source.extractall(folder)


def _unpack_wheel(archive: str, name: str, folder: str) -> None:
    """Unpack a wheel (PyPA binary distribution format) and hold every file against its RECORD."""
    with zipfile.ZipFile(archive) as source:
        records = [entry for entry in source.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", entry)]
        if len(records) != 1:
            raise DeviceError(f"{name} is no wheel: it has no RECORD.")
        sums = _record(source.read(records[0]).decode())
        for entry in source.infolist():
            if entry.is_dir():
                continue
            place = _wheel_place(entry.filename)
            data = source.read(entry)
            wanted = sums.get(entry.filename)
            if wanted is None and not re.fullmatch(r"[^/]+\.dist-info/RECORD(\.jws|\.p7s)?", entry.filename):
                raise DeviceError(f"{name}: {entry.filename} is not in its RECORD.")
            if wanted is not None and wanted != _sum(data):
                raise DeviceError(f"{name}: {entry.filename} is not as its RECORD says.")
            if place is None:
                continue
            path = _inside(folder, place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(data)


def _record(text: str) -> dict[str, str]:
    """File to checksum of a RECORD."""
    import csv

    return {row[0]: row[1] for row in csv.reader(text.splitlines()) if len(row) == 3 and row[1]}


def _sum(data: bytes) -> str:
    """A checksum as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _wheel_place(name: str) -> str | None:
    """Where a file of a wheel goes; None for scripts, headers and other data, which nothing here needs."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    kind, _, inner = rest.partition("/")
    return inner if kind in ("purelib", "platlib") else None


# Testing and switching


def _self_test(place: str) -> dict[str, Any]:
    """Run the version on the stored samples, in a process of its own.

    Raises:
        DeviceError: It predicts something else, or does not run.
    """
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]; "
        "from edgecnn.remote.self_test import main; main(sys.argv[3])"
    )
    command = [sys.executable, "-I", "-c", program, os.path.join(place, "code"), os.path.join(place, "lib"), place]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=_SELF_TEST_S)    # fmt: skip
    except subprocess.TimeoutExpired:
        raise DeviceError(f"the self-test took more than {_SELF_TEST_S} s.") from None
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith(MARK)]
    said = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    unchanged = "It was not switched to; what answered before still does."
    if not lines:
        how = f"code {done.returncode}: " + (said or ["no word"])[-1].rstrip(".")
        if done.returncode < 0:
            how = f"signal {-done.returncode}: a crash in native code, or no memory left"
        raise DeviceError(f"the self-test ended with {how}. {unchanged}")
    result: dict[str, Any] = json.loads(lines[-1][len(MARK) :])
    if "error" in result:
        raise DeviceError("the self-test failed: {} {}".format(result["error"], unchanged))
    return result


def _point(folder: str, link: str, version: str) -> None:
    """Make ``link`` point to a version: by one rename, so that there is always one."""
    new = os.path.join(folder, "." + link + ".new")
    with contextlib.suppress(FileNotFoundError):
        os.remove(new)
    os.symlink(os.path.join("versions", version), new)
    os.replace(new, os.path.join(folder, link))


def _target(folder: str, link: str) -> str | None:
    """The version that a link points to; None where there is none."""
    try:
        version = os.path.basename(os.readlink(os.path.join(folder, link)))
    except OSError:
        return None
    return version if os.path.isdir(os.path.join(folder, "versions", version)) else None


def _versions(place: str) -> list[str]:
    """The versions in a folder, the newest first."""
    found = [entry for entry in os.listdir(place) if _ID.fullmatch(entry)] if os.path.isdir(place) else []
    return sorted(found, key=lambda version: _number(os.path.join(place, version)), reverse=True)


def rollback(root: str, name: str) -> dict[str, Any]:
    """Switch back to the version that answered before; it is tested again first. Twice leads forward again.

    Returns:
        As ``install``.
    """
    folder = _existing(root, name)
    with _locked(root):
        current, wanted = _target(folder, "current"), _target(folder, "previous")
        if wanted is None or wanted == current:    # cut between the two links, or removed
            others = [version for version in _versions(os.path.join(folder, "versions")) if version != current]
            wanted = others[0] if others else None
        if wanted is None:
            raise DeviceError(f"{name} has no version to go back to.")
        place = os.path.join(folder, "versions", wanted)
        if not _is_version(place, _json(os.path.join(place, "manifest.json"))):
            raise DeviceError(f"{name}: a file of version {wanted} is not what was installed. Deploy it again.")
        _say({"step": "testing"})
        tested = _self_test(place)
        if current is not None:
            _point(folder, "previous", current)
        _point(folder, "current", wanted)
        return {"id": wanted, "folder": place, "self_test": tested, "before": current}


def status(root: str) -> list[dict[str, Any]]:
    """Everything that is deployed."""
    return [_status(root, name) for name in _names(root)]


def _status(root: str, name: str) -> dict[str, Any]:
    folder = os.path.join(root, name)
    current = _target(folder, "current")
    versions = []
    for version in _versions(os.path.join(folder, "versions")):
        place = os.path.join(folder, "versions", version)
        manifest = _json(os.path.join(place, "manifest.json"))
        versions.append({
            "id": version,
            "model": manifest.get("model", ""),
            "runtime": manifest.get("runtime", ""),
            "edgecnn": manifest.get("edgecnn", ""),
            "installed": _installed(place).get("time"),
            "self_test": _json(os.path.join(place, "tested.json")) or None,
        })    # fmt: skip
    return {
        "name": name,
        "folder": folder,
        "current": current,
        "previous": _target(folder, "previous"),
        "versions": versions,
        "bytes": _tree_bytes(folder),
    }


def _tree_bytes(folder: str) -> int:
    return sum(
        os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names
    )


def remove(root: str, name: str) -> dict[str, Any]:
    """Remove a deployment with all its versions, and packages that nothing else uses."""
    folder = _existing(root, name)
    with _locked(root):
        freed = shutil.disk_usage(root).free
        gone = os.path.join(root, ".gone-" + name)
        shutil.rmtree(gone, ignore_errors=True)
        os.rename(folder, gone)    # from here on it is not there, also if what follows is cut
        shutil.rmtree(gone, ignore_errors=True)
        _collect(root, None)
        return {"name": name, "freed_bytes": max(0, shutil.disk_usage(root).free - freed)}


# Housekeeping


def _collect(root: str, manifest: dict[str, Any] | None) -> None:
    """Remove old versions, packages that nothing uses, and blobs that are unpacked."""
    for place, links in _parents(root):
        needed = {*links, *_versions(place)[:KEPT]}
        for entry in os.listdir(place):    # a hidden one is what a cut installation left
            if entry not in needed:
                shutil.rmtree(os.path.join(place, entry), ignore_errors=True)
    used = {os.path.basename(os.readlink(link)) for link in _lib_links(root)}
    libs = os.path.join(root, ".lib")
    for lib in os.listdir(libs) if os.path.isdir(libs) else ():
        if lib not in used:
            shutil.rmtree(os.path.join(libs, lib), ignore_errors=True)
    done = {entry["sha256"] for entry in _entries(manifest)} if manifest else set()
    _remove_stale(os.path.join(root, ".incoming"), done)


def _remove_stale(folder: str, done: set[str]) -> None:
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if name in done or time.time() - os.path.getmtime(path) > _STALE_S:
            os.remove(path)


def _entries(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [*manifest["files"], manifest["code"], *manifest["wheels"]]


def _parents(root: str) -> Iterator[tuple[str, set[str]]]:
    """Folders in which versions lie, with those that a link of the deployment points to."""
    for name in _names(root):
        folder = os.path.join(root, name)
        place = os.path.join(folder, "versions")
        if os.path.isdir(place):
            links = {_target(folder, "current"), _target(folder, "previous")}
            yield place, {version for version in links if version is not None}
    place = os.path.join(root, ".harness")
    if os.path.isdir(place):
        yield place, set()


def _lib_links(root: str) -> Iterator[str]:
    for place, _ in _parents(root):
        for version in os.listdir(place):
            for name in ("code", "lib"):
                link = os.path.join(place, version, name)
                if os.path.islink(link):
                    yield link


def _names(root: str) -> list[str]:
    if not os.path.isdir(root):
        return []
    return sorted(n for n in os.listdir(root) if _NAME.fullmatch(n) and os.path.isdir(os.path.join(root, n)))


def _deployment(root: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DeviceError(f"{name!r} is no name for a deployment.")
    folder = os.path.join(root, name)
    os.makedirs(os.path.join(folder, "versions"), exist_ok=True)
    return folder


def _existing(root: str, name: str) -> str:
    names = _names(root)
    if name not in names:
        there = "There is: {}.".format(", ".join(names)) if names else "Nothing is deployed there."
        raise DeviceError(f"nothing is deployed under the name {name!r}. {there}")
    return os.path.join(root, name)


@contextlib.contextmanager
def _locked(root: str) -> Iterator[None]:
    """One installation at a time; the lock goes with the process."""
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, ".lock"), "w") as stream:
        until = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise DeviceError("another deployment to it is going on. Try again when it is done.") from None
                time.sleep(0.5)
        yield


ACTIONS: dict[str, Any] = {
    "begin": begin,
    "install": install,
    "harness": harness,
    "has": has,
    "rollback": rollback,
    "status": status,
    "remove": remove,
}
"""What it can do, by name."""
