"""Weights of a tiny Whisper that works, and its calculation without memory: all tokens at once.

Tones are its speech: each has a sentence. Weights are written down instead of trained: the next word follows from the
last one and from the one before it, which only the decoder's own memory still has (its first layer looks one position
back). Tokens that are no text are always likelier than the right word, and the end and a blank likelier than the first
word, so that nothing comes out of it where they are not suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.integration.models_whisper import Tone

Floats = NDArray[np.float32]

BANDS, FRAMES, AUDIO = 80, 3000, 1500
CONTEXT = 448
LAYERS = 2
LANGUAGES = ("en", "zh", "de")
BLANK = 3


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """What a tone says, in tokens."""

    tone: Tone
    pieces: tuple[bytes, ...]
    endless: bool = False


def _sentence(band: int, text: str, language: str = "en", *, endless: bool = False) -> Sentence:
    pieces = tuple(f" {word}".encode() for word in text.split())
    tone = Tone(band=band, text=text, language=language)
    return Sentence(tone=tone, pieces=pieces, endless=endless)


LIGHT = _sentence(20, "turn on the light in the kitchen")
GERMAN = _sentence(44, "mach das Licht aus", "de")
CREDITS = _sentence(56, "thanks for watching")
LOOP = _sentence(68, "again again", endless=True)
CHINESE = Sentence(
    tone=Tone(band=32, text="請開燈", language="zh"),
    pieces=(b"\xe8\xab", b"\x8b\xe9\x96\x8b", b"\xe7\x87\x88"),
)
SENTENCES = (LIGHT, GERMAN, CREDITS, LOOP, CHINESE)
UNSURE = Tone(band=10, text="hm")
"""Could as well be "ho"."""

TEXT = list(
    dict.fromkeys(
        [
            *(b"!", b"?", b",", b" ", b" hm", b" ho"),
            *(piece for sentence in SENTENCES for piece in sentence.pieces),
        ]
    )
)
EOT = len(TEXT)
SOT = EOT + 1
TRANSLATE = SOT + 1 + len(LANGUAGES)
TRANSCRIBE = TRANSLATE + 1
NO_SPEECH, NO_TIMESTAMPS = TRANSLATE + 4, TRANSLATE + 5
SIZE = NO_TIMESTAMPS + 11
"""Tokens, with some for times."""


def language_token(code: str) -> int:
    return SOT + 1 + LANGUAGES.index(code)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Matrices of one layer of the decoder, (width, width) each: of its own attention and of that to the audio."""

    q: Floats
    k: Floats
    v: Floats
    o: Floats
    audio_q: Floats
    audio_k: Floats
    audio_v: Floats


@dataclass(frozen=True, kw_only=True)
class Weights:
    tokens: Floats
    positions: Floats
    audio: Floats
    """(bands, width)"""
    layers: tuple[Layer, ...]
    out: Floats
    """(width, tokens)"""

    @property
    def width(self) -> int:
        return int(self.tokens.shape[1])


# -- weights


def spoken_weights() -> Weights:
    """Return weights that write down the sentences."""
    last, before = BANDS, BANDS + SIZE
    """Places of what the last token was, and of the one before it."""
    places = before + SIZE
    width = places + 17
    tokens = np.zeros((SIZE, width))
    tokens[np.arange(SIZE), last + np.arange(SIZE)] = 1
    frequencies = np.linspace(0.4, 2.9, 8)
    angles = np.arange(CONTEXT)[:, None] * frequencies
    positions = np.zeros((CONTEXT, width))
    positions[:, places : places + 8] = np.cos(angles)
    positions[:, places + 8 : places + 16] = np.sin(angles)
    positions[:, -1] = 1
    bands = [*(sentence.tone.band for sentence in SENTENCES), UNSURE.band]
    tones = np.zeros((width, width))
    tones[bands, bands] = 1
    ask = np.zeros((width, width))
    ask[-1, bands] = 20
    here = np.zeros((width, width))
    here[places : places + 16, places : places + 16] = np.eye(16)
    remember = np.zeros((width, width))
    remember[last : last + SIZE, before : before + SIZE] = np.eye(SIZE)
    nothing = np.zeros((width, width))
    looks_back = Layer(
        q=_floats(_one_back(frequencies, places, width)),
        k=_floats(here),
        v=_floats(remember),
        o=_floats(np.eye(width)),
        audio_q=_floats(ask),
        audio_k=_floats(tones),
        audio_v=_floats(tones),
    )
    rests = Layer(**dict.fromkeys(Layer.__dataclass_fields__, _floats(nothing)))
    return Weights(
        tokens=_floats(tokens),
        positions=_floats(positions),
        audio=_floats(np.eye(BANDS, width)),
        layers=(looks_back, rests),
        out=_floats(6 * _gives(last, before, width)),
    )


