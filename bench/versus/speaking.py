"""Speech synthesis: how long the first sound takes, and all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter

from .figures import Budget, Comparison, Measured, Outcome, in_turns
from .probe import describing
from .server import Running, Side, running
from .sides import Options, cost_voice, ours, piper, real_voice
from .wire import Event, Link, connect

_ROOMS = ("kitchen", "office", "hallway", "bedroom", "cellar", "garage", "attic", "pantry")
_COLOURS = ("green", "orange", "yellow", "purple", "silver", "golden", "turquoise", "crimson")
_LONG = (
    "the {} light in the {} stays on until everybody who is still awake has left the room and nobody has "
    "moved in front of the sensor for at least another quarter of an hour."
)
_OURS = "units, piper"
_SHORT = "short sentence: first sound (ms)"
_LONG_FIRST = "one long sentence: first sound (ms)"
_FOUR = "4 clients, three sentences each: first sound (ms)"
_DESCRIBE = "describe while 4 clients listen (ms)"


class Texts:
    """Sentences of which no two are alike, nor begin alike, so that no cache has them."""

    def __init__(self) -> None:
        self._number = count()

    def _names(self) -> tuple[str, str]:
        number = next(self._number)
        return _COLOURS[number // 8 % 8], _ROOMS[number % 8]

    def short(self) -> str:
        """Return four words."""
        colour, room = self._names()
        return f"{colour.title()} {room} light on."

    def three(self) -> str:
        """Return three sentences."""
        (first, room), (second, other) = self._names(), self._names()
        return (
            f"{first.title()} {room} lights are on now. The {second} {other} is at {next(self._number)} degrees. "
            f"Do you want the {other} to be warmer than the {room}?"
        )

    def long(self) -> str:
        """Return one sentence of about thirty words, without a comma."""
        text = _LONG.format(*self._names())
        return text[0].upper() + text[1:]


@dataclass
class Spoken:
    """One answer."""

    began: float
    first: float = 0.0
    """Seconds to the first sound."""
    last: float = 0.0
    """Seconds to the end of the answer."""
    seconds: float = 0.0
    """Of audio."""
    starved: float = 0.0
    """Seconds for which somebody who plays it at once would have waited for more."""

    def take(self, event: Event) -> None:
        """Add a piece of audio."""
        now = event.arrived - self.began
        self.first = self.first or now
        self.starved = max(self.starved, now - self.first - self.seconds)
        width = event.data["width"] * event.data["channels"]
        self.seconds += len(event.payload) / width / event.data["rate"]


async def listen(link: Link, spoken: Spoken, end: str) -> Spoken:
    """Take audio until the event that ends it."""
    while (event := await link.wait_for("audio-chunk", end)).type == "audio-chunk":
        spoken.take(event)
    if event.type == "error":
        raise RuntimeError(event.data.get("text"))
    spoken.last = event.arrived - spoken.began
    return spoken


async def say(server: Running, text: str) -> Spoken:
    """Have a text spoken."""
    async with connect(server.port) as link:
        spoken = Spoken(perf_counter())
        await link.send("synthesize", text=text)
        return await asyncio.wait_for(listen(link, spoken, "audio-stop"), 120)


async def say_stream(server: Running, parts: Sequence[tuple[float, str]]) -> Spoken:
    """Have a text spoken that comes in parts, each after a pause, as Home Assistant sends a model's answer."""
    async with connect(server.port) as link:
        spoken = Spoken(perf_counter())
        await link.send("synthesize-start")
        listening = asyncio.create_task(listen(link, spoken, "synthesize-stopped"))
        for pause, part in parts:
            await asyncio.sleep(pause)
            await link.send("synthesize-chunk", text=part)
        await link.send("synthesize", text="".join(part for _, part in parts))
        await link.send("synthesize-stop")
        return await asyncio.wait_for(listening, 120)


async def measure(side: Side, options: Options) -> Measured:
    """Measure one server."""
    texts, found = Texts(), Measured()
    async with running(side) as server:
        await say(server, texts.short())
        found.add("from start to the first answer (ms)", (perf_counter() - server.began) * 1000)
        found.add("memory after the first request (MB)", server.resident())
        cpu, audio = server.cpu(), 0.0
        for name, make, times in (
            ("short sentence", texts.short, options.pick(8, 5)),
            ("three sentences", texts.three, options.pick(3, 2)),
            ("one long sentence", texts.long, options.pick(3, 2)),
        ):
            for _ in range(times):
                spoken = await say(server, make())
                found.add(f"{name}: first sound (ms)", spoken.first * 1000)
                found.add(f"{name}: all (ms)", spoken.last * 1000)
                found.add(f"{name}: length of the audio (s)", spoken.seconds)
                audio += spoken.seconds
        found.add("CPU per second of audio (ms)", (server.cpu() - cpu) / audio * 1000)
        await _streams(server, found, texts, options.pick(2, 1))
        await _clients(server, found, texts, options.pick(2, 1))
        await _cancel(server, found, texts)
        found.add("memory, highest (MB)", server.peak())
        if side.name.startswith("units"):
            await _repeated(server, found, texts)
    return found


