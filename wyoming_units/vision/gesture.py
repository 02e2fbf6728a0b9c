"""What a hand does, by which of its fingers are stretched, whichever way it is turned."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from wyoming_units.vision.scene import Keypoints

SURE = 0.4
"""Least confidence of a joint that counts."""
_FINGERS = ((5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
"""Joints from the palm to the tip, of the index finger first."""
_STRAIGHT = 0.9
"""From palm to tip, as part of the way along its joints, of a finger that is stretched."""
_OUT = 0.55
"""Distance of the thumb's tip from the first finger's root, in lengths of the palm, when it is stretched."""


def gesture(keypoints: Keypoints) -> str | None:
    """Return `open-palm`, `fist`, `thumb-up`, `thumb-down` or `pointing` by joints (21, 3) in pixels, else None."""
    if (keypoints[:, 2] < SURE).any():
        return None
    points = keypoints[:, :2].astype(np.float64)
    palm = _far(points, 0, 9)
    if palm < 1e-6:
        return None
    stretched = [_is_stretched(points, finger) for finger in _FINGERS]
    thumb = points[4] - points[2]
    out = _far(points, 4, 5) > _OUT * palm and _straightness(points, (1, 2, 3, 4)) > _STRAIGHT
    if all(stretched):
        return "open-palm" if out else None
    if stretched == [True, False, False, False]:
        return "pointing"
    if any(stretched):
        return None
    if not out:
        return "fist"
    if abs(thumb[1]) <= abs(thumb[0]):
        return None  # to the side
    return "thumb-up" if thumb[1] < 0 else "thumb-down"


def _is_stretched(points: np.ndarray, finger: tuple[int, ...]) -> bool:
    _, middle, _, tip = finger
    return _straightness(points, finger) > _STRAIGHT and _far(points, 0, tip) > _far(
        points, 0, middle
    )


def _straightness(points: np.ndarray, joints: tuple[int, ...]) -> float:
    along = sum(_far(points, a, b) for a, b in pairwise(joints))
    return _far(points, joints[0], joints[-1]) / max(along, 1e-6)


def _far(points: np.ndarray, one: int, other: int) -> float:
    return float(np.hypot(*(points[one] - points[other])))
