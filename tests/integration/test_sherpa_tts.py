"""Voices through sherpa-onnx: Piper's real ones, and a lexicon's small one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.recordings import data
from tests.integration.voices import pieces, speak
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines._ipa import _read, reader
from wyoming_units.engines._piper_voice import read_voice
from wyoming_units.engines.base import Audio, SynthesisRequest, Synthesizer
from wyoming_units.errors import EngineFailed, UnknownVoice

pytest.importorskip("sherpa_onnx")

pytest.importorskip("onnx")

from tests.integration.models_sherpa_tts import (
    HERTZ,
    RATE as HUM_RATE,
    TOKEN,
    lexicon_vits,
    piper_pair,
    styled,
)
from wyoming_units.engines.sherpa_tts import SherpaSynthesizer

VOICE = "en_US-amy-sano"
RATE = 22_050


def weights(name: str = VOICE) -> Path:
    return data(f"tts-sanotts/{name}.onnx")


def local(path: Path, name: str = VOICE, **options: Any) -> LocalModel:
    return LocalModel(name=name, path=path, options=options)


@pytest.fixture(scope="module")
def amy() -> Iterator[SherpaSynthesizer]:
    pytest.importorskip("piper")
    engine = SherpaSynthesizer(model=local(weights()))
    engine.load()
    yield engine
    engine.close()


def test_a_piper_voice_tells_its_languages_and_rate_before_it_is_loaded() -> None:
    (model,) = SherpaSynthesizer(model=local(weights())).info.models
    assert (model.name, model.languages, model.rate) == (VOICE, ("en-US", "en"), RATE)


def test_a_piper_voice_says_the_same_as_through_its_own_library(amy: SherpaSynthesizer) -> None:
    from wyoming_units.engines.piper import PiperSynthesizer

    piper = PiperSynthesizer(model=local(weights()))
    piper.load()
    for text in ("Create a timer for three hours.", "It is hot, isn't it? Yes!"):
        np.testing.assert_allclose(speak(amy, text), speak(piper, text), atol=1e-4)
    piper.close()


def test_speed_is_how_many_times_faster(amy: SherpaSynthesizer) -> None:
    usual, fast = (
        len(speak(amy, "The washing machine has finished.", speed=speed)) for speed in (1, 2)
    )
    assert 1.6 < usual / fast < 2.4


def test_it_stops_when_nobody_wants_more(amy: SherpaSynthesizer) -> None:
    made: list[Audio] = []

    def emit(piece: Audio) -> bool:
        made.append(piece)
        return len(made) < 3

    amy.synthesize(SynthesisRequest(text="One sentence. And another. And a third one."), emit)
    assert len(made) == 3


def test_what_the_taker_of_audio_raises_is_raised(amy: SherpaSynthesizer) -> None:
    def emit(piece: Audio) -> bool:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        amy.synthesize(SynthesisRequest(text="Hello."), emit)


@pytest.mark.parametrize("text", ["", "...", "!?"])
def test_where_nothing_is_to_be_said_nothing_is(text: str, amy: SherpaSynthesizer) -> None:
    assert pieces(amy, text) == []


@pytest.mark.parametrize("request_", [{"voice": "other"}, {"language": "de"}, {"speaker": "ann"}])
def test_another_voice_or_speaker_is_not_silently_replaced(
    request_: dict[str, str], amy: SherpaSynthesizer
) -> None:
    with pytest.raises(UnknownVoice):
        pieces(amy, "Hello", **request_)


def test_a_piper_voice_without_metadata_in_its_weights_speaks() -> None:
    pytest.importorskip("piper")
    path = data("tts-piper-testvoice/test_voice.onnx")
    engine = SherpaSynthesizer(model=local(path, "test"))
    engine.load()
    assert len(speak(engine, "Hello")) > 0.2 * RATE
    engine.close()


def test_espeak_reads_as_piper_does_where_piper_is_not_installed() -> None:
    pytest.importorskip("piper")
    pytest.importorskip("espeakng_loader")
    read = reader(read_voice(weights()))
    for text in (
        "Turned on the light.",
        "The door is open, the window is closed!",
        "Is it 21.5 degrees? I think so: it is warm; and dry",
        "Set a timer, please",
    ):
        assert list(map("".join, _read(text, "en-us"))) == list(map("".join, read(text)))


def test_chinese_marks_end_sentences_too() -> None:
    pytest.importorskip("espeakng_loader")
    first, second = map("".join, _read("你好，世界。今天是星期五！", "cmn"))
    assert ", " in first
    assert (first[-1], second[-1]) == (".", "!")


def copied(folder: Path, change: dict[str, Any]) -> Path:
    path = folder / f"{VOICE}.onnx"
    path.write_bytes(weights().read_bytes())
    config = json.loads(weights().with_name(f"{VOICE}.onnx.json").read_text("utf-8"))
    path.with_name(f"{VOICE}.onnx.json").write_text(json.dumps(config | change), "utf-8")
    return path


def test_a_voice_without_its_json_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "alone.onnx"
    path.write_bytes(weights().read_bytes())
    with pytest.raises(EngineFailed, match=r"needs its .*alone\.onnx\.json"):
        SherpaSynthesizer(model=local(path))


def test_weights_that_are_cut_off_are_an_error(tmp_path: Path) -> None:
    path = copied(tmp_path, {})
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(EngineFailed, match="cut off"):
        SherpaSynthesizer(model=local(path))


def test_a_json_of_another_voice_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("piper")
    engine = SherpaSynthesizer(model=local(copied(tmp_path, {"num_speakers": 2})))
    with pytest.raises(EngineFailed, match="has 1 speakers, its description 2"):
        engine.load()
    with pytest.raises(EngineFailed, match="not loaded"):
        pieces(engine, "Hello")


def test_weights_that_would_end_the_process_are_an_error(tmp_path: Path) -> None:
    pytest.importorskip("piper")
    path = copied(tmp_path, {})
    path.write_bytes(data("vad-silero/silero_vad.onnx").read_bytes())
    with pytest.raises(EngineFailed, match=f"sherpa-tts cannot load {VOICE}"):
        SherpaSynthesizer(model=local(path)).load()


# -- voices of other kinds, which hum


def tokens_and_tone(engine: Synthesizer, text: str, speaker: str | None) -> tuple[int, float]:
    """Return how many tokens were spoken, and at how many Hz."""
    audio = speak(engine, text, speaker=speaker)
    loudest = int(np.abs(np.fft.rfft(audio)).argmax())
    return len(audio) // TOKEN, round(loudest * HUM_RATE / len(audio), -1)


def test_a_lexicon_says_how_words_sound(tmp_path: Path) -> None:
    engine = SherpaSynthesizer(model=local(lexicon_vits(tmp_path), "hum"))
    (model,) = engine.info.models
    assert (model.languages, model.rate, model.speakers) == (("en",), HUM_RATE, ("0", "1"))
    engine.load()
    # "one" has two tokens, "two" three, and there is a space between words.
    assert tokens_and_tone(engine, "one two", None) == (6, HERTZ[0])
    assert tokens_and_tone(engine, "two", "1") == (3, HERTZ[1])
    with pytest.raises(UnknownVoice, match="hum has no speaker '2'; it has: 0, 1"):
        speak(engine, "one", speaker="2")
    assert pieces(engine, "unknown") == []
    engine.close()


@pytest.mark.parametrize("family", ["kokoro", "kitten"])
def test_voices_with_styles_have_their_speakers_names(family: str, tmp_path: Path) -> None:
    pytest.importorskip("piper")
    engine = SherpaSynthesizer(model=local(styled(tmp_path, family), "hum"))
    (model,) = engine.info.models
    assert (model.rate, model.speakers) == (HUM_RATE, ("low", "high"))
    engine.load()
    short, low = tokens_and_tone(engine, "bed", None)
    assert low == HERTZ[0]
    longer, high = tokens_and_tone(engine, "a better bed", "high")
    assert high == HERTZ[1]
    assert longer > short > 2
    engine.close()


def test_a_family_that_lacks_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (styled(tmp_path, "kokoro") / "voices.bin").unlink()
    with pytest.raises(EngineFailed, match=r"voices\.bin"):
        SherpaSynthesizer(model=local(tmp_path, "hum", family="kokoro"))


@pytest.mark.parametrize("name", ["piper", "sherpa-tts"])
def test_a_piper_voice_speaks_with_each_of_its_speakers(name: str, tmp_path: Path) -> None:
    pytest.importorskip("piper")
    engine = create_engine(name, model=local(piper_pair(tmp_path), "pair"))
    (model,) = engine.info.models
    assert (model.languages, model.speakers) == (("en-GB", "en"), ("low", "high"))
    engine.load()
    for speaker, hertz in (
        (None, HERTZ[0]),
        ("high", HERTZ[1]),
        ("low", HERTZ[0]),
        ("1", HERTZ[1]),
    ):
        assert tokens_and_tone(engine, "hello", speaker)[1] == hertz  # type: ignore[arg-type]
    with pytest.raises(UnknownVoice, match="no speaker 'tom'; it has: low, high"):
        pieces(engine, "hello", speaker="tom")  # type: ignore[arg-type]
    engine.close()
