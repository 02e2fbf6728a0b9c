"""The options of a node, unit by unit."""

import json
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components import wake_word
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData, section
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import SelectSelector
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error
from wyoming.wake import NotDetected

from custom_components import wyoming_units

from .ids import device_of
from .scripted_node import NODE_ID, Connection, Raw, ScriptedNode, artifact, node_info, reply

ENGLISH: dict[str, Any] = json.loads(
    (Path(wyoming_units.__file__).parent / "translations" / "en.json").read_text()
)
EARS, MOUTH, SENTINEL = (f"{NODE_ID}_{it}" for it in ("stt_ears", "tts_mouth", "wake_sentinel"))
HEARING = {
    "model": "ears-en",
    "end_of_turn": "home_assistant",
    "silence_sensitivity": "relaxed",
    "turn": {"silence": 0.6},
}
BY_DEFAULT = {
    "model": "automatic",
    "end_of_turn": "unit",
    "silence_sensitivity": "default",
    "turn": {},
}


@pytest.fixture(autouse=True)
def any_phrase(node: ScriptedNode) -> None:
    """The wake word program hears any phrase but one."""

    async def answer(connection: Connection, _: Any) -> None:
        [name] = connection.all("detect")[-1].data["names"]
        unknown = Error(text="no such syllable", code="unknown-wake-word")
        await connection.send(Raw("news", {"of": "a later version"}))
        await connection.send(unknown if name == "brrr" else NotDetected())

    node.info["wake"][0]["open_vocabulary"] = True
    node.answers["audio-stop"] = answer


def checked(flow: dict[str, Any]) -> dict[str, Any]:
    """Return the flow when all that it shows has a text, and all texts of its form are shown."""
    texts = ENGLISH["options"]
    if flow["type"] is FlowResultType.ABORT:
        assert texts["abort"][flow["reason"]]
    if flow["type"] is not FlowResultType.FORM:
        return flow
    told = flow["description_placeholders"] or {}
    step = texts["step"][flow["step_id"]]
    assert step["title"]
    step["description"].format(**told)
    for error in (flow["errors"] or {}).values():
        texts["error"][error].format(**told)
    fields = flow["data_schema"].schema
    sections = {str(key): each for key, each in fields.items() if isinstance(each, section)}
    plain = {str(key) for key in fields} - sections.keys()
    assert plain == step["data"].keys() == step["data_description"].keys()
    assert sections.keys() == step.get("sections", {}).keys()
    for key, each in sections.items():
        inner = step["sections"][key]
        assert inner["name"]
        assert inner["description"]
        rows = {str(field) for field in each.schema.schema}
        assert rows == inner["data"].keys() == inner["data_description"].keys()
    return flow


async def ask(hass: HomeAssistant, entry: MockConfigEntry, unit: str = "") -> dict[str, Any]:
    """Open the flow, and in it the form of a unit."""
    flow = checked(await hass.config_entries.options.async_init(entry.entry_id))
    return await answer(hass, flow, unit=unit) if unit else flow


async def answer(hass: HomeAssistant, flow: dict[str, Any], **said: Any) -> dict[str, Any]:
    flow = checked(await hass.config_entries.options.async_configure(flow["flow_id"], said))
    await hass.async_block_till_done()
    return flow


def options(selector: SelectSelector) -> dict[str, str]:
    """Return the options with their titles."""
    return {option["value"]: option["label"] for option in selector.config["options"]}


def choices(flow: dict[str, Any], field: str) -> dict[str, str]:
    return options(flow["data_schema"].schema[field])


def suggested(flow: dict[str, Any]) -> dict[str, Any]:
    return {
        str(key): key.description["suggested_value"]
        for key in flow["data_schema"].schema
        if key.description
    }


