"""The idx reader: what it must read, and that nothing else comes out of it than an array or a message."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgecnn.data.idx import parse_idx, read_file
from edgecnn.errors import EdgecnnError


def idx_bytes(array: np.ndarray) -> bytes:
    """An idx file, written after its specification."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


some_array = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=5, max_side=6))
GOOD = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@given(array=some_array, compressed=st.booleans())
def test_round_trip(array: np.ndarray, compressed: bool) -> None:
    data = idx_bytes(array)
    read = parse_idx(gzip.compress(data, mtime=0) if compressed else data, "x")
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)


@given(array=some_array, compressed=st.booleans(), draw=st.data())
def test_changed_bytes_give_an_array_or_a_message(array: np.ndarray, compressed: bool, draw: st.DataObject) -> None:
    data = bytearray(gzip.compress(idx_bytes(array), mtime=0) if compressed else idx_bytes(array))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    data = data[: draw.draw(st.integers(0, len(data)))] + draw.draw(st.binary(max_size=8))
    try:
        assert parse_idx(bytes(data), "x").dtype == np.uint8
    except EdgecnnError as error:
        assert str(error).startswith("x: ")


@given(data=st.binary(max_size=64))
def test_any_bytes_give_an_array_or_a_message(data: bytes) -> None:
    for variant in (data, b"\0\0\x08" + data, gzip.compress(data, mtime=0), b"\x1f\x8b" + data):
        try:
            assert parse_idx(variant, "x").dtype == np.uint8
        except EdgecnnError as error:
            assert str(error).startswith("x: ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\0\0\x08", "starts with 0x000008"),
        (b"\x89PNG\r\n", "starts with 0x89504e47"),
        (b"\0\0\x0d\x01" + bytes(8), "float32"),
        (b"\0\0\x08\0", "no dimensions"),
        (GOOD[:9], "inside the header"),
        (GOOD[:-1], "23 values found, 24 expected for 2×3×4"),
        (GOOD + b"\0", "more bytes follow the 24 values"),
        (b"\0\0\x08\x04" + b"\xff" * 16, "0 values found"),
        (b"\0\0\x08\xff" + struct.pack(">255I", *[1] * 255) + b"\0", "255 dimensions"),
        (gzip.compress(GOOD, mtime=0)[:-12], "ends too early"),
        (gzip.compress(GOOD[:-1], mtime=0), "23 values found"),
        (gzip.compress(GOOD + b"\0", mtime=0), "more bytes follow"),
        (gzip.compress(b"\0\0\x08\x04" + b"\xff" * 16, mtime=0), "0 values found"),
        (gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 20, "corrupt"),
    ],
)
def test_bad_files_are_named_with_what_was_found(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    with pytest.raises(EdgecnnError) as caught:
        parse_idx(data, str(path), "Do this next.")
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert str(caught.value).endswith("Do this next.")


def test_a_changed_value_in_gzip_is_noticed() -> None:
    packed = bytearray(gzip.compress(GOOD, mtime=0))
    packed[-5] ^= 1    # the stored CRC-32 is the four bytes before the last four
    with pytest.raises(EdgecnnError, match="corrupt"):
        parse_idx(bytes(packed), "x")


def test_compression_is_told_by_content_not_by_name() -> None:
    assert np.array_equal(parse_idx(GOOD, "a.gz"), parse_idx(gzip.compress(GOOD, mtime=0), "a"))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "no", tmp_path):
        with pytest.raises(EdgecnnError, match="cannot read"):
            read_file(path)
