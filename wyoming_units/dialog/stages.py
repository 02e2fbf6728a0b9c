"""The stages of a turn: each sends one request to a unit and returns what it answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.intent import Intent, IntentsStop, NotRecognized

from wyoming_units.dialog.wav import CHUNK_SECONDS, Wav
from wyoming_units.wire.client import Client


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A transcript."""

    text: str
    timing: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by stage, as the unit measured them."""
    rtf: float | None = None
    """Time of recognition per second of audio."""


@dataclass(frozen=True, kw_only=True)
class Understood:
    """The intents of a sentence; none when it was not understood."""

    intents: tuple[Intent, ...]
    timing: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Saying:
    """A text and how to say it; None leaves a choice to the unit."""

    text: str
    voice: str | None = None
    speaker: str | None = None
    speed: float = 1.0
    language: str | None = None
    ssml: bool = False
    """Whether the text is SSML."""

    def event(self) -> Event:
        """Return the request."""
        voice = {"name": self.voice, "speaker": self.speaker, "language": self.language}
        data: dict[str, Any] = {"text": self.text}
        if known := {key: value for key, value in voice.items() if value}:
            data["voice"] = known
        if self.ssml:
            data["text_format"] = "ssml"
        if self.speed != 1.0:
            data["context"] = {"speed": self.speed}
        return Event(type="synthesize", data=data)


async def transcribe(
    client: Client,
    wav: Wav,
    *,
    model: str | None = None,
    language: str | None = None,
    home: Mapping[str, Any] | None = None,
    realtime: bool = False,
) -> Heard:
    """Send audio, as fast as it is taken or in real time, and return the transcript."""
    context = {"home": dict(home)} if home else None
    await client.send(Transcribe(name=model, language=language, context=context))
    sending = asyncio.create_task(_send_audio(client, wav, realtime))
    try:
        while True:
            event = await client.receive()
            if Transcript.is_type(event.type):
                break
    finally:
        # The unit may have heard the end of the turn before the end of the audio.
        sending.cancel()
    transcript = Transcript.from_event(event)
    told = transcript.context or {}
    return Heard(text=transcript.text, timing=told.get("timing", {}), rtf=told.get("rtf"))


async def _send_audio(client: Client, wav: Wav, realtime: bool) -> None:
    audio_format = {"rate": wav.rate, "width": wav.width, "channels": wav.channels}
    await client.send(AudioStart(**audio_format))
    for chunk in wav.chunks():
        await client.send(AudioChunk(**audio_format, audio=chunk))
        if realtime:
            await asyncio.sleep(CHUNK_SECONDS)
    await client.send(AudioStop())


async def recognize(
    client: Client, text: str, *, language: str | None = None, home: Mapping[str, Any] | None = None
) -> Understood:
    """Send a sentence and return its intents."""
    context = {"home": dict(home)} if home else None
    await client.send(Transcript(text=text, language=language, context=context))
    intents: list[Intent] = []
    while True:
        event = await client.receive()
        if Intent.is_type(event.type):
            intents.append(Intent.from_event(event))
        elif NotRecognized.is_type(event.type) or IntentsStop.is_type(event.type):
            told = intents[0].context if intents else NotRecognized.from_event(event).context
            return Understood(intents=tuple(intents), timing=(told or {}).get("timing", {}))


async def synthesize(client: Client, wanted: Saying) -> AsyncIterator[AudioChunk]:
    """Send a text and yield its audio as it comes; a text without words yields nothing."""
    await client.send(wanted.event())
    while True:
        event = await client.receive()
        if AudioChunk.is_type(event.type):
            yield AudioChunk.from_event(event)
        elif AudioStop.is_type(event.type):
            return
