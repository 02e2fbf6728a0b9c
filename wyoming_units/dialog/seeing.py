"""A look at a picture: sends it to a vision unit and returns what the unit saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import UnitError
from wyoming_units.vision.scene import DepthMap
from wyoming_units.wire.client import Client
from wyoming_units.wire.parts import unpack

_PATIENCE = 120.0
"""Seconds for an answer: a large model on a small machine, which may have to be loaded first."""


@dataclass(frozen=True, kw_only=True)
class Looking:
    """What to look for; what is empty or None is left to the unit."""

    tasks: tuple[str, ...] = ()
    model: str | None = None
    labels: tuple[str, ...] = ()
    min_confidence: float | None = None
    want: tuple[str, ...] = ()
    """Pictures that shall come with the answer: `annotated`, `depth-map`."""

    def event(self, image: bytes) -> Event:
        """Return the request for one picture, a JPEG, PNG or WebP file."""
        data = {
            "tasks": list(self.tasks),
            "model": self.model,
            "labels": list(self.labels),
            "min_confidence": self.min_confidence,
            "want": list(self.want),
        }
        told = {key: value for key, value in data.items() if value not in (None, [])}
        return Event(type="analyze-image", data=told, payload=image)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is in a picture."""

    width: int
    height: int
    objects: tuple[dict[str, Any], ...]
    """In the shape of docs/protocol.md, in pixels of the picture."""
    timing: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by stage, as the unit measured them."""
    annotated: bytes | None = None
    """JPEG file, where it was wanted."""
    depth: DepthMap | None = None
    """Where it was wanted."""


async def analyze(client: Client, image: bytes, wanted: Looking) -> Seen:
    """Send a picture and return what is in it."""
    await client.send(wanted.event(image))
    while (event := await client.receive(_PATIENCE)).type != "image-analysis":
        pass
    data, parts = event.data, unpack(event)
    annotated, depth = parts.get("annotated"), parts.get("depth-map")
    try:
        return Seen(
            width=int(data["width"]),
            height=int(data["height"]),
            objects=tuple(data["objects"]),
            timing=data.get("context", {}).get("timing", {}),
            annotated=annotated.data if annotated else None,
            depth=_depth(depth.data, data["depth"]) if depth else None,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise UnitError(f"the node's answer cannot be understood: {err!r}") from None


def _depth(png: bytes, told: Mapping[str, Any]) -> DepthMap:
    from wyoming_units.vision.picture import read_png16

    values = read_png16(png) / float(told["scale"])
    return DepthMap(values=values.astype("float32"), metric=bool(told["metric"]))
