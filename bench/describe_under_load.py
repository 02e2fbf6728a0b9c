"""Measures how long `describe` takes while four clients synthesise: `.venv/bin/python bench/describe_under_load.py`.

The node is a process of its own. Prints idle and busy percentiles in ms and the audio made meanwhile.
"""

from __future__ import annotations

import asyncio
import re
import sys
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from wyoming_units.dialog.stages import Saying, synthesize
from wyoming_units.wire.client import Client

CLIENTS = 4
ASKED = 500
TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. " * 20


async def describe(uri: str) -> np.ndarray:
    """Return the durations of `ASKED` round trips on one connection, in ms."""
    durations = []
    async with Client(uri) as client:
        for _ in range(ASKED):
            began = perf_counter()
            await client.info()
            durations.append((perf_counter() - began) * 1000)
            await asyncio.sleep(0.01)
    return np.array(durations)


async def speak(uri: str, made: list[float]) -> None:
    """Synthesise until cancelled; add the seconds of audio to `made`."""
    async with Client(uri) as client:
        while True:
            chunks = synthesize(client, Saying(TEXT, language="en-US"))
            made.extend([chunk.seconds async for chunk in chunks])


def show(what: str, durations: np.ndarray) -> None:
    """Print percentiles."""
    p50, p99 = np.percentile(durations, [50, 99])
    print(f"{what:5} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   max {durations.max():6.2f} ms")


async def main() -> None:
    """Start a node, measure it idle and busy, and stop it."""
    with TemporaryDirectory() as folder:
        node = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wyoming_units", "serve", "--port", "0"),
            *("--host", "127.0.0.1", "--data-dir", folder, "--advertise", "none"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert node.stdout
        try:
            line = (await node.stdout.readline()).decode()
            match = re.search(r"tcp://\S+", line)
            assert match, line
            uri = match.group()
            async with Client(uri) as client:
                async for _ in synthesize(client, Saying("ready", language="en-US")):
                    pass
            show("idle", await describe(uri))
            made: list[float] = []
            clients = [asyncio.create_task(speak(uri, made)) for _ in range(CLIENTS)]
            began = perf_counter()
            show("busy", await describe(uri))
            for task in clients:
                task.cancel()
            await asyncio.wait(clients)
            print(f"meanwhile {sum(made) / (perf_counter() - began):.0f} s of speech per second")
        finally:
            node.terminate()
            await node.wait()


asyncio.run(main())
