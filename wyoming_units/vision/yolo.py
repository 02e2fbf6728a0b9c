"""From the outputs of an object network to the objects in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wyoming_units.vision import masks
from wyoming_units.vision.boxes import Floats, iou, nms, turned_iou, upright
from wyoming_units.vision.gesture import gesture
from wyoming_units.vision.heads import Candidates, Head, Outputs, candidates
from wyoming_units.vision.letterbox import Letterbox
from wyoming_units.vision.posture import posture
from wyoming_units.vision.scene import Found

OVERLAP = 0.45
"""Boxes of one object that overlap by more are the same thing."""
PERSON, HAND = 17, 21
"""Joints of each."""
_MOST = 2048
"""More rows than these are never compared; crowds give some hundred."""


def decode(
    outputs: Outputs,
    head: Head,
    letterbox: Letterbox,
    *,
    labels: tuple[str, ...] = (),
    least: float = 0.25,
    most: int = 100,
    agnostic: bool = False,
) -> tuple[Found, ...]:
    """Return the objects in pixels of the picture, the most confident first.

    `labels` are those to return, all where empty; `least` is the lowest confidence and `most` the number of objects;
    with `agnostic`, boxes of different labels suppress each other as those of the same do.
    """
    some = candidates(outputs, head, least)
    some = some.take(np.flatnonzero(np.isfinite(some.boxes).all(axis=1)))
    if labels:
        named = [head.label(number) in labels for number in some.classes.tolist()]
        some = some.take(np.array(named, bool))
    some = some.take(np.argsort(-some.scores, kind="stable")[:_MOST])
    if head.ranked:
        some = some.take(np.arange(min(most, len(some.scores))))
    else:
        kept = nms(
            some.boxes,
            some.scores,
            None if agnostic else some.classes,
            threshold=OVERLAP,
            most=most,
            overlap=turned_iou if head.turned else iou,
        )
        some = some.take(kept)
    return _found(outputs, head, letterbox, some)


def _found(
    outputs: Outputs, head: Head, letterbox: Letterbox, some: Candidates
) -> tuple[Found, ...]:
    boxes = letterbox.boxes(upright(some.boxes) if head.turned else some.boxes)
    prototypes = None
    if head.prototypes is not None:
        planes = head.prototypes.planes(outputs)
        prototypes = masks.picture_part(planes, letterbox)
    objects = []
    for row, box in enumerate(boxes):
        found = Found(
            label=head.label(int(some.classes[row])),
            confidence=min(float(some.scores[row]), 1.0),
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            angle=float(some.boxes[row, 4]) if head.turned else None,
        )
        if prototypes is not None:
            outline = masks.mask(some.extras[row], prototypes, box, letterbox)
            found = replace(found, mask=outline)
        if head.joints:
            found = _jointed(found, some.extras[row].reshape(-1, 3), letterbox)
        objects.append(found)
    return tuple(objects)


def _jointed(found: Found, joints: Floats, letterbox: Letterbox) -> Found:
    points = np.concatenate([letterbox.undo(joints[:, :2]), joints[:, 2:]], 1)
    if len(points) == HAND:
        return replace(found, keypoints=points, gesture=gesture(points))
    return replace(found, keypoints=points, posture=posture(points, found.box))
