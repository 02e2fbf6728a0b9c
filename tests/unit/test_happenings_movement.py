"""What is told of those who move, rest, make gestures and lie down, and of pictures that change."""

from __future__ import annotations

from tests.unit.staged import (
    LEFT,
    Camera,
    person,
)
from wyoming_units.vision.happenings import Rules, Situation
from wyoming_units.vision.scene import Found
from wyoming_units.vision.zones import Zone

# -- when nothing moves


def test_while_nothing_moves_all_stay_and_time_goes_on() -> None:
    camera = Camera([LEFT], linger=10, stationary=5, first=[person()])
    camera.show(person(), times=3)
    look = camera.rest(times=100)
    assert [(each.track, each.zones, each.stationary) for each in look.objects] == [
        (1, ("left",), True)
    ]
    assert camera.news() == [("lingered", "left"), ("lingered", None)]


def test_while_nothing_moves_nobody_is_missed() -> None:
    camera = Camera(patience=1)
    camera.show(person(), times=3)
    camera.news()
    camera.show(times=3)
    camera.rest(times=100)
    assert camera.news() == []
    camera.show()
    assert camera.news() == [("left", None)]


def test_a_rest_before_the_first_look_is_no_look() -> None:
    situation = Situation(Rules())
    assert situation.still(0.0).objects == ()
    camera = Camera(first=[person()])
    camera.show(person(), times=3)
    assert camera.news() == []


# -- moving


def test_whoever_does_not_move_becomes_stationary_and_active_at_once_when_moving() -> None:
    camera = Camera(stationary=2)
    camera.show(person(), times=8)
    assert not camera.looks[-1].objects[0].stationary
    assert camera.show(person()).objects[0].stationary
    assert not camera.show(person(280)).objects[0].stationary
    assert not camera.show(person(280), times=7).objects[0].stationary
    assert camera.show(person(280)).objects[0].stationary


def test_a_box_that_trembles_is_stationary() -> None:
    camera = Camera(stationary=2)
    shifts = [0, 5, -4, 3, -5, 4, -2, 5, -5, 1]
    for n in range(60):
        dx, dy = shifts[n % 10], shifts[(n * 3 + 1) % 10]
        look = camera.show(person(250 + dx, 300 + dy))
    assert look.objects[0].stationary


def test_whoever_creeps_does_not_become_stationary() -> None:
    camera = Camera(stationary=4)
    for n in range(100):
        look = camera.show(person(200 + 2 * n))
        assert not any(each.stationary for each in look.objects)


# -- gestures and postures


def test_a_gesture_is_told_when_two_looks_agree_and_again_only_after_another() -> None:
    camera = Camera()
    camera.show(person(), times=3)
    camera.news()
    camera.show(person(gesture="fist"))
    assert camera.news() == []
    camera.show(person(gesture="fist"), times=9)
    assert camera.news() == [("gesture", None)]
    camera.show(person(gesture="open-palm"))
    camera.show(person(gesture="fist"), times=5)
    assert camera.news() == []
    camera.show(person(gesture="open-palm"), times=5)
    assert camera.news() == [("gesture", None)]


def test_a_gesture_that_was_ended_may_be_made_again() -> None:
    camera = Camera()
    for _ in range(3):
        camera.show(person(gesture="thumb-up"), times=4)
        camera.show(person(), times=2)
    assert camera.news() == [("appeared", None), *[("gesture", None)] * 3]


def test_a_hand_is_followed_like_everything_else() -> None:
    camera = Camera()
    hand = Found(label="hand", confidence=0.9, box=(400, 200, 450, 250), gesture="pointing")
    camera.show(hand, times=3)
    assert camera.news() == [("appeared", None), ("gesture", None)]
    assert camera.looks[-1].objects[0].found.gesture == "pointing"


def test_a_gesture_before_the_object_is_certain_is_told_with_it() -> None:
    camera = Camera()
    for confidence in (0.55, 0.3, 0.3, 0.55, 0.55):
        camera.show(person(confidence=confidence, gesture="fist"))
    assert camera.news() == [("appeared", None), ("gesture", None)]


def test_lying_is_told_in_the_third_look_in_a_row_and_once_until_they_get_up() -> None:
    camera = Camera()
    camera.show(person(posture="standing"), times=3)
    camera.news()
    camera.show(person(posture="lying"), times=2)
    camera.show(person(posture="sitting"))
    camera.show(person(posture="lying"), times=2)
    assert camera.news() == []
    camera.show(person(posture="lying"), times=20)
    assert camera.news() == [("lying", None)]
    camera.show(person(posture="standing"), times=5)
    camera.show(person(posture="lying"), times=5)
    assert camera.news() == [("lying", None)]


def test_a_look_that_cannot_tell_the_posture_is_no_getting_up() -> None:
    camera = Camera()
    camera.show(person(posture="lying"), times=5)
    camera.news()
    for _ in range(5):
        camera.show(person(posture=None), times=4)
        camera.show(person(posture="sitting"))
        camera.show(person(posture="lying"), times=4)
    assert camera.news() == []


def test_whoever_lies_down_at_the_first_look_is_told_of() -> None:
    camera = Camera(first=[person(posture="lying")])
    camera.show(person(posture="lying"), times=5)
    assert camera.news() == [("lying", None)]


# -- pictures of another size


def test_another_size_of_the_picture_changes_nothing_but_coordinates() -> None:
    camera = Camera([LEFT], stationary=1, first=[person()])
    camera.show(person(), times=10)
    look = camera.show(person(), size=(500, 250), times=5)
    (only,) = look.objects
    assert (only.track, only.zones, only.stationary) == (1, ("left",), True)
    assert only.found.box == person().scaled(0.5, 0.5).box
    assert camera.news() == []


def test_whoever_is_missed_is_told_of_in_coordinates_of_the_new_size() -> None:
    camera = Camera()
    camera.show(person(), times=3)
    (only,) = camera.show(size=(500, 250)).objects
    assert only.found.box == person().scaled(0.5, 0.5).box
    (same,) = camera.rest().objects
    assert same.found.box == only.found.box


# -- a label that flips


def test_a_label_that_flips_makes_one_object_of_one_name() -> None:
    camera = Camera([Zone("gate", LEFT.polygon, ("car",))])
    for label in ("car", "car", "truck", "car", "truck", "car", "car"):
        camera.show(person(label=label))
    assert camera.news() == [("appeared", None), ("entered-zone", "gate")]
    assert [each.found.label for each in camera.looks[-1].objects] == ["car"]