async def _streams(server: Running, found: Measured, texts: Texts, times: int) -> None:
    for _ in range(times):
        words = texts.three().split(" ")
        size = -(-len(words) // 5)
        parts = [" ".join(words[at : at + size]) + " " for at in range(0, len(words), size)]
        steady = await say_stream(server, [(0.15, part) for part in parts])
        found.add("text in 5 parts, 0.15 s apart: first sound (ms)", steady.first * 1000)
        found.add("text in 5 parts, 0.15 s apart: all (ms)", steady.last * 1000)
        words = texts.three().split(" ")
        parts = [" ".join(words[at : at + size]) + " " for at in range(0, len(words), size)]
        pauses = (0.15, 2.0, 0.15, 0.15, 0.15)
        halting = await say_stream(server, list(zip(pauses, parts, strict=False)))
        found.add("text that halts for 2 s after part one: first sound (ms)", halting.first * 1000)
        found.add("text that halts for 2 s after part one: all (ms)", halting.last * 1000)


async def _clients(server: Running, found: Measured, texts: Texts, times: int) -> None:
    for _ in range(times):
        began = perf_counter()
        async with describing(server.port) as asked:
            answers = await asyncio.gather(*(say(server, texts.three()) for _ in range(4)))
        found.add(_FOUR, *(spoken.first * 1000 for spoken in answers))
        found.add("4 clients, three sentences each: all (ms)", (perf_counter() - began) * 1000)
        found.add(_DESCRIBE, *asked.ms)


async def _cancel(server: Running, found: Measured, texts: Texts) -> None:
    async with connect(server.port) as link:
        await link.send("synthesize", text=" ".join(texts.long() for _ in range(6)))
        await link.wait_for("audio-chunk")
    cpu = server.cpu()
    await asyncio.sleep(3)
    found.add(
        "client leaves at the first of six long sentences: CPU after it (ms)",
        (server.cpu() - cpu) * 1000,
    )


async def _repeated(server: Running, found: Measured, texts: Texts) -> None:
    text = texts.short()
    for number in range(5):
        spoken = await say(server, text)
        if number:
            found.add("the same short sentence again: first sound (ms)", spoken.first * 1000)


async def _compare(title: str, about: str, voice: Path, options: Options) -> Comparison:
    sides = [piper(voice), ours(_OURS, f"tts=piper:{voice}")]
    if not options.quick:
        sides.append(ours("units, sherpa-tts", f"tts=sherpa-tts:{voice}"))
    found = await in_turns(sides, partial(measure, options=options))
    return Comparison(title, about, found)


async def costly(options: Options) -> Outcome:
    """Compare with a voice that is costly."""
    about = "A Piper voice with synthetic weights, three times as costly as the real one below. No text is said twice."
    table = await _compare("Speech synthesis, a costly voice", about, cost_voice(), options)
    return Outcome(table, _budgets(table, "costly voice"))


async def real(options: Options) -> Outcome:
    """Compare with a voice that people listen to."""
    about = "The Piper voice en_US-amy-sano, small and fast."
    table = await _compare("Speech synthesis, a real voice", about, real_voice(), options)
    return Outcome(table, _budgets(table, "real voice"))


def _budgets(table: Comparison, voice: str) -> list[Budget]:
    """Judge the engine that the node takes for a Piper voice by itself."""
    return [
        Budget(
            f"first sound, short sentence, {voice}",
            table.ratio(_SHORT, _OURS),
            0.6,
            why="four words are one piece, and its time is that of the network, which is the same on both sides.",
        ),
        Budget(f"first sound, one long sentence, {voice}", table.ratio(_LONG_FIRST, _OURS), 0.15),
        Budget(f"first sound, 4 clients, {voice}", table.ratio(_FOUR, _OURS), 0.25),
        Budget(f"describe p99, {voice}", table.sides[_OURS].at(_DESCRIBE, 0.99), 20, "ms"),
    ]
