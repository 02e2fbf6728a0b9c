"""What all engines on StackFlow share: what a mode tells of itself, the task that runs it, and sound as it travels."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from wyoming_units.engines._piper_voice import pieces
from wyoming_units.engines.base import Attribution, Audio, Emit, EngineInfo, Model
from wyoming_units.errors import Busy, Cancelled, EngineFailed, TimedOut
from wyoming_units.stackflow.codes import Lost
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt, module_at
from wyoming_units.stackflow.task import Talk, Task

_LOGGER = logging.getLogger(__name__)
MAKER = Attribution(name="M5Stack", url="https://github.com/m5stack/StackFlow")

_MEMORY = (
    (re.compile(r"1\.5b"), 1_782_579),
    (re.compile(r"(llm|vlm).*[^\d.]1b"), 1_363_148),
    (re.compile(r"0\.[56]b"), 560_460),
    (re.compile(r"whisper-tiny"), 289_132),
    (re.compile(r"whisper-base"), 545_792),
    (re.compile(r"whisper-small"), 1_132_544),
    (re.compile(r"melotts"), 59_764),
)
"""KB of the NPU's memory by unit and mode, of those that do not tell."""
_LANGUAGES = (
    (re.compile(r"sense-voice"), ("zh", "en", "yue", "ja", "ko")),
    (re.compile(r"bilingual-zh-en"), ("zh", "en")),
    (re.compile(r"gigaspeech|-20m-|-english\b|[-_]en[-_](?!au|br|us|india)"), ("en",)),
    (re.compile(r"wenetspeech|[-_]zh\b|single-speaker"), ("zh",)),
)
"""BCP 47 codes by the name of a mode, of those that do not tell."""
_VOICE = re.compile(r"^melotts-([a-z]{2})-([a-z]+)")
_REGIONS = {"br": "GB", "india": "IN", "default": ""}
"""What the names of voices call a region, where it is not its code."""
_STOPS = re.compile(r"([,.!?;，、。！？；])(?:\s*[,.!?;，、。！？；])+")
"""Between two of them the units would speak a fragment of nothing."""


def languages_of(mode: Mode) -> tuple[str, ...]:
    """Return the BCP 47 codes that a mode tells of, or that its name means; empty where neither says."""
    name = mode.name.lower()
    if voice := _VOICE.match(name):
        region = _REGIONS.get(voice[2], voice[2].upper())
        return (f"{voice[1]}-{region}", voice[1]) if region else (voice[1],)
    return mode.languages or next((codes for names, codes in _LANGUAGES if names.search(name)), ())


def memory_of(mode: Mode) -> int:
    """Return what a mode needs of the NPU's memory, in KB; 0 where nobody knows or it runs on the processor."""
    told = mode.parameters.get("cmm_size")
    if isinstance(told, int):
        return told
    name = f"{mode.unit} {mode.name.lower()}"
    return next((need for names, need in _MEMORY if names.search(name)), 0)


def model_of(mode: Mode, languages: tuple[str, ...] | None = None, **more: Any) -> Model:
    """Return what an engine tells of its mode; `more` are other fields of `Model`."""
    return Model(
        **{
            "name": mode.name,
            "languages": languages_of(mode) if languages is None else languages,
            "description": mode.description or mode.name,
            "attribution": Attribution(
                name=mode.author or MAKER.name, url=mode.upstream or MAKER.url
            ),
            **more,
        }
    )


def engine_info(name: str, *models: Model, **more: Any) -> EngineInfo:
    """Return the info of an engine on StackFlow by its name in the table; `more` are other fields of `EngineInfo`.

    The version stays empty: only the module knows it, and may be away.
    """
    return EngineInfo(
        name=name, description="StackFlow", version="", attribution=MAKER, models=models, **more
    )


