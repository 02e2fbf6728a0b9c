"""faster-whisper and CTranslate2 on a small model that recognises tones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("faster_whisper")

from tests.integration.models_whisper import TONES, build_whisper, sound
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._whisper_network import Attempt
from wyoming_units.engines.base import RATE, Recognition, RecognitionRequest
from wyoming_units.engines.faster_whisper import FasterWhisperRecognizer
from wyoming_units.errors import EngineFailed, UnknownModel, Unsupported
from wyoming_units.speech.home import Home, HomeArea, HomeEntity

LIGHT, MUSIC, GERMAN, CREDITS, UNSURE = TONES
ANY = RecognitionRequest()
ENGLISH = RecognitionRequest(language="en")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_whisper(tmp_path_factory.mktemp("whisper") / "tones")


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(name="tones", path=folder)


@pytest.fixture(scope="module")
def whisper(model: LocalModel) -> Iterator[FasterWhisperRecognizer]:
    engine = FasterWhisperRecognizer(model=model, device="cpu")
    engine.load()
    yield engine
    engine.close()


def copy_of(folder: Path, place: Path) -> LocalModel:
    shutil.copytree(folder, place)
    return LocalModel(name="copy", path=place)


# -- text and language


def test_each_recording_gets_its_own_text(whisper: FasterWhisperRecognizer) -> None:
    texts = [whisper.recognize(sound(tone), ENGLISH).text for tone in (LIGHT, MUSIC, GERMAN)]
    assert texts == [LIGHT.text, MUSIC.text, GERMAN.text]


def test_a_sure_text_has_a_high_confidence(whisper: FasterWhisperRecognizer) -> None:
    sure, unsure = (whisper.recognize(sound(tone), ENGLISH).confidence for tone in (LIGHT, UNSURE))
    assert sure is not None
    assert unsure is not None
    assert unsure < 0.5
    assert 0.99 < sure <= 1


def test_the_language_is_found_out_where_none_is_asked_for(
    whisper: FasterWhisperRecognizer,
) -> None:
    assert whisper.recognize(sound(LIGHT), ANY).language == "en"
    assert whisper.recognize(sound(GERMAN), ANY).language == "de"


def test_only_the_languages_of_the_manifest_are_found_out(model: LocalModel) -> None:
    engine = FasterWhisperRecognizer(model=replace(model, languages=("en", "zh-CN")), device="cpu")
    assert engine.info.models[0].languages == ("en", "zh")
    engine.load()
    assert engine.recognize(sound(GERMAN), ANY).language == "en"
    with pytest.raises(UnknownModel, match="de"):
        engine.recognize(sound(GERMAN), RecognitionRequest(language="de"))


@pytest.mark.parametrize(
    ("asked", "token"),
    [
        ("en-GB", "en"),
        ("de_AT", "de"),
        ("zh-CN", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh-HK", "yue"),
        ("nb", "no"),
        ("nb-NO", "no"),
        ("EN", "en"),
    ],
)
def test_regional_codes_mean_whispers_languages(
    whisper: FasterWhisperRecognizer, asked: str, token: str
) -> None:
    request = RecognitionRequest(language=asked)
    assert whisper._language(request) == token
    assert whisper.recognize(sound(LIGHT), request).language == asked


def test_both_names_of_norwegian_are_offered(whisper: FasterWhisperRecognizer) -> None:
    (offered,) = whisper.info.models
    assert offered.languages == ("de", "en", "nb", "no", "yue", "zh")


@pytest.mark.parametrize(
    "request_", [RecognitionRequest(language="tlh"), RecognitionRequest(model="other")]
)
def test_what_it_does_not_have_is_refused(
    whisper: FasterWhisperRecognizer, request_: RecognitionRequest
) -> None:
    with pytest.raises(UnknownModel):
        whisper.recognize(sound(LIGHT), request_)


def test_an_english_model_is_only_english(tmp_path: Path) -> None:
    folder = build_whisper(tmp_path / "tones.en", multilingual=False)
    engine = FasterWhisperRecognizer(model=LocalModel(name="tones.en", path=folder), device="cpu")
    assert engine.info.models[0].languages == ("en",)
    engine.load()
    for request in (ANY, RecognitionRequest(language="en-US")):
        assert engine.recognize(sound(LIGHT), request).text == LIGHT.text
    with pytest.raises(UnknownModel):
        engine.recognize(sound(LIGHT), RecognitionRequest(language="de"))


# -- prompt


HOME = Home(
    area="Kitchen",
    areas=(HomeArea(name="Kitchen"), HomeArea(name="Bedroom")),
    entities=(
        HomeEntity(name="Bedside lamp", domain="light", area="Bedroom"),
        HomeEntity(name="Extractor", domain="fan", area="Kitchen", aliases=("Hood",)),
    ),
)


def prompt(engine: FasterWhisperRecognizer, request: RecognitionRequest) -> str:
    return engine._ready().text(engine.context(request))


def test_the_prompt_has_the_names_with_the_likeliest_last(whisper: FasterWhisperRecognizer) -> None:
    request = RecognitionRequest(home=HOME, terms=("Qwen",), before="turn on")
    assert prompt(whisper, request) == (
        "Bedside lamp, Bedroom, Kitchen, Hood, Extractor, Qwen. turn on"
    )
    assert whisper.recognize(sound(LIGHT), request).text == LIGHT.text


def test_a_large_home_gets_a_short_prompt_that_begins_in_the_speakers_area(
    whisper: FasterWhisperRecognizer,
) -> None:
    entities = tuple(
        HomeEntity(name=f"Lamp {number}", domain="light", area="Kitchen" if number > 490 else None)
        for number in range(500)
    )
    request = RecognitionRequest(home=Home(area="Kitchen", entities=entities), before="a" * 500)
    assert len(whisper.context(request)) <= 180
    names = prompt(whisper, request).split(".")[0]
    assert names.endswith("Lamp 493, Lamp 492, Lamp 491")
    assert whisper.recognize(sound(MUSIC), request).text == MUSIC.text


def test_without_a_home_there_is_no_prompt(whisper: FasterWhisperRecognizer) -> None:
    assert whisper.context(ENGLISH) == []


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("zh", "以下是普通话的句子。"),
        ("zh-CN", "以下是普通话的句子。"),
        ("zh-TW", "以下是國語的句子。"),
        ("zh-Hant-HK", "以下是國語的句子。"),
        ("yue", ""),
        (None, ""),
    ],
)
def test_chinese_is_written_in_the_script_of_the_speaker(
    whisper: FasterWhisperRecognizer, language: str | None, sentence: str
) -> None:
    assert prompt(whisper, RecognitionRequest(language=language)) == sentence


# -- what is no speech


@pytest.mark.parametrize(
    "samples",
    [
        np.empty(0, np.float32),
        np.zeros(10, np.float32),
        np.zeros(3 * RATE, np.float32),
        sound(LIGHT, volume=0.0005),
        sound(LIGHT, seconds=0.05),
        sound(CREDITS),
    ],
    ids=["empty", "ten samples", "silence", "far too quiet", "a click", "credits of a film"],
)
def test_what_is_no_speech_gives_no_text(
    whisper: FasterWhisperRecognizer, samples: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> None:
    assert whisper.recognize(samples, ENGLISH) == Recognition(text="", language="en")


def test_quiet_speech_is_heard(whisper: FasterWhisperRecognizer) -> None:
    assert whisper.recognize(sound(LIGHT, volume=0.005), ENGLISH).text == LIGHT.text


def test_a_phrase_without_end_is_dropped_after_as_many_words_as_could_be_said(
    tmp_path: Path,
) -> None:
    folder = build_whisper(tmp_path / "endless", endless=True)
    engine = FasterWhisperRecognizer(model=LocalModel(name="endless", path=folder), device="cpu")
    engine.load()
    assert engine.recognize(sound(UNSURE), ENGLISH).text == ""
    network = engine._ready()
    encoded = network.encode(network.features(sound(UNSURE)), 30)
    attempt = network.decode(encoded, "en", [], 5, 30)
    assert attempt.endless
    assert len(attempt.text.split()) == 30
    assert engine.recognize(sound(LIGHT), ENGLISH).text == LIGHT.text


# -- windows


@pytest.mark.parametrize("seconds", [0.2, 4, 9, 29.9])
def test_a_shorter_window_gives_the_same_text(model: LocalModel, seconds: float) -> None:
    engine = FasterWhisperRecognizer(model=model, device="cpu", window=5)
    engine.load()
    assert engine.recognize(sound(MUSIC, seconds), ENGLISH).text == MUSIC.text
    encoded = engine._ready().encode(engine._ready().features(sound(MUSIC)), 5)
    assert encoded.shape[1] == 250


def test_a_doubtful_text_is_decoded_again_in_a_full_window_without_a_prompt(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FasterWhisperRecognizer(model=model, device="cpu", window=5)
    engine.load()
    network = engine._ready()
    decode, calls = network.decode, []

    def watched(encoded: Any, language: str, context: list[int], *limits: int) -> Attempt:
        calls.append((encoded.shape[1], bool(context)))
        return decode(encoded, language, context, *limits)

    monkeypatch.setattr(network, "decode", watched)
    request = RecognitionRequest(language="en", home=HOME)
    assert engine.recognize(sound(LIGHT), request).text == LIGHT.text
    assert calls == [(250, True)]
    calls.clear()
    assert engine.recognize(sound(UNSURE), request).text.startswith("again again")
    assert calls == [(250, True), (1500, False)]


def test_audio_longer_than_a_window_is_heard_to_its_end(whisper: FasterWhisperRecognizer) -> None:
    audio = np.concatenate([sound(LIGHT, 30), sound(MUSIC, 5)])
    heard = whisper.recognize(audio, ANY)
    assert heard.text.startswith(LIGHT.text)
    assert heard.text.endswith(MUSIC.text)
    assert heard.language == "en"


# -- life


def test_concurrent_requests_each_get_their_own_answer(whisper: FasterWhisperRecognizer) -> None:
    tones = [LIGHT, MUSIC, GERMAN] * 3
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda tone: whisper.recognize(sound(tone), ENGLISH).text, tones))
    assert texts == [tone.text for tone in tones]


def test_it_says_what_it_runs_on(model: LocalModel) -> None:
    engine = FasterWhisperRecognizer(model=model, device="cpu", compute_type="float32")
    assert engine.info.models[0].description == "tones"
    engine.load()
    assert engine.info.models[0].description == "tones, float32 on CPU"
    assert engine.info.open_vocabulary


def test_a_closed_engine_can_be_loaded_again(model: LocalModel) -> None:
    engine = FasterWhisperRecognizer(model=model, device="cpu")
    with pytest.raises(EngineFailed, match="tones is not loaded"):
        engine.recognize(sound(LIGHT), ENGLISH)
    for _ in range(2):
        engine.load()
        assert engine.recognize(sound(LIGHT), ENGLISH).text == LIGHT.text
        engine.close()
        with pytest.raises(EngineFailed, match="not loaded"):
            engine.recognize(sound(LIGHT), ENGLISH)


# -- what can be wrong


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_missing_or_empty_file_is_named(
    folder: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    broken = copy_of(folder, tmp_path / "broken")
    (broken.path / name).unlink()
    if content is not None:
        (broken.path / name).write_bytes(content)
    with pytest.raises(EngineFailed, match=name):
        FasterWhisperRecognizer(model=broken)


def test_an_old_vocabulary_of_plain_lines_is_read(folder: Path, tmp_path: Path) -> None:
    import json

    old = copy_of(folder, tmp_path / "old")
    tokens = json.loads((old.path / "vocabulary.json").read_text("utf-8"))
    (old.path / "vocabulary.json").unlink()
    (old.path / "vocabulary.txt").write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    engine = FasterWhisperRecognizer(model=old, device="cpu")
    assert "de" in engine.info.models[0].languages
    engine.load()
    assert engine.recognize(sound(GERMAN), ANY).text == GERMAN.text


def test_a_vocabulary_of_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = copy_of(folder, tmp_path / "broken")
    (broken.path / "vocabulary.json").write_text('["a", "b"]', "utf-8")
    with pytest.raises(EngineFailed, match="no vocabulary of a Whisper model"):
        FasterWhisperRecognizer(model=broken)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_weights_that_are_cut_off_are_an_error(folder: Path, tmp_path: Path, share: float) -> None:
    broken = copy_of(folder, tmp_path / "broken")
    weights = (broken.path / "model.bin").read_bytes()
    (broken.path / "model.bin").write_bytes(weights[: int(len(weights) * share)])
    engine = FasterWhisperRecognizer(model=broken, device="cpu")
    with pytest.raises(EngineFailed, match="cannot be loaded"):
        engine.load()


@pytest.mark.parametrize(("name", "place"), [("model.bin", 12), ("tokenizer.json", None)])
def test_files_with_nonsense_in_them_are_an_error(
    folder: Path, tmp_path: Path, name: str, place: int | None
) -> None:
    broken = copy_of(folder, tmp_path / "broken")
    content = bytearray((broken.path / name).read_bytes() if place else b'{"model": {}}')
    if place:
        content[place : place + 4] = b"\xff\xff\xff\x7f"
    (broken.path / name).write_bytes(content)
    engine = FasterWhisperRecognizer(model=broken, device="cpu")
    with pytest.raises(EngineFailed, match="cannot be loaded"):
        engine.load()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="nowhere"):
        FasterWhisperRecognizer(model=LocalModel(name="x", path=tmp_path / "nowhere"))


def test_a_device_or_compute_type_that_is_not_there_is_unsupported(model: LocalModel) -> None:
    import ctranslate2

    with pytest.raises(Unsupported, match="npu"):
        FasterWhisperRecognizer(model=model, device="npu")
    with pytest.raises(Unsupported, match="int8"):
        FasterWhisperRecognizer(model=model, device="cpu", compute_type="int3").load()
    if not ctranslate2.get_cuda_device_count():
        with pytest.raises(Unsupported, match="CUDA"):
            FasterWhisperRecognizer(model=model, device="cuda").load()
