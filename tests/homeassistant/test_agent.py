"""Language models as conversation agents, against a server that follows a script."""

import asyncio
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, intent
from homeassistant.helpers.chat_session import async_get_chat_session
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error

from custom_components.wyoming_units.const import (
    CONF_MODEL,
    CONF_PICTURE,
    CONF_PROMPT,
    DEFAULT_TURNS,
    DOMAIN,
)

from .agents import MAIN, agent_of, ask, chats, log_of, persona, speech, talk_node
from .scripted_node import (
    TIMING,
    ScriptedNode,
    artifact,
    begin_chat,
    chat,
    hang_up,
    in_turn,
    llm_info,
    llm_model,
    node_info,
    reply,
    small_model,
)

NEWER = hasattr(conversation.chat_log, "ConversationBusyError")
"""Whether it is Home Assistant 2026.11, which keeps a chat log whatever becomes of a turn."""
CONTROL = conversation.ConversationEntityFeature.CONTROL


def broken(*texts: str) -> Any:
    """Return an answer whose connection breaks before its end."""

    async def answer(connection: Any, event: Any) -> None:
        await begin_chat(*texts)(connection, event)
        connection.hang_up()

    return answer


async def test_the_model_answers_in_the_name_of_its_program(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat({"thinking": "Who is it?"}, "Hello ", "there.")
    result = await ask(hass, "hi")
    assert speech(result) == "Hello there."
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    assert not result.continue_conversation
    [asked] = chats(node)
    assert [message["role"] for message in asked.data["messages"]] == ["system", "user"]
    assert asked.data["session"] == result.conversation_id
    assert "model" not in asked.data
    assert (asked.data["max_tokens"], asked.data["history"]["turns"]) == (500, DEFAULT_TURNS)
    [_, user, answer] = log_of(hass, result.conversation_id)
    assert (user.content, answer.content) == ("hi", "Hello there.")
    assert answer.thinking_content == "Who is it?"


async def test_a_question_keeps_the_microphone_open(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat("Which room?")
    assert (await ask(hass, "light")).continue_conversation


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (llm_model("big"), CONTROL),
        (llm_model("big", context_length=None), CONTROL),
        (llm_model("big", context_length=2048), 0),
        (small_model(), 0),
    ],
)
async def test_it_controls_the_home_where_its_model_can(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    model: dict[str, Any],
    features: int,
) -> None:
    await talk_node(hass, node, entry, llm=llm_info(model))
    agent = agent_of(hass)
    assert agent.supported_features == features
    assert agent.supported_languages == "*"
    assert agent.supports_streaming


