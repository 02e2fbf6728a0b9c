"""AI tasks that a node's language model does: data out of words, tools and pictures."""

import io
import json
from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.components import ai_task
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er, llm, selector
from homeassistant.setup import async_setup_component
from homeassistant.util.json import JsonObjectType
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error
from wyoming.event import Event

from custom_components.wyoming_units.const import DOMAIN
from wyoming_units.node import Node

from .scripted_node import (
    NODE_ID,
    ScriptedNode,
    chat,
    in_turn,
    llm_info,
    llm_model,
    reply,
    small_model,
    tool_call,
)

Feature = ai_task.AITaskEntityFeature
TASK = "ai_task.pictures"
STRUCTURE = probatio.Schema(
    {
        probatio.Required("cars"): selector.NumberSelector({"min": 0}),
        probatio.Optional("colour", description="Of the first one"): selector.TextSelector(),
    }
)


class Counter(llm.Tool):
    """A tool of another integration."""

    name = "shed__count"
    description = "Counts bicycles"
    integration = "shed"
    parameters = probatio.Schema({probatio.Optional("where"): str})

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    async def async_call(
        self, hass: HomeAssistant, tool_input: llm.ToolInput, llm_context: llm.LLMContext
    ) -> llm.ToolResult:
        self.calls.append(tool_input.tool_args)
        data: JsonObjectType = {"bicycles": 3}
        return llm.ToolResult(data=data)


class Shed(llm.API):
    """An API with that tool."""

    counter = Counter()

    async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
        self.counter = Counter()
        return llm.APIInstance(self, "You know a shed.", llm_context, tools=[self.counter])


@pytest.fixture
def media(hass: HomeAssistant, tmp_path: Path) -> Path:
    """The folder of Home Assistant's own media."""
    folder = tmp_path / "media"
    folder.mkdir()
    hass.config.media_dirs = {"local": str(folder)}
    return folder


@pytest.fixture(autouse=True)
async def tasks(hass: HomeAssistant, node: ScriptedNode, media: Path) -> None:
    assert await async_setup_component(hass, "ai_task", {})
    node.info["llm"] = llm_info()


async def set_up(
    hass: HomeAssistant, node: ScriptedNode | Node, unique_id: str = NODE_ID, **data: Any
) -> ConfigEntry:
    """Set up a node with one subentry for tasks."""
    subentry = {
        "subentry_type": "ai_task_data",
        "title": "Pictures",
        "unique_id": None,
        "subentry_id": "tasks",
        "data": {"max_tokens": 700, **data},
    }
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=unique_id,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=[subentry],  # type: ignore[list-item]
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def do(hass: HomeAssistant, instructions: str = "Count the cars.", **more: Any) -> Any:
    """Return the data of a task."""
    result = await ai_task.async_generate_data(
        hass, task_name="count", entity_id=TASK, instructions=instructions, **more
    )
    return result.data


def chats(node: ScriptedNode) -> list[Event]:
    return [event for each in node.requests for event in each.all("chat")]


def features(hass: HomeAssistant) -> int:
    return int(hass.states.get(TASK).attributes["supported_features"])


def attachment(path: Path) -> dict[str, str]:
    return {"media_content_id": f"media-source://media_source/local/{path.name}"}


async def test_a_text_comes_from_the_chosen_model(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node, model="small", temperature=0.3)
    node.answers["chat"] = chat("There are ", "two.")
    assert await do(hass) == "There are two."
    (asked,) = chats(node)
    system, question = asked.data.pop("messages")
    assert (system["role"], question) == ("system", {"role": "user", "content": "Count the cars."})
    assert asked.data == {"model": "small", "temperature": 0.3, "max_tokens": 700}


