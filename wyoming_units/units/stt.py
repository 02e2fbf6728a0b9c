"""The stt unit: `transcribe`, audio -> `transcript`; it decides itself when the speaker has finished."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from wyoming.asr import Transcribe, Transcript

from wyoming_units.engines.base import (
    RATE,
    Recognition,
    RecognitionRequest,
    RecognitionStream,
    Recognizer,
    VoiceDetector,
    VoiceStream,
)
from wyoming_units.errors import TooLarge
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.endpoint import EndOfTurn, Ending, VoiceFrame, end_of_turn
from wyoming_units.units.audio import AUDIO_BODY, AudioInput
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.read import home, optional_text
from wyoming_units.wire.requests import Arrival, Request, Route

MOST_SECONDS = 60.0
"""Of one utterance."""


class SttUnit:
    """Turns utterances into text."""

    kind: ClassVar[str] = "stt"

    def __init__(self, recognizer: Recognizer, voice_detector: VoiceDetector | None) -> None:
        self._lane = Lane(recognizer)
        self._vad = Lane(voice_detector) if voice_detector else None
        self.routes = (
            Route(
                opener="transcribe",
                run=self._transcribe,
                body=AUDIO_BODY,
                begin="audio-start",
                end="audio-stop",
            ),
        )
