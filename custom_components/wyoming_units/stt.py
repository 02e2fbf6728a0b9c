"""Speech-to-text units as entities."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, override

from homeassistant.components import stt
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from wyoming.asr import Transcribe, Transcript, VadSensitivity
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.info import AsrProgram

from .client import NodeConnection, NodeError, parse
from .const import (
    CONF_END_OF_TURN,
    CONF_SILENCE,
    END_OF_TURN_HOME_ASSISTANT,
    END_OF_TURN_UNIT,
    LOGGER,
    SAMPLE_CHANNELS,
    SAMPLE_RATE,
    SAMPLE_WIDTH,
)
from .coordinator import WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit, spoken_languages
from .home import async_get_home
from .speaker import async_area_of_utterance

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the speech-to-text unit of a node."""
    async_add_unit(entry, async_add_entities, UnitSpeechToText, "stt")


class UnitSpeechToText(UnitEntity[AsrProgram], stt.SpeechToTextEntity):
    """Sends speech to a unit as it comes, and returns as soon as the unit has the text."""

    _languages: list[str]
    _audio_processing: stt.SpeechAudioProcessing

    @callback
    @override
    def _refresh(self, program: AsrProgram) -> None:
        self._languages = spoken_languages(program.models)
        self._audio_processing = stt.SpeechAudioProcessing(
            requires_external_vad=program.requires_external_vad,
            prefers_auto_gain_enabled=program.prefers_auto_gain_enabled,
            prefers_noise_reduction_enabled=program.prefers_noise_reduction_enabled,
        )

    @property
    @override
    def supported_languages(self) -> list[str]:
        """Return the languages of the unit's models."""
        return self._languages

    @property
    @override
    def supported_formats(self) -> list[stt.AudioFormats]:
        """Return the containers that the pipeline may send."""
        return [stt.AudioFormats.WAV]

    @property
    @override
    def supported_codecs(self) -> list[stt.AudioCodecs]:
        """Return the codecs that the pipeline may send."""
        return [stt.AudioCodecs.PCM]

    @property
    @override
    def supported_bit_rates(self) -> list[stt.AudioBitRates]:
        """Return the sample widths that the pipeline may send."""
        return [stt.AudioBitRates.BITRATE_16]

    @property
    @override
    def supported_sample_rates(self) -> list[stt.AudioSampleRates]:
        """Return the sample rates that the pipeline may send."""
        return [stt.AudioSampleRates.SAMPLERATE_16000]

    @property
    @override
    def supported_channels(self) -> list[stt.AudioChannels]:
        """Return the channel counts that the pipeline may send."""
        return [stt.AudioChannels.CHANNEL_MONO]

    @property
    @override
    def audio_processing(self) -> stt.SpeechAudioProcessing:
        """Return whether the unit finds the end of speech itself, and how it likes its audio."""
        if self._ends_in_home_assistant:
            return replace(self._audio_processing, requires_external_vad=True)
        return self._audio_processing

    @property
    def _ends_in_home_assistant(self) -> bool:
        return self._option(CONF_END_OF_TURN, END_OF_TURN_UNIT) == END_OF_TURN_HOME_ASSISTANT

    def _option(self, key: str, default: str) -> str:
        value: str = self.coordinator.config_entry.options.get(key, default)
        return value

    @override
    async def async_process_audio_stream(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> stt.SpeechResult:
        """Return the text of an utterance; a node's failure is an error result."""
        area = async_area_of_utterance(self.hass, self.entity_id)
        home = await async_get_home(self.hass, metadata.language, area)
        try:
            async with self._connect() as connection:
                await connection.send(self._request(metadata.language, home))
                transcript = await _transcribe(connection, stream)
        except NodeError as err:
            LOGGER.warning("Speech-to-text of %s failed: %s", self.coordinator.name, err)
            return stt.SpeechResult(None, stt.SpeechResultState.ERROR)
        self._answered(transcript.context)
        return stt.SpeechResult(transcript.text, stt.SpeechResultState.SUCCESS)

    def _request(self, language: str, home: dict[str, Any]) -> Transcribe:
        """Return what comes before the audio: language, home, and who ends the turn, and when."""
        if self._ends_in_home_assistant:
            return Transcribe(language=language, context={"home": home, "end_of_turn": "client"})
        silence = VadSensitivity(self._option(CONF_SILENCE, VadSensitivity.DEFAULT.value))
        return Transcribe(language=language, context={"home": home}, vad_sensitivity=silence)


async def _transcribe(connection: NodeConnection, stream: AsyncIterable[bytes]) -> Transcript:
    upload = asyncio.create_task(_upload(connection, stream))
    async with aclosing(connection.answers(upload)) as answers:
        while not Transcript.is_type((event := await anext(answers)).type):
            pass
        return parse(Transcript, event)


async def _upload(connection: NodeConnection, stream: AsyncIterable[bytes]) -> None:
    sound = {"rate": SAMPLE_RATE, "width": SAMPLE_WIDTH, "channels": SAMPLE_CHANNELS}
    try:
        await connection.send(AudioStart(**sound))
        async for audio in stream:
            await connection.send(AudioChunk(audio=audio, **sound))
        await connection.send(AudioStop())
    finally:
        if isinstance(stream, AsyncGenerator):  # the microphone must not wait to be collected
            await stream.aclose()