async def test_data_of_a_structure_comes_parsed(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node)
    node.answers["chat"] = chat('{"cars": 2, "colour": "red"}')
    assert await do(hass, structure=STRUCTURE) == {"cars": 2, "colour": "red"}
    schema = chats(node)[0].data["response_schema"]
    assert (schema["type"], schema["required"]) == ("object", ["cars"])
    assert schema["properties"]["cars"] == {"type": "number", "minimum": 0.0}
    assert schema["properties"]["colour"]["description"] == "Of the first one"


async def test_what_is_no_data_is_an_error(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node)
    node.answers["chat"] = chat('{"cars": ')
    with pytest.raises(HomeAssistantError, match="cannot be read"):
        await do(hass, structure=STRUCTURE)


@pytest.mark.parametrize("structure", [None, STRUCTURE])
async def test_tools_run_and_their_results_go_into_the_answer(
    hass: HomeAssistant, node: ScriptedNode, structure: probatio.Schema | None
) -> None:
    await set_up(hass, node)
    last = chat('{"cars": 3}')
    node.answers["chat"] = in_turn(chat(tool_call("c1", "shed__count", where="left")), last)
    shed = Shed(hass=hass, id="shed", name="Shed")
    data = await do(hass, llm_api=shed, structure=structure)
    assert data == ('{"cars": 3}' if structure is None else {"cars": 3})
    assert shed.counter.calls == [{"where": "left"}]
    first, second, *final = [each.data for each in chats(node)]
    assert [each["function"]["name"] for each in first["tools"]] == ["shed__count"]
    assert "You know a shed." in first["messages"][0]["content"]
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert second["session"] == first["session"]
    called, result = second["messages"][len(first["messages"]) :]
    assert called["tool_calls"][0]["function"]["name"] == "shed__count"
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert json.loads(result["content"]) == {"bicycles": 3}
    # Most servers keep to a schema only where no tools are offered.
    assert [("tools" in each, "response_schema" in each) for each in (first, second, *final)] == [
        (True, False),
        (True, False),
        *([] if structure is None else [(False, True)]),
    ]
    assert all(each["messages"] == second["messages"] for each in final)


async def test_a_tool_that_does_not_exist_is_told_to_the_model(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = in_turn(chat(tool_call("c1", "fly")), chat("I cannot fly."))
    shed = Shed(hass=hass, id="shed", name="Shed")
    assert await do(hass, llm_api=shed) == "I cannot fly."
    result = json.loads(chats(node)[1].data["messages"][-1]["content"])
    assert result["error"]


async def test_a_model_that_calls_tools_for_ever_is_stopped(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = chat(tool_call("c1", "shed__count"))
    shed = Shed(hass=hass, id="shed", name="Shed")
    with pytest.raises(HomeAssistantError, match="kept calling tools"):
        await do(hass, llm_api=shed)
    assert len(shed.counter.calls) == len(chats(node)) == 10


async def test_pictures_travel_small_and_upright_with_the_words(
    hass: HomeAssistant, node: ScriptedNode, media: Path
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = chat("A yard.")
    large, tiny = media / "large.png", media / "tiny.webp"
    Image.new("RGBA", (3000, 1500), "navy").save(large)
    Image.new("RGB", (60, 40), "red").save(tiny)
    turned = media / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (80, 40)).save(turned, exif=exif)
    pictures = [attachment(path) for path in (large, tiny, turned)]
    assert await do(hass, attachments=pictures) == "A yard."
    (asked,) = chats(node)
    parts, content = asked.data["parts"], asked.data["messages"][-1]["content"]
    names = [part["name"] for part in parts]
    assert content == [
        *({"type": "image", "name": name} for name in names),
        {"type": "text", "text": "Count the cars."},
    ]
    assert len({*names}) == 3
    assert [part["mime"] for part in parts] == ["image/jpeg", "image/webp", "image/jpeg"]
    sent, payload = [], io.BytesIO(asked.payload or b"")
    for part in parts:
        with Image.open(io.BytesIO(payload.read(part["length"]))) as opened:
            sent.append((opened.format, opened.size))
    assert sent == [("JPEG", (1024, 512)), ("WEBP", (60, 40)), ("JPEG", (40, 80))]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"Hello", "not a JPEG, PNG or WebP"),
        ("broken.jpg", b"\xff\xd8\xff nothing", "not a JPEG, PNG or WebP"),
    ],
)
async def test_what_is_no_picture_is_refused_clearly(
    hass: HomeAssistant, node: ScriptedNode, media: Path, name: str, content: bytes, reason: str
) -> None:
    await set_up(hass, node)
    (media / name).write_bytes(content)
    with pytest.raises(HomeAssistantError, match=reason):
        await do(hass, attachments=[attachment(media / name)])
    assert not chats(node)


