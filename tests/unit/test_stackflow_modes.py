"""What a module's listing says of its models."""

from __future__ import annotations

from typing import Any

import pytest

from wyoming_units.stackflow.modes import Mode, read_modes


def entry(name: str, kind: str, *words: str, **parameters: Any) -> dict[str, Any]:
    return {"mode": name, "type": kind, "capabilities": [*words], "mode_param": parameters}


@pytest.mark.parametrize(
    ("kind", "parameters", "unit"),
    [
        ("vad", {}, "vad"),
        ("kws", {}, "kws"),
        ("asr", {"model_config.tokens": "tokens.txt"}, "asr"),
        ("asr", {"encoder": "e.axmodel", "decoder_main": "d.axmodel"}, "whisper"),
        ("tts", {"ttsModelName": "s.bin"}, "tts"),
        ("tts", {"gbin": "g.bin", "encoder": "e.ort"}, "melotts"),
        ("llm", {}, "llm"),
        ("vlm", {}, "vlm"),
        ("cv", {"yolo_model": "yolo11n.axmodel"}, "yolo"),
        ("cv", {"depth_anything_model": "d.axmodel"}, "depth_anything"),
    ],
)
def test_the_service_of_a_model_is_told_by_its_files(
    kind: str, parameters: dict[str, Any], unit: str
) -> None:
    (mode,) = read_modes([entry("m", kind, **parameters)])
    assert (mode.name, mode.unit, mode.parameters) == ("m", unit, parameters)


def test_languages_author_and_abilities_are_taken_from_the_listing() -> None:
    told = {
        **entry(
            "sense-voice-small-10s", "asr", "Chinese", "English", "Cantonese", "Speech_to_text"
        ),
        "homepage": "https://huggingface.co/M5Stack/SenseVoiceSmall-axmodel",
    }
    assert read_modes([told]) == (
        Mode(
            name="sense-voice-small-10s",
            unit="asr",
            languages=("zh", "en", "yue"),
            description="Speech to text",
            author="M5Stack",
            upstream="https://huggingface.co/M5Stack/SenseVoiceSmall-axmodel",
        ),
    )


def test_a_page_elsewhere_names_no_author() -> None:
    (mode,) = read_modes([{**entry("m", "vad"), "homepage": "https://docs.example/who/m"}])
    assert (mode.author, mode.upstream) == ("", "https://docs.example/who/m")


def test_services_that_are_no_models_and_nonsense_are_left_out() -> None:
    nonsense: list[Any] = [None, 3, [], {}, {"mode": 3, "type": "llm"}, {"mode": "", "type": "llm"}]
    odd = [
        {"mode": "a", "type": ["llm"]},
        entry("cam", "camera"),
        entry("mic", "audio"),
        entry("c", "cv"),
    ]
    broken = {
        "mode": "b",
        "type": "llm",
        "capabilities": "English",
        "mode_param": None,
        "homepage": 7,
    }
    modes = read_modes([*nonsense, *odd, broken, entry("b", "llm", "English"), entry("a", "llm")])
    assert [mode.name for mode in modes] == ["b", "a"]
    assert modes[0].languages == ()


@pytest.mark.parametrize("data", [None, "None", {}, 3])
def test_a_listing_that_is_none_has_no_models(data: Any) -> None:
    assert read_modes(data) == ()
