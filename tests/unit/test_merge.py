"""What several models saw in one picture becomes one scene."""

from __future__ import annotations

import numpy as np

from wyoming_units.vision.merge import merge
from wyoming_units.vision.scene import Box, DepthMap, Found, Keypoints, Mask, Scene

BOX = (100.0, 100.0, 200.0, 300.0)
SHIFTED = (110.0, 105.0, 210.0, 310.0)
JOINTS: Keypoints = np.ones((17, 3), np.float32)


def found(label: str = "person", confidence: float = 0.8, box: Box = BOX) -> Found:
    return Found(label=label, confidence=confidence, box=box)


def scene(*objects: Found, width: int = 640, height: int = 480) -> Scene:
    return Scene(width=width, height=height, objects=objects)


def test_one_scene_is_what_it_was() -> None:
    only = scene(found())
    assert merge([only]).objects == only.objects


def test_a_second_model_fills_what_the_first_does_not_know_and_changes_nothing_else() -> None:
    pose = Found(
        label="person", confidence=0.9, box=SHIFTED, keypoints=JOINTS, posture="lying", distance=4.0
    )
    (merged,) = merge([scene(found()), scene(pose)]).objects
    assert merged.keypoints is JOINTS
    assert (merged.posture, merged.distance) == ("lying", 4.0)
    assert (merged.confidence, merged.box) == (0.8, BOX)


def test_what_the_first_knows_stays() -> None:
    mask = Mask(width=2, height=2, counts=(1, 3))
    first = Found(label="person", confidence=0.5, box=BOX, mask=mask, nearness=0.0)
    second = Found(
        label="person",
        confidence=0.9,
        box=BOX,
        mask=Mask(width=1, height=1, counts=(1,)),
        nearness=1.0,
    )
    (merged,) = merge([scene(first), scene(second)]).objects
    assert merged.mask is mask
    assert merged.nearness == 0.0


def test_other_labels_and_other_places_are_objects_of_their_own_and_the_most_confident_is_first() -> (
    None
):
    hand = found("hand", 0.9)
    far = found("person", 0.3, (400, 100, 500, 300))
    merged = merge([scene(found()), scene(hand, far)])
    assert [each.confidence for each in merged.objects] == [0.9, 0.8, 0.3]


def test_boxes_that_share_less_than_half_are_two_objects() -> None:
    half = (100.0, 100.0, 200.0, 200.0)  # exactly half of BOX
    assert len(merge([scene(found()), scene(found(box=half))]).objects) == 1
    less = (100.0, 100.0, 200.0, 199.0)
    assert len(merge([scene(found()), scene(found(box=less))]).objects) == 2


def test_an_object_takes_one_counterpart_of_each_scene_only() -> None:
    twice = merge(
        [scene(found()), scene(found(confidence=0.7), found(confidence=0.6, box=SHIFTED))]
    )
    assert [each.confidence for each in twice.objects] == [0.8, 0.6]


def test_three_models_tell_of_one_object() -> None:
    mask = Mask(width=2, height=2, counts=(0, 4))
    outlined = Found(label="person", confidence=0.6, box=BOX, mask=mask)
    joints = Found(label="person", confidence=0.6, box=BOX, keypoints=JOINTS)
    (merged,) = merge([scene(found()), scene(outlined), scene(joints)]).objects
    assert merged.mask is mask
    assert merged.keypoints is JOINTS


def test_depth_is_taken_from_whichever_has_it() -> None:
    depth = DepthMap(values=np.ones((2, 2), np.float32), metric=True)
    assert merge([scene(), Scene(width=640, height=480, depth=depth)]).depth is depth
    assert merge([scene(), scene()]).depth is None


def test_a_scene_of_another_size_comes_into_the_coordinates_of_the_first() -> None:
    half = Found(label="person", confidence=0.6, box=(50, 50, 100, 150), posture="sitting")
    merged = merge([scene(found()), scene(half, width=320, height=240)])
    assert merged.width == 640
    assert [each.posture for each in merged.objects] == ["sitting"]
