"""MeloTTS on a module's NPU, as StackFlow runs it: each fragment of a text is sent as soon as it is spoken."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property, partial

from wyoming_units.engines._piper_voice import check_voice, says_anything
from wyoming_units.engines._stackflow import (
    Left,
    Service,
    delta_of,
    engine_info,
    from_wire,
    model_of,
    on_one_line,
    say,
)
from wyoming_units.engines.base import RATE, Emit, EngineInfo, Model, SynthesisRequest
from wyoming_units.errors import BadRequest, UnknownVoice
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk

_RATES = range(8_000, 48_001)
_PER_LETTER = 0.1
"""Seconds that the module may take for a letter, besides its patience."""


class StackFlowMeloTts:
    """Speaks with one voice; another speed than before needs another setup, which takes some seconds."""

    def __init__(
        self, *, mode: Mode, module: ModuleAt, rate: int | None = None, patience: float = 10.0
    ) -> None:
        """`rate` is in Hz, the mode's when None; `BadRequest`. A fragment may take `patience` seconds and more."""
        self._mode = mode
        self._rate = rate or int(mode.parameters.get("audio_rate", RATE))
        if self._rate not in _RATES:
            raise BadRequest(f"{mode.name} cannot speak at {self._rate} Hz")
        self._patience = patience
        self._service = Service(module, mode)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one voice."""
        return engine_info("stackflow-melotts", model_of(self._mode, rate=self._rate))

    def load(self) -> None:
        """Set the unit up, if the module is there; `EngineFailed` where it cannot be."""
        self._service.open(**self._setup(1.0))

    def close(self) -> None:
        """Free the module's memory."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the synthesis that runs in a thread."""
        self._service.interrupt(thread)

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the one voice; `UnknownVoice` for any other."""
        return check_voice(self.info.models[0], name, language)

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak a text, each fragment of it when the module has made it."""
        self.voice(request.voice, request.language)
        if request.speaker is not None:
            raise UnknownVoice(f"{self._mode.name} has only one speaker")
        text = on_one_line(request.text)
        if says_anything(text):
            task = self._service.task(**self._setup(request.speed))
            with suppress(Left):
                task.run(partial(self._speak, text, emit))

    def _setup(self, speed: float) -> dict[str, object]:
        usual = float(self._mode.parameters.get("spacker_speed", 1.0))
        return {
            "response_format": "pcm.stream.base64",
            "input": "tts.utf-8",
            "audio_rate": self._rate,
            "spacker_speed": round(usual * speed, 2),
        }

    def _speak(self, text: str, emit: Emit, talk: Talk) -> None:
        """The last message may have sound or none; what newer firmware sends after it is dropped."""
        talk.send_text("tts.utf-8", text)
        last = False
        while not last:
            reply = talk.receive(self._patience + _PER_LETTER * len(text))
            sound, last = delta_of(reply.data)
            say(from_wire(sound), self._rate, emit)
