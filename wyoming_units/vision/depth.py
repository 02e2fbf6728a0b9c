"""Distances: of the objects in a scene, and metres out of depth of an unknown scale."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.rle import decode
from wyoming_units.vision.scene import DepthMap, Found, Scene

FAR = 200.0
"""Metres; a calibrated map goes no farther, and what is so far away has no distance."""
_NEAR = 0.01
"""Metres; nothing is nearer."""
_NEARER = 0.75
"""Quantile of an object's cells that is the object's nearness."""
_ENDS = (0.01, 0.99)
"""Quantiles that are a map's far and near ends: some networks have single cells of absurd values."""
_PNG_SCALE = 256.0
"""Steps per metre: 4 mm, up to 256 m."""

_Values = NDArray[np.float32]


def distances(scene: Scene) -> Scene:
    """Return the scene with `nearness`, and `distance` where its map is metric, of every object."""
    if scene.depth is None or not scene.objects:
        return scene
    near = _inverse(scene.depth)
    far_end, near_end = _ends(near)
    size = np.array([scene.width, scene.height])
    objects = []
    for found in scene.objects:
        value = float(np.quantile(_cells(found, near, size), _NEARER))
        part = (value - far_end) / max(near_end - far_end, 1e-9)
        known = scene.depth.metric and value * FAR > 1.001
        objects.append(
            replace(
                found,
                nearness=min(max(part, 0.0), 1.0),
                distance=1 / value if known else None,
            )
        )
    return replace(scene, objects=tuple(objects))


def depth_png16(depth: DepthMap) -> tuple[NDArray[np.uint16], float, bool]:
    """Return a map as 16-bit grey (height, width), its scale, and whether it is metric.

    Metric: metres times scale. Else nearness times scale, so 65535 is the nearest.
    """
    if depth.metric:
        scale, values = _PNG_SCALE, depth.values
    else:
        far_end, near_end = _ends(depth.values)
        scale, values = 65535.0, (depth.values - far_end) / max(near_end - far_end, 1e-9)
    return np.clip(np.rint(values * scale), 0, 65535).astype(np.uint16), scale, depth.metric


@dataclass(frozen=True, kw_only=True)
class KnownPoint:
    """A still place in a camera's picture whose distance is known."""

    x: float
    y: float
    """In [0, 1], from the left and from the top."""
    distance: float
    """Metres, more than 0."""


class Calibration:
    """Turns one camera's depth into metres, by one or two places whose distances are known.

    Inverse distance is a line over what a network gives. One known place fixes it if the farthest thing
    in the picture is very far away, such as the sky; two fix it anyhow.
    """

    def __init__(self, points: Sequence[KnownPoint] = ()) -> None:
        """Take no point (maps stay as they are), one or two."""
        self._points = tuple(points)
        self._past: deque[_Values] = deque(maxlen=61)

    def metric(self, depth: DepthMap) -> DepthMap:
        """Return the next picture's map in metres, at most `FAR`; as it is where the points cannot be.

        They cannot be where the nearer one looks no nearer, or as far away as the picture goes.
        """
        if not self._points:
            return depth
        near = _inverse(depth)
        seen = self._sample(near, depth.metric)
        # What lasts is the still background. Samples are compared in its scale, which is another in
        # every picture; so neither drift nor somebody in front of a known place moves the line.
        aligned = _alignment(seen, self._background()) if self._past else (1.0, 0.0)
        scale, shift = aligned or (1.0, 0.0)
        self._past.append(scale * seen + shift)
        line = aligned and _line(self._background(), self._points)
        if not line:
            return depth
        factor, offset = line
        inverse = factor * (scale * near + shift) + offset
        metres = 1 / np.clip(inverse, 1 / FAR, 1 / _NEAR)
        return DepthMap(values=metres.astype(np.float32), metric=True)

    def _background(self) -> _Values:
        background: _Values = np.median(np.stack(self._past), axis=0)
        return background

    def _sample(self, near: _Values, metric: bool) -> _Values:
        """Return what the map has at the known places, at its far end, and on a grid all over it."""
        height, width = near.shape
        rows = ((np.arange(_GRID) + 0.5) * height / _GRID).astype(int)
        columns = ((np.arange(_GRID) + 0.5) * width / _GRID).astype(int)
        known = [_around(near, point) for point in self._points]
        far_end = 0.0 if metric else _ends(near)[0]
        return np.array([*known, far_end, *near[np.ix_(rows, columns)].ravel()], np.float32)


