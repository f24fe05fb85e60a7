"""From files and arrays to raw samples: the pixels of a training, and nothing that is no sample."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data._image_decode import decode
from edgecnn.data._source import open_source
from edgecnn.errors import EdgecnnError
from edgecnn.serve import pixels
from edgecnn.serve.samples import SampleReader, read_npy
from edgecnn.tflite_file import contract_of
from tests.edgecnn.serve.serving import digits, model_file, predictor_of

MEGABYTE = 1 << 20


def reader_of(name: str) -> SampleReader:
    contract = contract_of(model_file(name))
    assert contract is not None
    return SampleReader(contract, MEGABYTE)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["horses_or_humans", "lenet5"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "ppm", "pgm"])
def test_pictures_become_what_training_made_of_them(tmp_path: Path, name: str, suffix: str) -> None:
    """In size and colour; PGM and PPM are read without Pillow, and to the same pixels."""
    Image = pytest.importorskip("PIL.Image")    # noqa: N806
    pixels = np.random.default_rng(1).integers(0, 256, (61, 133, 3), np.uint8)
    image = Image.fromarray(pixels)
    (image.convert("L") if suffix == "pgm" else image).save(tmp_path / f"a.{suffix}")
    reader = reader_of(name)
    height, width, channels = reader.picture
    wanted = decode(open_source(tmp_path), f"a.{suffix}", (height, width), 3 if channels == 3 else 1)
    np.testing.assert_array_equal(reader.from_file(tmp_path / f"a.{suffix}")[0], wanted)


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    wanted=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_resizing_without_pillow_gives_its_bits(
    size: tuple[int, int], wanted: tuple[int, int], channels: int, seed: int
) -> None:
    """Step by step; at once Pillow may take the other step first, which moves a pixel by one at most."""
    Image = pytest.importorskip("PIL.Image")    # noqa: N806
    image = np.random.default_rng(seed).integers(0, 256, (*size, channels), np.uint8)

    def by_pillow(array: np.ndarray, height: int, width: int) -> np.ndarray:
        source = Image.fromarray(array[:, :, 0] if channels == 1 else array)
        return np.asarray(source.resize((width, height), Image.Resampling.BILINEAR)).reshape(height, width, channels)

    found = pixels.resize_plainly(image, *wanted)
    in_steps = by_pillow(by_pillow(image, size[0], wanted[1]), *wanted)
    np.testing.assert_array_equal(found, in_steps)
    assert np.abs(found.astype(int) - by_pillow(image, *wanted)).max() <= 1


def test_a_small_file_of_a_huge_picture() -> None:
    Image = pytest.importorskip("PIL.Image")    # noqa: N806
    for size, expected in (((9000, 8000), "at most 50 million"), ((30_000, 20_000), "damaged|not an image")):
        stream = io.BytesIO()
        Image.new("1", size).save(stream, "PNG")
        assert len(stream.getvalue()) < MEGABYTE
        with pytest.raises(EdgecnnError, match=expected):
            reader_of("lenet5").from_bytes(stream.getvalue(), "x.png")


def test_grey_and_colour_as_pillow_does() -> None:
    Image = pytest.importorskip("PIL.Image")    # noqa: N806
    image = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    np.testing.assert_array_equal(pixels.fit(image, 50, 50, 1)[:, :, 0], grey)
    np.testing.assert_array_equal(pixels.fit(grey[:, :, np.newaxis], 50, 50, 3), np.stack([grey] * 3, axis=2))


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGM needs nothing; for PNG the message says what to install on a device."""
    image = np.random.default_rng(0).integers(0, 256, (28, 56, 1), np.uint8)
    reader, data = reader_of("lenet5"), b"P5 56 28 255\n" + image.tobytes()
    there = reader.from_bytes(data, "a.pgm")
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert np.abs(reader.from_bytes(data, "a.pgm").astype(int) - there).max() <= 1
    with pytest.raises(EdgecnnError, match="sudo apt install python3-pil"):
        reader.from_bytes(b"\x89PNG\r\n\x1a\n", "a.png")


