"""Wake word units as entities."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import override

from homeassistant.components import wake_word
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.info import WakeProgram
from wyoming.wake import Detect, Detection, NotDetected

from .choices import words_of
from .client import NodeConnection, parse
from .const import CONF_WORDS, SAMPLE_CHANNELS, SAMPLE_RATE, SAMPLE_WIDTH
from .coordinator import WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit
from .speaker import async_run_keeps_audio

PARALLEL_UPDATES = 0

KEPT = 2000
"""How much of the sent audio is kept for speech-to-text, in ms."""
BYTES_PER_MS = SAMPLE_RATE * SAMPLE_WIDTH * SAMPLE_CHANNELS // 1000

type TimedAudio = tuple[bytes, int]
"""PCM and its time from the start of the stream, in ms."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the wake word unit of a node."""
    async_add_unit(entry, async_add_entities, UnitWakeWord, "wake")


class UnitWakeWord(UnitEntity[WakeProgram], wake_word.WakeWordDetectionEntity):
    """Listens on one long connection until a wake word is said."""

    _words: list[wake_word.WakeWord]
    _all: list[str] | None
    """What to listen for where no word was chosen; None leaves it to the unit."""

    @callback
    @override
    def _refresh(self, program: WakeProgram) -> None:
        node = self.coordinator.data
        listed = {
            word.name: wake_word.WakeWord(
                id=word.name, name=word.description or word.name, phrase=word.phrase
            )
            for word in words_of(node, program)
        }
        typed = {
            phrase: wake_word.WakeWord(id=phrase, name=phrase, phrase=phrase)
            for phrase in self._choice.get(CONF_WORDS, ())
            if node.hears_any_phrase(program.name)
        }
        words = typed | listed
        self._words = [*words.values()]
        self._all = [*words] if typed else None

    @override
    async def get_supported_wake_words(self) -> list[wake_word.WakeWord]:
        """Return the words that the unit can hear."""
        return self._words

    @override
    async def _async_process_audio_stream(
        self, stream: AsyncIterable[TimedAudio], wake_word_id: str | None
    ) -> wake_word.DetectionResult | None:
        """Return the first word that is heard, None when the stream ends without one."""
        unsent_only = async_run_keeps_audio(self.hass, self.entity_id)
        async with self._connect() as connection:
            await connection.send(Detect(names=[wake_word_id] if wake_word_id else self._all))
            sending = _Upload()
            upload = asyncio.create_task(sending.run(connection, stream))
            async with aclosing(connection.answers(upload)) as answers:
                while True:
                    event = await anext(answers)
                    if NotDetected.is_type(event.type):
                        return None
                    if detection := _detection(event, wake_word_id):
                        sending.heard = True
                        # The next piece of audio is awaited, not cancelled: that would end the
                        # stream, which speech-to-text is going to continue with.
                        await asyncio.wait((upload,))
                        return self._result(detection, sending.after(detection, unsent_only))

    def _result(self, detection: Detection, queued: list[TimedAudio]) -> wake_word.DetectionResult:
        name = detection.name or ""
        return wake_word.DetectionResult(
            wake_word_id=name,
            wake_word_phrase=next(
                (word.phrase for word in self._words if word.id == name and word.phrase), name
            ),
            timestamp=detection.timestamp,
            queued_audio=queued or None,
        )


class _Upload:
    """Audio on its way to the unit, and what of it came after the wake word.

    Whoever says "okay nabu, lights on" in one breath is already speaking to Assist when the word
    is recognised, and some audio has gone to the wake word unit by then.
    """

    def __init__(self) -> None:
        self.heard = False
        """Set when a word was heard; the next piece of audio is then not sent any more."""
        self._sent: deque[TimedAudio] = deque()
        self._unsent: list[TimedAudio] = []

    async def run(self, connection: NodeConnection, stream: AsyncIterable[TimedAudio]) -> None:
        """Send audio until a word was heard."""
        sound = {"rate": SAMPLE_RATE, "width": SAMPLE_WIDTH, "channels": SAMPLE_CHANNELS}
        await connection.send(AudioStart(**sound))
        async for audio, timestamp in stream:
            if self.heard:
                self._unsent.append((audio, timestamp))
                return
            self._sent.append((audio, timestamp))
            while timestamp - self._sent[0][1] > KEPT:
                self._sent.popleft()
            await connection.send(AudioChunk(audio=audio, timestamp=timestamp, **sound))
        await connection.send(AudioStop())

    def after(self, detection: Detection, unsent_only: bool) -> list[TimedAudio]:
        """Return the audio that came after the word, in order and without a gap."""
        end = detection.timestamp
        if unsent_only or not isinstance(end, int):
            return self._unsent
        return [
            (rest, max(timestamp, end))
            for audio, timestamp in self._sent
            if (rest := audio[max(end - timestamp, 0) * BYTES_PER_MS :])
        ] + self._unsent


def _detection(event: Event, wake_word_id: str | None) -> Detection | None:
    """Return the detection of the word that was asked for; another word is none."""
    if not Detection.is_type(event.type):
        return None
    detection = parse(Detection, event)
    return detection if wake_word_id in (None, detection.name) else None
