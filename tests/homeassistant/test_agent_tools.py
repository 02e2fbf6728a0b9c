"""Tools that a language model calls in a turn, in a real Home Assistant."""

import asyncio
import json
from typing import Any

import pytest
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.helpers import llm
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_mock_service,
)
from wyoming.error import Error

from .agents import agent_of, ask, chats, persona, speech, talk_node
from .scripted_node import Raw, ScriptedNode, chat, in_turn, reply, tool_call

TURN_ON = "intent__HassTurnOn"


@pytest.fixture(autouse=True)
async def lamp(hass: HomeAssistant) -> list[ServiceCall]:
    """A lamp that assistants may switch; returns the calls that switch it on."""
    assert await async_setup_component(hass, "conversation", {})
    hass.states.async_set("light.lamp", "off", {"friendly_name": "Lamp"})
    async_expose_entity(hass, "conversation", "light.lamp", True)
    return async_mock_service(hass, "light", "turn_on")


def results_told(node: ScriptedNode, number: int = -1) -> list[Any]:
    """Return the results of tools in a request."""
    messages = chats(node)[number].data["messages"]
    return [json.loads(it["content"]) for it in messages if it["role"] == "tool"]


async def test_a_tool_is_run_in_the_name_of_the_user_and_its_result_told(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, lamp: list[ServiceCall]
) -> None:
    await talk_node(hass, node, entry)
    user = MockUser().add_to_hass(hass)
    node.answers["chat"] = in_turn(
        chat("One moment. ", tool_call("a", TURN_ON, name="Lamp")), chat("It is on.")
    )
    result = await ask(hass, "light", context=Context(user_id=user.id))
    assert speech(result) == "It is on."
    assert [it.name for it in result.response.success_results] == ["Lamp"]
    [call] = lamp
    assert call.context.user_id == user.id

    first, second = chats(node)
    names = [tool["function"]["name"] for tool in first.data["tools"]]
    assert TURN_ON in names
    assert names == sorted(names)
    asked = second.data["messages"]
    assert asked[:2] == first.data["messages"]
    assert (asked[2]["role"], asked[2]["content"]) == ("assistant", "One moment.")
    assert asked[2]["tool_calls"] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": TURN_ON, "arguments": '{"name":"Lamp"}'},
        }
    ]
    assert (asked[3]["role"], asked[3]["tool_call_id"]) == ("tool", "a")
    assert entry.runtime_data.timings["llm", "brain"]["timing"]["tools"] > 0


@pytest.mark.parametrize(
    "call",
    [
        tool_call("a", "no_such_tool"),
        tool_call("a", TURN_ON, name="Lamp", domain=7),
        tool_call("a", TURN_ON),
        tool_call("a", TURN_ON, name="Rocket"),
    ],
)
async def test_a_call_that_makes_no_sense_is_told_to_the_model(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    lamp: list[ServiceCall],
    call: dict[str, Any],
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = in_turn(chat(call), chat("I cannot."))
    assert speech(await ask(hass, "light")) == "I cannot."
    [told] = results_told(node)
    assert told["error"]
    assert not lamp


async def test_a_model_without_tools_that_calls_one_is_told_that_there_are_none(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, personas=[persona("Wren")])
    node.answers["chat"] = in_turn(chat(tool_call("a", TURN_ON, name="Lamp")), chat("I cannot."))
    assert speech(await ask(hass, "light", "conversation.wren")) == "I cannot."
    assert results_told(node) == [{"error": "There are no tools"}]


async def test_a_model_that_calls_tools_for_ever_is_ended(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, lamp: list[ServiceCall]
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat(tool_call("a", TURN_ON, name="Lamp"))
    result = await ask(hass, "light")
    assert "too many steps" in speech(result)
    assert len(chats(node)) == len(lamp) == 10
    node.answers["chat"] = chat("Fine.")
    assert speech(await ask(hass, "ok?", conversation_id=result.conversation_id)) == "Fine."


async def test_nothing_is_done_for_an_answer_without_an_end(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, lamp: list[ServiceCall]
) -> None:
    await talk_node(hass, node, entry)
    failing = reply(Error(text="gone", code="engine-failed"))

    async def answer(connection: Any, event: Any) -> None:
        await connection.send(Raw("chat-chunk", tool_call("a", TURN_ON, name="Lamp")))
        await failing(connection, event)

    node.answers["chat"] = answer
    assert "does not answer" in speech(await ask(hass, "light"))
    assert not lamp


async def test_a_repeated_turn_does_not_act_again_even_if_its_answer_failed(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, lamp: list[ServiceCall]
) -> None:
    await talk_node(hass, node, entry)
    same = {"context": Context(), "conversation_id": "talk"}
    for _ in range(2):
        node.answers["chat"] = in_turn(
            chat(tool_call("a", TURN_ON, name="Lamp")),
            reply(Error(text="gone", code="engine-failed")),
        )
        assert "does not answer" in speech(await ask(hass, "light", **same))
    assert len(lamp) == 1


@pytest.fixture
def slow_tool(hass: HomeAssistant) -> tuple[asyncio.Event, asyncio.Event]:
    """A tool of an API `test`; returns what says that it began, and what lets it end."""
    began, may_end = asyncio.Event(), asyncio.Event()

    class Slow(llm.Tool):
        name = "test__slow"
        integration = "test"

        async def async_call(self, *_: Any) -> llm.ToolResult:
            began.set()
            await may_end.wait()
            return llm.ToolResult(data={"slept": True})

    class Api(llm.API):
        async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
            return llm.APIInstance(self, "", llm_context, [Slow()])

    llm.async_register_api(hass, Api(hass=hass, id="test", name="Test"))
    return began, may_end


async def test_a_stop_while_a_tool_runs_lets_it_finish_and_asks_no_more(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, slow_tool: Any
) -> None:
    began, may_end = slow_tool
    await talk_node(hass, node, entry, personas=[persona("Wren", llm_hass_api=["test"])])
    node.answers["chat"] = chat("Wait. ", tool_call("a", "test__slow"))
    turn = hass.async_create_task(ask(hass, "sleep", "conversation.wren"))
    await began.wait()
    await agent_of(hass, "conversation.wren").async_stop()
    may_end.set()
    assert speech(await turn) == ""
    assert len(chats(node)) == 1


async def test_a_reset_while_a_tool_runs_is_for_the_next_turn(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, slow_tool: Any
) -> None:
    began, may_end = slow_tool
    await talk_node(hass, node, entry, personas=[persona("Wren", llm_hass_api=["test"])])
    node.answers["chat"] = in_turn(chat(tool_call("a", "test__slow")), chat("Slept."))
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    turn = hass.async_create_task(ask(hass, "sleep", **wren))
    await began.wait()
    await agent_of(hass, "conversation.wren").async_reset("talk")
    may_end.set()
    assert speech(await turn) == "Slept."
    assert len(chats(node)[-1].data["messages"]) == 4
    await ask(hass, "well?", **wren)
    assert len(chats(node)[-1].data["messages"]) == 2
