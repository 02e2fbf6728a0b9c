"""The audio of one utterance on its way from the wire: its samples, and the turn that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wyoming_units.engines.base import RATE, Audio, VoiceStream
from wyoming_units.errors import TooLarge
from wyoming_units.speech.endpoint import Ending, EndOfTurn
from wyoming_units.speech.level import level
from wyoming_units.speech.turn import Stretch, Turn, VoiceFrame
from wyoming_units.units.audio import AudioInput
from wyoming_units.wire.requests import Arrival

MOST_SECONDS = 60.0
"""Of one utterance."""


@dataclass(kw_only=True)
class Follower:
    """Shows audio to a voice detector and to the rules that end a turn.

    A recording, of which no silence was lived, is not judged: nothing could end it.
    """

    voice: VoiceStream
    rules: EndOfTurn
    frame: float
    """Seconds per frame of the voice detector."""
    least: float
    """Seconds of audio that must have been lived before any is judged."""
    turn: Turn | None = None
    """As it was after the last frame; None while nothing is judged."""
    _lived: Stretch | None = None
    _unjudged: list[tuple[Audio, float]] = field(default_factory=list)

    def follow(self, samples: Audio, at: float) -> Ending | None:
        """Take audio that came at a moment; return why the turn is over, None while it is not."""
        self._lived = self._lived or Stretch(at)
        self._lived.add(len(samples) / RATE, at)
        self._unjudged.append((samples, at))
        if not self._lived.lasted(self.least):
            return None
        waiting, self._unjudged = self._unjudged, []
        endings = (self._judge(*each) for each in waiting)
        return next((ending for ending in endings if ending is not None), None)

    def _judge(self, samples: Audio, at: float) -> Ending | None:
        loudness = level(samples)
        for probability in self.voice.feed(samples):
            self.turn, ending = self.rules.update(
                VoiceFrame(probability=probability, duration=self.frame, arrived=at, level=loudness)
            )
            if ending is not None:
                return ending
        return None


@dataclass(kw_only=True)
class Listener:
    """Takes the audio events of one utterance."""

    follower: Follower | None
    """None where only the client ends the turn."""
    audio: AudioInput = field(default_factory=AudioInput)
    length: int = 0
    """Samples so far."""
    _pieces: list[Audio] = field(default_factory=list)

    def hear(self, arrivals: Sequence[Arrival]) -> tuple[Audio, Ending | None]:
        """Take audio events; return their samples, and why the turn is over, None while it is not."""
        heard: list[Audio] = []
        ending = None
        for arrival in arrivals:
            samples = self.audio.read(arrival.event)
            self._keep(samples)
            heard.append(samples)
            if self.follower is not None and len(samples):
                ending = self.follower.follow(samples, arrival.at)
                if ending is not None:
                    break
        return np.concatenate(heard), ending

    def flush(self) -> Audio:
        """Return the last samples, after all events."""
        rest = self.audio.flush()
        self._keep(rest)
        return rest

    def since(self, start: int = 0) -> Audio:
        """Return all samples from an index on."""
        if len(self._pieces) > 1:
            self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0][start:] if self._pieces else np.zeros(0, np.float32)

    @property
    def seconds(self) -> float:
        """Return how much was heard."""
        return self.length / RATE

    @property
    def turn(self) -> Turn | None:
        """Return the turn as it was judged last, None where nothing was."""
        return self.follower.turn if self.follower else None

    def _keep(self, samples: Audio) -> None:
        self._pieces.append(samples)
        self.length += len(samples)
        if self.seconds > MOST_SECONDS:
            raise TooLarge(f"the utterance is longer than {MOST_SECONDS:g} s")
