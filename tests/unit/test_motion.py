"""The motion gate tells movement from noise and from light."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from wyoming_units.vision.motion import MotionGate
from wyoming_units.vision.scene import Pixels

LEAST = 0.002
SIZE = (270, 480)


@cache
def yard(height: int = SIZE[0], width: int = SIZE[1]) -> Pixels:
    """Return a picture with gradients, edges and texture."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / (height, width)[0]
    grey = 70 + 60 * y + 25 * np.sin(x * 9) + 40 * ((x * 4).astype(int) % 2)
    return np.stack([grey, grey * 0.9, grey * 0.8], axis=2).clip(0, 255).astype(np.uint8)


def walker(left: float, size: int = 40, background: Pixels | None = None) -> Pixels:
    """Return the yard with somebody in it, `left` pixels from the left."""
    pixels = (yard() if background is None else background).copy()
    x = round(left)
    pixels[120 : 120 + size, x : x + size // 2] = (240, 235, 230)
    return pixels


def noisy(pixels: Pixels, rng: np.random.Generator, sigma: float) -> Pixels:
    noise = rng.normal(0, sigma, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def settled() -> MotionGate:
    gate = MotionGate(LEAST)
    for _ in range(5):
        gate.moved(yard())
    return gate


def test_the_first_picture_is_movement_and_the_same_again_is_not() -> None:
    gate = MotionGate(LEAST)
    assert [gate.moved(yard()) for _ in range(4)] == [True, False, False, False]


def test_somebody_who_comes_and_goes_moves() -> None:
    gate = settled()
    assert gate.moved(walker(200))
    assert gate.moved(walker(230))
    assert gate.moved(yard()) is False


def test_what_is_smaller_than_the_least_part_does_not_count() -> None:
    assert not settled().moved(walker(200, size=10))
    gate = MotionGate(0.2)
    gate.moved(yard())
    assert not gate.moved(walker(200))


def test_at_zero_every_picture_counts() -> None:
    gate = MotionGate(0)
    assert all(gate.moved(yard()) for _ in range(3))


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_noise_is_no_movement(sigma: float) -> None:
    rng = np.random.default_rng(1)
    gate = MotionGate(LEAST)
    moved = [gate.moved(noisy(yard(), rng, sigma)) for _ in range(40)]
    assert moved[0]
    assert not any(moved[1:])


def test_somebody_is_seen_in_noise() -> None:
    rng = np.random.default_rng(2)
    gate = MotionGate(LEAST)
    for _ in range(10):
        gate.moved(noisy(yard(), rng, 10))
    assert gate.moved(noisy(walker(200), rng, 10))


@pytest.mark.parametrize(("gain", "offset"), [(0.7, 0), (1.25, 0), (1, 30), (0.8, -20)])
def test_more_or_less_light_is_no_movement(gain: float, offset: float) -> None:
    lit = (yard().astype(np.float32) * gain + offset).clip(0, 255).astype(np.uint8)
    gate = settled()
    assert not any(gate.moved(lit) for _ in range(5))
    assert not gate.moved(yard())


def test_a_cloud_does_not_hide_somebody() -> None:
    gate = settled()
    darker = (yard() * 0.7).astype(np.uint8)
    assert gate.moved(walker(200, background=darker))


def test_a_camera_that_turns_to_infrared_moves_once() -> None:
    gate = settled()
    red, green, blue = (yard()[..., i].astype(np.float32) for i in range(3))
    grey = (240 - 0.6 * red - 0.2 * green + 0.1 * blue).clip(0, 255).astype(np.uint8)
    infrared = np.repeat(grey[..., None], 3, axis=2)
    assert [gate.moved(infrared) for _ in range(5)] == [True, False, False, False, False]
    assert gate.moved(walker(200, background=infrared))


@pytest.mark.parametrize("speed", [0.1, 0.3, 1.0])
def test_slow_movers_are_not_swallowed_by_the_background(speed: float) -> None:
    gate = settled()
    pictures = round(60 / speed)
    seen = sum(gate.moved(walker(100 + speed * n, size=60)) for n in range(pictures))
    fresh = settled()
    assert gate.moved(walker(100 + speed * pictures + 60, size=60))
    assert fresh.moved(walker(100, size=60))
    assert seen >= 5


def test_somebody_who_comes_out_slowly_is_seen_in_the_end() -> None:
    gate = settled()
    moved = []
    for n in range(150):
        pixels = yard().copy()
        pixels[100:200, : max(1, n // 10)] = (240, 235, 230)  # a tenth of a pixel per picture
        moved.append(gate.moved(pixels))
    assert any(moved)


def test_what_has_stopped_becomes_background() -> None:
    gate = settled()
    moved = [gate.moved(walker(200)) for _ in range(80)]
    assert all(moved[:10])
    assert not any(moved[60:])
    assert gate.moved(yard())


def test_another_size_or_shape_begins_anew() -> None:
    gate = settled()
    wide = yard(1080, 1920)
    assert gate.moved(wide)
    assert not gate.moved(wide)
    assert gate.moved(yard(480, 480))
    assert gate.moved(yard())


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2, 3), (500, 1)])
def test_the_smallest_pictures_are_pictures(size: tuple[int, int]) -> None:
    gate = MotionGate(LEAST)
    black = np.zeros((*size, 3), np.uint8)
    assert gate.moved(black)
    assert not gate.moved(black)
