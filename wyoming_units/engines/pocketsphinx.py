"""PocketSphinx: the commands of one home, in English, with the acoustic model that its wheel ships.

The decoder walks an automaton of all that can be said to the home, while the speaker still talks.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Recognition,
    RecognitionRequest,
)
from wyoming_units.errors import EngineFailed, TooLarge, UnitError, UnknownModel
from wyoming_units.speech.automaton import Automaton
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor
from wyoming_units.speech.pronounce import arpabet, with_merged_vowels

if TYPE_CHECKING:
    from pocketsphinx import Decoder

    from wyoming_units.engines._pocketsphinx_grammar import Templates

_LOGGER = logging.getLogger(__name__)
_MAKER = Attribution(name="CMU Sphinx", url="https://github.com/cmusphinx/pocketsphinx")
_MODEL = "en-us-home-commands"
_HOMES = 4
"""Homes whose decoders are kept."""
_IDLE = 2
"""Decoders that are kept for a home, 10 MB each."""
_MOST_NAMES = 2_000
"""Names of a home; with twice as many, decoding takes nearly as long as speaking."""

_FRAME = RATE // 100
_BLOCK = 2 * _FRAME
"""Samples per call: each keeps Python's global lock for a tenth of the time that they last."""
_SEGMENT = 10 * _BLOCK
"""Samples after which the mean is measured anew."""
_FIRST = 3 * _SEGMENT
"""Samples that must be there before the first is decoded, or the first words meet a poor mean."""
_PADDING = 40 * _FRAME
"""Samples of silence before and after the utterance; without them its first word is lost."""
_NOISE = 20.0
"""RMS of the noise added to 16 bit samples: the model never met the digital silence of synthesisers."""
_SPEECH = 1e-4
"""Share of the loudest frame's power from which a frame counts for the mean."""
_FEWEST_FRAMES = 3
"""What a mean is taken of."""
_WORST_FIT = -10.5
"""Nats per frame of a word or pause, against the best sounds of any order. Measured: half of all other
speech has one that is worse, of the commands one in a hundred."""
_SCORE_UNIT = 1024
"""PocketSphinx divides log-likelihoods by this (2 ** SENSCR_SHIFT, hmm.h)."""

_SILENCE = np.rint(np.random.default_rng(0).normal(scale=_NOISE, size=_PADDING)).astype(np.int16)

_Samples = NDArray[np.int16]
_Pronunciations = Mapping[str, list[tuple[str, ...]]]


