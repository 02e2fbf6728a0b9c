"""Piper voices through piper-tts, with real voices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.recordings import data
from tests.integration.voices import pieces, speak
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._piper_voice import without_links
from wyoming_units.engines.base import Audio, SynthesisRequest
from wyoming_units.errors import EngineFailed, UnknownVoice

pytest.importorskip("piper")

from wyoming_units.engines.piper import PiperSynthesizer, phonemizer

VOICE = "en_US-amy-sano"
RATE = 22_050


def weights(name: str = VOICE) -> Path:
    return data(f"tts-sanotts/{name}.onnx")


def local(path: Path, name: str = VOICE) -> LocalModel:
    return LocalModel(name=name, path=path)


def changed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Copy the voice, with another JSON file."""
    path = folder / f"{VOICE}.onnx"
    path.write_bytes(weights().read_bytes())
    config = json.loads(weights().with_name(f"{VOICE}.onnx.json").read_text("utf-8"))
    change(config)
    path.with_name(f"{VOICE}.onnx.json").write_text(json.dumps(config), "utf-8")
    return path


@pytest.fixture(scope="module")
def amy() -> Iterator[PiperSynthesizer]:
    engine = PiperSynthesizer(model=local(weights()))
    engine.load()
    yield engine
    engine.close()


def test_a_voice_tells_its_languages_and_rate_before_it_is_loaded() -> None:
    (model,) = PiperSynthesizer(model=local(weights())).info.models
    assert (model.name, model.languages, model.rate) == (VOICE, ("en-US", "en"), RATE)
    assert model.speakers == ()


def test_speech_is_float_audio_of_a_plausible_length_without_an_offset(
    amy: PiperSynthesizer,
) -> None:
    audio = speak(amy, "Turned on the kitchen light.")
    assert audio.dtype == np.float32
    assert 1 < len(audio) / RATE < 3
    assert 0.9 < np.abs(audio).max() <= 1
    assert abs(float(audio.mean())) < 0.001
    # A voice has most of its power between 100 and 4000 Hz.
    power = np.abs(np.fft.rfft(audio)) ** 2
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    assert power[(hertz > 100) & (hertz < 4000)].sum() > 0.9 * power.sum()


