"""A camera before which people come and go, look by look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wyoming_units.vision.happenings import Look, Rules, Situation
from wyoming_units.vision.scene import Found, Scene
from wyoming_units.vision.zones import Zone

WIDTH, HEIGHT = 1000, 500
LEFT = Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
MIDDLE = Zone("middle", ((0.25, 0), (0.75, 0), (0.75, 1), (0.25, 1)))
FPS = 4.0
"""A rate of which sums of steps are exact."""


def person(x: float = 250, y: float = 300, confidence: float = 0.8, **known: Any) -> Found:
    """Return somebody whose foot is at (x, y)."""
    return Found(
        **{
            "label": "person",
            "confidence": confidence,
            "box": (x - 40, y - 200, x + 40, y),
            **known,
        }
    )


class Camera:
    """Shows pictures to a situation, at a rate, from an empty one on."""

    def __init__(
        self,
        zones: Sequence[Zone] = (),
        *,
        fps: float = FPS,
        first: Iterable[Found] = (),
        **rules: Any,
    ) -> None:
        self.situation = Situation(Rules(**{"inertia": 1, "linger": 0, **rules}), zones)
        self.fps = fps
        self.at = 0.0
        self.looks: list[Look] = []
        self.told: list[tuple[str, str | None]] = []
        self.show(*first)

    def show(
        self, *objects: Found, times: int = 1, size: tuple[int, int] = (WIDTH, HEIGHT)
    ) -> Look:
        """Show a picture, several times."""
        scene = Scene(width=WIDTH, height=HEIGHT, objects=objects).scaled(*size)
        return self._take(lambda: self.situation.look(scene, self.at), times)

    def rest(self, times: int = 1) -> Look:
        """Let nothing move for some pictures."""
        return self._take(lambda: self.situation.still(self.at), times)

    def _take(self, look: Callable[[], Look], times: int) -> Look:
        for _ in range(times):
            self.looks.append(look())
            self.told += [(each.kind, each.zone) for each in self.looks[-1].happenings]
            self.at += 1 / self.fps
        return self.looks[-1]

    def news(self) -> list[tuple[str, str | None]]:
        """Return kinds and zones of what happened since the last time."""
        told, self.told = self.told, []
        return told
