"""Units that speak: SummerTTS and MeloTTS, a fragment of text at a time."""

from __future__ import annotations

import base64
import re
from typing import ClassVar

import numpy as np

from .framing import unescape
from .minds import FRAME, RATE, Samples
from .protocol import Refused
from .task import Given, Task, Unit

_FRAGMENT = re.compile("[^,.!?;，、。！？；]*[,.!?;，、。！？；]|[^,.!?;，、。！？；]+")
_ENDS = ",.!?;，、。！？；"


def fragments(text: str) -> list[str]:
    """Return the parts of a text that are spoken one after the other, each with its punctuation."""
    return _FRAGMENT.findall(text)


def to_base64(samples: Samples) -> str:
    """Return s16le without any header."""
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()


class TtsTask(Task):
    """Sends one message per fragment, and nothing to tell which is the last."""

    async def work(self, given: Given) -> None:
        for index, fragment in enumerate(
            fragments(unescape(given.data.decode("utf-8", "replace")))
        ):
            samples = await self.run(self.room.minds.speak, fragment)
            if self.streams:  # a defect: there is no audio in them
                await self.say_delta(index, "", finish=False)
            else:
                await self.say(to_base64(samples))


class Tts(Unit):
    """SummerTTS on the CPU."""

    name = "tts"
    takes = "tts"
    targets: ClassVar[tuple[str, ...]] = ("llm", "vlm", "kws")
    task = TtsTask


class MeloTask(Task):
    """Streams a delta per fragment; without streaming only the last of them is sent."""

    async def work(self, given: Given) -> None:
        text = unescape(given.data.decode("utf-8", "replace"))
        if not self.room.since("dev") and set(text) & set("\n\t\r"):
            raise Refused(-11)  # the lexicon has no such letters
        parts = fragments(text)
        if not self.streams:
            await self.say(to_base64(await self._speak(parts[-1])))
            return
        # A text that ends with punctuation leaves nothing for the piece that finishes.
        empty = self.room.since("dev") or text[-1] in _ENDS
        for index, part in enumerate(parts):
            finish = not empty and index == len(parts) - 1
            await self.say_delta(index, to_base64(await self._speak(part)), finish=finish)
        if empty:
            await self.say_delta(len(parts), "", finish=True)

    async def _speak(self, text: str) -> Samples:
        samples = await self.run(self.room.minds.speak, text)
        speed = float(self._set("spacker_speed"))
        rate = int(self._set("audio_rate"))
        return resampled(paced(samples, speed), rate)

    def _set(self, key: str) -> float:
        value: float = self.setup.get(key, self.mode.params[key])
        return value


def paced(samples: Samples, speed: float) -> Samples:
    """Return speech made so much faster by leaving out, or repeating, hundredths of a second."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    kept = np.arange(0, len(frames), speed).astype(int)
    return np.asarray(frames[kept].ravel(), np.int16)


def resampled(samples: Samples, rate: int) -> Samples:
    """Return samples of 16 kHz at another rate."""
    if rate == RATE or not len(samples):
        return samples
    places = np.arange(len(samples) * rate // RATE) * (RATE / rate)
    return np.asarray(np.interp(places, np.arange(len(samples)), samples), np.int16)


class Melotts(Unit):
    """MeloTTS on CPU and NPU."""

    name = "melotts"
    takes = "tts"
    inputs_key = "inputs_"
    targets: ClassVar[tuple[str, ...]] = ("llm", "vlm", "kws")
    task = MeloTask
