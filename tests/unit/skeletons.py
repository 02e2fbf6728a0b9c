"""Joints of people and hands, made by bending a simple body in space and taking its picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wyoming_units.vision.scene import Box, Keypoints

Array = NDArray[np.float64]
_FORWARD, _DOWN, _SIDE = np.eye(3)
"""Of the body: the way it faces, down, and to its left."""


def _about(axis: int, degrees: float) -> Array:
    """Return the matrix that turns about one axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    a, b = (each for each in range(3) if each != axis)
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = cos, -sin, sin, cos
    return matrix


def _bent(degrees: float) -> Array:
    """Return a direction so many degrees from down towards the front."""
    angle = np.radians(degrees)
    direction: Array = np.cos(angle) * _DOWN + np.sin(angle) * _FORWARD
    return direction


def body(
    *,
    lean: float = 0,
    thighs: tuple[float, float] = (0, 0),
    shanks: tuple[float, float] = (0, 0),
    lies: bool = False,
    rolled: float = 0,
    turned: float = 0,
    pitch: float = 0,
) -> Array:
    """Return the joints (17, 2), in lengths of the torso, of somebody seen from far away.

    Degrees: `lean` of the torso forward; `thighs` and `shanks`, left and right, from down forward;
    `lies` on the back, then `rolled` to the side; `turned` from facing the camera; `pitch` of the camera
    down.
    """
    hips = [0.22 * side * _SIDE for side in (1, -1)]
    up = -_bent(-lean)
    shoulders = [up + 0.4 * side * _SIDE for side in (1, -1)]
    head = 1.35 * up
    face = [
        head + 0.1 * _FORWARD,
        *(head + 0.07 * _FORWARD - 0.05 * _DOWN + 0.04 * side * _SIDE for side in (1, -1)),
        *(head + 0.1 * side * _SIDE for side in (1, -1)),
    ]
    elbows = [each + 0.55 * _DOWN for each in shoulders]
    wrists = [each + 0.5 * _bent(30) for each in elbows]
    knees = [hip + 0.82 * _bent(angle) for hip, angle in zip(hips, thighs, strict=True)]
    ankles = [knee + 0.82 * _bent(angle) for knee, angle in zip(knees, shanks, strict=True)]
    pairs = zip(elbows, wrists, knees, ankles, strict=True)
    left, right = (list(each) for each in pairs)
    limbs = [joint for both in zip(left, right, strict=True) for joint in both]
    joints = np.array([*face, *shoulders, *limbs[:4], *hips, *limbs[4:]])
    if lies:
        joints = joints @ _about(1, rolled) @ _about(2, 90)
    return _seen(joints, turned, pitch)


def _seen(joints: Array, turned: float, pitch: float) -> Array:
    around = joints @ _about(1, turned) @ _about(2, -pitch)
    return np.stack([around[:, 2], around[:, 1]], 1)


def person(joints: Array, *, size: float = 100, noise: float = 0, seed: int = 0) -> Keypoints:
    """Return joints in pixels with confidences, (n, 3); `noise` is in lengths of the torso."""
    moved = joints + np.random.default_rng(seed).normal(0, noise, joints.shape)
    return np.column_stack([moved * size + 5 * size, np.full(len(joints), 0.9)]).astype(np.float32)


def box(points: Keypoints) -> Box:
    """Return the box around joints."""
    (left, top), (right, bottom) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return float(left), float(top), float(right), float(bottom)


_FINGERS = ("index", "middle", "ring", "little")
_SPREAD = (-12, 0, 11, 24)
_LENGTHS = (0.95, 1.05, 0.97, 0.75)


def hand(
    *,
    curls: Mapping[str, float] | None = None,
    thumb: str = "out",
    mirrored: bool = False,
    rolled: float = 0,
    turned: float = 0,
    tilted: float = 0,
) -> Array:
    """Return the joints (21, 2), in lengths of the palm, of a hand with its fingers up and its palm to the camera.

    `curls`: degrees by which each joint of a finger (`index`, `middle`, `ring`, `little`) is bent, 0 where
    not named; `thumb`: `out`, `up` (beside a fist) or `in`. Degrees: `rolled` in the picture's plane,
    `turned` and `tilted` out of it.
    """
    curls = curls or {}
    joints = [np.zeros(3), *_thumb(thumb)]
    for name, spread, length in zip(_FINGERS, _SPREAD, _LENGTHS, strict=True):
        aside = np.array([np.sin(np.radians(spread)), -np.cos(np.radians(spread)), 0.0])
        joint = aside * (1.0 if name == "middle" else 0.96)
        joints.append(joint)
        for number, part in enumerate((0.45, 0.32, 0.23), 1):
            bend = np.radians(curls.get(name, 0) * number)
            joint = joint + part * length * (np.cos(bend) * aside + np.sin(bend) * np.eye(3)[2])
            joints.append(joint)
    points = np.array(joints) @ _about(1, turned) @ _about(0, tilted) @ _about(2, rolled)
    return points[:, :2] * (-1 if mirrored else 1, 1)


def _thumb(pose: str) -> list[Array]:
    places = {
        "out": [(-0.28, -0.2), (-0.55, -0.42), (-0.78, -0.62), (-0.98, -0.8)],
        "up": [(-0.3, -0.25), (-0.6, -0.5), (-0.95, -0.55), (-1.25, -0.58)],
        "in": [(-0.28, -0.25), (-0.42, -0.55), (-0.25, -0.8), (0.02, -0.85)],
    }
    depth = 0.35 if pose == "in" else 0.0
    return [
        np.array([x, y, depth * part])
        for (x, y), part in zip(places[pose], (0.2, 0.5, 0.9, 1), strict=True)
    ]
