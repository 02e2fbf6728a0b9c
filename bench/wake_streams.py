"""Measures 1, 5 and 20 wake word streams in real time, beside the servers of microWakeWord and openWakeWord.

    .venv/bin/python bench/wake_streams.py --microwakeword PYTHON --openwakeword PYTHON

A PYTHON is that of an environment into which a checkout of rhasspy/wyoming-microwakeword or of
rhasspy/wyoming-openwakeword was installed (2.1 of both is on GitHub only). Every server is a process of its own,
started anew for each number of streams, ours and theirs in turns; every stream listens for "okay nabu" in 64 ms
pieces. CPU is the time that the process took (user and system) up to its last answer, as a share of one core for the
length of the audio: after the first two seconds, and from the first connection on. Memory is resident, with the
streams. A server that is behind by more than some 0.1 s does not keep up. The last columns are shares of the rival's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.wake import Detect

from wyoming_units.errors import UnitError
from wyoming_units.wire.client import Client
from wyoming_units.wire.frames import encode

RATE = 16_000
STEP = 1_024
WORD = "okay_nabu"
ENGINES = ("microwakeword", "openwakeword")
WARM = 2.0
"""Seconds at the start of the streams that the steady share leaves out."""


@dataclass(frozen=True)
class Rival:
    """A server under test."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """One measurement."""

    steady: float
    """CPU in % of a core after the first seconds."""
    whole: float
    """CPU in % of a core, connecting included."""
    behind: float
    """Seconds from the end of the audio to the last answer."""
    memory: float
    """Resident MB with the streams."""
    per_stream: float
    """MB more than before the first stream, per stream."""


def ours(engine: str, folder: str) -> Rival:
    """Return our node with one wake engine."""
    serve = ("serve", "--host", "127.0.0.1", "--port", "{port}", "--advertise", "none")
    unit = ("--unit", f"wake={engine}", "--data-dir", folder, "--log-level", "warning")
    return Rival(f"units {engine}", (sys.executable, "-m", "wyoming_units", *serve, *unit))


def theirs(engine: str, python: str) -> Rival:
    """Return a rival's server as installed beside its interpreter."""
    module = f"wyoming_{engine}"
    return Rival(module, (python, "-m", module, "--uri", "tcp://127.0.0.1:{port}"))


@contextlib.asynccontextmanager
async def running(rival: Rival) -> AsyncIterator[tuple[int, int]]:
    """Run a server; gives its process id and its port once it knows the word."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(part.format(port=port) for part in rival.command),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await wait_for_word(port)
        yield process.pid, port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def wait_for_word(port: int) -> None:
    """Wait until a server offers the word, then a second more for it to come to rest."""
    for _ in range(100):
        with contextlib.suppress(UnitError):
            async with Client(f"tcp://127.0.0.1:{port}") as client:
                if WORD in str(await client.info()):
                    await asyncio.sleep(1)
                    return
        await asyncio.sleep(0.1)
    raise RuntimeError("the server does not come up")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process used, with the resolution of the kernel's own clock."""
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def stream(port: int, chunks: list[bytes], delay: float, seconds: float) -> None:
    """Send audio at the pace of a microphone."""
    await asyncio.sleep(delay)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(encode(Detect(names=[WORD]).event()))
    writer.write(encode(AudioStart(rate=RATE, width=2, channels=1, timestamp=0).event()))
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(int(seconds * RATE / STEP)):
        await asyncio.sleep(began + number * STEP / RATE - loop.time())
        writer.write(chunks[number % len(chunks)])
        await writer.drain()
    writer.write(encode(AudioStop().event()))
    await asyncio.wait_for(reader.readuntil(b"not-detected"), 60)
    writer.close()


def audio() -> list[bytes]:
    """Return 4 s of noise, loud as speech and silent in turns, as encoded events."""
    loudness = np.repeat([1_000, 50, 2_000, 10], RATE)
    samples = np.random.default_rng(0).normal(0, loudness).astype("<i2")
    whole = len(samples) // STEP
    return [
        encode(chunk(number, piece))
        for number, piece in enumerate(np.split(samples[: whole * STEP], whole))
    ]


def chunk(number: int, samples: np.ndarray) -> Event:
    """Return one piece as an event."""
    timestamp = number * STEP * 1000 // RATE
    payload = samples.tobytes()
    return AudioChunk(rate=RATE, width=2, channels=1, audio=payload, timestamp=timestamp).event()


async def measure(rival: Rival, streams: int, seconds: float) -> Result:
    """Run a server with so many streams."""
    chunks = audio()
    async with running(rival) as (pid, port):
        idle, cpu, began = resident(pid), cpu_seconds(pid), time.perf_counter()
        tasks = [
            asyncio.create_task(stream(port, chunks, k * STEP / RATE / streams, seconds))
            for k in range(streams)
        ]
        await asyncio.sleep(WARM)
        warm_cpu = cpu_seconds(pid)
        await asyncio.sleep(seconds - WARM - 0.2)
        memory = resident(pid)
        await asyncio.gather(*tasks)
        end_cpu, end = cpu_seconds(pid), time.perf_counter()
    return Result(
        steady=100 * (end_cpu - warm_cpu) / (seconds - WARM),
        whole=100 * (end_cpu - cpu) / seconds,
        behind=end - began - seconds,
        memory=memory,
        per_stream=(memory - idle) / streams,
    )


async def main() -> None:
    """Measure all, in turns, and print the medians of each pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for engine in ENGINES:
        parser.add_argument(f"--{engine}", metavar="PYTHON")
    parser.add_argument("--seconds", type=float, default=20, help="length of a stream")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 5, 20])
    options = parser.parse_args()
    print(
        f"{'server':22}{'streams':>8}{'CPU %':>9}{'from start':>12}{'behind s':>10}{'MB':>7}"
        f"{'MB/stream':>11}{'CPU':>8}{'from start':>12}{'MB':>7}"
    )
    with TemporaryDirectory() as folder:
        for engine in ENGINES:
            python = getattr(options, engine)
            pair = [ours(engine, folder), *([theirs(engine, python)] if python else [])]
            for streams in options.streams:
                results: dict[str, list[Result]] = {rival.name: [] for rival in pair}
                for _ in range(options.rounds):
                    for rival in pair:
                        results[rival.name].append(await measure(rival, streams, options.seconds))
                show(results, streams)


def show(results: dict[str, list[Result]], streams: int) -> None:
    """Print the medians of each server, and the first's as a share of the last's."""
    rows = {
        name: Result(
            *(
                median(getattr(result, field.name) for result in measured)
                for field in fields(Result)
            )
        )
        for name, measured in results.items()
    }
    last = list(rows.values())[-1]
    for name, row in rows.items():
        print(
            f"{name:22}{streams:8}{row.steady:9.2f}{row.whole:12.2f}{row.behind:10.2f}{row.memory:7.0f}"
            f"{row.per_stream:11.2f}{row.steady / last.steady:8.2f}{row.whole / last.whole:12.2f}"
            f"{row.memory / last.memory:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
