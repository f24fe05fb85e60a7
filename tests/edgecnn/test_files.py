"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256_bytes, sha256_file, sha256_tree, whole_file, whole_folder, write_bytes, write_json


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


def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(ValueError, match="stop"), whole_folder(path) as temporary:
        (temporary / "a").write_text("a")
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []
    with whole_folder(path) as temporary:
        (temporary / "a").write_text("a")
    assert (path / "a").read_text() == "a"
    with pytest.raises(EdgecnnError, match="exists already"), whole_folder(path):
        pass
    assert (path / "a").read_text() == "a"


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
    from edgecnn.files import readable_os_errors

    with pytest.raises(EdgecnnError, match="disk is full"), readable_os_errors(Path("/dev/full"), "write"):
        descriptor = os.open("/dev/full", os.O_WRONLY)
        try:
            os.write(descriptor, b"x")
        finally:
            os.close(descriptor)


def test_json_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"x")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"    # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "a") == known == sha256_bytes(b"abc")
    both = [tmp_path / "a", tmp_path / "b"]
    assert sha256_tree(both, tmp_path) == sha256_tree(both[::-1], tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert sha256_tree([tmp_path / "a", tmp_path / "c"], tmp_path) != sha256_tree([tmp_path / "a"], tmp_path)
