"""What a Piper voice says of all that can be said to a home, the embedded recogniser reads back to the letter."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
import soxr
import yaml

from tests.integration.recordings import data
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines._pocketsphinx_grammar import Templates, build_grammar
from wyoming_units.engines.base import (
    RATE,
    Audio,
    RecognitionRequest,
    SynthesisRequest,
    Synthesizer,
)
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.speech.automaton import Automaton
from wyoming_units.speech.grammar import Grammar
from wyoming_units.speech.home import Home

pytest.importorskip("pocketsphinx")

VOICE = "en_US-amy-sano"
SILENCE = np.zeros(RATE // 4, np.float32)
"""Before and after a sentence: nobody speaks in the very moment in which a microphone opens."""
CHUNK = 1024


def sample(automaton: Automaton, count: int, seed: int) -> list[tuple[str, ...]]:
    """Return sentences of an automaton, each as likely as any other."""
    sizes: dict[int, int] = {}

    def size(state: int) -> int:
        """Return how many sentences end in or after a state."""
        if state not in sizes:
            following = sum(map(size, automaton.arcs[state].values()))
            sizes[state] = following + (state in automaton.accepting)
        return sizes[state]

    def sentence(number: int) -> Iterator[str]:
        state = automaton.start
        while number >= (ends := int(state in automaton.accepting)):
            number -= ends
            for word, following in sorted(automaton.arcs[state].items()):
                if number < size(following):
                    yield word
                    state = following
                    break
                number -= size(following)

    random = Random(seed)
    return [tuple(sentence(random.randrange(size(automaton.start)))) for _ in range(count)]


def spoken(voice: Synthesizer, text: str) -> Audio:
    """Return a text as a microphone would get it."""
    parts: list[Audio] = []

    def emit(piece: Audio) -> bool:
        parts.append(piece)
        return True

    voice.synthesize(SynthesisRequest(text=text), emit)
    speech = soxr.resample(np.concatenate(parts), voice.voice(None, None).rate, RATE)
    return np.concatenate([SILENCE, speech.astype(np.float32), SILENCE])


def heard(recogniser: PocketSphinxRecognizer, audio: Audio, home: Home) -> str:
    stream = recogniser.start(RecognitionRequest(home=home))
    for start in range(0, len(audio), CHUNK):
        stream.feed(audio[start : start + CHUNK])
    text = stream.finish().text
    stream.close()
    return text


@pytest.fixture(scope="module")
def home() -> Home:
    return Home.from_dict(yaml.safe_load(data("media/home/home.yaml").read_text("utf-8")))


@pytest.fixture(scope="module")
def grammar(home: Home) -> Grammar:
    return build_grammar(Templates.load(), home)


@pytest.fixture(scope="module")
def recogniser() -> Iterator[PocketSphinxRecognizer]:
    engine = PocketSphinxRecognizer()
    engine.load()
    yield engine
    engine.close()


def test_a_sample_has_each_sentence_equally_often() -> None:
    # "a", "a b", "a c", "d": two of four begin with "a" and go on.
    automaton = Automaton(
        arcs=({"a": 1, "d": 2}, {"b": 2, "c": 2}, {}), accepting=frozenset({1, 2}), start=0
    )
    drawn = sample(automaton, 4_000, seed=1)
    shares = {words: drawn.count(words) / len(drawn) for words in set(drawn)}
    assert shares.keys() == {("a",), ("a", "b"), ("a", "c"), ("d",)}
    assert all(0.22 < share < 0.28 for share in shares.values())


@pytest.mark.parametrize(
    ("engine", "count"),
    [
        pytest.param("piper", 12),
        pytest.param("sherpa-tts", 4),
        pytest.param("piper", 100, marks=[pytest.mark.extra, pytest.mark.timeout(600)]),
        pytest.param("sherpa-tts", 100, marks=[pytest.mark.extra, pytest.mark.timeout(600)]),
    ],
)
def test_what_a_voice_says_is_understood(
    engine: str, count: int, home: Home, grammar: Grammar, recogniser: PocketSphinxRecognizer
) -> None:
    pytest.importorskip("piper")
    pytest.importorskip("sherpa_onnx" if engine == "sherpa-tts" else "piper")
    weights = data(f"tts-sanotts/{VOICE}.onnx")
    voice = create_engine(engine, model=LocalModel(name=VOICE, path=weights))
    voice.load()
    drawn = sample(grammar.automaton, 100, seed=100)[:count]
    texts = [grammar.write(words) for words in drawn]
    misheard = {
        text: answer
        for text in texts
        if (answer := heard(recogniser, spoken(voice, text), home)) != text  # type: ignore[arg-type]
    }
    voice.close()
    assert len(misheard) <= 0.05 * count, misheard
