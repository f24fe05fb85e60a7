"""From what a user sends (a file's bytes, an array, a text, a camera's frame) to a raw sample of a model's contract.

Decoding, grey and colour, size, rate and length are those of ``edgecnn.data``: what a training does to a file. The
arithmetic after that is the contract's preprocessing and stands nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import io
import math
import stat
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.contract import Contract
from edgecnn.data import _image_decode, _texts
from edgecnn.data._clips import Form, read_clips
from edgecnn.data._number_table import read_number_table
from edgecnn.data._source import IMAGES, Parts
from edgecnn.data.base import SplitName
from edgecnn.errors import EdgecnnError, MissingDependencyError, UsageError, first_line
from edgecnn.files import readable_os_errors, require_file
from edgecnn.formats import shape_text
from edgecnn.preprocess import SignalPreprocess
from edgecnn.preprocess.audio import AudioKind
from edgecnn.serve import pixels

NPY = b"\x93NUMPY"

SUFFIXES: dict[str, tuple[str, ...]] = {
    "image": (*IMAGES, ".npy"),
    "audio": (".wav", ".wave", ".npy"),
    "spectrogram": (".wav", ".wave", ".npy"),
    "signal": (".csv", ".npy"),
    "text": (".txt",),
}
"""Names of files that hold a sample, by the kind of the contract's preprocessing."""

MOST_PIXELS = 50_000_000
"""Of a picture: 150 MB in colour."""

_EXPECTED = {
    "image": "a picture (PNG, JPEG, PGM, PPM) or an array of uint8",
    "audio": "a WAV file or an array of int16",
    "spectrogram": "a WAV file or an array of int16",
    "signal": "a CSV file or an array of numbers",
    "text": "a text",
}


@dataclass
class _Bytes:
    """One file that is in memory already, as the readers of ``edgecnn.data`` want it: see ``Source``."""

    data: bytes
    name: str
    path: Path
    files: dict[Parts, str]
    folders: set[Parts]

    def read(self, key: str) -> bytes:
        """The bytes."""
        del key
        return self.data

    def where(self, key: str) -> str:
        """What the sender called it."""
        del key
        return self.name

    def digest(self, split: SplitName, keys: list[str]) -> dict[str, str]:
        """None is needed."""
        del split, keys
        return {}


