"""A user's own images: which trees are understood, what is done to a picture, and what a bad one says."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data import DataSet, _image_decode, open_dataset, section_from_text
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.files import sha256_file
from edgecnn.recipe import DataSection

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def picture(
    value: int = 100, size: tuple[int, int] = (6, 4), mode: str = "RGB", kind: str = "PNG", **options: object
) -> bytes:
    """A picture of one colour; ``size`` is height and width."""
    colours = {"RGB": (value, 0, 0), "RGBA": (value, 0, 0, 128), "LA": (value, 9), "CMYK": (0, 0, 0, value)}
    colour = colours.get(mode, value)
    stream = io.BytesIO()
    Image.new(mode, size[::-1], colour).save(stream, kind, **options)
    return stream.getvalue()


def files_of(*folders: str, count: int = 5, **options: object) -> dict[str, bytes]:
    """``count`` different pictures below each folder."""
    return {
        f"{folder}/{number}.png": picture(10 * place + number, **options)    # type: ignore[arg-type]
        for place, folder in enumerate(folders)
        for number in range(count)
    }


def make_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    root.mkdir(exist_ok=True)
    return root


def make_zip(root: Path, files: dict[str, bytes]) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "image_folder", "path": str(path), **settings}))


Make = Callable[[Path, dict[str, bytes]], Path]
FULL = files_of("train/cat", "train/dog") | files_of("test/cat", "test/dog", count=2)


@pytest.fixture(params=[make_folder, make_zip], ids=["folder", "zip"])
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = request.param
    return maker


@pytest.mark.parametrize(
    ("top", "train", "test"),
    [
        ("", "train", "test"),
        ("photos/", "train", "validation"),
        ("photos/v2/", "train", "valid"),
        ("", "train", "val"),
        ("photos/", "Training", "Test"),
    ],
)
def test_train_and_test_folders(tmp_path: Path, make: Make, top: str, train: str, test: str) -> None:
    files = files_of(f"{top}{train}/dog", f"{top}{train}/cat")
    files |= files_of(f"{top}{test}/cat", f"{top}{test}/dog", count=2)
    data = open_path(make(tmp_path / "set", files))
    assert data.labels == ("cat", "dog")
    assert data.info.shape == (6, 4, 3)
    assert data.info.counts == {"train": 10, "test": 4}
    assert data.train.x.shape == (10, 6, 4, 3)
    assert data.train.x.dtype == np.uint8
    assert data.train.y.tolist() == [0] * 5 + [1] * 5
    assert data.train.x[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 14, 0, 1, 2, 3, 4]    # dog was written first
    assert data.test.y.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("top", ["", "train/", "photos/train/", "photos/"])
def test_without_a_test_folder_a_fifth_of_each_class_is_held_out(tmp_path: Path, make: Make, top: str) -> None:
    path = make(tmp_path / "set", files_of(f"{top}a", f"{top}b", f"{top}c", count=10))
    data = open_path(path)
    assert data.labels == ("a", "b", "c")
    assert np.bincount(data.train.y).tolist() == [8, 8, 8]
    assert np.bincount(data.test.y).tolist() == [2, 2, 2]
    seen = [tuple(sorted(split.x[:, 0, 0, 0].tolist())) for split in (data.train, data.test)]
    assert sorted(seen[0] + seen[1]) == sorted(10 * place + number for place in range(3) for number in range(10))
    again = open_path(path)
    assert np.array_equal(again.test.x, data.test.x)
    assert "held out" in data.source


def test_folder_and_zip_give_the_same(tmp_path: Path) -> None:
    files = files_of("a", "b", count=10)
    folder, archive = open_path(make_folder(tmp_path / "x", files)), open_path(make_zip(tmp_path / "y", files))
    for split in ("train", "test"):
        assert np.array_equal(folder.split(split).x, archive.split(split).x)    # type: ignore[arg-type]
        assert np.array_equal(folder.split(split).y, archive.split(split).y)    # type: ignore[arg-type]


def test_what_systems_leave_behind_is_ignored(tmp_path: Path, make: Make) -> None:
    junk = {
        "__MACOSX/train/cat/._0.png": b"junk",
        "train/.hidden/0.png": b"junk",
        "train/cat/.0.png": b"junk",
        "train/cat/Thumbs.db": b"junk",
        "train/cat/notes.txt": b"junk",
        "train/README.png": b"beside the classes",
        "readme.md": b"junk",
    }
    data = open_path(make(tmp_path / "set", {**FULL, **junk}))
    assert data.labels == ("cat", "dog")
    assert len(data.train) == 10


@pytest.mark.parametrize("name", ["../train/cat/evil.png", "/train/cat/../../../evil.png"])
def test_names_that_lead_out_of_a_zip_are_ignored(tmp_path: Path, name: str) -> None:
    data = open_path(make_zip(tmp_path / "set", {**FULL, name: b"evil"}))
    assert len(data.train) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_zip_with_backslashes(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set", FULL)
    data = path.read_bytes()
    for name in FULL:
        data = data.replace(name.encode(), name.replace("/", "\\").encode())
    path.write_bytes(data)
    assert open_path(path).info.counts == {"train": 10, "test": 4}


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "set", FULL)
    shutil.move(root / "train/cat", tmp_path / "cats")
    (root / "train/cat").symlink_to(tmp_path / "cats", target_is_directory=True)
    (root / "train/cat/loop").symlink_to(root, target_is_directory=True)
    (root / "train/dog/loop").symlink_to(root / "train/dog", target_is_directory=True)
    data = open_path(root)
    assert len(data.train) == 10
    assert data.labels == ("cat", "dog")


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "set", FULL)
    os.mkfifo(root / "train/cat/pipe.png")
    assert len(open_path(root).train) == 10


def test_the_test_split_does_not_need_the_training_images(tmp_path: Path, make: Make) -> None:
    files = {**FULL, "train/dog/4.png": picture()[:50]}
    data = open_path(make(tmp_path / "set", files))
    assert data.test.x.shape == (4, 6, 4, 3)
    assert data.classes("train").tolist() == [0] * 5 + [1] * 5
    with pytest.raises(EdgecnnError, match=r"train/dog/4\.png: damaged image"):
        _ = data.train


def test_digests(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "set", FULL)
    data = open_path(archive)
    assert len(data.test) == 4
    assert data.sha256 == {"set.zip": sha256_file(archive)}
    folders = [make_folder(tmp_path / name / "set", FULL) for name in ("one", "two", "three")]
    (folders[2] / "test/cat/0.png").write_bytes(picture(77))
    digests = []
    for folder in folders:
        data = open_path(folder)
        assert len(data.train) + len(data.test) == 14
        digests.append(data.sha256)
    assert digests[0] == digests[1]
    assert digests[0]["set: train files"] == digests[2]["set: train files"]
    assert digests[0]["set: test files"] != digests[2]["set: test files"]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "PPM", "TIFF"])
def test_lossless_formats_keep_every_value(tmp_path: Path, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    files = {}
    for number, image in enumerate(pixels):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, kind)
        files[f"{'train' if number < 2 else 'test'}/{'ab'[number % 2]}/x.{kind.lower()}"] = stream.getvalue()
    data = open_path(make_folder(tmp_path / "set", files), channels=1)
    assert np.array_equal(data.train.x[..., 0], pixels[:2])
    assert np.array_equal(data.test.x[..., 0], pixels[2:])


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_are_near(tmp_path: Path, kind: str) -> None:
    image, suffix = picture(90, kind=kind), kind.lower()
    files = {f"{split}/{label}/x.{suffix}": image for split in ("train", "test") for label in "ab"}
    data = open_path(make_folder(tmp_path / "set", files))
    assert np.all(np.abs(data.train.x.astype(int) - [90, 0, 0]) <= 6)


def test_channels_are_one_only_when_no_image_has_colour(tmp_path: Path, make: Make) -> None:
    grey = files_of("train/a", "train/b", "test/a", "test/b", mode="L")
    assert open_path(make(tmp_path / "grey", grey)).train.x.shape == (10, 6, 4, 1)
    assert open_path(make(tmp_path / "more", grey), channels=3).train.x.shape == (10, 6, 4, 3)
    mixed = {**grey, "test/b/9.png": picture(5)}
    assert open_path(make(tmp_path / "mixed", mixed)).train.x.shape == (10, 6, 4, 3)


def test_colour_becomes_luma(tmp_path: Path) -> None:
    data = open_path(make_folder(tmp_path / "set", files_of("a", "b", count=5)), channels=1)
    assert data.train.y.tolist() == [0] * 4 + [1] * 4
    for label, reds in ((0, range(5)), (1, range(10, 15))):
        luma = [round(0.299 * red) for red in reds]    # ITU-R 601-2
        seen = data.train.x[data.train.y == label]
        assert set(np.unique(seen)) <= set(luma)


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK"])
def test_other_modes_are_converted(tmp_path: Path, mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = picture(50, mode=mode, kind=kind)
    files = {f"{split}/{label}/x.png": image for split in ("train", "test") for label in "ab"}
    expected = (6, 4, 1) if mode in ("1", "LA") else (6, 4, 3)
    assert open_path(make_folder(tmp_path / "set", files)).train.x.shape == (2, *expected)


def test_an_image_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6    # the camera was held upright: rows are columns
    files = {f"{split}/{label}/x.jpg": picture(kind="JPEG", exif=exif) for split in ("train", "test") for label in "ab"}
    assert open_path(make_folder(tmp_path / "set", files)).train.x.shape == (2, 4, 6, 3)


def test_resizing_is_bilinear_over_the_area(tmp_path: Path, make: Make) -> None:
    stripes = Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (8, 4)))
    stream = io.BytesIO()
    stripes.save(stream, "PNG")
    files = {f"{split}/{label}/x.png": stream.getvalue() for split in ("train", "test") for label in "ab"}
    data = open_path(make(tmp_path / "set", files), size=(4, 2))
    assert data.train.x.shape == (2, 4, 2, 1)
    assert np.all(np.abs(data.train.x.astype(int) - 127.5) < 32)    # all stripes are weighed in, none is skipped
    assert "resized to 4×2, bilinear" in data.source


def test_images_of_different_sizes(tmp_path: Path, make: Make) -> None:
    files = {**FULL, "train/cat/9.png": picture(size=(6, 5)), "train/dog/0.png": picture(size=(7, 4))}
    path = make(tmp_path / "set", files)
    with pytest.raises(EdgecnnError) as caught:
        _ = open_path(path).train
    assert "train/cat/9.png: 6×5 pixels, the images before it have 6×4" in str(caught.value)
    assert "--set data.size=[96,96]" in str(caught.value)
    assert open_path(path, size=(6, 4)).train.x.shape == (11, 6, 4, 3)
    assert open_path(path).test.x.shape == (4, 6, 4, 3)


SIXTEEN = io.BytesIO()
Image.fromarray(np.full((6, 4), 1000, np.uint16)).save(SIXTEEN, "PNG")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train/dog/3.png": b""}, "train/dog/3.png: not an image: it is empty"),
        ({"train/dog/3.png": b"These are words"}, "train/dog/3.png: not an image: it starts with b'These ar'"),
        ({"train/dog/3.png": picture(3)[:50]}, "train/dog/3.png: damaged image"),
        ({"train/dog/3.png": picture(3, kind="JPEG")[:-8]}, "train/dog/3.png: damaged image"),
        ({"train/dog/3.png": picture(3, kind="JPEG")[:300]}, "train/dog/3.png: not an image: it cannot be opened"),
        ({"train/dog/3.png": picture(3)[:16] + b"\xff" * 60}, "train/dog/3.png: "),
        ({"train/dog/3.png": SIXTEEN.getvalue()}, "train/dog/3.png: has more than 8 bits a pixel"),
        ({"train/dog/3.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}, "train/dog/3.png: not an image"),
        ({"train/emu/": b""}, "the folder train/emu holds no images"),
        ({"train/emu/notes.txt": b"x"}, "the folder train/emu holds no images"),
        (files_of("train/emu"), "the class 'emu' is in train/ but not in test/"),
        (files_of("test/emu"), "the class 'emu' is in test/ but not in train/"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, make: Make, change: dict[str, bytes], message: str) -> None:
    with pytest.raises(EdgecnnError) as caught:
        data = open_path(make(tmp_path / "set", {**FULL, **change}), channels=3)
        _ = data.train
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no images in it"),
        ({"train/cat/a.txt": b"x"}, "no images in it"),
        ({"train/a.png": picture()}, "no class folders in train/"),
        ({"a.png": picture()}, "no class folders in it"),
        (files_of("train/cat"), "one class only (cat) in train/"),
        (files_of("cat"), "one class only (cat)"),
        (files_of("test/cat", "test/dog"), "has test/ but no train/"),
        ({**files_of("a"), "b/0.png": picture()}, "the class 'b' has too few images (1)"),
    ],
)
def test_trees_that_are_not_understood(tmp_path: Path, make: Make, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(EdgecnnError) as caught:
        open_path(make(tmp_path / "set", files))
    assert message in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 and then nothing", None])
def test_a_file_that_is_no_zip(tmp_path: Path, content: bytes | None) -> None:
    path = make_zip(tmp_path / "set", FULL)
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)    # None: cut off
    with pytest.raises(EdgecnnError, match=r"set\.zip: not a readable zip file"):
        open_path(path)


def test_a_zip_with_changed_bytes_names_the_member(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set", FULL)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("train/dog/2.png")
    data = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename)
    data[start : start + entry.compress_size] = bytes(entry.compress_size)
    path.write_bytes(data)
    with pytest.raises(EdgecnnError, match=r"set\.zip: train/dog/2\.png: cannot be unpacked"):
        _ = open_path(path).train


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set", FULL)
    data = bytearray(path.read_bytes())
    place = -1
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        data[place + 8] |= 1    # general purpose flag, bit 0, in the central directory
    path.write_bytes(data)
    with pytest.raises(EdgecnnError, match="encrypted"):
        open_path(path)


def test_an_image_that_is_a_link_to_nowhere(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "set", FULL)
    (root / "train/dog/3.png").unlink()
    (root / "train/dog/3.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(EdgecnnError, match=r"cannot read .*train/dog/3\.png: It does not exist"):
        _ = open_path(root).train


class OneImage:
    """A source of a single image."""

    def __init__(self, data: bytes) -> None:
        self.path, self.files, self.folders, self._data = Path(), {("x",): "x"}, set(), data

    def read(self, key: str) -> bytes:
        del key
        return self._data

    def where(self, key: str) -> str:
        return key

    def digest(self, split: str, keys: list[str]) -> dict[str, str]:
        return {split: f"{len(keys)}"}


NOISE = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def noise(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, kind)
    return stream.getvalue()


KINDS = ["PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP"]


@pytest.mark.filterwarnings("ignore::UserWarning")    # Pillow's words on a cut TIFF
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_cut_off_anywhere_is_an_error_unless_all_pixels_are_there(kind: str) -> None:
    data = noise(kind)
    whole = _image_decode.decode(OneImage(data), "x", None, 3)
    refused = 0
    for length in range(len(data)):
        try:
            assert np.array_equal(_image_decode.decode(OneImage(data[:length]), "x", None, 3), whole), length
        except EdgecnnError:
            refused += 1
    assert refused > 0.9 * len(data)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(draw=st.data())
def test_an_image_with_changed_bytes_gives_pixels_or_a_message(kind: str, draw: st.DataObject) -> None:
    data = bytearray(noise(kind))
    # The header is where a change does most; a change among the values is a change of pixels.
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, min(len(data) - 1, 120)))] = draw.draw(st.integers(0, 255))
    try:
        assert _image_decode.decode(OneImage(bytes(data)), "x", (8, 8), 3).shape == (8, 8, 3)
    except EdgecnnError as error:
        assert str(error).startswith("x: ")


def test_what_exceeds_the_memory_is_refused_before_it_is_tried() -> None:
    with pytest.raises(EdgecnnError, match=r"4000000 images of 4000×3000×3 need 144000\.0 GB.*data\.size"):
        _image_decode._check_memory((4_000_000, 4000, 3000, 3))


def test_wrong_settings(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs data\.path"):
        open_dataset(DataSection(set="image_folder"))
    with pytest.raises(UsageError, match="no such file or folder"):
        open_path(tmp_path / "gone")
    with pytest.raises(UsageError, match="cannot be looked at: File name too long"):
        open_path(Path("x" * 5000))
    with pytest.raises(UsageError, match=r"data\.size = \[0, 4\]"):
        open_path(make_folder(tmp_path / "set", FULL), size=(0, 4))


def test_a_path_is_told_from_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "mnist", FULL)
    monkeypatch.chdir(tmp_path)
    assert section_from_text("mnist").set == "mnist"
    assert section_from_text("./mnist") == DataSection(set="image_folder", path="./mnist")
    assert section_from_text("image_folder:mnist") == DataSection(set="image_folder", path="mnist")
    with pytest.raises(UsageError, match="no such file or folder"):
        section_from_text("./gone")
    with pytest.raises(UsageError, match="no such file or folder"):
        section_from_text("./" + "x" * 5000)
    with pytest.raises(UsageError, match="Did you mean 'fashion_mnist'"):
        section_from_text("fashion_mnst")


@pytest.mark.slow
def test_the_cifar10_zip(shared: Path) -> None:
    path = shared / "data/cifar10_jpeg.zip"
    if not path.is_file():
        pytest.skip("no cifar10_jpeg.zip")
    data = open_path(path)
    assert data.test.x.shape == (10_000, 32, 32, 3)
    assert data.labels[:3] == ("airplane", "automobile", "bird")
    assert np.bincount(data.test.y).tolist() == [1000] * 10
    assert data.classes("train").tolist() == np.repeat(np.arange(10), 5000).tolist()
    # Mean and standard deviation of CIFAR-10's channels (0.49, 0.48, 0.45; 0.25, 0.24, 0.26), which JPEG keeps.
    assert np.allclose(data.test.x.mean((0, 1, 2)) / 255, [0.49, 0.48, 0.45], atol=0.01)
    assert np.allclose(data.test.x.std((0, 1, 2)) / 255, [0.25, 0.24, 0.26], atol=0.01)


@pytest.mark.slow
def test_the_horses_or_humans_zip(shared: Path) -> None:
    path = shared / "data/horses_or_humans_96.zip"
    if not path.is_file():
        pytest.skip("no horses_or_humans_96.zip")
    data = open_path(path)
    assert data.train.x.shape == (1027, 96, 96, 3)
    assert data.test.x.shape == (256, 96, 96, 3)
    assert data.labels == ("horses", "humans")
