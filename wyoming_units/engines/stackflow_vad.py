"""Voice detection of StackFlow's unit `vad`: Silero on the module, which tells when speech begins and ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from wyoming_units.engines._stackflow import Chunks, Service, engine_info, model_of, to_wire
from wyoming_units.engines.base import Audio, EngineInfo
from wyoming_units.speech.endpoint import VoiceThresholds
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk

_FRAME = 512
_SETUP = {
    "response_format": "vad.bool",
    "input": "vad.pcm.base64",
    "silero_vad.min_silence_duration": 0.1,
    "silero_vad.min_speech_duration": 0.1,
}
"""Of the module's own half second of silence our rules for the end of a turn would not know."""


class StackFlowVoiceDetector:
    """Judges frames of 32 ms, of one stream at a time: each is speech or is not."""

    frame = _FRAME
    thresholds = VoiceThresholds(stop=0.5)

    def __init__(self, *, mode: Mode, module: ModuleAt) -> None:
        """Prepare; nothing is sent."""
        self._mode = mode
        self._service = Service(module, mode)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model; it is made for all languages."""
        return engine_info("stackflow-vad", model_of(self._mode, ()))

    def load(self) -> None:
        """Set the unit up, if the module is there; `EngineFailed` where it cannot be."""
        self._service.open(**_SETUP)

    def close(self) -> None:
        """End the task; a stream that goes on fails."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the call that runs in a thread."""
        self._service.interrupt(thread)

    def start(self) -> _Stream:
        """Judge a new stream; `Busy` while another one goes on."""
        return _Stream(self._service, self._service.begin(**_SETUP))


class _Stream:
    """One stream of audio."""

    def __init__(self, service: Service, talk: Talk) -> None:
        self._service = service
        self._talk: Talk | None = talk
        self._chunks = Chunks(_FRAME)
        self._speech = False

    def feed(self, samples: Audio) -> Sequence[float]:
        """Return for each frame that these samples finish whether somebody speaks, as far as the module told yet."""
        talk = self._talk
        assert talk is not None, "closed"
        found: list[float] = []
        for frame in self._chunks.cut(samples):
            talk.send_bytes("vad.pcm.base64", to_wire(frame))
            spoken = self._speech
            while (reply := talk.heard()) is not None:
                if isinstance(reply.data, bool):
                    self._speech = reply.data
                    spoken |= reply.data  # speech that is told of when it is over was there
            found.append(float(spoken))
        return found

    def close(self) -> None:
        """Let others use the module's detector."""
        talk, self._talk = self._talk, None
        if talk is not None:
            self._service.end(talk)
