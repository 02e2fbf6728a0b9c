"""Objects keep their number from picture to picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from wyoming_units.vision.scene import Found, Scene
from wyoming_units.vision.tracking import Tracker, overlaps

WIDTH, HEIGHT = 1920, 1080
TALL = 300.0
"""Height of a person in pixels; they are 0.4 of that wide."""


def person(x: float, y: float = 700, confidence: float = 0.8, label: str = "person") -> Found:
    """Return somebody whose foot is at (x, y)."""
    return Found(
        label=label, confidence=confidence, box=(x - TALL * 0.2, y - TALL, x + TALL * 0.2, y)
    )


def scene(*objects: Found, width: int = WIDTH, height: int = HEIGHT) -> Scene:
    return Scene(width=width, height=height, objects=objects)


def tracker() -> Tracker:
    return Tracker(lambda found: found.confidence >= 0.5)


def numbers(tracker: Tracker, scene: Scene, at: float) -> dict[Found, int]:
    """Return which track each object of a scene has."""
    tracks = {tuple(np.round(track.box, 6)): track for track in tracker.follow(scene, at)}
    side = max(scene.width, scene.height)
    keys = {found: tuple(np.round(np.array(found.box) / side, 6)) for found in scene.objects}
    return {found: tracks[key].number for found, key in keys.items() if key in tracks}


def walk(
    paths: Sequence[Callable[[float], Found | None]], fps: float, seconds: float
) -> list[set[int]]:
    """Return the numbers that each of some objects had; None is out of sight."""
    follows = tracker()
    had: list[set[int]] = [set() for _ in paths]
    for n in range(round(seconds * fps)):
        there = {i: found for i, path in enumerate(paths) if (found := path(n / fps)) is not None}
        given = numbers(follows, scene(*there.values()), n / fps)
        for i, found in there.items():
            had[i].add(given[found])
    return had


@pytest.mark.parametrize("fps", [1, 2, 5, 10, 15])
def test_a_walker_keeps_the_number_at_any_rate(fps: float) -> None:
    assert walk([lambda t: person(200 + 270 * t)], fps, 5) == [{1}]


@pytest.mark.parametrize("fps", [2, 5, 10])
def test_two_who_pass_each_other_keep_theirs(fps: float) -> None:
    paths = [lambda t: person(300 + 270 * t, 700), lambda t: person(1610 - 270 * t, 740)]
    assert walk(paths, fps, 5) == [{1}, {2}]


@pytest.mark.parametrize("fps", [2, 5, 10])
def test_two_side_by_side_do_not_swap(fps: float) -> None:
    paths = [lambda t: person(300 + 270 * t), lambda t: person(450 + 270 * t)]
    assert walk(paths, fps, 5) == [{1}, {2}]


@pytest.mark.parametrize("fps", [2, 5, 10])
def test_a_second_behind_a_tree_changes_nothing(fps: float) -> None:
    paths = [lambda t: None if 2 <= t < 3 else person(200 + 270 * t)]
    assert walk(paths, fps, 5) == [{1}]


@pytest.mark.parametrize("fps", [2, 5, 10])
def test_missed_detections_and_trembling_boxes_change_nothing(fps: float) -> None:
    rng = np.random.default_rng(3)

    def path(t: float) -> Found | None:
        x, y = np.array([200 + 250 * t, 700]) + rng.normal(0, 9, 2)
        return person(x, y, float(rng.uniform(0.5, 0.9))) if t == 0 or rng.random() > 0.2 else None

    assert walk([path], fps, 6) == [{1}]


def test_uncertain_detections_continue_a_track() -> None:
    follows = tracker()
    for n in range(6):
        (track,) = follows.follow(
            scene(person(500 + 20 * n, confidence=0.8 if n < 3 else 0.2)), n / 5
        )
    assert track.number == 1
    assert track.found.confidence == 0.2


def test_uncertain_detections_begin_no_track() -> None:
    follows = tracker()
    assert not follows.follow(scene(person(500, confidence=0.49)), 0)
    assert not follows.tracks


def test_an_uncertain_detection_far_off_is_clutter_and_not_the_track() -> None:
    follows = tracker()
    follows.follow(scene(person(500)), 0)
    follows.follow(scene(person(500)), 0.5)
    assert not follows.follow(scene(person(500 + TALL, confidence=0.3)), 1.0)


def test_a_certain_detection_is_preferred_to_an_uncertain_one_that_is_nearer() -> None:
    follows = tracker()
    follows.follow(scene(person(500)), 0)
    (track,) = follows.follow(scene(person(530), person(502, confidence=0.3)), 0.2)
    assert track.found.confidence == 0.8


def test_a_label_that_flips_keeps_the_number_and_the_name_that_it_had_most() -> None:
    follows = tracker()
    labels = ["car", "car", "truck", "car", "truck", "truck", "car"]
    for n, label in enumerate(labels):
        (track,) = follows.follow(scene(person(500, label=label)), n / 2)
        assert track.found.label == "car"
    assert track.number == 1


def test_a_label_that_has_changed_for_good_is_taken() -> None:
    follows = tracker()
    for n in range(16):
        (track,) = follows.follow(scene(person(500, label="cat" if n < 3 else "dog")), n / 2)
    assert (track.number, track.found.label) == (1, "dog")


def test_different_things_side_by_side_are_different_tracks() -> None:
    follows = tracker()
    follows.follow(scene(person(500)), 0)
    follows.follow(scene(person(560, label="dog")), 0.5)
    assert [(t.number, t.found.label) for t in follows.tracks] == [(1, "person"), (2, "dog")]


def test_a_person_who_comes_onto_a_bicycle_takes_nobodys_number() -> None:
    follows = tracker()
    follows.follow(scene(person(500, label="bicycle")), 0)
    follows.follow(scene(person(500, label="bicycle"), person(505)), 0.5)
    assert [(t.number, t.found.label) for t in follows.tracks] == [(1, "bicycle"), (2, "person")]


def test_whoever_appears_at_the_other_end_of_the_picture_is_somebody_else() -> None:
    follows = tracker()
    follows.follow(scene(person(200)), 0)
    (track,) = follows.follow(scene(person(1700)), 0.5)
    assert track.number == 2


def test_something_of_quite_another_size_is_something_else() -> None:
    follows = tracker()
    follows.follow(scene(person(500)), 0)
    small = Found(label="person", confidence=0.8, box=(495, 540, 505, 560))
    (track,) = follows.follow(scene(small), 0.2)
    assert track.number == 2


def test_numbers_are_positive_grow_and_are_never_used_again() -> None:
    follows = tracker()
    seen = []
    for n in range(4):
        (track,) = follows.follow(scene(person(500)), n)
        seen.append(track.number)
        follows.tracks.clear()
    assert seen == [1, 2, 3, 4]


def test_another_size_of_the_picture_changes_nothing() -> None:
    follows = tracker()
    follows.follow(scene(person(200)), 0)
    follows.follow(scene(person(335)), 0.5)
    smaller = scene(person(470)).scaled(640, 360)
    (track,) = follows.follow(smaller, 1.0)
    assert track.number == 1
    assert track.found.box == smaller.objects[0].box


def test_the_median_of_fewer_than_three_looks_is_filled_up_with_nothing() -> None:
    follows = tracker()
    medians = []
    for n, confidence in enumerate([0.9, 0.6, 0.8, 0.3, 0.3]):
        (track,) = follows.follow(scene(person(500, confidence=confidence)), n / 5)
        medians.append(track.confidence)
    assert medians == pytest.approx([0.0, 0.6, 0.8, 0.7, 0.6])


def test_the_median_is_of_the_last_ten_looks() -> None:
    follows = tracker()
    for n in range(20):
        follows.follow(scene(person(500, confidence=0.9 if n < 10 else 0.5)), n / 5)
    assert follows.tracks[0].confidence == 0.5


def test_two_pictures_of_one_moment_and_empty_boxes_are_no_trouble() -> None:
    follows = tracker()
    empty = Found(label="person", confidence=0.8, box=(500, 500, 500, 500))
    for _ in range(3):
        follows.follow(scene(person(500), empty), 1.0)
    assert [track.number for track in follows.tracks] == [1, 2]


def test_overlaps_are_intersections_over_unions() -> None:
    boxes = [(0.0, 0.0, 2.0, 2.0), (1.0, 1.0, 3.0, 3.0), (5.0, 5.0, 5.0, 5.0)]
    expected = [[1, 1 / 7, 0], [1 / 7, 1, 0], [0, 0, 0]]
    assert overlaps(boxes, boxes) == pytest.approx(np.array(expected))
    assert overlaps([], boxes).shape == (0, 3)
