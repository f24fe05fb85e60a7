"""WAV files, read from their bytes: PCM of 8 to 32 bits and floating point, any rate, any number of channels.

After Microsoft and IBM (1991), Multimedia Programming Interface and Data Specifications 1.0, "Waveform Audio File
Format", and Microsoft's WAVEFORMATEXTENSIBLE, in which the format's tag is the first two bytes of a GUID. Python's own
``wave`` reads neither floating point nor, before 3.12, the extensible form.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from edgecnn.errors import EdgecnnError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_COMPRESSED = {2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM", 0x50: "MPEG", 0x55: "MP3"}
_CONVERT = "Convert it, for example: ffmpeg -i in.wav -c:a pcm_s16le out.wav"
_ENDLESS = 0x7FFF0000    # lengths from here on are written by programs that did not know where the data would end


@dataclass(frozen=True)
class WavHeader:
    """What a WAV file says of itself.

    Attributes:
        rate: Samples a second, Hz.
        channels: 1 or more.
        frames: Samples of each channel.
        dtype: Of one sample in the file, as NumPy writes it; ``V3`` for 24 bits.
        start: Byte at which the samples begin.
    """

    rate: int
    channels: int
    frames: int
    dtype: str
    start: int

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.frames / self.rate


def read_header(data: bytes, where: str) -> WavHeader:
    """Format and length of a WAV file.

    Args:
        data: The whole file.
        where: Its name, for messages.

    Raises:
        EdgecnnError: It is no WAV file, compressed, damaged, or without samples.
    """
    if not data:
        raise EdgecnnError(f"{where}: the file is empty. Record it anew, or remove it.")
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise EdgecnnError(
            f"{where}: not a WAV file: it begins with {data[:4]!r}, not with RIFF … WAVE. Supported: WAV. {_CONVERT}"
        )
    kind: tuple[int, int, str] | None = None    # rate, channels, dtype
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        at += 8
        if name == b"fmt ":
            kind = _format(data[at : at + size], where)
        if name == b"data":
            if kind is None:
                break
            rate, channels, dtype = kind
            there = len(data) - at
            if there < size < _ENDLESS:
                raise EdgecnnError(
                    f"{where}: truncated: its header promises {size} bytes of samples, {there} are there. "
                    "Copy it again, or remove it."
                )
            size = min(size, there)
            frames = size // (channels * np.dtype(dtype).itemsize)
            if not frames:
                raise EdgecnnError(f"{where}: a WAV file without samples. Record it anew, or remove it.")
            return WavHeader(rate, channels, frames, dtype, at)
        at += size + size % 2    # chunks begin at even bytes
    missing = "samples" if kind else "format"
    raise EdgecnnError(f"{where}: damaged: a WAV file without a chunk for its {missing}. Copy it again, or remove it.")


def _format(chunk: bytes, where: str) -> tuple[int, int, str]:
    """Rate, channels and NumPy's name of one sample, from the format chunk."""
    if len(chunk) < 16:
        raise EdgecnnError(f"{where}: damaged: its format has {len(chunk)} bytes, needed are 16. Copy it again.")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = struct.unpack_from("<H", chunk, 24)[0]
    if tag not in (_PCM, _FLOAT):
        name = _COMPRESSED.get(tag, f"format {tag:#06x}")
        raise EdgecnnError(
            f"{where}: compressed ({name}). Supported: PCM of 8, 16, 24 and 32 bits, and floating point. {_CONVERT}"
        )
    known = {8: "u1", 16: "<i2", 24: "V3", 32: "<i4"} if tag == _PCM else {32: "<f4", 64: "<f8"}
    if bits not in known:
        raise EdgecnnError(
            f"{where}: {'PCM' if tag == _PCM else 'floating point'} of {bits} bits. Supported: "
            f"{', '.join(map(str, known))} bits. {_CONVERT}"
        )
    if not channels or not rate:
        raise EdgecnnError(f"{where}: damaged: {channels} channels at {rate} Hz. Copy it again, or remove it.")
    return rate, channels, known[bits]


def read_samples(data: bytes, header: WavHeader, where: str) -> np.ndarray:
    """The samples, its channels mixed to one.

    Args:
        data: The whole file.
        header: From ``read_header``.
        where: Its name, for messages.

    Returns:
        float64 ``[frames]`` in the units of 16-bit samples: full scale is -32768 to 32767.

    Raises:
        EdgecnnError: A floating-point sample is not a number.
    """
    count = header.frames * header.channels
    if header.dtype == "V3":
        octets = np.frombuffer(data, np.uint8, 3 * count, header.start).reshape(count, 3)
        wide = np.zeros((count, 4), np.uint8)
        wide[:, 1:] = octets    # as the upper three bytes of 32, so that the sign comes along
        values = wide.view("<i4")[:, 0] / 65536.0
    else:
        stored = np.frombuffer(data, header.dtype, count, header.start)
        if header.dtype == "u1":
            values = (stored - 128.0) * 256.0
        elif stored.dtype.kind == "f":
            values = stored.astype(np.float64) * 32768.0
            if not np.isfinite(values).all():
                raise EdgecnnError(f"{where}: holds samples that are not numbers. Record it anew, or remove it.")
        else:
            values = stored / (65536.0 if header.dtype == "<i4" else 1.0)
    mono: np.ndarray = values.reshape(header.frames, header.channels).mean(axis=1)
    return mono
