"""What agents of Assist can ask a language model that sees about cameras, watched or not."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import area_registry as ar, entity_registry as er, llm
from homeassistant.setup import async_setup_component
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error
from wyoming.event import Event

from custom_components.wyoming_units.const import DOMAIN

from .eyes import Eyes, add_camera, watch_cameras
from .scripted_node import (
    Connection,
    ScriptedNode,
    begin_chat,
    chat,
    llm_info,
    llm_model,
    reply,
    small_model,
)

ASK = f"{DOMAIN}__ask_camera"
IS_OPEN = "Is the gate open?"


@pytest.fixture(autouse=True)
async def assist(hass: HomeAssistant, tmp_path: Path, node: ScriptedNode) -> None:
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    assert await async_setup_component(hass, "llm", {})
    node.info["llm"] = llm_info(small_model(), llm_model("seeing"))
    node.answers["chat"] = chat("The gate ", "is open.\n")


@pytest.fixture
async def camera(hass: HomeAssistant, tmp_path: Path) -> str:
    """A camera that is exposed to Assist and that nothing watches."""
    return await exposed(hass, tmp_path, "Front door")


async def exposed(hass: HomeAssistant, folder: Path, name: str) -> str:
    camera = await add_camera(hass, folder, name)
    async_expose_entity(hass, "conversation", camera, True)
    return camera


async def interface(hass: HomeAssistant) -> llm.APIInstance:
    context = llm.LLMContext(
        platform="test",
        context=Context(),
        language="en",
        assistant="conversation",
        device_id=None,
    )
    return await llm.async_get_api(hass, "assist", context)


async def offered(hass: HomeAssistant) -> llm.Tool | None:
    tools = (await interface(hass)).tools
    return next((tool for tool in tools if tool.name == ASK), None)


async def ask(hass: HomeAssistant, question: str = IS_OPEN, **args: Any) -> llm.ToolResult:
    return await (await interface(hass)).async_call_tool(
        llm.ToolInput(tool_name=ASK, tool_args={"question": question, **args})
    )


def chats(node: ScriptedNode) -> list[Event]:
    return [event for each in node.requests for event in each.all("chat")]


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_model_that_sees_is_asked_with_a_fresh_picture(
    hass: HomeAssistant, node: ScriptedNode, tmp_path: Path
) -> None:
    told = await ask(hass, name="front door", area="")
    assert not told.error
    assert told.data == {"cameras": [{"camera": "Front door", "answer": "The gate is open."}]}
    (asked,) = chats(node)
    assert asked.data["model"] == "seeing"
    *_, question = asked.data["messages"]
    assert question["content"][-1] == {"type": "text", "text": IS_OPEN}
    (part,) = asked.data["parts"]
    assert {"type": "image", "name": part["name"]} in question["content"]
    assert (part["mime"], asked.payload) == (
        "image/jpeg",
        (tmp_path / "Front door.jpg").read_bytes(),
    )


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_large_picture_is_made_small_first(
    hass: HomeAssistant, node: ScriptedNode, tmp_path: Path
) -> None:
    Image.new("RGB", (3840, 2160), "navy").save(tmp_path / "Front door.jpg")
    assert not (await ask(hass)).error
    (asked,) = chats(node)
    with Image.open(io.BytesIO(asked.payload or b"")) as sent:
        assert (sent.format, sent.size) == ("JPEG", (1024, 576))


@pytest.mark.usefixtures("camera", "loaded")
async def test_only_cameras_that_are_exposed_are_spoken_of_and_asked_about(
    hass: HomeAssistant, node: ScriptedNode, tmp_path: Path, camera: str
) -> None:
    await add_camera(hass, tmp_path, "Bathroom")
    tool = await offered(hass)
    assert tool is not None
    assert str(tool.description).endswith("Cameras: Front door")
    assert (await ask(hass, name="Bathroom")).error
    assert not chats(node)
    async_expose_entity(hass, "conversation", camera, False)
    assert await offered(hass) is None


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("models", [[small_model()], [llm_model("blind", supports_images=False)]])
async def test_without_a_model_that_sees_there_is_no_such_tool(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, models: list[dict[str, Any]]
) -> None:
    node.info["llm"] = llm_info(*models)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert await offered(hass) is None


async def test_a_watch_that_rests_gives_no_picture(
    hass: HomeAssistant, node: ScriptedNode, camera: str
) -> None:
    Eyes(node, ["detect"])
    await watch_cameras(hass, node, camera, detection=False)
    told = await ask(hass)
    assert told.error
    assert told.data["cameras"] == [
        {"camera": "Front door", "error": "It is switched off, or in its quiet hours"}
    ]
    assert not chats(node)


@pytest.mark.usefixtures("camera", "loaded")
@pytest.mark.parametrize(
    ("code", "text"), [("busy", "two others wait"), ("engine-failed", "out of memory")]
)
async def test_a_model_that_is_busy_or_fails_says_so(
    hass: HomeAssistant, node: ScriptedNode, code: str, text: str
) -> None:
    node.answers["chat"] = reply(Error(text=text, code=code))
    told = await ask(hass)
    assert told.error
    assert text in json.dumps(told.data)


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_model_that_is_too_slow_is_not_waited_for_and_ends_its_work(
    hass: HomeAssistant, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.ask_camera.PATIENCE", 0.1)
    node.answers["chat"] = begin_chat("The ")
    told = await ask(hass)
    assert told.error
    assert "too long" in told.data["cameras"][0]["error"]
    await node.request()  # its connection is closed


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_model_that_only_thinks_has_not_answered(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.answers["chat"] = chat({"thinking": "A gate, "}, finish_reason="length")
    told = await ask(hass)
    assert told.error
    assert told.data["cameras"] == [{"camera": "Front door", "error": "The model gave no answer"}]


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_node_is_asked_one_question_at_a_time(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    running = most = 0

    async def slowly(connection: Connection, event: Event) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)  # long enough for the others to come meanwhile
        running -= 1
        await chat("Yes.")(connection, event)

    node.answers["chat"] = slowly
    answers = await asyncio.gather(*(ask(hass) for _ in range(3)))
    assert [each.data["cameras"][0]["answer"] for each in answers] == ["Yes."] * 3
    assert most == 1


@pytest.mark.usefixtures("camera", "loaded")
async def test_an_area_chooses_its_cameras(hass: HomeAssistant, tmp_path: Path) -> None:
    drive = await exposed(hass, tmp_path, "Drive")
    area = ar.async_get(hass).async_create("Garden")
    er.async_get(hass).async_update_entity(drive, area_id=area.id)
    told = await ask(hass, area="garden")
    assert [each["camera"] for each in told.data["cameras"]] == ["Drive"]
    assert len((await ask(hass)).data["cameras"]) == 2


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_question_about_many_cameras_is_returned_to_the_agent(
    hass: HomeAssistant, node: ScriptedNode, tmp_path: Path
) -> None:
    for name in ("Drive", "Garage", "Hall", "Yard"):
        await exposed(hass, tmp_path, name)
    told = await ask(hass)
    assert told.error
    assert "Drive, Front door, Garage, Hall, Yard" in json.dumps(told.data)
    assert not chats(node)


@pytest.mark.usefixtures("camera", "loaded")
async def test_a_model_reads_little_to_know_the_tool(hass: HomeAssistant) -> None:
    tool = await offered(hass)
    assert tool is not None
    assert tool.annotations.read_only
    shown = probatio.to_openapi(
        tool.parameters, custom_serializer=llm.selector_serializer, openapi_version="3.1.0"
    )
    assert (shown["properties"].keys(), shown["required"]) == (
        {"name", "area", "question"},
        ["question"],
    )
    assert len(json.dumps(shown)) + len(str(tool.description)) < 400
