"""PocketSphinx: the commands of one home, in English, with the acoustic model that its wheel ships.

A decoder walks an automaton of all that can be said to the home, while the speaker still talks. What it finds
is rejected where a loop of all phones explains the sounds much better.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wyoming_units.engines._pocketsphinx_ear import (
    FIRST,
    NOISE,
    SEGMENT,
    Ear,
    Heard,
    Pronunciations,
    Samples,
)
from wyoming_units.engines._pocketsphinx_reject import Rule
from wyoming_units.engines.base import (
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Partial,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.errors import EngineFailed, TooLarge, UnitError, UnknownModel
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor
from wyoming_units.speech.pronounce import arpabet, with_merged_vowels

if TYPE_CHECKING:
    from wyoming_units.engines._pocketsphinx_grammar import Templates

_LOGGER = logging.getLogger(__name__)
_MAKER = Attribution(name="CMU Sphinx", url="https://github.com/cmusphinx/pocketsphinx")
_MODEL = "en-us-home-commands"
_HOMES = 2
"""Homes whose decoders are kept: as a rule there is one, and for a while what it was before a change."""
_IDLE = 2
"""Decoders that are kept for a home, 20 MB each."""
_MOST_NAMES = 2_000
"""Names of a home; with twice as many, decoding takes nearly as long as speaking."""


class PocketSphinxRecognizer:
    """Recognises what can be said to the home of each request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._homes: OrderedDict[Home, _Commands] = OrderedDict()
        self._templates: Templates | None = None
        self._rule: Rule | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model, which is English."""
        return EngineInfo(
            name="pocketsphinx",
            description="PocketSphinx with the commands of the home",
            version=version("pocketsphinx"),
            attribution=_MAKER,
            models=(
                Model(
                    name=_MODEL,
                    languages=("en", "en-US", "en-GB", "en-AU", "en-CA", "en-IE", "en-NZ"),
                    description="Home commands, US English",
                    attribution=_MAKER,
                ),
            ),
            # The library keeps Python's global lock: more threads would only wait for each other.
            parallel=2,
        )

    def load(self) -> None:
        """Read the sentence templates and make a first decoder, for no home."""
        from wyoming_units.engines._pocketsphinx_grammar import Templates

        self._templates, self._rule = Templates.load(), Rule.load()
        self.start(RecognitionRequest()).close()

    def close(self) -> None:
        """Drop all decoders; one in use goes with its stream."""
        with self._lock:
            self._homes.clear()

    def start(self, request: RecognitionRequest) -> _Stream:
        """Begin an utterance; takes some 0.3 s for a home that is new, and nothing otherwise."""
        if request.model not in (None, _MODEL):
            raise UnknownModel(f"no model is called {request.model!r}; there is {_MODEL}")
        if (request.language or "en").replace("_", "-").partition("-")[0].lower() != "en":
            raise UnknownModel(
                f"PocketSphinx understands English only; it has no model for {request.language!r}"
            )
        return _Stream(self._commands(request.home or Home()))

    def _commands(self, home: Home) -> _Commands:
        if (names := _count_names(home)) > _MOST_NAMES:
            raise TooLarge(
                f"the home has {names} names and sentences, {_MODEL} takes {_MOST_NAMES}"
            )
        home = replace(home, area=None, language=None)  # what can be said is the same everywhere
        with self._lock:
            if home not in self._homes:
                assert self._templates, "load comes first"
                assert self._rule, "load comes first"
                self._homes[home] = _Commands(self._templates, self._rule, home)
            self._homes.move_to_end(home)
            if len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
            return self._homes[home]


def _count_names(home: Home) -> int:
    named: tuple[HomeEntity | HomeArea | HomeFloor, ...] = home.entities + home.areas + home.floors
    return len(home.sentences) + sum(1 + len(item.aliases) for item in named)


class _Commands:
    """What can be said to one home, and the decoders for it that nobody uses just now."""

    def __init__(self, templates: Templates, rule: Rule, home: Home) -> None:
        from wyoming_units.engines._pocketsphinx_grammar import build_grammar

        self.rule = rule
        self.grammar = build_grammar(templates, home)
        if left_out := self.grammar.left_out:
            _LOGGER.warning("%d of the home's own sentences cannot be used", left_out)
        self._pronunciations = _pronounce(self.grammar.automaton.words)
        if missing := self.grammar.automaton.words - self._pronunciations.keys():
            _LOGGER.warning(
                "%d words cannot be pronounced, sentences with them are left out", len(missing)
            )
            self.grammar = build_grammar(templates, home, self._pronunciations.__contains__)
        self._idle: list[Ear] = []

    def take(self) -> Ear:
        """Return a decoder that is ready for an utterance."""
        try:
            return self._idle.pop()
        except IndexError:
            return Ear(self.grammar, self._pronunciations)

    def give_back(self, ear: Ear) -> None:
        """Keep a decoder for the next utterance."""
        if len(self._idle) < _IDLE:
            self._idle.append(ear)


class _Stream:
    """One utterance."""

    def __init__(self, commands: _Commands) -> None:
        self._commands = commands
        self._ear: Ear | None = commands.take()
        self._noise = np.random.default_rng(0)  # always the same: equal audio gives equal text
        self._pending: Samples = np.empty(0, np.int16)
        self._chunk = FIRST
        self._words: tuple[str, ...] = ()
        self.heard: Heard | None = None
        """What the rule judged, for those who fit it."""

    def feed(self, samples: Audio) -> Partial | None:
        """Decode whatever is long enough; return the text so far where it has changed."""
        ear = self._open()
        self._pending = np.concatenate([self._pending, self._to_pcm(samples)])
        heard = False
        while len(self._pending) >= self._chunk:
            ear.hear(self._pending[: self._chunk])
            self._pending = self._pending[self._chunk :]
            self._chunk = SEGMENT
            heard = True
        return self._changed(ear.words()) if heard else None

    def _changed(self, words: tuple[str, ...]) -> Partial | None:
        if words == self._words:
            return None
        self._words = words
        automaton = self._commands.grammar.automaton
        return Partial(
            text=self._write(words),
            complete=automaton.is_complete(words),
            whole=automaton.accepts(words),
        )

    def finish(self) -> Recognition:
        """Return the command that was said, empty where it was none."""
        ear = self._open()
        if len(self._pending):
            ear.hear(self._pending)
        self.heard = heard = ear.end()
        text = self._write(heard.words) if heard and self._is_command(ear, heard) else ""
        self.close()
        return Recognition(text=text)

    def close(self) -> None:
        """Give the decoder back."""
        if self._ear is not None:
            self._ear.reset()
            self._commands.give_back(self._ear)
            self._ear = None

    def _is_command(self, ear: Ear, heard: Heard) -> bool:
        commands = self._commands
        if not commands.grammar.risky.accepts(heard.words):
            return commands.rule.accepts(heard.evidence)
        return commands.rule.accepts_risky(heard.evidence, lambda: heard.score - ear.rival())

    def _open(self) -> Ear:
        if self._ear is None:
            raise EngineFailed("the utterance has ended")
        return self._ear

    def _to_pcm(self, samples: Audio) -> Samples:
        noisy = samples * 32_768 + self._noise.normal(scale=NOISE, size=len(samples))
        return np.clip(np.rint(noisy), -32_768, 32_767).astype(np.int16)

    def _write(self, words: tuple[str, ...]) -> str:
        return self._commands.grammar.write(words)


def _pronounce(words: Collection[str]) -> Pronunciations:
    """Return how to say each word, in ARPAbet; a word that nobody can say is left out."""
    known: dict[str, list[tuple[str, ...]]] = {}
    for word, phones in _dictionary():
        if word in words:
            known.setdefault(word, []).append(phones)
    for word in sorted(set(words) - known.keys()):
        if phones := _guess(word):
            known[word] = [phones]
    return {word: with_merged_vowels(ways) for word, ways in known.items()}


def _dictionary() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the CMU dictionary; it is read anew for each home, kept it would be most of our memory."""
    import pocketsphinx

    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, *phones = line.split()
            yield word.partition("(")[0], tuple(phones)


def _guess(word: str) -> tuple[str, ...]:
    """Return what eSpeak NG reads, () where it is not installed."""
    try:
        from wyoming_units.engines.espeak_library import phonemes

        return arpabet(phonemes(word, "en-us"))
    except (ImportError, UnitError):
        return ()
