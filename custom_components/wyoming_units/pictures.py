"""What a node sees, as its events tell it; reading one that makes no sense raises what codecs raise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from homeassistant.exceptions import ServiceValidationError
from wyoming.event import Event

from .const import DOMAIN

FORMATS: Final = ("image/jpeg", "image/png", "image/webp")
LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a picture that a node takes."""

type Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, kw_only=True)
class VisionModel:
    """A model that sees."""

    name: str
    description: str | None
    installed: bool
    tasks: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VisionProgram:
    """A program of a vision unit; the Wyoming library knows none."""

    name: str
    installed: bool
    models: tuple[VisionModel, ...]

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Read an entry of `info.vision`."""
        models = (
            VisionModel(
                name=str(model["name"]),
                description=model.get("description"),
                installed=bool(model["installed"]),
                tasks=tuple(map(str, model.get("tasks") or ())),
                labels=tuple(map(str, model.get("labels") or ())),
            )
            for model in told["models"]
        )
        return cls(name=str(told["name"]), installed=bool(told["installed"]), models=tuple(models))


@dataclass(frozen=True, kw_only=True)
class ImageAnalysis:
    """What was found in one picture that was asked about."""

    objects: list[dict[str, Any]]
    """As the node tells them."""
    width: int
    height: int
    timing: dict[str, Any]
    """Milliseconds by stage."""
    depth: dict[str, Any]
    """`metric` and `scale` of the part `depth-map`; empty where there is none."""
    parts: dict[str, bytes]

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read an `image-analysis`."""
        data = event.data
        return cls(
            objects=[dict(each) for each in data["objects"]],
            width=int(data["width"]),
            height=int(data["height"]),
            timing=_timing(data),
            depth=dict(data.get("depth") or {}),
            parts=parts_of(event),
        )


@dataclass(frozen=True, kw_only=True)
class SeenObject:
    """Something that a watch follows."""

    label: str
    confidence: float
    box: Box
    track: int | None = None
    """Stable while the object is in view."""
    zones: tuple[str, ...] = ()
    stationary: bool = False
    distance: float | None = None
    """Metres."""
    nearness: float | None = None
    """In [0, 1], 1 for the nearest thing in the picture."""
    posture: str | None = None
    gesture: str | None = None

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Read an object."""
        left, top, right, bottom = map(float, told["box"])
        return cls(
            label=str(told["label"]),
            confidence=float(told["confidence"]),
            box=(left, top, right, bottom),
            track=told.get("track"),
            zones=tuple(map(str, told.get("zones") or ())),
            stationary=bool(told.get("stationary")),
            distance=_number(told, "distance"),
            nearness=_number(told, "nearness"),
            posture=told.get("posture"),
            gesture=told.get("gesture"),
        )


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What a watch sees now."""

    objects: tuple[SeenObject, ...]
    width: int
    height: int
    timestamp: float
    """Of the picture, seconds since the epoch."""
    timing: dict[str, Any]
    """Milliseconds by stage."""
    metric: bool
    """Whether the part `depth-map` holds metres; else relative nearness."""
    parts: dict[str, bytes] = field(repr=False)

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read an `image-analysis` of a watch."""
        data = event.data
        return cls(
            objects=tuple(SeenObject.from_dict(each) for each in data["objects"]),
            width=int(data["width"]),
            height=int(data["height"]),
            timestamp=float(data["timestamp"]),
            timing=_timing(data),
            metric=bool((data.get("depth") or {}).get("metric")),
            parts=parts_of(event),
        )

    @property
    def inference(self) -> float | None:
        """Return the milliseconds that the models took, None where they were not asked."""
        return _number(self.timing, "infer")

    def seen(self, label: str, zone: str | None = None) -> list[SeenObject]:
        """Return the objects of a label, all of them or those in a zone."""
        return [
            each
            for each in self.objects
            if each.label == label and (zone is None or zone in each.zones)
        ]


@dataclass(frozen=True, kw_only=True)
class ObjectEvent:
    """Something that an object did."""

    kind: str
    object: SeenObject
    zone: str | None
    timestamp: float
    """Seconds since the epoch."""
    snapshot: bytes | None = field(repr=False)
    """JPEG of that moment."""

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read an `object-event`."""
        data = event.data
        return cls(
            kind=str(data["kind"]),
            object=SeenObject.from_dict(data["object"]),
            zone=data.get("zone"),
            timestamp=float(data["timestamp"]),
            snapshot=parts_of(event).get("snapshot"),
        )


def parts_of(event: Event) -> dict[str, bytes]:
    """Return the binaries that the payload of an event holds, by name."""
    parts: dict[str, bytes] = {}
    payload, start = event.payload or b"", 0
    for part in event.data.get("parts") or ():
        end = start + int(part["length"])
        if not start <= end <= len(payload):
            raise ValueError("a part is longer than the payload")
        parts[str(part["name"])] = payload[start:end]
        start = end
    return parts


def _number(told: Mapping[str, Any], key: str) -> float | None:
    value = told.get(key)
    return None if value is None else float(value)


def _timing(data: Mapping[str, Any]) -> dict[str, Any]:
    return dict((data.get("context") or {}).get("timing") or {})


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as it is sent to a node."""

    content: bytes
    mime: str

    @classmethod
    def of(cls, source: str, content: bytes, mime: str | None) -> Picture:
        """Return a picture; `ServiceValidationError` for what no node takes."""
        if mime not in FORMATS or not 0 < len(content) < LARGEST:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_a_picture",
                translation_placeholders={"source": source},
            )
        return cls(content=content, mime=mime)
