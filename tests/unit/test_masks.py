"""Masks cover the picture, not the grey around it, and stay in their boxes."""

from __future__ import annotations

import numpy as np
import pytest

from wyoming_units.vision.letterbox import fit
from wyoming_units.vision.masks import mask, picture_part
from wyoming_units.vision.rle import decode


@pytest.mark.parametrize(
    ("picture", "grid"),
    [((810, 1080), (120, 160)), ((1280, 720), (160, 90)), ((640, 640), (160, 160))],
)
def test_the_grid_is_that_of_the_picture(picture: tuple[int, int], grid: tuple[int, int]) -> None:
    part = picture_part(np.zeros((32, 160, 160), np.float32), fit(*picture, (640, 640)))
    assert part.shape == (32, grid[1], grid[0])


def test_a_disc_is_found_where_it_is_and_cut_off_at_its_box() -> None:
    letterbox = fit(
        1280, 720, (640, 640)
    )  # 2 pixels of the picture per pixel of the input, 8 per cell
    y, x = np.mgrid[:160, :160]
    disc = np.where((x - 80) ** 2 + (y - 80) ** 2 < 20**2, 5, -5).astype(np.float32)
    prototypes = np.zeros((32, 160, 160), np.float32)
    prototypes[3] = disc
    weights = np.zeros(32, np.float32)
    weights[3] = 1
    part = picture_part(prototypes, letterbox)

    whole = decode(mask(weights, part, np.array([480, 200, 800, 520], np.float32), letterbox))
    half = decode(mask(weights, part, np.array([480, 200, 640, 520], np.float32), letterbox))

    assert whole.shape == (90, 160)
    assert np.argwhere(whole).mean(axis=0).tolist() == pytest.approx([45, 80], abs=0.6)
    assert whole.sum() == (disc > 0).sum()
    assert half.sum() == pytest.approx(whole.sum() / 2, rel=0.05)
    assert not half[:, 80:].any()


def test_a_box_thinner_than_a_cell_has_one_cell() -> None:
    letterbox = fit(1280, 720, (640, 640))
    part = np.ones((1, 90, 160), np.float32)
    thin = mask(np.ones(1, np.float32), part, np.array([1279, 719, 1280, 720]), letterbox)
    assert decode(thin).sum() == 1
    assert decode(thin)[89, 159]
