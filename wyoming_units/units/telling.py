"""How scenes are told: as the data and parts of `image-analysis` and `object-event`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wyoming.event import Event

from wyoming_units.vision.depth import depth_png16
from wyoming_units.vision.draw import annotate, mark
from wyoming_units.vision.happenings import Happening, Tracked
from wyoming_units.vision.picture import write_jpeg, write_png16
from wyoming_units.vision.scene import Found, Pixels, Scene
from wyoming_units.vision.zones import Zone
from wyoming_units.wire.parts import Part, pack


def analysis(
    scene: Scene,
    pixels: Pixels,
    want: frozenset[str],
    *,
    objects: Iterable[dict[str, Any]],
    zones: Sequence[Zone] = (),
    **more: Any,
) -> Event:
    """Return an `image-analysis`; draws and packs what is wanted, so it is for a worker."""
    data: dict[str, Any] = {"width": scene.width, "height": scene.height, "objects": list(objects)}
    parts: list[Part] = []
    if "depth-map" in want and scene.depth is not None:
        values, scale, metric = depth_png16(scene.depth)
        data["depth"] = {"metric": metric, "scale": scale}
        parts.append(Part(name="depth-map", mime="image/png", data=write_png16(values)))
    if "annotated" in want:
        drawn = annotate(pixels, scene, zones=[(zone.name, zone.polygon) for zone in zones])
        parts.append(Part(name="annotated", mime="image/jpeg", data=write_jpeg(drawn)))
    return _event("image-analysis", {**data, **more}, parts)


def object_event(happening: Happening, scene: Scene, pixels: Pixels, timestamp: float) -> Event:
    """Return an `object-event` with its snapshot; for a worker."""
    data: dict[str, Any] = {
        "kind": happening.kind,
        "object": tracked(happening.object),
        "timestamp": timestamp,
        "width": scene.width,
        "height": scene.height,
    }
    if happening.zone is not None:
        data["zone"] = happening.zone
    height, width = pixels.shape[:2]
    found = happening.object.found.scaled(width / scene.width, height / scene.height)
    snapshot = write_jpeg(mark(pixels, found))
    return _event("object-event", data, [Part(name="snapshot", mime="image/jpeg", data=snapshot)])


def tracked(one: Tracked) -> dict[str, Any]:
    """Return an object of a watch as it is told."""
    return {
        **found(one.found),
        "track": one.track,
        "zones": list(one.zones),
        "stationary": one.stationary,
    }


def found(one: Found) -> dict[str, Any]:
    """Return an object as it is told; what is not known is left out."""
    told: dict[str, Any] = {
        "label": one.label,
        "confidence": round(one.confidence, 4),
        "box": [round(float(side), 1) for side in one.box],
    }
    if one.mask is not None:
        told["mask"] = {"size": [one.mask.height, one.mask.width], "counts": list(one.mask.counts)}
    if one.keypoints is not None:
        told["keypoints"] = [
            [round(float(x), 1), round(float(y), 1), round(float(sure), 3)]
            for x, y, sure in one.keypoints
        ]
    for key in ("angle", "nearness", "distance"):
        if (value := getattr(one, key)) is not None:
            told[key] = round(float(value), 3)
    for key in ("posture", "gesture"):
        if (value := getattr(one, key)) is not None:
            told[key] = value
    return told


def _event(kind: str, data: dict[str, Any], parts: Sequence[Part]) -> Event:
    packed, payload = pack(data, parts) if parts else (data, b"")
    return Event(type=kind, data=packed, payload=payload or None)