class SampleReader:
    """Makes raw samples for one contract. Every method gives a batch of one, ``[1, ...]``.

    Attributes:
        kind: Of the contract's preprocessing.
        shape: Of one raw sample; empty for texts.
        most_bytes: Of a file or a request.
    """

    def __init__(self, contract: Contract, most_bytes: int) -> None:
        preprocess, ends = contract.preprocess, contract.input.shape[1:]
        self.kind, self.most_bytes = preprocess.kind, most_bytes
        self._rate = 0
        self._decoding = threading.Lock()    # one picture at a time: a small file may unpack to much memory
        if isinstance(preprocess, AudioKind):
            self.shape: tuple[int, ...] = (preprocess.samples, 1)
            self._rate = preprocess.rate
        elif isinstance(preprocess, SignalPreprocess):
            self.shape = (preprocess.samples, ends[-1])
        else:
            self.shape = () if self.kind == "text" else ends

    @property
    def picture(self) -> tuple[int, int, int]:
        """Height, width and channels of the images that the model takes.

        Raises:
            EdgecnnError: It takes none.
        """
        shape = (*self.shape, 1) if len(self.shape) == 2 else self.shape
        if self.kind != "image" or len(shape) != 3 or shape[2] not in (1, 3):
            takes = f"{shape_text(self.shape)} samples, one array each" if self.kind == "image" else self.expected
            raise EdgecnnError(f"the model takes no pictures: it takes {takes}.")
        return shape[0], shape[1], shape[2]

    @property
    def expected(self) -> str:
        """What the model takes, in words."""
        return _EXPECTED[self.kind] + (f" {shape_text(self.shape)}" if self.shape else "")

    def from_file(self, path: Path) -> np.ndarray:
        """A file with one sample.

        Raises:
            EdgecnnError: It is none, too large, cannot be read, or holds no sample of this model.
        """
        require_file(path)
        with readable_os_errors(path, "read"), path.open("rb") as stream:
            data = stream.read(self.most_bytes + 1)
        if len(data) > self.most_bytes:
            raise EdgecnnError(f"{path}: more than {self.most_bytes} bytes. Raise --max-bytes, or make it smaller.")
        return self.from_bytes(data, str(path))

    def from_bytes(self, data: bytes, where: str) -> np.ndarray:
        """A file's content; what it is is told by its first bytes and by what the model takes.

        Raises:
            EdgecnnError: It is no sample of this model.
        """
        if not data:
            raise EdgecnnError(f"{where}: empty. Expected is {self.expected}.")
        if data.startswith(NPY):
            return self.from_array(read_npy(data, where), where)
        if self.kind == "text":
            return self.from_text(_texts.decode(data, where))
        if self.kind == "image":
            return self._picture(data, where)
        if self.kind == "signal":
            return self.from_array(read_number_table(data, where).values, where)
        return read_clips(_source(data, where), [""], Form(self._rate, self.shape[0]))

    def from_text(self, text: str) -> np.ndarray:
        """A text, cut where those of a training are; ``str [1]``.

        Raises:
            EdgecnnError: The model takes something else, or there is no text.
        """
        if self.kind != "text":
            raise EdgecnnError(f"a text; expected is {self.expected}.")
        if not text.strip():
            raise EdgecnnError("the text is empty. Send one with words.")
        return np.array([text[: _texts.MOST_CHARACTERS]])

    def from_array(self, array: np.ndarray, where: str) -> np.ndarray:
        """A raw sample as it is: nothing is resized. Dimensions of 1 may be there or not.

        Raises:
            EdgecnnError: It has another shape, or values that no raw sample has.
        """
        if self.kind == "text":
            raise EdgecnnError(f"{where}: an array of {array.dtype}; expected is {self.expected}.")
        if [size for size in array.shape if size != 1] != [size for size in self.shape if size != 1]:
            hint = " Files of pictures (PNG, JPEG, PGM, PPM) are resized to fit." if self.kind == "image" else ""
            raise EdgecnnError(
                f"{where}: {shape_text(array.shape) or 'one number'}; expected is {self.expected}.{hint}"
            )
        if array.dtype.kind not in ("iuf" if self.kind == "signal" else "iu"):
            raise EdgecnnError(f"{where}: values of type {array.dtype}; expected is {self.expected}.")
        if self.kind == "signal":
            values = array.astype(np.float32)
            if not np.isfinite(values).all():
                raise EdgecnnError(f"{where}: holds values that are no finite numbers. Leave the sample out.")
            return values.reshape(1, *self.shape)
        limits = np.iinfo(np.uint8 if self.kind == "image" else np.int16)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise EdgecnnError(
                f"{where}: values from {array.min()} to {array.max()}; those of {limits.dtype} go from {limits.min} to "
                f"{limits.max}. Send raw samples, before any preprocessing."
            )
        return array.astype(limits.dtype).reshape(1, *self.shape)

    def from_frame(self, frame: np.ndarray) -> np.ndarray:
        """A camera's frame, ``uint8 [H, W, 3]`` (RGB): its middle part, in the model's proportions and size.

        Raises:
            EdgecnnError: The model takes no pictures, or it is no frame.
        """
        height, width, channels = self.picture
        part = pixels.middle(pixels.require_pixels(frame, "the camera's frame"), height, width)
        return pixels.fit(part, height, width, channels).reshape(1, *self.shape)

    def _picture(self, data: bytes, where: str) -> np.ndarray:
        height, width, channels = self.picture
        if pixels.is_netpbm(data):
            found = pixels.fit(pixels.read_netpbm(data, where), height, width, channels)
        else:
            if importlib.util.find_spec("PIL") is None:
                raise MissingDependencyError(
                    "Pillow", None, f"{where}: reading PNG or JPEG",
                    "sudo apt install python3-pil, or pip install pillow (PGM, PPM and NPY need nothing)",
                )    # fmt: skip
            with self._decoding:
                _check_size(data, where)
                found = _image_decode.decode(_source(data, where), "", (height, width), 3 if channels == 3 else 1)
        return found.reshape(1, *self.shape)


