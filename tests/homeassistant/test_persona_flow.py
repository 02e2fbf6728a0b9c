"""Adding and changing personas and AI tasks through the flows that the frontend shows."""

import re
from http import HTTPStatus
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import llm
from homeassistant.helpers.llm import API, DEFAULT_INSTRUCTIONS_PROMPT, APIInstance, LLMContext
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.characters import CHARACTERS, PICTURES, character_data
from custom_components.wyoming_units.const import DEFAULT_TURNS
from custom_components.wyoming_units.personas import Persona

from .minds import Flow, persona
from .scripted_node import ScriptedNode, llm_info, llm_model

USUAL = {
    "prompt": "Be kind.",
    "model": "automatic",
    "llm_hass_api": ["assist"],
    "voice": "automatic",
    "advanced": {},
}


@pytest.fixture
def thinking(node: ScriptedNode) -> None:
    """Let the node have two language models."""
    node.info["llm"] = llm_info(llm_model("qwen"), llm_model("gemma", supports_tools=False))


@pytest.fixture
def flow(hass: HomeAssistant, thinking: None, loaded: MockConfigEntry) -> Flow:
    return Flow(hass, loaded, "conversation")


@pytest.fixture
def task_flow(hass: HomeAssistant, thinking: None, loaded: MockConfigEntry) -> Flow:
    return Flow(hass, loaded, "ai_task_data")