def _one_back(frequencies: NDArray[Any], places: int, width: int) -> NDArray[Any]:
    """Return what turns the code of a position into that of the one before, and makes attention sharp."""
    turn = np.zeros((width, width))
    for i, frequency in enumerate(frequencies):
        cos, sin = places + i, places + 8 + i
        turn[cos, cos] = turn[sin, sin] = np.cos(frequency)
        turn[sin, cos], turn[cos, sin] = np.sin(frequency), -np.sin(frequency)
    return 10 * turn


def _gives(last: int, before: int, width: int) -> NDArray[Any]:
    """Return by place (rows) and token (columns) what makes the token come next."""
    gives = np.zeros((width, SIZE))

    def follow(token: int, *after: int) -> None:
        gives[last + after[-1], token] = gives[before + after[0], token] = 2

    for sentence in SENTENCES:
        words = [TEXT.index(piece) for piece in sentence.pieces]
        gives[[last + NO_TIMESTAMPS, sentence.tone.band], words[0]] = 2, 1
        gives[sentence.tone.band, language_token(sentence.tone.language)] = 1
        steps = [NO_TIMESTAMPS, *words, words[-1] if sentence.endless else EOT]
        for one, two, three in zip(steps, steps[1:], steps[2:], strict=False):
            follow(three, one, two)
    for word in (TEXT.index(b" hm"), TEXT.index(b" ho")):
        gives[[last + NO_TIMESTAMPS, UNSURE.band], word] = 2, 1
        follow(EOT, NO_TIMESTAMPS, word)
    gives[UNSURE.band, language_token("en")] = 1
    gives[last + SOT, SOT + 1 : TRANSLATE] = 2
    gives[last + SOT, NO_SPEECH] = 2.3
    gives[last + NO_TIMESTAMPS, [BLANK, EOT]] = 6
    written = [last + NO_TIMESTAMPS, *(last + word for word in range(EOT))]
    no_text = [SOT, *range(SOT + 1, SIZE)]
    gives[np.ix_(written, no_text)] = 5
    return gives


def any_weights(seed: int, width: int = 24) -> Weights:
    """Return weights of chance, with an end that never comes."""
    chance = np.random.default_rng(seed)
    gains = {"q": 0.7, "k": 0.7, "v": 2, "o": 1, "audio_q": 0.5, "audio_k": 0.5, "audio_v": 1}

    def matrix(rows: int, columns: int, gain: float = 1) -> Floats:
        return _floats(chance.normal(0, gain * rows**-0.5, (rows, columns)))

    out = matrix(width, SIZE)
    tokens = _floats(chance.normal(0, 0.5, (SIZE, width)))
    positions = _floats(chance.normal(0, 1, (CONTEXT, width)))
    tokens[:, 0], positions[:, 0], out[0, EOT] = 1, 0, -1000
    layers = tuple(
        Layer(**{name: matrix(width, width, gain) for name, gain in gains.items()})
        for _ in range(LAYERS)
    )
    for layer in layers:  # what keeps the end away stays as it is
        layer.o[:, 0] = layer.audio_v[:, 0] = 0
    return Weights(
        tokens=tokens, positions=positions, audio=matrix(BANDS, width), layers=layers, out=out
    )


def _floats(values: Any) -> Floats:
    return np.asarray(values, np.float32)


# -- the same calculation, all tokens at once


def recompute(weights: Weights, mel: Floats, tokens: Sequence[int]) -> Floats:
    """Return the logits after each token, shape (tokens, vocabulary)."""
    count = len(tokens)
    audio = np.maximum(mel.T.reshape(AUDIO, 2, BANDS).mean(axis=1) @ weights.audio, 0)
    x = weights.tokens[list(tokens)] + weights.positions[:count]
    hidden = np.where(np.tri(count), 0, -np.inf)
    for layer in weights.layers:
        scores = (x @ layer.q) @ (x @ layer.k).T + hidden
        x = x + _softmax(scores) @ (x @ layer.v) @ layer.o
        scores = (x @ layer.audio_q) @ (audio @ layer.audio_k).T
        x = x + _softmax(scores) @ (audio @ layer.audio_v)
    return _floats(x @ weights.out)


def _softmax(scores: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
