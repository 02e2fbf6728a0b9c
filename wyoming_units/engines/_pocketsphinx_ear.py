"""PocketSphinx decoders: one walks the automaton of all commands, another a loop of all phones beside it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.engines._pocketsphinx_reject import Evidence, Part, weigh
from wyoming_units.engines.base import RATE
from wyoming_units.speech.automaton import Automaton

if TYPE_CHECKING:
    from pocketsphinx import Decoder

    from wyoming_units.speech.grammar import Grammar

FRAME = RATE // 100
BLOCK = 2 * FRAME
"""Samples per call: each keeps Python's global lock for a tenth of the time that they last."""
SEGMENT = 10 * BLOCK
"""Samples after which the mean is measured anew."""
FIRST = 3 * SEGMENT
"""Samples that must be there before the first is decoded, or the first words meet a poor mean."""
NOISE = 20.0
"""RMS of the noise added to 16 bit samples: the model never met the digital silence of synthesisers."""

_PADDING = 40
"""Frames of silence before and after the utterance; without them its first word is lost."""
_SPEECH = 1e-4
"""Share of the loudest frame's power from which a frame counts for the mean."""
_FEWEST_FRAMES = 3
"""What a mean is taken of."""
_SCORE_UNIT = 1024
"""PocketSphinx divides log-likelihoods by this (2 ** SENSCR_SHIFT, hmm.h)."""

_SILENCE = np.rint(np.random.default_rng(0).normal(scale=NOISE, size=_PADDING * FRAME)).astype(
    np.int16
)

Samples = NDArray[np.int16]
Pronunciations = Mapping[str, list[tuple[str, ...]]]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The best sentence for an utterance."""

    words: tuple[str, ...]
    evidence: Evidence
    score: float
    """Log-likelihood of the whole utterance, in nats."""


class Ear:
    """Hears the sentences of a grammar: 20 ms to make, as its dictionary has only the words it needs."""

    def __init__(self, grammar: Grammar, pronunciations: Pronunciations) -> None:
        self._grammar = grammar
        self._phones = {word: len(ways[0]) for word, ways in pronunciations.items()}
        self._decoder = _decoder(
            # All sounds are computed: scores are relative to the best of them, and the loop's are too.
            compallsen=True,
            # Twice as wide as by default, in the exponent; wider ones find nothing more.
            beam=1e-80,
            pbeam=1e-80,
            wbeam=1e-60,
        )
        for word, ways in pronunciations.items():
            for number, phones in enumerate(ways, 1):
                entry = word if number == 1 else f"{word}({number})"
                self._decoder.add_word(entry, " ".join(phones), False)
        _follow(self._decoder, "home", grammar.automaton)
        self._loop = _decoder(compallsen=True, allphone_ci=True)
        self._loop.add_allphone_file("phones", None)
        self._loop.activate_search("phones")
        self._mean = _Mean()
        self._said: list[tuple[str, Samples]] = []
        """What was decoded, with its mean."""
        self._listens = False

    def hear(self, samples: Samples) -> None:
        """Decode samples with the mean of all speech up to their end."""
        for segment in _pieces(samples, SEGMENT):
            self._mean.add(segment)
        if not self._listens:
            self._listens = True
            for decoder in (self._decoder, self._loop):
                _start(decoder)
            self._follow_commands(_SILENCE)
        self._follow_commands(samples)
        _decode(self._loop, self._said[-1][0], samples)

    def words(self) -> tuple[str, ...]:
        """Return the words of the best path so far."""
        best = self._decoder.hyp()
        return tuple(best.hypstr.split()) if best else ()

    def end(self) -> Heard | None:
        """End the utterance; return its best sentence, None where nothing is like one."""
        if not self._listens:
            return None
        self._follow_commands(_SILENCE)
        self._stop()
        evidence = weigh(
            list(self._parts(self._decoder)),
            list(self._parts(self._loop, _PADDING)),
            _levels(np.concatenate([samples for _, samples in self._said])),
        )
        if evidence is None or not (words := self.words()):
            return None
        return Heard(words=words, evidence=evidence, score=_nats(self._decoder.hyp().score))

    def rival(self) -> float:
        """Return the score of the best harmless sentence for the utterance that has ended."""
        _follow(self._decoder, "rival", self._grammar.harmless)
        try:
            _start(self._decoder)
            for mean, samples in self._said:
                _decode(self._decoder, mean, samples)
            self._decoder.end_utt()
            best = self._decoder.hyp()
            return _nats(best.score) if best else -math.inf
        finally:
            self._decoder.activate_search("home")

    def reset(self) -> None:
        """Forget the utterance, finished or not."""
        if self._listens:
            self._stop()
        self._said.clear()
        self._mean.clear()

    def _follow_commands(self, samples: Samples) -> None:
        self._said.append((self._mean.value(), samples))
        _decode(self._decoder, *self._said[-1])

    def _stop(self) -> None:
        self._listens = False
        for decoder in (self._decoder, self._loop):
            decoder.end_utt()

    def _parts(self, decoder: Decoder, offset: int = 0) -> Iterator[Part]:
        for part in decoder.seg() or ():
            word = part.word.partition("(")[0]
            known = word in self._phones
            yield Part(
                word=word if known else None,
                start=part.start_frame + offset,
                end=part.end_frame + 1 + offset,
                score=_nats(part.ascore),
                phones=self._phones[word] if known else 0,
            )


def _levels(samples: Samples) -> NDArray[np.float64]:
    """Return the power of each frame, in dB."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    levels: NDArray[np.float64] = 10 * np.log10(power + 1)
    return levels


