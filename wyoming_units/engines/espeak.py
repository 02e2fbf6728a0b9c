"""eSpeak NG: formant speech in over a hundred languages, made far faster than it is heard."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version

import numpy as np

from wyoming_units.engines import espeak_library
from wyoming_units.engines.base import Attribution, Emit, EngineInfo, Model, SynthesisRequest
from wyoming_units.engines.espeak_voices import Voice, find_voice, voices

_MAKER = Attribution(name="eSpeak NG", url="https://github.com/espeak-ng/espeak-ng")

_REGIONS = {"cmn": ("zh-CN", "zh-TW"), "yue": ("zh-HK",)}
"""Codes that clients use for voices whose files have only the language."""


class EspeakSynthesizer:
    """Speaks with one library per process: requests wait for each other, some milliseconds."""

    def __init__(self, *, words_per_minute: int = 175) -> None:
        """Choose the speed; 80 to 450 words per minute."""
        self._words_per_minute = words_per_minute

    @cached_property
    def info(self) -> EngineInfo:
        """Return the voices that the data folder has."""
        return EngineInfo(
            name="espeak",
            description="eSpeak NG",
            version=version("espeakng-loader"),
            attribution=_MAKER,
            models=tuple(map(_model, voices().values())),
        )

    def load(self) -> None:
        """Start the library and read the default voice's dictionary."""
        self.synthesize(SynthesisRequest(text="."), lambda _: True)

    def close(self) -> None:
        """Leave the library to the rest of the process: others take phonemes from it."""

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the voice of that name, else the best for the language."""
        return _model(find_voice(name, language))

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak in pieces of 60 ms."""
        espeak_library.speak(
            request.text,
            find_voice(request.voice, request.language),
            lambda samples: emit(samples.astype(np.float32) / np.float32(32_768)),
            words_per_minute=min(450, max(80, round(self._words_per_minute * request.speed))),
        )


def _model(voice: Voice) -> Model:
    codes = (*map(_bcp47, voice.priorities), *_REGIONS.get(voice.name, ()))
    return Model(
        name=voice.name,
        languages=codes,
        description=voice.title,
        attribution=_MAKER,
        rate=espeak_library.RATE,
    )


def _bcp47(code: str) -> str:
    """Return "en-us" as "en-US" and "fa-latn" as "fa-Latn" (cases of RFC 5646, section 2.1.1)."""
    language, *subtags = code.split("-")
    private = subtags.index("x") if "x" in subtags else len(subtags)
    cases = {2: str.upper, 4: str.title}
    cased = [cases.get(len(tag), str)(tag) for tag in subtags[:private]]
    return "-".join([language, *cased, *subtags[private:]])
