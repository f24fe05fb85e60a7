"""From WAV files to clips of one rate and one length: ``int16 [N, T, 1]``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.data._resample import resample
from edgecnn.data._source import Source
from edgecnn.data._wav import WavHeader, read_header, read_samples
from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.recipe import DataSection

RATES = (100, 768_000)    # Hz: below is no sound that can be heard, above is no recorder


@dataclass(frozen=True)
class Form:
    """What every recording is brought to.

    Attributes:
        rate: Samples a second, Hz.
        samples: ``T``, of one clip.
    """

    rate: int
    samples: int

    @property
    def seconds(self) -> float:
        """Length of a clip."""
        return self.samples / self.rate


def form_of(section: DataSection, source: Source, keys: Sequence[str]) -> Form:
    """The recipe's rate and length, or those that all recordings have.

    Args:
        section: ``data.rate`` and ``data.length``.
        source: Holds the recordings.
        keys: All of them; they are looked at only for what the recipe does not give.

    Raises:
        UsageError: A setting is out of range.
        EdgecnnError: The recordings differ in what the recipe does not give, or one cannot be read.
    """
    check_form(section)
    settled = section.rate is not None and section.length is not None
    headers = [read_header(source.read(key), source.where(key)) for key in keys if not settled]
    rate = section.rate or _common_rate(source, keys, headers)
    if section.length is not None:
        return Form(rate, max(1, round(section.length * rate)))
    shortest, longest = (choose(header.seconds for header in headers) for choose in (min, max))
    if longest - shortest > 0.5 / rate:
        raise EdgecnnError(
            f"{source.path}: the recordings last from {shortest:.2f} to {longest:.2f} seconds; a network takes one "
            f"length. Give it: --set data.length={math.ceil(10 * longest) / 10:g} keeps all of them. Silence comes "
            "around shorter recordings, longer ones lose their ends."
        )
    return Form(rate, max(1, round(longest * rate)))


def check_form(section: DataSection) -> None:
    """Refuse a rate or a length that no recording has.

    Raises:
        UsageError: ``data.rate`` or ``data.length`` is out of range.
    """
    if section.rate is not None and not RATES[0] <= section.rate <= RATES[1]:
        raise UsageError(
            f"data.rate = {section.rate}: {RATES[0]} to {RATES[1]} Hz are supported, for example --set data.rate=16000."
        )
    if section.length is not None and not section.length <= 60:
        raise UsageError(
            f"data.length = {section.length:g}: up to 60 seconds are supported, for example --set data.length=1.0."
        )


def _common_rate(source: Source, keys: Sequence[str], headers: Sequence[WavHeader]) -> int:
    ((rate, count), *others) = Counter(header.rate for header in headers).most_common()
    if others:
        key = next(key for key, header in zip(keys, headers, strict=True) if header.rate == others[0][0])
        raise EdgecnnError(
            f"{source.where(key)}: {others[0][0]} Hz, but {count} of {len(keys)} recordings have {rate} Hz. "
            f"To bring all to one rate: --set data.rate={rate}"
        )
    return rate


def describe_form(section: DataSection, form: Form) -> list[str]:
    """What is done to recordings on the way, for the data set's source."""
    remarks = []
    if section.rate is not None:
        remarks.append(f"resampled to {form.rate} Hz where another")
    if section.length is not None:
        remarks.append(f"cut or padded to {form.seconds:g} s")
    return remarks


def read_clips(source: Source, keys: Sequence[str], form: Form) -> np.ndarray:
    """Recordings, mixed to one channel, at one rate and of one length; the middle of each lies in the middle.

    Returns:
        ``int16 [N, T, 1]``.

    Raises:
        EdgecnnError: One cannot be read; the message names it.
    """
    clips = np.zeros((len(keys), form.samples, 1), np.int16)
    for clip, key in zip(clips[:, :, 0], keys, strict=True):
        data, where = source.read(key), source.where(key)
        header = read_header(data, where)
        samples = resample(read_samples(data, header, where), header.rate, form.rate)
        spare = len(samples) - form.samples
        cut = samples[max(0, spare // 2) :][: form.samples]
        before = max(0, -spare // 2)
        clip[before : before + len(cut)] = np.clip(np.rint(cut), -32768, 32767)
    return clips
