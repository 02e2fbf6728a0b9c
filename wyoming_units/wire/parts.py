"""Several binaries in the payload of one event, described by `parts` in its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import BadRequest

_MOST = 16
"""Parts of one payload."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One binary."""

    name: str
    mime: str
    data: bytes


def pack(data: dict[str, Any], parts: Sequence[Part]) -> tuple[dict[str, Any], bytes]:
    """Return data that describes the parts, and the payload that holds them."""
    told = [{"name": part.name, "mime": part.mime, "length": len(part.data)} for part in parts]
    return {**data, "parts": told}, b"".join(part.data for part in parts)


def unpack(event: Event) -> dict[str, Part]:
    """Return the parts of an event by name; without `parts` its payload is an `image`. `BadRequest`."""
    payload = event.payload or b""
    told = event.data.get("parts")
    if told is None:
        image = Part(name="image", mime="application/octet-stream", data=payload)
        return {image.name: image} if payload else {}
    if not isinstance(told, list) or len(told) > _MOST:
        raise BadRequest(f"parts must be a list of at most {_MOST}")
    parts: dict[str, Part] = {}
    start = 0
    for each in told:
        match each:
            case {"name": str(name), "mime": str(mime), "length": int(length)} if (
                length >= 0 and name not in parts
            ):
                parts[name] = Part(name=name, mime=mime, data=payload[start : start + length])
                start += length
            case _:
                raise BadRequest("a part needs a name of its own, a mime type and a length")
    if start != len(payload):
        raise BadRequest(f"the parts have {start} bytes together, the payload has {len(payload)}")
    return parts
