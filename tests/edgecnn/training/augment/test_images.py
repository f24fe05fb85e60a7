"""What each augmentation does to an image: exact where it can be, and the same for the same generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.errors import UsageError
from edgecnn.recipe import AugmentSection
from edgecnn.training.augment import images
from edgecnn.training.augment.geometry import Places, look_up, look_up_nearest

EACH: list[dict[str, Any]] = [
    {"shift": 0.3},
    {"flip": "both"},
    {"rotation": 25.0},
    {"quarter_turns": True},
    {"zoom": 0.3},
    {"brightness": 0.3},
    {"contrast": 0.5},
    {"cutout": 0.4},
]
ALL: dict[str, Any] = {name: value for one in EACH for name, value in one.items()}


def counted(height: int = 8, width: int = 8, channels: int = 1) -> np.ndarray:
    """One image, no two values alike as far as a byte goes."""
    return np.arange(height * width * channels, dtype=np.uint8).reshape(1, height, width, channels)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def augmented(x: np.ndarray, y: np.ndarray | None = None, seed: int = 0, **settings: Any) -> np.ndarray:
    y = np.zeros(len(x), np.int64) if y is None else y
    return images.augment(x, y, AugmentSection(**settings), np.random.default_rng(seed))[0]


def outcomes(image: np.ndarray, count: int = 300, **settings: Any) -> set[bytes]:
    """Everything that comes of one image."""
    many = np.repeat(image, count, axis=0)
    return {one.tobytes() for one in augmented(many, **settings)}


# --- Places ----------------------------------------------------------------------------------------------------------


def test_shifts_move_whole_pixels_and_repeat_the_edge() -> None:
    padded = np.pad(counted()[0, :, :, 0], 1, mode="edge")
    allowed = {
        padded[1 - down : 9 - down, 1 - right : 9 - right].tobytes() for down in (-1, 0, 1) for right in (-1, 0, 1)
    }
    assert outcomes(counted(), shift=0.125) == allowed


@pytest.mark.parametrize(("flip", "axis"), [("horizontal", 2), ("vertical", 1)])
def test_flips_happen_about_half_the_time_and_along_the_right_axis(flip: str, axis: int) -> None:
    x = np.tile(np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1), (1000, 1, 1, 1))
    out = augmented(x, flip=flip)
    turned = (out == np.flip(x, axis)).all(axis=(1, 2, 3))
    kept = (out == x).all(axis=(1, 2, 3))
    assert (turned ^ kept).all()
    assert 400 < turned.sum() < 600


def test_both_flips_give_four_pictures_and_with_quarter_turns_eight() -> None:
    image = counted(4, 4)
    plain = image[0, :, :, 0]
    turned = {np.rot90(plain, turn).tobytes() for turn in range(4)}
    assert outcomes(image, quarter_turns=True) == turned
    flipped = {form.tobytes() for form in (plain, plain[::-1], plain[:, ::-1], plain[::-1, ::-1])}
    assert outcomes(image, flip="both") == flipped
    symmetries = turned | {np.rot90(plain, turn)[:, ::-1].tobytes() for turn in range(4)}
    assert len(symmetries) == 8
    assert outcomes(image, flip="both", quarter_turns=True) == symmetries
    assert outcomes(image, flip="horizontal", quarter_turns=True) == symmetries


def test_a_turn_of_a_shifted_image_comes_after_the_shift() -> None:
    padded = np.pad(counted(4, 4)[0, :, :, 0], 1, mode="edge")
    shifted = [padded[1 - down : 5 - down, 1 - right : 5 - right] for down in (-1, 0, 1) for right in (-1, 0, 1)]
    allowed = {np.rot90(one, turn).tobytes() for one in shifted for turn in range(4)}
    assert outcomes(counted(4, 4), 2000, shift=0.25, quarter_turns=True) == allowed


@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 3))
def test_between_pixels_it_is_bilinear_and_outside_the_edge(height: int, width: int, channels: int) -> None:
    generator = np.random.default_rng(height * 100 + width * 10 + channels)
    image = noise(1, height, width, channels)
    rows, columns = (
        generator.uniform(-2, size + 1, (1, height, width)).astype(np.float32) for size in (height, width)
    )
    out = look_up(image, Places(rows, columns))
    nearest = look_up_nearest(image, Places(rows, columns))
    for i in range(height):
        for j in range(width):
            row, column = np.clip(rows[0, i, j], 0, height - 1), np.clip(columns[0, i, j], 0, width - 1)
            top, left = int(row), int(column)
            down, right = min(top + 1, height - 1), min(left + 1, width - 1)
            a, b = float(row) - top, float(column) - left
            four = [image[0, r, c].astype(float) for r in (top, down) for c in (left, right)]
            exact = (1 - a) * ((1 - b) * four[0] + b * four[1]) + a * ((1 - b) * four[2] + b * four[3])
            assert np.abs(out[0, i, j] - exact).max() <= 0.501
            assert (nearest[0, i, j] == image[0, round(float(row)), round(float(column))]).all()


def test_rotations_by_right_angles_are_exact_and_counter_clockwise(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(1, 7, 7, 3)
    for angle, turn in ((90.0, 1), (180.0, 2), (-90.0, 3)):
        generator = np.random.default_rng(0)
        monkeypatch.setattr(np.random, "default_rng", lambda *_: _Fixed(generator, angle))    # noqa: B023
        out = augmented(image, rotation=180)
        assert np.abs(out[0].astype(int) - np.rot90(image[0], turn)).max() <= 1    # sines are not quite 0 and 1


class _Fixed:
    """A generator whose uniform draws are all one number."""

    def __init__(self, generator: np.random.Generator, value: float) -> None:
        self._generator, self._value = generator, value

    def uniform(self, low: float, high: float, count: int) -> np.ndarray:
        assert low <= self._value <= high
        return np.full(count, self._value)

    def random(self, count: int) -> np.ndarray:
        return self._generator.random(count)


def test_a_zoom_enlarges_about_the_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = np.broadcast_to(np.arange(0, 90, 10, dtype=np.uint8)[:, None], (9, 9))[None, :, :, None]
    monkeypatch.setattr(np.random, "default_rng", lambda *_: _Fixed(None, 0.25))    # type: ignore[arg-type]
    out = augmented(ramp, zoom=0.25)
    # Twice 8 pixels a step of 10, seen 1.25 times as large.
    assert out[0, :, 4, 0].tolist() == [8, 16, 24, 32, 40, 48, 56, 64, 72]


def test_rotations_stay_within_their_limit() -> None:
    """The bright end of a bar stays within the angle."""
    bar = np.zeros((1, 41, 41, 1), np.uint8)
    bar[0, 19:22, 20:, 0] = 255
    out = augmented(np.repeat(bar, 300, axis=0), rotation=30)
    rows = np.array([np.mean(np.nonzero(one[:, 35, 0] > 127)[0]) for one in out]) - 20    # 15 pixels from the centre
    angles = np.rad2deg(np.arctan2(rows, 15))
    assert np.abs(angles).max() < 32
    assert angles.min() < -20
    assert angles.max() > 20


# --- Light -----------------------------------------------------------------------------------------------------------


def test_brightness_adds_one_number_to_all_pixels_and_stops_at_the_ends() -> None:
    x = np.repeat(np.array([0, 100, 200, 255], np.uint8).reshape(1, 2, 2, 1), 400, axis=0)
    out = augmented(x, brightness=0.2).reshape(400, 4).astype(int)
    added = out[:, 1] - 100
    assert (np.abs(added) <= 51).all()
    assert added.min() < -45
    assert added.max() > 45
    assert (out == np.clip(np.array([0, 100, 200, 255]) + added[:, None], 0, 255)).all()


def test_contrast_moves_pixels_from_or_to_the_mean() -> None:
    x = np.repeat(np.array([90, 110, 80, 120], np.uint8).reshape(1, 2, 2, 1), 400, axis=0)
    out = augmented(x, contrast=0.5).reshape(400, 4).astype(int) - 100
    factors = out[:, 3] / 20
    assert 0.45 <= factors.min() < 0.6
    assert 1.4 < factors.max() <= 1.55
    assert (out[:, 0] == -out[:, 1]).all()
    assert (out[:, 2] == -out[:, 3]).all()
    assert np.abs(out[:, 1] - 10 * factors).max() <= 1


# --- Cutout ----------------------------------------------------------------------------------------------------------


def test_cutout_covers_a_square_in_the_mean_colour() -> None:
    x = np.zeros((200, 10, 10, 2), np.uint8)
    x[:, :, 5:, 0] = 200    # mean of the channels: 100 and 0
    x[..., 1] = np.arange(10, dtype=np.uint8)[None, :, None] + 10    # 10 to 19: mean 14.5, which becomes 14
    out = augmented(x, cutout=0.4)
    covered = (out != x).any(axis=3)
    assert covered.any(axis=(1, 2)).all()
    assert (out[covered] == [100, 14]).all()
    whole = [np.argwhere(one) for one in covered]
    extents = np.array([places.max(axis=0) - places.min(axis=0) + 1 for places in whole])
    assert extents.max() == 4
    assert ((extents == 4).all(axis=1)).sum() > 40    # and some lie partly outside
    assert (extents < 4).any()


# --- All together ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [*EACH, ALL], ids=lambda settings: "+".join(settings))
def test_the_same_generator_gives_the_same_and_it_is_uint8_of_the_same_shape(settings: dict[str, Any]) -> None:
    x = noise(20, 12, 12, 3)
    before = x.copy()
    first, again, other = (augmented(x, seed=seed, **settings) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, x)
    assert np.array_equal(x, before)
    assert first.dtype == np.uint8
    assert first.shape == x.shape


def test_nothing_asked_nothing_done() -> None:
    x = noise(4, 5, 6, 3)
    generator = np.random.default_rng(0)
    out, _ = images.augment(x, np.zeros(4), AugmentSection(), generator)
    assert out is x
    assert generator.random() == np.random.default_rng(0).random()    # nothing was drawn


@pytest.mark.parametrize("settings", [*EACH, ALL], ids=lambda settings: "+".join(settings))
def test_the_frames_of_a_clip_change_together(settings: dict[str, Any]) -> None:
    still = np.repeat(noise(6, 1, 8, 8, 3), 5, axis=1)    # five times the same frame
    out = augmented(still, **settings)
    assert out.shape == still.shape
    assert (out == out[:, :1]).all()
    assert (out != still).any()


def test_the_pixels_of_each_frame_go_where_those_of_an_image_go() -> None:
    clips = noise(6, 4, 8, 8, 2)
    section: dict[str, Any] = {"shift": 0.3, "flip": "both", "rotation": 20.0, "quarter_turns": True, "zoom": 0.1}
    whole = augmented(clips, **section)
    for frame in range(4):
        assert np.array_equal(whole[:, frame], augmented(clips[:, frame], **section))


@pytest.mark.parametrize("channel", [False, True])
def test_masks_move_with_their_images(channel: bool) -> None:
    """A mask that is its image's own threshold stays it, as far as pixels go whole."""
    x = noise(30, 16, 16, 1)
    y = (x >= 128).astype(np.float32) if channel else (x[..., 0] >= 128).astype(np.int64)
    section = AugmentSection(shift=0.2, flip="both", quarter_turns=True)
    moved, masks = images.augment(x, y, section, np.random.default_rng(5))
    assert masks.dtype == y.dtype
    assert np.array_equal(masks.reshape(moved.shape[:3]), moved[..., 0] >= 128)
    assert not np.array_equal(masks, y)


