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
from numpy.typing import NDArray

from tests.integration.recordings import data, read_wav
from wyoming_units.engines._pocketsphinx_grammar import Templates, build_grammar
from wyoming_units.engines.base import (
    RATE,
    Audio,
    IntentRequest,
    RecognitionRequest,
)
from wyoming_units.engines.espeak_library import RATE as ESPEAK_RATE, speak
from wyoming_units.engines.espeak_voices import find_voice
from wyoming_units.engines.hassil import HassilIntentParser
from wyoming_units.engines.pocketsphinx import PocketSphinxRecognizer
from wyoming_units.errors import EngineFailed, TooLarge, UnknownModel
from wyoming_units.speech.automaton import Automaton
from wyoming_units.speech.grammar import spoken_words
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
    """Return what eSpeak NG says at 16 kHz, in a voice such as "en-us" or "en-gb+f3"."""
    pieces: list[NDArray[np.int16]] = []

    def keep(piece: NDArray[np.int16]) -> bool:
        pieces.append(piece.copy())
        return True

    name, plus, variant = voice.partition("+")
    found = find_voice(name, None)
    identifier = found.identifier + plus + variant
    speak(text, replace(found, identifier=identifier), keep, words_per_minute=170)
    loud = np.concatenate(pieces).astype(np.float32) / 32_768
    audio: Audio = soxr.resample(loud, ESPEAK_RATE, RATE)
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
    covered = build_grammar(Templates.load(), home).automaton
    right = []
    for path in (*sorted(folder.glob("*.wav")), *sorted(folder.glob("generated/*.wav"))[::6]):
        if not covered.accepts(spoken_words(path.stem)):
            continue
        heard = hear(engine, read_wav(path), home)
        wanted = parser.parse(IntentRequest(text=path.stem, home=home))
        right.append(heard != "" and parser.parse(IntentRequest(text=heard, home=home)) == wanted)
    assert len(right) >= 25
    assert sum(right) >= 0.85 * len(right)


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
    said = [partial for partial in partials if partial is not None]
    assert said[0].text != said[-1].text
    assert len({partial.text for partial in said}) == len(said), "told twice"
    assert said[-1].text == stream.finish().text == "turn off the Bedroom Light"
    assert (said[-1].whole, said[-1].complete) == (True, False)  # "in the bedroom" may follow
    assert not said[0].complete
    stream.close()


@pytest.mark.parametrize("seconds", [0, 0.001, 0.3, 3])
def test_silence_is_no_command(engine: PocketSphinxRecognizer, seconds: float) -> None:
    assert not hear(engine, np.zeros(int(seconds * RATE), np.float32), DEMO)


@pytest.fixture(scope="module")
def risky() -> Automaton:
    """Accept what unlocks or opens something in the demo home."""
    return build_grammar(Templates.load(), DEMO).risky


def test_read_speech_is_no_command(engine: PocketSphinxRecognizer, risky: Automaton) -> None:
    recordings = map(read_wav, sorted(data("media/en/librivox").glob("*.wav")))
    pieces = [
        speech[start : start + 3 * RATE]
        for speech in (read_wav(data("media/en/jfk.wav")), *recordings)
        for start in range(0, len(speech) - 2 * RATE, 3 * RATE)
    ]
    texts = [text for piece in pieces if (text := hear(engine, piece, DEMO))]
    assert len(texts) <= 0.2 * len(pieces)  # measured: a twentieth
    assert not any(risky.accepts(spoken_words(text)) for text in texts)


VOICES = ("en-us+f3", "en-gb+m1", "en-us+Michael", "en-gb-x-gbclan+f1")
CHATTER = """turn of the century kitchen lights were dim
the kitchen table is nice
what a lovely light
did you lock the car
I am not sure about that
we should go for a walk this afternoon
the lights went off in the whole street
breaking news from the capital this evening
let me show you something interesting
the temperature in the office was unbearable last summer
call now and save fifty percent
put the book back on the shelf
my sister moved to Chicago last year
five minutes is not enough time
hello is anybody there
set the table for dinner"""


def test_chatter_is_no_command(engine: PocketSphinxRecognizer, risky: Automaton) -> None:
    said = CHATTER.splitlines()
    heard = [hear(engine, say(text, VOICES[i % 4]), DEMO) for i, text in enumerate(said)]
    assert sum(text != "" for text in heard) <= 0.25 * len(said)
    assert not any(risky.accepts(spoken_words(text)) for text in heard)


