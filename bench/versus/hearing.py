"""Speech recognition: how long a transcript takes after the last sound."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from time import perf_counter

from .figures import Budget, Comparison, Measured, Outcome, in_turns
from .probe import describing
from .recordings import DATA, Recording, read
from .server import Running, Side, running
from .sides import SENTENCE, Options, faster_whisper, ours, whisper_folder
from .wire import Link, connect, pieces, send_live, send_piece

TRAILING = 0.7
"""Seconds of silence after which Home Assistant ends the audio where the server does not."""
_EDGE = 0.1
"""Seconds; a recording whose label is nearer to its end than this has no reliable one."""
_ENDPOINTS = ((0.3, 0.35), (0.5, 0.5), (0.7, 0.7))
"""The rival's seconds of silence, and ours."""
_LAG = (
    "the voice detector hears the voice some 30 ms longer than the label does, and pieces of audio and frames "
    "of the detector are 32 ms long each; the transcript itself is ready before the turn ends."
)
_FIRST = "from start to the first transcript (ms)"
_FOUR = "transcript after audio-stop, 4 clients (ms)"
_DESCRIBE = "describe while 4 clients speak (ms)"


def recordings(folder: str = "media/home/en") -> list[Recording]:
    """Return the recordings of a folder."""
    return [read(path) for path in sorted((DATA / folder).glob("*.wav"))]


def labelled(clip: Recording) -> bool:
    """Return whether the end of speech can be told."""
    return clip.ends < len(clip.audio) / 16_000 - _EDGE


async def begin(link: Link) -> None:
    """Ask for a transcript, as Home Assistant does."""
    await link.send("transcribe", language="en")
    await link.send("audio-start", rate=16_000, width=2, channels=1)


async def burst(link: Link, clip: Recording) -> tuple[str, float]:
    """Send a recording at once; return its transcript and the ms from `audio-stop` to it."""
    await begin(link)
    for payload in pieces(clip.audio, 1024):
        await send_piece(link, payload)
    await link.send("audio-stop")
    stopped = perf_counter()
    event = await link.wait_for("transcript")
    return str(event.data.get("text")).strip(), (event.arrived - stopped) * 1000


