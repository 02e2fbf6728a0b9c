"""End of turn: rules that watch the voice activity of an utterance and say when the speaker is done.

Pacing. Audio that comes much faster than real time is a recording and is cut only where its sender
ends it. So a silence counts only if it was lived: the frames of it must have taken at least half of
their duration, by the clock, to arrive. The comparison is made from every moment of the silence on,
not only from its start: a burst of pre-roll followed by live audio ends as soon as enough of the live
silence is there, and a network that stalls and then catches up has still spent the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

_MIN_PACE = 0.5
"""Share of its duration that a silence must take to arrive."""

DEFAULT_SENSITIVITY = "default"

SILENCE = {"aggressive": 0.25, "default": 0.5, "relaxed": 1.25}
"""Seconds of silence by Wyoming's `vad_sensitivity`, shorter for "default" than Home Assistant's 0.7."""


class Ending(Enum):
    """Why a turn is over."""

    SILENCE = "silence"
    NO_SPEECH = "no-speech"


@dataclass(frozen=True, kw_only=True)
class VoiceFrame:
    """What is known about one frame of audio."""

    probability: float
    """That it is speech, in [0, 1]."""
    duration: float
    """In seconds."""
    arrived: float
    """When its last sample came to this node, in seconds of a monotonic clock."""
    transcript: str | None = None
    """Text so far, where the recogniser gives it."""


class Quiet:
    """A stretch of audio without speech."""

    def __init__(self, arrived: float) -> None:
        """Begin after audio that arrived at this moment."""
        self._points = [(0.0, arrived)]

    def extend(self, frame: VoiceFrame) -> None:
        """Append a frame."""
        self.add(frame.duration, frame.arrived)

    def add(self, duration: float, arrived: float) -> None:
        """Append seconds of audio that came at a moment."""
        self._points.append((self._points[-1][0] + duration, arrived))

    def lasted(self, seconds: float) -> bool:
        """Return whether at least `seconds` up to now were lived."""
        end, now = self._points[-1]
        return any(
            now - arrived >= _MIN_PACE * (end - position)
            for position, arrived in self._points
            if end - position >= seconds - 1e-6  # sums of frame durations are not exact
        )


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The utterance up to now, as rules see it."""

    spoken: bool
    """Whether speech was heard at all."""
    speaking: bool
    """Whether a voice is heard now; it may yet turn out to be a click."""
    quiet: Quiet
    """All since the last speech, or since the start."""
    transcript: str | None


class Rule(Protocol):
    """One reason to end a turn; it may keep state of its own."""

    def check(self, turn: Turn) -> Ending | None:
        """Judge the turn after each frame."""


@dataclass(frozen=True)
class SilenceRule:
    """The speaker has spoken and then kept silent for a while."""

    seconds: float = SILENCE[DEFAULT_SENSITIVITY]

    def check(self, turn: Turn) -> Ending | None:
        """End when the silence after speech is long enough."""
        over = turn.spoken and not turn.speaking and turn.quiet.lasted(self.seconds)
        return Ending.SILENCE if over else None


@dataclass(frozen=True)
class NoSpeechRule:
    """Nobody speaks."""

    seconds: float = 5.0

    def check(self, turn: Turn) -> Ending | None:
        """End when nothing was said for long enough."""
        over = not (turn.spoken or turn.speaking) and turn.quiet.lasted(self.seconds)
        return Ending.NO_SPEECH if over else None


class EndOfTurn:
    """Follows one utterance and asks the rules after every frame.

    A voice begins at a probability of `start` and lasts until it falls below `stop`; it counts as
    speech once it has lasted `min_speech` seconds, so clicks neither are speech nor end a silence.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        start: float = 0.5,
        stop: float = 0.35,
        min_speech: float = 0.09,
    ) -> None:
        """Compose rules; the first that wants to end the turn gives the reason."""
        self._rules: Sequence[Rule] = tuple(rules)
        self._start = start
        self._stop = stop
        self._min_speech = min_speech - 1e-6
        self._voiced = 0.0
        self._spoken = False
        self._quiet: Quiet | None = None

    def update(self, frame: VoiceFrame) -> Ending | None:
        """Take the next frame; return why the turn is over, None while it is not."""
        turn = self._follow(frame)
        endings = (rule.check(turn) for rule in self._rules)
        return next((ending for ending in endings if ending is not None), None)

    def _follow(self, frame: VoiceFrame) -> Turn:
        quiet = self._quiet or Quiet(frame.arrived)
        speaking = frame.probability >= (self._stop if self._voiced else self._start)
        self._voiced = self._voiced + frame.duration if speaking else 0.0
        if self._voiced >= self._min_speech:
            self._spoken = True
            quiet = Quiet(frame.arrived)
        else:
            quiet.extend(frame)
        self._quiet = quiet
        return Turn(
            spoken=self._spoken,
            speaking=speaking,
            quiet=quiet,
            transcript=frame.transcript,
        )


def end_of_turn(sensitivity: str = DEFAULT_SENSITIVITY) -> EndOfTurn:
    """Return the usual rules for a `vad_sensitivity`, a key of `SILENCE`."""
    return EndOfTurn([SilenceRule(SILENCE[sensitivity]), NoSpeechRule()])
