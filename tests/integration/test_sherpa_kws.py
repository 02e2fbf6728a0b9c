"""Keyword spotting with sherpa-onnx and a small model that hears tones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.base import RATE, Audio, Wake, WakeSettings
from wyoming_units.errors import BadRequest, EngineFailed, UnknownWakeWord

pytest.importorskip("sherpa_onnx")
pytest.importorskip("sentencepiece")
pytest.importorskip("pypinyin")
pytest.importorskip("onnx")

from tests.integration.models_sherpa import speech
from tests.integration.models_sherpa_kws import PHONES, SYLLABLES, keyword_spotter
from wyoming_units.engines.sherpa_kws import SherpaKeywordSpotter

SILENCE = np.zeros(RATE // 2, np.float32)
PHRASE = "Delta Echo"


def local(path: Path) -> LocalModel:
    return LocalModel(name="tones", path=path)


def loaded(path: Path, words: Mapping[str, WakeSettings] | None = None) -> SherpaKeywordSpotter:
    engine = SherpaKeywordSpotter(model=local(path), words=words)
    engine.load()
    return engine


def said(words: str) -> Audio:
    return np.concatenate([SILENCE, speech(words), SILENCE, SILENCE])


def heard(
    engine: SherpaKeywordSpotter, audio: Audio, names: Sequence[str], size: int = 1280
) -> list[Wake]:
    stream = engine.start(names)
    wakes = [w for at in range(0, len(audio), size) for w in stream.feed(audio[at : at + size])]
    stream.close()
    return wakes


def names_heard(engine: SherpaKeywordSpotter, words: str, *names: str) -> list[str]:
    return [wake.name for wake in heard(engine, said(words), names)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keyword_spotter(tmp_path_factory.mktemp("kws"))


@pytest.fixture(scope="module")
def spotter(folder: Path) -> Iterator[SherpaKeywordSpotter]:
    engine = loaded(folder)
    yield engine
    engine.close()


def test_a_phrase_typed_at_run_time_is_heard_under_the_name_it_was_typed_as(
    spotter: SherpaKeywordSpotter,
) -> None:
    assert names_heard(spotter, "golf delta echo hotel", PHRASE) == [PHRASE]
    assert names_heard(spotter, "golf delta echo hotel", "delta, echo!") == ["delta, echo!"]


@pytest.mark.parametrize("words", ["echo delta", "delta golf echo", "delta", "golf hotel", ""])
def test_other_words_and_other_orders_are_not_the_phrase(
    words: str, spotter: SherpaKeywordSpotter
) -> None:
    assert names_heard(spotter, words, PHRASE) == []


def test_the_end_of_the_phrase_is_told_in_seconds_from_the_start_of_the_stream(
    spotter: SherpaKeywordSpotter,
) -> None:
    words = "golf delta echo " * 2 + "hotel " * 8 + "delta echo"
    wakes = heard(spotter, said(words), [PHRASE])
    # Each word is a tone of 0.16 s after a pause of 0.16 s.
    ends = [0.5 + 0.32 * number for number in (3, 6, 16)]
    assert [wake.at for wake in wakes] == pytest.approx([ends[0], ends[2]], abs=0.25)
    assert (
        len(wakes) == 2
    )  # the second one came within the 2 s in which the phrase is not reported again


def test_the_pieces_of_the_audio_do_not_matter(spotter: SherpaKeywordSpotter) -> None:
    audio = said("golf delta echo hotel")
    expected = heard(spotter, audio, [PHRASE])
    assert expected
    for size in (160, 1000, 16_000, len(audio)):
        assert heard(spotter, audio, [PHRASE], size) == expected


def test_several_phrases_in_one_stream_are_told_apart(spotter: SherpaKeywordSpotter) -> None:
    assert names_heard(
        spotter, "hotel golf alpha delta echo", PHRASE, "hotel golf", "Golf Hotel"
    ) == ["hotel golf", PHRASE]


def test_streams_in_many_threads_hear_their_own_audio(spotter: SherpaKeywordSpotter) -> None:
    clips = ["delta echo", "golf hotel", "delta golf", "hotel"] * 6
    with ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(lambda clip: names_heard(spotter, clip, PHRASE, "golf hotel"), clips)
        )
    assert results == [[PHRASE], ["golf hotel"], [], []] * 6


def test_a_threshold_is_that_of_its_word_alone(folder: Path) -> None:
    words = {PHRASE: WakeSettings(threshold=0.95), "golf hotel": WakeSettings(threshold=0.3)}
    engine = loaded(folder, words)
    assert names_heard(engine, "delta echo golf hotel") == ["golf hotel"]
    engine.close()


def test_the_time_in_which_a_phrase_is_not_reported_again_is_set_by_word(folder: Path) -> None:
    engine = loaded(folder, {PHRASE: WakeSettings(refractory=0)})
    assert names_heard(engine, "delta echo " * 3) == [PHRASE] * 3
    engine.close()


def test_the_phrases_of_the_settings_are_offered_and_listened_for_without_being_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    engine = loaded(folder, {PHRASE: WakeSettings()})
    (model,) = engine.info.models
    assert (model.name, model.phrase, model.languages) == (PHRASE, PHRASE, ("en",))
    assert engine.info.open_vocabulary
    assert names_heard(engine, "delta echo") == [PHRASE]
    engine.close()


def test_without_any_phrase_there_is_nothing_to_listen_for(spotter: SherpaKeywordSpotter) -> None:
    assert spotter.info.models == ()
    with pytest.raises(UnknownWakeWord, match="not told what"):
        spotter.start([])


def test_the_list_of_a_model_is_offered(tmp_path: Path) -> None:
    keyword_spotter(tmp_path)
    (tmp_path / "keywords.txt").write_text("▁GOLF ▁HOTEL :2.0 #0.2 @Golf_Hotel\n▁DELTA ▁ECHO\n")
    engine = loaded(tmp_path)
    assert [model.name for model in engine.info.models] == ["Golf Hotel", "DELTA ECHO"]
    assert names_heard(engine, "delta echo golf hotel") == ["DELTA ECHO", "Golf Hotel"]
    engine.close()


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("delta zulu", "no tokens for 'zulu'"),
        ("小爱同学", "writes no Chinese"),
        ("!?", "no words"),
        ("", "no words"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason(
    phrase: str, reason: str, spotter: SherpaKeywordSpotter, folder: Path
) -> None:
    with pytest.raises(UnknownWakeWord, match=reason):
        spotter.start([phrase])
    with pytest.raises(UnknownWakeWord, match=reason):
        SherpaKeywordSpotter(model=local(folder), words={phrase: WakeSettings()})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (WakeSettings(trigger_level=3), "no trigger level"),
        (WakeSettings(threshold=1.5), "between 0 and 1"),
        (WakeSettings(refractory=-1), "0 s or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: WakeSettings, reason: str, folder: Path
) -> None:
    with pytest.raises(BadRequest, match=reason):
        SherpaKeywordSpotter(model=local(folder), words={PHRASE: settings})


def test_chinese_is_written_in_pinyin(tmp_path: Path) -> None:
    engine = loaded(keyword_spotter(tmp_path, SYLLABLES))
    # 小爱同学: the tones of x iǎo ài t óng x ué
    sounds = "alpha bravo charlie delta echo alpha foxtrot"
    assert names_heard(engine, sounds, "小爱同学") == ["小爱同学"]
    assert names_heard(engine, " ".join(reversed(sounds.split())), "小爱同学") == []
    assert SherpaKeywordSpotter(
        model=local(tmp_path), words={"小爱同学": WakeSettings()}
    ).info.models[0].languages == ("zh",)
    with pytest.raises(UnknownWakeWord, match="Chinese only"):
        engine.start(["hello"])
    with pytest.raises(UnknownWakeWord, match="no tokens for '你好'"):
        engine.start(["你好"])
    engine.close()


def test_english_is_written_in_the_sounds_of_a_lexicon(tmp_path: Path) -> None:
    tokens = ("HH", "EY1", "JH", "AA1", "R", "V", "IH0", "S")
    keyword_spotter(tmp_path, tokens)
    lines = [f"{word.upper()} {phones}\n" for word, phones in PHONES.items()]
    (tmp_path / "en.phone").write_text("".join(lines))
    engine = loaded(tmp_path)
    sounds = "alpha bravo charlie delta echo foxtrot golf hotel"
    assert names_heard(engine, sounds, "hey_jarvis") == ["hey_jarvis"]
    with pytest.raises(UnknownWakeWord, match="no tokens for 'nabu'"):
        engine.start(["hey nabu"])
    engine.close()


def test_a_model_that_would_end_the_process_is_an_error(tmp_path: Path) -> None:
    keyword_spotter(tmp_path)
    joiner = tmp_path / "joiner.onnx"
    joiner.write_bytes((tmp_path / "decoder.onnx").read_bytes())
    engine = SherpaKeywordSpotter(model=local(tmp_path))
    with pytest.raises(EngineFailed, match="tones"):
        engine.load()
    joiner.write_bytes(joiner.read_bytes()[:-40])
    with pytest.raises(EngineFailed, match=r"joiner\.onnx is cut off"):
        SherpaKeywordSpotter(model=local(tmp_path))


def test_audio_of_hours_does_not_fill_the_memory_of_a_stream(spotter: SherpaKeywordSpotter) -> None:
    from tests.integration.recordings import resident_mb

    stream = spotter.start([PHRASE])
    minute = np.random.default_rng(0).normal(scale=0.1, size=60 * RATE).astype(np.float32)
    stream.feed(minute)
    before = resident_mb()
    for _ in range(3):
        stream.feed(minute)
    assert resident_mb() - before < 4  # a minute of audio alone is 3.8 MB
    stream.close()
