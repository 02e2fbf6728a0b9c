"""One answer for one key: also while it is written, and never two calls of the model at the same time."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from wyoming.event import Event

from wyoming_units.chat.exchange import Called, Ended, Said, ToolCall
from wyoming_units.errors import EngineFailed
from wyoming_units.units.llm import LlmUnit
from wyoming_units.wire.requests import Request

from .raw import raw
from .scripted_model import USER, ScriptedModel, chat, ending, node_with, talking, text_of

KEY = {"messages": [USER], "idempotency_key": "k"}


def without_times(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in answer.items() if key not in ("context", "cached", "request")}
        for answer in answers
    ]


async def test_who_asks_again_gets_the_same_answer_and_the_model_is_not_asked(
    tmp_path: Path,
) -> None:
    call = Called(ToolCall(id="1", name="lamp", arguments={"on": True}))
    model = ScriptedModel([Said("Well"), call, Ended("tool_calls")])
    async with talking(tmp_path, model) as peer:
        first = await chat(peer, **KEY, request={"id": "one"})
        again = await chat(peer, **KEY, request={"id": "two"})
        assert without_times(again) == without_times(first)
        assert (first[-1]["cached"], again[-1]["cached"]) == (False, True)
        assert again[-1]["context"]["timing"]["total"] < 1000
        assert {answer["request"]["id"] for answer in again} == {"two"}
        assert len(model.requests) == 1
        await chat(peer, idempotency_key="other")
        assert len(model.requests) == 2


async def test_who_asks_while_it_is_written_waits_for_the_same_answer(tmp_path: Path) -> None:
    wait = asyncio.Event()
    model = ScriptedModel([Said("Well"), wait, Ended("stop")])
    async with node_with(tmp_path, model) as node, raw(node.port) as a, raw(node.port) as b:
        await a.event("chat", KEY)
        await a.frames_until("chat-chunk")
        await b.event("chat", KEY)
        assert await asleep(b)
        wait.set()
        assert (await ending(a))[-1]["cached"] is False
        answers = await ending(b)
        assert (text_of(answers), answers[-1]["cached"]) == ("Well", True)
    assert len(model.requests) == 1


async def asleep(peer: Any) -> bool:
    """Return whether a connection has nothing but a pong to tell."""
    await peer.event("ping")
    return (await peer.frame())["type"] == "pong" and await peer.silent(0.05)


async def test_where_the_first_fails_the_one_that_waits_asks_the_model_itself(
    tmp_path: Path,
) -> None:
    wait = asyncio.Event()
    model = ScriptedModel([Said("We"), wait, EngineFailed("gone")])
    async with node_with(tmp_path, model) as node, raw(node.port) as a, raw(node.port) as b:
        await a.event("chat", KEY)
        await a.frames_until("chat-chunk")
        await b.event("chat", KEY)
        await b.event("ping")
        await b.frame()
        wait.set()
        assert (await ending(a))[-1]["code"] == "engine-failed"
        answers = await ending(b)
        assert (text_of(answers), answers[-1]["cached"]) == ("Hello world.", False)
    assert model.most_at_once == 1


async def test_where_the_first_client_leaves_the_one_that_waits_asks_the_model_itself(
    tmp_path: Path,
) -> None:
    model = ScriptedModel([Said("We"), asyncio.Event()])
    async with node_with(tmp_path, model) as node, raw(node.port) as a, raw(node.port) as b:
        await a.event("chat", KEY)
        await a.frames_until("chat-chunk")
        await b.event("chat", KEY)
        await b.event("ping")
        await b.frame()
        a.writer.close()
        assert text_of(await ending(b)) == "Hello world."
    assert model.most_at_once == 1
    assert len(model.requests) == 2


async def test_what_failed_does_not_count(tmp_path: Path) -> None:
    async with talking(tmp_path, ScriptedModel([EngineFailed("gone")])) as peer:
        assert (await chat(peer, **KEY))[-1]["code"] == "engine-failed"
        assert (await chat(peer, **KEY))[-1]["cached"] is False
        assert (await chat(peer, **KEY))[-1]["cached"] is True


async def test_an_answer_whose_end_nobody_heard_is_there_for_who_asks_again() -> None:
    model = ScriptedModel()
    unit = LlmUnit([model])
    heard: list[Event] = []

    async def breaking(event: Event) -> None:
        if event.type == "chat-stop" and not heard:
            raise ConnectionResetError

    async def hearing(event: Event) -> None:
        heard.append(event)

    for send in (breaking, hearing):
        request = Request(
            unit.routes[0],
            Event(type="chat", data=KEY),
            inbox=1,
            send=send,
            client="10.0.0.1",
            selected={},
            begun=False,
        )
        assert await request.answer() is None
    assert heard[-1].data["cached"] is True
    assert len(model.requests) == 1
    await unit.lanes[0].close()


@pytest.mark.parametrize("key", [5, "x" * 201])
async def test_a_key_of_a_wrong_shape_is_refused(tmp_path: Path, key: Any) -> None:
    async with talking(tmp_path, ScriptedModel()) as peer:
        assert (await chat(peer, idempotency_key=key))[-1]["code"] == "bad-request"


async def test_memory_does_not_grow_with_the_chats(tmp_path: Path) -> None:
    """Keys and sessions are those of a house: each turn has its own key, and there are many sessions."""
    model = ScriptedModel()
    async with talking(tmp_path, model) as peer:

        async def chats(first: int, count: int) -> int:
            for n in range(first, first + count):
                history = {"policy": "summary", "turns": 2}
                answers = await chat(peer, idempotency_key=str(n), session=str(n), history=history)
                assert len(answers) == 4
            model.requests.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            full = await chats(0, 400)  # more than the answers that are kept
            after = await chats(400, 600)
        finally:
            tracemalloc.stop()
    assert after - full < 50_000
