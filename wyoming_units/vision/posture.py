"""How a person holds themselves, by the directions of torso, thighs and legs."""

from __future__ import annotations

import numpy as np

from wyoming_units.vision.scene import Box, Keypoints

SURE = 0.5
"""Least confidence of a joint that counts."""
_SHOULDERS, _HIPS, _KNEES, _ANKLES = (5, 6), (11, 12), (13, 14), (15, 16)
_FLAT = 55.0
"""Degrees from the vertical beyond which a torso or a leg lies."""
_FORWARD = 50.0
"""Degrees from the vertical beyond which a thigh is that of somebody who sits."""
_SHORT = 0.5
"""Lengths of the torso: thighs that point at the camera look no longer."""


def posture(keypoints: Keypoints, box: Box) -> str | None:
    """Return `standing`, `sitting` or `lying` by joints (17, 3) in pixels; None where too few are seen."""
    shoulders, hips = _middle(keypoints, _SHOULDERS), _middle(keypoints, _HIPS)
    if shoulders is None or hips is None:
        return None
    torso = hips - shoulders
    length = float(np.hypot(*torso))
    if length < 1e-6:
        return None
    knees, ankles = _middle(keypoints, _KNEES), _middle(keypoints, _ANKLES)
    if _slope(torso) > _FLAT:
        legs = next((end - hips for end in (ankles, knees) if end is not None), None)
        if legs is None:  # a body without legs that is wider than high
            left, top, right, bottom = box
            return "lying" if right - left > bottom - top else None
        return "lying" if _slope(legs) > _FLAT else "standing"  # somebody who bends down stands
    if knees is None:
        return None
    thigh = knees - hips
    sits = _slope(thigh) > _FORWARD or float(thigh[1]) < _SHORT * length
    return "sitting" if sits else "standing"


def _middle(keypoints: Keypoints, joints: tuple[int, int]) -> np.ndarray | None:
    """Return the point between two joints, or the one that is seen."""
    seen = keypoints[list(joints)]
    seen = seen[seen[:, 2] >= SURE]
    return seen[:, :2].astype(np.float64).mean(axis=0) if len(seen) else None


def _slope(vector: np.ndarray) -> float:
    """Return the degrees between a vector and straight down."""
    return float(np.degrees(np.arctan2(abs(vector[0]), vector[1])))
