"""A watched folder: every complete file once, its result beside it, whatever lies in between."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from edgecnn.serve.watch import Watch
from tests.edgecnn.serve.serving import DIGITS, digits, labels_and_scores, serving
from tests.support import Cli


def test_files_are_predicted_as_evaluate_does(tmp_path: Path) -> None:
    raw = digits(8)
    folder = tmp_path / "in box"
    folder.mkdir()
    np.save(folder / "old.npy", raw[0])
    expected = labels_and_scores(DIGITS, raw)
    with serving(tmp_path, DIGITS, "--watch", "in box", "--interval", "0.05") as served:
        assert served.first["source"] == "watch"
        for number in range(1, 8):
            np.save(tmp_path / "part.npy", raw[number])
            (tmp_path / "part.npy").replace(folder / f"{number}.npy")
            found = served.line()
            assert found["file"] == str(Path("in box") / f"{number}.npy")
            assert (found["label"], found["score"]) == expected[number]
        (folder / "bad.png").write_bytes(b"no")
        assert "not an image" in served.line()["error"]
        (folder / "notes.md").write_text("of no interest")
        (folder / ".hidden.npy").write_bytes(b"")
        np.save(folder / "1.npy", raw[2])    # changed: once more
        found = served.line()
        assert (found["file"], found["label"]) == (str(Path("in box") / "1.npy"), expected[2][0])
        stored = json.loads((folder / "1.npy.json").read_text(encoding="utf-8"))
        assert stored == found
        assert served.end() == 0
    assert not (folder / "old.npy.json").exists()
    assert len(list(folder.glob("*.json"))) == 8


def test_existing_files_and_a_folder_for_results(tmp_path: Path) -> None:
    raw = digits(3)
    (tmp_path / "in").mkdir()
    for number, sample in enumerate(raw):
        np.save(tmp_path / "in" / f"{number}.npy", sample)
    with serving(
        tmp_path, DIGITS, "--watch", "in", "--interval", "0.05", "--existing", "--done", "out/deep"
    ) as served:
        found = [served.line() for _ in raw]
        assert [(one["label"], one["score"]) for one in found] == labels_and_scores(DIGITS, raw)
        assert served.end() == 0
    assert sorted(path.name for path in (tmp_path / "out" / "deep").iterdir()) == [f"{n}.npy.json" for n in range(3)]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [f"{n}.npy" for n in range(3)]


def test_a_folder_that_goes_away_ends_it_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with serving(tmp_path, DIGITS, "--watch", "in", "--interval", "0.05") as served:
        (tmp_path / "in").rmdir()
        assert served.process.wait(timeout=120) == 1
    assert "cannot read in: It does not exist." in (tmp_path / "said.txt").read_text(encoding="utf-8")


def test_results_that_cannot_be_written(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "file").write_text("")
    said = cli("serve", DIGITS, "--watch", "in", "--done", "file/below", code=1).stderr
    assert "cannot write" in said


def test_a_file_that_still_grows_waits(tmp_path: Path) -> None:
    watch = Watch(tmp_path, "image", existing=False)
    path = tmp_path / "a.PNG"
    path.write_bytes(b"1")
    assert watch.complete() == []
    path.write_bytes(b"12")
    assert watch.complete() == []
    assert watch.complete() == [path]
    assert watch.complete() == []


def test_what_was_there_is_left_alone_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"1")
    watch = Watch(tmp_path, "image", existing=False)
    assert watch.complete() == [] and watch.complete() == []
    path.write_bytes(b"123")
    assert watch.complete() == []
    assert watch.complete() == [path]
    path.unlink()
    assert watch.complete() == []
    path.write_bytes(b"123")    # a new one of that name
    assert watch.complete() == []
    assert watch.complete() == [path]


def test_only_regular_files_with_a_samples_name(tmp_path: Path) -> None:
    watch = Watch(tmp_path, "audio", existing=False)
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "dead.wav").symlink_to("nowhere")
    (tmp_path / "x.png").write_bytes(b"1")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "a.wav").write_bytes(b"1")
    watch.complete()
    assert watch.complete() == [tmp_path / "a.wav"]