class PocketSphinxRecognizer:
    """Recognises what can be said to the home of each request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._homes: OrderedDict[Home, _Commands] = OrderedDict()
        self._templates: Templates | None = None

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
            streams_partials=True,
            # The library keeps Python's global lock: more threads would only wait for each other.
            parallel=2,
        )

    def load(self) -> None:
        """Read the sentence templates and make a first decoder, for no home."""
        from wyoming_units.engines._pocketsphinx_grammar import Templates

        self._templates = Templates.load()
        self.start(RecognitionRequest()).close()

    def close(self) -> None:
        """Drop all decoders; one in use goes with its stream."""
        with self._lock:
            self._homes.clear()

    def start(self, request: RecognitionRequest) -> _Stream:
        """Begin an utterance; takes some 0.2 s for a home that is new, and nothing otherwise."""
        if request.model not in (None, _MODEL):
            raise UnknownModel(f"no model is called {request.model!r}; there is {_MODEL}")
        if (request.language or "en").replace("_", "-").partition("-")[0].lower() != "en":
            raise UnknownModel(f"{_MODEL} knows English only, not {request.language!r}")
        return _Stream(self._commands(request.home or Home()))

    def _commands(self, home: Home) -> _Commands:
        if (names := _count_names(home)) > _MOST_NAMES:
            raise TooLarge(
                f"the home has {names} names and sentences, {_MODEL} takes {_MOST_NAMES}"
            )
        home = replace(home, area=None, language=None)  # what can be said is the same everywhere
        with self._lock:
            if home not in self._homes:
                assert self._templates is not None, "load comes first"
                self._homes[home] = _Commands(self._templates, home)
            self._homes.move_to_end(home)
            if len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
            return self._homes[home]


def _count_names(home: Home) -> int:
    named: tuple[HomeEntity | HomeArea | HomeFloor, ...] = home.entities + home.areas + home.floors
    return len(home.sentences) + sum(1 + len(item.aliases) for item in named)


class _Commands:
    """What can be said to one home, and the decoders for it that nobody uses just now."""

    def __init__(self, templates: Templates, home: Home) -> None:
        from wyoming_units.engines._pocketsphinx_grammar import build_grammar

        self.grammar = build_grammar(templates, home)
        self._pronunciations = _pronounce(self.grammar.automaton.words)
        if missing := self.grammar.automaton.words - self._pronunciations.keys():
            _LOGGER.warning(
                "%d words cannot be pronounced, sentences with them are left out", len(missing)
            )
            self.grammar = build_grammar(templates, home, self._pronunciations.__contains__)
        self._idle: list[_Ear] = []

    def take(self) -> _Ear:
        """Return a decoder that is ready for an utterance."""
        try:
            return self._idle.pop()
        except IndexError:
            return _Ear(self.grammar.automaton, self._pronunciations)

    def give_back(self, ear: _Ear) -> None:
        """Keep a decoder for the next utterance."""
        if len(self._idle) < _IDLE:
            self._idle.append(ear)


class _Stream:
    """One utterance."""

    def __init__(self, commands: _Commands) -> None:
        self._commands = commands
        self._ear: _Ear | None = commands.take()
        self._noise = np.random.default_rng(0)  # always the same: equal audio gives equal text
        self._pending: _Samples = np.empty(0, np.int16)
        self._chunk = _FIRST

    def feed(self, samples: Audio) -> str | None:
        """Decode whatever is long enough; return the text so far."""
        ear = self._open()
        self._pending = np.concatenate([self._pending, self._to_pcm(samples)])
        heard = False
        while len(self._pending) >= self._chunk:
            ear.hear(self._pending[: self._chunk])
            self._pending = self._pending[self._chunk :]
            self._chunk = _SEGMENT
            heard = True
        return self._write(ear.words()) if heard else None

    def finish(self) -> Recognition:
        """Return the command that was said, empty where it was none."""
        ear = self._open()
        if len(self._pending):
            ear.hear(self._pending)
        words = ear.end()
        self.close()
        return Recognition(text=self._write(words))

    def close(self) -> None:
        """Give the decoder back."""
        if self._ear is not None:
            self._ear.reset()
            self._commands.give_back(self._ear)
            self._ear = None

    def _open(self) -> _Ear:
        if self._ear is None:
            raise EngineFailed("the utterance has ended")
        return self._ear

    def _to_pcm(self, samples: Audio) -> _Samples:
        noisy = samples * 32_768 + self._noise.normal(scale=_NOISE, size=len(samples))
        return np.clip(np.rint(noisy), -32_768, 32_767).astype(np.int16)

    def _write(self, words: tuple[str, ...]) -> str:
        return self._commands.grammar.write(words)


class _Ear:
    """A decoder for one automaton: 20 ms to make, as its dictionary has only the words it needs."""

    def __init__(self, automaton: Automaton, pronunciations: _Pronunciations) -> None:
        self._decoder = _decoder(
            # Twice as wide as by default, in the exponent; wider ones find nothing more.
            beam=1e-80,
            pbeam=1e-80,
            wbeam=1e-60,
            # All sounds are computed, so that a score is relative to the best of them, see `_WORST_FIT`.
            compallsen=True,
        )
        for word, ways in pronunciations.items():
            for number, phones in enumerate(ways, 1):
                entry = word if number == 1 else f"{word}({number})"
                self._decoder.add_word(entry, " ".join(phones), False)
        _follow(self._decoder, automaton)
        self._mean = _Mean()
        self._listens = False

    def hear(self, samples: _Samples) -> None:
        """Decode samples with the mean of all speech up to their end."""
        for segment in _pieces(samples, _SEGMENT):
            self._mean.add(segment)
        if (mean := self._mean.value()) is not None:
            self._decoder.set_cmn(",".join(f"{value:.4f}" for value in mean))
        if not self._listens:
            self._decoder.start_utt()
            self._listens = True
            self._decode(_SILENCE)
        self._decode(samples)

    def words(self) -> tuple[str, ...]:
        """Return the words of the best path so far."""
        best = self._decoder.hyp()
        return tuple(best.hypstr.split()) if best else ()

    def end(self) -> tuple[str, ...]:
        """End the utterance; return its words, none where they are no sentence or do not fit it."""
        if not self._listens:
            return ()
        self._decode(_SILENCE)
        self.reset()
        words = self.words()
        return words if words and min(self._fits(), default=0.0) >= _WORST_FIT else ()

    def reset(self) -> None:
        """Forget the utterance."""
        if self._listens:
            self._decoder.end_utt()
        self._listens = False
        self._mean.clear()

    def _decode(self, samples: _Samples) -> None:
        for block in _pieces(samples, _BLOCK):
            self._decoder.process_raw(block.tobytes())

    def _fits(self) -> Iterator[float]:
        """Yield, for each word and pause, its log-likelihood against the best sounds, per frame."""
        for part in self._decoder.seg():
            frames = part.end_frame - part.start_frame + 1
            if frames >= _FEWEST_FRAMES:
                yield _SCORE_UNIT * math.log(part.ascore) / frames


class _Mean:
    """The mean cepstrum of the speech in an utterance, that is: of its loud frames.

    Subtracting it cancels microphone, distance and level (Atal, 1974). PocketSphinx itself would take
    the mean of former utterances, whoever spoke them and where, or wait for the end of this one.
    """

    def __init__(self) -> None:
        self._decoder = _decoder()
        self._decoder.add_word("a", "AH", False)  # without any search, it computes no features
        _follow(self._decoder, Automaton(arcs=({"a": 1}, {}), accepting=frozenset({1}), start=0))
        self._parts: list[tuple[float, int, NDArray[np.float64]]] = []

    def add(self, samples: _Samples) -> None:
        """Measure some more of the utterance."""
        frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
        power = np.square(frames, dtype=np.float64).mean(axis=1)
        loudest = max((part[0] for part in self._parts), default=0.0)
        loud = power >= _SPEECH * max(loudest, power.max(initial=0.0))
        if (count := int(loud.sum())) >= _FEWEST_FRAMES:
            self._parts.append((float(power.max()), count, self._measure(frames[loud])))

    def value(self) -> NDArray[np.float64] | None:
        """Return the mean, shape (13,); parts that turned out to be pauses do not count."""
        loudest = max((power for power, _, _ in self._parts), default=0.0)
        speech = [part for part in self._parts if part[0] >= _SPEECH * loudest]
        if not speech:
            return None
        _, weights, means = zip(*speech, strict=True)
        mean: NDArray[np.float64] = np.average(means, axis=0, weights=weights)
        return mean

    def clear(self) -> None:
        """Begin a new utterance."""
        self._parts.clear()

    def _measure(self, frames: _Samples) -> NDArray[np.float64]:
        self._decoder.start_utt()
        self._decoder.process_raw(frames.tobytes(), no_search=True, full_utt=True)
        mean = np.fromstring(self._decoder.get_cmn(), sep=",")
        self._decoder.end_utt()
        return mean


def _decoder(**options: Any) -> Decoder:
    """Return a decoder with an empty dictionary."""
    import pocketsphinx

    return pocketsphinx.Decoder(
        lm=None, dict=os.devnull, loglevel="FATAL", bestpath=False, pl_window=0, **options
    )


def _follow(decoder: Decoder, automaton: Automaton) -> None:
    """Let a decoder recognise the sentences of an automaton."""
    final = len(automaton.arcs)
    arcs: list[tuple[Any, ...]] = [
        (state, to, 1.0, word)
        for state, following in enumerate(automaton.arcs)
        for word, to in following.items()
    ]
    arcs.extend((state, final, 1.0) for state in automaton.accepting)
    graph = decoder.create_fsg("home", automaton.start, final, arcs)
    decoder.add_fsg("home", graph)
    decoder.activate_search("home")


def _pieces(samples: _Samples, size: int) -> Iterator[_Samples]:
    return (samples[at : at + size] for at in range(0, len(samples), size))


def _pronounce(words: Collection[str]) -> _Pronunciations:
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
