"""While somebody still speaks, the model reads what the turn will begin with."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import tts
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.tts import SynthesizeStopped

from .agents import agent_of, chats, persona, talk_node
from .assist import PIECE, Turn
from .scripted_node import Answer, Connection, ScriptedNode, begin_chat, chat, reply

SOUND = {"rate": 16000, "width": 2, "channels": 1}
ROBIN = persona("Robin", prompt="You are Robin. It is {{ now() }}.")
WREN = persona("Wren", prompt="You are Wren. It is {{ now() }}.", llm_hass_api=["assist"])
AGENTS = ["conversation.robin", "conversation.wren"]

type Say = Callable[..., Awaitable[Turn]]


@pytest.fixture
async def say(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, hass_ws_client: Any
) -> Say:
    """Speak a sentence to an agent in the kitchen; returns the turn when it was understood."""
    assert await async_setup_component(hass, "conversation", {})
    assert await async_setup_component(hass, "assist_pipeline", {})
    hass.states.async_set("light.lamp", "off", {"friendly_name": "Lamp"})
    async_expose_entity(hass, "conversation", "light.lamp", True)
    await talk_node(hass, node, entry, personas=[ROBIN, WREN])
    node.answers |= {
        "audio-stop": reply(Transcript(text="how are you")),
        "synthesize-start": reply(AudioStart(**SOUND)),
        "synthesize": reply(AudioChunk(audio=bytes([7, 0]) * 1600, **SOUND)),
        "synthesize-stop": reply(AudioStop(), SynthesizeStopped()),
    }
    kitchen = ar.async_get(hass).async_create("Kitchen")
    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    devices = dr.async_get(hass)
    device = devices.async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", "speaker")}
    )
    devices.async_update_device(device.id, area_id=kitchen.id)

    async def spoken(agent: str, *, prepared: bool = True) -> Turn:
        store = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
        made = await store.async_create_item(
            {
                "conversation_engine": agent,
                "conversation_language": "*",
                "language": "en",
                "name": f"{agent} {len(store.data)}",
                "stt_engine": "stt.cellar_speech_to_text",
                "stt_language": "en",
                "tts_engine": "tts.cellar_text_to_speech",
                "tts_language": "en-US",
                "tts_voice": "amy",
                "wake_word_entity": None,
                "wake_word_id": None,
            }
        )
        turn = Turn(hass, await hass_ws_client(hass))
        await turn.start(made.id, device_id=device.id, conversation_id="talk")
        await turn.say(bytes(PIECE))
        if prepared:
            await node.until(lambda: preparations(node) and not answering(node))
        await turn.end_speech()
        return turn

    return spoken


def preparations(node: ScriptedNode) -> list[Event]:
    """Return what the model was only to read."""
    every = (event for connection in node.requests for event in connection.all("chat"))
    return [event for event in every if event.data.get("prepare")]


def answering(node: ScriptedNode) -> bool:
    """Return whether more than the speech of a turn is being sent."""
    return node.open > 1


@pytest.mark.parametrize("agent", AGENTS)
async def test_the_turn_begins_with_what_was_read_before(
    node: ScriptedNode, say: Say, freezer: FrozenDateTimeFactory, agent: str
) -> None:
    node.answers["chat"] = chat("I am fine.")
    turn = await say(agent)
    assert (await turn.until("intent-end"))["intent_output"]["response"]
    await turn.reply()
    [read], [asked] = preparations(node), chats(node)
    [system] = read.data["messages"]
    assert asked.data["messages"][0] == system
    assert json.dumps(asked.data.get("tools")) == json.dumps(read.data.get("tools"))
    assert asked.data["session"] == read.data["session"] == "talk"
    assert ("tools" in read.data) == (agent == "conversation.wren")
    if "tools" in read.data:
        assert "area Kitchen" in system["content"]
    else:
        assert "Kitchen" in asked.data["messages"][1]["content"]


async def test_the_model_reads_the_past_too(
    node: ScriptedNode, say: Say, freezer: FrozenDateTimeFactory
) -> None:
    node.answers["chat"] = chat("I am fine.")
    for _ in range(2):
        node.requests.clear()
        turn = await say("conversation.robin")
        await turn.reply()
        freezer.tick(30)
    [read], [asked] = preparations(node), chats(node)
    assert [it["role"] for it in read.data["messages"]] == ["system", "user", "assistant"]
    assert asked.data["messages"][:-1] == read.data["messages"]


async def test_the_same_beginning_is_not_read_again_at_once(
    hass: HomeAssistant, node: ScriptedNode, say: Say, freezer: FrozenDateTimeFactory
) -> None:
    node.answers["chat"] = chat("I am fine.")
    turn = await say("conversation.robin")
    await turn.reply()
    agent = agent_of(hass, "conversation.robin")
    await agent.async_reset()
    # The beginning is made anew, at the same time: it is the same.
    turn = await say("conversation.robin")
    await turn.reply()
    assert len(preparations(node)) == 1
    assert len(chats(node)) == 2


@pytest.mark.parametrize("answer", [reply(Error(text="full", code="busy")), begin_chat()])
async def test_a_model_that_cannot_read_ahead_costs_nothing(
    node: ScriptedNode, say: Say, answer: Answer
) -> None:
    async def answer_both(connection: Connection, event: Event) -> None:
        await (answer if event.data.get("prepare") else chat("I am fine."))(connection, event)

    node.answers["chat"] = answer_both
    turn = await say("conversation.robin", prepared=False)
    await turn.until("intent-end")
    await turn.reply()
    assert len(chats(node)) == 1


async def test_a_long_answer_is_spoken_while_it_is_written(
    hass: HomeAssistant, node: ScriptedNode, say: Say
) -> None:
    async def answer(connection: Connection, event: Event) -> None:
        if not event.data.get("prepare"):
            first = "This is the first sentence of an answer that goes on for a while. "
            await begin_chat(first)(connection, event)
            # The end is written only after the beginning came to be spoken.
            await node.until(lambda: [it for it in node.requests if it.all("synthesize-chunk")])
        await chat("This is the last one.")(connection, event)

    node.answers["chat"] = answer
    turn = await say("conversation.robin")
    while not (await turn.until("intent-progress")).get("tts_start_streaming"):
        pass
    token = turn.events[0]["data"]["tts_output"]["token"]
    stream = tts.async_get_stream(hass, token)
    assert stream is not None
    assert b"".join([data async for data in stream.async_stream_result()])
    await turn.until("run-end")
    [spoken] = [it for it in node.requests if it.all("synthesize-chunk")]
    text = "".join(it.data["text"] for it in spoken.all("synthesize-chunk"))
    assert text.endswith("This is the last one.")
