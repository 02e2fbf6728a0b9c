"""Whisper's network on CTranslate2: where it runs, its spectrograms, its tokens, its searches."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines.base import RATE, Audio
from wyoming_units.errors import Unsupported
from wyoming_units.speech.hallucination import Heard, loudest
from wyoming_units.speech.mel import log_mel

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

FULL_WINDOW = 30.0
"""Seconds of audio that the network was trained with."""
MOST_TOKENS = 224
"""That a window can have: half of what the network can take, the other half is for the prompt."""
_FRAMES = 100
"""Spectrogram frames of a second."""
_PREFERRED = {
    "cpu": ("int8", "int8_float32", "float32"),
    "cuda": ("float16", "int8_float16", "bfloat16", "int8_float32", "float32"),
}
"""Compute types by device, the best first."""
DEVICES = tuple(_PREFERRED)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one search gave."""

    text: str
    log_probability: float
    """Mean of its tokens."""
    no_speech: float
    """Probability that nobody speaks."""
    endless: bool
    """Whether it was cut off at the limit of tokens."""


class Network:
    """The loaded model and its tokenizer."""

    def __init__(
        self, path: os.PathLike[str], device: str, compute_type: str, threads: int
    ) -> None:
        """Load; RuntimeError where CTranslate2 cannot, `Unsupported` for a compute type that it lacks."""
        from faster_whisper import WhisperModel

        chosen = compute_type_of(device, compute_type)
        self._whisper: WhisperModel = WhisperModel(
            str(path), device=device, compute_type=chosen, cpu_threads=threads
        )
        self._tokenizers: dict[str, Tokenizer] = {}
        self._lock = threading.Lock()
        self.runs_on = f"{chosen} on {device.upper()}"

    def features(self, samples: Audio) -> NDArray[np.float32]:
        """Return the spectrogram, shape (bands, frames)."""
        return log_mel(samples, self._whisper.model.n_mels)

    def encode(self, features: NDArray[np.float32], window: float) -> StorageView:
        """Return what the encoder makes of a spectrogram and the emptiness up to `window` seconds."""
        frames = 2 * round(window * _FRAMES / 2)
        features = features[:, :frames]
        padded = np.pad(features, ((0, 0), (0, frames - features.shape[1])))
        return self._whisper.encode(padded)

    def spoken(self, encoded: StorageView, languages: Sequence[str]) -> str:
        """Return which of `languages` it most likely is."""
        if len(languages) == 1:
            return languages[0]
        likeliest_first: list[tuple[str, float]]
        likeliest_first = self._whisper.model.detect_language(encoded)[0]
        return next(code for token, _ in likeliest_first if (code := token[2:-2]) in languages)

    def encode_text(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        tokens: list[int] = self._tokenizer("en").encode(text)
        return tokens

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        return str(self._tokenizer("en").decode(list(tokens))).strip()

    def decode(
        self, encoded: StorageView, language: str, context: Sequence[int], beam: int, most: int
    ) -> Attempt:
        """Write down at most `most` tokens."""
        tokenizer = self._tokenizer(language)
        prompt = [tokenizer.sot_prev, *context] if context else []
        prompt += [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        # The library takes the lesser of half this length and what the prompt leaves of it.
        longest = min(2 * MOST_TOKENS, max(2 * most, len(prompt) + most))
        result = self._whisper.model.generate(
            encoded,
            [prompt],
            beam_size=beam,
            max_length=longest,
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        return Attempt(
            text=str(tokenizer.decode(tokens)).strip(),
            log_probability=_mean(float(result.scores[0]), len(tokens)),
            no_speech=float(result.no_speech_prob),
            endless=len(tokens) >= min(most, longest // 2, longest - len(prompt)),
        )

    def decode_long(
        self, samples: Audio, language: str, context: Sequence[int], beam: int
    ) -> list[Heard]:
        """Write down audio of any length, piece by piece."""
        segments, _ = self._whisper.transcribe(
            samples, language=language, beam_size=beam, initial_prompt=list(context) or None
        )
        return [
            Heard(
                text=segment.text.strip(),
                log_probability=segment.avg_logprob,
                no_speech=segment.no_speech_prob,
                seconds=segment.end - segment.start,
                level=loudest(samples[int(segment.start * RATE) : int(segment.end * RATE)]),
            )
            for segment in segments
        ]

    @cached_property
    def _suppressed(self) -> list[int]:
        """Tokens that are no speech: brackets, notes, and those that only prompts have."""
        from faster_whisper.transcribe import get_suppressed_tokens

        return list(get_suppressed_tokens(self._tokenizer("en"), [-1]))

    def _tokenizer(self, language: str) -> Tokenizer:
        from faster_whisper.tokenizer import Tokenizer

        with self._lock:
            if language not in self._tokenizers:
                self._tokenizers[language] = Tokenizer(
                    self._whisper.hf_tokenizer,
                    self._whisper.model.is_multilingual,
                    task="transcribe",
                    language=language,
                )
            return self._tokenizers[language]


def _mean(score: float, tokens: int) -> float:
    """Return the mean log probability of the tokens and their end, as Whisper's thresholds mean it."""
    return score * tokens / (tokens + 1) if tokens else -math.inf


def places(device: str) -> tuple[str, ...]:
    """Return the devices to try; `Unsupported` where the one that is asked for is not there."""
    import ctranslate2

    try:
        cards = ctranslate2.get_cuda_device_count()
    except RuntimeError:  # a driver that does not match
        cards = 0
    if device == "cuda" and not cards:
        raise Unsupported("this machine has no CUDA device that CTranslate2 can use")
    if device == "auto":
        return ("cuda", "cpu") if cards else ("cpu",)
    return (device,)


def compute_type_of(device: str, wanted: str) -> str:
    """Return the best compute type, or the one that is asked for; `Unsupported` where there is none."""
    import ctranslate2

    there: set[Any] = ctranslate2.get_supported_compute_types(device)
    if wanted == "auto":
        return next(name for name in _PREFERRED[device] if name in there)
    if wanted not in there:
        offered = ", ".join(sorted(there))
        raise Unsupported(f"{device} cannot compute {wanted}; there are: {offered}")
    return wanted
