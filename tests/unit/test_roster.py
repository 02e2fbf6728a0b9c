"""Which engines a node runs, by its settings and by what lies in its folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.receipts import write_receipt
from wyoming_units.config import NodeConfig
from wyoming_units.engines.base import WakeSettings
from wyoming_units.errors import BadRequest, UnknownModel
from wyoming_units.roster import Place, places


@pytest.fixture
def config(tmp_path: Path) -> Any:
    def make(**settings: Any) -> NodeConfig:
        return NodeConfig(data_dir=tmp_path, **settings)

    return make


def engines(found: list[Place]) -> list[tuple[str, str]]:
    return [(place.kind, place.engine) for place in found if place.kind in ("stt", "tts", "wake")]


def install(folder: Path, name: str, kind: str, engine: str, day: int = 1) -> None:
    """Put a model where a pull of that day would put it."""
    model = folder / "models" / name
    model.mkdir(parents=True)
    (model / "model.bin").write_bytes(b"weights")
    (model / "config.json").write_text("{}")
    write_receipt(model, kind=kind, engine=engine, day=day)


def test_without_models_the_embedded_engines_run(config: Any) -> None:
    assert engines(places(config())) == [
        ("stt", "pocketsphinx"),
        ("wake", "microwakeword"),
        ("tts", "espeak"),
    ]
    assert all(place.loads for place in places(config()))


def test_the_model_installed_last_comes_first_and_the_embedded_engine_waits(
    config: Any, tmp_path: Path
) -> None:
    install(tmp_path, "whisper-base", "stt", "faster-whisper", day=1)
    install(tmp_path, "whisper-tiny", "stt", "faster-whisper", day=2)
    stt = [place for place in places(config()) if place.kind == "stt"]
    assert [(place.engine, place.loads) for place in stt] == [
        ("faster-whisper", True),
        ("faster-whisper", False),
        ("pocketsphinx", False),
    ]
    names = [place.options["model"].name for place in stt[:2]]
    assert names == ["whisper-tiny", "whisper-base"]


def test_a_unit_can_be_named_with_its_engine_and_model(config: Any, tmp_path: Path) -> None:
    install(tmp_path, "whisper-tiny", "stt", "faster-whisper")
    (place,) = [
        place
        for place in places(config(units=["stt=faster-whisper:whisper-tiny"]))
        if place.kind == "stt"
    ]
    assert place.options["model"].path == tmp_path / "models" / "whisper-tiny"
    folder = tmp_path / "my:model"
    folder.mkdir()
    (place, *_) = places(config(units=[f"stt=faster-whisper:{folder}"]))
    assert place.options["model"].path == folder


@pytest.mark.parametrize(
    ("unit", "error", "told"),
    [
        ("singing", BadRequest, "no unit is called 'singing'"),
        ("stt=espeak", BadRequest, "no stt engine is called 'espeak'"),
        ("tts=espeak:loud", BadRequest, "takes no model"),
        ("stt=faster-whisper", UnknownModel, "wyoming-units models list"),
        ("stt=faster-whisper:whisper-tiny", UnknownModel, "models pull"),
        ("stt=faster-whisper:nobody", UnknownModel, "nobody"),
    ],
)
def test_what_cannot_run_is_one_clear_error(
    config: Any, unit: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        places(config(units=[unit]))


def test_voices_of_the_voice_folder_are_found_and_a_change_makes_another_place(
    config: Any, tmp_path: Path
) -> None:
    voices = tmp_path / "voices" / "english"
    voices.mkdir(parents=True)
    voice = voices / "en_GB-alba.onnx"
    voice.write_bytes(b"one")
    found = [place for place in places(config(units=["tts"])) if place.engine == "piper"]
    assert [place.options["model"].name for place in found] == ["en_GB-alba"]
    (voices / "en_GB-alba.onnx.json").write_text("{}")
    (changed,) = [place for place in places(config(units=["tts"])) if place.engine == "piper"]
    assert changed.key != found[0].key
    (same,) = [place for place in places(config(units=["tts"])) if place.engine == "piper"]
    assert same.key == changed.key


def test_a_word_of_nobody_is_a_mistake_unless_phrases_can_be_typed(
    config: Any, tmp_path: Path
) -> None:
    words = {"okay_nabu": WakeSettings(threshold=0.9), "hello house": WakeSettings()}
    with pytest.raises(BadRequest, match="hello house"):
        places(config(wake_words=words))
    install(tmp_path, "kws", "wake", "sherpa-kws")
    found = {place.engine: place.options.get("words") for place in places(config(wake_words=words))}
    assert found["microwakeword"] == {"okay_nabu": WakeSettings(threshold=0.9)}
    assert found["sherpa-kws"] == {"hello house": WakeSettings()}


def test_voices_of_people_are_known_only_where_there_are_some(config: Any, tmp_path: Path) -> None:
    install(tmp_path, "wespeaker", "speaker", "sherpa-speaker")
    assert not [place for place in places(config()) if place.kind == "speaker"]
    (tmp_path / "speakers").mkdir()
    (place,) = [place for place in places(config()) if place.kind == "speaker"]
    assert place.options["enrol"] == tmp_path / "speakers"


def test_engines_take_the_options_of_the_settings(config: Any) -> None:
    (place,) = [
        place
        for place in places(config(units=["tts"], engines={"espeak": {"words_per_minute": 200}}))
        if place.kind == "tts"
    ]
    assert place.create().info.name == "espeak"
    with pytest.raises(BadRequest, match="no engine is called parrot"):
        places(config(engines={"parrot": {}}))
    (wrong,) = [
        place
        for place in places(config(units=["tts"], engines={"espeak": {"loudness": 11}}))
        if place.kind == "tts"
    ]
    with pytest.raises(BadRequest, match="no option loudness; there are: words_per_minute"):
        wrong.create()


def test_a_word_whose_file_is_broken_and_a_name_of_another_file_keep_nothing_from_starting(
    config: Any, tmp_path: Path
) -> None:
    words = tmp_path / "wake-words"
    words.mkdir()
    (words / "hello.json").write_text("no JSON")
    (words / "house.json").write_text(json.dumps({"model": "stream.tflite"}))
    (words / "stream.tflite").write_bytes(b"")
    settings = {"hello": WakeSettings(threshold=0.9), "alexa": WakeSettings(threshold=0.8)}
    wake = [place for place in places(config(wake_words=settings)) if place.kind == "wake"]
    assert [place.engine for place in wake] == ["microwakeword"]  # nothing for openWakeWord
    assert wake[0].options["words"] == {"alexa": WakeSettings(threshold=0.8)}
    assert "okay_nabu" in {model.name for model in wake[0].create().info.models}


def test_an_installed_voice_detector_is_taken_instead_of_the_one_that_comes_with_a_library(
    config: Any, tmp_path: Path
) -> None:
    def vad() -> list[Any]:
        return [place.options.get("model") for place in places(config()) if place.kind == "vad"]

    assert vad() == [None]
    install(tmp_path, "silero-vad", "vad", "silero-onnx")
    (model,) = vad()
    assert model.name == "silero-vad"
