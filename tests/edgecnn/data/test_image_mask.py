"""Images with masks: how they are paired, divided, cut and resized, and what a bad one says."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data import DataSet, open_dataset
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

Files = dict[str, bytes]
Make = Callable[[Path, Files], Path]


def png(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def pixels(number: int, height: int = 8, width: int = 12) -> np.ndarray:
    """An image whose top left pixel is its number."""
    image = np.random.default_rng(number).integers(0, 256, (height, width), dtype=np.uint8)
    image[0, 0] = number
    return image


def mask_of(image: np.ndarray) -> np.ndarray:
    return ((image >= 128) * 255).astype(np.uint8)


def pairs(count: int, image: str = "image", mask: str = "label", first: int = 0) -> Files:
    found = {}
    for number in range(first, first + count):
        one = pixels(number)
        found[f"{image}/{number}.png"] = png(one)
        found[f"{mask}/{number}.png"] = png(mask_of(one))
    return found


def make_folder(root: Path, files: Files) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def make_zip(root: Path, files: Files) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def open_path(path: Path, **settings: object) -> DataSet:
    return open_dataset(DataSection.model_validate({"set": "image_mask", "path": str(path), **settings}))


def numbers(x: np.ndarray) -> list[int]:
    return x[:, 0, 0, 0].tolist()


@pytest.fixture(params=[make_folder, make_zip], ids=["folder", "zip"])
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = request.param
    return maker


@pytest.mark.parametrize(
    ("image", "mask"),
    [("image", "label"), ("images", "masks"), ("top/Images/deeper", "top/mask/deeper"), ("train/img", "train/labels")],
)
def test_pairs_are_found_and_the_last_fifth_by_number_is_held_out(
    make: Make, tmp_path: Path, image: str, mask: str
) -> None:
    data = open_path(make(tmp_path / "cells", pairs(12, image, mask)))
    # 12 in five parts of neighbours: 3, 3, 2, 2, 2; and 10 comes after 9.
    assert numbers(data.train.x) == list(range(10))
    assert numbers(data.test.x) == [10, 11]
    assert data.info.counts == {"train": 10, "test": 2}
    assert data.info.shape == (8, 12, 1)
    assert data.labels == ("background", "object")
    assert "10.png to" in data.source
    for samples in (data.train, data.test):
        assert samples.x.dtype == np.uint8
        assert samples.y.dtype == np.int64
        assert np.array_equal(samples.y, samples.x[..., 0] >= 128)
        assert samples.groups is not None
        assert len(set(samples.groups.tolist())) == len(samples)
    assert data.sha256


@pytest.mark.parametrize(("fold", "held"), [(0, [0, 1, 2]), (1, [3, 4, 5]), (2, [6, 7]), (4, [10, 11])])
def test_another_part_can_be_held_out(tmp_path: Path, fold: int, held: list[int]) -> None:
    data = open_path(make_folder(tmp_path / "cells", pairs(12)), fold=fold)
    assert data.folds == 5
    assert numbers(data.test.x) == held
    assert sorted(numbers(data.train.x) + held) == list(range(12))


def test_a_set_with_a_test_split_of_its_own_keeps_it(tmp_path: Path) -> None:
    files = pairs(4, "train/image", "train/label") | pairs(2, "test/image", "test/label", first=20)
    path = make_folder(tmp_path / "cells", files)
    data = open_path(path)
    assert numbers(data.train.x) == [0, 1, 2, 3]
    assert numbers(data.test.x) == [20, 21]
    assert data.folds is None
    with pytest.raises(EdgecnnError, match=r"its own test split.*data\.fold "):
        open_path(path, fold=0)
    with pytest.raises(EdgecnnError, match=r"its own test split.*data\.folds"):
        open_path(path, folds=3)


def test_a_test_folder_without_masks_is_no_test_split(tmp_path: Path) -> None:
    files = pairs(5, "train/image", "train/label") | {"test/20.png": png(pixels(20))}
    assert numbers(open_path(make_folder(tmp_path / "cells", files)).test.x) == [4]


def test_tiles_cover_a_test_image_once_and_overlap_by_half_for_training(tmp_path: Path) -> None:
    data = open_path(make_folder(tmp_path / "cells", pairs(5)), tile=[4, 4])
    assert data.info.shape == (4, 4, 1)
    assert data.info.counts == {"train": 4 * 3 * 5, "test": 2 * 3}
    assert len(data.train) == 60
    whole = pixels(4)
    expected = [whole[top : top + 4, left : left + 4] for top in (0, 4) for left in (0, 4, 8)]
    assert np.array_equal(data.test.x[..., 0], expected)
    assert np.array_equal(data.test.y, np.array(expected) >= 128)
    assert data.train.groups is not None
    assert data.train.groups.tolist() == [number for number in range(4) for _ in range(15)]
    halves = [pixels(0)[top : top + 4, left : left + 4] for top in (0, 2, 4) for left in (0, 2, 4, 6, 8)]
    assert np.array_equal(data.train.x[:15, ..., 0], halves)


def test_resizing_blends_images_and_picks_from_masks(tmp_path: Path) -> None:
    data = open_path(make_folder(tmp_path / "cells", pairs(5)), size=[16, 24], tile=[16, 8])
    assert data.info.shape == (16, 8, 1)
    assert set(np.unique(data.train.y)) == {0, 1}
    whole = np.concatenate(list(data.test.y), axis=1)
    assert np.array_equal(whole, (pixels(4) >= 128).repeat(2, axis=0).repeat(2, axis=1))


def test_colour_images_any_second_value_and_other_suffixes(tmp_path: Path) -> None:
    files: Files = {}
    for number in range(5):
        colour = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        files[f"images/a{number}.bmp"] = png(colour, "BMP")
        files[f"masks/a{number}.png"] = png((colour[..., 0] > 99).astype(np.uint8))    # 0 and 1
    data = open_path(make_folder(tmp_path / "cells", files))
    assert data.info.shape == (6, 6, 3)
    assert np.array_equal(data.train.y, data.train.x[..., 0] > 99)
    assert open_path(tmp_path / "cells", channels=1).train.x.shape[-1] == 1


def broken(change: Callable[[Files], None]) -> Files:
    files = pairs(6)
    change(files)
    return files


SMALL = png(np.zeros((4, 4), np.uint8))
GREY = png(np.arange(96, dtype=np.uint8).reshape(8, 12))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (broken(lambda f: f.pop("image/3.png")), r"label/3\.png: this mask has no image of the same name\. Add"),
        (broken(lambda f: f.pop("label/2.png")), r"image/2\.png: this image has no mask of the same name\. Add"),
        (
            broken(lambda f: [f.pop("label/2.png"), f.pop("label/5.png")]),
            r"image/2\.png.* no mask of the same name, and 1 more such",
        ),
        (broken(lambda f: f.update({"label/1.png": SMALL})), r"label/1\.png: 4×4 pixels, its image .* has 8×12"),
        (
            broken(lambda f: f.update({"image/1.png": SMALL, "label/1.png": SMALL})),
            r"image/1\.png: 4×4 pixels, the images before it have 8×12.*data\.size",
        ),
        (
            broken(lambda f: f.update({"label/1.png": GREY})),
            r"label/1\.png: the mask has 96 values \(0, 1, 2, 3, 4, 5, …\); supported are two.*JPEG",
        ),
        (
            broken(lambda f: f.update({"label/1.png": png(np.tile(np.array([7, 9], np.uint8), (8, 6)))})),
            r"has 2 values \(7, 9\); supported are two, 0 and another one",
        ),
        (
            broken(lambda f: f.update({"image/1.jpg": GREY})),
            r"image/1\.png: has the same name as image/1\.jpg.*Rename or remove one",
        ),
        (broken(lambda f: f.update({"label/1.png": b"no"})), r"label/1\.png: not an image"),
        (pairs(4), r"4 images are too few to divide into 5 parts.*data\.folds"),
        ({"pictures/1.png": GREY}, r"no folder of images beside one of masks.*image/\*\.png and label/\*\.png"),
        ({"image/readme.txt": b"", "label/readme.txt": b""}, r"no images in it\. Expected"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:24],
)
def test_what_is_wrong_is_said(make: Make, tmp_path: Path, files: Files, message: str) -> None:
    path = make(tmp_path / "cells", files)
    with pytest.raises(EdgecnnError, match=message):
        data = open_path(path)
        assert len(data.test) + len(data.train)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": [3, 4]}, r"data\.tile = \[3, 4\]: images of 8×12 .*divisors of 8 and 12"),
        ({"tile": [16, 12]}, r"data\.tile = \[16, 12\]"),
        ({"tile": [0, 4]}, r"data\.tile = \[0, 4\]: height and width are 1 or more"),
        ({"size": [-1, 4]}, r"data\.size = \[-1, 4\]"),
        ({"fold": 5}, r"data\.fold = 5: there are 5 folds, 0 to 4"),
        ({"rate": 100}, r"data\.rate = 100: .* no such setting.*path, size, channels, tile"),
        ({"path": None}, r"needs data\.path.*image/\*\.png"),
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    make_folder(tmp_path / "cells", pairs(6))
    with pytest.raises(UsageError, match=message):
        open_dataset(DataSection.model_validate({"set": "image_mask", "path": str(tmp_path / "cells"), **settings}))


def test_other_sets_have_no_tiles() -> None:
    with pytest.raises(UsageError, match=r"data\.tile.*mnist has no such setting"):
        open_dataset(DataSection(set="mnist", tile=(4, 4)))


# --- ISBI 2012 -------------------------------------------------------------------------------------------------------


def test_isbi_membranes_as_published(shared: Path) -> None:
    data = open_dataset(DataSection(set="isbi_membrane", path=str(shared / "data" / "isbi_membrane.zip")))
    assert data.labels == ("membrane", "interior")
    assert data.test.x.shape == (6, 512, 512, 1)
    assert data.info.counts == {"train": 24, "test": 6}
    assert "image/24.png to image/29.png" in data.source
    share = data.test.y.mean()
    assert 0.79 < share < 0.81    # interior: what a network that says interior everywhere would score
    # Membranes are what is dark.
    assert data.test.x[data.test.y == 0].mean() < data.test.x[data.test.y == 1].mean() - 40


def test_isbi_is_found_by_its_names_and_otherwise_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    with pytest.raises(EdgecnnError, match=r"is not on this machine\. Ways to get it: folders image/ and label/"):
        open_dataset(DataSection(set="isbi_membrane"))
    make_zip(tmp_path / "isbi_membrane", pairs(6))
    assert numbers(open_dataset(DataSection(set="isbi_membrane")).test.x) == [5]
    make_folder(tmp_path / "isbi_membrane", pairs(8))    # a folder goes before the zip
    assert numbers(open_dataset(DataSection(set="isbi_membrane")).test.x) == [7]
    with pytest.raises(EdgecnnError, match="gone: no such file"):
        open_dataset(DataSection(set="isbi_membrane", path=str(tmp_path / "gone")))
