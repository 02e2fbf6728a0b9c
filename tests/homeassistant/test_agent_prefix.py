"""What a language model is told begins alike in all turns: its server need not read that anew."""

import itertools
import json
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.wyoming_units.personas import STANDARD

from .agents import MAIN, agent_of, ask, chats, persona, speech, talk_node
from .scripted_node import ScriptedNode, chat, in_turn, tool_call

TURN_ON = "intent__HassTurnOn"
WREN = persona(
    "Wren", prompt="It is {{ now() }}, {{ states('light.lamp') }}.", llm_hass_api=["assist"]
)
ROBIN = persona("Robin", prompt="You are Robin. It is {{ now() }}.")


@pytest.fixture(autouse=True)
async def home(hass: HomeAssistant) -> None:
    """Two lamps that assistants may switch."""
    assert await async_setup_component(hass, "conversation", {})
    for name in ("Lamp", "Torch"):
        hass.states.async_set(f"light.{name.lower()}", "off", {"friendly_name": name})
        async_expose_entity(hass, "conversation", f"light.{name.lower()}", True)
    async_mock_service(hass, "light", "turn_on")


def device_in(hass: HomeAssistant, room: str) -> str:
    """Return a device in a room."""
    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", room)}
    )
    area = ar.async_get(hass).async_get_or_create(room)
    dr.async_get(hass).async_update_device(device.id, area_id=area.id)
    return device.id


def bytes_of(messages: list[dict[str, Any]]) -> str:
    """Return messages as they are sent, without the end of their list."""
    return json.dumps(messages)[:-1]


def assert_one_prefix(node: ScriptedNode) -> None:
    """Each request begins with all that was sent before, byte for byte."""
    asked = [it.data for it in chats(node)]
    assert len({json.dumps(it.get("tools")) for it in asked}) == 1
    for before, after in itertools.pairwise(asked):
        assert after["messages"][len(before["messages"])]["role"] == "assistant"
        assert bytes_of(after["messages"]).startswith(bytes_of(before["messages"]))