def test_between_pixels_masks_stay_masks_and_close_to_their_images() -> None:
    half = np.zeros((50, 32, 32, 1), np.uint8)
    half[:, :, 16:] = 255
    y = (half[..., 0] > 0).astype(np.int64)
    moved, masks = images.augment(half, y, AugmentSection(rotation=40, zoom=0.2), np.random.default_rng(5))
    assert set(np.unique(masks)) == {0, 1}
    assert len(np.unique(moved)) > 10    # blended along the border, which a mask is not
    assert np.array_equal(masks[moved[..., 0] > 192], np.ones(int((moved[..., 0] > 192).sum())))
    assert np.array_equal(masks[moved[..., 0] < 64], np.zeros(int((moved[..., 0] < 64).sum())))


def test_light_and_cutout_leave_masks_alone() -> None:
    y = np.random.default_rng(0).integers(0, 2, (5, 8, 8))
    section = AugmentSection(brightness=0.5, contrast=0.5, cutout=0.5)
    assert images.augment(noise(5, 8, 8, 1), y, section, np.random.default_rng(0))[1] is y


def test_quarter_turns_need_a_square() -> None:
    images.check((8, 8, 3), AugmentSection(quarter_turns=True))
    with pytest.raises(UsageError, match=r"quarter_turns.*8×6 pixels.*data.size"):
        images.check((8, 6, 3), AugmentSection(quarter_turns=True))
