"""A node of its own process with the embedded profile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.processes import Child, DemoError
from wyoming_units.errors import UnitError
from wyoming_units.wire.client import Client

_START_SECONDS = 60.0


async def start(folder: Path, port: int) -> Child:
    """Start it with its data in `folder`; it may still be loading."""
    command = Path(sys.executable).with_name("wyoming-units")
    return await Child.start(
        "the node",
        *(command, "serve", "--port", str(port), "--data-dir", folder),
        *("--name", "Wyoming Units demo"),
        log=folder.with_name("node.log"),
    )


async def ready(child: Child, uri: str) -> Mapping[str, Any]:
    """Return what the node tells about itself once every unit has loaded."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                child.check()
                info = await _info(uri)
                if info is not None and all(program["installed"] for program in programs(info)):
                    return info
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise DemoError(f"the node does not get ready; its output is in {child.log}") from None


def programs(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the programs of all units in an `info` event's data."""
    return [program for part in info.values() if isinstance(part, list) for program in part]


async def _info(uri: str) -> Mapping[str, Any] | None:
    try:
        async with Client(uri) as client:
            return await client.info()
    except UnitError:
        return None
