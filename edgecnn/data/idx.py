"""The idx format of MNIST and its relatives: a magic number, the dimensions, then the values.

Layout (LeCun, Cortes, Burges, "The MNIST database", section "File formats"), integers big-endian:

    0x00 0x00 <type> <rank>     type 0x08 is unsigned byte
    rank x uint32               sizes of the dimensions, outermost first
    values                      in C order, to the end of the file
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.files import readable_os_errors
from edgecnn.formats import shape_text

_UINT8 = 0x08
_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_GZIP_MAGIC = b"\x1f\x8b"
# Deflate stores no more than 1032 bytes in one (zlib's technical notes): a header that promises more is wrong,
# and need not be believed to the point of asking for that much memory.
_DEFLATE_LIMIT = 1032


def read_file(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        EdgecnnError: It cannot be read.
    """
    with readable_os_errors(path, "read"):
        return path.read_bytes()


def parse_idx(data: bytes, where: str, advice: str = "Get the file again.") -> np.ndarray:
    """The array in the bytes of an idx file.

    Args:
        data: The file's content. Compression is told by content, not by name: browsers like to unpack ``.gz``
            files and leave the name as it was.
        where: What the content came from, for messages.
        advice: What to do about a bad file: the last sentence of every message.

    Returns:
        ``uint8``, of the rank and shape that the file states; read-only.

    Raises:
        EdgecnnError: It is no idx file of unsigned bytes, or shorter or longer than its header says.
    """
    if not data.startswith(_GZIP_MAGIC):
        return _parse(io.BytesIO(data), len(data), where, advice)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return _parse(stream, len(data) * _DEFLATE_LIMIT, where, advice)
    except EOFError as error:
        raise EdgecnnError(f"{where}: the gzip data ends too early: the file is truncated. {advice}") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise EdgecnnError(f"{where}: the gzip data is corrupt ({error}). {advice}") from error


def _parse(stream: io.BufferedIOBase, most: int, where: str, advice: str) -> np.ndarray:
    """Read one array from ``stream``, which cannot hold more than ``most`` bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
        found = f"starts with 0x{magic.hex()}" if magic else "is empty"
        raise EdgecnnError(f"{where}: not an idx file: it {found}, expected 0x000008 and the rank. {advice}")
    if magic[2] != _UINT8:
        raise EdgecnnError(f"{where}: holds {_TYPES[magic[2]]} values (supported: uint8). {advice}")
    rank = magic[3]
    if rank == 0:
        raise EdgecnnError(f"{where}: states no dimensions; at least one is expected. {advice}")
    header = stream.read(4 * rank)
    if len(header) < 4 * rank:
        raise EdgecnnError(f"{where}: truncated inside the header, which states {rank} dimensions. {advice}")
    shape = struct.unpack(f">{rank}I", header)
    size = math.prod(shape)
    values = stream.read(min(size, most) + 1)    # one more than there should be, to notice what is left over
    stated = shape_text(shape)
    if len(values) < size:
        raise EdgecnnError(f"{where}: truncated: {len(values)} values found, {size} expected for {stated}. {advice}")
    if len(values) > size:
        raise EdgecnnError(f"{where}: more bytes follow the {size} values that its header states ({stated}). {advice}")
    try:
        return np.frombuffer(values, np.uint8).reshape(shape)
    except ValueError as error:    # NumPy takes at most 64 dimensions, 32 before version 2
        raise EdgecnnError(f"{where}: {rank} dimensions are more than is supported. {advice}") from error
