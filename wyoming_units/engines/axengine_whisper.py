"""Whisper on the NPU, from AXERA's models or from StackFlow's packages.

The networks have a window of 30 seconds and take as long for a shorter recording; longer ones are cut at pauses.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import engine_info
from wyoming_units.engines._axengine_whisper_files import read_files, read_script, read_tokens
from wyoming_units.engines._axengine_whisper_layouts import Layout, open_layout
from wyoming_units.engines._axengine_whisper_search import language_of, write_down
from wyoming_units.engines._whisper_languages import (
    chosen,
    is_traditional,
    most_tokens,
    offered,
    soundless,
    whispers,
)
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.errors import EngineFailed, UnknownModel
from wyoming_units.speech.cutting import cut_quietly
from wyoming_units.speech.hallucination import Heard, invented, loudest
from wyoming_units.speech.mel import log_mel
from wyoming_units.speech.whisper_tokens import text_of

_AUTHOR = Attribution(name="OpenAI", url="https://github.com/openai/whisper")
_HOP = 160
"""Samples of a frame."""


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    layout: Layout
    sessions: ExitStack
    vocabulary: tuple[bytes, ...]
    script: dict[int, str]
    """From traditional to simplified Chinese, where the model has it."""


class AxWhisper:
    """Writes down what is said, in one language or in whichever is spoken."""

    def __init__(self, *, model: LocalModel) -> None:
        """Find the files of the model; `EngineFailed` names what is wrong with them."""
        self._files = read_files(model)
        known = self._files.languages or {"en": 0}
        wanted = {whispers(name) for name in model.languages}
        self._languages = {
            code: token for code, token in known.items() if not wanted or code in wanted
        }
        if not self._languages:
            raise EngineFailed(f"{model.path} knows none of {', '.join(model.languages)}")
        self._model = model
        self._loaded: _Loaded | None = None
        self._calls: dict[int, threading.Event] = {}

    @property
    def info(self) -> EngineInfo:
        """Return the model and its languages."""
        return engine_info(
            "axengine-whisper",
            "Whisper on the NPU",
            self._model,
            _AUTHOR,
            open_vocabulary=True,
            languages=offered(tuple(self._languages)),
        )

    def load(self) -> None:
        """Load the networks and run them once; `EngineFailed` where they do not belong together."""
        vocabulary = read_tokens(self._files.tokens)
        script = read_script(self._files.simplified) if self._files.simplified else {}
        with ExitStack() as sessions:
            layout = open_layout(self._files, sessions)
            self._try(layout)
            self._loaded = _Loaded(
                layout=layout, sessions=sessions.pop_all(), vocabulary=vocabulary, script=script
            )

    def _try(self, layout: Layout) -> None:
        window = layout.hear(np.zeros((layout.bands, layout.frames), np.float32))
        write_down(window, self._files.special, self._token(next(iter(self._languages))), 2)

    def close(self) -> None:
        """Drop the networks; calls that run end with an error."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.sessions.close()

    def interrupt(self, thread: int) -> None:
        """Make the call that runs in a thread end with the next token."""
        if (ended := self._calls.get(thread)) is not None:
            ended.set()

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        """Return the text; `UnknownModel` for a model or language that it does not have."""
        language = self._language(request)
        loaded = self._loaded
        if loaded is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        with self._call() as ended:
            pieces, spoken = self._hear(loaded, samples, language, ended)
        text = "".join(piece.text for piece in pieces).strip()
        if spoken == "zh" and not is_traditional(request.language or ""):
            text = text.translate(loaded.script)
        length = sum(piece.seconds for piece in pieces)
        weighted = sum(piece.log_probability * piece.seconds for piece in pieces)
        return Recognition(
            text=text,
            confidence=math.exp(min(weighted / length, 0.0)) if pieces else None,
            language=request.language or spoken,
        )

    @contextmanager
    def _call(self) -> Iterator[Callable[[], bool]]:
        """Let `interrupt` find this thread, and tell whether it has."""
        thread, ended = threading.get_ident(), threading.Event()
        self._calls[thread] = ended
        try:
            yield ended.is_set
        finally:
            del self._calls[thread]

    def _hear(
        self, loaded: _Loaded, samples: Audio, language: str | None, ended: Callable[[], bool]
    ) -> tuple[list[Heard], str | None]:
        """Return what was heard, part by part, and the language, which the first part with sound decides."""
        layout, special = loaded.layout, self._files.special
        whole = layout.frames * _HOP
        heard: list[Heard] = []
        for part in cut_quietly(samples, whole if len(samples) <= whole else whole - RATE):
            seconds, peak = len(part) / RATE, loudest(part)
            if soundless(seconds, peak):
                continue
            window = layout.hear(_spectrogram(part, layout))
            language = language or language_of(window, special, self._languages)
            token = self._token(language)
            most = min(most_tokens(seconds), self._files.context - len(special.prompt(token)))
            written = write_down(window, special, token, most, ended)
            piece = Heard(
                text=text_of(written.tokens, loaded.vocabulary),
                log_probability=written.log_probability,
                no_speech=written.no_speech,
                seconds=seconds,
                level=peak,
            )
            if piece.text.strip() and not invented(piece, language):
                heard.append(piece)
        return heard, language

    def _language(self, request: RecognitionRequest) -> str | None:
        """Return Whisper's code of the language, None to find it out."""
        if request.model not in (None, self._model.name):
            raise UnknownModel(f"axengine-whisper has {self._model.name}, not {request.model}")
        codes = tuple(self._languages)
        if request.language is None:
            return codes[0] if len(codes) == 1 else None
        code = chosen(request.language, codes)
        if code is None:
            raise UnknownModel(f"{self._model.name} does not know the language {request.language}")
        return code

    def _token(self, language: str) -> int | None:
        return self._languages[language] if self._files.languages else None


def _spectrogram(samples: Audio, layout: Layout) -> NDArray[np.float32]:
    """Return the networks' input, shape (bands, frames): after the sound comes 0, as in AXERA's own programs."""
    mel = log_mel(samples, layout.bands)[:, : layout.frames]
    return np.pad(mel, ((0, 0), (0, layout.frames - mel.shape[1])))
