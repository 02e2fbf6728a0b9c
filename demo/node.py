"""A node of its own process with the embedded profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from demo.processes import Child, DemoError, poll
from wyoming_units.errors import UnitError
from wyoming_units.wire.client import Client

_START_SECONDS = 60.0
_VOICE = ("wake", "stt", "tts", "intent")


async def start(folder: Path, port: int, more: Sequence[str] = ()) -> Child:
    """Start it with its data in `folder`, with voice and more units; it may still be loading."""
    units = [*_VOICE, *more] if more else []
    return await Child.start(
        "the node",
        *("wyoming-units", "serve", "--port", str(port), "--data-dir", folder),
        *("--name", "Wyoming Units demo"),
        *(argument for unit in units for argument in ("--unit", unit)),
        log=folder.with_name("node.log"),
    )


async def ready(child: Child, uri: str) -> Mapping[str, Any]:
    """Return what the node tells about itself once every unit has loaded."""

    async def look() -> Mapping[str, Any] | None:
        child.check()
        with suppress(UnitError):
            async with Client(uri) as client:
                info = await client.info()
            if all(program["installed"] for program in programs(info)):
                return info
        return None

    info = await poll(look, _START_SECONDS, "the node did not get ready")
    for unit, domain in (("stt", "asr"), ("tts", "tts")):
        if not info[domain]:
            raise DemoError(f"the node runs without {unit}; why is in {child.log}")
    return info


def programs(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the programs of all units in an `info` event's data."""
    return [program for part in info.values() if isinstance(part, list) for program in part]
