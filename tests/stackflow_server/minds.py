"""What stands in for the module's models: plain functions that really do something with what they get."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RATE = 16_000
Samples = NDArray[np.int16]
"""Mono, 16 kHz."""
Pixels = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

FRAME = 160
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789' #"
"""What tones can say: letter i is 400 + 100 i Hz for 40 ms, then 20 ms of silence; "#" is any other letter."""
_LETTER = 6 * FRAME
_LOUD = 600
_WORDLESS = re.compile(r"[^\w' ]+")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An object in a picture of 320x320."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]
    """Left, top, right, bottom."""
    points: tuple[tuple[float, float, float], ...] = ()
    """x, y, score of joints, for models that find them."""
    coefficients: tuple[float, ...] = ()
    """32 numbers of a mask, for models that have masks."""
    angle: float = 0.0


Listener = Callable[[Samples], Sequence[str]]
"""Takes the next samples of a stream; returns the phrases that ended in them."""
Judge = Callable[[Samples], bool]
"""Takes the next 512 samples of a stream; returns whether there is a voice in them."""


def speak_tones(text: str) -> Samples:
    """Return a tone per letter; punctuation is as long as a letter, but silent."""
    parts = [_tone(letter) for letter in " ".join(text.casefold().split())]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _tone(letter: str) -> Samples:
    samples = np.zeros(_LETTER, np.int16)
    if _WORDLESS.match(letter):
        return samples
    place = LETTERS.find(letter)
    frequency = 400 + 100 * (place if place >= 0 else LETTERS.index("#"))
    time = np.arange(4 * FRAME) / RATE
    samples[: len(time)] = 9_000 * np.sin(2 * np.pi * frequency * time)
    return samples


def _spelt(text: str) -> str:
    """Return a text in the letters that there are tones for."""
    return "".join(letter if letter in LETTERS else "#" for letter in text.casefold())


def hear_tones(samples: Samples, language: str) -> str:
    """Return the text of `speak_tones`, wherever in the samples it begins; the language is no matter."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    loud = np.sqrt((whole**2).mean(axis=1)) > _LOUD
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
    letters = [_letter(whole[a:b].ravel()) for a, b in edges.reshape(-1, 2)]
    return "".join(letters).strip()


def _letter(samples: NDArray[np.float64]) -> str:
    spectrum = np.abs(np.fft.rfft(samples, RATE))
    place = round((int(spectrum.argmax()) - 400) / 100)
    return LETTERS[place] if 0 <= place < len(LETTERS) else "#"


def chat_echo(prompt: str, text: str, images: Sequence[bytes]) -> str:
    """Return what was asked and what the pictures look like; the prompt decides on capitals."""
    told = [_describe(image) for image in images]
    answer = " ".join([*told, f"You said: {text}"])
    return answer.upper() if "capitals" in prompt else answer


def _describe(image: bytes) -> str:
    with Image.open(io.BytesIO(image)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    means = pixels.reshape(-1, 3).mean(axis=0)
    colour = ("red", "green", "blue")[int(means.argmax())] if np.ptp(means) > 20 else "grey"
    return f"A {colour} picture of {pixels.shape[1]}x{pixels.shape[0]}."


COLOURS = {"person": "r", "potted plant": "g", "car": "b", "hand": "rg"}
"""Which channels are bright, and the others dark, where there is such a thing."""


def see_bright(rgb: Pixels) -> list[Seen]:
    """Return the bright red, green, blue and yellow rectangles, the surest first."""
    import cv2

    seen = []
    for label, colours in COLOURS.items():
        places = ["rgb".index(colour) for colour in colours]
        least = rgb[..., places].min(axis=2).astype(int)
        bright = (least > 150) & (np.delete(rgb, places, axis=2).max(axis=2) < least - 80)
        count, _, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
        for left, top, width, height, area in stats[1:count].tolist():
            if area >= 40:
                box = (float(left), float(top), float(left + width), float(top + height))
                seen.append(Seen(label=label, confidence=area / (width * height), box=box))
    return sorted(seen, key=lambda each: -each.confidence)


def depth_of_light(rgb: Pixels) -> NDArray[np.float32]:
    """Return how near everything is: what is bright is near."""
    return np.asarray(rgb.mean(axis=2), np.float32)


def wake_on_tones(phrases: Sequence[str]) -> Listener:
    """Return a listener for phrases that are spoken in tones."""
    buffer = np.zeros(0, np.int16)

    def listen(samples: Samples) -> Sequence[str]:
        nonlocal buffer
        buffer = np.concatenate([buffer, samples])[-5 * RATE :]
        heard = hear_tones(buffer, "en")
        found = [phrase for phrase in phrases if _spelt(phrase) in heard]
        # A letter at the end may be cut off, and would be heard again as the first of what follows.
        if found and not np.abs(buffer[-2 * FRAME :]).max() > _LOUD:
            buffer = np.zeros(0, np.int16)
            return found
        return ()

    return listen


def voice_of_loudness() -> Judge:
    """Return a judge that takes everything loud for a voice."""
    return lambda samples: bool(np.abs(samples.astype(int)).max(initial=0) > _LOUD)


@dataclass(frozen=True, kw_only=True)
class Minds:
    """The models of a module. All are called in threads; one that raises is a failed run (-11)."""

    hear: Callable[[Samples, str], str] = hear_tones
    """Samples and a language code, to text."""
    speak: Callable[[str], Samples] = speak_tones
    chat: Callable[[str, str, Sequence[bytes]], str] = chat_echo
    """System prompt with what was said before, text and JPEG files, to an answer."""
    see: Callable[[Pixels], list[Seen]] = see_bright
    """A picture of 320x320."""
    depth: Callable[[Pixels], NDArray[np.float32]] = depth_of_light
    """A picture of 384x256, to any numbers of that shape, near = large."""
    wake: Callable[[Sequence[str]], Listener] = wake_on_tones
    """Phrases, to a listener of its own for each stream."""
    voice: Callable[[], Judge] = voice_of_loudness