def _check_size(data: bytes, where: str) -> None:
    """Refuse a picture that would need more memory than a small computer has; by its header, which Pillow reads alone.

    Raises:
        EdgecnnError: It has too many pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")    # of the very thing
            width, height = Image.open(io.BytesIO(data)).size
    except Exception:    # no picture, or far too large: the decoder has a sentence for either
        return
    if width * height > MOST_PIXELS:
        raise EdgecnnError(
            f"{where}: {width}×{height} pixels; at most {MOST_PIXELS // 10**6} million are taken. Make it smaller."
        )


def read_npy(data: bytes, where: str) -> np.ndarray:
    """An ``.npy`` file from its bytes; what its header promises must be there before any memory is taken.

    Raises:
        EdgecnnError: It is damaged, or holds Python objects.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(stream)
        count, start = math.prod(shape), stream.tell()
        if dtype.hasobject or min(shape, default=0) < 0 or count * dtype.itemsize != len(data) - start:
            raise ValueError(f"its header promises {shape_text(shape)} of {dtype}, {len(data) - start} bytes follow")
        array = np.frombuffer(data, dtype, count, start).reshape(shape, order="F" if fortran else "C")
        return array.astype(dtype.newbyteorder("="))
    except Exception as error:    # NumPy's readers let out whatever their parser meets
        raise EdgecnnError(f"{where}: not a whole .npy file: {first_line(error)}. Write it again.") from error


def from_request(request: Any, reader: SampleReader, files: bool) -> np.ndarray:
    """The sample in a JSON request: ``{"data": …}``, ``{"text": "…"}`` or ``{"image": "PATH"}``.

    ``data`` is a nested list of numbers, or the bytes of a file (npy, PNG, JPEG, PGM, WAV …) in base64; ``audio`` and
    ``file`` mean a path as ``image`` does.

    Args:
        request: As read from JSON.
        reader: Of the model.
        files: Paths may be named; not by those who ask from elsewhere.

    Raises:
        UsageError: It is not such a request.
        EdgecnnError: It holds no sample of this model.
    """
    known = ("data", "text", *(("image", "audio", "file") if files else ()))
    if not isinstance(request, dict):
        raise UsageError(f"expected is a JSON object with one of {', '.join(known)}.")
    given = [key for key in known if key in request]
    if len(given) != 1:
        raise UsageError(
            f"expected is one of {', '.join(known)}; found: {', '.join(map(str, list(request)[:5])) or 'nothing'}."
        )
    key, value = given[0], request[given[0]]
    if key == "data" and isinstance(value, list):
        return reader.from_array(_listed(value), "data")
    if not isinstance(value, str):
        raise UsageError(f"{key}: expected is a string{' or a nested list' if key == 'data' else ''}.")
    if key == "text":
        return reader.from_text(value)
    if key != "data":
        return reader.from_file(Path(value))
    try:
        return reader.from_bytes(base64.b64decode(value, validate=True), "data")
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"data: not base64 ({first_line(error)}).") from error


def holds_sample(path: Path, kind: str) -> bool:
    """Whether a file's name is that of a sample, and the file is a regular one."""
    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES[kind]:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _listed(value: list[Any]) -> np.ndarray:
    try:
        return np.array(value)
    except (ValueError, OverflowError, RecursionError) as error:    # ragged, too deep
        raise UsageError("data: the lists in it are not all of one length.") from error


def _source(data: bytes, where: str) -> _Bytes:
    return _Bytes(data, where, Path(where), {}, set())