async def test_an_example_is_added_as_it_is_offered(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    menu = await flow.start()
    assert menu["menu_options"] == ["blank", *CHARACTERS]
    await flow.choose("hedda")
    done = await flow.fill()
    assert (done["type"], done["title"]) == (FlowResultType.CREATE_ENTRY, "Hedda")
    await hass.async_block_till_done()
    [made] = loaded.runtime_data.personas.all.values()
    told = character_data("hedda", "en")
    assert made == Persona(
        id=made.id,
        name="Hedda",
        prompt=told["prompt"],
        model=None,
        temperature=0.6,
        max_tokens=500,
        tools=("assist",),
        history={"policy": "window", "turns": DEFAULT_TURNS},
        voice=None,
        greeting=told["greeting"],
        picture="/wyoming_units/portraits/hedda.svg",
        confirm=True,
    )


async def test_all_that_is_filled_in_is_kept(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    await flow.start()
    await flow.choose("blank")
    assert flow.filled()["prompt"] == DEFAULT_INSTRUCTIONS_PROMPT
    await flow.send(
        name="  Butler ",
        prompt="You are {{ user_name }}'s butler.",
        greeting=" At your service. ",
        picture="https://example.org/butler.png",
        model="gemma",
        llm_hass_api=[],
        voice="thorsten",
        advanced={
            "temperature": 0,
            "max_tokens": 200.0,
            "history": "summary",
            "turns": 6.0,
            "confirm": False,
        },
    )
    [made] = loaded.get_subentries_of_type("conversation")
    assert made.title == "Butler"
    assert made.data == {
        "prompt": "You are {{ user_name }}'s butler.",
        "greeting": "At your service.",
        "picture": "https://example.org/butler.png",
        "model": "gemma",
        "llm_hass_api": [],
        "voice": "thorsten",
        "temperature": 0,
        "max_tokens": 200,
        "history": "summary",
        "turns": 6,
        "confirm": False,
    }
    assert isinstance(made.data["max_tokens"], int)


async def test_what_is_left_to_the_node_is_not_kept(flow: Flow, loaded: MockConfigEntry) -> None:
    await flow.start()
    await flow.choose("blank")
    await flow.send(name="Butler", **USUAL)
    [made] = loaded.get_subentries_of_type("conversation")
    assert not made.data.keys() & {"model", "voice", "temperature", "greeting", "picture"}


async def test_what_is_chosen_from_depends_on_the_node(hass: HomeAssistant, flow: Flow) -> None:
    await flow.start()
    await flow.choose("blank")
    assert flow.options("model") == {
        "automatic": "automatic",
        "qwen": "qwen of the test",
        "gemma": "gemma of the test",
    }
    assert [*flow.options("voice")] == ["automatic", "alba", "amy", "thorsten"]
    apis = {api.id: api.name for api in llm.async_get_apis(hass)}
    assert flow.options("llm_hass_api") == apis
    assert "assist" in apis


@pytest.mark.parametrize(
    ("able", "tools"),
    [
        ({}, ["assist"]),
        ({"context_length": None}, ["assist"]),
        ({"context_length": 4096}, ["assist"]),
        ({"context_length": 4095}, []),
        ({"supports_tools": False}, []),
    ],
)
async def test_tools_are_suggested_where_the_model_has_use_and_room_for_them(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    able: dict[str, Any],
    tools: list[str],
) -> None:
    node.info["llm"] = llm_info(llm_model("qwen", **able), llm_model("big"))
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow = Flow(hass, entry, "conversation")
    await flow.start()
    await flow.choose("blank")
    assert flow.filled()["llm_hass_api"] == tools


@pytest.mark.parametrize("name", ["hedda", " HEDDA", "Standard", "   "])
async def test_a_name_tells_personas_apart(flow: Flow, loaded: MockConfigEntry, name: str) -> None:
    await flow.start()
    await flow.choose("hedda")
    await flow.fill()
    await flow.start()
    await flow.choose("blank")
    form = await flow.send(name=name, **USUAL)
    assert form["errors"] == {"name": "name_taken" if name.strip() else "no_name"}
    assert flow.filled()["prompt"] == "Be kind."
    await flow.fill(name="Hedda the second")
    titles = [each.title for each in loaded.get_subentries_of_type("conversation")]
    assert titles == ["Hedda", "Hedda the second"]


@pytest.mark.parametrize("address", ["butler.png", "javascript:alert(1)", "ftp://example.org/a"])
async def test_a_picture_is_where_a_browser_finds_it(flow: Flow, address: str) -> None:
    await flow.start()
    await flow.choose("blank")
    form = await flow.send(name="Butler", picture=address, **USUAL)
    assert form["errors"] == {"picture": "bad_picture"}
    done = await flow.fill(picture="/local/butler.png")
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_a_prompt_that_is_no_template_is_refused(flow: Flow) -> None:
    await flow.start()
    await flow.choose("blank")
    with pytest.raises(InvalidData, match="prompt"):
        await flow.send(**USUAL | {"name": "Butler", "prompt": "{% if"})


async def test_a_persona_is_changed_and_keeps_what_is_not(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    await flow.start()
    await flow.choose("tiko")
    await flow.fill(model="qwen", voice="amy")
    [before] = loaded.get_subentries_of_type("conversation")
    kept = dict(before.data)
    await flow.start(before.subentry_id)
    assert flow.filled()["name"] == "Tiko"
    done = await flow.fill(name="Tika", voice="automatic")
    assert done["reason"] == "reconfigure_successful"
    [after] = loaded.get_subentries_of_type("conversation")
    assert after.title == "Tika"
    del kept["voice"]
    assert after.data == kept


async def test_what_was_chosen_and_is_away_can_be_kept(
    hass: HomeAssistant, node: ScriptedNode, flow: Flow, loaded: MockConfigEntry
) -> None:
    class Gone(API):
        async def async_get_api_instance(self, llm_context: LLMContext) -> APIInstance:
            raise NotImplementedError

    remove = llm.async_register_api(hass, Gone(hass=hass, id="gone", name="Gone"))
    await flow.start()
    await flow.choose("blank")
    await flow.send(
        **USUAL
        | {"name": "B", "model": "gemma", "voice": "amy", "llm_hass_api": ["gone", "assist"]}
    )
    remove()
    node.info["llm"] = llm_info(llm_model("qwen"))
    node.info["tts"] = []
    await loaded.runtime_data.async_refresh()
    [made] = loaded.get_subentries_of_type("conversation")
    await flow.start(made.subentry_id)
    assert flow.options("model") == {
        "automatic": "automatic",
        "gemma": "gemma",
        "qwen": "qwen of the test",
    }
    shown = flow.filled()
    assert (shown["model"], shown["voice"], shown["llm_hass_api"]) == ("gemma", "amy", ["assist"])
    done = await flow.fill()
    assert done["reason"] == "reconfigure_successful"
    assert made.data["model"] == "gemma"


async def test_ai_tasks_are_added_and_changed(task_flow: Flow, loaded: MockConfigEntry) -> None:
    form = await task_flow.start()
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "form")
    assert [*task_flow.options("model")] == ["automatic", "qwen", "gemma"]
    done = await task_flow.fill()
    assert done["type"] is FlowResultType.CREATE_ENTRY
    [made] = loaded.get_subentries_of_type("ai_task_data")
    assert (made.title, dict(made.data)) == ("Cellar", {"max_tokens": 2000})
    await task_flow.start(made.subentry_id)
    await task_flow.fill(name="Eye", model="gemma", temperature=0.2, max_tokens=300.0)
    assert made.title == "Eye"
    assert made.data == {"model": "gemma", "temperature": 0.2, "max_tokens": 300}
    await task_flow.start()
    form = await task_flow.fill(name="eye")
    assert form["errors"] == {"name": "name_taken"}


@pytest.mark.parametrize("kind", ["conversation", "ai_task_data"])
async def test_a_node_without_a_language_model_offers_neither(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, kind: str
) -> None:
    flow = Flow(hass, loaded, kind)
    assert (await flow.start())["reason"] == "no_llm"
    node.info["llm"] = llm_info(llm_model("qwen", installed=False))
    await loaded.runtime_data.async_refresh()
    assert (await flow.start())["reason"] == "no_llm"


@pytest.mark.parametrize("kind", ["conversation", "ai_task_data"])
async def test_a_node_that_was_never_reached_says_so(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, kind: str
) -> None:
    await node.stop()
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert (await Flow(hass, entry, kind).start())["reason"] == "not_loaded"


async def test_a_change_sets_the_node_up_again_once(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    reloads: list[str] = []
    monkeypatch.setattr(hass.config_entries, "async_schedule_reload", reloads.append)
    await flow.start()
    await flow.choose("orsola")
    await flow.fill()
    assert len(reloads) == 1
    [made] = loaded.get_subentries_of_type("conversation")
    await flow.start(made.subentry_id)
    await flow.fill(greeting="Hm?")
    assert len(reloads) == 2
    hass.config_entries.async_update_entry(loaded, title="Attic")
    assert len(reloads) == 2
    await flow.start(made.subentry_id)
    await flow.fill()  # nothing has changed
    assert len(reloads) == 2
    hass.config_entries.async_remove_subentry(loaded, made.subentry_id)
    assert reloads == [loaded.entry_id] * 3


async def test_a_persona_is_there_as_soon_as_it_was_made_and_gone_when_it_was_removed(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    await flow.start()
    await flow.choose("orsola")
    await flow.fill()
    await hass.async_block_till_done()
    [made] = loaded.runtime_data.personas.all.values()
    assert made.name == "Orsola"
    hass.config_entries.async_remove_subentry(loaded, made.id)
    await hass.async_block_till_done()
    assert loaded.runtime_data.personas.all == {}


@pytest.mark.parametrize("key", CHARACTERS)
async def test_a_character_has_a_picture_that_the_frontend_finds(
    hass: HomeAssistant, hass_client_no_auth: Any, loaded: MockConfigEntry, key: str
) -> None:
    client = await hass_client_no_auth()
    answer = await client.get(character_data(key, "en")["picture"])
    assert (answer.status, answer.content_type) == (HTTPStatus.OK, "image/svg+xml")
    drawing = await answer.read()
    assert len(drawing) < 4096
    assert ET.fromstring(drawing).attrib["viewBox"]


async def test_nothing_but_the_pictures_is_served(
    hass: HomeAssistant, hass_client_no_auth: Any, loaded: MockConfigEntry
) -> None:
    client = await hass_client_no_auth()
    for path in ("/../manifest.json", "/%2e%2e/manifest.json", "/"):
        assert (await client.get(f"{PICTURES}{path}")).status != HTTPStatus.OK


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh-Hans"])
@pytest.mark.parametrize("key", CHARACTERS)
def test_characters_are_short_and_ask_for_words_that_can_be_spoken(key: str, language: str) -> None:
    texts = CHARACTERS[key].texts[language]
    chinese = language == "zh-Hans"
    length = len(texts.prompt) / 1.6 if chinese else len(texts.prompt.split())
    assert 80 <= length <= 140
    assert texts.name in texts.prompt
    assert texts.greeting
    assert "{" not in texts.prompt
    assert bool(re.search(r"[\u4e00-\u9fff]", texts.prompt)) is chinese


@pytest.mark.parametrize(
    ("language", "name"),
    [("en-GB", "Hedda"), ("de-CH", "Hedda"), ("zh-CN", "海达"), ("nl", "Hedda")],
)
def test_a_character_comes_in_the_language_of_home_assistant_or_english(
    language: str, name: str
) -> None:
    told = character_data("hedda", language)
    expected = "en" if language == "nl" else language
    assert told["name"] == name
    assert told["greeting"] == character_data("hedda", expected)["greeting"]
    assert (told == character_data("hedda", "en")) is (language in ("en-GB", "nl"))


async def test_a_persona_that_was_made_before_keeps_working(
    hass: HomeAssistant, thinking: None, node: ScriptedNode
) -> None:
    """The least that a subentry can hold."""
    entry = MockConfigEntry(
        domain="wyoming_units",
        title="Cellar",
        unique_id=node.info["node"]["id"],
        data={"host": "127.0.0.1", "port": node.port},
        subentries_data=[persona("Old", "old")],
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow = Flow(hass, entry, "conversation")
    await flow.start("old")
    await flow.fill()
    assert entry.subentries["old"].data["max_tokens"] == 500
