"""The user's own sentences in `context.home`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.wyoming_units import sentences
from custom_components.wyoming_units.home import async_get_home

FILE = """
language: en
intents:
  PartyOn:
    data:
      - sentences: ["party [time] in <here> {area}", "make it {mood}", "play {song}"]
      - sentences: ["<own> {level} percent"]
        expansion_rules: {own: "(dim|brighten) to"}
        lists: {level: {range: {from: 1, to: 3}}}
        requires_context: {area: {slot: true}}
lists:
  mood: {values: [cosy, {in: "(loud|wild)", out: wild}]}
  song: {wildcard: true}
expansion_rules:
  here: "[the] <in>"
"""
PARTY = [
    "party [time] in ([the] ((in|on|at|of|across|around|throughout))) {area}",
    "make it (cosy|(loud|wild))",
    "((dim|brighten) to) (1|2|3) percent",
]


@pytest.fixture(autouse=True)
def config_folder(hass: HomeAssistant, tmp_path: Path) -> Iterator[None]:
    """Home Assistant with a configuration folder of its own."""
    hass.config.config_dir, kept = str(tmp_path), hass.config.config_dir
    (tmp_path / "configuration.yaml").write_text("")
    yield
    hass.config.config_dir = kept


def write(hass: HomeAssistant, text: str, name: str = "en/party.yaml") -> None:
    path = Path(hass.config.path("custom_sentences", name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


async def told(hass: HomeAssistant, language: str = "en") -> list[str]:
    """Return the sentences that a request carries now."""
    if "conversation" not in hass.config.components:
        assert await async_setup_component(hass, "conversation", {})
    found: list[str] = (await async_get_home(hass, language, None))["sentences"]
    return found


async def test_files_of_the_speakers_language_are_told_with_rules_and_lists_written_out(
    hass: HomeAssistant,
) -> None:
    write(hass, FILE)
    write(hass, "intents: {A: {data: [{sentences: [licht an]}]}}", "de/licht.yaml")
    write(hass, "intents: {A: {data: [{sentences: [too deep]}]}}", "en/more/deep.yaml")
    assert await told(hass, "en-GB") == ["too deep", *PARTY]
    assert await told(hass, "de") == ["licht an"]
    assert await told(hass, "nl") == []
    assert await told(hass, "tlh") == []


async def test_rules_and_lists_of_home_assistant_itself_can_be_used(hass: HomeAssistant) -> None:
    write(hass, "intents: {A: {data: [{sentences: ['paint it {color}', 'warm up <home>']}]}}")
    [paint, warm] = await told(hass)
    assert paint.startswith("paint it (white|black|red|")
    assert warm == "warm up ((home|house|apartment|flat))"


async def test_files_are_read_again_when_home_assistant_reads_them_again(
    hass: HomeAssistant,
) -> None:
    write(hass, "intents: {A: {data: [{sentences: [one]}]}}")
    assert await told(hass) == ["one"]
    write(hass, "intents: {A: {data: [{sentences: [two]}]}}")
    assert await told(hass) == ["one"]
    await hass.services.async_call("conversation", "reload", blocking=True)
    assert await told(hass) == ["two"]


async def test_sentences_of_the_configuration_and_of_automations_are_told_while_they_are_there(
    hass: HomeAssistant,
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(
        hass, "conversation", {"conversation": {"intents": {"A": ["tidy [up] {area}"]}}}
    )
    assert await told(hass) == ["tidy [up] {area}"]
    automation = {
        "alias": "Night",
        "triggers": {
            "trigger": "conversation",
            "command": ["good night [dear]", "remind me of {what}", "open {name}"],
        },
        "actions": [],
    }
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()
    # What stands for any words at all cannot be told in advance.
    assert await told(hass) == ["good night [dear]", "tidy [up] {area}"]
    night = {"entity_id": "automation.night"}
    await hass.services.async_call("automation", "turn_off", night, blocking=True)
    assert await told(hass) == ["tidy [up] {area}"]


async def test_values_that_a_file_adds_to_a_list_do_not_replace_it(hass: HomeAssistant) -> None:
    write(hass, FILE)
    write(hass, "lists: {mood: {values: [sleepy]}}", "en/zzz.yaml")
    assert "make it (cosy|(loud|wild)|sleepy)" in await told(hass)


@pytest.mark.parametrize(
    "text",
    [
        "intents: [",
        "- a list",
        "",
        "intents: {A: {data: {sentences: 7}}, B: 3, C: {data: [4, {sentences: 5}]}}",
        "intents: [A]",
        "lists: 3",
        "expansion_rules: []\nintents: {A: {data: [{lists: 7, expansion_rules: [], sentences: []}]}}",
        "\udcff",
    ],
)
async def test_a_file_that_is_not_what_it_should_be_does_not_cost_the_others(
    hass: HomeAssistant, text: str
) -> None:
    assert await async_setup_component(hass, "conversation", {})
    write(hass, "intents: {A: {data: [{sentences: [fine]}]}}", "en/a.yaml")
    write(hass, text, "en/b.yaml")
    write(hass, "intents: {B: {data: [{sentences: [dandy]}]}}", "en/c.yaml")
    assert await told(hass) == ["fine", "dandy"]


async def test_no_more_is_told_than_a_request_should_carry(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = ", ".join(f"sentence {number}" for number in range(600))
    write(hass, f"intents: {{A: {{data: [{{sentences: [{many}]}}]}}}}")
    assert len(await told(hass)) == 500
    assert "too many custom sentences" in caplog.text
    assert "sentence 1" not in caplog.text
    monkeypatch.setattr(sentences, "MOST_CHARACTERS", 25)
    await hass.services.async_call("conversation", "reload", blocking=True)
    assert await told(hass) == ["sentence 0", "sentence 1"]


async def test_files_are_read_once_for_many_who_ask_and_not_in_the_event_loop(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await async_setup_component(hass, "conversation", {})
    loads = 0
    load = sentences._load

    def counted(*arguments: object) -> list[str]:
        nonlocal loads
        loads += 1
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return load(*arguments)

    monkeypatch.setattr(sentences, "_load", counted)
    write(hass, FILE)
    assert await asyncio.gather(*(told(hass) for _ in range(5))) == [PARTY] * 5
    assert loads == 1
