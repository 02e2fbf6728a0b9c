"""Speech-to-text units as entities."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, override

from homeassistant.components import stt
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, VadSensitivity
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.info import AsrProgram

from .caption import caption_signal
from .choices import chosen, fits
from .client import NodeConnection, NodeError, parse
from .const import (
    CONF_END_OF_TURN,
    CONF_SILENCE,
    CONF_TURN,
    END_OF_TURN_HOME_ASSISTANT,
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

type Heard = tuple[str, str | None] | stt.SpeechResult
"""The text so far with its speaker, where one is known, or how the turn ended."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the speech-to-text unit of a node."""
    async_add_unit(entry, async_add_entities, UnitSpeechToText, "stt")


class UnitSpeechToText(UnitEntity[AsrProgram], stt.SpeechToTextEntity):
    """Sends speech to a unit as it comes, and returns as soon as the unit has the text."""

    _program: AsrProgram
    _languages: list[str]
    _audio_processing: stt.SpeechAudioProcessing

    @callback
    @override
    def _refresh(self, program: AsrProgram) -> None:
        self._program = program
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
        return self._choice.get(CONF_END_OF_TURN) == END_OF_TURN_HOME_ASSISTANT

    @override
    async def async_process_audio_stream(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> stt.SpeechResult:
        """Return the text of an utterance; a node's failure is an error result."""
        async with aclosing(self._hear(metadata, stream)) as heard:
            while not isinstance(each := await anext(heard), stt.SpeechResult):
                pass
        return each

    # Called since Home Assistant 2026.11; PartialSpeechResult does not exist before.
    @override
    async def async_process_audio_stream_with_progress(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> AsyncGenerator[stt.PartialSpeechResult | stt.SpeechResult]:
        """Yield the text of an utterance whenever there is more of it, and then the result."""
        async with aclosing(self._hear(metadata, stream)) as heard:
            async for each in heard:
                if isinstance(each, stt.SpeechResult):
                    yield each
                else:
                    yield stt.PartialSpeechResult(*each)

    async def _hear(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> AsyncGenerator[Heard]:
        """Yield what is heard, which is also shown as caption."""
        area = async_area_of_utterance(self.hass, self.entity_id)
        home = await async_get_home(self.hass, metadata.language, area)
        result = stt.SpeechResult(None, stt.SpeechResultState.ERROR)
        try:
            async with self._connect() as connection:
                await connection.send(self._request(metadata.language, home))
                async with aclosing(_transcribe(connection, stream)) as texts:
                    async for each in texts:
                        if isinstance(each, Transcript):
                            self._answered(each.context)
                            result = stt.SpeechResult(each.text, stt.SpeechResultState.SUCCESS)
                        text, speaker = _spoken(each)
                        self._show(text, speaker)
                        if speaker or not isinstance(each, Transcript):
                            yield text, speaker
        except NodeError as err:
            LOGGER.warning("Speech-to-text of %s failed: %s", self.coordinator.name, err)
        yield result

    def _request(self, language: str, home: dict[str, Any]) -> Transcribe:
        """Return what comes before the audio: model, language, home, and who ends the turn, and when."""
        choice = self._choice
        context: dict[str, Any] = {"home": home}
        if self._program.supports_transcript_streaming:
            context["partials"] = True
        request = Transcribe(name=self._model(language), language=language, context=context)
        if self._ends_in_home_assistant:
            context["end_of_turn"] = "client"
            return request
        if rules := choice.get(CONF_TURN):
            context["turn"] = dict(rules)
        silence = VadSensitivity(choice.get(CONF_SILENCE, VadSensitivity.DEFAULT.value))
        return replace(request, vad_sensitivity=silence)

    def _model(self, language: str) -> str | None:
        """Return the chosen model where it knows a language; any other is left to the node."""
        name = chosen(self._choice, self._unit, self._program)
        models = (model for model in self._program.models if model.name == name)
        return next((model.name for model in models if fits(model.languages, language)), None)

    @callback
    def _show(self, text: str, speaker: str | None) -> None:
        signal = caption_signal(self.coordinator.config_entry, self._program_name)
        async_dispatcher_send(self.hass, signal, text, speaker)


async def _transcribe(
    connection: NodeConnection, stream: AsyncIterable[bytes]
) -> AsyncGenerator[str | Transcript]:
    """Send speech; yield the whole text so far whenever it changes, and the transcript last."""
    upload = asyncio.create_task(_upload(connection, stream))
    async with aclosing(connection.answers(upload)) as answers:
        async for event in answers:
            match event.data:
                case {"partial": str(text)} if TranscriptChunk.is_type(event.type):
                    yield text
            if Transcript.is_type(event.type):
                yield parse(Transcript, event)
                return


def _spoken(heard: str | Transcript) -> tuple[str, str | None]:
    """Return a text and who said it, which only the transcript can tell."""
    if isinstance(heard, str):
        return heard, None
    match heard.context:
        case {"speaker_id": str(speaker)}:
            return heard.text, speaker
    return heard.text, None


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
