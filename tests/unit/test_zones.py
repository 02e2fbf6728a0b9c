"""A point is in a zone by its polygon, its edge included."""

from __future__ import annotations

import pytest

from wyoming_units.vision.zones import Zone

WHOLE = Zone("whole", ((0, 0), (1, 0), (1, 1), (0, 1)))
HOOK = Zone("hook", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.6, 0.9), (0.6, 0.4), (0.1, 0.4)))


@pytest.mark.parametrize("point", [(0.2, 0.2), (0.8, 0.8), (0.7, 0.25)])
def test_points_of_a_bent_polygon_are_in_it(point: tuple[float, float]) -> None:
    assert HOOK.contains(*point)


@pytest.mark.parametrize("point", [(0.3, 0.7), (0.05, 0.2), (0.95, 0.5), (0.7, 0.95), (0.59, 0.41)])
def test_points_beside_it_or_in_its_notch_are_not(point: tuple[float, float]) -> None:
    assert not HOOK.contains(*point)


@pytest.mark.parametrize("point", [(0.5, 1.0), (0.5, 0.0), (0.0, 0.5), (1.0, 0.5), (1.0, 1.0)])
def test_a_foot_on_the_border_of_the_picture_is_in_a_zone_that_reaches_it(
    point: tuple[float, float],
) -> None:
    assert WHOLE.contains(*point)


def test_the_order_of_corners_does_not_matter() -> None:
    turned = Zone("hook", HOOK.polygon[::-1])
    for x in (0.05, 0.3, 0.59, 0.61, 0.89, 0.91):
        for y in (0.05, 0.3, 0.39, 0.41, 0.89, 0.91):
            assert turned.contains(x, y) == HOOK.contains(x, y)


def test_a_corner_on_the_line_of_sight_counts_once() -> None:
    diamond = Zone("diamond", ((0.5, 0.2), (0.8, 0.5), (0.5, 0.8), (0.2, 0.5)))
    assert diamond.contains(0.4, 0.5)
    assert not diamond.contains(0.1, 0.5)
    assert not diamond.contains(0.1, 0.2)


def test_corners_that_are_given_twice_are_harmless() -> None:
    zone = Zone("closed", (*WHOLE.polygon, WHOLE.polygon[0]))
    assert zone.contains(0.5, 0.5)
    assert zone.contains(0.0, 0.0)