async def test_twenty_turns_with_tools_have_one_prefix(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    calls = {3: {"name": "Torch", "domain": ["light"]}, 9: {"domain": ["light"], "name": "Lamp"}}
    place = {"device_id": device_in(hass, "Kitchen"), "conversation_id": "talk"}
    for number in range(20):
        answer = chat({"thinking": "Hm."}, f"Answer {number}, ", "no more.")
        called = tool_call(f"call-{number}", TURN_ON, **calls.get(number, {}))
        node.answers["chat"] = in_turn(chat(called), answer) if number in calls else answer
        result = await ask(hass, f"Question {number}", "conversation.wren", **place)
        assert speech(result) == f"Answer {number}, no more."
        freezer.tick(67)
        hass.states.async_set("light.lamp", str(number), {"friendly_name": "Lamp"})
    assert len(chats(node)) == 22
    assert "Question 0" in chats(node)[-1].data["messages"][1]["content"]
    assert_one_prefix(node)


async def test_twenty_turns_without_tools_have_one_prefix_and_are_told_time_and_room(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-03-04T13:05:00+00:00")
    await talk_node(hass, node, entry, personas=[ROBIN])
    place = {"device_id": device_in(hass, "Kitchen"), "conversation_id": "talk"}
    node.answers["chat"] = chat("Well.")
    for number in range(20):
        await ask(hass, f"Question {number}", "conversation.robin", **place)
        freezer.tick(67)
    assert_one_prefix(node)
    users = [it["content"] for it in chats(node)[-1].data["messages"] if it["role"] == "user"]
    assert users[0] == "(Wednesday, 2026-03-04, 14:05, Kitchen)\nQuestion 0"
    assert users[1] == "(Wednesday, 2026-03-04, 14:06, Kitchen)\nQuestion 1"


async def test_two_conversations_of_a_room_begin_alike(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat("Well.")
    for conversation_id in ("one", "two"):
        await ask(hass, "Hi", conversation_id=conversation_id)
        freezer.tick(67)
    one, two = (it.data for it in chats(node))
    assert one["messages"] == two["messages"]
    assert one["tools"] == two["tools"]
    assert (one["session"], two["session"]) == ("one", "two")


async def test_a_conversation_that_moves_on_to_another_room_is_told_so(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat("Well.")
    rooms = [device_in(hass, room) for room in ("Kitchen", "Study")]
    for device_id in (*rooms, rooms[0]):
        await ask(hass, "Hi", conversation_id="talk", device_id=device_id)
    first, second, third = (it.data["messages"][0]["content"] for it in chats(node))
    assert "area Kitchen" in first
    assert "area Study" in second
    assert third == first


async def test_what_an_automation_adds_comes_last_and_stays(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, personas=[ROBIN, WREN])
    node.answers["chat"] = chat("Well.")
    for agent in ("conversation.robin", "conversation.wren"):
        node.requests.clear()
        added = {"conversation_id": agent, "extra_system_prompt": "The door is open."}
        await ask(hass, "Hi", agent, **added)
        await ask(hass, "And?", agent, conversation_id=agent)
        assert chats(node)[0].data["messages"][0]["content"].endswith("\nThe door is open.")
        assert_one_prefix(node)


@pytest.mark.parametrize("which", ["talk", None])
async def test_a_conversation_that_was_reset_begins_anew(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, which: str | None
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    node.answers["chat"] = chat("Well.")
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    await ask(hass, "One", **wren)
    hass.states.async_set("light.lamp", "blue", {"friendly_name": "Lamp"})
    await agent_of(hass, "conversation.wren").async_reset(which)
    await ask(hass, "Two", **wren)
    await ask(hass, "Three", **wren)
    system, *past = chats(node)[-1].data["messages"]
    assert "blue" in system["content"]
    assert [it["content"] for it in past] == ["Two", "Well.", "Three"]


async def test_other_conversations_go_on_when_one_is_reset(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat("Well.")
    await ask(hass, "One", conversation_id="talk")
    await agent_of(hass).async_reset("other")
    await ask(hass, "Two", conversation_id="talk")
    assert len(chats(node)[-1].data["messages"]) == 4


async def test_another_persona_knows_nothing_of_what_was_said(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, personas=[ROBIN])
    node.answers["chat"] = chat("Well.")
    personas = entry.runtime_data.personas
    [robin] = personas.all.values()
    await ask(hass, "One", conversation_id="talk")
    for chosen, begins in ((robin, "You are Robin."), (STANDARD, "You are a voice assistant")):
        personas.async_choose("brain", chosen)
        await ask(hass, "Two", conversation_id="talk")
        system, *past = chats(node)[-1].data["messages"]
        assert system["content"].startswith(begins)
        assert len(past) == 1
    state = hass.states.get(MAIN)
    assert state is not None
    assert state.attributes["supported_features"] == 1


async def test_a_persona_is_chosen_by_saying_so(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    robin = persona("Robin", prompt="You are Robin.", greeting="Tweet!")
    await talk_node(hass, node, entry, personas=[robin])
    node.answers["chat"] = chat("Well.")
    await ask(hass, "One", conversation_id="talk")
    result = await ask(hass, "Switch to Robin", conversation_id="talk")
    assert speech(result) == "Tweet!"
    assert result.continue_conversation
    assert len(chats(node)) == 1
    await ask(hass, "Two", conversation_id="talk")
    assert len(chats(node)[-1].data["messages"]) == 2


async def test_a_prompt_that_cannot_be_rendered_is_told(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, personas=[persona("Wren", prompt="{{ 1 / 0 }}")])
    assert "cannot be rendered" in speech(await ask(hass, "Hi", "conversation.wren"))
    assert not node.requests


async def test_tools_that_are_gone_are_told(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, personas=[persona("Wren", llm_hass_api=["gone"])])
    assert "not available" in speech(await ask(hass, "Hi", "conversation.wren"))
    assert not node.requests


async def test_the_oldest_conversations_are_forgotten(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, personas=[ROBIN])
    node.answers["chat"] = chat("Well.")
    for number in range(70):
        await ask(hass, "Hi", "conversation.robin", conversation_id=f"talk {number}")
    agent = agent_of(hass, "conversation.robin")
    remembered = (agent._talks, agent._prefixes, agent._given)
    assert [len(each) for each in remembered] == [64, 64, 64]
