"""Home Assistant's own `wyoming` integration, which knows nothing of us, talks with a node's language model."""

from pathlib import Path

import pytest
from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er

from tests.integration.scripted_model import ScriptedModel, node_with
from wyoming_units.chat.exchange import Ended, Said
from wyoming_units.errors import Busy
from wyoming_units.node import Node

from .flows import add_with_all_it_offers


async def agent_of(hass: HomeAssistant, node: Node) -> str:
    """Add a node to Home Assistant's own integration; return its conversation agent."""
    entry = await add_with_all_it_offers(hass, "wyoming", node.port)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    (agent,) = (one.entity_id for one in entities if one.domain == "conversation")
    return agent


async def ask(
    hass: HomeAssistant, agent: str, text: str, conversation_id: str | None = None
) -> conversation.ConversationResult:
    return await conversation.async_converse(hass, text, conversation_id, Context(), "en", agent)


async def test_the_model_answers_and_goes_on_with_the_conversation(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    model = ScriptedModel([Said("Good "), Said("evening."), Ended("stop")])
    async with node_with(tmp_path, model) as node:
        agent = await agent_of(hass, node)
        first = await ask(hass, agent, "Hello")
        assert first.response.speech["plain"]["speech"] == "Good evening."
        await ask(hass, agent, "And now?", first.conversation_id)
    said = [message["content"] for message in model.requests[-1].messages]
    assert said[1:] == ["Hello", "Good evening.", "And now?"]


async def test_what_fails_is_told(hass: HomeAssistant, tmp_path: Path) -> None:
    async with node_with(tmp_path, ScriptedModel([Busy("too many")])) as node:
        result = await ask(hass, await agent_of(hass, node), "Hello")
        assert result.response.error_code == "unknown"
        assert "too many" in result.response.speech["plain"]["speech"]


async def test_beside_intents_these_answer(hass: HomeAssistant, tmp_path: Path) -> None:
    pytest.importorskip("hassil")
    model = ScriptedModel()
    async with node_with(tmp_path, model, units=["intent"]) as node:
        result = await ask(hass, await agent_of(hass, node), "colourless green ideas sleep")
        assert result.response.error_code == "no_intent_match"
    assert not model.requests
