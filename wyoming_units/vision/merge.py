"""One scene of what several models saw in the same picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wyoming_units.vision.scene import Found, Scene
from wyoming_units.vision.tracking import overlaps

SAME = 0.5
"""Least overlap of two boxes with one label to be of the same object."""
EXTRAS = ("mask", "keypoints", "angle", "posture", "gesture", "nearness", "distance")
"""What one model may know of an object and another not."""


def merge(scenes: Sequence[Scene]) -> Scene:
    """Return the first of one or more scenes of a picture, with what the later ones add to it."""
    first = scenes[0]
    objects = list(first.objects)
    for scene in scenes[1:]:
        objects = _joined(objects, scene.scaled(first.width, first.height).objects)
    objects.sort(key=lambda found: -found.confidence)
    depth = next((scene.depth for scene in scenes if scene.depth is not None), None)
    return replace(first, objects=tuple(objects), depth=depth)


def _joined(known: Sequence[Found], others: Sequence[Found]) -> list[Found]:
    """Return the known objects with what the others tell of them, and those that are new."""
    joined, new = list(known), []
    shared = overlaps([found.box for found in known], [found.box for found in others])
    for column, other in enumerate(others):
        alike = np.array([found.label == other.label for found in known], bool)
        overlap = shared[:, column] * alike
        row = int(np.argmax(overlap)) if len(overlap) else -1
        if row < 0 or overlap[row] < SAME:
            new.append(other)
            continue
        shared[row] = 0  # each known object has one counterpart in a scene
        joined[row] = _filled(joined[row], other)
    return joined + new


def _filled(found: Found, other: Found) -> Found:
    """Return an object with what another model knows of it where it is unknown."""
    gaps = {name: getattr(other, name) for name in EXTRAS if getattr(found, name) is None}
    return replace(found, **gaps)
