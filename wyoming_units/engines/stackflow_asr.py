"""Speech recognition of StackFlow's unit `asr`: streaming Zipformers, and SenseVoice for whole utterances."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property, partial

import numpy as np

from wyoming_units.engines._sherpa import check_request, sentence
from wyoming_units.engines._stackflow import (
    Chunks,
    Service,
    delta_of,
    engine_info,
    joined,
    model_of,
    to_wire,
)
from wyoming_units.engines.base import (
    RATE,
    Audio,
    EngineInfo,
    Partial,
    Recognition,
    RecognitionRequest,
    RecognitionStream,
)
from wyoming_units.errors import TimedOut, UnitError
from wyoming_units.speech.cutting import cut_quietly
from wyoming_units.stackflow.framing import Reply
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk, Task

_STREAMING = "sherpa-"
"""How the names of modes begin that decode while somebody speaks."""
_ITN = "model_config.sense_voice.use_itn"
_CHUNK = RATE // 10
_TAIL: Audio = np.zeros(RATE * 3 // 2, np.float32)
"""Silence after which an endpoint rule of the module ends the utterance: it waits for 1.2 s."""
_SILENCE = 1.5
"""Seconds without a reply that mean that there is no text: firmware before 2026 is silent on silence."""
_BURST = 1.0
"""Seconds that audio is ahead of real time from which on the module may have more than one text to tell."""
_LONGEST = 10 * RATE
"""Samples that SenseVoice hears at a time."""
_WINDOW = 512
"""Samples that the voice detector in front of SenseVoice takes at a time."""


class StackFlowRecognizer:
    """Recognises with one mode, one utterance at a time."""

    def __init__(
        self, *, mode: Mode, module: ModuleAt, use_itn: bool = True, patience: float = 10.0
    ) -> None:
        """`use_itn` lets SenseVoice write numbers and punctuation; a text may be `patience` seconds late."""
        self._mode = mode
        self._patience = patience
        self._use_itn = use_itn
        self._streams = mode.name.startswith(_STREAMING)
        self._setup: dict[str, object] = {
            "response_format": "asr.utf-8.stream",
            "input": "asr.base64",
            **({} if self._streams else {_ITN: use_itn}),
        }
        self._service = Service(module, mode)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        return engine_info("stackflow-asr", model_of(self._mode), open_vocabulary=True)

    def load(self) -> None:
        """Set the unit up, if the module is there; `EngineFailed` where it cannot be."""
        self._service.open(**self._setup)

    def close(self) -> None:
        """Free the module's memory."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the call that runs in a thread."""
        self._service.interrupt(thread)

    def start(self, request: RecognitionRequest) -> RecognitionStream:
        """Begin an utterance; `UnknownModel` for a model or language that it does not have, `Busy`."""
        check_request(self.info.models[0], request)
        if self._streams:
            return _Live(self._service, self._service.begin(**self._setup), self._patience)
        return _Whole(self._service.task(**self._setup), self._patience, self._use_itn)


class _Live:
    """An utterance that is decoded while it is spoken."""

    def __init__(self, service: Service, talk: Talk, patience: float) -> None:
        self._service = service
        self._talk: Talk | None = talk
        self._patience = patience
        self._chunks = Chunks(_CHUNK)
        self._began = time.monotonic()
        self._sent = 0.0
        self._said: list[str] = []
        """What was said before pauses in which the module thought that it was all."""
        self._current = ""
        self._told = ""
        self._open = False
        """Whether the module has heard something of an utterance that it has not ended."""

    def feed(self, samples: Audio) -> Partial | None:
        """Take the next samples; return the text so far where it has changed."""
        talk = self._talk
        if talk is None:
            return None
        self._send(talk, self._chunks.cut(samples))
        while (reply := talk.heard()) is not None:
            self._take(reply)
        if (text := self._text()) == self._told:
            return None
        self._told = text
        return Partial(text=text)

    def finish(self) -> Recognition:
        """Return the text of the whole utterance."""
        talk = self._talk
        if talk is None:
            return Recognition(text="")
        ahead = max(0.0, self._sent - (time.monotonic() - self._began))
        self._end(talk)
        try:
            while not self._take(talk.receive(ahead + self._wait())):
                continue
            while ahead > _BURST:
                self._take(talk.receive(_SILENCE))
        except TimedOut:
            pass  # what is there is all that there is
        self._open = False
        return Recognition(text=self._text())

    def close(self) -> None:
        """Let others speak to the module; an utterance that was given up is ended, and its text is nobody's."""
        talk, self._talk = self._talk, None
        if talk is None:
            return
        try:
            with suppress(UnitError):  # where the module is gone, so is the utterance
                if self._open:
                    self._end(talk)
                    talk.receive(0.0)  # what is asked for and not waited for is dropped later
        finally:
            self._service.end(talk)

    def _end(self, talk: Talk) -> None:
        self._send(talk, [self._chunks.rest, *np.split(_TAIL, len(_TAIL) // _CHUNK)])

    def _send(self, talk: Talk, pieces: list[Audio]) -> None:
        for piece in pieces:
            if len(piece):
                talk.send_bytes("asr.base64", to_wire(piece))
                self._sent += len(piece) / RATE
                self._open = True

    def _wait(self) -> float:
        """Return the seconds in which the next reply must come; a text that was begun will be ended."""
        return self._patience if self._current else min(_SILENCE, self._patience)

    def _take(self, reply: Reply) -> bool:
        """Take a reply: the text since the last pause; return whether a pause ends it."""
        text, last = delta_of(reply.data)
        if last:
            self._said.append(text.strip().removesuffix("."))
        self._current = "" if last else text
        return last

    def _text(self) -> str:
        return sentence(joined([*self._said, self._current]))


class _Whole:
    """An utterance that is decoded when it is over."""

    def __init__(self, task: Task, patience: float, use_itn: bool) -> None:
        self._task = task
        self._patience = patience
        self._use_itn = use_itn
        self._heard: list[Audio] = []

    def feed(self, samples: Audio) -> Partial | None:
        """Take the next samples."""
        self._heard.append(samples)
        return None

    def finish(self) -> Recognition:
        """Return the text of the whole utterance."""
        samples = np.concatenate(self._heard) if self._heard else np.empty(0, np.float32)
        if not len(samples):
            return Recognition(text="")
        pieces = cut_quietly(samples, _LONGEST - _WINDOW)
        return Recognition(
            text=joined(self._task.run(partial(self._hear, piece)) for piece in pieces)
        )

    def close(self) -> None:
        """Forget the audio."""
        self._heard.clear()

    def _hear(self, samples: Audio, talk: Talk) -> str:
        """Return the text of a piece; newer firmware tells of each stretch of speech before the whole."""
        talk.send_bytes("asr.base64", to_wire(_flushed(samples)))
        stretches: list[str] = []
        while True:
            text, last = delta_of(talk.receive(self._patience + len(samples) / RATE).data)
            if last:
                text = text.strip() if self._use_itn else text.strip().removesuffix(".")
                return text or joined(stretches)
            stretches.append(text)


def _flushed(samples: Audio) -> Audio:
    """Return samples with silence after them, so that their last window is not whole.

    Only then does the module's voice detector give up the speech that it has; else it is heard with the next piece.
    """
    return np.pad(samples, (0, (_WINDOW // 2 - len(samples)) % _WINDOW))
