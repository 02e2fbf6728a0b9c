"""What can be said to a home follows from what is in it, and Home Assistant understands all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wyoming_units.engines._pocketsphinx_grammar import Templates, build_grammar
from wyoming_units.engines.base import IntentRequest
from wyoming_units.engines.hassil import HassilIntentParser
from wyoming_units.errors import TooLarge
from wyoming_units.speech.grammar import Grammar, spoken_words
from wyoming_units.speech.home import Home, HomeEntity

HOME: dict[str, Any] = {
    "area": "Kitchen",
    "areas": [
        {"name": "Kitchen", "aliases": ["Galley"], "floor": "Ground Floor"},
        {"name": "Bedroom", "floor": "First Floor"},
        {"name": "Attic"},
    ],
    "floors": [{"name": "Ground Floor"}, {"name": "First Floor"}],
    "entities": [
        {"name": "Kitchen Light", "domain": "light", "area": "Kitchen"},
        {"name": "Lamp 2", "domain": "light", "area": "Bedroom", "aliases": ["Reading Light"]},
        {"name": "Front Door", "domain": "lock"},
        {"name": "Roller Blind", "domain": "cover", "device_class": "blind", "area": "Bedroom"},
        {"name": "Garage Door", "domain": "cover", "device_class": "garage"},
        {"name": "Thermostat", "domain": "climate", "area": "Bedroom"},
        {"name": "TV", "domain": "media_player", "area": "Kitchen"},
        {"name": "Porch Fan", "domain": "fan"},
        {"name": "Coffee Maker", "domain": "switch"},
        {"name": "Outside Temperature", "domain": "sensor"},
        {"name": "Cellar Window", "domain": "binary_sensor", "device_class": "window"},
        {"name": "Dinner", "domain": "scene"},
        {"name": "Good Night", "domain": "script"},
        {"name": "Doorbell", "domain": "button"},
        {"name": "Robot", "domain": "vacuum"},
        {"name": "Garden Tap", "domain": "valve"},
        {"name": "Berlin", "domain": "weather"},
    ],
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load()


@pytest.fixture(scope="module")
def grammar(templates: Templates) -> Grammar:
    return build_grammar(templates, Home.from_dict(HOME))


def can_say(grammar: Grammar, text: str) -> bool:
    return grammar.automaton.accepts(spoken_words(text))


@pytest.mark.parametrize(
    "text",
    [
        "turn on the Kitchen Light",
        "turn on the kitchen lights",
        "turn off all the lights in the galley",
        "turn Lamp 2 off",
        "turn on the Lamp 2 in the Bedroom",
        "set Reading Light brightness to 21 percent",
        "set the lights to blue",
        "turn off the ground floor lights",
        "unlock the front door",
        "is the front door locked",
        "open the blinds in the bedroom",
        "close the garage door",
        "open the roller blind to 50 percent",
        "set the thermostat to 21.5 degrees",
        "what's the temperature in the attic",
        "pause the TV",
        "set the volume to a hundred",
        "turn on the porch fan",
        "what is the outside temperature",
        "is the cellar window open",
        "activate dinner",
        "run the good night script",
        "press the doorbell",
        "start the robot",
        "what's the weather in Berlin",
        "set a timer for 1 hour and 5 minutes",
        "set a timer for half an hour",
        "cancel all timers",
        "what time is it",
        "never mind",
    ],
)
def test_a_command_for_what_the_home_has_can_be_said(grammar: Grammar, text: str) -> None:
    assert can_say(grammar, text)


@pytest.mark.parametrize(
    "text",
    [
        "lock the kitchen light",  # a light is no lock
        "open the front door to 50 percent",  # nor is a lock a cover
        "turn on the outside temperature",
        "turn on the attic lights",  # there are none
        "turn on the TV in the bedroom",  # it is in the kitchen
        "close the garage doors in the bedroom",
        "open the curtains",  # no cover is one
        "turn on the kitchen fans",
        "set a timer for 5 minute",
        "whats the time",
        "turn on the",
        "turn on the lights please",
    ],
)
def test_what_the_home_has_not_cannot_be_said(grammar: Grammar, text: str) -> None:
    assert not can_say(grammar, text)


def test_home_assistant_understands_every_sentence(grammar: Grammar) -> None:
    parser = HassilIntentParser()
    home = Home.from_dict(HOME)
    lost = [
        text
        for words in sentences_over_every_arc(grammar)
        if parser.parse(IntentRequest(text=(text := grammar.write(words)), home=home)) is None
    ]
    assert not lost


def sentences_over_every_arc(grammar: Grammar) -> set[tuple[str, ...]]:
    """Return sentences that together walk over all arcs of the automaton."""
    automaton = grammar.automaton
    before: dict[int, tuple[str, ...]] = {automaton.start: ()}
    reached = [automaton.start]
    for state in reached:
        for word, to in automaton.arcs[state].items():
            if to not in before:
                before[to] = (*before[state], word)
                reached.append(to)
    after: dict[int, tuple[str, ...]] = dict.fromkeys(automaton.accepting, ())
    while len(after) < len(automaton.arcs):
        for state, arcs in enumerate(automaton.arcs):
            ways = [(word, *after[to]) for word, to in arcs.items() if to in after]
            if state not in after and ways:
                after[state] = min(ways, key=len)
    whole = {before[state] for state in automaton.accepting}
    return whole | {
        (*before[state], word, *after[to])
        for state in before
        for word, to in automaton.arcs[state].items()
    }


def test_the_automaton_of_a_small_home_is_small(grammar: Grammar) -> None:
    assert len(grammar.automaton.arcs) < 600
    assert sum(map(len, grammar.automaton.arcs)) < 3_000


def test_names_are_written_as_the_home_spells_them(grammar: Grammar) -> None:
    words = spoken_words("set reading light brightness to fifty percent")
    assert grammar.write(words) == "set Reading Light brightness to 50 percent"
    assert grammar.write(spoken_words("turn on the t v")) == "turn on the TV"
    assert grammar.write(spoken_words("turn on lamp two")) == "turn on Lamp 2"


def test_a_name_that_is_a_number_stays_a_name(templates: Templates) -> None:
    home = Home.from_dict({"entities": [{"name": "Seven", "domain": "light"}]})
    grammar = build_grammar(templates, home)
    assert grammar.write(spoken_words("turn on seven")) == "turn on Seven"


def test_where_the_speaker_is_changes_nothing(templates: Templates, grammar: Grammar) -> None:
    elsewhere = replace(Home.from_dict(HOME), area="Bedroom")
    assert build_grammar(templates, elsewhere).automaton == grammar.automaton


def test_without_a_home_what_needs_no_entity_can_still_be_said(templates: Templates) -> None:
    grammar = build_grammar(templates, Home())
    assert can_say(grammar, "set a timer for 5 minutes")
    assert can_say(grammar, "what's the date")
    for text in ("turn on the lights", "pause", "what's the weather"):
        assert not can_say(grammar, text)


def test_the_users_own_sentences_can_be_said(templates: Templates) -> None:
    own = ("(time|ready) for [a] {name} [in {area}]", "count to {1..3:end}", "{brightness}% now")
    grammar = build_grammar(templates, Home.from_dict({**HOME, "sentences": own}))
    for text in ("ready for a dinner in attic", "time for Lamp 2", "count to 3", "50% now"):
        assert can_say(grammar, text)
    assert not can_say(grammar, "count to 4")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("movie (time|night)", ["movie time", "movie night"]),
        ("feed [the] cat", ["feed cat", "feed the cat"]),
        ("(lights; out; now)", ["lights out now", "now out lights", "out lights now"]),
        ("wake me at 7", ["wake me at seven"]),
        ("mode 12 in {area}", ["mode twelve in galley", "mode twelve in attic"]),
        ("tidy {floor}", ["tidy ground floor", "tidy downstairs"]),
        ("find {name}", ["find lamp two", "find reading light", "find berlin"]),
    ],
)
def test_all_that_a_sentence_of_the_users_may_contain_can_be_said(
    templates: Templates, own: str, said: list[str]
) -> None:
    floors = [{"name": "Ground Floor", "aliases": ["Downstairs"]}, {"name": "First Floor"}]
    home = Home.from_dict({**HOME, "floors": floors, "sentences": [own]})
    grammar = build_grammar(templates, home)
    assert all(grammar.automaton.accepts(tuple(text.split())) for text in said)
    assert grammar.left_out == 0


@pytest.mark.parametrize(
    "broken",
    ["turn [on", "", "play {unknown} loud", "play <unknown_rule>", "(a; b; c; d; e)", "say {name"],
)
def test_a_sentence_that_cannot_be_used_costs_only_itself(
    templates: Templates, broken: str
) -> None:
    grammar = build_grammar(templates, Home(sentences=(broken, "say cheese")))
    assert can_say(grammar, "say cheese")
    assert can_say(grammar, "what time is it")
    assert not can_say(grammar, "play loud")
    assert grammar.left_out == 1


def test_sentences_with_far_too_many_combinations_are_refused(templates: Templates) -> None:
    entities = tuple(HomeEntity(name=f"Lamp {number}", domain="light") for number in range(300))
    own = tuple(f"swap {{name}} with {{name}} number {number}" for number in range(700))
    with pytest.raises(TooLarge, match="parts"):
        build_grammar(templates, Home(entities=entities, sentences=own))


def test_a_sentence_whose_automaton_would_not_end_is_refused(templates: Templates) -> None:
    own = "[a|b] " * 25 + "a" + " (a|b)" * 25  # remembers the last 25 words
    with pytest.raises(TooLarge, match="states"):
        build_grammar(templates, Home(sentences=(own,)))


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("turn on Reading Light", "turn on Lamp 2"),
        ("turn off the lights in the Galley", "turn off the lights in the Kitchen"),
        ("turn off the Downstairs lights", "turn off the Ground Floor lights"),
    ],
)
def test_an_alias_means_what_it_stands_for(templates: Templates, alias: str, name: str) -> None:
    floors = [{"name": "Ground Floor", "aliases": ["Downstairs"]}, {"name": "First Floor"}]
    home = Home.from_dict({**HOME, "floors": floors})
    grammar, parser = build_grammar(templates, home), HassilIntentParser()
    assert grammar.automaton.accepts(spoken_words(alias))
    heard = grammar.write(spoken_words(alias))
    assert heard == alias
    by_alias = parser.parse(IntentRequest(text=heard, home=home))
    assert by_alias is not None
    assert by_alias == parser.parse(IntentRequest(text=name, home=home))


RISKY_HOME = Home.from_dict(
    {
        **HOME,
        "entities": [
            *HOME["entities"],
            {"name": "Unlock All", "domain": "script"},
            {"name": "Alarm", "domain": "switch"},
            {"name": "Hall Lamp", "domain": "light", "aliases": ["Door Lamp"]},
        ],
        "sentences": ["lift the bridge", "movie night"],
    }
)


@pytest.fixture(scope="module")
def risky_grammar(templates: Templates) -> Grammar:
    return build_grammar(templates, RISKY_HOME)


@pytest.mark.parametrize(
    "text",
    [
        "unlock the front door",
        "open the garage door",
        "open the roller blind",
        "open the blinds in the bedroom",
        "open the roller blind to 50 percent",
        "set roller blind to 50 percent",
        "open the garden tap",
        "run unlock all",
        "turn off the alarm",
        "turn on the hall lamp",  # one of its names has a door in it
        "lift the bridge",
    ],
)
def test_a_sentence_that_unlocks_or_opens_is_risky(risky_grammar: Grammar, text: str) -> None:
    assert risky_grammar.risky.accepts(spoken_words(text))
    assert not risky_grammar.harmless.accepts(spoken_words(text))


@pytest.mark.parametrize(
    "text",
    [
        "lock the front door",
        "close the garage door",
        "close the blinds in the bedroom",
        "is the front door unlocked",
        "is the cellar window open",
        "turn on the kitchen light",
        "turn off the kitchen light",
        "set the thermostat to 21 degrees",
        "run good night",
        "movie night",
    ],
)
def test_all_other_sentences_are_harmless(risky_grammar: Grammar, text: str) -> None:
    assert risky_grammar.harmless.accepts(spoken_words(text))
    assert not risky_grammar.risky.accepts(spoken_words(text))


def test_every_sentence_is_either_risky_or_harmless(grammar: Grammar) -> None:
    for words in sentences_over_every_arc(grammar):
        assert grammar.risky.accepts(words) != grammar.harmless.accepts(words), words


def test_sentences_with_words_that_nobody_can_pronounce_are_left_out(templates: Templates) -> None:
    grammar = build_grammar(templates, Home.from_dict(HOME), lambda word: word != "thermostat")
    assert not can_say(grammar, "set the thermostat to 21 degrees")
    assert can_say(grammar, "set the temperature to 21 degrees")
