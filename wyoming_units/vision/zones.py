"""Named parts of a picture, as polygons in 0-1 coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

EDGE = 1e-6
"""How near to a polygon's edge, in parts of the picture, a point counts as in: the feet of what the
picture cuts off stand exactly on its border."""


@dataclass(frozen=True)
class Zone:
    """A part of a picture."""

    name: str
    polygon: tuple[tuple[float, float], ...]
    """3 to 64 corners, from the left and from the top, in [0, 1]."""
    labels: tuple[str, ...] = ()
    """What may be in it; empty: everything."""

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point in 0-1 coordinates is in the polygon or on its edge."""
        inside = False
        for (x1, y1), (x2, y2) in pairwise((*self.polygon, self.polygon[0])):
            if _distance(x - x1, y - y1, x2 - x1, y2 - y1) <= EDGE:
                return True
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
                inside = not inside
        return inside


def _distance(x: float, y: float, dx: float, dy: float) -> float:
    """Return how far a point is from the line between the origin and (dx, dy)."""
    length = dx * dx + dy * dy
    along = min(1.0, max(0.0, (x * dx + y * dy) / length)) if length else 0.0
    return float(((x - along * dx) ** 2 + (y - along * dy) ** 2) ** 0.5)
