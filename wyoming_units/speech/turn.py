"""What is known of a turn, frame by frame, and how long its silences were lived.

Pacing. Audio that comes much faster than real time is a recording and is cut only where its sender
ends it. So a silence counts only if it was lived: the frames of it must have taken at least half of
their duration, by the clock, to arrive. The comparison is made from every moment of the silence on,
not only from its start: a burst of pre-roll followed by live audio ends as soon as enough of the live
silence is there, and a network that stalls and then catches up has still spent the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

_MIN_PACE = 0.5
"""Share of its duration that a silence must take to arrive."""


@dataclass(frozen=True, kw_only=True)
class VoiceFrame:
    """What is known about one frame of audio."""

    probability: float
    """That it is speech, in [0, 1]."""
    duration: float
    """In seconds."""
    arrived: float
    """When its last sample came to this node, in seconds of a monotonic clock."""
    level: float = 0.0
    """Loudness, in dB of full scale."""


class Stretch:
    """Audio since some moment."""

    def __init__(self, arrived: float) -> None:
        """Begin after audio that arrived at this moment."""
        self._points = [(0.0, arrived)]

    def add(self, duration: float, arrived: float) -> None:
        """Append seconds of audio that came at a moment."""
        self._points.append((self._points[-1][0] + duration, arrived))

    def last(self, seconds: float) -> Stretch:
        """Return the last seconds of it, or all where it is shorter."""
        end = self._points[-1][0]
        kept = [point for point in self._points if end - point[0] <= seconds + 1e-6]
        stretch = Stretch(kept[0][1])
        stretch._points = [(position - kept[0][0], arrived) for position, arrived in kept]
        return stretch

    def lasted(self, seconds: float) -> bool:
        """Return whether at least `seconds` up to now were lived."""
        end, now = self._points[-1]
        latest = end - seconds + 1e-6  # sums of frame durations are not exact
        return any(
            now - arrived >= _MIN_PACE * (end - position)
            for position, arrived in takewhile(lambda point: point[0] <= latest, self._points)
        )


@dataclass(frozen=True, kw_only=True)
class Partial:
    """The text so far of an utterance that goes on."""

    text: str
    complete: bool = False
    """Whether it is a whole command and nothing that the recogniser knows could follow."""
    whole: bool = False
    """Whether it is a whole command, though more may follow."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The utterance up to now, as rules see it."""

    spoken: bool
    """Whether speech was heard at all."""
    speaking: bool
    """Whether a voice is heard now; it may yet turn out to be a click."""
    quiet: Stretch
    """All since the last speech, or since the start."""
    far: Stretch
    """All since the last sound that was about as loud as the speaker, or since the start."""
    whole: Stretch
    """All since speech began, or since the start."""
    position: float = 0.0
    """Seconds from the start of the audio."""
    spoken_until: float = 0.0
    """The position at which the last speech ended."""
    partial: Partial | None = None
    unchanged: Stretch | None = None
    """All since the text last changed; None without a text."""
    finished: float | None = None
    """Probability that the speaker has finished, where a model judged this silence."""
