"""Speech that is kept to be said again."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from wyoming_units.engines.base import SynthesisRequest, Synthesizer
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.units.replies import ReplyCache


def request(text: str = "Done.") -> SynthesisRequest:
    return SynthesisRequest(text=text, voice="en-us", language="en")


def cache(*, entries: int = 10, most_bytes: int = 1000, length: int = 100) -> ReplyCache:
    return ReplyCache(entries=entries, most_bytes=most_bytes, length=length)


@pytest.fixture
def engine() -> Synthesizer:
    return EspeakSynthesizer()


def test_what_was_put_is_found_for_the_same_request_only(engine: Synthesizer) -> None:
    kept = cache()
    kept.put(engine, request(), b"12")
    assert kept.get(engine, request()) == b"12"
    for other in (
        {"text": "done."}, {"voice": "en-gb"}, {"language": "de"}, {"speaker": "a"}, {"speed": 1.1},
    ):  # fmt: skip
        assert kept.get(engine, replace(request(), **other)) is None


def test_another_instance_of_the_engine_speaks_for_itself(engine: Synthesizer) -> None:
    kept = cache()
    kept.put(engine, request(), b"12")
    assert kept.get(EspeakSynthesizer(), request()) is None


def test_an_engine_that_is_gone_is_not_kept_alive_nor_found_again() -> None:
    kept = cache()
    for _ in range(3):  # a new engine may get the address of the one before
        engine = EspeakSynthesizer()
        assert kept.get(engine, request()) is None
        kept.put(engine, request(), b"12")
        del engine
        gc.collect()


def test_the_piece_that_was_not_asked_for_longest_goes_first(engine: Synthesizer) -> None:
    kept = cache(entries=2)
    for text in ("a", "b"):
        kept.put(engine, request(text), b"1")
    assert kept.get(engine, request("a"))
    kept.put(engine, request("c"), b"1")
    assert [kept.get(engine, request(text)) for text in "abc"] == [b"1", None, b"1"]


def test_the_audio_is_bounded_in_bytes(engine: Synthesizer) -> None:
    kept = cache(most_bytes=10)
    for text, size in (("a", 4), ("b", 6), ("c", 1)):
        kept.put(engine, request(text), bytes(size))
    assert [kept.get(engine, request(text)) is not None for text in "abc"] == [False, True, True]
    kept.put(engine, request("d"), bytes(11))  # would push out everything else
    assert [kept.get(engine, request(text)) is not None for text in "bcd"] == [True, True, False]
    kept.put(engine, request("e"), bytes(10))
    assert len(kept) == 1


def test_a_piece_that_is_put_again_counts_once(engine: Synthesizer) -> None:
    kept = cache(most_bytes=10)
    for _ in range(5):
        kept.put(engine, request("a"), bytes(4))
    kept.put(engine, request("b"), bytes(6))
    assert len(kept) == 2


@pytest.mark.parametrize(("length", "found"), [(4, False), (5, True)])
def test_only_short_texts_are_kept(engine: Synthesizer, length: int, found: bool) -> None:
    kept = cache(length=length)
    kept.put(engine, request("12345"), b"1")
    assert (kept.get(engine, request("12345")) is not None) == found


def test_nothing_is_kept_without_entries(engine: Synthesizer) -> None:
    kept = cache(entries=0)
    kept.put(engine, request(), b"1")
    assert len(kept) == 0