async def test_a_small_model_is_given_the_prompt_alone(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    kind = persona("Kind", prompt="You are kind.", llm_hass_api=["assist"], model="small")
    await talk_node(hass, node, entry, personas=[kind])
    node.answers["chat"] = chat("Hm.")
    await ask(hass, "hi", "conversation.kind")
    [asked] = chats(node)
    assert asked.data["messages"][0]["content"] == "You are kind."
    assert "tools" not in asked.data
    assert asked.data["model"] == "small"


async def test_each_persona_is_an_agent_with_a_device_of_its_own(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    picture = {CONF_PICTURE: "/local/wren.svg"}
    wren = persona("Wren", **{CONF_PROMPT: "You are {{ 'Wren' }} of {{ ha_name }}.", **picture})
    await talk_node(hass, node, entry, personas=[wren])
    [subentry_id] = entry.runtime_data.personas.all
    registered = er.async_get(hass).async_get("conversation.wren")
    assert registered is not None
    assert (registered.unique_id, registered.config_subentry_id) == (subentry_id, subentry_id)
    device = dr.async_get(hass).async_get(registered.device_id or "")
    assert device is not None
    assert (device.name, device.entry_type) == ("Wren", dr.DeviceEntryType.SERVICE)
    above = dr.async_get(hass).async_get(device.via_device_id or "")
    assert above is not None
    assert (DOMAIN, entry.runtime_data.data.id) in above.identifiers
    state = hass.states.get("conversation.wren")
    assert state is not None
    assert state.attributes["entity_picture"] == "/local/wren.svg"

    node.answers["chat"] = chat("Chirp.")
    assert speech(await ask(hass, "hi", "conversation.wren")) == "Chirp."
    assert chats(node)[0].data["messages"][0]["content"] == "You are Wren of test home."


async def test_a_persona_asks_the_program_that_has_its_model(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    both = [*llm_info(llm_model("one")), *llm_info(llm_model("two"), program="other")]
    wren = persona("Wren", **{CONF_MODEL: "two"})
    await talk_node(hass, node, entry, llm=both, personas=[wren])
    node.answers["chat"] = chat("Chirp.")
    await ask(hass, "hi", "conversation.wren")
    select, asked = node.requests[-1].received
    assert (select.data["name"], asked.data["model"]) == ("other", "two")

    # The main agent of the first program has no such model; it speaks as Wren with its own.
    entry.runtime_data.personas.async_choose("brain", *entry.runtime_data.personas.all.values())
    await ask(hass, "hi", MAIN)
    select, asked = node.requests[-1].received
    assert select.data["name"] == "brain"
    assert "model" not in asked.data


async def test_a_persona_is_away_while_the_node_has_no_language_model(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry, llm=None, personas=[persona("Wren")])

    def state() -> str:
        found = hass.states.get("conversation.wren")
        assert found is not None
        return found.state

    assert state() == "unavailable"
    result = await ask(hass, "hi", "conversation.wren")
    assert result.response.error_code is intent.IntentResponseErrorCode.FAILED_TO_HANDLE
    node.info = node_info(llm=llm_info())
    await entry.runtime_data.async_refresh()
    assert state() != "unavailable"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (hang_up, "cannot reach the node"),
        (reply(Error(text="no host", code="engine-failed")), "does not answer"),
        (reply(Error(text="four wait", code="busy")), "is busy"),
        (reply(Error(text="silence", code="timeout")), "took too long"),
        (begin_chat(), "took too long"),
        (reply(Error(text="no tools", code="unsupported")), "cannot do that"),
    ],
)
async def test_a_failure_is_told_in_one_sentence_and_the_next_turn_works(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    told: str,
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.CHAT_TIMEOUT", 0.2)
    await talk_node(hass, node, entry)
    node.answers["chat"] = answer
    result = await ask(hass, "hi")
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert told in speech(result)
    assert log_of(hass, result.conversation_id)[-1].content == speech(result)

    node.answers["chat"] = chat("Here.")
    again = await ask(hass, "hi?", conversation_id=result.conversation_id)
    assert speech(again) == "Here."
    # The model is not told that it said what it did not say.
    roles = [(it["role"], it["content"]) for it in chats(node)[-1].data["messages"][1:]]
    assert [role for role, _ in roles] == ["user", "assistant", "user"]
    assert roles[1][1] == "…"


async def test_a_node_that_is_gone_is_told_in_the_language_of_the_turn(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    await node.stop()
    for language, told in (("de-DE", "Knoten"), ("zh-CN", "节点"), ("nl", "node")):
        assert told in speech(await ask(hass, "hi", language=language))


async def test_what_was_said_before_a_failure_stays(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    failing = reply(Error(text="gone", code="engine-failed"))

    async def answer(connection: Any, event: Any) -> None:
        await begin_chat("The answer is")(connection, event)
        await failing(connection, event)

    node.answers["chat"] = answer
    result = await ask(hass, "hi")
    assert "does not answer" in speech(result)
    said = [each.content for each in log_of(hass, result.conversation_id)[1:]]
    assert said == ["hi", "The answer is", speech(result)]
    node.answers["chat"] = chat("Here.")
    await ask(hass, "well?", conversation_id=result.conversation_id)
    messages = chats(node)[-1].data["messages"][1:]
    assert [it["content"] for it in messages if it["role"] == "assistant"] == ["The answer is"]


async def test_a_broken_connection_is_opened_once_more_and_nothing_is_said_twice(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = in_turn(broken("One ", "two "), chat("One", " two three.", cached=True))
    result = await ask(hass, "count")
    assert speech(result) == "One two three."
    first, second = chats(node)
    assert first.data == second.data
    assert len(first.data["idempotency_key"]) <= 200


async def test_an_answer_that_is_another_one_the_second_time_is_not_mixed_into_the_first(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = in_turn(broken("One "), chat("Eins zwei."))
    result = await ask(hass, "count")
    assert "cannot reach" in speech(result)
    assert "One" in str(log_of(hass, result.conversation_id)[-2].content)


async def test_a_connection_that_breaks_twice_is_an_error(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = broken()
    assert "cannot reach" in speech(await ask(hass, "count"))
    assert len(chats(node)) == 2


async def test_each_request_has_a_key_of_its_own(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat("Yes.")
    for _ in range(3):
        await ask(hass, "same", conversation_id="c" * 300)
    keys = {asked.data["idempotency_key"] for asked in chats(node)}
    assert len(keys) == 3
    assert all(len(key) <= 200 for key in keys)


async def test_the_first_words_are_in_the_log_before_the_last_ones_are_written(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    heard = asyncio.Event()

    async def answer(connection: Any, event: Any) -> None:
        await begin_chat("First. ")(connection, event)
        await asyncio.wait_for(heard.wait(), 5)
        await chat("Last.")(connection, event)

    node.answers["chat"] = answer
    deltas: list[str] = []

    def listen(_log: conversation.ChatLog, delta: dict[str, Any]) -> None:
        if delta.get("content"):
            deltas.append(delta["content"])
            heard.set()

    result = await talk(hass, "hi", listen)
    assert deltas == ["First. ", "Last."]
    assert speech(result) == "First. Last."


async def talk(hass: HomeAssistant, text: str, listen: Any) -> conversation.ConversationResult:
    """Say something as a pipeline does, which listens to the pieces of the answer."""
    context = Context()
    heard = conversation.ConversationInput(text, context, None, None, None, "en", MAIN)
    with (
        async_get_chat_session(hass, None, **({"context": context} if NEWER else {})) as session,
        conversation.async_get_chat_log(hass, session, heard, chat_log_delta_listener=listen),
    ):
        return await ask(hass, text, conversation_id=session.conversation_id, context=context)


async def begin_to_talk(hass: HomeAssistant, node: ScriptedNode) -> asyncio.Task[Any]:
    """Return a turn whose answer has begun, and does not end."""
    node.answers["chat"] = begin_chat("Once upon a time")
    deltas: asyncio.Queue[str] = asyncio.Queue()
    turn = hass.async_create_task(
        talk(hass, "tell", lambda _, delta: deltas.put_nowait(delta.get("content")))
    )
    while await deltas.get() != "Once upon a time":
        pass
    return turn


async def test_a_turn_that_is_cancelled_hangs_up_at_once(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    turn = await begin_to_talk(hass, node)
    turn.cancel()
    async with asyncio.timeout(1):
        await node.until(lambda: not node.open)
    with pytest.raises(asyncio.CancelledError):
        await turn
    node.answers["chat"] = chat("Sorry.")
    assert speech(await ask(hass, "stop that")) == "Sorry."


@pytest.mark.skipif(not NEWER, reason="Home Assistant 2026.10 forgets a turn that is cancelled")
async def test_what_was_said_of_a_turn_that_is_cancelled_stays(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    turn = await begin_to_talk(hass, node)
    [conversation_id] = hass.data[conversation.chat_log.DATA_CHAT_LOGS]
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert [it.content for it in log_of(hass, conversation_id)[1:3]] == ["tell", "Once upon a time"]
    node.answers["chat"] = chat("Sorry.")
    await ask(hass, "stop that", conversation_id=conversation_id)
    messages = chats(node)[-1].data["messages"][1:]
    assert [it["role"] for it in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == "Once upon a time"


async def test_a_turn_that_is_stopped_ends_normally_with_what_was_said(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    turn = await begin_to_talk(hass, node)
    await agent_of(hass).async_stop()
    result = await turn
    assert speech(result) == "Once upon a time"
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE
    async with asyncio.timeout(1):
        await node.until(lambda: not node.open)


async def test_a_turn_that_is_stopped_before_its_first_word_is_silent(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = begin_chat()
    turn = hass.async_create_task(ask(hass, "tell"))
    await node.received("chat")
    await agent_of(hass).async_stop()
    assert speech(await turn) == ""


async def test_a_turn_that_comes_again_is_answered_as_before(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = in_turn(chat("One."), chat("Two."), chat("Three."))
    same = {"context": Context(), "conversation_id": "talk"}
    assert speech(await ask(hass, "hi", **same)) == "One."
    assert speech(await ask(hass, "hi", **same)) == "One."
    assert len(chats(node)) == 1
    assert speech(await ask(hass, "ho", **same)) == "Two."
    freezer.tick(601)
    assert speech(await ask(hass, "hi", **same)) == "Three."


async def test_a_turn_that_failed_may_come_again(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = in_turn(reply(Error(text="", code="busy")), chat("One."))
    same = {"context": Context(), "conversation_id": "talk"}
    assert "busy" in speech(await ask(hass, "hi", **same))
    assert speech(await ask(hass, "hi", **same)) == "One."


async def test_what_took_how_long_is_kept(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.answers["chat"] = chat("Yes.")
    await ask(hass, "hi")
    told = entry.runtime_data.timings["llm", "brain"]
    assert told["rate"] == 25.0
    timing = told["timing"]
    assert {key: timing[key] for key in TIMING} == TIMING
    assert timing["turn"] > 0
    assert timing["tools"] >= 0


async def test_a_program_that_is_away_for_a_while_comes_back_as_the_same_agent(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await talk_node(hass, node, entry)
    node.info = node_info(llm=[artifact("brain", models=[], installed=False)])
    await entry.runtime_data.async_refresh()
    state = hass.states.get(MAIN)
    assert state is not None
    assert state.state == "unavailable"
    node.info = node_info(llm=llm_info())
    await entry.runtime_data.async_refresh()
    node.answers["chat"] = chat("Back.")
    assert speech(await ask(hass, "hi")) == "Back."
