"""End of turn: rules that watch an utterance and say when the speaker is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Protocol

from wyoming_units.speech.level import Levels
from wyoming_units.speech.turn import Partial, Stretch, Turn, VoiceFrame

DEFAULT_SENSITIVITY = "default"

_SENTENCE_ENDS = frozenset(".!?…。！？｡؟।॥")
_TRAILING_OFF = ("...", "…")
_SURE = 0.5
"""Probability from which a model's word that the turn is over counts."""


class Ending(Enum):
    """Why a turn is over."""

    SILENCE = "silence"
    COMPLETE = "complete"
    PUNCTUATION = "punctuation"
    FINISHED = "finished"
    STABLE = "stable"
    LONG_SILENCE = "long-silence"
    MAXIMUM = "maximum"
    NO_SPEECH = "no-speech"


@dataclass(frozen=True, kw_only=True)
class TurnOptions:
    """When a turn is over, in seconds; the defaults are those of the sensitivity "default"."""

    silence: float = 0.5
    """Of silence after speech; Home Assistant itself waits 0.7."""
    complete: float = 0.25
    """Of silence after words that are a whole command and that nothing could follow."""
    whole: float = 0.35
    """Of silence after words that are a whole command, though more could follow."""
    punctuation: float = 0.3
    """Of silence after words that are written like a whole sentence."""
    finished: float = 0.2
    """Of silence after which a turn detection model, where there is one, is asked."""
    hesitation: float = 1.25
    """Of silence after words that such a model takes for unfinished."""
    stable: float = 1.5
    """In which a voice is heard and the words stay the same: it is somebody else's."""
    long_silence: float = 0.8
    """Of sound far below the speaker's level, be it a voice: a television, another room."""
    no_speech: float = 5.0
    """Of waiting for the first word."""
    maximum: float = 30.0
    """Of speech, whatever else."""
    draft: float = 0.15
    """Of silence after which a recogniser that needs the whole utterance begins, on trial."""

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules; the first that wants to end the turn gives the reason."""
        return (
            CompleteRule(self.complete, self.whole),
            PunctuationRule(self.punctuation),
            FinishedRule(),
            SilenceRule(self.silence, self.hesitation),
            StableRule(self.stable),
            LongSilenceRule(self.long_silence),
            MaximumRule(self.maximum),
            NoSpeechRule(self.no_speech),
        )

    @property
    def shortest(self) -> float:
        """Return the seconds before which nothing can end a turn, nor begin a draft."""
        return min(float(getattr(self, option.name)) for option in fields(self))


SENSITIVITIES: Mapping[str, TurnOptions] = {
    "aggressive": TurnOptions(
        silence=0.25, complete=0.2, whole=0.25, punctuation=0.25, hesitation=0.8
    ),
    DEFAULT_SENSITIVITY: TurnOptions(),
    "relaxed": TurnOptions(
        silence=1.25,
        complete=0.5,
        whole=0.9,
        punctuation=0.9,
        finished=0.6,
        hesitation=2.0,
        stable=3.0,
        long_silence=2.0,
    ),
}
"""Options by Wyoming's `vad_sensitivity`."""


class Rule(Protocol):
    """One reason to end a turn."""

    def check(self, turn: Turn) -> Ending | None:
        """Judge the turn after each frame."""


@dataclass(frozen=True)
class SilenceRule:
    """The speaker has spoken and then kept silent for a while."""

    seconds: float
    hesitation: float
    """Seconds where a model judged that there is more to come."""

    def check(self, turn: Turn) -> Ending | None:
        """End when the silence after speech is long enough."""
        doubtful = turn.finished is not None and turn.finished < _SURE
        needed = self.hesitation if doubtful else self.seconds
        return Ending.SILENCE if _paused(turn, needed) else None


@dataclass(frozen=True)
class CompleteRule:
    """A whole command has been said."""

    seconds: float
    """Where nothing could follow."""
    open_seconds: float
    """Where more could."""

    def check(self, turn: Turn) -> Ending | None:
        """End a short while after a whole command."""
        said = turn.partial
        if said is None or not (said.complete or said.whole):
            return None
        needed = self.seconds if said.complete else self.open_seconds
        return Ending.COMPLETE if _paused(turn, needed) else None


@dataclass(frozen=True)
class PunctuationRule:
    """The recogniser wrote a full stop."""

    seconds: float

    def check(self, turn: Turn) -> Ending | None:
        """End a short while after a whole sentence."""
        text = turn.partial.text.rstrip("\"'”’»)」』 ") if turn.partial else ""
        ends = text[-1:] in _SENTENCE_ENDS and not text.endswith(_TRAILING_OFF)
        return Ending.PUNCTUATION if text and ends and _paused(turn, self.seconds) else None


@dataclass(frozen=True)
class FinishedRule:
    """A model heard that the speaker has finished."""

    def check(self, turn: Turn) -> Ending | None:
        """End as soon as the model is sure."""
        over = turn.finished is not None and turn.finished >= _SURE and not turn.speaking
        return Ending.FINISHED if over else None


@dataclass(frozen=True)
class StableRule:
    """A voice goes on, and nothing is understood of it."""

    seconds: float

    def check(self, turn: Turn) -> Ending | None:
        """End when the words have not changed for long enough."""
        over = turn.unchanged is not None and turn.unchanged.lasted(self.seconds)
        return Ending.STABLE if over else None


