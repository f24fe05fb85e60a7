"""WAV files of every supported form give the same sound; damaged and foreign ones a sentence."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.data._wav import read_header, read_samples
from edgecnn.errors import EdgecnnError
from tests.edgecnn.data.wav_files import tone, wav


def samples_of(data: bytes) -> np.ndarray:
    return read_samples(data, read_header(data, "x.wav"), "x.wav")


FORMS = [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)]


@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize(("bits", "floating"), FORMS, ids=lambda value: str(value))
def test_every_form_gives_the_same_sound(bits: int, floating: bool, extensible: bool) -> None:
    sound = tone(seconds=0.1)
    data = wav(sound, 11025, bits, floating=floating, extensible=extensible)
    header = read_header(data, "x.wav")
    assert (header.rate, header.channels, header.frames) == (11025, 1, len(sound))
    assert header.seconds == pytest.approx(800 / 11025)
    tolerance = 300 if bits == 8 else 1
    assert np.abs(samples_of(data) - 32768 * sound).max() < tolerance


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_full_scale(bits: int) -> None:
    """The most negative value of each width is -32768; nothing wraps around."""
    data = bytearray(wav(np.zeros(3), bits=bits))
    lowest, highest = bytes(bits // 8 - 1) + b"\x80", b"\xff" * (bits // 8 - 1) + b"\x7f"
    if bits == 8:
        lowest, highest = b"\x00", b"\xff"
    data[-2 * bits // 8 :] = lowest + highest
    values = samples_of(bytes(data))
    assert values[:2].tolist() == [0, -32768]
    assert 32767 - (256 if bits == 8 else 0) <= values[2] < 32768


def test_the_standard_library_reads_the_same() -> None:
    stream = io.BytesIO()
    values = np.random.default_rng(0).integers(-32768, 32768, 500, dtype=np.int16)
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(values.tobytes())
    assert np.array_equal(samples_of(stream.getvalue()), values)


def test_channels_are_mixed() -> None:
    left, right = tone(hertz=300), tone(hertz=700)
    mixed = samples_of(wav(np.stack([left, right], axis=1)))
    assert np.abs(mixed - 16384 * (left + right)).max() < 1


def test_other_chunks_are_passed_over() -> None:
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx" + b"\0"    # padded to an even length
    assert np.array_equal(samples_of(wav(before=odd)), samples_of(wav()))


@pytest.mark.parametrize("claims", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_length_that_was_not_known_means_to_the_end(claims: int) -> None:
    assert np.array_equal(samples_of(wav(claims=claims)), samples_of(wav()))


BAD = [
    (b"", ["is empty"]),
    (b"ID3\x04" + bytes(40), ["not a WAV file", "b'ID3\\x04'", "ffmpeg"]),
    (b"RIFF\x04\0\0\0AVI " + bytes(40), ["not a WAV file"]),
    (wav(tag=7, bits=8), ["compressed (mu-law)", "PCM of 8, 16, 24 and 32 bits", "pcm_s16le"]),
    (wav(tag=0x11), ["compressed (IMA ADPCM)"]),
    (wav(tag=0x1234), ["compressed (format 0x1234)"]),
    (wav(bits=64), ["PCM of 64 bits", "8, 16, 24, 32 bits"]),
    (wav(np.zeros(0)), ["without samples"]),
    (wav(claims=10**6), ["truncated", "promises 1000000 bytes", "4000 are there"]),
    (wav()[:12], ["without a chunk for its format"]),
    (wav()[:30], ["its format has 10 bytes"]),
    (wav()[:36], ["without a chunk for its samples"]),
    (wav(rate=0), ["1 channels at 0 Hz"]),
    (wav(np.array([0.0, np.nan]), bits=32, floating=True), ["not numbers"]),
]


@pytest.mark.parametrize(("data", "said"), BAD, ids=[words[0] for _, words in BAD])
def test_a_bad_file_is_told_by_name(data: bytes, said: list[str]) -> None:
    with pytest.raises(EdgecnnError) as error:
        samples_of(data)
    assert str(error.value).startswith("x.wav: ")
    for words in said:
        assert words in str(error.value)


@given(st.integers(0, 60), st.integers(0, 255), st.integers(0, 60))
@settings(max_examples=300)
def test_a_damaged_file_is_read_or_refused(place: int, value: int, cut: int) -> None:
    data = bytearray(wav(np.zeros(20), extensible=True))
    data[place] = value
    try:
        samples = samples_of(bytes(data[: len(data) - cut]))
    except EdgecnnError:
        return
    assert np.isfinite(samples).all()
