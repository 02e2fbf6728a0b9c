"""A microphone before the speech-to-text of a node."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from homeassistant.components import stt
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .scripted_node import Raw

ENTITY = "stt.cellar_speech_to_text"
HEARD = "turn on the kitchen light"
METADATA = stt.SpeechMetadata(
    language="en",
    format=stt.AudioFormats.WAV,
    codec=stt.AudioCodecs.PCM,
    bit_rate=stt.AudioBitRates.BITRATE_16,
    sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
    channel=stt.AudioChannels.CHANNEL_MONO,
)
FAILED = stt.SpeechResult(None, stt.SpeechResultState.ERROR)
UNDERSTOOD = stt.SpeechResult(HEARD, stt.SpeechResultState.SUCCESS)


class Microphone:
    """Gives pieces of audio, then goes on as it is told."""

    def __init__(self, pieces: int = 3, then: Callable[[], object] = lambda: None) -> None:
        self._pieces = pieces
        self._then = then
        self.open = False

    async def stream(self) -> AsyncGenerator[bytes]:
        self.open = True
        try:
            for number in range(self._pieces):
                await asyncio.sleep(0)
                yield bytes([number % 256, 0]) * 160
            if asyncio.iscoroutine(rest := self._then()):
                await rest
        finally:
            self.open = False


def chosen(**choice: Any) -> dict[str, Any]:
    """Return options with what was chosen for the speech-to-text of the node."""
    return {"stt": {"ears": choice}}


def chunk(partial: str) -> Raw:
    return Raw("transcript-chunk", {"text": partial, "replaces": True, "partial": partial})


@pytest.fixture(name="entity")
def speech_to_text(hass: HomeAssistant, loaded: MockConfigEntry) -> stt.SpeechToTextEntity:
    entity = stt.async_get_speech_to_text_engine(hass, ENTITY)
    assert isinstance(entity, stt.SpeechToTextEntity)
    return entity
