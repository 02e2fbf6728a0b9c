"""A tiny Whisper that works: tones are its speech.

It has Whisper's architecture, vocabulary layout and files, so that CTranslate2 and faster-whisper take it for one, and
weights that are written down instead of trained. Each tone has a sentence and a language; a tone in the audio makes
the decoder begin with that sentence, and each word brings the next.

How: the encoder hands the mel bands on. Attention finds the frames with a tone by their energy, and adds their bands
to what the last token asks for. The output layer takes the token that both agree on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines.base import RATE, Audio

BANDS = 80
DEPTH = 192
"""Width of the network: the bands, and then one place for each thing that a token may ask for."""
LANGUAGES = ("en", "zh", "de", "no", "yue")
SPECIAL = ("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>")


@dataclass(frozen=True, kw_only=True)
class Tone:
    """What a tone says."""

    band: int
    """Mel band that it fills."""
    text: str
    language: str = "en"


TONES = (
    Tone(band=20, text="turn on the kitchen light"),
    Tone(band=32, text="play some music"),
    Tone(band=44, text="mach das Licht aus", language="de"),
    Tone(band=56, text="thanks for watching"),
    Tone(band=68, text="again again", language="en"),
)


def sound(tone: Tone, seconds: float = 1.0, volume: float = 0.3) -> Audio:
    """Return a tone that fills the mel band."""
    mels = np.linspace(0, 45.245640471924965, BANDS + 2)[tone.band + 1]
    hertz = mels * 200 / 3 if mels < 15 else 1000 * 6.4 ** ((mels - 15) / 27)
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(volume * np.sin(2 * np.pi * hertz * time), np.float32)


def build_whisper(folder: Path, *, multilingual: bool = True, endless: bool = False) -> Path:
    """Write the model; `endless` lets the last tone repeat its last word for ever."""
    from ctranslate2.specs.whisper_spec import WhisperSpec

    folder.mkdir(parents=True)
    vocabulary = _vocabulary(multilingual=multilingual)
    _write_tokenizer(folder / "tokenizer.json", vocabulary)
    spec = WhisperSpec(1, 1, 1, 1)
    weights = _weights(vocabulary, endless=endless)
    _encoder(spec.encoder)
    _decoder(spec.decoder, weights)
    language_ids = [index for token, index in vocabulary.items() if token[2:-2] in LANGUAGES]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = language_ids
    spec.config.alignment_heads = [(0, 0)]
    spec.register_vocabulary(list(vocabulary))
    spec.validate()
    spec.save(str(folder))
    return folder


def _vocabulary(*, multilingual: bool) -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    words = {f"Ġ{word}": None for tone in TONES for word in tone.text.split()}
    text = [*sorted(ByteLevel.alphabet()), *words, "" if multilingual else "zz"]
    times = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    start = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    tokens = [*text, *start, *SPECIAL, "<|notimestamps|>", *times]
    return {token: index for index, token in enumerate(tokens)}


def _write_tokenizer(path: Path, vocabulary: Mapping[str, int]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    special = [token for token in vocabulary if token.startswith("<|") and token.endswith("|>")]
    words = {token: index for token, index in vocabulary.items() if token not in special}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special]
    )
    assert all(tokenizer.token_to_id(token) == index for token, index in vocabulary.items())
    tokenizer.save(str(path))


@dataclass(frozen=True)
class _Weights:
    asks: NDArray[np.float32]
    """By token, what it asks for when it is the last one."""
    gives: NDArray[np.float32]
    """By token, when it comes next."""


def _weights(vocabulary: Mapping[str, int], *, endless: bool) -> _Weights:
    asks = np.zeros((len(vocabulary), DEPTH), np.float32)
    gives = np.zeros((len(vocabulary), DEPTH), np.float32)
    places = iter(range(BANDS, DEPTH))
    first, language, silence = next(places), next(places), next(places)
    for token in ("<|notimestamps|>", "<|transcribe|>", *vocabulary_times(vocabulary)):
        asks[vocabulary[token], first] = 1
    asks[vocabulary["<|startoftranscript|>"], language] = 1
    asks[vocabulary["<|startoftranscript|>"], silence] = 1.5
    gives[vocabulary["<|nospeech|>"], silence] = 1
    end = vocabulary["<|endoftext|>"]
    for tone in TONES:
        words = [vocabulary[f"Ġ{word}"] for word in tone.text.split()]
        gives[words[0], [first, tone.band]] = 1
        spoken = vocabulary[f"<|{tone.language}|>"]
        gives[spoken, language] = 1
        gives[spoken, tone.band] = 1
        for word, following in zip(words, [*words[1:], end], strict=True):
            if endless and tone is TONES[-1]:
                following = words[-1]  # noqa: PLW2901
            place = next(places)
            asks[word, place] = 2
            gives[following, place] = 2
    return _Weights(asks, gives)


def vocabulary_times(vocabulary: Mapping[str, int]) -> list[str]:
    """Return the tokens of times."""
    return [token for token in vocabulary if token.startswith("<|") and token[2:3].isdigit()]


def _linear(spec: Any, weight: NDArray[Any], bias: NDArray[Any] | None = None) -> None:
    spec.weight = weight.astype(np.float32)
    spec.bias = (np.zeros(len(weight)) if bias is None else bias).astype(np.float32)


def _norm(spec: Any) -> None:
    spec.gamma = np.ones(DEPTH, np.float32)
    spec.beta = np.zeros(DEPTH, np.float32)


def _idle_layer(layer: Any) -> None:
    """Let self-attention and the feed-forward network add nothing."""
    _norm(layer.self_attention.layer_norm)
    _linear(layer.self_attention.linear[0], np.zeros((3 * DEPTH, DEPTH)))
    _linear(layer.self_attention.linear[1], np.zeros((DEPTH, DEPTH)))
    _norm(layer.ffn.layer_norm)
    _linear(layer.ffn.linear_0, np.zeros((4 * DEPTH, DEPTH)))
    _linear(layer.ffn.linear_1, np.zeros((DEPTH, 4 * DEPTH)))


def _encoder(spec: Any) -> None:
    hand_on = np.zeros((DEPTH, BANDS, 3))
    hand_on[np.arange(BANDS), np.arange(BANDS), 1] = 4
    every_other = np.zeros((DEPTH, DEPTH, 3))
    every_other[np.arange(BANDS), np.arange(BANDS), 1] = 1
    _linear(spec.conv1, hand_on)
    _linear(spec.conv2, every_other)
    spec.position_encodings.encodings = np.zeros((1500, DEPTH), np.float32)
    _idle_layer(spec.layer[0])
    _norm(spec.layer_norm)


def _decoder(spec: Any, weights: _Weights) -> None:
    spec.embeddings.weight = 10 * weights.asks
    spec.position_encodings.encodings = np.zeros((448, DEPTH), np.float32)
    layer = spec.layer[0]
    _idle_layer(layer)
    bands = np.zeros((DEPTH, DEPTH))
    tones = [tone.band for tone in TONES]
    bands[tones, tones] = 1
    _norm(layer.attention.layer_norm)
    _linear(layer.attention.linear[0], np.zeros((DEPTH, DEPTH)), np.full(DEPTH, 20.0))
    _linear(layer.attention.linear[1], np.concatenate([bands, bands]))
    _linear(layer.attention.linear[2], bands)
    _norm(spec.layer_norm)
    _linear(spec.projection, weights.gives)
