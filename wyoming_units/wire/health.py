"""`python -m wyoming_units.wire.health`: whether the node of this machine answers; exit 0 or 1.

For container health checks and the installer: it imports little, as slow machines run it every half minute.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from time import monotonic
from typing import Any

from wyoming_units.errors import UnitError
from wyoming_units.wire.client import DEFAULT_PORT, Client

_PAUSE = 0.5
"""Seconds between tries."""
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def node_here() -> str:
    """Return the address of the node that runs with this environment."""
    bound = os.environ.get("WYOMING_UNITS_HOST", "")
    host = _ANY.get(bound, bound)
    port = os.environ.get("WYOMING_UNITS_PORT") or DEFAULT_PORT
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


async def ask(uri: str, *, timeout: float = 5.0, wait: float = 0.0) -> dict[str, Any]:
    """Return the node's `info`, tried again for `wait` seconds; `UnitError`, and `TimedOut` for one that hangs."""
    deadline = monotonic() + wait
    while True:
        try:
            async with Client(uri, connect_timeout=timeout, read_timeout=timeout) as client:
                return await client.info()
        except UnitError:
            if monotonic() >= deadline:
                raise
        await asyncio.sleep(_PAUSE)


def main(arguments: list[str] | None = None) -> int:
    """Ask the node, print one line, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m wyoming_units.wire.health")
    parser.add_argument("--uri", default=node_here())
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    try:
        info = asyncio.run(ask(given.uri, timeout=given.timeout, wait=given.wait))
    except UnitError as err:
        sys.stderr.write(f"error: {err}\n")
        return 1
    node = info.get("node", {})
    sys.stdout.write(f"{node.get('name', 'a server')} {node.get('version', '')} answers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