def _nats(score: float) -> float:
    return _SCORE_UNIT * math.log(score) if score > 0 else -math.inf


def _decode(decoder: Decoder, mean: str, samples: Samples) -> None:
    if mean:
        decoder.set_cmn(mean)
    for block in _pieces(samples, BLOCK):
        decoder.process_raw(block.tobytes())


class _Mean:
    """The mean cepstrum of the speech in an utterance, that is: of its loud frames.

    Subtracting it cancels microphone, distance and level (Atal, 1974). PocketSphinx itself would take
    the mean of former utterances, whoever spoke them and where, or wait for the end of this one.
    """

    def __init__(self) -> None:
        self._decoder = _decoder()
        self._decoder.add_word("a", "AH", False)  # without any search, it computes no features
        _follow(
            self._decoder, "none", Automaton(arcs=({"a": 1}, {}), accepting=frozenset({1}), start=0)
        )
        self._parts: list[tuple[float, int, NDArray[np.float64]]] = []

    def add(self, samples: Samples) -> None:
        """Measure some more of the utterance."""
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        power = np.square(frames, dtype=np.float64).mean(axis=1)
        loudest = max((part[0] for part in self._parts), default=0.0)
        loud = power >= _SPEECH * max(loudest, power.max(initial=0.0))
        if (count := int(loud.sum())) >= _FEWEST_FRAMES:
            self._parts.append((float(power.max()), count, self._measure(frames[loud])))

    def value(self) -> str:
        """Return the 13 numbers of the mean, "" without any; parts that turned out to be pauses do not count."""
        loudest = max((power for power, _, _ in self._parts), default=0.0)
        speech = [part for part in self._parts if part[0] >= _SPEECH * loudest]
        if not speech:
            return ""
        _, weights, means = zip(*speech, strict=True)
        return ",".join(f"{value:.4f}" for value in np.average(means, axis=0, weights=weights))

    def clear(self) -> None:
        """Begin a new utterance."""
        self._parts.clear()
        self._decoder.reinit_feat()

    def _measure(self, frames: Samples) -> NDArray[np.float64]:
        self._decoder.start_utt()
        self._decoder.process_raw(frames.tobytes(), no_search=True, full_utt=True)
        mean = np.fromstring(self._decoder.get_cmn(), sep=",")
        self._decoder.end_utt()
        return mean


def _decoder(**options: Any) -> Decoder:
    """Return a decoder with an empty dictionary."""
    import pocketsphinx

    return pocketsphinx.Decoder(
        topn=2,  # of the codebook's densities; four take a quarter longer and are no better
        lm=None,
        dict=os.devnull,
        loglevel="FATAL",
        bestpath=False,
        pl_window=0,
        **options,
    )


def _start(decoder: Decoder) -> None:
    """Begin an utterance that is heard as if it were the first: noise of former ones is forgotten."""
    decoder.reinit_feat()
    decoder.start_utt()


def _follow(decoder: Decoder, name: str, automaton: Automaton) -> None:
    """Let a decoder recognise the sentences of an automaton."""
    final = len(automaton.arcs)
    arcs: list[tuple[Any, ...]] = [
        (state, to, 1.0, word)
        for state, following in enumerate(automaton.arcs)
        for word, to in following.items()
    ]
    arcs.extend((state, final, 1.0) for state in automaton.accepting)
    graph = decoder.create_fsg(name, automaton.start, final, arcs)
    decoder.add_fsg(name, graph)
    decoder.activate_search(name)


def _pieces(samples: Samples, size: int) -> Iterator[Samples]:
    return (samples[at : at + size] for at in range(0, len(samples), size))
