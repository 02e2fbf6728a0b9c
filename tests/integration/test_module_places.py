"""What a node runs of a module: found by itself, named, remembered, left out."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stackflow_speech import SENSE_VOICE, Lab, lab
from wyoming_units.config import NodeConfig, load_config
from wyoming_units.errors import BadRequest, UnknownModel
from wyoming_units.roster import Place, places
from wyoming_units.stackflow import listing

MODELS = (
    "silero-vad",
    "sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01",
    "whisper-base",
    "sense-voice-small-10s",
    "melotts-en-us",
    "melotts-zh-cn",
    "qwen2.5-0.5B-prefill-20e",
    "smolvlm-256M-ax630c",
    "yolo11n",
    "depth-anything-ax630c",
)
Config = Callable[..., NodeConfig]


@pytest.fixture(scope="module")
def module() -> Iterator[Lab]:
    with lab("main", models=MODELS) as module:
        yield module


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_told", {})


@pytest.fixture
def config(module: Lab, tmp_path: Path) -> Config:
    def make(**settings: Any) -> NodeConfig:
        settings.setdefault("stackflow", f"127.0.0.1:{module.server.port}")
        return load_config(data_dir=tmp_path, **settings)

    return make


def of(kind: str, found: list[Place]) -> list[str]:
    """Return the engines of a kind, with the model where they run one, in order."""
    names = []
    for place in found:
        if place.kind == kind:
            mode = place.options.get("mode")
            names.append(f"{place.engine}:{mode.name}" if mode else place.engine)
    return names


def answers(port: int) -> bool:
    """Return whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_on_the_module_comes_before_the_embedded_engines(config: Config) -> None:
    found = places(config(profile="stackflow"))
    assert of("stt", found) == [
        "stackflow-whisper:whisper-base",
        f"stackflow-asr:{SENSE_VOICE}",
        "pocketsphinx",
    ]
    assert of("tts", found) == [
        "stackflow-melotts:melotts-en-us",
        "stackflow-melotts:melotts-zh-cn",
        "espeak",
    ]
    assert of("llm", found) == [
        "stackflow-llm:qwen2.5-0.5B-prefill-20e",
        "stackflow-vlm:smolvlm-256M-ax630c",
    ]
    assert of("vision", found)[:2] == [
        "stackflow-yolo:yolo11n",
        "stackflow-depth:depth-anything-ax630c",
    ]
    loads = [
        place.options["mode"].name for place in found if place.loads and "mode" in place.options
    ]
    assert loads == ["whisper-base", "melotts-en-us", "qwen2.5-0.5B-prefill-20e", "yolo11n"]


def test_what_listens_all_the_time_runs_here_unless_it_is_named(config: Config) -> None:
    found = places(config())
    words = "sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01"
    assert of("wake", found) == ["microwakeword", f"stackflow-kws:{words}"]
    assert of("vad", found) == ["silero-onnx"]
    units = ["stt", "vad=stackflow-vad:silero-vad"]
    assert of("vad", places(config(units=units))) == ["stackflow-vad:silero-vad"]


def test_the_catalogue_says_what_a_model_of_the_module_is(config: Config) -> None:
    found = places(config(units=["stt=stackflow-whisper"]))
    mode = found[0].options["mode"]
    assert {"de", "zh", "en"} <= set(mode.languages)
    assert (mode.author, mode.unit) == ("OpenAI", "whisper")


def test_a_model_is_named_in_any_case_and_may_be_away(config: Config) -> None:
    (named, *_) = places(config(units=["stt=stackflow-asr:Sense-Voice-Small-10s"]))
    assert named.options["mode"].name == SENSE_VOICE
    assert named.named
    (away, *_) = places(config(units=["tts=stackflow-melotts:melotts-ja-jp"]))
    assert away.options["mode"].languages == ("ja", "ja-JP")


@pytest.mark.parametrize(
    ("unit", "error", "told"),
    [
        ("tts=stackflow-tts", UnknownModel, "no model for stackflow-tts, or does not answer"),
        ("stt=stackflow-melotts", BadRequest, "no stt engine is called 'stackflow-melotts'"),
    ],
)
def test_what_the_module_cannot_do_is_said(
    config: Config, unit: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        places(config(units=[unit]))


def test_without_a_module_its_engines_ask_for_one(config: Config) -> None:
    with pytest.raises(BadRequest, match="--stackflow HOST"):
        places(config(units=["stt=stackflow-asr:x"], stackflow=""))
    assert not [p for p in places(config(stackflow="")) if "mode" in p.options]


def test_on_the_module_itself_only_language_models_are_left_to_its_software(config: Config) -> None:
    found = places(config(profile="ax630c"))
    kinds = {place.kind for place in found if place.engine.startswith("stackflow-")}
    assert kinds == {"llm"}


@pytest.mark.parametrize("profile", ["embedded", "cpu"])
def test_other_profiles_leave_the_module_alone(config: Config, profile: str) -> None:
    assert not [p for p in places(config(profile=profile)) if "mode" in p.options]


def test_a_profile_sets_options_that_the_settings_win_over(tmp_path: Path) -> None:
    def device(**settings: Any) -> str:
        voice = tmp_path / "whisper"
        voice.mkdir(exist_ok=True)
        config = load_config(data_dir=tmp_path, units=[f"stt=faster-whisper:{voice}"], **settings)
        return str(places(config)[0].options.get("device", "the engine's own choice"))

    assert device() == "the engine's own choice"
    assert device(profile="cuda") == "cuda"
    assert device(profile="cuda", engines={"faster-whisper": {"device": "auto"}}) == "auto"


@pytest.mark.parametrize("where", ["host:", "host:nine", "serial:", "[::1"])
def test_an_address_that_is_none_is_a_wrong_setting(where: str) -> None:
    with pytest.raises(BadRequest, match="setting stackflow"):
        load_config(stackflow=where)


def test_a_module_that_is_away_is_remembered_also_by_the_next_run(
    config: Config, module: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = [place.key for place in places(config())]
    monkeypatch.setattr(listing, "_AGE", 0.0)
    monkeypatch.setattr(listing, "_AGAIN", 0.0)
    monkeypatch.setattr(listing, "_told", {})
    back = module.server.faults.restart(0.5)
    while answers(module.server.port):
        pass
    for _ in range(2):
        assert [place.key for place in places(config())] == before
    assert caplog.text.count("does not answer") == 1
    back.result()


def test_what_is_remembered_and_broken_counts_for_nothing(tmp_path: Path) -> None:
    config = load_config(data_dir=tmp_path, stackflow="127.0.0.1:9")
    folder = tmp_path / "stackflow"
    folder.mkdir()
    for content in ("{", json.dumps([{"name": "x"}])):
        (folder / "modes-127.0.0.1-9.json").write_text(content)
        listing._told.clear()
        assert not [place for place in places(config) if "mode" in place.options]
