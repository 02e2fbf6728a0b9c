"""hassil with the real sentences of home-assistant-intents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.integration.recordings import data
from wyoming_units.engines.base import IntentMatch, IntentRequest
from wyoming_units.engines.hassil import HassilIntentParser
from wyoming_units.errors import UnknownModel
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor

HOME = Home(
    language="en",
    area="Office",
    entities=(
        HomeEntity(name="Kitchen Light", domain="light", area="Kitchen", aliases=("Cooking Lamp",)),
        HomeEntity(name="Bed Light", domain="light"),
        HomeEntity(name="Front Door", domain="lock"),
        HomeEntity(name="Garage Door", domain="cover", device_class="garage"),
        HomeEntity(name="Kids: Lamp!", domain="light"),
        HomeEntity(name="Thermostat", domain="climate", area="Office"),
    ),
    areas=(
        HomeArea(name="Office", floor="First Floor"),
        HomeArea(name="Kitchen", aliases=("Galley",), floor="First Floor"),
    ),
    floors=(HomeFloor(name="First Floor", aliases=("Ground Level",)),),
)
GERMAN = Home(
    language="de",
    area="Küche",
    entities=(
        HomeEntity(name="Küchenlicht", domain="light", area="Küche", aliases=("Kochlampe",)),
        HomeEntity(name="Haustür", domain="lock"),
        HomeEntity(name="Rollladen", domain="cover", device_class="shutter"),
        HomeEntity(name="Heizung", domain="climate", area="Küche"),
    ),
    areas=(HomeArea(name="Küche"), HomeArea(name="Wohnzimmer", floor="Erdgeschoss")),
    floors=(HomeFloor(name="Erdgeschoss"),),
)
FRENCH = Home(
    language="fr",
    area="Cuisine",
    entities=(
        HomeEntity(name="Lampadaire", domain="light", area="Salon", aliases=("Grande lampe",)),
        HomeEntity(name="Porte d'entrée", domain="lock"),
        HomeEntity(name="Chauffage", domain="climate", area="Cuisine"),
    ),
    areas=(HomeArea(name="Cuisine"), HomeArea(name="Salon")),
)
CHINESE = Home(
    language="zh-CN",
    area="厨房",
    entities=(
        HomeEntity(name="厨房灯", domain="light", aliases=("大灯",)),
        HomeEntity(name="前门", domain="lock"),
        HomeEntity(name="空调", domain="climate", area="客厅"),
    ),
    areas=(HomeArea(name="厨房"), HomeArea(name="客厅")),
)
TAIWANESE = Home(language="zh-TW", entities=(HomeEntity(name="廚房燈", domain="light"),))


@pytest.fixture(scope="module")
def hassil() -> Iterator[HassilIntentParser]:
    engine = HassilIntentParser()
    engine.load()
    yield engine
    engine.close()


def parse(
    engine: HassilIntentParser, text: str, home: Home | None = HOME, language: str | None = None
) -> IntentMatch | None:
    return engine.parse(IntentRequest(text=text, language=language, home=home))


def understood(
    engine: HassilIntentParser, text: str, home: Home | None = HOME, language: str | None = None
) -> IntentMatch:
    match = parse(engine, text, home, language)
    assert match is not None
    return match


@pytest.mark.parametrize("order", [1, -1], ids=["volume first", "brightness first"])
def test_number_words_of_one_range_are_not_those_of_another(
    monkeypatch: pytest.MonkeyPatch, hassil: HassilIntentParser, order: int
) -> None:
    monkeypatch.setattr("hassil.string_matcher._RANGE_TRIE_CACHE", defaultdict(dict))
    said = {
        "turn the volume down by twenty percent": ("volume_step", -20),
        "set bed light brightness to fifty percent": ("brightness", 50),
    }
    for text, (slot, value) in [*said.items()][::order]:
        assert understood(hassil, text).slots[slot] == value


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("turn on the kitchen light", "HassTurnOn", {"name": "Kitchen Light"}),
        ("Turn on the kitchen light!", "HassTurnOn", {"name": "Kitchen Light"}),
        ("turn the lights on", "HassTurnOn", {"area": "Office", "domain": "light"}),
        (
            "turn off the lights in the kitchen",
            "HassTurnOff",
            {"area": "Kitchen", "domain": "light"},
        ),
        ("turn off the galley lights", "HassTurnOff", {"area": "Kitchen", "domain": "light"}),
        ("turn on the cooking lamp", "HassTurnOn", {"name": "Kitchen Light"}),
        (
            "set Bed Light brightness to 50 percent",
            "HassLightSet",
            {"name": "Bed Light", "brightness": 50},
        ),
        (
            "set bed light brightness to fifty percent",
            "HassLightSet",
            {"name": "Bed Light", "brightness": 50},
        ),
        ("is the front door locked", "HassGetState", {"name": "Front Door", "state": "locked"}),
        ("lock the front door", "HassTurnOn", {"name": "Front Door"}),
        ("unlock the front door", "HassTurnOff", {"name": "Front Door"}),
        ("open the garage door", "HassTurnOn", {"name": "Garage Door"}),
        (
            "turn on all lights on the ground level",
            "HassTurnOn",
            {"floor": "First Floor", "domain": "light"},
        ),
        ("what time is it", "HassGetCurrentTime", {}),
        ("add apples to my shopping list", "HassShoppingListAddItem", {"item": "apples"}),
    ],
)
def test_a_sentence_gives_its_intent_and_slots(
    hassil: HassilIntentParser, text: str, intent: str, slots: dict[str, Any]
) -> None:
    match = understood(hassil, text)
    assert (match.name, dict(match.slots)) == (intent, slots)


def test_a_light_named_like_a_room_is_meant_before_the_lights_of_the_room(
    hassil: HassilIntentParser,
) -> None:
    text = "turn on the kitchen light"
    assert understood(hassil, text).slots == {"name": "Kitchen Light"}
    unnamed = Home(areas=HOME.areas)
    assert understood(hassil, text, unnamed).slots == {"area": "Kitchen", "domain": "light"}


def test_the_room_of_the_speaker_is_what_lights_without_a_room_are_in(
    hassil: HassilIntentParser,
) -> None:
    nowhere, kitchen = Home(areas=HOME.areas), Home(areas=HOME.areas, area="Kitchen")
    assert parse(hassil, "turn the lights on", nowhere) is None
    assert understood(hassil, "turn the lights on", kitchen).slots["area"] == "Kitchen"


def test_a_name_is_only_understood_for_its_kind_of_thing(hassil: HassilIntentParser) -> None:
    assert parse(hassil, "lock the bed light") is None


def test_names_with_punctuation_are_understood(hassil: HassilIntentParser) -> None:
    assert understood(hassil, "turn on the kids lamp").slots["name"] == "Kids: Lamp!"


def test_the_reply_is_the_template_of_the_match(hassil: HassilIntentParser) -> None:
    assert understood(hassil, "lock the front door").response == "Locking"
    assert understood(hassil, "turn the lights on").response == "Turned on the lights"
    state = understood(hassil, "is the front door locked").response
    assert state is not None
    assert "{{" in state


@pytest.mark.parametrize("text", ["purple elephants", "turn on the moon", "", "   ", "?", "💡"])
def test_what_is_not_understood_gives_no_match(hassil: HassilIntentParser, text: str) -> None:
    assert parse(hassil, text) is None


@pytest.mark.parametrize(
    ("text", "language", "home", "slots"),
    [
        ("schalte das Küchenlicht ein", "de", GERMAN, {"name": "Küchenlicht"}),
        ("schalte das Küchenlicht ein", "de-AT", GERMAN, {"name": "Küchenlicht"}),
        ("schalte das Küchenlicht ein", None, GERMAN, {"name": "Küchenlicht"}),
        ("Schalt das Küchenlicht ein!", "de-CH", GERMAN, {"name": "Küchenlicht"}),
        ("schalte die kochlampe ein", "de", GERMAN, {"name": "Küchenlicht"}),
        ("mach das Licht an", "de", GERMAN, {"area": "Küche", "domain": "light"}),
        (
            "mache alle Lichter im Erdgeschoss an",
            "de",
            GERMAN,
            {"floor": "Erdgeschoss", "domain": "light"},
        ),
        ("Allume le lampadaire.", "fr", FRENCH, {"name": "Lampadaire"}),
        ("allume la grande lampe", "fr-CA", FRENCH, {"name": "Lampadaire"}),
        ("allume la lumière", None, FRENCH, {"area": "Cuisine", "domain": "light"}),
        ("打开厨房灯", "zh", CHINESE, {"name": "厨房灯"}),
        ("打开厨房灯。", "zh-Hans", CHINESE, {"name": "厨房灯"}),
        ("打开大灯", "zh_CN", CHINESE, {"name": "厨房灯"}),
        ("打开客厅的灯", "cmn", CHINESE, {"area": "客厅", "domain": "light"}),
        ("開燈", "zh-TW", Home(area="廚房"), {"area": "廚房", "domain": "light"}),
        ("打開廚房燈", "zh-Hant", TAIWANESE, {"name": "廚房燈"}),
        ("打開廚房燈", "zh-Hant-TW", TAIWANESE, {"name": "廚房燈"}),
    ],
)
def test_other_languages_are_understood(
    hassil: HassilIntentParser, text: str, language: str | None, home: Home, slots: dict[str, str]
) -> None:
    match = understood(hassil, text, home, language)
    assert (match.name, dict(match.slots)) == ("HassTurnOn", slots)
    assert match.response


@pytest.mark.parametrize(
    ("home", "text", "intent", "slots"),
    [
        (GERMAN, "schließe die Haustür ab", "HassTurnOn", {"name": "Haustür"}),
        (GERMAN, "sperr die Haustür auf", "HassTurnOff", {"name": "Haustür"}),
        (GERMAN, "fahre den Rollladen auf dreißig Prozent", "HassSetPosition", {"position": 30}),
        (
            GERMAN,
            "stelle die Temperatur auf 21,5 Grad",
            "HassClimateSetTemperature",
            {"temperature": 21.5},
        ),
        (GERMAN, "stelle einen Timer auf fünf Minuten", "HassStartTimer", {"minutes": 5}),
        (GERMAN, "wie spät ist es", "HassGetCurrentTime", {}),
        (FRENCH, "verrouille la porte d'entrée", "HassTurnOn", {"name": "Porte d'entrée"}),
        (FRENCH, "déverrouille la porte d’entrée", "HassTurnOff", {"name": "Porte d'entrée"}),
        (FRENCH, "règle le lampadaire à cinquante pour cent", "HassLightSet", {"brightness": 50}),
        (
            FRENCH,
            "règle la température à 21,5 degrés",
            "HassClimateSetTemperature",
            {"temperature": 21.5},
        ),
        (FRENCH, "mets un minuteur de 5 minutes", "HassStartTimer", {"minutes": 5}),
        (CHINESE, "锁上前门", "HassTurnOn", {"name": "前门"}),
        (CHINESE, "解锁前门", "HassTurnOff", {"name": "前门"}),
        (CHINESE, "把厨房灯亮度调到百分之五十", "HassLightSet", {"brightness": 50}),
        (CHINESE, "把空调温度设为26度", "HassClimateSetTemperature", {"temperature": 26}),
        (CHINESE, "设置一个五分钟的计时器", "HassStartTimer", {"minutes": 5}),
        (CHINESE, "现在几点", "HassGetCurrentTime", {}),
    ],
)
def test_german_french_and_chinese_commands_give_what_they_mean(
    hassil: HassilIntentParser, home: Home, text: str, intent: str, slots: dict[str, Any]
) -> None:
    match = understood(hassil, text, home)
    assert (match.name, match.slots.items() >= slots.items()) == (intent, True), match
    assert match.response


def test_whole_numbers_are_not_replied_with_a_decimal(hassil: HassilIntentParser) -> None:
    match = understood(hassil, "stelle die Temperatur auf 21 Grad", GERMAN)
    assert str(match.slots["temperature"]) == "21"


def test_cantonese_and_mandarin_have_their_own_sentences(hassil: HassilIntentParser) -> None:
    spoken = [
        {
            code
            for code in ("zh-CN", "zh-TW", "zh-HK", "yue", "zh-Hant-HK", "zh-MO")
            if parse(hassil, text, TAIWANESE, code)
        }
        for text in ("現在幾點", "着廚房燈", "现在几点")
    ]
    assert spoken[0] == {"zh-TW"}
    assert spoken[1] == {"zh-HK", "yue", "zh-Hant-HK", "zh-MO"}
    assert spoken[2] == {"zh-CN"}


@pytest.mark.parametrize("text", ["Schalt s Küchenlicht ii", "schalte das Küchenlicht ein"])
def test_swiss_homes_are_understood_in_dialect_and_in_standard_german(
    hassil: HassilIntentParser, text: str
) -> None:
    assert understood(hassil, text, GERMAN, "de-CH").slots == {"name": "Küchenlicht"}


def test_dialect_is_not_taken_for_standard_german(hassil: HassilIntentParser) -> None:
    assert parse(hassil, "Schalt s Küchenlicht ii", GERMAN, "de") is None


def test_the_language_of_the_request_is_stronger_than_that_of_the_home(
    hassil: HassilIntentParser,
) -> None:
    assert parse(hassil, "turn on the Küchenlicht", GERMAN, "en") is not None
    assert parse(hassil, "schalte das Küchenlicht ein", GERMAN, "en") is None


@pytest.mark.parametrize("language", ["xx", "english", "e", "nn", "-"])
def test_an_unknown_language_is_refused_with_those_that_there_are(
    hassil: HassilIntentParser, language: str
) -> None:
    with pytest.raises(UnknownModel, match=rf"{language!r}.*\bde, .*\bfr, .*\bzh-CN, "):
        parse(hassil, "turn on the light", HOME, language)


def test_without_a_home_general_questions_are_understood(hassil: HassilIntentParser) -> None:
    assert understood(hassil, "what time is it", None).name == "HassGetCurrentTime"
    assert parse(hassil, "turn on the kitchen light", None) is None


def test_each_home_has_its_own_names(hassil: HassilIntentParser) -> None:
    other = Home(entities=(HomeEntity(name="Garden Lamp", domain="light"),))
    for _ in range(2):
        assert parse(hassil, "turn on the garden lamp", HOME) is None
        assert parse(hassil, "turn on the garden lamp", other) is not None
        assert parse(hassil, "turn on the bed light", other) is None


def test_all_languages_of_the_package_are_offered() -> None:
    (model,) = HassilIntentParser().info.models
    assert {"en", "de", "fr", "zh-CN"} <= set(model.languages)
    assert len(model.languages) > 60


# Templates set the colour of "the kitchen" and of "all lights in the kitchen", not of these.
NOT_COVERED = {"set Kitchen lights to white", "set color of the Kitchen lights to blue"}


def test_the_recorded_commands_are_understood(hassil: HassilIntentParser) -> None:
    home = Home.from_dict(yaml.safe_load(data("media/home/home.yaml").read_text("utf-8")))
    commands = {
        path.stem
        for path in data("media/home/en").rglob("*.wav")
        if not path.stem.startswith("oov_")
    }
    assert len(commands) > 80
    assert {text for text in commands if parse(hassil, text, home) is None} == NOT_COVERED
