"""AI tasks and questions to cameras through Home Assistant and a real node; only the model follows a script."""

import math
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components import ai_task
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from tests.integration.scripted_model import ScriptedModel, node_with
from wyoming_units.chat.exchange import Called, Ended, Said, ToolCall, Weighed
from wyoming_units.node import Node

from .eyes import add_camera, picture
from .test_ai_task import STRUCTURE, Shed, attachment, do, set_up
from .test_ai_task_evaluate import HOW_FULL, OPEN, WHO, evaluate
from .test_llm_tools_ask import IS_OPEN, ask

END = Ended("stop")
checks_schemas = pytest.mark.skipif(
    find_spec("jsonschema") is None, reason="jsonschema is not installed"
)


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def node(hass: HomeAssistant, tmp_path: Path, model: ScriptedModel) -> AsyncGenerator[Node]:
    hass.config.media_dirs = {"local": str(tmp_path)}
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    assert await async_setup_component(hass, "ai_task", {})
    async with node_with(tmp_path / "node", model) as node:
        yield node


async def add_tasks(hass: HomeAssistant, node: Node) -> None:
    await set_up(hass, node, unique_id=node.id)


def shown(content: Any) -> list[str]:
    """Return the kinds of the parts of a message."""
    return [part["type"] for part in content]


@checks_schemas
async def test_data_of_pictures(
    hass: HomeAssistant, node: Node, model: ScriptedModel, tmp_path: Path
) -> None:
    await add_tasks(hass, node)
    (tmp_path / "yard.jpg").write_bytes(picture())
    model.scripts.append([Said('Sure: {"cars": 2,'), Said(' "colour": "red"}'), END])
    told = await do(hass, structure=STRUCTURE, attachments=[attachment(tmp_path / "yard.jpg")])
    assert told == {"cars": 2, "colour": "red"}
    (asked,) = model.requests
    assert shown(asked.messages[-1]["content"]) == ["image_url", "text"]
    assert asked.schema is not None
    model.scripts.append([Said('{"cars": "many"}'), END])  # which the node does not let pass
    with pytest.raises(HomeAssistantError, match="does not meet the schema"):
        await do(hass, structure=STRUCTURE)


@checks_schemas
async def test_data_of_tools(hass: HomeAssistant, node: Node, model: ScriptedModel) -> None:
    await add_tasks(hass, node)
    call = ToolCall(id="c1", name="shed__count", arguments={"where": "left"})
    model.scripts.extend(
        [[Called(call), Ended("tool_calls")], [Said("Three."), END], [Said('{"cars": 3}'), END]]
    )
    shed = Shed(hass=hass, id="shed", name="Shed")
    assert await do(hass, llm_api=shed, structure=STRUCTURE) == {"cars": 3}
    assert shed.counter.calls == [{"where": "left"}]


@pytest.mark.skipif(
    not hasattr(ai_task.AITaskEntityFeature, "EVALUATE"),
    reason="Home Assistant 2026.10 asks nothing",
)
async def test_closed_questions_about_a_picture(
    hass: HomeAssistant, node: Node, model: ScriptedModel, tmp_path: Path
) -> None:
    await add_tasks(hass, node)
    (tmp_path / "yard.jpg").write_bytes(picture())
    weights = ({"A": 0.8, "B": 0.2}, {"A": 0.1, "B": 0.6, "C": 0.3}, {"A": 0.1, "B": 0.2, "C": 0.7})
    for each in weights:
        logarithms = {letter: math.log(value) for letter, value in each.items()}
        model.scripts.append([Weighed(logarithms), Said("A"), END])
    told = await evaluate(
        hass,
        {"open": OPEN, "who": WHO, "bin": HOW_FULL},
        attachments=[attachment(tmp_path / "yard.jpg") | {"media_content_type": "image/jpeg"}],
    )
    assert told["open"]["noul"] == pytest.approx(0.8)
    assert (told["who"]["choice"], told["who"]["probabilities"]["cat"]) == (
        "cat",
        pytest.approx(0.6),
    )
    assert told["bin"]["score"] == pytest.approx(1.6)
    first = model.requests[0].messages
    for asked in model.requests:  # all but the question is the same
        assert asked.messages[:-1] == first[:-1]
        assert asked.messages[-1]["content"][:2] == first[-1]["content"][:2]
        assert shown(asked.messages[-1]["content"]) == ["text", "image_url", "text", "text"]


async def test_a_question_to_a_camera(
    hass: HomeAssistant, node: Node, model: ScriptedModel, tmp_path: Path
) -> None:
    assert await async_setup_component(hass, "llm", {})
    async_expose_entity(hass, "conversation", await add_camera(hass, tmp_path), True)
    await add_tasks(hass, node)
    model.scripts.append([Said("It is "), Said("open."), END])
    told = await ask(hass)
    assert told.data == {"cameras": [{"camera": "Front door", "answer": "It is open."}]}
    (asked,) = model.requests
    assert shown(asked.messages[-1]["content"]) == ["image_url", "text"]
    assert asked.messages[-1]["content"][-1]["text"] == IS_OPEN
