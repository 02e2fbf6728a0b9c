"""Which objects of one picture are those of the picture before.

The idea of ByteTrack (Zhang et al. 2022, arXiv 2110.06864), that uncertain detections may continue a
track but not begin one, for the low and uneven rates at which cameras are looked at here: between two
looks a person may walk further than they are wide, so the distance of centres decides, in sizes of the
object, and not the overlap of boxes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Box, Found, Scene

Costs = NDArray[np.float64]
"""Shape (tracks, objects); infinite where they cannot be the same."""

HISTORY = 10
"""Looks whose confidences and labels count."""
COAST = 2.0
"""Seconds of its speed that an object out of sight goes on at most: nobody walks on for ever."""
JITTER = 0.1
"""Standard deviation of a detected centre, in sizes of the object."""
SPEED = 1.5
"""Standard deviation of the speed of a new object, in sizes per second; a person walks at about 1.4."""
AGILITY = 2.0
"""How fast speeds change: their standard deviation grows to this in one second."""
REACH = 4.0
"""Standard deviations from where it is expected within which an object may be."""
FURTHEST = 3.0
"""Sizes from where it is expected beyond which it is never the same."""
GROWTH = 1.0
"""Natural logarithm of how many times larger or smaller it may be."""
GROWTH_WEIGHT = 2.0
"""How much that counts beside the distance: people who cross differ in size before in place."""
NEAR = 0.6
"""Sizes within which an uncertain detection continues a track: it is clutter more often."""
RENAMED = 0.5
"""Least overlap of boxes of which the model changed the label, as it does between car and truck."""


def overlaps(some: Sequence[Box], others: Sequence[Box]) -> Costs:
    """Return the intersections over unions of all pairs of boxes, shape (some, others)."""
    a = np.asarray(some, np.float64).reshape(-1, 1, 4)
    b = np.asarray(others, np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.maximum(sides, 0).prod(axis=2)
    whole = (a[..., 2:] - a[..., :2]).prod(axis=2) + (b[..., 2:] - b[..., :2]).prod(axis=2) - shared
    ratios: Costs = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return ratios


@dataclass(kw_only=True, eq=False)
class Track:
    """One object over time."""

    number: int
    found: Found
    """As it was seen last, under the label that it was given most."""
    box: Box
    """Where that was, in parts of the picture's longer side."""
    seen: float
    """When that was, in seconds."""
    history: deque[tuple[str, float]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    speed: tuple[float, float] = (0.0, 0.0)
    """Parts of the longer side per second."""
    doubt: float = SPEED**2
    """Variance of the speed, in sizes of the object per second."""

    @property
    def confidence(self) -> float:
        """Median of the confidences of its last looks; looks that it has not had yet count as 0."""
        scores = [confidence for _, confidence in self.history]
        return median(scores + [0.0] * (3 - len(scores)))

    def expected(self, at: float) -> Box:
        """Return where the object should be now."""
        ahead = COAST * (1 - math.exp(-(at - self.seen) / COAST))
        x, y = self.speed[0] * ahead, self.speed[1] * ahead
        left, top, right, bottom = self.box
        return (left + x, top + y, right + x, bottom + y)

    def reach(self, at: float) -> float:
        """Return how far from there it may be, in sizes."""
        passed = at - self.seen
        place = 2 * JITTER**2 + passed**2 * self._doubt(passed)
        return min(FURTHEST, REACH * math.sqrt(place))

    def follow(self, found: Found, box: Box, at: float) -> None:
        """Take where and as what the object was found."""
        passed = at - self.seen
        if passed > 0:
            doubt = self._doubt(passed)
            gain = doubt / (doubt + 2 * JITTER**2 / passed**2)
            self.doubt = doubt * (1 - gain)
            left, top, right, bottom = (b - a for a, b in zip(self.box, box, strict=True))
            x, y = (left + right) / 2 / passed, (top + bottom) / 2 / passed
            self.speed = (
                self.speed[0] + gain * (x - self.speed[0]),
                self.speed[1] + gain * (y - self.speed[1]),
            )
        self.box, self.seen = box, at
        self.history.append((found.label, found.confidence))
        self.found = replace(found, label=self._label())

    def _label(self) -> str:
        """Return what the object was called most in its last looks, by confidence."""
        votes: dict[str, float] = {}
        for label, confidence in self.history:
            votes[label] = votes.get(label, 0.0) + confidence
        return max(votes, key=lambda label: votes[label])

    def _doubt(self, passed: float) -> float:
        """Return the variance of the speed after a time in which it may have changed at random."""
        return self.doubt + AGILITY**2 * passed


class Tracker:
    """Follows the objects of one camera."""

    def __init__(self, begins: Callable[[Found], bool]) -> None:
        """Take which detections are certain enough to begin a track."""
        self._begins = begins
        self._last = 0
        self.tracks: list[Track] = []

    def follow(self, scene: Scene, at: float) -> list[Track]:
        """Return the tracks of what is in a scene; all others of `tracks` were not found in it."""
        side = max(scene.width, scene.height)
        founds = list(scene.objects)
        boxes: list[Box] = [_parts(found.box, side) for found in founds]
        certain = np.array([self._begins(found) for found in founds], bool)
        left = _Left(self.tracks, founds, boxes, at)
        followed = left.pairs(left.distance, np.where(certain, FURTHEST, 0.0))
        followed += left.pairs(left.distance, np.where(certain, 0.0, NEAR))
        followed += left.pairs(left.apart, np.full(len(founds), 1 - RENAMED))
        for row, column in followed:
            self.tracks[row].follow(founds[column], boxes[column], at)
        found = [self.tracks[row] for row, _ in followed]
        new = [self._begin(founds[i], boxes[i], at) for i in sorted(left.objects) if certain[i]]
        self.tracks += new
        return found + new

    def _begin(self, found: Found, box: Box, at: float) -> Track:
        self._last += 1
        track = Track(number=self._last, found=found, box=box, seen=at)
        track.history.append((found.label, found.confidence))
        return track


class _Left:
    """The tracks and objects of a look that have no counterpart yet."""

    def __init__(
        self, tracks: Sequence[Track], founds: Sequence[Found], boxes: Sequence[Box], at: float
    ) -> None:
        self.tracks, self.objects = set(range(len(tracks))), set(range(len(founds)))
        expected = [track.expected(at) for track in tracks]
        old = np.asarray(expected, np.float64).reshape(-1, 1, 4)
        new = np.asarray(boxes, np.float64).reshape(1, -1, 4)
        sizes_old, sizes_new = _sizes(old), _sizes(new)
        shift = (new[..., :2] + new[..., 2:] - old[..., :2] - old[..., 2:]) / 2
        distance = np.hypot(shift[..., 0], shift[..., 1]) / np.sqrt(sizes_old * sizes_new)
        reach = np.array([track.reach(at) for track in tracks]).reshape(-1, 1)
        same = np.array([[t.found.label == f.label for f in founds] for t in tracks], bool)
        same = same.reshape(distance.shape)
        growth = np.abs(np.log(sizes_new / sizes_old))
        possible = same & (distance <= reach) & (growth <= GROWTH)
        self.distance: Costs = np.where(possible, distance + GROWTH_WEIGHT * growth, np.inf)
        self.apart: Costs = 1 - overlaps(expected, boxes)

    def pairs(self, costs: Costs, limits: Costs) -> list[tuple[int, int]]:
        """Return the cheapest (track, object) pairs within the limits of objects, and cross them off."""
        rows, columns = sorted(self.tracks), sorted(self.objects)
        # What a pair saves over none; what is at or beyond its limit saves nothing.
        saved = np.minimum(costs - limits, 0)[np.ix_(rows, columns)]
        taken = [(rows[i], columns[j]) for i, j in _assigned(saved) if saved[i, j] < 0]
        self.tracks -= {row for row, _ in taken}
        self.objects -= {column for _, column in taken}
        return taken


def _assigned(costs: Costs) -> list[tuple[int, int]]:
    """Return the (row, column) pairs of least sum, one per row or column, whichever are fewer.

    Shortest augmenting paths: each row in turn finds the cheapest way to a free column, on which the
    rows before may move on to others; `row_price` and `column_price` keep all detours at 0 or above.
    """
    if costs.shape[0] > costs.shape[1]:
        return [(row, column) for column, row in _assigned(costs.T)]
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for start in range(rows):
        way = np.full(columns, np.inf)
        before = np.full(columns, -1)
        closed = np.zeros(columns, bool)
        row, column = start, -1
        while row >= 0:
            walked = float(way[column]) if column >= 0 else 0.0
            detour = walked + costs[row] - row_price[row] - column_price
            nearer = ~closed & (detour < way)
            way[nearer], before[nearer] = detour[nearer], column
            column = int(np.argmin(np.where(closed, np.inf, way)))
            closed[column] = True
            row = int(owner[column])
        slack = way[column] - way[closed]
        taken = owner[closed]
        row_price[start] += way[column]
        row_price[taken[taken >= 0]] += slack[taken >= 0]
        column_price[closed] -= slack
        while column >= 0:
            previous = int(before[column])
            owner[column] = owner[previous] if previous >= 0 else start
            column = previous
    return [(int(row), column) for column, row in enumerate(owner) if row >= 0]


def _sizes(boxes: Costs) -> Costs:
    """Return the sides of squares as large as boxes."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    sizes: Costs = np.maximum(1e-6, np.sqrt(sides.prod(axis=-1)))
    return sizes


def _parts(box: Box, side: int) -> Box:
    """Return a box in parts of the picture's longer side, so that its size in pixels does not matter."""
    left, top, right, bottom = box
    return (left / side, top / side, right / side, bottom / side)
