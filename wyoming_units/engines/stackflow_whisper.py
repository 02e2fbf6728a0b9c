"""Whisper on a module's NPU, as StackFlow runs it: one language for each setup, half a minute of sound at a time."""

from __future__ import annotations

from functools import cached_property, partial

from wyoming_units.engines._sherpa import check_request
from wyoming_units.engines._stackflow import (
    Service,
    delta_of,
    engine_info,
    joined,
    model_of,
    to_wire,
)
from wyoming_units.engines._whisper_languages import LANGUAGES, chosen, offered, soundless
from wyoming_units.engines.base import RATE, Audio, EngineInfo, Recognition, RecognitionRequest
from wyoming_units.errors import TimedOut, UnknownModel
from wyoming_units.speech.cutting import cut_quietly
from wyoming_units.speech.hallucination import Heard, invented, loudest
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk

_CODES = tuple(code for code in LANGUAGES if code != "yue")
"""The vocabulary of the modes has no Cantonese."""
_ALWAYS_ANSWERED = ("en", "ja")
"""Languages in which the module answers also where it understood nothing."""
_LONGEST = 29 * RATE
"""Samples; the network hears 30 s."""
_SETTLE = 4.0
"""Seconds in which the text of a request that was given up may still come, as if it were the next one's."""


class StackFlowWhisper:
    """Writes down what is said; another language than before needs another setup, which takes some seconds."""

    def __init__(
        self, *, mode: Mode, module: ModuleAt, language: str = "en", patience: float = 4.0
    ) -> None:
        """`language` is that of requests which name none; a text may take `patience` seconds and the sound's length."""
        self._mode = mode
        self._patience = patience
        self._language = self._code(language)
        self._service = Service(module, mode, settle=_SETTLE)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model; it knows more languages than the two or three that the module tells of."""
        model = model_of(self._mode, offered(_CODES))
        return engine_info("stackflow-whisper", model, open_vocabulary=True)

    def load(self) -> None:
        """Set the unit up, if the module is there; `EngineFailed` where it cannot be."""
        self._service.open(**_setup(self._language))

    def close(self) -> None:
        """Free the module's memory."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the recognition that runs in a thread."""
        self._service.interrupt(thread)

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        """Return the text; `UnknownModel` for a model or language that it does not have."""
        check_request(self.info.models[0], request)
        code = self._code(request.language) if request.language else self._language
        if soundless(len(samples) / RATE, loudest(samples)):
            return Recognition(text="", language=request.language)
        task = self._service.task(**_setup(code))
        texts = [
            task.run(partial(self._hear, part, code)) for part in cut_quietly(samples, _LONGEST)
        ]
        return Recognition(text=joined(texts), language=request.language or code)

    def _code(self, language: str) -> str:
        code = chosen(language, _CODES)
        if code is None:
            raise UnknownModel(f"{self._mode.name} does not know the language {language}")
        return code

    def _hear(self, samples: Audio, code: str, talk: Talk) -> str:
        """Return the text of at most 30 s, "" where nothing was understood or it was made up."""
        seconds = len(samples) / RATE
        talk.send_bytes("whisper.base64", to_wire(samples))
        try:
            text, _ = delta_of(talk.receive(self._patience + seconds).data)
        except TimedOut:
            if code in _ALWAYS_ANSWERED:
                raise
            return ""
        text = text.strip().removesuffix(".")  # of the module, which does not look for one
        # How sure the network is, nobody tells: only sound that can hardly be speech speaks against a text.
        heard = Heard(
            text=text,
            log_probability=0.0,
            no_speech=0.0,
            seconds=seconds,
            level=loudest(samples),
        )
        return "" if invented(heard, code) else text


def _setup(code: str) -> dict[str, object]:
    return {"response_format": "asr.utf-8", "input": "whisper.base64", "language": code}