@pytest.mark.parametrize(
    "data",
    [b"P5", b"P5 3 3", b"P5 2 2 255\n123", b"P6 2 2 65535\n" + bytes(24), b"P5 0 9 255\n", b"P5 9999999 1 255\n",
     b"P6 100000 100000 255\n123", b"P5 -1 2 255\n12"],
)    # fmt: skip
def test_damaged_pgm_and_ppm(data: bytes) -> None:
    with pytest.raises(EdgecnnError, match=r"^x\.pgm: "):
        reader_of("lenet5").from_bytes(data, "x.pgm")


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"\x93NUMPY",
        b"\x93NUMPY\x07\x00" + bytes(100),
        npy(np.zeros((8, 8), np.uint8))[:-1],
        npy(np.zeros((8, 8), np.uint8)) + b"x",
        header("{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 1000000), }\n") + b"abc",
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + b"abc",
        header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -8), }\n") + bytes(8),
        header("{'descr': '|u1', 'fortran_order': False, 'shape': 'x', }\n") + bytes(8),
        header("(" * 200 + "\n"),
        header("\0" * 50),
    ],
)
def test_npy_files_that_are_none(data: bytes) -> None:
    """Nothing is unpickled, and no memory is taken for what a header merely promises."""
    with pytest.raises(EdgecnnError, match=r"^x: not a whole \.npy file"):
        read_npy(data, "x")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">i4", "<i8"])
def test_npy_files_of_all_kinds(order: str, dtype: str) -> None:
    sample = digits(1)
    found = reader_of("digits_tiny").from_bytes(npy(np.asarray(sample[0], dtype=dtype, order=order)), "x")    # type: ignore[call-overload]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, sample)


READERS = [reader_of(name) for name in ("lenet5", "spoken_digits_wave", "har_watch", "spam_text_cnn")]
BEGINNINGS = [b"", b"\x93NUMPY\x01\x00", b"P5 ", b"RIFF....WAVEfmt ", b"\x89PNG\r\n\x1a\n"]


@settings(max_examples=200)
@given(st.binary(max_size=300), st.sampled_from(BEGINNINGS))
def test_any_bytes_give_a_sample_or_a_sentence(tail: bytes, head: bytes) -> None:
    for reader in READERS:
        try:
            found = reader.from_bytes(head + tail, "x")
        except EdgecnnError as error:
            assert str(error)
        else:
            assert found.shape == (1, *reader.shape)


def test_clips_are_arrays() -> None:
    reader = reader_of("moving_fashion_3d")
    raw = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 1), np.uint8)
    assert predictor_of(model_file("moving_fashion_3d")).predict(reader.from_array(raw, "x")).label
    with pytest.raises(EdgecnnError, match="takes no pictures: it takes 8×24×24×1"):
        reader.from_bytes(b"P5 1 1 255\n1", "x")


@pytest.mark.parametrize("name", ["horses_or_humans", "lenet5"])
def test_a_frame_is_cut_to_the_models_proportions(name: str) -> None:
    reader = reader_of(name)
    height, width, channels = reader.picture
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, 8:56] = 200    # the middle, square
    np.testing.assert_array_equal(reader.from_frame(frame), np.full((1, height, width, channels), 200))
    with pytest.raises(EdgecnnError, match="pixels of 8 bits"):
        reader.from_frame(frame.astype(np.uint16))


@pytest.mark.parametrize(
    ("size", "wanted", "kept"),
    [
        ((48, 64), (1, 1), (48, 48)),
        ((64, 48), (1, 1), (48, 48)),
        ((48, 64), (3, 4), (48, 64)),
        ((1, 9), (9, 1), (1, 1)),
    ],
)
def test_the_middle(size: tuple[int, int], wanted: tuple[int, int], kept: tuple[int, int]) -> None:
    assert pixels.middle(np.zeros((*size, 3)), *wanted).shape[:2] == kept
