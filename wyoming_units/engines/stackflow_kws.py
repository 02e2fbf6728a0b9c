"""Wake words of StackFlow's unit `kws`: typed phrases on its processor, or the phrase that its NPU was taught."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from wyoming_units.engines._stackflow import (
    Chunks,
    Service,
    engine_info,
    languages_of,
    model_of,
    to_wire,
)
from wyoming_units.engines._wake import word_end
from wyoming_units.engines.base import RATE, Audio, EngineInfo, Wake, WakeSettings
from wyoming_units.errors import BadRequest, TimedOut, UnknownWakeWord
from wyoming_units.speech.trigger import Trigger, TriggerRule
from wyoming_units.stackflow.modes import Mode
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.stackflow.task import Talk

_TYPED = "sherpa-onnx"
"""How the names of modes begin that listen for any phrase."""
_USUAL = {"zh": "你好你好", "en": "hello"}
"""What M5Stack's own examples listen for."""
_TAUGHT = "hi_m5"
"""What the NPU listens for, by the name that our own engine for it has."""
_THRESHOLD = 0.25
_CHUNK = RATE // 10
_NPU_CHUNK = 5_120
"""Samples of the 32 frames that the network of the NPU takes at a time, no more and no less."""
_AHEAD = 0.5
"""Seconds before real time from which on audio is a recording, whose words are to be waited for."""
_PAUSE = 0.04
"""Seconds that a chunk of a recording may take to be listened to."""


class StackFlowKeywordSpotter:
    """Listens for phrases, in one stream at a time."""

    def __init__(
        self,
        *,
        mode: Mode,
        module: ModuleAt,
        words: Mapping[str, WakeSettings] | None = None,
        boost: float | None = None,
    ) -> None:
        """Spell `words`: phrases, with how easily each is heard; `UnknownWakeWord`, `BadRequest`.

        A module has one threshold for all phrases, and one `boost` (sherpa-onnx's `keywords_score`).
        """
        self._mode = mode
        self._typed = mode.name.startswith(_TYPED)
        self._boost = boost
        self._known = {name: self._word(name, given) for name, given in (words or {}).items()}
        if not self._known or not self._typed:
            own = self._own()
            self._known.setdefault(own, self._word(own, WakeSettings()))
        _one_threshold(self._known.values())
        self._service = Service(module, mode)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the phrases of the settings, or the one that the mode is known for."""
        told = {name: name if self._typed else "Hi M5" for name in self._known}
        phrases = tuple(
            model_of(self._mode, name=name, phrase=phrase, description=phrase)
            for name, phrase in told.items()
        )
        return engine_info("stackflow-kws", *phrases, open_vocabulary=self._typed)

    def load(self) -> None:
        """Set the unit up for all phrases, if the module is there; `EngineFailed` where it cannot be."""
        self._service.open(**self._setup(list(self._known.values())))

    def close(self) -> None:
        """End the task; a stream that goes on fails."""
        self._service.close()

    def interrupt(self, thread: int) -> None:
        """End the call that runs in a thread."""
        self._service.interrupt(thread)

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for phrases, those of `info` when empty; `UnknownWakeWord`, `Busy` while another stream goes on."""
        wanted = list(dict.fromkeys(names or self._known))
        words = [self._known.get(name) or self._word(name, WakeSettings()) for name in wanted]
        _one_threshold(words)
        talk = self._service.begin(**self._setup(words))
        return _Stream(self._service, talk, words, _CHUNK if self._typed else _NPU_CHUNK)

    def _own(self) -> str:
        if not self._typed:
            return _TAUGHT
        languages = languages_of(self._mode)
        return next((_USUAL[code] for code in languages if code in _USUAL), _USUAL["en"])

    def _word(self, name: str, settings: WakeSettings) -> _Word:
        if not self._typed and name != _TAUGHT:
            raise UnknownWakeWord(f"no wake word is called {name!r}; there is {_TAUGHT}")
        return _with_settings(_Word(name=name, spelling=_spelled(name)), settings)

    def _setup(self, words: Sequence[_Word]) -> dict[str, Any]:
        """Return the keys of `setup`: only JSON tells which of several phrases it was."""
        common: dict[str, Any] = {"input": "kws.pcm.base64", "enwake_audio": False}
        threshold = next((word.threshold for word in words if word.threshold is not None), None)
        if not self._typed:
            told = {} if threshold is None else {"threshold": threshold}
            return {**common, "response_format": "kws.bool", "kws": words[0].spelling, **told}
        if threshold is not None:
            common["keywords_threshold"] = threshold
        if self._boost is not None:
            common["keywords_score"] = self._boost
        if len(words) == 1:
            return {**common, "response_format": "kws.bool", "kws": words[0].spelling}
        lines = [f"{word.spelling} @{number}" for number, word in enumerate(words)]
        return {**common, "response_format": "kws.json", "kws": lines}


