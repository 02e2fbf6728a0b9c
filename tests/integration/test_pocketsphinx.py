"""PocketSphinx with its real model, on recordings and on speech of eSpeak NG."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soxr
import yaml

from tests.integration.recordings import data, read_wav
from wyoming_units.engines.base import (
    RATE,
    Audio,
    IntentRequest,
    RecognitionRequest,
    SynthesisRequest,
)
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.engines.hassil import HassilIntentParser
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.errors import EngineFailed, TooLarge, UnknownModel
from wyoming_units.speech.home import Home, HomeArea, HomeEntity

DEMO = Home.from_dict(
    {
        "area": "Living Room",
        "areas": [{"name": name} for name in ("Kitchen", "Living Room", "Bedroom", "Office")],
        "entities": [
            {"name": "Kitchen Light", "domain": "light", "area": "Kitchen"},
            {"name": "Living Room Lamp", "domain": "light", "area": "Living Room"},
            {"name": "Bedroom Light", "domain": "light", "area": "Bedroom"},
            {"name": "Office Blinds", "domain": "cover", "device_class": "blind", "area": "Office"},
            {"name": "Front Door", "domain": "lock", "area": "Living Room"},
            {"name": "Thermostat", "domain": "climate", "area": "Living Room"},
        ],
    }
)
AREA_ONLY = Home(
    areas=(HomeArea(name="Kitchen"),),
    entities=(HomeEntity(name="Ceiling", domain="light", area="Kitchen"),),
)
CLIP = "media/home/en/generated/turn on the Kitchen lights.wav"


@pytest.fixture(scope="module")
def engine() -> Iterator[PocketSphinxRecognizer]:
    engine = PocketSphinxRecognizer()
    engine.load()
    yield engine
    engine.close()


def say(text: str, voice: str = "en-us") -> Audio:
    """Return what the tts unit's engine says, at 16 kHz."""
    engine = EspeakSynthesizer()
    pieces: list[Audio] = []

    def keep(piece: Audio) -> bool:
        pieces.append(piece)
        return True

    engine.synthesize(SynthesisRequest(text=text, voice=voice), keep)
    audio: Audio = soxr.resample(np.concatenate(pieces), engine.voice(voice, None).rate, RATE)
    return audio


def hear(engine: PocketSphinxRecognizer, audio: Audio, home: Home | None, step: int = 1024) -> str:
    stream = engine.start(RecognitionRequest(home=home, language="en"))
    for start in range(0, len(audio), step):
        stream.feed(audio[start : start + step])
    text = stream.finish().text
    stream.close()
    return text


@pytest.mark.parametrize("voice", ["en-us", "en-gb"])
@pytest.mark.parametrize("home", [DEMO, AREA_ONLY], ids=["name", "area"])
def test_espeak_turns_on_the_kitchen_light(
    engine: PocketSphinxRecognizer, home: Home, voice: str
) -> None:
    text = hear(engine, say("turn on the kitchen light", voice), home)
    assert text.casefold() == "turn on the kitchen light"


def test_a_recording_turns_on_the_kitchen_lights(engine: PocketSphinxRecognizer) -> None:
    text = hear(engine, read_wav(data(CLIP)), DEMO)
    assert text.casefold().removesuffix("s") == "turn on the kitchen light"


@pytest.mark.parametrize(
    "text",
    [
        "turn off the Bedroom Light",
        "close the Office Blinds",
        "set the Thermostat to 21 degrees",
        "set a timer for 5 minutes",
    ],
)
def test_the_text_has_the_spelling_of_the_home_and_digits(
    engine: PocketSphinxRecognizer, text: str
) -> None:
    assert hear(engine, say(text), DEMO) == text


def test_recorded_commands_mean_what_was_said(engine: PocketSphinxRecognizer) -> None:
    folder = data("media/home/en")
    home = Home.from_dict(yaml.safe_load(data("media/home/home.yaml").read_text("utf-8")))
    parser = HassilIntentParser()
    right = []
    for path in (*sorted(folder.glob("[!o]*.wav")), *sorted(folder.glob("generated/*.wav"))[::4]):
        heard = hear(engine, read_wav(path), home)
        wanted = parser.parse(IntentRequest(text=path.stem, home=home))
        right.append(heard != "" and parser.parse(IntentRequest(text=heard, home=home)) == wanted)
    assert len(right) > 30
    assert sum(right) >= 0.9 * len(right)


def test_a_quiet_recording_after_seconds_of_room_noise_is_understood(
    engine: PocketSphinxRecognizer,
) -> None:
    noise = np.random.default_rng(1)
    clip = 0.1 * read_wav(data(CLIP))
    room = [noise.normal(scale=5e-4, size=n).astype(np.float32) for n in (4 * RATE, RATE)]
    text = hear(engine, np.concatenate([room[0], clip, room[1]]), DEMO)
    assert text.casefold().removesuffix("s") == "turn on the kitchen light"


@pytest.mark.parametrize("step", [100, 3200, 10**9])
def test_the_size_of_the_pieces_makes_no_difference(
    engine: PocketSphinxRecognizer, step: int
) -> None:
    audio = say("set the thermostat to 21 degrees")
    assert hear(engine, audio, DEMO, step) == hear(engine, audio, DEMO, 1024) != ""


