"""What is seen in single pictures becomes events, by the rules of a watch."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.unit.staged import (
    FPS,
    HEIGHT,
    LEFT,
    MIDDLE,
    Camera,
    person,
)
from wyoming_units.vision.happenings import Rules
from wyoming_units.vision.zones import Zone

# -- coming and going


def test_somebody_appears_once_and_leaves_once() -> None:
    camera = Camera()
    camera.show(person(), times=10)
    assert camera.news() == [("appeared", None)]
    camera.show(times=30)
    assert camera.news() == [("left", None)]
    assert not camera.looks[-1].objects


def test_whoever_is_there_at_the_first_look_has_not_appeared_but_may_leave() -> None:
    camera = Camera([LEFT], first=[person()])
    assert camera.show(person(), times=5).objects[0].zones == ("left",)
    assert camera.news() == []
    camera.show(times=30)
    assert camera.news() == [("left-zone", "left"), ("left", None)]


def test_whoever_was_there_at_the_first_look_and_comes_back_has_appeared() -> None:
    camera = Camera(first=[person()])
    camera.show(person(), times=3)
    camera.show(times=30)
    camera.news()
    camera.show(person(), times=3)
    assert camera.news() == [("appeared", None)]


def test_an_object_has_left_after_the_patience_and_not_before() -> None:
    camera = Camera(patience=2)
    camera.show(person(), times=5)
    camera.news()
    camera.show(times=7)
    assert camera.news() == []
    assert len(camera.looks[-1].objects) == 1
    camera.show()
    assert camera.news() == [("left", None)]


def test_without_patience_one_miss_is_enough() -> None:
    camera = Camera(patience=0)
    camera.show(person(), times=3)
    camera.news()
    camera.show()
    assert camera.news() == [("left", None)]


def test_being_found_again_makes_the_patience_new() -> None:
    camera = Camera(patience=2)
    for _ in range(5):
        camera.show(person(), times=3)
        camera.show(times=7)
    assert camera.news() == [("appeared", None)]


def test_a_camera_that_stalls_makes_nobody_leave() -> None:
    camera = Camera([LEFT])
    camera.show(person(), times=5)
    camera.news()
    camera.at += 3600
    camera.show()
    assert camera.news() == []
    camera.show(person(), times=5)
    assert camera.news() == []
    assert {each.track for look in camera.looks for each in look.objects} == {1}


def test_after_a_stall_whoever_is_gone_leaves_after_a_second_miss() -> None:
    camera = Camera(fps=0.1)
    camera.show(person(), times=5)
    camera.news()
    camera.at += 3600
    camera.show()
    assert camera.news() == []
    camera.show()
    assert camera.news() == [("left", None)]


def test_two_people_are_two_objects_with_events_of_their_own() -> None:
    camera = Camera(patience=1)
    camera.show(person(200), person(700), times=3)
    assert camera.news() == [("appeared", None), ("appeared", None)]
    camera.show(person(700), times=10)
    (left,) = [each for look in camera.looks for each in look.happenings if each.kind == "left"]
    assert left.object.found.box == person(200).box
    assert [each.track for each in camera.looks[-1].objects] == [2]


def test_an_event_tells_its_object_and_the_time_of_its_look() -> None:
    camera = Camera([LEFT])
    camera.at = 1000.0
    camera.show(person(), times=3)
    first, second = (each for look in camera.looks for each in look.happenings)
    assert (first.kind, second.kind) == ("appeared", "entered-zone")
    assert first.at == 1000.0 + 1 / FPS
    assert first.object.found.label == "person"
    assert second.object.zones == ("left",)


# -- confidence


def test_one_look_is_not_enough_to_be_told_of() -> None:
    camera = Camera()
    assert not camera.show(person(confidence=0.99)).objects
    assert camera.show(person(confidence=0.99)).objects
    assert camera.news() == [("appeared", None)]


def test_the_median_must_reach_the_threshold() -> None:
    camera = Camera(confidence={"": 0.6})
    for confidence in (0.6, 0.59, 0.59, 0.6):
        camera.show(person(confidence=confidence))
    assert camera.news() == []
    camera.show(person(confidence=0.6))
    assert camera.news() == [("appeared", None)]


def test_a_flash_of_clutter_is_never_told_of() -> None:
    camera = Camera([LEFT], linger=2)
    for _ in range(5):
        camera.show(person(confidence=0.95, gesture="fist"))
        camera.show(times=25)
    assert camera.news() == []


def test_once_told_of_an_object_stays_however_uncertain_until_it_leaves() -> None:
    camera = Camera()
    camera.show(person(), times=3)
    look = camera.show(person(confidence=0.26), times=20)
    assert [each.found.confidence for each in look.objects] == [0.26]
    assert camera.news() == [("appeared", None)]


def test_a_label_has_its_own_threshold() -> None:
    camera = Camera(confidence={"": 0.9, "cat": 0.3})
    cat = person(600, confidence=0.35, label="cat")
    look = camera.show(person(confidence=0.8), cat, times=5)
    assert [each.found.label for each in look.objects] == ["cat"]


def test_models_are_asked_for_less_than_the_lowest_threshold() -> None:
    assert Rules().least == 0.25
    assert Rules(confidence={"": 0.8, "cat": 0.4}).least == 0.2
    assert Rules(confidence={"cat": 0.8}).least == 0.25
    assert Rules(confidence={"": 0.15}).least == 0.1
    assert Rules(confidence={"": 0.05}).least == 0.05


def test_the_most_confident_object_is_first() -> None:
    camera = Camera()
    look = camera.show(person(200, confidence=0.6), person(700, confidence=0.9), times=3)
    assert [each.found.confidence for each in look.objects] == [0.9, 0.6]


# -- zones


def walk(camera: Camera, xs: Iterable[float]) -> None:
    for x in xs:
        camera.show(person(x))


def test_entering_and_leaving_a_zone_are_told_once_each() -> None:
    camera = Camera([LEFT])
    walk(camera, range(900, 90, -50))
    assert camera.news() == [("appeared", None), ("entered-zone", "left")]
    walk(camera, range(150, 900, 50))
    assert camera.news() == [("left-zone", "left")]


def test_the_foot_decides_and_not_the_rest_of_the_box() -> None:
    top = Zone("top", ((0, 0), (1, 0), (1, 0.5), (0, 0.5)))
    camera = Camera([top])
    assert camera.show(person(y=251), times=5).objects[0].zones == ()
    assert camera.show(person(y=249), times=5).objects[0].zones == ("top",)


def test_a_foot_that_the_border_of_the_picture_cuts_off_is_in_a_zone_that_reaches_it() -> None:
    camera = Camera([LEFT])
    assert camera.show(person(y=HEIGHT + 3), times=3).objects[0].zones == ("left",)


@pytest.mark.parametrize("inertia", [1, 2, 3, 5])
def test_it_takes_as_many_looks_in_a_row_as_the_inertia_says(inertia: int) -> None:
    camera = Camera([LEFT], inertia=inertia)
    camera.show(person(540), times=5)
    camera.news()
    camera.show(person(480), times=inertia - 1)
    assert camera.news() == []
    camera.show(person(480))
    assert camera.news() == [("entered-zone", "left")]
    camera.show(person(540), times=inertia - 1)
    assert camera.news() == []
    camera.show(person(540))
    assert camera.news() == [("left-zone", "left")]


def test_whoever_sways_on_the_edge_of_a_zone_never_enters() -> None:
    camera = Camera([LEFT], inertia=3)
    camera.show(person(540), times=3)
    for _ in range(10):
        camera.show(person(490), times=2)
        camera.show(person(510))
    assert camera.news() == [("appeared", None)]


def test_whoever_is_gone_inside_a_zone_leaves_the_zone_and_then_the_view() -> None:
    camera = Camera([LEFT, MIDDLE], patience=1)
    camera.show(person(400), times=3)
    assert camera.news() == [
        ("appeared", None),
        ("entered-zone", "left"),
        ("entered-zone", "middle"),
    ]
    camera.show(times=10)
    assert camera.news() == [("left-zone", "left"), ("left-zone", "middle"), ("left", None)]
    ends = [each for look in camera.looks[3:] for each in look.happenings]
    assert [each.object.zones for each in ends] == [("middle",), (), ()]


def test_overlapping_zones_are_entered_and_left_each_by_itself() -> None:
    camera = Camera([LEFT, MIDDLE], first=[person(100)])
    zones = []
    for x in range(100, 950, 50):
        look = camera.show(person(x))
        zones.append(look.objects[0].zones)
    assert sorted(set(zones)) == [(), ("left",), ("left", "middle"), ("middle",)]
    assert camera.news() == [
        ("entered-zone", "middle"),
        ("left-zone", "left"),
        ("left-zone", "middle"),
    ]


def test_a_zone_with_labels_is_for_those_only() -> None:
    gate = Zone("gate", LEFT.polygon, ("car", "truck"))
    camera = Camera([gate])
    look = camera.show(person(200), person(400, label="truck"), times=3)
    assert sorted((each.found.label, each.zones) for each in look.objects) == [
        ("person", ()),
        ("truck", ("gate",)),
    ]


def test_who_is_missed_for_a_moment_is_still_in_the_zone() -> None:
    camera = Camera([LEFT])
    camera.show(person(), times=3)
    camera.news()
    assert camera.show(times=5).objects[0].zones == ("left",)
    camera.show(person(), times=3)
    assert camera.news() == []


def test_a_zone_entered_after_the_first_look_is_told_also_of_who_was_there() -> None:
    camera = Camera([LEFT], first=[person(600)])
    walk(camera, range(600, 300, -50))
    assert camera.news() == [("entered-zone", "left")]


# -- lingering


def test_lingering_is_told_once_per_visit_and_once_in_view() -> None:
    camera = Camera([LEFT], linger=4)
    camera.show(person(520), times=8)  # 2 s
    camera.news()
    camera.show(person(480), times=10)
    assert camera.news() == [("entered-zone", "left"), ("lingered", None)]
    camera.show(person(480), times=50)
    assert camera.news() == [("lingered", "left")]
    camera.show(person(520), times=50)
    camera.show(person(480), times=50)
    assert camera.news() == [("left-zone", "left"), ("entered-zone", "left"), ("lingered", "left")]


def test_lingering_is_told_when_the_time_is_over_and_not_before() -> None:
    camera = Camera(linger=4)
    camera.show(person(), times=16)
    assert camera.news() == [("appeared", None)]
    camera.show(person())
    assert camera.news() == [("lingered", None)]


def test_at_zero_nobody_lingers() -> None:
    camera = Camera([LEFT], linger=0)
    camera.show(person(), times=200)
    assert camera.news() == [("appeared", None), ("entered-zone", "left")]


def test_whoever_stays_at_the_first_look_lingers_too() -> None:
    camera = Camera([LEFT], linger=4, first=[person()])
    camera.show(person(), times=30)
    assert camera.news() == [("lingered", "left"), ("lingered", None)]


def test_a_stall_counts_little_towards_lingering() -> None:
    camera = Camera(linger=30)
    camera.show(person(), times=5)
    camera.at += 3600
    camera.show(person(), times=5)
    assert camera.news() == [("appeared", None)]