async def live(link: Link, clip: Recording) -> tuple[str, float, float]:
    """Speak; return the transcript, and the ms from the end of speech and from `audio-stop` to it."""
    await begin(link)
    began = perf_counter()
    answer = asyncio.create_task(link.wait_for("transcript"))
    speaking = asyncio.create_task(send_live(link, clip.audio))
    with contextlib.suppress(ConnectionError):
        await asyncio.wait({answer, speaking}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            speaking.cancel()
        else:
            await link.send("audio-stop")
    event = await asyncio.wait_for(answer, 30)
    done = began + len(clip.audio) / 16_000
    text = str(event.data.get("text", "")).strip()
    return text, (event.arrived - began - clip.ends) * 1000, (event.arrived - done) * 1000


async def transcribe(server: Running, clip: Recording) -> tuple[str, float]:
    """Send a recording at once on a connection of its own."""
    async with connect(server.port) as link:
        return await asyncio.wait_for(burst(link, clip), 60)


async def measure(side: Side, options: Options) -> Measured:
    """Measure one server."""
    clips = [clip for clip in recordings() if labelled(clip) and len(clip.audio) < 48_000]
    found = Measured()
    async with running(side) as server:
        text, _ = await transcribe(server, clips[0])
        found.add("from start to the first answer to describe (ms)", server.described * 1000)
        found.add(_FIRST, (perf_counter() - server.began) * 1000)
        found.count("the right text", text == SENTENCE)
        found.add("memory after the first request (MB)", server.resident())
        await _one_by_one(server, found, clips, options.pick(12, 6))
        await _as_home_assistant(server, found, clips[: options.pick(4, 2)])
        for clients in (2, 4) if options.quick else (2, 4, 8):
            await _together(server, found, clips, clients, options.pick(4, 2))
        await _describe(server, found, clips, options.pick(6, 3))
        await _corner_cases(server, found, clips[0])
        found.add("memory, highest (MB)", server.peak())
    return found


async def _one_by_one(server: Running, found: Measured, clips: list[Recording], times: int) -> None:
    cpu = server.cpu()
    for number in range(times):
        text, ms = await transcribe(server, clips[number % len(clips)])
        found.add("transcript after audio-stop, 1 client (ms)", ms)
        found.count("the right text", text == SENTENCE)
    found.add("CPU per request (ms)", (server.cpu() - cpu) / times * 1000)


async def _as_home_assistant(server: Running, found: Measured, clips: list[Recording]) -> None:
    for clip in clips:
        spoken = clip.then_silence(TRAILING)
        # Home Assistant hears the silence itself: the audio ends that long after the speech
        cut = Recording(
            clip.name, spoken.audio[: round((spoken.ends + TRAILING) * 16_000)], spoken.ends
        )
        async with connect(server.port) as link:
            text, after_speech, _ = await live(link, cut)
        found.add("transcript after the end of speech, audio ends after 0.7 s (ms)", after_speech)
        found.count("the right text", text == SENTENCE)


async def _together(
    server: Running, found: Measured, clips: list[Recording], clients: int, times: int
) -> None:
    for number in range(times):
        picked = [clips[(number + client) % len(clips)] for client in range(clients)]
        answers = await asyncio.gather(*(transcribe(server, clip) for clip in picked))
        case = f"transcript after audio-stop, {clients} clients (ms)"
        found.add(case, *(ms for _, ms in answers))
        found.count("the right text", *(text == SENTENCE for text, _ in answers))


async def _describe(
    server: Running, found: Measured, clips: list[Recording], seconds: float
) -> None:
    end = perf_counter() + seconds

    async def client(clip: Recording) -> None:
        while perf_counter() < end:
            await transcribe(server, clip)

    async with describing(server.port) as asked:
        await asyncio.gather(*(client(clip) for clip in clips[:4]))
    found.add(_DESCRIBE, *asked.ms)


async def _corner_cases(server: Running, found: Measured, clip: Recording) -> None:
    async with connect(server.port) as link:
        await begin(link)
        began = perf_counter()
        await link.send("audio-stop")
        with contextlib.suppress(EOFError, ConnectionError, TimeoutError):
            await asyncio.wait_for(link.wait_for("transcript"), 10)
            found.add("answer to no audio at all (ms)", (perf_counter() - began) * 1000)
    answered = 0
    async with connect(server.port) as link:
        with contextlib.suppress(EOFError, ConnectionError, TimeoutError):
            for _ in range(5):
                answered += (await asyncio.wait_for(burst(link, clip), 10))[0] == SENTENCE
    found.count("five requests on one connection, answered", *(n < answered for n in range(5)))


async def requests(options: Options) -> Outcome:
    """Compare requests whose end the client decides."""
    unit = f"stt=faster-whisper:{whisper_folder()}"
    sides = [faster_whisper(), ours("units", unit)]
    found = await in_turns(sides, partial(measure, options=options))
    table = Comparison(
        "Speech recognition",
        "One Whisper model of the size tiny (synthetic weights: the full cost, one fixed sentence), 8 bit, beam 5, two "
        "threads; commands spoken by people. Ours ends a turn itself after 0.5 s of silence.",
        found,
    )
    return Outcome(
        table,
        [
            Budget("transcript after audio-stop, 4 clients", table.ratio(_FOUR, "units"), 0.6),
            Budget(
                "describe p99, speech recognition", found["units"].at(_DESCRIBE, 0.99), 20, "ms"
            ),
        ],
    )


async def measure_endpoint(side: Side, options: Options, case: str) -> Measured:
    """Measure how long after speech a server that decides the end of the turn answers."""
    clips = [clip for clip in recordings() if labelled(clip)][: options.pick(5, 3)]
    found = Measured()
    async with running(side) as server:
        await transcribe(server, clips[0])
        for clip in clips:
            async with connect(server.port) as link:
                text, ms, _ = await live(link, clip.then_silence(2.5))
            found.add(case, ms)
            found.count("the right text", text == SENTENCE)
    return found


async def endpoints(options: Options) -> Outcome:
    """Compare turns whose end the server decides."""
    found = {"wyoming-faster-whisper": Measured(), "units": Measured()}
    unit = f"stt=faster-whisper:{whisper_folder()}"
    for theirs, our in _ENDPOINTS[: options.pick(len(_ENDPOINTS), 1)]:
        case = f"{theirs:g} s of silence, ours {our:g} s: transcript after the end of speech (ms)"
        rival = faster_whisper("--vad-endpointing", str(theirs))
        sides = [rival, ours("units", unit, TURN__SILENCE=str(our))]
        measured = await in_turns(sides, partial(measure_endpoint, options=options, case=case))
        for name, more in measured.items():
            found[name].join(more)
    table = Comparison(
        "The end of a turn, decided by the server",
        "The same model. Audio in real time with 2.5 s of noise after it, from recordings whose end of speech was "
        "labelled by energy.",
        found,
    )
    first = next(iter(table.cases()), "")
    value = found["units"].at(first) / 1000
    what = "transcript after the end of speech at 0.35 s of silence"
    return Outcome(table, [Budget(what, value, 0.40, "s", why=_LAG)])
