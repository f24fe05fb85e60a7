"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgecnn.cli import main
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import (
    is_there,
    readable_os_errors,
    require_file,
    sha256_bytes,
    sha256_file,
    sha256_tree,
    whole_file,
    write_bytes,
    write_files,
    write_json,
)


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.bin"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_stood_there_survives_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.bin"
    write_bytes(path, b"before")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]


def test_a_new_file_gets_the_usual_rights(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgecnnError, match="cannot write"):
        write_bytes(tmp_path / "file" / "below", b"")
    with pytest.raises(EdgecnnError, match="cannot write"):
        write_bytes(Path("/proc/edgecnn/file"), b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(EdgecnnError, match="disk is full"), readable_os_errors(Path("/dev/full"), "write"):
        descriptor = os.open("/dev/full", os.O_WRONLY)
        try:
            os.write(descriptor, b"x")
        finally:
            os.close(descriptor)


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number), "some/file")


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EIO, errno.ENAMETOOLONG]
)
def test_who_reads_gets_no_advice_on_writing(number: int) -> None:
    expected = pytest.raises(EdgecnnError, match=r"^cannot read some/file: .*\.$")
    with expected as caught, readable_os_errors(Path("x"), "read"):
        raise refusal(number)
    assert "--out" not in str(caught.value)
    assert "write" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC])
def test_who_writes_is_told_of_another_folder(number: int) -> None:
    expected = pytest.raises(EdgecnnError, match=r"^cannot write some/file: .*--out\.$")
    with expected, readable_os_errors(Path("x"), "write"):
        raise refusal(number)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "is a folder, not a file"),
        (tmp_path / "gone", "no such file"),
        (tmp_path / "gone" / "below", "no such file"),
        (Path("x" * 5000), r"cannot read x{100}…x{20}: The name is longer than the file system allows\.$"),
        (Path("nul\0"), "no such file"),
    ):
        with pytest.raises(UsageError, match=message):
            require_file(path)
        assert is_there(path) is (path == tmp_path)


def test_a_folder_that_may_not_be_entered(unprivileged: Path) -> None:
    locked = unprivileged / "locked"
    locked.mkdir(mode=0)
    with pytest.raises(UsageError, match="Permission denied: make the file readable"):
        require_file(locked / "file")
    assert not is_there(locked / "file")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("summary", f"{'x' * 5000}.tflite"), 2),
        (("summary", f"{'x' * 5000}.keras"), 2),
        (("summary", "x" * 5000), 2),
        (("evaluate", "x" * 5000), 2),
        (("evaluate", f"{'x' * 5000}.tflite"), 2),
        (("train", "x" * 5000), 2),
        (("export", f"{'x' * 5000}.tflite", "--to", "c-array"), 2),
        (("data", f"./{'x' * 5000}"), 2),
    ],
    ids=lambda value: " ".join(value).replace("x" * 5000, "xxx") if isinstance(value, tuple) else str(value),
)
def test_a_name_too_long_is_one_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    said = capfd.readouterr()
    assert left.value.code == code, said.err
    assert said.err.startswith("Error: ")
    assert said.out == ""
    assert "mistake in edgecnn" not in said.err


def test_json_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_several_files_are_all_written_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "first.c", tmp_path / "b" / "second.h"
    write_files({first: "one\n", second: "two\n"})
    assert (first.read_bytes(), second.read_bytes()) == (b"one\n", b"two\n")
    for obstacle in ("a/third.c", "b/third.c"):
        (tmp_path / obstacle).mkdir()
        with pytest.raises(EdgecnnError, match=rf"^cannot write {tmp_path / obstacle}: It is a folder, not a file\.$"):
            write_files({first: "new", tmp_path / obstacle: "new", second: "new"})
        assert (first.read_bytes(), second.read_bytes()) == (b"one\n", b"two\n")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*"))
    assert found == ["a/first.c", "a/third.c", "b/second.h", "b/third.c"]


def test_an_error_names_the_file_that_was_asked_for(unprivileged: Path) -> None:
    (unprivileged / "folder").mkdir()
    with pytest.raises(EdgecnnError, match=rf"^cannot write {unprivileged / 'folder'}: It is a folder"):
        write_bytes(unprivileged / "folder", b"")
    (unprivileged / "locked").mkdir(mode=0o555)
    with pytest.raises(EdgecnnError, match=rf"^cannot write {unprivileged / 'locked' / 'file.c'}: Permission denied"):
        write_bytes(unprivileged / "locked" / "file.c", b"")


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"x")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"    # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "a") == known == sha256_bytes(b"abc")
    both = [tmp_path / "a", tmp_path / "b"]
    assert sha256_tree(both, tmp_path) == sha256_tree(both[::-1], tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert sha256_tree([tmp_path / "a", tmp_path / "c"], tmp_path) != sha256_tree([tmp_path / "a"], tmp_path)