@dataclass(frozen=True)
class LongSilenceRule:
    """The speaker is silent, while another voice is heard."""

    seconds: float

    def check(self, turn: Turn) -> Ending | None:
        """End when all, voices too, was far below the speaker's level for long enough."""
        voices = not turn.quiet.lasted(self.seconds)
        over = turn.spoken and voices and turn.far.lasted(self.seconds)
        return Ending.LONG_SILENCE if over else None


@dataclass(frozen=True)
class MaximumRule:
    """The turn has no end."""

    seconds: float

    def check(self, turn: Turn) -> Ending | None:
        """End a turn that is too long."""
        return Ending.MAXIMUM if turn.spoken and turn.whole.lasted(self.seconds) else None


@dataclass(frozen=True)
class NoSpeechRule:
    """Nobody speaks."""

    seconds: float

    def check(self, turn: Turn) -> Ending | None:
        """End when nothing was said for long enough."""
        over = not (turn.spoken or turn.speaking) and turn.quiet.lasted(self.seconds)
        return Ending.NO_SPEECH if over else None


def _paused(turn: Turn, seconds: float) -> bool:
    return turn.spoken and not turn.speaking and turn.quiet.lasted(seconds)


@dataclass(frozen=True, kw_only=True)
class VoiceThresholds:
    """When a voice detector's probability is speech."""

    start: float = 0.5
    """A voice begins at this probability."""
    stop: float = 0.35
    """It lasts until it falls below this one."""
    fading: float = 0.1
    """Seconds below `start` that are taken for silence after all, once it has fallen below `stop`: a detector
    hears a voice a little longer than it lasts."""
    opening: float = 0.3
    """Seconds from the start of the audio within which a voice must not have ended to count: what ends sooner is
    the rest of a wake word, and its speaker is about to begin."""
    least: float = 0.09
    """Seconds from which on it is speech; clicks are shorter, and neither are speech nor end a silence."""


class EndOfTurn:
    """Follows one utterance and asks the rules after every frame."""

    def __init__(self, rules: Iterable[Rule], thresholds: VoiceThresholds | None = None) -> None:
        """Compose rules; without any, the turn is only followed."""
        self._rules: Sequence[Rule] = tuple(rules)
        self._thresholds = thresholds or VoiceThresholds()
        self._levels = Levels()
        self._position = self._spoken_until = self._voiced = 0.0
        self._quiet: Stretch | None = None
        self._fading: Stretch | None = None
        """All since the voice was last sure, while it is heard."""
        self._far: Stretch | None = None
        self._whole: Stretch | None = None
        self._partial: Partial | None = None
        self._unchanged: Stretch | None = None
        self._finished: float | None = None

    def understood(self, partial: Partial | None) -> None:
        """Take what the recogniser made of the audio up to now; None takes it back."""
        if partial != self._partial:
            self._partial, self._unchanged = partial, None

    def judged(self, finished: float) -> None:
        """Take a model's probability that the speaker has finished, for the silence that there is now."""
        self._finished = finished

    def update(self, frame: VoiceFrame) -> tuple[Turn, Ending | None]:
        """Take the next frame; return the turn, and why it is over, None while it is not."""
        turn = self._follow(frame)
        endings = (rule.check(turn) for rule in self._rules)
        return turn, next((ending for ending in endings if ending is not None), None)

    def _follow(self, frame: VoiceFrame) -> Turn:
        limits = self._thresholds
        speaking = frame.probability >= (limits.stop if self._voiced else limits.start)
        self._voiced = self._voiced + frame.duration if speaking else 0.0
        self._position += frame.duration
        speech = self._voiced >= limits.least - 1e-6
        self._levels.add(frame.level, frame.duration, speech=speech)
        begins = speech and not self._spoken_until
        if speech:
            self._spoken_until = self._position
            self._finished = None
            sure = frame.probability >= limits.start
            self._fading = _grown(self._fading, frame, anew=sure)
        elif self._fading is not None:
            self._quiet, self._fading = self._fading.last(limits.fading), None
        self._quiet = _grown(self._quiet, frame, anew=speech)
        self._far = _grown(self._far, frame, anew=speech and not self._levels.far)
        self._whole = _grown(self._whole, frame, anew=begins)
        if self._partial is not None and self._partial.text:
            self._unchanged = _grown(self._unchanged, frame)
        spoken = self._spoken_until >= limits.opening - 1e-6
        return Turn(
            spoken=spoken,
            speaking=speaking,
            quiet=self._quiet,
            far=self._far,
            whole=self._whole,
            position=self._position,
            spoken_until=self._spoken_until if spoken else 0.0,
            partial=self._partial,
            unchanged=self._unchanged,
            finished=self._finished,
        )


def _grown(stretch: Stretch | None, frame: VoiceFrame, *, anew: bool = False) -> Stretch:
    """Return a stretch with the frame, or one that begins after it."""
    if anew:
        return Stretch(frame.arrived)
    stretch = stretch or Stretch(frame.arrived)
    stretch.add(frame.duration, frame.arrived)
    return stretch
