"""What an engine is: small protocols with blocking calls, numpy in, plain dataclasses out.

Engines know nothing of Wyoming. A constructor is cheap (no weights, no heavy import), so `info` can be
told before `load` has run. Every other call may block and runs in a worker thread, but for those of language
models, which are asynchronous. Failures are raised from `wyoming_units.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wyoming_units.chat.exchange import ChatRequest, Delta
from wyoming_units.speech.endpoint import VoiceThresholds
from wyoming_units.speech.home import Home
from wyoming_units.speech.turn import Partial as Partial  # noqa: PLC0414  a result of engines
from wyoming_units.vision.scene import Pixels, Scene

RATE = 16_000
"""Sample rate of all audio that goes into an engine, in Hz."""

Audio = NDArray[np.float32]
"""Mono samples in [-1, 1], shape (n,)."""

Emit = Callable[[Audio], bool]
"""Takes a piece of audio; False means that nobody wants more and the engine must return."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Who made an engine or a model."""

    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model, voice or wake word that an engine offers."""

    name: str
    """Stable name that clients ask for."""
    languages: tuple[str, ...]
    """BCP 47 codes, both short ("en") and regional ("en-US") where the engine serves both."""
    description: str
    attribution: Attribution
    version: str | None = None
    phrase: str | None = None
    """What to say; wake words only."""
    rate: int = RATE
    """Sample rate of the audio it makes, in Hz; voices only."""
    speakers: tuple[str, ...] = ()
    """Names of a voice's speakers, the usual one first; empty where there is only one."""
    tasks: tuple[str, ...] = ()
    """What it sees, of `TASKS`; vision only."""
    labels: tuple[str, ...] = ()
    """Names of what it tells apart; vision only."""
    supports_tools: bool = False
    """Whether it can call tools; this and what follows: language models only."""
    supports_images: bool = False
    """Whether it understands pictures."""
    supports_choices: bool = False
    """Whether it tells how likely each of some answers is."""
    context_length: int | None = None
    """Tokens that it can take in and write together; None where nobody tells."""


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What an engine is and can do; `Info` on the wire is generated from it."""

    name: str
    description: str
    version: str
    attribution: Attribution
    models: tuple[Model, ...]
    open_vocabulary: bool = False
    """A recogniser that writes down whatever is said, a wake word engine that listens for any phrase."""
    parallel: int = 1
    """How many calls may run at the same time in different threads."""


class Engine(Protocol):
    """Life of every engine."""

    @property
    def info(self) -> EngineInfo:
        """Return what this engine is; cheap, also before `load`."""

    def load(self) -> None:
        """Load weights and run them once, so that the first request takes no longer than any other."""

    def close(self) -> None:
        """Free everything; no call may follow but another `load`."""


class Interruptible(Protocol):
    """What an engine may be besides: one whose long calls can be ended from outside."""

    def interrupt(self, thread: int) -> None:
        """Make the call that runs in a thread (`threading.get_ident`) end soon, with whatever error."""


class Reporting(Protocol):
    """What an engine may be besides: one that tells how it runs."""

    @property
    def report(self) -> Mapping[str, Any]:
        """Return what `stats` tells of a loaded engine, such as provider and threads; cheap."""


# -- wake word


@dataclass(frozen=True, kw_only=True)
class Wake:
    """A wake word was heard."""

    name: str
    at: float
    """Seconds from the start of the stream to the end of the word."""


@dataclass(frozen=True, kw_only=True)
class WakeSettings:
    """How easily one wake word is heard; None keeps what its model asks for."""

    threshold: float | None = None
    """Probability in (0, 1) that a score must exceed."""
    trigger_level: int | None = None
    """How many scores in a row must exceed it; at least 1."""
    refractory: float | None = None
    """Seconds after a detection in which the same word is not reported again."""
    check: bool = False
    """Whether speech-to-text must hear the phrase too, which costs some time and needs free dictation."""


class WakeStream(Protocol):
    """Listens to one stream of audio."""

    def feed(self, samples: Audio) -> Sequence[Wake]:
        """Take the next samples (any length) and return the words that ended in them."""

    def close(self) -> None:
        """Give back what the stream holds."""


class WakeDetector(Engine, Protocol):
    """Finds wake words."""

    def start(self, names: Sequence[str]) -> WakeStream:
        """Listen for `names` (all models when empty); `UnknownWakeWord` if one is not known."""


# -- voice activity


class VoiceStream(Protocol):
    """Judges one stream of audio."""

    def feed(self, samples: Audio) -> Sequence[float]:
        """Take the next samples (any length); return P(speech) in [0, 1] per finished frame."""

    def close(self) -> None:
        """Give back what the stream holds."""


class VoiceDetector(Engine, Protocol):
    """Tells speech from everything else."""

    frame: int
    """Samples per frame."""
    thresholds: VoiceThresholds
    """Which probabilities are speech."""

    def start(self) -> VoiceStream:
        """Judge a new stream."""


# -- speech to text


@dataclass(frozen=True, kw_only=True)
class RecognitionRequest:
    """What to recognise an utterance with."""

    model: str | None = None
    language: str | None = None
    """None leaves it to the engine to find out."""
    home: Home | None = None
    """Names that the speaker may use; an engine with a closed grammar needs it."""
    terms: tuple[str, ...] = ()
    """More words and names that may be said."""
    before: str = ""
    """What was said in this utterance before the samples."""


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """The text of an utterance; empty text means that nothing was understood."""

    text: str
    confidence: float | None = None
    """In [0, 1] where the engine has one."""
    language: str | None = None
    """What was spoken, where the engine found it out."""


class OfflineRecognizer(Engine, Protocol):
    """Turns recorded speech into text."""

    def recognize(self, samples: Audio, request: RecognitionRequest) -> Recognition:
        """Return the text of a recording; `UnknownModel` for a model or language that it does not have."""


class RecognitionStream(Protocol):
    """Recognises one utterance while it is spoken."""

    def feed(self, samples: Audio) -> Partial | None:
        """Take the next samples (any length); return the text so far, None where it is as before."""

    def finish(self) -> Recognition:
        """Return the final text; no `feed` may follow."""

    def close(self) -> None:
        """Give back what the stream holds, finished or not."""


class StreamingRecognizer(Engine, Protocol):
    """Turns speech into text while it is spoken."""

    def start(self, request: RecognitionRequest) -> RecognitionStream:
        """Begin an utterance; `UnknownModel` for a model or language that it does not have."""


Recognizer = OfflineRecognizer | StreamingRecognizer


class TurnDetector(Engine, Protocol):
    """Judges by the sound whether a speaker who pauses has finished."""

    def finished(self, samples: Audio) -> float:
        """Return the probability, in [0, 1], that the turn is over after these samples of it."""


class SpeakerIdentifier(Engine, Protocol):
    """Knows people by their voice."""

    def identify(self, samples: Audio) -> str | None:
        """Return who speaks, None where it is nobody that was enrolled."""


class Punctuator(Engine, Protocol):
    """Writes the punctuation that a recogniser leaves out."""

    def punctuate(self, text: str) -> str:
        """Return the text with punctuation and capitals."""


# -- text to speech


@dataclass(frozen=True, kw_only=True)
class SynthesisRequest:
    """One piece of text, a sentence or so, to be spoken."""

    text: str
    voice: str | None = None
    """Name of a model of the engine; None picks one by `language`."""
    language: str | None = None
    speaker: str | None = None
    """One of the voice's speakers; None takes the usual one."""
    speed: float = 1.0
    """How many times faster than usual, 0.5 to 2."""