_GRID = 24
_PATCH = 0.01
"""Half the side of what is looked at around a known place, as part of the picture's."""
_ALIKE = 0.1
"""Part of a map's variation that must be the background's, else it shows something else."""


def _around(near: _Values, point: KnownPoint) -> float:
    (top, bottom), (left, right) = (
        (int(max(at - _PATCH, 0) * size), int(min(at + _PATCH, 1) * size) + 1)
        for at, size in zip((point.y, point.x), near.shape, strict=True)
    )
    return float(np.median(near[top:bottom, left:right]))


def _line(background: _Values, points: Sequence[KnownPoint]) -> tuple[float, float] | None:
    """Return (factor, offset) of 1/metres over the background's values; None where there is no such line."""
    values, inverse = background[: len(points)], [1 / point.distance for point in points]
    if len(points) == 1:  # the far end is infinitely far away
        values, inverse = background[:2], [*inverse, 0.0]
    run, rise = float(values[0] - values[1]), inverse[0] - inverse[1]
    spread = float(np.ptp(background[len(points) :]))
    if abs(run) < max(0.02 * spread, 1e-9) or run * rise <= 0:
        return None
    factor = rise / run
    return factor, inverse[0] - factor * float(values[0])


def _alignment(values: _Values, to: _Values) -> tuple[float, float] | None:
    """Return (scale, shift) that bring most values to where they were; None where nothing is as it was.

    It is the line with the least absolute errors, which what has moved does not bend: it is off the line
    in `values`, seldom in `to`, the still background. So the line is over `to`, and then turned round.
    """
    weights = np.ones(len(to))
    for _ in range(20):
        x, y = np.average(to, weights=weights), np.average(values, weights=weights)
        spread = np.average((to - x) ** 2, weights=weights)
        slope = np.average((to - x) * (values - y), weights=weights) / max(spread, 1e-12)
        wrong = np.abs(values - y - slope * (to - x))
        weights = 1 / np.maximum(wrong, 1e-3 * np.std(values) + 1e-12)
    if slope * np.std(to) <= _ALIKE * np.std(values):
        return None
    return float(1 / slope), float(x - y / slope)


def _inverse(depth: DepthMap) -> _Values:
    if not depth.metric:
        return depth.values
    return np.asarray(1 / np.maximum(depth.values, _NEAR), np.float32)


def _ends(near: _Values) -> tuple[float, float]:
    far_end, near_end = np.quantile(near, _ENDS)
    return float(far_end), float(near_end)


def _cells(found: Found, near: _Values, size: NDArray[np.int_]) -> _Values:
    """Return what the map has where an object is.

    Without a mask that is the lower middle of its box: the corners show what is behind it, most of all
    beside heads. Still a part of these cells may be behind it (between legs, through a chair) and few are
    in front of it, so the nearer quarter begins where the object is.
    """
    left, top, right, bottom = (np.reshape(found.box, (2, 2)) / size).ravel().tolist()
    if found.mask is None:
        left, right = 0.75 * left + 0.25 * right, 0.25 * left + 0.75 * right
        top, bottom = 0.5 * top + 0.5 * bottom, 0.1 * top + 0.9 * bottom
    rows, columns = _span(top, bottom, near.shape[0]), _span(left, right, near.shape[1])
    cells = near[np.ix_(rows, columns)]
    if found.mask is not None:
        grid = decode(found.mask)
        height, width = grid.shape
        inside = grid[
            np.ix_(
                ((rows + 0.5) * height / near.shape[0]).astype(int),
                ((columns + 0.5) * width / near.shape[1]).astype(int),
            )
        ]
        if inside.any():
            return cells[inside]
    return cells.ravel()


def _span(start: float, stop: float, size: int) -> NDArray[np.int_]:
    """Return the indices of the cells between two places in [0, 1]; at least one."""
    first = min(max(int(start * size), 0), size - 1)
    return np.arange(first, max(min(int(np.ceil(stop * size)), size), first + 1))
