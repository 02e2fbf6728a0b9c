"""Asks a server to `describe` itself while others keep it busy; a process of its own, with the priority of a server.

Else what is measured under full load would be how long this client waits for a processor.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import perf_counter

from .wire import describe

_EVERY = 0.1
_PATIENCE = 30.0
"""Seconds for an answer; where none comes, that is how long it took."""


@dataclass
class Asked:
    """How long answers took, in ms."""

    ms: list[float] = field(default_factory=list)


@contextlib.asynccontextmanager
async def describing(port: int) -> AsyncIterator[Asked]:
    """Ask ten times a second for a while; the answers are there afterwards."""
    from .server import launch

    asked = Asked()
    process = await launch(sys.executable, "-m", __package__ + ".probe", str(port))
    assert process.stdin
    assert process.stdout
    await asyncio.to_thread(process.stdout.readline)
    try:
        yield asked
    finally:
        process.stdin.close()
        asked.ms.extend(json.loads(await asyncio.to_thread(process.stdout.read)))
        process.wait()


async def _one(port: int) -> float:
    began = perf_counter()
    with contextlib.suppress(OSError, EOFError, TimeoutError):
        await asyncio.wait_for(describe(port), _PATIENCE)
        return (perf_counter() - began) * 1000
    return _PATIENCE * 1000


async def _main(port: int) -> None:
    """Ask at fixed moments, whether or not the last answer came, until the input ends."""
    print("ready", flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    asked = []
    while not ended.done():
        asked.append(asyncio.create_task(_one(port)))
        await asyncio.wait({ended}, timeout=_EVERY)
    print(json.dumps(await asyncio.gather(*asked)))


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
