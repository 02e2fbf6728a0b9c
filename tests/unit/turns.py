"""Frames of audio with the moment at which they arrived, for tests on virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wyoming_units.speech.endpoint import (
    SENSITIVITIES,
    Ending,
    EndOfTurn,
    SilenceRule,
)
from wyoming_units.speech.turn import VoiceFrame

FRAME = 0.032
VOICE, NOISE, CLICK = 0.95, 0.03, 0.8


def end_of_turn(sensitivity: str = "default") -> EndOfTurn:
    return EndOfTurn(SENSITIVITIES[sensitivity].rules())


def silence_of(seconds: float) -> EndOfTurn:
    """Return a turn that only a silence can end."""
    return EndOfTurn([SilenceRule(seconds, hesitation=9)])


def probabilities(*stretches: tuple[float, float]) -> list[float]:
    """Return a probability per frame for stretches of (probability, seconds)."""
    return [value for value, seconds in stretches for _ in range(round(seconds / FRAME))]


def live(values: Iterable[float], start: float = 100.0) -> Iterator[VoiceFrame]:
    """Yield frames that arrive as they are spoken."""
    for index, value in enumerate(values, 1):
        yield VoiceFrame(probability=value, duration=FRAME, arrived=start + index * FRAME)


def burst(values: Iterable[float], start: float = 100.0) -> Iterator[VoiceFrame]:
    """Yield frames that arrive all at once, as those of a file do."""
    for value in values:
        yield VoiceFrame(probability=value, duration=FRAME, arrived=start)


def run(frames: Iterable[VoiceFrame], turn: EndOfTurn | None = None) -> tuple[Ending, int] | None:
    """Return how the turn ended and after how many frames, None if it did not."""
    turn = turn or end_of_turn()
    for count, frame in enumerate(frames, 1):
        _, ending = turn.update(frame)
        if ending:
            return ending, count
    return None


def ended_at(frames: Iterable[VoiceFrame], turn: EndOfTurn | None = None) -> float:
    """Return the seconds of audio after which the turn ended by silence."""
    result = run(frames, turn)
    assert result is not None
    ending, count = result
    assert ending is Ending.SILENCE
    return count * FRAME


def exact(*stretches: tuple[float, int], duration: float, pace: float = 1) -> Iterator[VoiceFrame]:
    """Yield stretches of (probability, frames) in frames of a duration, sent `pace` times as fast as spoken."""
    values = [value for value, frames in stretches for _ in range(frames)]
    for index, value in enumerate(values, 1):
        yield VoiceFrame(probability=value, duration=duration, arrived=index * duration / pace)
