"""What a client wants to be looked for, read from its requests: every wrong shape is one `BadRequest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wyoming_units.engines.base import TASKS, VisionRequest
from wyoming_units.errors import BadRequest
from wyoming_units.units.read import mapping, number, objects, optional_text, texts
from wyoming_units.vision.depth import KnownPoint
from wyoming_units.vision.happenings import Rules
from wyoming_units.vision.zones import Zone

WANTS = ("depth-map", "annotated")
"""Pictures that may come with an analysis."""
_CORNERS = (3, 64)
_ZONES = 32
_POINTS = 2
_MOST_OBJECTS = 1000
_FPS = (0.01, 30.0)
_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to look for in a picture, and what to tell of it."""

    tasks: tuple[str, ...]
    model: str | None
    request: VisionRequest
    calibration: tuple[KnownPoint, ...]
    want: frozenset[str]

    @property
    def depth_map(self) -> bool:
        """Return whether the depth map itself is to be sent."""
        return "depth-map" in self.want


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What a camera is watched for."""

    wanted: Wanted
    source: str
    """Address of the camera, or `push`."""
    fps: float
    zones: tuple[Zone, ...]
    rules: Rules


def wanted_of(data: dict[str, Any], rules: Rules | None = None) -> Wanted:
    """Read what an `analyze-image` wants, or a `watch` with its rules."""
    tasks = tuple(dict.fromkeys(texts(data, "tasks"))) or ("detect",)
    _only(tasks, TASKS, "tasks")
    want = frozenset(texts(data, "want"))
    _only(want, WANTS, "want")
    least = rules.least if rules else number(data, "min_confidence", 0.25, least=0, most=1)
    most = number(data, "max_objects", 100, least=1, most=_MOST_OBJECTS)
    return Wanted(
        tasks=tasks,
        model=optional_text(data, "model"),
        request=VisionRequest(
            labels=texts(data, "labels"),
            min_confidence=least,
            max_objects=int(most),
            agnostic=rules is not None,  # what is a car and a truck would be two tracks
        ),
        calibration=tuple(_known(point) for point in objects(data, "calibration", _POINTS)),
        want=want,
    )


def watching_of(data: dict[str, Any]) -> Watching:
    """Read what a `watch` wants."""
    source = optional_text(data, "source")
    if source is None:
        raise BadRequest("a watch needs a source, an address or push")
    rules = _rules(mapping(data, "rules"))
    zones = tuple(_zone(zone) for zone in objects(data, "zones", _ZONES))
    if len({zone.name for zone in zones}) < len(zones):
        raise BadRequest("two zones have the same name")
    return Watching(
        wanted=wanted_of(data, rules),
        source=source,
        fps=number(data, "fps", 2.0, least=_FPS[0], most=_FPS[1]),
        zones=zones,
        rules=rules,
    )


def _only(given: Sequence[str] | frozenset[str], known: Sequence[str], key: str) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise BadRequest(f"{key} has no {', '.join(unknown)}; there are: {', '.join(known)}")


def _known(point: dict[str, Any]) -> KnownPoint:
    x, y = _point(point.get("point"))
    distance = number(point, "distance", 0, least=0.01, most=10_000)
    if not distance:
        raise BadRequest("calibration needs the distance of each point in metres")
    return KnownPoint(x=x, y=y, distance=distance)


def _point(value: object) -> tuple[float, float]:
    match value:
        case [int() | float() as x, int() | float() as y] if 0 <= x <= 1 and 0 <= y <= 1:
            return float(x), float(y)
    raise BadRequest("a point must be two numbers from 0 to 1")


def _zone(zone: dict[str, Any]) -> Zone:
    name = optional_text(zone, "name")
    polygon = zone.get("polygon")
    if name is None:
        raise BadRequest("a zone needs a name")
    if not isinstance(polygon, list) or not _CORNERS[0] <= len(polygon) <= _CORNERS[1]:
        raise BadRequest(f"a polygon needs {_CORNERS[0]} to {_CORNERS[1]} corners")
    corners = tuple(_point(corner) for corner in polygon)
    return Zone(name=name, polygon=corners, labels=texts(zone, "labels"))


def _rules(data: dict[str, Any]) -> Rules:
    known = Rules.__dataclass_fields__
    _only(tuple(data), tuple(known), "rules")
    usual = Rules()
    return Rules(
        confidence={**usual.confidence, **_confidence(data.get("confidence"))},
        inertia=int(number(data, "inertia", usual.inertia, least=1, most=1000)),
        motion=number(data, "motion", usual.motion, least=0, most=1),
        **{
            key: number(data, key, getattr(usual, key), least=0, most=_SECONDS)
            for key in ("linger", "patience", "stationary")
        },
    )


def _confidence(value: object) -> Mapping[str, float]:
    by_label = value if isinstance(value, dict) else {} if value is None else {"": value}
    return {label: number(by_label, label, 0.5, least=0, most=1) for label in by_label}
