"""Makes WAV files byte by byte: what tests of recordings read."""

from __future__ import annotations

import struct

import numpy as np


def tone(rate: int = 8000, seconds: float = 0.25, hertz: float = 400.0, height: float = 0.5) -> np.ndarray:
    """A sine, float64 ``[T]``, full scale is -1 to 1."""
    return height * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def stored(samples: np.ndarray, bits: int, floating: bool = False) -> bytes:
    """Samples from -1 to 1 as a WAV file holds them."""
    if floating:
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.rint(samples * 127 + 128).astype(np.uint8).tobytes()
    whole = np.rint(samples * (2 ** (bits - 1) - 1)).astype("<i8")
    return whole.reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()


def wav(
    samples: np.ndarray | None = None,
    rate: int = 8000,
    bits: int = 16,
    *,
    floating: bool = False,
    extensible: bool = False,
    tag: int | None = None,
    before: bytes = b"",
    claims: int | None = None,
) -> bytes:
    """A WAV file.

    Args:
        samples: ``[T]`` or ``[T, channels]``, -1 to 1.
        rate: Samples a second, Hz.
        bits: Of one sample.
        floating: IEEE floating point.
        extensible: In the form WAVE_FORMAT_EXTENSIBLE.
        tag: Of the format, in place of the right one.
        before: Chunks that stand before the samples.
        claims: Length of the samples according to the header, in bytes, in place of the right one.
    """
    samples = tone(rate) if samples is None else samples
    channels = samples.shape[1] if samples.ndim == 2 else 1
    data = stored(samples, bits, floating)
    tag = tag if tag is not None else 3 if floating else 1
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + before
    chunks += b"data" + struct.pack("<I", len(data) if claims is None else claims) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
