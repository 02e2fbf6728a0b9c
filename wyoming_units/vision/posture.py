"""How a person holds themselves, by the directions and lengths of torso, thighs and legs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Box, Keypoints

SURE = 0.5
"""Least confidence of a joint that counts."""
_SHOULDERS, _HIPS, _KNEES, _ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)
_FLAT = 50.0
"""Degrees from straight down beyond which a torso or legs lie."""
_ONWARD, _FOLDED = 38.0, 65.0
"""The same for a torso whose legs go on to the same side, or go back as those of somebody who sits and leans."""
_FORWARD = 50.0
"""Degrees from straight down beyond which a thigh is that of somebody who sits."""
_SHORT_OF_TORSO, _SHORT_OF_SHANK = 0.55, 0.78
"""Lengths of torso and shank: thighs that point at the camera are no higher in the picture."""
_LEGS = 1.2
"""Lengths of a torso: legs that somebody stands on are longer, those that hang from a bed are not."""
_BROAD = 1.4
"""Lengths of the torso: one that points at the camera looks narrower than its shoulders."""

_Point = NDArray[np.float64]


def posture(keypoints: Keypoints, box: Box) -> str | None:
    """Return `standing`, `sitting` or `lying` by joints (17, 3) in pixels; None where they do not tell."""
    shoulders, hips = _middle(keypoints, _SHOULDERS), _middle(keypoints, _HIPS)
    if shoulders is None or hips is None:
        return None
    torso = hips - shoulders
    length = float(np.hypot(*torso))
    if length < 1e-6:
        return None
    knees, ankles = _middle(keypoints, _KNEES), _middle(keypoints, _ANKLES)
    feet = knees if ankles is None else ankles
    if feet is None:  # a torso alone tells if it is wider than high
        left, top, right, bottom = box
        flat = _slope(torso) > _FLAT and right - left > bottom - top
        return "lying" if flat else None
    legs = feet - hips
    lies = _ONWARD if torso[0] * legs[0] > 0 else _FOLDED
    if _slope(torso) > lies and _slope(legs) > _FLAT:
        return "lying"
    if _slope(torso) > _FLAT:  # somebody who bends down stands
        return "standing" if legs[1] > _LEGS * length else None
    if knees is None or _width(keypoints, _SHOULDERS) > _BROAD * length:
        return None
    thigh, shank = knees - hips, feet[1] - knees[1]
    short = thigh[1] < max(_SHORT_OF_TORSO * length, _SHORT_OF_SHANK * shank)
    return "sitting" if short or _slope(thigh) > _FORWARD else "standing"


def _middle(keypoints: Keypoints, joints: tuple[int, int]) -> _Point | None:
    """Return the point between two joints, or the one that is seen."""
    # Plain numbers: for two points, arrays take ten times as long, and crowds have many.
    seen = [
        (x, y) for x, y, sure in (keypoints[joint].tolist() for joint in joints) if sure >= SURE
    ]
    if not seen:
        return None
    return np.array([sum(axis) / len(seen) for axis in zip(*seen, strict=True)], np.float64)


def _width(keypoints: Keypoints, joints: tuple[int, int]) -> float:
    """Return the distance of two joints, 0 unless both are seen."""
    one, other = keypoints[list(joints)]
    return float(np.hypot(*(one - other)[:2])) if min(one[2], other[2]) >= SURE else 0.0


def _slope(vector: _Point) -> float:
    """Return the degrees between a vector and straight down."""
    return float(np.degrees(np.arctan2(abs(vector[0]), vector[1])))