class Synthesizer(Engine, Protocol):
    """Turns text into speech."""

    def voice(self, name: str | None, language: str | None) -> Model:
        """Return the voice that would speak; `UnknownVoice` where there is none."""

    def synthesize(self, request: SynthesisRequest, emit: Emit) -> None:
        """Speak at the voice's rate, calling `emit` for each piece as soon as it is made.

        `UnknownVoice` for a voice or speaker that it does not have.
        """


# -- intent


@dataclass(frozen=True, kw_only=True)
class IntentRequest:
    """A sentence and the home that it is about."""

    text: str
    language: str | None = None
    home: Home | None = None


@dataclass(frozen=True, kw_only=True)
class IntentMatch:
    """The intent of a sentence."""

    name: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    response: str | None = None
    """Jinja template of the reply (`slots`, `state`, `query`), to be rendered by who runs the intent."""


class IntentParser(Engine, Protocol):
    """Finds the intent of a sentence."""

    def parse(self, request: IntentRequest) -> IntentMatch | None:
        """Return the intent, None when not understood; `UnknownModel` for a language it lacks."""


# -- language model


class ChatModel(Engine, Protocol):
    """Answers messages. Its calls do not block: they run in the event loop, many at a time."""

    def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer as it is written, `Ended` last; closing it ends the work at once.

        `UnknownModel`, `Busy`, `TimedOut`, `Unsupported` for what the model cannot take, `EngineFailed`
        when it cannot be reached or breaks off.
        """


# -- vision

TASKS = ("detect", "segment", "pose", "hand", "oriented", "depth")
"""What a model can look for: boxes, outlines, people's joints, hands' joints, turned boxes, distances."""


@dataclass(frozen=True, kw_only=True)
class VisionRequest:
    """What to look for in a picture."""

    labels: tuple[str, ...] = ()
    """Objects to return; empty: all that the model knows. Names that it does not know find nothing."""
    min_confidence: float = 0.25
    """In [0, 1]; less certain objects are left out."""
    max_objects: int = 100
    """Only the most confident ones."""
    agnostic: bool = False
    """Whether boxes of different labels may suppress each other, else only those of the same."""


class VisionModel(Engine, Protocol):
    """Sees what is in a picture; its one model says which tasks it does, and it always does all of them."""

    def analyze(self, image: Pixels, request: VisionRequest) -> Scene:
        """Return what is in a picture, in coordinates of that picture."""
