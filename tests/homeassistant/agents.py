"""Talks with language models through Home Assistant."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryData
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.event import Event

from custom_components.wyoming_units.agent import AgentEntity
from custom_components.wyoming_units.const import SUBENTRY_CONVERSATION

from .scripted_node import ScriptedNode, llm_info, node_info

MAIN = "conversation.cellar_language_model"


def persona(title: str, **data: Any) -> ConfigSubentryData:
    """Return a persona as the user made it."""
    return ConfigSubentryData(
        data=data, subentry_type=SUBENTRY_CONVERSATION, title=title, unique_id=None
    )


async def talk_node(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    *,
    personas: Sequence[ConfigSubentryData] = (),
    **info: Any,
) -> None:
    """Set up a node with language models and personas."""
    node.info = node_info(**{"llm": llm_info(), **info})
    for each in personas:
        made = ConfigSubentry(**{**each, "data": MappingProxyType(each["data"])})
        hass.config_entries.async_add_subentry(entry, made)
    assert await async_setup_component(hass, "intent", {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def ask(
    hass: HomeAssistant, text: str, agent: str = MAIN, **more: Any
) -> conversation.ConversationResult:
    """Say something to an agent."""
    return await conversation.async_converse(
        hass,
        text,
        more.pop("conversation_id", None),
        more.pop("context", Context()),
        language=more.pop("language", "en"),
        agent_id=agent,
        **more,
    )


def speech(result: conversation.ConversationResult) -> str:
    """Return what was replied."""
    text: str = result.response.speech["plain"]["speech"]
    return text


def agent_of(hass: HomeAssistant, entity_id: str = MAIN) -> AgentEntity:
    """Return an agent."""
    agent = hass.data[conversation.DATA_COMPONENT].get_entity(entity_id)
    assert isinstance(agent, AgentEntity)
    return agent


def chats(node: ScriptedNode) -> list[Event]:
    """Return what the model was asked, oldest first, without what it should only prepare."""
    every = (event for connection in node.requests for event in connection.all("chat"))
    return [event for event in every if not event.data.get("prepare")]


def log_of(hass: HomeAssistant, conversation_id: str | None) -> list[conversation.Content]:
    """Return what was said in a conversation."""
    logs = hass.data[conversation.chat_log.DATA_CHAT_LOGS]
    return logs[conversation_id or ""].content
