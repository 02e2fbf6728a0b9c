"""Wake word units as entities."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import override

from homeassistant.components import wake_word
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.wake import Detect, Detection, NotDetected

from .client import NodeConnection, parse
from .const import SAMPLE_CHANNELS, SAMPLE_RATE, SAMPLE_WIDTH
from .coordinator import WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit

PARALLEL_UPDATES = 0

type TimedAudio = tuple[bytes, int]
"""PCM and its time from the start of the stream, in ms."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the wake word unit of a node."""
    async_add_unit(entry, async_add_entities, UnitWakeWord)


class UnitWakeWord(UnitEntity, wake_word.WakeWordDetectionEntity):
    """Listens on one long connection until a wake word is said."""

    unit = "wake"
    _words: list[wake_word.WakeWord]

    @callback
    @override
    def _refresh(self) -> None:
        if (program := self.coordinator.data.wake) is not None:
            self._words = [
                wake_word.WakeWord(
                    id=word.name, name=word.description or word.name, phrase=word.phrase
                )
                for word in program.models
                if word.installed
            ]

    @override
    async def get_supported_wake_words(self) -> list[wake_word.WakeWord]:
        """Return the words that the unit can hear."""
        return self._words

    @override
    async def _async_process_audio_stream(
        self, stream: AsyncIterable[TimedAudio], wake_word_id: str | None
    ) -> wake_word.DetectionResult | None:
        """Return the first word that is heard, None when the stream ends without one."""
        async with self.coordinator.node.connect() as connection:
            await connection.send(Detect(names=[wake_word_id] if wake_word_id else None))
            heard = asyncio.Event()
            upload = asyncio.create_task(_upload(connection, stream, heard))
            async with aclosing(connection.answers(upload)) as answers:
                while True:
                    event = await anext(answers)
                    if NotDetected.is_type(event.type):
                        return None
                    if detection := _detection(event, wake_word_id):
                        heard.set()
                        # The next piece of audio is awaited, not cancelled: that would end the
                        # stream, which speech-to-text is going to continue with.
                        await asyncio.wait((upload,))
                        queued = None if upload.exception() else upload.result()
                        return self._result(detection, queued)

    def _result(self, detection: Detection, queued: TimedAudio | None) -> wake_word.DetectionResult:
        name = detection.name or ""
        return wake_word.DetectionResult(
            wake_word_id=name,
            wake_word_phrase=next(
                (word.phrase for word in self._words if word.id == name and word.phrase), name
            ),
            timestamp=detection.timestamp,
            queued_audio=[queued] if queued else None,
        )


def _detection(event: Event, wake_word_id: str | None) -> Detection | None:
    """Return the detection of the word that was asked for; another word is none."""
    if not Detection.is_type(event.type):
        return None
    detection = parse(Detection, event)
    return detection if wake_word_id in (None, detection.name) else None


async def _upload(
    connection: NodeConnection, stream: AsyncIterable[TimedAudio], heard: asyncio.Event
) -> TimedAudio | None:
    """Send audio until the word is `heard`; return the piece that came after it, unsent."""
    sound = {"rate": SAMPLE_RATE, "width": SAMPLE_WIDTH, "channels": SAMPLE_CHANNELS}
    await connection.send(AudioStart(**sound))
    async for audio, timestamp in stream:
        if heard.is_set():
            return audio, timestamp
        await connection.send(AudioChunk(audio=audio, timestamp=timestamp, **sound))
    await connection.send(AudioStop())
    return None
