"""Whether anything moves in a camera's pictures, so that a model need not look at all of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Pixels

Grey = NDArray[np.float32]
"""A small grey picture, shape (height, width), 0 to 255."""

WIDTH = 80
"""Cells of a picture's longer side, about."""
SAMPLES = 3
"""Pixels of a cell that are looked at, in each direction."""
CHANGE = 10.0
"""Grey levels by which a cell must differ from the background; sensor noise is below 3 in a cell."""
NOISE = 6.0
"""How many times the typical difference of all cells it must be as well,"""
LOUDEST = 30.0
"""up to so many grey levels: no sensor is noisier."""
WHOLE = 0.5
"""If more of the picture changes, the camera did: it turned, or to infrared."""
CALM = 0.02
"""How fast the background follows, per picture, where nothing changed."""
BUSY = 0.1
"""How fast it follows all over a picture that moved: what stops is background 20 pictures later."""


class MotionGate:
    """Compares the pictures of one camera with a background that follows slowly."""

    def __init__(self, least: float) -> None:
        """Take which part of the picture, in [0, 1], must have changed; 0: every picture moved."""
        self._least = least
        self._shape: tuple[int, ...] = ()
        self._background: Grey = np.zeros((0, 0), np.float32)

    def moved(self, pixels: Pixels) -> bool:
        """Return whether a picture shows movement; the first one, also of a new size, does."""
        grey = _shrunk(pixels)
        if pixels.shape != self._shape:
            self._shape, self._background = pixels.shape, grey
            return True
        expected = _relit(self._background, grey)
        difference = np.abs(grey - expected)
        noise = NOISE * float(np.median(difference))
        changed = difference > max(CHANGE, min(noise, LOUDEST))
        part = float(changed.mean())
        moved = part >= self._least
        if part > WHOLE:
            self._background = grey
            return moved
        # Below the least, changes stay out of the background, so that a slow mover adds up to one.
        rate = BUSY if moved else np.where(changed, np.float32(0), np.float32(CALM))
        self._background = expected + (grey - expected) * rate
        return moved


def _shrunk(pixels: Pixels) -> Grey:
    """Return the means of samples of a picture's cells."""
    height, width = pixels.shape[:2]
    step = math.ceil(max(height, width) / (WIDTH * SAMPLES))
    red, green, blue = np.moveaxis(pixels[::step, ::step], 2, 0).astype(np.uint16)
    samples = red + green + blue
    rows, columns = (max(1, side // SAMPLES) for side in samples.shape)
    block = (min(SAMPLES, samples.shape[0]), min(SAMPLES, samples.shape[1]))
    samples = samples[: rows * block[0], : columns * block[1]]
    cells = samples.reshape(rows, block[0], columns, block[1]).sum(axis=(1, 3), dtype=np.uint32)
    grey: Grey = cells.astype(np.float32) / np.float32(3 * block[0] * block[1])
    return grey


def _relit(background: Grey, grey: Grey) -> Grey:
    """Return the background in the light of a picture: clouds change all cells by one gain and offset."""
    middle, middle_now = float(np.median(background)), float(np.median(grey))
    spread = float(np.median(np.abs(background - middle)))
    spread_now = float(np.median(np.abs(grey - middle_now)))
    gain = min(2.0, max(0.5, spread_now / spread)) if spread > 1 else 1.0
    return (background - np.float32(middle)) * np.float32(gain) + np.float32(middle_now)