async def test_a_picture_that_has_gone_is_told_of(
    hass: HomeAssistant, node: ScriptedNode, media: Path
) -> None:
    await set_up(hass, node)
    with pytest.raises(HomeAssistantError, match=r"gone\.jpg could not be read"):
        await do(hass, attachments=[attachment(media / "gone.jpg")])
    assert not chats(node)


async def test_only_what_the_model_can_do_is_offered(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await set_up(hass, node, model="small")
    assert features(hass) == Feature.GENERATE_DATA
    with pytest.raises(HomeAssistantError):
        await do(hass, attachments=[{"media_content_id": "media-source://camera/camera.x"}])


async def test_the_first_model_serves_where_none_was_chosen(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.info["llm"] = [
        *llm_info(llm_model("gone", installed=False), program="none"),
        *llm_info(llm_model("eyes", supports_choices=False)),
        *llm_info(small_model(), program="tiny"),
    ]
    await set_up(hass, node)
    assert features(hass) == Feature.GENERATE_DATA | Feature.SUPPORT_ATTACHMENTS
    node.answers["chat"] = chat("Two.")
    await do(hass)
    (request,) = node.requests
    assert request.types() == ["select-program", "chat"]
    assert request.received[0].data == {"name": "brain"}
    assert chats(node)[0].data["model"] == "eyes"


async def test_each_task_is_a_service_of_the_node(hass: HomeAssistant, node: ScriptedNode) -> None:
    entry = await set_up(hass, node)
    entity = er.async_get(hass).async_get(TASK)
    assert (entity.unique_id, entity.config_subentry_id) == ("tasks", "tasks")
    device = dr.async_get(hass).async_get(entity.device_id)
    assert (device.name, device.entry_type) == ("Pictures", dr.DeviceEntryType.SERVICE)
    via = dr.async_get(hass).async_get(device.via_device_id)
    assert (DOMAIN, NODE_ID) in via.identifiers
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_model_that_goes_and_comes_makes_it_unavailable_meanwhile(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    entry = await set_up(hass, node, model="big")
    node.info["llm"] = llm_info(small_model())
    await entry.runtime_data.async_refresh()
    assert hass.states.get(TASK).state == "unavailable"
    with pytest.raises(HomeAssistantError, match="no language model"):
        await do(hass)
    node.info["llm"] = llm_info(llm_model("big", supports_images=False, supports_choices=False))
    await entry.runtime_data.async_refresh()
    assert hass.states.get(TASK).state != "unavailable"
    assert features(hass) == Feature.GENERATE_DATA


async def test_why_a_node_does_not_answer_is_told(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node)
    node.answers["chat"] = reply(Error(text="others wait", code="busy"))
    with pytest.raises(HomeAssistantError, match="others wait"):
        await do(hass)
    await node.request()  # nothing is left open


async def test_the_action_of_home_assistant_does_a_task(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = chat('{"cars": 2}')
    result = await hass.services.async_call(
        "ai_task",
        "generate_data",
        {
            "entity_id": TASK,
            "task_name": "count",
            "instructions": "Count.",
            "structure": {"cars": {"required": True, "selector": {"number": {}}}},
        },
        blocking=True,
        return_response=True,
        context=Context(),
    )
    assert result["data"] == {"cars": 2}