def test_audio_comes_in_pieces_of_a_tenth_of_a_second(amy: PiperSynthesizer) -> None:
    lengths = {len(piece) for piece in pieces(amy, "Good morning.")[:-1]}
    assert lengths == {RATE // 10}


def test_it_stops_when_nobody_wants_more(amy: PiperSynthesizer) -> None:
    made: list[Audio] = []

    def emit(piece: Audio) -> bool:
        made.append(piece)
        return len(made) < 3

    amy.synthesize(SynthesisRequest(text="One sentence. And another. And a third one."), emit)
    assert len(made) == 3


def test_speed_is_how_many_times_faster(amy: PiperSynthesizer) -> None:
    usual, fast, slow = (
        len(speak(amy, "The washing machine has finished.", speed=speed)) for speed in (1, 2, 0.5)
    )
    assert 1.6 < usual / fast < 2.4
    assert 1.6 < slow / usual < 2.4


@pytest.mark.parametrize("text", ["", "  ", "...", "!?"])
def test_where_nothing_is_to_be_said_nothing_is(text: str, amy: PiperSynthesizer) -> None:
    assert pieces(amy, text) == []


def test_a_soft_sentence_is_as_loud_as_others(amy: PiperSynthesizer) -> None:
    peaks = [np.abs(speak(amy, text)).max() for text in ("Yes.", "Turned off all the lights.")]
    assert peaks == pytest.approx([0.95, 0.95], abs=0.01)


def test_a_voice_of_another_language_speaks_it() -> None:
    name = "zh_CN-huayan-sano"
    engine = PiperSynthesizer(model=local(weights(name), name))
    assert engine.info.models[0].languages == ("zh-CN", "zh")
    engine.load()
    assert 0.8 < len(speak(engine, "你好，今天是星期五。")) / RATE < 4
    engine.close()


@pytest.mark.parametrize(
    ("name", "language"), [("other", None), (None, "de"), (None, "zh-CN"), ("other", "en")]
)
def test_another_voice_is_not_silently_replaced(
    name: str | None, language: str | None, amy: PiperSynthesizer
) -> None:
    with pytest.raises(UnknownVoice):
        pieces(amy, "Hello", voice=name, language=language)


@pytest.mark.parametrize("language", ["en", "en-US", "en_GB", None])
def test_it_speaks_every_region_of_its_language(
    language: str | None, amy: PiperSynthesizer
) -> None:
    assert amy.voice(None, language).name == VOICE


def test_speakers_are_known_by_name_and_by_number(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        lambda config: config.update(
            num_speakers=3, speaker_id_map={"ann": 2, "bob": 0, "eve": 1}, default_speaker_id=1
        ),
    )
    engine = PiperSynthesizer(model=local(path))
    assert engine.info.models[0].speakers == ("eve", "ann", "bob")
    numbers = [engine._file.speaker(name) for name in (None, "ann", "bob", "2", "0")]
    assert numbers == [1, 2, 0, 2, 0]
    with pytest.raises(UnknownVoice, match="no speaker 'tom'; it has: eve, ann, bob"):
        engine._file.speaker("tom")


def test_a_speaker_that_a_voice_does_not_have_is_refused(amy: PiperSynthesizer) -> None:
    with pytest.raises(UnknownVoice, match="only one"):
        pieces(amy, "Hello", speaker="ann")
    assert pieces(amy, "Hello", speaker="0")


def test_a_folder_with_one_voice_is_that_voice(tmp_path: Path) -> None:
    changed(tmp_path, lambda config: None)
    assert PiperSynthesizer(model=local(tmp_path)).info.models[0].rate == RATE
    (tmp_path / "other.onnx").write_bytes(b"")  # a voice without JSON is left alone
    assert PiperSynthesizer(model=local(tmp_path)).info.models[0].rate == RATE


def test_a_voice_without_its_json_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "alone.onnx"
    path.write_bytes(weights().read_bytes())
    with pytest.raises(EngineFailed, match=r"needs its .*alone\.onnx\.json"):
        PiperSynthesizer(model=local(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.pop("phoneme_id_map"),
        lambda config: config.pop("num_speakers"),
        lambda config: config["phoneme_id_map"].update({"a": [9_999]}),  # of a larger network
        lambda config: config.update(audio={}),
        lambda config: config.update(audio={"sample_rate": 1}),
        lambda config: config.update(phoneme_id_map={"a": [1]}),
        lambda config: config.update(num_speakers=2, speaker_id_map={"a": 5}),
        lambda config: config.update(phoneme_id_map=3),
        lambda config: config.update(inference={"length_scale": "slow"}),
    ],
)
def test_a_json_that_is_none_of_a_voice_is_an_error_that_names_it(
    change: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    with pytest.raises(EngineFailed, match=rf"{VOICE}\.onnx\.json"):
        PiperSynthesizer(model=local(changed(tmp_path, change)))


def test_a_json_that_is_cut_off_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda config: None)
    file = path.with_name(f"{path.name}.json")
    file.write_text(file.read_text("utf-8")[:500], "utf-8")
    with pytest.raises(EngineFailed, match=r"\.onnx\.json cannot be read"):
        PiperSynthesizer(model=local(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(num_speakers=2, speaker_id_map={"a": 0, "b": 1}),
        lambda config: config.update(espeak={"voice": "elvish"}),
        lambda config: config.update(phoneme_type="runes"),
        lambda config: config.update(phoneme_type="pinyin"),
    ],
)
def test_a_json_of_another_voice_is_an_error_when_the_voice_is_loaded(
    change: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    engine = PiperSynthesizer(model=local(changed(tmp_path, change)))
    with pytest.raises(EngineFailed, match=VOICE):
        engine.load()
    with pytest.raises(EngineFailed, match="not loaded"):
        pieces(engine, "Hello")


@pytest.mark.parametrize("kept", [0, 100, 1_000_000])
def test_weights_that_are_cut_off_are_an_error(kept: int, tmp_path: Path) -> None:
    path = changed(tmp_path, lambda config: None)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(EngineFailed, match=rf"{VOICE}\.onnx"):
        PiperSynthesizer(model=local(path))


def test_a_voice_can_be_loaded_again_after_it_was_closed() -> None:
    engine = PiperSynthesizer(model=local(weights()))
    for _ in range(2):
        engine.load()
        assert pieces(engine, "Hello")
        engine.close()
        with pytest.raises(EngineFailed, match="not loaded"):
            pieces(engine, "Hello")


def test_words_are_not_broken_by_glides_that_voices_were_never_taught(
    amy: PiperSynthesizer,
) -> None:
    library = phonemizer(amy._file)
    (written,) = library.phonemize("create")
    assert "ʲ" in written  # else it is time to drop this rule
    assert "".join(without_links(written)) == "kɹiːˈeɪt"
    assert "".join(without_links("tʲebʲa")) == "tʲebʲa"  # after a consonant it is another sound


def test_a_sentence_that_nobody_wants_any_more_is_given_up_in_the_middle(
    amy: PiperSynthesizer,
) -> None:
    made: list[Audio] = []
    request = SynthesisRequest(text="the light in the kitchen and " * 40)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(amy.synthesize, request, lambda piece: made.append(piece) is None)
        (ident,) = {worker.ident or 0 for worker in pool._threads}
        while not amy._runs._calls:
            pass
        amy.interrupt(ident)  # while the phonemes are found
        assert "terminate" in str(running.exception())
    assert made == []
    assert len(speak(amy, "Hello there.")) > RATE / 2
    amy.interrupt(ident)  # harmless where nothing runs
