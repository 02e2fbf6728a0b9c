"""A real node whose language model is a scripted host's, a kitchen, and the agent that answers there."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipeline
from homeassistant.components.conversation import async_converse
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.setup import async_setup_component

from custom_components.wyoming_units.const import DOMAIN
from tests.integration.model_server import ModelServer
from wyoming_units.config import NodeConfig
from wyoming_units.node import Node

from .flows import add_with_all_it_offers

LIGHT = "light.kitchen_light"


@pytest.fixture(name="models")
async def host_of_models() -> AsyncGenerator[ModelServer]:
    """A host of a language model that calls tools."""
    async with ModelServer("llama.cpp", context=8192) as server:
        yield server


@pytest.fixture(name="patience")
def usual_patience() -> dict[str, Any]:
    """What the node bears with."""
    return {"retries": 1}


@pytest.fixture(name="node")
async def node_that_talks(
    tmp_path: Path, models: ModelServer, patience: dict[str, Any]
) -> AsyncGenerator[Node]:
    """A node that speaks, and asks the host."""
    config = NodeConfig(
        name="Cellar",
        data_dir=tmp_path / "node",
        host="127.0.0.1",
        port=0,
        advertise=[],
        units=["stt", "tts=espeak", f"llm=openai:{models.url}"],
        engines={"openai": patience},
    )
    async with Node(config) as node:
        await node.loaded()
        yield node


@pytest.fixture(name="kitchen", autouse=True)
async def kitchen_with_a_light(hass: HomeAssistant) -> None:
    """A kitchen with a light that does what it is told."""
    for component in ("intent", "llm"):
        assert await async_setup_component(hass, component, {})
    lights = [
        {"name": "Kitchen Light", "unique_id": "Kitchen", "turn_on": [], "turn_off": []},
    ]
    assert await async_setup_component(hass, "template", {"template": [{"light": lights}]})
    await hass.async_block_till_done()
    area = ar.async_get(hass).async_create("Kitchen")
    er.async_get(hass).async_update_entity(LIGHT, area_id=area.id)
    async_expose_entity(hass, "conversation", LIGHT, True)
    await hass.services.async_call("light", "turn_off", {"entity_id": LIGHT}, blocking=True)


@pytest.fixture(name="agent")
async def agent_of_the_pipeline(hass: HomeAssistant, node: Node) -> str:
    """The agent of the language model, which the pipeline that was made uses."""
    await add_with_all_it_offers(hass, DOMAIN, node.port)
    engine = async_get_pipeline(hass).conversation_engine
    registered = er.async_get(hass).async_get(engine)
    assert registered is not None
    assert (registered.platform, registered.domain) == (DOMAIN, "conversation")
    return engine


async def converse(
    hass: HomeAssistant, agent: str, text: str, conversation: str | None = None
) -> dict[str, Any]:
    """Return the answer to a sentence."""
    result = await async_converse(
        hass, text, conversation, Context(), language="en", agent_id=agent
    )
    return result.as_dict()


def speech_of(result: dict[str, Any]) -> str:
    speech: str = result["response"]["speech"]["plain"]["speech"]
    return speech
