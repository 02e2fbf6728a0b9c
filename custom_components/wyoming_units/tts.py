"""Text-to-speech units as entities."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, override

import probatio
from homeassistant.components import tts
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
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

from .choices import Voice, chosen, fits, voices_of
from .client import NodeConnection, parse
from .const import CONF_SPEED, DOMAIN, SPEEDS
from .coordinator import WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit, spoken_languages
from .speaker import async_turn_is_over
from .voice_of_turn import ATTR_PERSONA_VOICE, async_voice_of_turn

PARALLEL_UPDATES = 0

UNKNOWN_SIZE = 0xFFFFFFFF
LOOK = 0.5
"""Seconds without text after which to look whether more can come."""

ATTR_SPEED = "speed"
ATTR_USUAL_VOICE = "usual_voice"
"""The option with the voice that speaks where none is asked for."""
_OWN_VOICES = (ATTR_PERSONA_VOICE, ATTR_USUAL_VOICE)
SPEED = probatio.All(probatio.Coerce(float), probatio.Range(*SPEEDS))


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
    _voices: dict[str, Voice]
    _streams_text: bool

    @callback
    @override
    def _refresh(self, program: TtsProgram) -> None:
        self._streams_text = program.supports_synthesize_streaming
        languages = spoken_languages(program.voices)
        self._voices = {voice.id: voice for voice in voices_of(program)}
        config = self.coordinator.hass.config
        fitting = language_util.matches(config.language, languages, country=config.country)
        self._attr_supported_options = [tts.ATTR_VOICE, ATTR_SPEED, ATTR_PERSONA_VOICE]
        # Also what Home Assistant keeps speech by: other choices make other speech.
        choices = {
            ATTR_USUAL_VOICE: chosen(self._choice, self._unit, program),
            ATTR_SPEED: self._choice.get(CONF_SPEED),
        }
        self._attr_default_options = {key: value for key, value in choices.items() if value}
        self._attr_supported_languages = languages
        self._attr_default_language = (fitting or languages or [config.language])[0]

    @property
    @override
    def default_options(self) -> Mapping[str, Any]:
        """Return what speech is made and kept by; in a turn of a persona also its voice."""
        options = self._attr_default_options or {}
        if (voice := async_voice_of_turn(self.coordinator.hass)) not in self._voices:
            return options
        return {**options, ATTR_PERSONA_VOICE: voice}

    @callback
    @override
    def async_get_supported_voices(self, language: str) -> list[tts.Voice] | None:
        """Return the voices for a language."""
        return [
            tts.Voice(voice_id=voice.id, name=voice.title)
            for voice in self._voices.values()
            if language in voice.languages
        ] or None

    @override
    def async_supports_streaming_input(self) -> bool:
        """Return whether the unit begins to speak before it has the whole text."""
        return self._streams_text

    @override
    async def async_stream_tts_audio(self, request: tts.TTSAudioRequest) -> tts.TTSAudioResponse:
        """Return the speech for text that is still being written, as a WAV without an end."""
        start = SynthesizeStart(
            voice=self._voice(request.language, request.options), context=_context(request.options)
        )
        return tts.TTSAudioResponse("wav", self._wav_stream(start, request.message_gen))

    async def _wav_stream(
        self, start: SynthesizeStart, message: AsyncGenerator[str]
    ) -> AsyncGenerator[bytes]:
        header_sent = False
        async with self._connect() as connection:
            upload = _send_stream(connection, start, _whole(message, async_turn_is_over(self.hass)))
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
        voice = self._voice(language, options)
        request = Synthesize(text=message, voice=voice, context=_context(options))
        async with self._connect() as connection:
            upload = connection.send(request)
            async with aclosing(self._audio(connection, upload, AudioStop)) as stream:
                chunks = [chunk async for chunk in stream]
        if not chunks:
            return None, None
        audio = b"".join(chunk.audio for chunk in chunks)
        return "wav", _wav_header(chunks[0], len(audio)) + audio

    def _voice(self, language: str, options: dict[str, Any]) -> SynthesizeVoice:
        """Return the persona's voice, that which was asked for or the usual one; else any may speak."""
        persona, usual = (self._fitting(options.get(key), language) for key in _OWN_VOICES)
        name = persona or options.get(tts.ATTR_VOICE) or usual
        if (voice := self._voices.get(name or "")) is None:
            return _SpokenVoice(name=name, language=language)  # the unit tells of an unknown one
        return _SpokenVoice(name=voice.name, language=language, speaker=voice.speaker)

    def _fitting(self, name: str | None, language: str) -> str | None:
        """Return a voice that nobody chose for this text, None where it does not speak the language."""
        voice = self._voices.get(name or "")
        return voice.id if voice and fits(voice.languages, language) else None

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


class _SpokenVoice(SynthesizeVoice):
    """A voice that speaks a language; the library would leave that out beside the name."""

    @override
    def to_dict(self) -> dict[str, str]:
        return {key: value for key, value in vars(self).items() if value is not None}


def _context(options: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a request says besides text and voice."""
    if (speed := options.get(ATTR_SPEED)) is None:
        return None
    try:
        return {"speed": SPEED(speed)}
    except probatio.Invalid as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="bad_speed",
            translation_placeholders={"speed": str(speed)},
        ) from err


async def _whole(message: AsyncGenerator[str], over: Callable[[], bool]) -> AsyncGenerator[str]:
    """Yield a text up to its end, or to that of its turn: Home Assistant does not end texts that are cut off."""
    while True:
        part = asyncio.ensure_future(anext(message, None))
        try:
            while not (await asyncio.wait({part}, timeout=LOOK))[0]:
                if over():
                    return
        finally:
            part.cancel()
        if (text := part.result()) is None:
            return
        yield text


async def _send_stream(
    connection: NodeConnection, start: SynthesizeStart, message: AsyncGenerator[str]
) -> None:
    text = ""
    await connection.send(start)
    async for part in message:
        text += part
        await connection.send(SynthesizeChunk(text=part))
    # For units that cannot stream; all others ignore it between start and stop.
    await connection.send(Synthesize(text=text, voice=start.voice, context=start.context))
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
