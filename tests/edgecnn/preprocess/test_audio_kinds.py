"""Waveforms and spectrograms of recordings: loudness is taken out, and everything is in the fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from edgecnn.errors import EdgecnnError, UsageError
from edgecnn.preprocess import AudioPreprocess, Preprocess, SpectrogramPreprocess
from edgecnn.recipe import load_recipe

RATE = 8000


def tones(*hertz: float, height: float = 0.1, seconds: float = 0.5) -> np.ndarray:
    """A clip for each frequency, int16 ``[N, T, 1]``."""
    time = np.arange(round(RATE * seconds)) / RATE
    waves = [np.rint(32767 * height * np.sin(2 * np.pi * f * time)) for f in hertz]
    return np.array(waves).astype(np.int16)[:, :, np.newaxis]


# --- Waveforms -------------------------------------------------------------------------------------------------------


def test_values_are_the_formula() -> None:
    raw = np.array([[3000, -4000, 0, 0], [3, 4, 0, 0]], np.int16)[:, :, np.newaxis]
    values = AudioPreprocess(rate=RATE, level=0.1).fit(raw).apply(raw)[:, :, 0]
    assert values.dtype == np.float32
    assert np.allclose(values, [[0.12, -0.16, 0, 0], [0.12, 0.16, 0, 0]], atol=1e-7)    # rms 2500 and 2.5
    peak = AudioPreprocess(rate=RATE, level=0.1, normalize="peak").apply(raw)[:, :, 0]
    assert np.allclose(peak, [[0.075, -0.1, 0, 0], [0.075, 0.1, 0, 0]], atol=1e-7)
    plain = AudioPreprocess(rate=RATE, level=1.0, normalize="none").apply(raw)[:, :, 0]
    assert np.array_equal(plain, raw[:, :, 0] / np.float32(32768))


def test_emphasis_is_a_difference() -> None:
    raw = np.array([[1000, 2000, 2000, -4000]], np.int16)[:, :, np.newaxis]
    values = AudioPreprocess(rate=RATE, level=1.0, normalize="none", emphasis=0.5).apply(raw)[0, :, 0]
    assert np.allclose(values * 32768, [1000, 1500, 1000, -5000], atol=1e-2)


def test_what_is_far_beyond_the_level_is_cut() -> None:
    raw = np.zeros((1, 8000, 1), np.int16)
    raw[0, :2] = [[20000], [-20000]]
    values = AudioPreprocess(rate=RATE).apply(raw)[0, :3, 0]
    assert values.tolist() == [1, -1, 0]


@pytest.mark.parametrize("normalize", ["rms", "peak"])
def test_loudness_does_not_matter(normalize: str) -> None:
    raw = np.random.default_rng(0).integers(-500, 501, (3, 4000, 1)).astype(np.int16)
    for kind in ("audio", "spectrogram"):
        preprocess = TypeAdapter(Preprocess).validate_python({"kind": kind, "rate": RATE, "normalize": normalize})
        assert np.allclose(preprocess.apply(raw), preprocess.apply(32 * raw), atol=3e-5)


def test_silence_stays_silent() -> None:
    raw = np.zeros((2, 800, 1), np.int16)
    assert not AudioPreprocess(rate=RATE).apply(raw).any()
    assert SpectrogramPreprocess(rate=RATE, floor=-30).apply(raw).tolist() == np.full((2, 4, 40, 1), -30).tolist()
    faint = np.full((1, 800, 1), 1, np.int16)
    assert AudioPreprocess(rate=RATE, level=0.5, quietest=0.001).apply(faint).max() == pytest.approx(0.5 / 32.768)


def test_the_loudest_clip_does_not_overflow() -> None:
    raw = np.full((1, 48000, 1), -32768, np.int16)
    for normalize in ("rms", "peak"):
        values = AudioPreprocess(rate=48000, level=0.5, normalize=normalize).apply(raw)    # type: ignore[arg-type]
        assert np.all(values == -0.5)


# --- Spectrograms ----------------------------------------------------------------------------------------------------


def test_a_tone_stands_in_its_band_at_every_time() -> None:
    hertz = (200.0, 800.0, 3000.0)
    preprocess = SpectrogramPreprocess(rate=RATE, mels=20)
    levels = preprocess.levels(tones(*hertz))
    assert levels.shape == (3, 24, 20)    # 1 + (4000 - 256) // 160 frames
    bins = np.rint(np.array(hertz) * 256 / RATE).astype(int)
    expected = preprocess.weights[:, bins].argmax(axis=0)
    assert np.array_equal(levels.argmax(axis=2), np.repeat(expected[:, np.newaxis], 24, axis=1))
    assert levels.min() == -60


def test_levels_of_white_noise_are_its_bands_widths() -> None:
    """Against the clip's own power, a band of white noise has the sum of its weights."""
    noise = np.random.default_rng(0).normal(0, 1000, (20, 8000, 1)).astype(np.int16)
    preprocess = SpectrogramPreprocess(rate=RATE, mels=10)
    measured = 10 * np.log10((10 ** (preprocess.levels(noise).astype(np.float64) / 10)).mean(axis=(0, 1)))
    assert np.abs(measured - 10 * np.log10(preprocess.weights.sum(axis=1))).max() < 0.4


