"""Text-to-speech units as entities."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, override

from homeassistant.components import tts
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import language as language_util
from wyoming.audio import AudioChunk, AudioStop
from wyoming.info import TtsProgram
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from .client import NodeConnection, parse
from .coordinator import WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit, spoken_languages

PARALLEL_UPDATES = 0

UNKNOWN_SIZE = 0xFFFFFFFF


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the text-to-speech unit of a node."""
    async_add_unit(entry, async_add_entities, UnitTextToSpeech, "tts")


class UnitTextToSpeech(UnitEntity[TtsProgram], tts.TextToSpeechEntity):
    """Speaks text while it is still being written."""

    # Empty and not None: Home Assistant does not speak with an entity that has no name.
    _attr_name = ""
    _voices: dict[str, list[tts.Voice]]
    _streams_text: bool

    @callback
    @override
    def _refresh(self, program: TtsProgram) -> None:
        self._streams_text = program.supports_synthesize_streaming
        languages = spoken_languages(program.voices)
        self._voices = {
            language: [
                tts.Voice(voice_id=voice.name, name=voice.description or voice.name)
                for voice in program.voices
                if voice.installed and language in voice.languages
            ]
            for language in languages
        }
        config = self.coordinator.hass.config
        fitting = language_util.matches(config.language, languages, country=config.country)
        self._attr_supported_options = [tts.ATTR_VOICE]
        self._attr_supported_languages = languages
        self._attr_default_language = (fitting or languages or [config.language])[0]

    @callback
    @override
    def async_get_supported_voices(self, language: str) -> list[tts.Voice] | None:
        """Return the voices for a language."""
        return self._voices.get(language)

    @override
    def async_supports_streaming_input(self) -> bool:
        """Return whether the unit begins to speak before it has the whole text."""
        return self._streams_text

    @override
    async def async_stream_tts_audio(self, request: tts.TTSAudioRequest) -> tts.TTSAudioResponse:
        """Return the speech for text that is still being written, as a WAV without an end."""
        return tts.TTSAudioResponse("wav", self._wav_stream(request))

    async def _wav_stream(self, request: tts.TTSAudioRequest) -> AsyncGenerator[bytes]:
        header_sent = False
        voice = _voice(request.language, request.options)
        async with self._connect() as connection:
            upload = _send_stream(connection, request.message_gen, voice)
            async with aclosing(self._audio(connection, upload, SynthesizeStopped)) as chunks:
                async for chunk in chunks:
                    if not header_sent:
                        header_sent = True
                        yield _wav_header(chunk, UNKNOWN_SIZE)
                    yield chunk.audio

    @override
    async def async_get_tts_audio(
        self, message: str, language: str, options: dict[str, Any]
    ) -> tts.TtsAudioType:
        """Return the speech for a whole text as a WAV file."""
        voice = _voice(language, options)
        async with self._connect() as connection:
            upload = connection.send(Synthesize(text=message, voice=voice))
            async with aclosing(self._audio(connection, upload, AudioStop)) as stream:
                chunks = [chunk async for chunk in stream]
        if not chunks:
            return None, None
        audio = b"".join(chunk.audio for chunk in chunks)
        return "wav", _wav_header(chunks[0], len(audio)) + audio

    async def _audio(
        self,
        connection: NodeConnection,
        upload: Coroutine[Any, Any, None],
        end: type[AudioStop | SynthesizeStopped],
    ) -> AsyncGenerator[AudioChunk]:
        """Yield the audio of one request up to its `end` event; all chunks have one format."""
        async with aclosing(connection.answers(asyncio.create_task(upload))) as answers:
            while True:
                event = await anext(answers)
                if AudioChunk.is_type(event.type):
                    yield parse(AudioChunk, event)
                elif AudioStop.is_type(event.type):
                    self._answered(event.data.get("context"))
                if end.is_type(event.type):
                    return


def _voice(language: str, options: dict[str, Any]) -> SynthesizeVoice:
    """Return the voice that was asked for, or else leave it to the unit to find one."""
    if name := options.get(tts.ATTR_VOICE):
        return SynthesizeVoice(name=name)
    return SynthesizeVoice(language=language)


async def _send_stream(
    connection: NodeConnection, message: AsyncGenerator[str], voice: SynthesizeVoice
) -> None:
    text = ""
    await connection.send(SynthesizeStart(voice=voice))
    async for part in message:
        text += part
        await connection.send(SynthesizeChunk(text=part))
    # For units that cannot stream; all others ignore it between start and stop.
    await connection.send(Synthesize(text=text, voice=voice))
    await connection.send(SynthesizeStop())


def _wav_header(sound: AudioChunk, size: int) -> bytes:
    """Return the 44 bytes in front of `size` bytes of PCM; readers take the largest for endless."""
    frame = sound.width * sound.channels
    return struct.pack(
        "<4sI4s 4sIHHIIHH 4sI",
        b"RIFF",
        size if size == UNKNOWN_SIZE else size + 36,
        b"WAVE",
        b"fmt ",
        16,
        1,  # PCM
        sound.channels,
        sound.rate,
        sound.rate * frame,
        frame,
        sound.width * 8,
        b"data",
        size,
    )
