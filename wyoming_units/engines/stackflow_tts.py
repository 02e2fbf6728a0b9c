"""SummerTTS on a module's processor, as StackFlow's unit `tts` runs it: one language and one voice, at 16 kHz."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cached_property, partial

from wyoming_units.engines._piper_voice import check_voice, says_anything
from wyoming_units.engines._stackflow import (
    Left,
    Service,
    engine_info,
    from_wire,
    model_of,
    on_one_line,
    say,
)
from wyoming_units.engines.base import RATE, Emit, EngineInfo, Model, SynthesisRequest
from wyoming_units.errors import UnknownVoice
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk

_FRAGMENT = re.compile(r"[^,.!?;，、。！？；]+[,.!?;，、。！？；]?")
_PER_LETTER = 0.2
"""Seconds that the module may take for a letter, besides its patience."""


class StackFlowTts:
    """Speaks with one voice; another speed than before needs another setup, which takes some seconds."""

    def __init__(self, *, mode: Mode, module: ModuleAt, patience: float = 10.0) -> None:
        """A fragment of text may take `patience` seconds, and more the longer it is."""
        self._mode = mode
        self._patience = patience
        self._service = Service(module, mode)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one voice."""
        return engine_info("stackflow-tts", model_of(self._mode, rate=RATE))

    def load(self) -> None:
        """Set the unit up, if the module is there; `EngineFailed` where it cannot be."""
        self._service.open(**self._setup(1.0))

    def close(self) -> None:
        """End the task."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the synthesis that runs in a thread."""
        self._service.interrupt(thread)

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the one voice; `UnknownVoice` for any other."""
        return check_voice(self.info.models[0], name, language)

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak fragment by fragment, each of which the module makes as a whole."""
        self.voice(request.voice, request.language)
        if request.speaker is not None:
            raise UnknownVoice(f"{self._mode.name} has only one speaker")
        fragments = [text for text in _fragments(request.text) if says_anything(text)]
        if fragments:
            task = self._service.task(**self._setup(request.speed))
            with suppress(Left):
                task.run(partial(self._speak, fragments, emit))

    def _setup(self, speed: float) -> dict[str, object]:
        """Return the keys of `setup`; what it calls speed is how long each sound is."""
        usual = float(self._mode.parameters.get("spacker_speed", 1.0))
        return {
            # The other formats have no sound in them, though "wav" they are not: there is no header.
            "response_format": "tts.base64.wav",
            "input": "tts.utf-8",
            "spacker_speed": round(usual / speed, 2),
        }

    def _speak(self, fragments: list[str], emit: Emit, talk: Talk) -> None:
        """Send a fragment at a time: nothing tells the end of a longer answer but the number of its messages."""
        for text in fragments:
            talk.send_text("tts.utf-8", text)
            reply = talk.receive(self._patience + _PER_LETTER * len(text))
            say(from_wire(reply.data), RATE, emit)


def _fragments(text: str) -> list[str]:
    """Return what the module would speak at a time: it stops at each of these signs."""
    return [found.strip() for found in _FRAGMENT.findall(on_one_line(text))]