def test_levels_against_double_precision() -> None:
    raw = np.random.default_rng(1).normal(0, 300, (2, 1500, 1)).astype(np.int16)
    preprocess = SpectrogramPreprocess(rate=RATE, frame=200, hop=80, mels=24, low=100, high=3500, normalize="none")
    clip = raw[1, :, 0] / 32768
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    window /= np.sqrt((window**2).sum())
    rows = []
    for start in range(0, 1500 - 200 + 1, 80):
        power = np.abs(np.fft.rfft(clip[start : start + 200] * window, 256)) ** 2
        rows.append(np.maximum(10 * np.log10(preprocess.weights.astype(np.float64) @ power), -60))
    assert preprocess.levels(raw).shape == (2, 17, 24)
    assert np.abs(preprocess.levels(raw)[1] - np.array(rows)).max() < 1e-4


def test_fit_brings_mean_and_deviation_to_0_and_1_and_keeps_what_is_given() -> None:
    raw = tones(300, 900, 2000)
    fitted = SpectrogramPreprocess(rate=RATE).fit(raw)
    values = fitted.apply(raw)
    assert values.shape == (3, 24, 40, 1)
    assert values.dtype == np.float32
    assert abs(float(values.mean(dtype=np.float64))) < 1e-4
    assert float(values.std(dtype=np.float64)) == pytest.approx(1, abs=1e-4)
    assert fitted.samples == 4000
    given = SpectrogramPreprocess(rate=RATE, mean=-30, deviation=20).fit(raw)
    assert (given.mean, given.deviation) == (-30, 20)
    assert fitted.fit(tones(500)) == fitted


@pytest.mark.parametrize("fitted", [False, True])
def test_a_contract_gives_the_same_values(fitted: bool) -> None:
    raw = tones(300, 900)
    for kind in (AudioPreprocess(rate=RATE), SpectrogramPreprocess(rate=RATE, mels=13)):
        preprocess = kind.fit(raw) if fitted else kind
        again = TypeAdapter(Preprocess).validate_json(preprocess.model_dump_json())
        assert again == preprocess
        assert np.array_equal(again.apply(raw), preprocess.apply(raw))


def test_one_clip_is_as_one_of_many() -> None:
    raw = np.random.default_rng(3).normal(0, 300, (70, 1000, 1)).astype(np.int16)
    for preprocess in (AudioPreprocess(rate=RATE), SpectrogramPreprocess(rate=RATE)):
        assert np.array_equal(preprocess.apply(raw)[69:], preprocess.apply(raw[69:]))


@pytest.mark.parametrize("kind", [AudioPreprocess, SpectrogramPreprocess])
def test_other_samples_are_refused(kind: type[AudioPreprocess]) -> None:
    with pytest.raises(EdgecnnError, match=r"for recordings.*uint8"):
        kind(rate=RATE).fit(np.zeros((2, 28, 28, 1), np.uint8))
    fitted = kind(rate=RATE).fit(tones(300))
    with pytest.raises(EdgecnnError, match=r"has 2000 samples.*trained on 4000 \(8000 Hz\).*data.length=0.5"):
        fitted.apply(tones(300, seconds=0.25))


WRONG = [
    ("rate = 8000\nfft = 200", ":7: ", "power of two, at least frame = 256"),
    ("rate = 8000\nfft = 128", ":7: ", "power of two"),
    ("rate = 8000\nhigh = 5000", ":7: ", "at most 4000"),
    ("rate = 8000\nlow = 4100.0", "preprocess.high", "above low = 4100 Hz"),
    ("rate = 8000\nmels = 128", ":7: ", "take fewer mels, or fft = 512"),
    ("mels = 32", "preprocess.rate", "required"),
    ("rate = 8000\nwindow = 3", ":7: ", "unknown key"),
]


@pytest.mark.parametrize(("fields", "where", "said"), WRONG, ids=[fields for fields, _, _ in WRONG])
def test_a_recipe_that_cannot_be_meant(tmp_path: Path, fields: str, where: str, said: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f'[model]\nname = "x"\n[preprocess]\nkind = "spectrogram"\n\n{fields}\n[data]\nset = "digits"\n')
    with pytest.raises(UsageError) as error:
        load_recipe(path)
    assert where in str(error.value)
    assert said.lower() in str(error.value).lower()


def test_loudness_has_names() -> None:
    with pytest.raises(ValidationError, match="'none', 'rms' or 'peak'"):
        AudioPreprocess(rate=RATE, normalize="loud")    # type: ignore[arg-type]
