"""A voice of a module, whichever of its units speaks with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, ClassVar

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
from wyoming_units.engines.base import Emit, EngineInfo, Model, SynthesisRequest
from wyoming_units.errors import UnknownVoice
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk


class StackFlowVoice:
    """Speaks with one voice; another speed than before needs another setup, which takes some seconds."""

    name: ClassVar[str]
    """In the table of engines."""
    per_letter: ClassVar[float]
    """Seconds that the module may take for a letter, besides its patience."""

    def __init__(self, *, mode: Mode, module: ModuleAt, rate: int, patience: float) -> None:
        """`rate` is in Hz; a piece of text may take `patience` seconds, and more the longer it is."""
        self._mode = mode
        self._rate = rate
        self._patience = patience
        self._service = Service(module, mode)

    def setup(self, speed: float, usual: float) -> dict[str, Any]:
        """Return the keys of `setup` for so many times the mode's `usual` speed."""
        raise NotImplementedError

    def parts(self, text: str) -> Sequence[str]:
        """Return what is sent at a time of a text on one line."""
        return (text,)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one voice."""
        return engine_info(self.name, model_of(self._mode, rate=self._rate))

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
        parts = [part for part in self.parts(on_one_line(request.text)) if says_anything(part)]
        if parts:
            task = self._service.task(**self._setup(request.speed))
            with suppress(Left):
                task.run(partial(self._speak, parts, emit))

    def _setup(self, speed: float) -> dict[str, Any]:
        usual = float(self._mode.parameters.get("spacker_speed", 1.0))
        return {"input": "tts.utf-8", **self.setup(speed, usual)}

    def _speak(self, parts: Sequence[str], emit: Emit, talk: Talk) -> None:
        """The last message of a part may have sound or none; what newer firmware sends after it is dropped."""
        for part in parts:
            talk.send_text("tts.utf-8", part)
            last = False
            while not last:
                reply = talk.receive(self._patience + self.per_letter * len(part))
                sound, last = delta_of(reply.data)
                say(from_wire(sound), self._rate, emit)
