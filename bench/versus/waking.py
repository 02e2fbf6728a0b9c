"""Wake words: what is detected, and what it costs to listen."""

from __future__ import annotations

import asyncio
import contextlib
import re
from functools import partial
from time import perf_counter

import numpy as np

from .figures import Budget, Comparison, Measured, Outcome, in_turns
from .probe import describing
from .recordings import DATA, Recording, read
from .server import Running, Side, running
from .sides import Options, openwakeword, ours
from .wire import RATE, Pcm, connect, describe, send_live

_STEP = 1_024
_WARM = 2.0
"""Seconds at the start of the streams that CPU leaves out."""
_WORDS = {
    "mww_hey_jarvis_1": "hey jarvis",
    "oww_hey_jarvis": "hey jarvis",
    "mww_okay_nabu_1": "okay nabu",
    "oww_okay_nabu": "okay nabu",
    "oww_hey_rhasspy": "hey rhasspy",
}
"""Recordings in which a word is said; in the others none is."""
_NEWER = 5.5
"""How many times the CPU of 1.8.2 the version 2.1, which is not on PyPI, takes for 20 streams: 159 % to 29 %."""
_DESCRIBE = "describe with 20 streams (ms)"


def plain(name: str) -> str:
    """Return a wake word's name as it is spoken."""
    name = re.sub(r"_v[0-9.]+$", "", name.lower()).replace("_", " ")
    return re.sub(r"\bok\b", "okay", name)


async def offered(server: Running) -> list[str]:
    """Return the names of the server's wake words."""
    for _ in range(200):
        programs = (await describe(server.port)).get("wake") or []
        if names := [model["name"] for program in programs for model in program["models"]]:
            return names
        await asyncio.sleep(0.05)
    raise RuntimeError("no wake words are offered")


async def heard(server: Running, clip: Recording, names: list[str]) -> set[str]:
    """Return what is detected in a recording that is spoken with some silence around it."""
    found = set()
    silence = np.random.default_rng(1).normal(0, 20, RATE * 3 // 2).astype(np.int16)
    async with connect(server.port) as link:
        await link.send("detect", names=names)
        await link.send("audio-start", rate=RATE, width=2, channels=1, timestamp=0)

        async def listen() -> None:
            while (event := await link.read()).type != "not-detected":
                if event.type == "detection":
                    found.add(plain(event.data["name"]))

        listening = asyncio.create_task(listen())
        await send_live(link, np.concatenate([silence, clip.audio, silence]), _STEP)
        await link.send("audio-stop")
        with contextlib.suppress(TimeoutError, EOFError):
            await asyncio.wait_for(listening, 3)
    return found


async def stream(port: int, name: str, audio: Pcm, delay: float) -> None:
    """Listen for a word in audio without any."""
    await asyncio.sleep(delay)
    async with connect(port) as link:
        await link.send("detect", names=[name])
        await link.send("audio-start", rate=RATE, width=2, channels=1, timestamp=0)
        await send_live(link, audio, _STEP)


def noise(seconds: float) -> Pcm:
    """Return noise, loud as speech and silent in turns."""
    loudness = np.resize([1_000, 50, 2_000, 10], round(seconds)).repeat(RATE)
    return np.random.default_rng(0).normal(0, loudness).astype(np.int16)


async def measure(side: Side, options: Options) -> Measured:
    """Measure one server, anew for each number of streams."""
    found = Measured()
    async with running(side) as server:
        names = await offered(server)
        found.add("from start to the first answer to describe (ms)", server.described * 1000)
        await _matrix(server, found, names, options)
    seconds = options.pick(10, 8)
    for streams in (20,) if options.quick else (1, 5, 20):
        async with running(side) as server:
            name = next(n for n in await offered(server) if plain(n) == "okay nabu")
            await asyncio.sleep(1)
            await _streams(server, found, name, streams, seconds)
    return found


async def _matrix(server: Running, found: Measured, names: list[str], options: Options) -> None:
    paths = sorted((DATA / "media/wake").glob("*.wav"))
    if not options.quick:
        paths += (DATA / "media/noise").glob("*.wav")
    clips = [read(path) for path in paths]
    answers = await asyncio.gather(*(heard(server, clip, names) for clip in clips))
    for clip, answer in zip(clips, answers, strict=True):
        word = _WORDS.get(clip.name)
        if word:
            found.count("words detected", word in answer)
            found.count(f"“{word}” in {clip.name}", word in answer)
        wrong = answer - {word}
        found.count("recordings with a false detection", bool(wrong))
        if wrong:
            found.count(f"“{', '.join(sorted(wrong))}” in {clip.name}, wrongly", True)


async def _streams(server: Running, found: Measured, name: str, streams: int, seconds: int) -> None:
    audio = noise(seconds)
    what = f"{streams} stream{'s' if streams > 1 else ''}"
    async with describing(server.port) as asked:
        began = perf_counter()
        delays = (number * _STEP / RATE / streams for number in range(streams))
        tasks = [asyncio.create_task(stream(server.port, name, audio, delay)) for delay in delays]
        await asyncio.sleep(_WARM)
        cpu, since = server.cpu(), perf_counter()
        await asyncio.sleep(began + seconds - 0.3 - perf_counter())
        found.add(
            f"{what}: CPU (% of a core)", 100 * (server.cpu() - cpu) / (perf_counter() - since)
        )
        found.add(f"{what}: memory (MB)", server.resident())
        await asyncio.gather(*tasks)
    found.add(_DESCRIBE.replace("20 streams", what), *asked.ms)


async def waking(options: Options) -> Outcome:
    """Compare openWakeWord's words in both servers."""
    sides = [openwakeword(), ours("units", "wake=openwakeword")]
    found = await in_turns(sides, partial(measure, options=options))
    table = Comparison(
        "Wake words",
        "openWakeWord's models. Recordings are spoken with 1.5 s of silence around them and all words asked for; "
        "streams listen for one word in noise, in real time, in pieces of 64 ms.",
        found,
    )
    cpu = "20 streams: CPU (% of a core)"
    return Outcome(
        table,
        [
            Budget(
                f"CPU of 20 wake streams, of openWakeWord 2.1's ({_NEWER:g} times that of 1.8.2)",
                table.ratio(cpu, "units") / _NEWER,
                0.2,
            ),
            Budget("describe p99, wake words", found["units"].at(_DESCRIBE, 0.99), 20, "ms"),
        ],
    )