class Service:
    """A unit of a module as one engine uses it: with one task at a time, made when it is needed."""

    def __init__(self, module: ModuleAt, mode: Mode, **options: Any) -> None:
        """Prepare; nothing is sent. `options` are those of `Task`."""
        self._module = module
        self._mode = mode
        self._options = {"memory": memory_of(mode), **options}
        self._lock = threading.Lock()
        self._streaming = threading.Lock()
        self._setup: dict[str, Any] | None = None
        self._task: Task | None = None

    def task(self, **setup: Any) -> Task:
        """Return the task with these keys of `setup`, besides the model; one with others is closed before."""
        with self._lock:
            if self._task is None or setup != self._setup:
                if self._task is not None:
                    self._task.close()
                wanted = {"model": self._mode.name, "enoutput": True, **setup}
                self._task = module_at(self._module).task(self._mode.unit, wanted, **self._options)
                self._setup = setup
            return self._task

    def open(self, **setup: Any) -> None:
        """Set the task up; where the module is away or busy now, it is tried again when the task is needed."""
        self.try_to_open(self.task(**setup))

    def try_to_open(self, task: Task) -> None:
        """Set up what `task` gave, as `open` does."""
        try:
            task.open()
        except (Lost, Busy, TimedOut) as error:
            _LOGGER.warning("%s is not set up yet: %s", self._mode.name, error)

    def begin(self, **setup: Any) -> Talk:
        """Have the task for a stream; `Busy` at once where another stream of this engine has it."""
        if not self._streaming.acquire(blocking=False):
            raise Busy(f"{self._mode.name} listens to somebody else: the module has one such task")
        try:
            return self.task(**setup).begin()
        except BaseException:
            self._streaming.release()
            raise

    def end(self, talk: Talk) -> None:
        """Give back what `begin` gave; once."""
        try:
            talk.end()
        finally:
            self._streaming.release()

    def interrupt(self, thread: int) -> None:
        """End the call that runs in a thread."""
        if (task := self._task) is not None:
            task.interrupt(thread)

    def close(self) -> None:
        """End the task; another one is made when it is needed."""
        with self._lock:
            task, self._task = self._task, None
        if task is not None:
            task.close()


class Left(Cancelled):
    """Whoever wanted the answer of a call has gone; what is left of it is dropped."""


class Chunks:
    """Cuts a stream of audio into pieces of one size."""

    def __init__(self, size: int) -> None:
        """`size` is in samples."""
        self._size = size
        self.rest: Audio = np.empty(0, np.float32)
        """What is too short yet."""

    def cut(self, samples: Audio) -> list[Audio]:
        """Take the next samples and return the pieces that they complete."""
        audio = np.concatenate((self.rest, samples))
        whole = len(audio) - len(audio) % self._size
        self.rest = audio[whole:]
        return list(audio[:whole].reshape(-1, self._size))


def to_wire(samples: Audio) -> bytes:
    """Return float samples as s16le."""
    scaled = np.clip(samples, -1.0, 1.0) * np.float32(32767)
    return np.round(scaled).astype("<i2").tobytes()


def from_wire(data: Any) -> Audio:
    """Return what a module sends as base64 of s16le, as float samples; `EngineFailed`."""
    try:
        raw = base64.b64decode(data, validate=True)
        return np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768)
    except (TypeError, ValueError, binascii.Error) as error:
        raise EngineFailed(f"the module sends no sound: {error}") from None


def on_one_line(text: str) -> str:
    """Return a text to be spoken without what the units do not read: breaks, tabs, backslashes, stops in a row."""
    return _STOPS.sub(r"\1", " ".join(text.replace("\\", " ").split()))


def say(audio: Audio, rate: int, emit: Emit) -> None:
    """Emit what a unit spoke at `rate` Hz, as loud as others; `Left` where nobody listens."""
    for piece in pieces(audio, rate):
        if not emit(piece):
            raise Left("nobody listens any more")


def joined(texts: Iterable[str]) -> str:
    """Return texts that follow each other as one; Chinese and Japanese ones without spaces between."""
    whole = ""
    for text in filter(None, (text.strip() for text in texts)):
        apart = whole and not (_is_ideographic(whole[-1]) and _is_ideographic(text[0]))
        whole += f" {text}" if apart else text
    return whole


def _is_ideographic(character: str) -> bool:
    return "\u2e80" <= character <= "\ua4cf" or "\uf900" <= character <= "\uffef"


def delta_of(data: Any) -> tuple[str, bool]:
    """Return the text of a reply and whether it is the last; of a stream, or whole; `EngineFailed`."""
    match data:
        case str():
            return data, True
        case Mapping() if isinstance(delta := data.get("delta"), str):
            return delta, data.get("finish") is True
    raise EngineFailed(f"the module sends no text: {str(data)[:80]!r}")
