"""Actions of agents: end what one says, let it forget what was said."""

import asyncio
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import DOMAIN

from .agents import MAIN, ask, chats
from .ids import device_of, entity_of
from .scripted_node import ScriptedNode, begin_chat, chat, llm_info


@pytest.fixture
def entry(node: ScriptedNode, entry: MockConfigEntry) -> MockConfigEntry:
    """The entry of a node with a language model."""
    node.info["llm"] = llm_info()
    return entry


async def act(hass: HomeAssistant, action: str, **data: Any) -> None:
    await hass.services.async_call(DOMAIN, action, data, blocking=True)


def said(node: ScriptedNode) -> str:
    """Return the messages of the last request."""
    return str(chats(node)[-1].data["messages"])


async def test_stop_ends_an_answer_that_is_being_given_and_the_work_of_the_model(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    node.answers["chat"] = begin_chat("It was a dark", " night")
    turn = hass.async_create_task(ask(hass, "tell me a story"))
    await node.received("chat")
    await act(hass, "stop", entity_id=MAIN)
    async with asyncio.timeout(5):
        result = await turn
    assert result.response.error_code is None
    await node.request()  # its connection is closed


async def test_reset_lets_an_agent_forget_one_conversation_or_all(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    node.answers["chat"] = chat("Fine.")
    first = (await ask(hass, "apples")).conversation_id
    second = (await ask(hass, "pears")).conversation_id
    await act(hass, "reset", entity_id=MAIN, conversation_id=first)
    await ask(hass, "plums", conversation_id=first)
    assert "apples" not in said(node)
    await ask(hass, "figs", conversation_id=second)
    assert "pears" in said(node)
    await act(hass, "reset", entity_id=MAIN)
    await ask(hass, "limes", conversation_id=second)
    assert "limes" in said(node)
    assert not [fruit for fruit in ("pears", "figs") if fruit in said(node)]


@pytest.mark.parametrize("action", ["stop", "reset"])
async def test_agents_are_found_by_their_device_and_one_that_finds_intents_has_nothing_to_do(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, action: str
) -> None:
    await act(hass, action, device_id=[device_of(hass, "llm"), device_of(hass, "intent")])
    await act(hass, action, entity_id=entity_of(hass, "intent"))
    assert not node.requests
