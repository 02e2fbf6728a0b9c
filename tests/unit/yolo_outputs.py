"""Outputs of object networks that know where some things are, and what is to be found in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines._vision_network import (
    Network,
    read_told,
    recognise,
    recognise_feed,
)
from wyoming_units.vision.letterbox import fit
from wyoming_units.vision.scene import Found
from wyoming_units.vision.yolo import decode

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Thing:
    """An object in a square input, in parts of its side."""

    kind: int
    score: float
    x: float
    y: float
    width: float
    height: float

    def box(self, size: int) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom in pixels."""
        return (
            (self.x - self.width / 2) * size,
            (self.y - self.height / 2) * size,
            (self.x + self.width / 2) * size,
            (self.y + self.height / 2) * size,
        )

    def joints(self, count: int, size: int) -> list[tuple[float, float, float]]:
        """Return points on a line through the box."""
        left, top, right, bottom = self.box(size)
        parts = [number / (count - 1) for number in range(count)]
        return [
            (left + part * (right - left), top + part * (bottom - top), 0.1 + 0.8 * part)
            for part in parts
        ]


THINGS = (
    Thing(2, 0.9, 0.30, 0.40, 0.30, 0.20),
    Thing(0, 0.7, 0.70, 0.60, 0.12, 0.25),
    Thing(1, 0.4, 0.52, 0.28, 0.05, 0.06),
)
SIDES = (320, 640)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def count(size: int, strides: tuple[int, ...] = (8, 16, 32)) -> int:
    return sum((size // stride) ** 2 for stride in strides)


def decoded(
    size: int,
    classes: int,
    extras: Callable[[Thing], list[float]] = lambda thing: [],
    things: tuple[Thing, ...] = THINGS,
) -> Array:
    """Return rows as YOLOv8 and 11 give them, (rows, 4 + classes + extras); each object has two."""
    rows = np.zeros((count(size), 4 + classes + len(extras(things[0]))), np.float32)
    for place, thing in enumerate(things):
        for twin in (0, 1):  # the second one a little beside the first, and less certain
            row = rows[100 * place + 7 * twin + 3]
            row[:4] = [value * size for value in (thing.x, thing.y, thing.width, thing.height)]
            row[0] += twin * 0.01 * size * thing.width
            row[4 + thing.kind] = thing.score - 0.1 * twin
            row[4 + classes :] = extras(thing)
    return rows


def steps(distance: float, bins: int) -> list[float]:
    """Return logits of a distribution over whole cells whose mean is a distance."""
    low = int(distance)
    part = distance - low
    weights = [1e-9] * bins
    weights[low] += 1 - part
    if part:
        weights[low + 1] += part
    return [math.log(weight) for weight in weights]


def home(thing: Thing, size: int, strides: tuple[int, ...], bins: int) -> tuple[int, int, int]:
    """Return the stride, column and row of the cell that tells of an object."""
    stride = next(s for s in strides if max(thing.width, thing.height) * size / 2 / s < bins - 2)
    return stride, int(thing.x * size / stride), int(thing.y * size / stride)


def sides(thing: Thing, size: int, stride: int, x: float, y: float, bins: int) -> list[float]:
    left, top, right, bottom = thing.box(size)
    away = (x - left, y - top, right - x, bottom - y)
    return [value for distance in away for value in steps(distance / stride, bins)]


def raw(size: int, classes: int, joints: int = 0) -> list[Array]:
    """Return maps (1, rows, columns, 64 + classes), and of joints, as they are before a network decodes them."""
    tables = [np.full((1, size // s, size // s, 64 + classes), -9, np.float32) for s in (8, 16, 32)]
    points = [np.zeros((1, size // s, size // s, joints * 3), np.float32) for s in (8, 16, 32)]
    for thing in THINGS:
        stride, column, row = home(thing, size, (8, 16, 32), 16)
        level = (8, 16, 32).index(stride)
        middle = ((column + 0.5) * stride, (row + 0.5) * stride)
        cell = tables[level][0, row, column]
        cell[:64] = sides(thing, size, stride, *middle, 16)
        cell[64 + (thing.kind if classes > 1 else 0)] = logit(thing.score)
        points[level][0, row, column] = [
            value
            for x, y, seen in (thing.joints(joints, size) if joints else ())
            for value in ((x / stride - column) / 2, (y / stride - row) / 2, logit(seen))
        ]
    return tables + (points if joints else [])


def network(
    outputs: list[Array],
    size: int,
    metadata: Mapping[str, str] | None = None,
    **options: Any,
) -> Network:
    told = read_told(metadata or {}, options)
    feed = recognise_feed([Tensor(name="images", shape=(1, 3, size, size), kind="float32")], told)
    shapes = [Tensor(name=f"out{n}", shape=output.shape) for n, output in enumerate(outputs)]
    return recognise(feed, shapes, told)


def see(outputs: list[Array], size: int, known: Network, **wanted: Any) -> tuple[Found, ...]:
    """Return what is found in a picture of twice the input's width: as high as it, or, top left, a square."""
    height = size if known.feed.centred else 2 * size
    letterbox = fit(2 * size, height, (size, size), centred=known.feed.centred)
    return decode(outputs, known.head, letterbox, **wanted)


def check(
    outputs: list[Array], size: int, known: Network, *, kinds: bool = True, tolerance: float = 0.05
) -> tuple[Found, ...]:
    """Check that the objects come back, at twice the input's scale, and without the grey above."""
    found = see(outputs, size, known)
    top = size // 4 if known.feed.centred else 0
    assert len(found) == len(THINGS)
    for one, thing in zip(found, THINGS, strict=True):
        assert one.label == known.head.label(thing.kind if kinds else 0)
        assert one.confidence == pytest.approx(thing.score, abs=0.001)
        left, above, right, below = thing.box(size)
        wanted = (2 * left, 2 * (above - top), 2 * right, 2 * (below - top))
        assert one.box == pytest.approx(wanted, abs=tolerance)
    return found
