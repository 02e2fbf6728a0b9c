"""How the outputs of an object network are laid out, and the reading of the few rows that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.boxes import Floats

Outputs = Sequence[NDArray[Any]]
"""What a network gives for one picture, in its order."""

Boxes = Literal["centre", "corners", "cells", "bins"]
"""How boxes are told: as centre and size; as left, top, right, bottom; as centre and logarithm of the size, in cells
from their cell; or as the distances of their edges from a point of their cell, each a distribution over whole cells."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Some channels of an output."""

    output: int
    first: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The cells that rows belong to, line by line."""

    stride: int
    """Pixels of the input per cell."""
    columns: int
    rows: int
    middle: float = 0.0
    """Pixels from a cell's left and top to the point that `bins` count from."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of one kind: each says of one place what is there."""

    boxes: Slot
    scores: Slot
    """A number per class; of `ranked` heads one score, and the class."""
    objectness: Slot | None = None
    """How sure it is that there is anything; the scores are to be multiplied by it."""
    extras: Slot | None = None
    """Keypoints, mask weights or angle."""
    rows: slice = slice(None)
    """Which rows of its outputs."""
    grid: Grid | None = None
    """Where boxes are told relative to cells."""


@dataclass(frozen=True, kw_only=True)
class Prototypes:
    """The output that has what masks are mixed of."""

    output: int
    channels: int
    channels_last: bool

    def planes(self, outputs: Outputs) -> Floats:
        """Return them, shape (channels, rows, columns)."""
        planes = outputs[self.output][0]
        return np.asarray(np.moveaxis(planes, -1, 0) if self.channels_last else planes, np.float32)


@dataclass(frozen=True, kw_only=True)
class Head:
    """How the outputs of one network are to be read."""

    parts: tuple[Part, ...]
    boxes: Boxes
    channels_last: bool
    """Whether the channels are the last axis of the outputs, else the second."""
    labels: tuple[str, ...]
    logits: bool = False
    """Whether scores are logits, else probabilities."""
    ranked: bool = False
    """Whether the network has already chosen among boxes that overlap."""
    joints: int = 0
    """Keypoints of each object; 0, 17 or 21."""
    axes: int = 3
    """Numbers per keypoint: x, y and, if 3, how visible it is."""
    prototypes: Prototypes | None = None
    """What masks are mixed of."""
    turned: bool = False
    """Whether boxes are turned."""

    def label(self, number: int) -> str:
        """Return the name of a class."""
        return self.labels[number] if 0 <= number < len(self.labels) else f"class {number}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Rows whose score is high enough; n of them, all in pixels of the input."""

    boxes: Floats
    """Left, top, right, bottom, shape (n, 4); of turned ones centre, size, radians, shape (n, 5)."""
    scores: Floats
    classes: NDArray[np.intp]
    extras: Floats
    """Shape (n, number of extras): joints (x, y, visible) or mask weights."""

    def take(self, which: NDArray[Any]) -> Candidates:
        """Return those that a mask or a list of indices chooses."""
        return Candidates(
            boxes=self.boxes[which],
            scores=self.scores[which],
            classes=self.classes[which],
            extras=self.extras[which],
        )


def candidates(outputs: Outputs, head: Head, least: float) -> Candidates:
    """Return what scores at least `least`; only those rows are decoded at all."""
    found = [_read(outputs, head, part, least) for part in head.parts]
    if len(found) == 1:
        return found[0]
    names = ("boxes", "scores", "classes", "extras")
    return Candidates(
        **{name: np.concatenate([getattr(one, name) for one in found]) for name in names}
    )