def test_an_utterance_leaves_nothing_for_the_next_one(engine: PocketSphinxRecognizer) -> None:
    audio = say("turn on the kitchen light")
    loud = engine.start(RecognitionRequest(home=DEMO))
    loud.feed(np.random.default_rng(1).uniform(-1, 1, 3 * RATE).astype(np.float32))
    loud.close()  # in mid-utterance
    assert hear(engine, audio, DEMO) == "turn on the Kitchen Light"
    assert hear(engine, audio, DEMO) == "turn on the Kitchen Light"


def test_partial_text_grows_into_the_command_before_the_end(engine: PocketSphinxRecognizer) -> None:
    audio = np.concatenate([say("turn off the bedroom light"), np.zeros(RATE, np.float32)])
    stream = engine.start(RecognitionRequest(home=DEMO))
    partials = [stream.feed(audio[start : start + 1024]) for start in range(0, len(audio), 1024)]
    texts = [text for text in partials if text]
    assert texts[0] != texts[-1]
    assert texts[-1] == stream.finish().text == "turn off the Bedroom Light"
    stream.close()


@pytest.mark.parametrize("seconds", [0, 0.001, 0.3, 3])
def test_silence_is_no_command(engine: PocketSphinxRecognizer, seconds: float) -> None:
    assert not hear(engine, np.zeros(int(seconds * RATE), np.float32), DEMO)


def test_half_of_what_is_no_command_is_rejected(engine: PocketSphinxRecognizer) -> None:
    recordings = map(read_wav, sorted(data("media/en/librivox").glob("*.wav")))
    pieces = [
        speech[start : start + 3 * RATE]
        for speech in (read_wav(data("media/en/jfk.wav")), *recordings)
        for start in range(0, len(speech) - 2 * RATE, 3 * RATE)
    ]
    assert sum(hear(engine, piece, DEMO) == "" for piece in pieces) >= 0.5 * len(pieces)


def test_a_name_that_is_in_no_dictionary_is_read_by_espeak(engine: PocketSphinxRecognizer) -> None:
    home = Home(entities=(HomeEntity(name="Tradfri Govee", domain="light"),))
    assert hear(engine, say("turn on tradfri govee"), home) == "turn on Tradfri Govee"


def test_without_espeak_only_the_sentences_with_such_a_name_are_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wyoming_units.engines.espeak_library", None)
    engine = PocketSphinxRecognizer()
    engine.load()
    home = replace(
        DEMO, entities=(*DEMO.entities, HomeEntity(name="Tradfri Govee", domain="light"))
    )
    with caplog.at_level(logging.INFO):
        assert hear(engine, say("turn on the kitchen light"), home) == "turn on the Kitchen Light"
    assert "2 words" in caplog.text
    assert "radfri" not in caplog.text
    engine.close()


def test_streams_in_many_threads_do_not_disturb_each_other(engine: PocketSphinxRecognizer) -> None:
    clips = [say(f"set a timer for {minutes} minutes") for minutes in (2, 5, 7, 30)]
    alone = [hear(engine, clip, DEMO) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda clip: hear(engine, clip, DEMO), clips)) == alone
    assert len(set(alone)) == len(clips)


def test_many_homes_one_after_the_other_are_each_understood(engine: PocketSphinxRecognizer) -> None:
    audio = say("turn on the kitchen light")
    for number in range(6):
        other = HomeEntity(name=f"Lamp {number}", domain="light")
        home = replace(DEMO, entities=(*DEMO.entities, other))
        assert hear(engine, audio, home) == "turn on the Kitchen Light"


def test_without_a_home_the_time_can_be_asked_for(engine: PocketSphinxRecognizer) -> None:
    assert hear(engine, say("what time is it"), None) == "what time is it"


@pytest.mark.parametrize("language", [None, "en", "en-US", "en_gb", "EN"])
def test_all_kinds_of_english_are_accepted(
    engine: PocketSphinxRecognizer, language: str | None
) -> None:
    engine.start(RecognitionRequest(language=language)).close()


def test_other_languages_and_models_are_refused(engine: PocketSphinxRecognizer) -> None:
    with pytest.raises(UnknownModel, match="English only"):
        engine.start(RecognitionRequest(language="de"))
    with pytest.raises(UnknownModel, match="'large'"):
        engine.start(RecognitionRequest(model="large"))


def test_a_home_with_too_many_names_is_refused(engine: PocketSphinxRecognizer) -> None:
    many = tuple(HomeEntity(name=f"Lamp {number}", domain="light") for number in range(2001))
    with pytest.raises(TooLarge, match="2001 names"):
        engine.start(RecognitionRequest(home=Home(entities=many)))


def test_a_finished_utterance_takes_no_more_audio(engine: PocketSphinxRecognizer) -> None:
    stream = engine.start(RecognitionRequest())
    stream.finish()
    with pytest.raises(EngineFailed, match="ended"):
        stream.feed(np.zeros(100, np.float32))
    stream.close()
    stream.close()
