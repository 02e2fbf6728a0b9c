"""Turns with a language model: a real node and its engine, Home Assistant's own pipeline, a scripted host of models."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import tts
from homeassistant.core import HomeAssistant

from tests.integration.model_server import ModelServer, Piece, calls, says

from .talking import (
    LIGHT,
    agent_of_the_pipeline,  # noqa: F401
    converse,
    host_of_models,  # noqa: F401
    kitchen_with_a_light,  # noqa: F401
    node_that_talks,  # noqa: F401
    speech_of,
    usual_patience,  # noqa: F401
)

pytest.importorskip("espeakng_loader", reason="the embedded engines are not installed")

LONG = (
    "The kitchen light is on now, and it shines brightly on the table. ",
    "I hope that you enjoy your dinner this evening. ",
)
"""Two sentences, the first longer than what Home Assistant waits for before it begins to speak."""


class Run:
    """A turn from a sentence to the spoken reply, as satellites run it: over the websocket."""

    def __init__(self, hass: HomeAssistant, client: Any) -> None:
        self.hass = hass
        self.client = client
        self.events: list[dict[str, Any]] = []
        self.audio = bytearray()
        self.heard = asyncio.Event()
        """Set when the first sound has come."""

    async def start(self, text: str) -> int:
        """Ask; return the number of the request."""
        await self.client.send_json_auto_id(
            {
                "type": "assist_pipeline/run",
                "start_stage": "intent",
                "end_stage": "tts",
                "input": {"text": text},
            }
        )
        answer = await self.client.receive_json()
        assert answer["success"], answer
        number: int = answer["id"]
        return number

    async def speak(self, text: str) -> asyncio.Task[None]:
        """Ask, and return who listens to the reply once the first sound of it has come."""
        await self.start(text)
        token = (await self.until("run-start"))["tts_output"]["token"]
        listening = self.hass.async_create_task(self.listen(token))
        async with asyncio.timeout(20):
            await self.heard.wait()
        return listening

    async def until(self, event_type: str) -> dict[str, Any]:
        """Return the data of the next event of a type."""
        async with asyncio.timeout(30):
            while True:
                event = (await self.client.receive_json())["event"]
                self.events.append(event)
                if event["type"] == event_type:
                    return event["data"] or {}
                assert event["type"] not in ("error", "run-end"), self.events

    async def listen(self, token: str) -> None:
        """Play the reply."""
        stream = tts.async_get_stream(self.hass, token)
        assert stream is not None
        stream.options[tts.ATTR_PREFERRED_FORMAT] = "wav"
        async for data in stream.async_stream_result():
            self.audio += data
            if len(self.audio) > 1000:
                self.heard.set()


async def test_a_turn_calls_a_tool_and_speaks_before_the_text_has_ended(
    hass: HomeAssistant, hass_ws_client: Any, models: ModelServer, agent: str
) -> None:
    gate = asyncio.Event()
    models.answers += [
        calls("intent__HassTurnOn", {"name": "Kitchen Light"}),
        says(LONG[0], gate, LONG[1]),
    ]
    run = Run(hass, await hass_ws_client(hass))
    listening = await run.speak("it is so dark in here that I cannot see my soup")
    assert hass.states.is_state(LIGHT, "on")
    assert not gate.is_set(), "speech began while the text was still being written"
    gate.set()
    result = (await run.until("intent-end"))["intent_output"]
    assert result["response"]["speech"]["plain"]["speech"] == "".join(LONG)
    await run.until("run-end")
    before = len(run.audio)
    await listening
    assert before <= len(run.audio) > 44 + 22050 * 2 * 3

    asked = [request.json["messages"] for request in models.requests]
    assert len(asked) == 2
    assert [message["role"] for message in asked[1][-3:]] == ["user", "assistant", "tool"]


async def test_who_interrupts_ends_the_work_of_the_model_within_a_tenth_of_a_second(
    hass: HomeAssistant, hass_ws_client: Any, models: ModelServer, agent: str
) -> None:
    gate = asyncio.Event()
    models.answers.append(says(LONG[0], gate, LONG[1]))
    client = await hass_ws_client(hass)
    run = Run(hass, client)
    number = await run.start("tell me a long story")
    while not (await run.until("intent-progress"))["chat_log_delta"].get("content"):
        pass
    assert not models.disconnected.is_set()
    began = time.monotonic()
    await client.send_json_auto_id({"type": "unsubscribe_events", "subscription": number})
    async with asyncio.timeout(5):
        await models.disconnected.wait()
    assert models.departures[0] - began < 0.1

    models.answers.append(says("Here I am."))
    again = Run(hass, await hass_ws_client(hass))
    await again.start("are you there")
    result = (await again.until("intent-end"))["intent_output"]
    assert result["response"]["speech"]["plain"]["speech"] == "Here I am."


@pytest.mark.parametrize("said", [(), LONG[:1]], ids=["before a word", "in mid-sentence"])
async def test_a_host_that_dies_in_mid_turn_costs_one_sentence_and_the_next_turn_works(
    hass: HomeAssistant, models: ModelServer, agent: str, said: tuple[Piece | str, ...]
) -> None:
    gate = asyncio.Event()
    models.answers.append(says(*said, gate, LONG[1]))
    asking = hass.async_create_task(converse(hass, agent, "tell me a long story"))
    await models.asked()
    await asyncio.sleep(0.2)
    await models.stop()
    failed = await asyncio.wait_for(asking, 20)
    assert failed["response"]["response_type"] == "error"
    sentence = speech_of(failed)
    assert sentence
    assert sentence.count(".") == 1
    gone = await converse(hass, agent, "are you there")
    assert gone["response"]["response_type"] == "error"
    assert speech_of(gone).count(".") == 1

    await models.start()
    models.answers.clear()
    models.answers.append(says("Here I am again."))
    back = await converse(hass, agent, "are you there")
    assert speech_of(back) == "Here I am again."


async def test_the_prompt_of_a_turn_begins_with_the_bytes_of_the_one_before(
    hass: HomeAssistant, models: ModelServer, agent: str, freezer: FrozenDateTimeFactory
) -> None:
    conversation: str | None = None
    for turn in range(20):
        freezer.tick(47)
        hass.states.async_set("sensor.outside", str(turn), {"friendly_name": "Outside"})
        action = "turn_on" if turn % 2 else "turn_off"
        await hass.services.async_call("light", action, {"entity_id": LIGHT}, blocking=True)
        tool = "intent__HassTurnOn" if turn % 2 else "intent__HassTurnOff"
        models.answers += [calls(tool, {"name": "Kitchen Light"}), says(f"Done, number {turn}.")]
        result = await converse(hass, agent, f"the light, please, number {turn}", conversation)
        assert speech_of(result) == f"Done, number {turn}."
        conversation = result["conversation_id"]
    bodies = [request.body for request in models.requests]
    assert len(bodies) == 40
    end = b"]}"
    for before, after in pairwise(bodies):
        assert before.endswith(end)
        assert after.startswith(before.removesuffix(end))


async def test_that_the_host_has_died_is_said_aloud_behind_what_was_said_before(
    hass: HomeAssistant, hass_ws_client: Any, models: ModelServer, agent: str
) -> None:
    models.answers.append(says(LONG[0], asyncio.Event()))
    run = Run(hass, await hass_ws_client(hass))
    listening = await run.speak("tell me a long story")
    await models.stop()
    result = (await run.until("intent-end"))["intent_output"]
    assert result["response"]["speech"]["plain"]["speech"] == "My language model does not answer."
    deltas = [
        it["data"].get("chat_log_delta", {}) for it in run.events if it["type"] == "intent-progress"
    ]
    said = "".join(delta.get("content") or "" for delta in deltas)
    assert said == f"{LONG[0]}My language model does not answer."
    async with asyncio.timeout(20):
        await listening
    assert len(run.audio) > 22050 * 2 * 5, "both sentences were spoken"