def _read(outputs: Outputs, head: Head, part: Part, least: float) -> Candidates:
    scores = _table(outputs, head, part, part.scores)
    if head.ranked:
        rows = np.flatnonzero(scores[:, 0] >= least)
        best, classes = scores[rows, 0], scores[rows, 1].astype(np.intp)
    else:
        rows, best, classes = _best(outputs, head, part, scores, least)
    boxes = _boxes(_table(outputs, head, part, part.boxes)[rows], rows, head, part.grid)
    extras = np.zeros((len(rows), 0), np.float32)
    if part.extras is not None:
        extras = _table(outputs, head, part, part.extras)[rows].astype(np.float32)
    if head.turned:
        boxes, extras = np.concatenate([boxes, extras[:, :1]], 1), extras[:, 1:]
    if head.joints:
        extras = _joints(extras, rows, head, part.grid)
    return Candidates(
        boxes=boxes.astype(np.float32),
        scores=best.astype(np.float32),
        classes=classes,
        extras=extras.astype(np.float32),
    )


def _best(
    outputs: Outputs, head: Head, part: Part, scores: NDArray[Any], least: float
) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[np.intp]]:
    """Return the rows that score enough, their best score and its class."""
    if part.objectness is not None:  # no score is above it, so most rows are done with here
        sure = _table(outputs, head, part, part.objectness)[:, 0]
        some = np.flatnonzero(sure >= least)
        found = scores[some] * sure[some, None]
        rows = np.arange(len(some))
    else:
        some, found = np.arange(len(scores)), scores
        rows = np.flatnonzero((scores >= (_logit(least) if head.logits else least)).any(axis=1))
    found = found[rows]
    classes = found.argmax(axis=1)
    best = found[np.arange(len(rows)), classes]
    rows = some[rows]
    if head.logits:
        best = sigmoid(best)
    enough = best >= least - 1e-6
    return rows[enough], best[enough], classes[enough]


def _boxes(
    raw: NDArray[Any], rows: NDArray[np.intp], head: Head, grid: Grid | None
) -> NDArray[Any]:
    """Return boxes as corners, of turned heads as centre and size."""
    raw = raw.astype(np.float32)
    if head.boxes == "corners":
        return raw
    if grid is not None and head.boxes == "bins":
        sides = raw.reshape(len(raw), 4, raw.shape[1] // 4)
        weights = np.exp(sides - sides.max(axis=2, keepdims=True))
        steps = np.arange(sides.shape[2], dtype=np.float32)
        far = (weights @ steps) / weights.sum(axis=2) * grid.stride
        middle = _cells(rows, grid) * grid.stride + grid.middle
        return np.concatenate([middle - far[:, :2], middle + far[:, 2:]], 1)
    centre, size = raw[:, :2], raw[:, 2:]
    if grid is not None and head.boxes == "cells":
        centre, size = (centre + _cells(rows, grid)) * grid.stride, np.exp(size) * grid.stride
    if head.turned:
        return np.concatenate([centre, size], 1)
    return np.concatenate([centre - size / 2, centre + size / 2], 1)


def _joints(raw: Floats, rows: NDArray[np.intp], head: Head, grid: Grid | None) -> Floats:
    """Return joints (n, joints * 3) in pixels of the input."""
    points = raw.reshape(len(raw), head.joints, head.axes)
    place, seen = points[..., :2], points[..., 2:]
    if grid is not None and head.boxes == "bins":
        place = (place * 2 + _cells(rows, grid)[:, None]) * grid.stride
        seen = sigmoid(seen)
    if head.axes == 2:
        seen = np.ones((*place.shape[:2], 1), np.float32)
    return np.concatenate([place, seen], 2).reshape(len(raw), head.joints * 3)


def _cells(rows: NDArray[np.intp], grid: Grid) -> Floats:
    """Return the column and line of each row's cell, (n, 2)."""
    return np.stack([rows % grid.columns, rows // grid.columns], 1).astype(np.float32)


def _table(outputs: Outputs, head: Head, part: Part, slot: Slot) -> NDArray[Any]:
    """Return channels of an output as a table (rows, channels); nothing is copied."""
    output = outputs[slot.output]
    if head.channels_last:
        table = output.reshape(-1, output.shape[-1])
    else:
        table = output.reshape(output.shape[1], -1).T
    return table[part.rows, slot.first : slot.first + slot.count]


def sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -50, 50))))


def _logit(probability: float) -> float:
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(probability / (1 - probability)))