@dataclass(frozen=True, kw_only=True)
class _Word:
    """What a stream listens for."""

    name: str
    spelling: str
    threshold: float | None = None
    refractory: float = TriggerRule(threshold=_THRESHOLD).refractory


def _spelled(name: str) -> str:
    """Return a phrase as the unit takes it: English in capitals, no signs that mean something to it."""
    spelled = " ".join("".join(c if c.isalpha() or c == "'" else " " for c in name).split())
    if not spelled:
        raise UnknownWakeWord(f"the wake word {name!r} has no letters")
    return spelled.upper()


def _with_settings(word: _Word, settings: WakeSettings) -> _Word:
    if settings.trigger_level not in (None, 1):
        raise BadRequest(f"wake word {word.name}: a module's phrase has no trigger level")
    try:
        rule = TriggerRule(
            threshold=_THRESHOLD if settings.threshold is None else settings.threshold,
            refractory=word.refractory if settings.refractory is None else settings.refractory,
        )
    except BadRequest as error:
        raise BadRequest(f"wake word {word.name}: {error}") from error
    return replace(word, threshold=settings.threshold, refractory=rule.refractory)


def _one_threshold(words: Sequence[_Word] | Any) -> None:
    asked = {word.name: word.threshold for word in words if word.threshold is not None}
    if len(set(asked.values())) > 1:
        raise BadRequest(f"a module has one threshold for all of: {', '.join(asked)}")


class _Stream:
    """Listens to one stream of audio."""

    def __init__(self, service: Service, talk: Talk, words: Sequence[_Word], chunk: int) -> None:
        self._service = service
        self._talk: Talk | None = talk
        self._words = words
        self._chunks = Chunks(chunk)
        self._triggers = [
            Trigger(TriggerRule(threshold=_THRESHOLD, refractory=word.refractory)) for word in words
        ]
        self._began = time.monotonic()
        self._sent = 0.0

    def feed(self, samples: Audio) -> Sequence[Wake]:
        """Take the next samples and return the phrases that were heard since; a module takes a moment."""
        talk = self._talk
        wakes: list[Wake] = []
        if talk is None:
            return wakes
        for chunk in self._chunks.cut(samples):
            talk.send_bytes("kws.pcm.base64", to_wire(chunk))
            self._sent += len(chunk) / RATE
            wakes += self._heard(talk)
        return wakes or self._heard(talk)

    def close(self) -> None:
        """Let others use the module's ear."""
        talk, self._talk = self._talk, None
        if talk is not None:
            self._service.end(talk)

    def _heard(self, talk: Talk) -> list[Wake]:
        """Return what is not the echo of a detection."""
        wakes: list[Wake] = []
        while (number := self._next(talk)) is not None:
            if self._triggers[number].heard(1.0, self._sent):
                wakes.append(Wake(name=self._words[number].name, at=word_end(self._sent)))
        return wakes

    def _next(self, talk: Talk) -> int | None:
        """Return which word the next event is about, None where there is none yet."""
        recorded = self._sent - (time.monotonic() - self._began) > _AHEAD
        try:
            reply = talk.receive(_PAUSE) if recorded else talk.heard()
        except TimedOut:
            return None
        return None if reply is None else _number(reply.data, self._words)


def _number(data: Any, words: Sequence[_Word]) -> int | None:
    """Return which word an event is about: its data is true, or the JSON of sherpa-onnx, with a full stop."""
    if isinstance(data, str):
        try:
            data = json.loads(data.strip().removesuffix("."))
        except ValueError:
            data = {"keyword": data}
    if not isinstance(data, Mapping):
        return 0 if data is True else None
    keyword = str(data.get("keyword", "")).removeprefix("@").strip()
    if keyword.isdecimal() and int(keyword) < len(words):
        return int(keyword)
    said = _plain(keyword)
    return next((n for n, word in enumerate(words) if _plain(word.spelling) == said), 0)


def _plain(text: str) -> str:
    return "".join(c for c in text.upper() if c.isalpha())
