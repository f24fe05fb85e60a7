"""``python -m firmware_export``: the compiler without edgecnn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_export.c_names import HEADERS, KEYWORDS, name_problem
from firmware_export.cli import write_files
from firmware_export.compiler import compile_model
from tests.small_networks import convolutions

# As `python -m firmware_export` does, with edgecnn as good as not installed; says at the end what was imported.
ALONE = """
import runpy, sys

sys.modules["edgecnn"] = None    # what Python does for a module that must not be found
try:
    runpy.run_module("firmware_export", run_name="__main__", alter_sys=True)
finally:
    roots = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
    print("IMPORTED", *sorted(roots - set(sys.stdlib_module_names)), file=sys.stderr)
"""


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.tflite").write_bytes(convolutions())
    return tmp_path


def test_writes_what_the_compiler_makes_and_needs_numpy_alone(folder: Path) -> None:
    done = run(folder, "net.tflite", "--out", "firmware", "--json")
    imported = set(done.stderr.partition("IMPORTED")[2].split()) - {"sitecustomize", "usercustomize"}
    assert imported - {name for name in imported if name.startswith("_")} == {"numpy", "firmware_export"}
    document = json.loads(done.stdout)
    compiled = compile_model((folder / "net.tflite").read_bytes(), "net.tflite", "net")
    assert [Path(path).name for path in document["files"]] == list(compiled.files)
    for file, text in compiled.files.items():
        assert (folder / "firmware" / file).read_bytes() == text.encode()
    assert sorted(path.name for path in (folder / "firmware").iterdir()) == sorted(compiled.files)
    assert document["arena_bytes"] == compiled.plan.arena_bytes
    assert document["push_arena_bytes"] == (compiled.plan.push.arena_bytes if compiled.plan.push else None)
    assert document["lower_bound_bytes"] == compiled.plan.lower_bound


def test_name_and_single_header(folder: Path) -> None:
    said = run(folder, "net.tflite", "--out", "out", "--name", "mine", "--single-header").stdout
    assert said.splitlines()[0] == f"wrote  {Path('out', 'mine.h')}"
    assert [path.name for path in (folder / "out").iterdir()] == ["mine.h"]
    assert "MINE_IMPLEMENTATION" in (folder / "out" / "mine.h").read_text()


def test_help_has_an_example(folder: Path) -> None:
    assert "python -m firmware_export model.tflite --out firmware" in run(folder, "--help").stdout


def test_help_fits_80_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, run(folder, "--help").stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.tflite", "--out", "o"], 2, "Error: none.tflite: No such file or directory."),
        ([".", "--out", "o", "--name", "n"], 2, "Error: .: Is a directory."),
        (["notes.txt", "--out", "o"], 1, "Error: notes.txt: not a TFLite model"),
        (["real.tflite", "--out", "o"], 1, "Error: real.tflite: node 0 CONV_2D"),
        (["net.tflite", "--out", "notes.txt"], 1, "Error: notes.txt: File exists."),
        (["net.tflite", "--out", "o", "--name", "a-b"], 2, "Error: --name a-b: not a C identifier"),
        (["net.tflite/x.tflite", "--out", "o"], 2, "Error: net.tflite/x.tflite: Not a directory."),
        (["real.tflite", "--out", "o"], 1, "(TFLiteConverter: inference_input_type and inference_output_type int8; "),
        (["net.tflite", "--out", "net.tflite/o"], 1, "Error: net.tflite/o: Not a directory."),
        (["net.tflite"], 2, "the following arguments are required: --out"),
        (["net.tflite", "--out", "o", "--nmae", "x"], 2, "unrecognized arguments: --nmae x"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(folder: Path, arguments: list[str], code: int, words: str) -> None:
    (folder / "notes.txt").write_text("hello, I am not a model")
    (folder / "real.tflite").write_bytes(convolutions(float_input=True))
    before = sorted(folder.iterdir())
    done = run(folder, *arguments, code=code)
    assert words in done.stderr
    assert done.stdout == ""
    assert sorted(folder.iterdir()) == before


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_files(tmp_path / "a" / "b", {"x.h": "one\n", "x.c": "two\n"})
    assert (tmp_path / "a" / "b" / "x.c").read_bytes() == b"two\n"
    with pytest.raises(UnicodeEncodeError):
        write_files(tmp_path / "a" / "b", {"x.h": "three\n", "x.c": "\ud800"})
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["x.c", "x.h"]
    assert (tmp_path / "a" / "b" / "x.h").read_bytes() == b"one\n"
    os.umask(umask := os.umask(0))
    assert (tmp_path / "a" / "b" / "x.h").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_obstacle_is_named_and_no_file_is_replaced(folder: Path) -> None:
    run(folder, "net.tflite", "--out", "out")
    (folder / "out" / "net_kernels.h").unlink()
    (folder / "out" / "net_kernels.h").mkdir()
    before = {path: path.stat().st_ino for path in (folder / "out").iterdir()}
    done = run(folder, "net.tflite", "--out", "out", code=1)
    assert done.stderr.splitlines()[0] == f"Error: {Path('out', 'net_kernels.h')}: Is a directory."
    assert {path: path.stat().st_ino for path in (folder / "out").iterdir()} == before


# Names.


@pytest.mark.parametrize("name", ["string", "Math", "stdint", "int", "constexpr"])
def test_names_of_the_language_are_refused_with_one_that_works(name: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert problem.endswith(f"Try: {name}_net")
    assert name_problem(f"{name}_net") is None


def test_no_suggestion_is_a_name_of_the_language() -> None:
    for name in HEADERS | KEYWORDS:
        problem = name_problem(f"-{name}-")
        assert problem is not None
        assert name_problem(problem.rsplit("Try: ", 1)[1]) is None
