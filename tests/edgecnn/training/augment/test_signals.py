"""Changes to recordings, signals and spectrograms: as large as asked, never larger, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.errors import UsageError
from edgecnn.preprocess import AudioPreprocess, ImagePreprocess, PreprocessKind, SignalPreprocess, SpectrogramPreprocess
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import augment_inputs, augment_raw, check

AUDIO, SIGNAL = AudioPreprocess(rate=8000), SignalPreprocess(mean=(0.0,), deviation=(1.0,))
SPECTROGRAM = SpectrogramPreprocess(rate=8000)
CLASSES = np.arange(64)


def recordings(count: int = 64, length: int = 500) -> np.ndarray:
    return np.random.default_rng(5).integers(-3000, 3001, (count, length, 1)).astype(np.int16)


def signals(count: int = 64, length: int = 200) -> np.ndarray:
    """Two channels of very different deviation."""
    values = np.random.default_rng(6).standard_normal((count, length, 2)) * [1, 50]
    return values.astype(np.float32)


def raw(x: np.ndarray, preprocess: PreprocessKind, seed: int = 0, **settings: float) -> np.ndarray:
    before = x.copy()
    changed, classes = augment_raw(x, CLASSES, preprocess, AugmentSection(**settings), np.random.default_rng(seed))    # type: ignore[arg-type]
    assert np.array_equal(classes, CLASSES)
    assert np.array_equal(x, before), "the samples themselves were changed"
    assert (changed.shape, changed.dtype) == (x.shape, x.dtype)
    return changed


@pytest.mark.parametrize("preprocess", [AUDIO, SPECTROGRAM])
def test_recordings_move_and_silence_comes_in(preprocess: PreprocessKind) -> None:
    x = recordings() | 1    # nothing in them is 0
    moved = raw(x, preprocess, time_shift=0.1)
    seen = set()
    for one, other in zip(x[:, :, 0], moved[:, :, 0], strict=True):
        later = next(
            step for step in range(-50, 51)
            if np.array_equal(one[max(0, -step) : 500 - max(0, step)], other[max(0, step) : 500 - max(0, -step)])
        )
        seen.add(later)
        assert not other[: max(0, later)].any()
        assert not other[500 + min(0, later) :].any()
    assert min(seen) < -40
    assert max(seen) > 40


def test_signals_move_and_repeat_their_edge() -> None:
    x = np.tile(np.arange(1, 101, dtype=np.float32)[:, np.newaxis], (64, 1, 2))
    moved = raw(x, SIGNAL, time_shift=0.2)
    steps = np.diff(moved, axis=1)
    assert set(np.unique(steps)) == {0.0, 1.0}
    assert moved.min() == 1
    assert moved.max() == 100
    assert set((moved[:, 50, 0] - 51).astype(int)) <= set(range(-20, 21))
    assert np.array_equal(moved[:, :, 0], moved[:, :, 1])


def test_a_faster_recording_is_higher_and_shorter() -> None:
    time = np.arange(4000) / 8000
    tone = np.where(np.abs(time - 0.25) < 0.1, 8000 * np.sin(2 * np.pi * 400 * time), 0).astype(np.int16)
    played = raw(np.tile(tone[:, np.newaxis], (64, 1, 1)), AUDIO, speed=0.2)
    hertz = np.abs(np.fft.rfft(played[:, :, 0], axis=1)).argmax(axis=1) * 2
    seconds = (np.abs(played[:, :, 0]) > 0).sum(axis=1) / 8000
    assert 320 <= hertz.min() < 340
    assert 460 < hertz.max() <= 482
    assert np.allclose(hertz * seconds, 400 * 0.2, rtol=0.04)
    assert np.abs(played).max() <= 8000


def test_a_signal_at_another_speed_follows_its_line() -> None:
    x = np.tile(np.arange(100, dtype=np.float32)[:, np.newaxis], (64, 1, 2))
    played = raw(x, SIGNAL, speed=0.3)
    slopes = np.diff(played, axis=1)[:, 45:55]
    assert np.allclose(slopes, slopes[:, :1], atol=1e-4)
    assert 0.7 <= slopes.min() < 0.75
    assert 1.25 < slopes.max() <= 1.3001
    assert np.allclose(played[:, 49:51].mean(axis=1), 49.5, atol=1e-4)    # the middle stays
    assert played.min() == 0
    assert played.max() == pytest.approx(99)


@pytest.mark.parametrize(("x", "preprocess"), [(recordings(), AUDIO), (signals(), SIGNAL)], ids=["audio", "signal"])
def test_gain(x: np.ndarray, preprocess: PreprocessKind) -> None:
    louder = raw(x, preprocess, gain=0.4)
    ratio = louder.std(axis=(1, 2), dtype=np.float64) / x.std(axis=(1, 2), dtype=np.float64)
    assert 0.6 <= ratio.min() < 0.7
    assert 1.3 < ratio.max() <= 1.4


def test_noise_is_a_fraction_of_each_channel() -> None:
    x = signals()
    noise = raw(x, SIGNAL, noise=0.2) - x
    assert np.allclose(noise.std(axis=(0, 1)) / x.std(axis=(0, 1)), 0.2, rtol=0.05)
    assert abs(np.corrcoef(noise[:, :, 0].ravel(), x[:, :, 0].ravel())[0, 1]) < 0.05


def test_recordings_are_cut_at_full_scale() -> None:
    x = np.full((64, 100, 1), 32000, np.int16)
    x[:, ::2] *= -1
    changed = raw(x, AUDIO, gain=0.5, noise=0.5)
    assert changed.max() == 32767
    assert changed.min() == -32768
    assert np.all(np.sign(changed.astype(int).sum(axis=0)) == np.sign(x[0]))    # nothing wrapped around


def test_the_seed_decides() -> None:
    settings = {"time_shift": 0.1, "gain": 0.2, "noise": 0.1}
    x = recordings()
    assert np.array_equal(raw(x, AUDIO, 1, **settings), raw(x, AUDIO, 1, **settings))
    assert not np.array_equal(raw(x, AUDIO, 1, **settings), raw(x, AUDIO, 2, **settings))
    assert np.array_equal(raw(x, AUDIO), x)


def inputs(x: np.ndarray, preprocess: PreprocessKind, **settings: float) -> np.ndarray:
    changed, _ = augment_inputs(x, CLASSES, preprocess, AugmentSection(**settings), np.random.default_rng(0))    # type: ignore[arg-type]
    assert (changed.shape, changed.dtype) == (x.shape, np.float32)
    return changed


@pytest.mark.parametrize(("axis", "setting"), [(1, "time_mask"), (2, "frequency_mask")])
def test_a_spectrogram_is_masked_with_its_mean(axis: int, setting: str) -> None:
    x = np.random.default_rng(7).standard_normal((64, 50, 40, 1)).astype(np.float32)
    masked = inputs(x, SPECTROGRAM, **{setting: 0.2})
    changed = (masked != x)[..., 0]
    other = 3 - axis
    assert np.array_equal(changed.any(axis=other), changed.all(axis=other))    # whole frames, or whole bands
    lines = changed.all(axis=other)    # [B, frames or bands]
    widths = lines.sum(axis=1)
    assert widths.max() == round(0.2 * x.shape[axis])
    assert widths.min() == 0
    assert np.all(np.abs(np.diff(lines.astype(int), axis=1)).sum(axis=1) <= 2)    # in one piece
    assert lines[:, 0].any()
    assert lines[:, -1].any()
    for one, sample, where in zip(masked, x, changed, strict=True):
        assert np.allclose(one[where], sample.mean(), atol=1e-6)


def test_a_signal_is_masked_with_each_channels_mean() -> None:
    x = signals() + np.array([3, -3], np.float32)
    masked = inputs(x, SIGNAL, time_mask=0.5)
    changed = masked != x
    assert np.array_equal(changed[:, :, 0], changed[:, :, 1])
    assert 60 < changed[:, :, 0].sum(axis=1).max() <= 100
    for one, sample, where in zip(masked, x, changed, strict=True):
        hidden = where[:, 0]
        assert np.allclose(one[hidden], sample.mean(axis=0), atol=1e-4)


def test_settings_of_other_kinds_are_refused() -> None:
    y = np.eye(64, dtype=np.float32)
    for preprocess, settings in (
        (AUDIO, {"frequency_mask": 0.1}),
        (SIGNAL, {"shift": 0.1}),
        (SPECTROGRAM, {"rotation": 10.0}),
        (ImagePreprocess(), {"time_shift": 0.1}),
    ):
        x = recordings() if preprocess.kind != "image" else np.zeros((64, 4, 4, 1), np.uint8)
        with pytest.raises(UsageError, match=next(iter(settings))):
            check(x, y, preprocess, AugmentSection(**settings))    # type: ignore[arg-type]
    check(recordings(), y, SPECTROGRAM, AugmentSection(noise=0.1, time_mask=0.1, frequency_mask=0.1, mixup=0.2))