NEAR_RISKY = """don't unlock the front door
do not unlock the front door
please never unlock the front door
never unlock the front door for strangers
I will unlock the front door later
did you unlock the front door
you must not unlock the front door
she unlocked the old front door with a rusty key
who left the front door unlocked
is the front door unlocked
lock the front door
unlock the car
unlock your phone
unlock
unlock the
the front door
the lock on the front door is rusty
don't open the office blinds
don't ever open the blinds
would he open the blinds for us
she opened the blinds and looked outside
close the office blinds
open the
open the office
open the book on page twelve
open the fridge
open sesame
an open window lets the cold in
the office door
we locked the front door an hour ago"""


@pytest.mark.parametrize("turn", range(3))
def test_nothing_is_unlocked_or_opened_by_what_only_sounds_like_it(
    engine: PocketSphinxRecognizer, risky: Automaton, turn: int
) -> None:
    for number, text in list(enumerate(NEAR_RISKY.splitlines()))[turn::3]:
        voice = VOICES[number % 4]
        heard = hear(engine, say(text, voice), DEMO)
        assert not risky.accepts(spoken_words(heard)), (text, voice, heard)


def test_what_is_clearly_said_is_opened(engine: PocketSphinxRecognizer) -> None:
    home = Home.from_dict(yaml.safe_load(data("media/home/home.yaml").read_text("utf-8")))
    clips = sorted(data("media/home/en/generated").glob("open *.wav"))
    assert len(clips) >= 4
    heard = [hear(engine, read_wav(path), home) for path in clips]
    assert sum(text.startswith("open") for text in heard) >= len(clips) - 1


def test_aliases_and_the_users_own_sentences_are_understood(
    engine: PocketSphinxRecognizer,
) -> None:
    home = Home(
        entities=(
            HomeEntity(name="Lamp 2", domain="light", aliases=("Reading Light",), area="Bedroom"),
            HomeEntity(name="Coffee Maker", domain="switch"),
        ),
        areas=(HomeArea(name="Bedroom", aliases=("Sleeping Room",)),),
        sentences=(
            "start the movie (night|time)",
            "is [the] {name} working [in the {area}]",
            "play {song}",
        ),
    )
    for text in (
        "turn on the Reading Light",
        "turn off the lights in the Sleeping Room",
        "start the movie night",
        "is the Coffee Maker working",
    ):
        assert hear(engine, say(text), home) == text


def test_sentences_that_cannot_be_used_are_counted_once_and_not_shown(
    engine: PocketSphinxRecognizer, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(sentences=("turn [on", "say cheese", "play {secret} loud"))
    with caplog.at_level(logging.INFO):
        engine.start(RecognitionRequest(home=home)).close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "2 of the home's own sentences" in caplog.text
    for word in ("turn", "cheese", "secret"):
        assert word not in caplog.text


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
    said = ("turn on the kitchen light", "what time is it", "set a timer for 30 minutes")
    clips = [say(text) for text in said]
    alone = [hear(engine, clip, DEMO) for clip in clips]
    with ThreadPoolExecutor(len(clips)) as pool:
        assert list(pool.map(lambda clip: hear(engine, clip, DEMO), clips)) == alone
    assert len(set(alone)) == len(clips)


def test_what_was_said_before_does_not_change_what_is_heard(
    engine: PocketSphinxRecognizer,
) -> None:
    clip = say("turn on the kitchen light")
    evidence = []
    for before in ("what time is it", "set a timer for 30 minutes", "turn on the kitchen light"):
        hear(engine, say(before), DEMO)
        stream = engine.start(RecognitionRequest(home=DEMO))
        stream.feed(clip)
        stream.finish()
        assert stream.heard
        evidence.append(stream.heard.evidence)
    assert len(set(evidence)) == 1


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


@pytest.mark.parametrize("language", ["de", "fr-FR", "zh", "zh-CN"])
def test_other_languages_are_refused(engine: PocketSphinxRecognizer, language: str) -> None:
    with pytest.raises(UnknownModel, match=f"understands English only.*'{language}'"):
        engine.start(RecognitionRequest(language=language))


def test_other_models_are_refused(engine: PocketSphinxRecognizer) -> None:
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
