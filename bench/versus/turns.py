"""The end of turn of the embedded recogniser, which has no rival here."""

from __future__ import annotations

import asyncio
import math
from functools import partial

from .figures import Budget, Comparison, Measured, Outcome, in_turns, percentile
from .hearing import labelled, live, recordings, transcribe
from .recordings import DATA, Recording
from .server import Running, Side, running
from .sides import Options, ours
from .wire import connect

_CLIENTS = 3
_PEOPLE = "transcript after the end of speech, spoken by people (ms)"
_SYNTHETIC = "transcript after the end of speech, spoken by a synthesiser (ms)"
_WAITS = (
    "a whole command after which nothing could follow ends after 0.25 s of silence; one that could go on (“what's the "
    "weather” … “in New York”) waits for the whole 0.5 s."
)
_MISSING = "the last word is missing"


async def measure(side: Side, options: Options) -> Measured:
    """Speak the commands of the demo home to a server."""
    people = recordings()
    synthetic = recordings("media/home/en/generated")[:: options.pick(1, 4)]
    found = Measured()
    async with running(side) as server:
        await transcribe(server, people[0])
        found.add("memory after the first request (MB)", server.resident())
        for clips, case in ((people, _PEOPLE), (synthetic, _SYNTHETIC)):
            queue = [(clip, (await transcribe(server, clip))[0]) for clip in clips]
            async with asyncio.TaskGroup() as group:
                for _ in range(_CLIENTS):
                    group.create_task(_speak(server, queue, found, case))
    return found


async def turns(options: Options) -> Outcome:
    """Measure the end of turn of the embedded recogniser."""
    side = ours("units", "stt=pocketsphinx", HOME=str(DATA / "media/home/home.yaml"))
    found = await in_turns([side], partial(measure, options=options))
    table = Comparison(
        "The end of a turn, embedded recogniser",
        f"PocketSphinx, {_CLIENTS} speakers at a time, in real time, 1.5 s of noise after the recording, default "
        "settings. Whether a word is missing is told by what the same server makes of the recording as a file.",
        found,
    )
    delays = [ms for case in (_PEOPLE, _SYNTHETIC) for ms in found["units"].samples[case]]
    cut = found["units"].counts.get(_MISSING, (math.nan, 0))[0]
    what = "end of turn, embedded recogniser, p50"
    return Outcome(
        table,
        [
            Budget(what, percentile(delays, 0.5) / 1000, 0.45, "s", why=_WAITS),
            Budget("commands without their last word", cut, 0, "of them"),
        ],
    )


async def _speak(
    server: Running, queue: list[tuple[Recording, str]], found: Measured, case: str
) -> None:
    while queue:
        clip, whole = queue.pop()
        async with connect(server.port) as link:
            text, ms, _ = await live(link, clip.then_silence(1.5))
        if labelled(clip):
            found.add(case, ms)
        if text != whole:
            print(f"    {clip.name!r}: {text!r}, from the file {whole!r}", flush=True)
        found.count("the same text as from the file", text == whole)
        if _last(whole) == _last(clip.name):  # else the recogniser misheard the end of the file too
            found.count(_MISSING, _last(text) != _last(whole))


def _last(text: str) -> str:
    return text.casefold().split()[-1] if text else ""