async def test_each_unit_with_options_can_be_picked_by_the_name_that_it_has(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    mouth = device_of(hass, "tts")
    dr.async_get(hass).async_update_child_device(mouth, name_by_user="Butler")
    flow = await ask(hass, loaded)
    assert flow["step_id"] == "init"
    assert choices(flow, "unit") == {
        EARS: "Speech-to-text",
        MOUTH: "Butler",
        SENTINEL: "Wake word",
    }
    flow = await answer(hass, flow, unit=MOUTH)
    assert flow["step_id"] == "tts"
    assert flow["description_placeholders"]["unit"] == "Butler"


async def test_the_only_unit_with_options_needs_no_picking(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info = node_info(tts=None)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (await ask(hass, entry))["step_id"] == "stt"


async def test_a_node_without_options_or_without_a_connection_says_so(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    assert (await ask(hass, entry))["reason"] == "not_loaded"
    node.info = node_info(asr=None, tts=None)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (await ask(hass, entry))["reason"] == "no_options"


async def test_a_unit_that_is_gone_when_it_is_picked_is_asked_for_again(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    flow = await ask(hass, loaded)
    node.info = node_info(tts=None) | {"wake": node.info["wake"]}
    await loaded.runtime_data.async_refresh()
    flow = await answer(hass, flow, unit=MOUTH)
    assert flow["step_id"] == "init"
    assert [*choices(flow, "unit")] == [EARS, SENTINEL]


async def test_options_that_change_set_the_node_up_again(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    flow = await ask(hass, loaded, EARS)
    described = node.described
    flow = await answer(hass, flow, **HEARING)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    assert loaded.options == {"stt": {"ears": HEARING}}
    assert node.described == described + 1
    assert loaded.state is ConfigEntryState.LOADED


async def test_the_form_suggests_what_was_chosen_before_and_else_the_defaults(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    flow = await ask(hass, loaded, EARS)
    assert flow["data_schema"]({}) == BY_DEFAULT
    await answer(hass, flow, **HEARING)
    flow = await ask(hass, loaded, EARS)
    assert suggested(flow) == {key: HEARING[key] for key in HEARING.keys() - {"turn"}}
    rules = flow["data_schema"].schema["turn"].schema.schema
    assert [key.description for key in rules if key == "silence"] == [{"suggested_value": 0.6}]


async def test_units_of_one_kind_have_options_of_their_own(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    second = artifact("big-ears", models=[artifact("whisper", languages=["de"])])
    node.info["asr"].append(node.info["asr"][0] | second)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await answer(hass, await ask(hass, entry, EARS), **HEARING)
    flow = await ask(hass, entry, f"{NODE_ID}_stt_big-ears")
    assert [*choices(flow, "model")] == ["automatic", "whisper"]
    assert not suggested(flow)
    await answer(hass, flow, **BY_DEFAULT | {"model": "whisper"})
    assert {name: it["model"] for name, it in entry.options["stt"].items()} == {
        "ears": "ears-en",
        "big-ears": "whisper",
    }


async def test_only_installed_models_and_all_speakers_can_be_chosen(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    choir = artifact("choir", languages=["en"], speakers=[{"name": "Ann"}, {"name": "Bob"}])
    node.info["tts"][0]["voices"].append(choir)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert [*choices(await ask(hass, entry, EARS), "model")] == ["automatic", "ears-en"]
    flow = await ask(hass, entry, MOUTH)
    voices = choices(flow, "voice")
    assert [*voices] == ["automatic", "alba", "amy", "thorsten", "choir#Ann", "choir#Bob"]
    assert voices["choir#Bob"] == "choir of the test · Bob"


async def test_automatic_is_stored_as_no_choice_and_suggested_where_the_choice_is_gone(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    await answer(hass, await ask(hass, loaded, MOUTH), voice="amy", speed=1.5)
    assert loaded.options["tts"]["mouth"] == {"voice": "amy", "speed": 1.5}
    node.info["tts"][0]["voices"][1]["installed"] = False
    await loaded.runtime_data.async_refresh()
    flow = await ask(hass, loaded, MOUTH)
    assert suggested(flow) == {"voice": "automatic", "speed": 1.5}
    await answer(hass, flow, **suggested(flow))
    assert loaded.options["tts"]["mouth"] == {"speed": 1.5}


@pytest.mark.parametrize(
    ("unit", "wrong"),
    [
        (EARS, HEARING | {"silence_sensitivity": "endless"}),
        (EARS, HEARING | {"model": "ears-nl"}),
        (EARS, HEARING | {"turn": {"silence": 0}}),
        (EARS, HEARING | {"turn": {"patience": 1}}),
        (MOUTH, {"voice": "amy", "speed": 2.5}),
        (MOUTH, {"voice": "amy", "speed": 0.4}),
    ],
)
async def test_what_cannot_be_chosen_is_refused(
    hass: HomeAssistant, loaded: MockConfigEntry, unit: str, wrong: dict[str, Any]
) -> None:
    flow = await ask(hass, loaded, unit)
    with pytest.raises(InvalidData):
        await answer(hass, flow, **wrong)
    assert not loaded.options


async def test_every_choice_that_is_ours_has_a_text(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    texts = {key: set(selector["options"]) for key, selector in ENGLISH["selector"].items()}
    used: dict[str, set[str]] = {}
    for unit in (EARS, MOUTH, SENTINEL):
        flow = await ask(hass, loaded, unit)
        for selector in flow["data_schema"].schema.values():
            if isinstance(selector, SelectSelector):
                # What is the node's own has a title of the node.
                used[selector.config["translation_key"]] = {
                    value for value, title in options(selector).items() if value == title
                }
    assert used == {key: texts[key] for key in used}


async def test_typed_wake_words_can_be_chosen_in_a_pipeline(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    typed = ["  Hey  Computer ", "guten Morgen", "hey computer", " "]
    await answer(hass, await ask(hass, loaded, SENTINEL), wake_words=typed)
    assert loaded.options == {
        "wake": {"sentinel": {"wake_words": ["hey computer", "guten Morgen"]}}
    }
    entity = wake_word.async_get_wake_word_detection_entity(hass, "wake_word.cellar_wake_word")
    assert entity is not None
    assert [word.id for word in await entity.get_supported_wake_words()] == [
        "hey computer",
        "guten Morgen",
        "alexa",
        "okay_nabu",
    ]


async def test_a_phrase_that_the_node_cannot_listen_for_is_told_and_can_be_corrected(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    flow = await ask(hass, loaded, SENTINEL)
    flow = await answer(hass, flow, wake_words=["hey computer", "brrr"])
    assert flow["errors"] == {"wake_words": "unknown_wake_word"}
    assert flow["description_placeholders"]["word"] == "brrr"
    assert suggested(flow) == {"wake_words": ["hey computer", "brrr"]}
    assert not loaded.options
    asked = [connection.types() for connection in node.requests]
    assert asked == [["select-program", "detect", "audio-start", "audio-stop"]] * 2
    flow = await answer(hass, flow, wake_words=["hey computer"])
    assert flow["type"] is FlowResultType.CREATE_ENTRY


async def test_a_phrase_is_not_stored_unchecked_but_can_be_deleted_while_the_node_is_away(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    stored = {"wake": {"sentinel": {"wake_words": ["hey computer", "wake up"]}}}
    hass.config_entries.async_update_entry(loaded, options=stored)
    node.answers["detect"] = reply(Error(text="it is loading", code="loading"))
    flow = await ask(hass, loaded, SENTINEL)
    flow = await answer(hass, flow, wake_words=["hey computer", "good morning"])
    assert flow["errors"] == {"wake_words": "not_checked"}
    await node.stop()
    flow = await answer(hass, flow, wake_words=["hey computer", "good morning"])
    assert flow["errors"] == {"wake_words": "not_checked"}
    await node.start()
    await answer(hass, flow, wake_words=["hey computer"])
    assert loaded.options == {"wake": {"sentinel": {"wake_words": ["hey computer"]}}}
    await answer(hass, await ask(hass, loaded, SENTINEL))
    assert loaded.options == {"wake": {"sentinel": {"wake_words": []}}}
