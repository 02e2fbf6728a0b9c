"""Plain Wyoming clients talk with the language model by `transcript`, as with any handler of intents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from wyoming.asr import Transcript
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.handle import Handled, HandledChunk
from wyoming.info import Describe, Info

from wyoming_units.chat.exchange import Called, Ended, Said, ToolCall
from wyoming_units.errors import EngineFailed
from wyoming_units.node import Node

from .raw import Raw, raw
from .scripted_model import HELLO, ScriptedModel, Step, chat, node_with, talking

CHAT = {"prompt": "You are a house.", "history": {"policy": "window", "turns": 2}}


async def handled(peer: Raw, text: str, conversation: str | None = None) -> list[dict[str, Any]]:
    """Return the answers to a `transcript`, up to the last one."""
    context = {"conversation_id": conversation} if conversation else {}
    await peer.event("transcript", {"text": text, "context": context})
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1]["type"] not in ("handled-stop", "error"):
        frame = await peer.frame()
        assert frame is not None, f"hung up after {answers}"
        answers.append(frame)
    return answers


def said(*texts: str) -> Sequence[Step]:
    return (*map(Said, texts), Ended("stop"))


def contents(model: ScriptedModel, request: int = -1) -> list[str]:
    """Return the texts that a model was asked."""
    return [message["content"] for message in model.requests[request].messages]


async def test_the_librarys_client_reads_the_answer_and_the_program(tmp_path: Path) -> None:
    async with node_with(tmp_path, ScriptedModel(said("Good ", "evening."))) as node:
        async with AsyncTcpClient("127.0.0.1", node.port) as client:
            await client.write_event(Describe().event())
            event = await read(client)
            (program,) = Info.from_event(event).handle
            assert (program.name, program.supports_handled_streaming) == ("scripted", True)
            assert program.installed
            assert {"en", "de", "zh"} <= set(program.models[0].languages)
            asked = Transcript("Hi", context={"conversation_id": "c"}, language="en")
            await client.write_event(asked.event())
            start, *chunks, done, stop = [await read(client) for _ in range(5)]
    assert (start.type, stop.type) == ("handled-start", "handled-stop")
    assert [HandledChunk.from_event(chunk).text for chunk in chunks] == ["Good ", "evening."]
    answer = Handled.from_event(done)
    assert answer.text == "Good evening."
    assert answer.context
    assert answer.context["conversation_id"] == "c"
    assert {"queue", "first_token", "total"} <= answer.context["timing"].keys()


async def read(client: AsyncTcpClient) -> Event:
    event = await asyncio.wait_for(client.read_event(), 5)
    assert event is not None
    return event


async def test_the_languages_of_a_model_that_says_which_are_its_own(tmp_path: Path) -> None:
    async with talking(tmp_path, ScriptedModel(languages=("et",))) as peer:
        await peer.event("describe")
        info: dict[str, Any] = await peer.frame() or {}
        assert info["handle"][0]["models"][0]["languages"] == ["et"]


async def test_a_conversation_goes_on_by_its_id(tmp_path: Path) -> None:
    model = ScriptedModel(said("One."), said("Two."), said("Other."))
    async with talking(tmp_path, model, chat=CHAT) as peer:
        await handled(peer, "First?", "c")
        await handled(peer, "Second?", "c")
        assert contents(model) == ["You are a house.", "First?", "One.", "Second?"]
        await handled(peer, "Third?", "other")
        assert contents(model) == ["You are a house.", "Third?"]
    assert [request.session for request in model.requests] == ["c", "c", "other"]
    assert model.requests[0].max_tokens == 400


async def test_without_an_id_each_sentence_begins_a_conversation_that_can_go_on(
    tmp_path: Path,
) -> None:
    model = ScriptedModel(said("One."), said("Two."))
    async with talking(tmp_path, model, chat=CHAT) as peer:
        start, *_, done, _ = await handled(peer, "First?")
        conversation = done["context"]["conversation_id"]
        assert start["context"] == {"conversation_id": conversation}
        other = (await handled(peer, "Second?"))[0]["context"]["conversation_id"]
        assert other != conversation
        await handled(peer, "Third?", conversation)
        assert contents(model) == ["You are a house.", "First?", "One.", "Third?"]


async def test_the_oldest_turns_are_left_out(tmp_path: Path) -> None:
    model = ScriptedModel(*(said(f"a{n}") for n in range(3)))
    async with talking(tmp_path, model, chat=CHAT) as peer:
        for n in range(3):
            await handled(peer, f"q{n}", "c")
    assert contents(model) == ["You are a house.", "q1", "a1", "q2"]


async def test_a_conversation_is_forgotten_after_a_while(tmp_path: Path) -> None:
    model = ScriptedModel(said("One."))
    async with talking(tmp_path, model, chat={**CHAT, "forget": 0.05}) as peer:
        await handled(peer, "First?", "c")
        await asyncio.sleep(0.1)
        await handled(peer, "Second?", "c")
    assert contents(model) == ["You are a house.", "Second?"]


async def test_a_turn_that_fails_leaves_the_conversation_as_it_was(tmp_path: Path) -> None:
    model = ScriptedModel(said("One."), [Said("Tw"), EngineFailed("gone")])
    async with talking(tmp_path, model, chat=CHAT) as peer:
        await handled(peer, "First?", "c")
        *_, error = await handled(peer, "Second?", "c")
        assert (error["type"], error["code"]) == ("error", "engine-failed")
        await handled(peer, "Third?", "c")
    assert contents(model) == ["You are a house.", "First?", "One.", "Third?"]


async def test_thoughts_and_tool_calls_are_not_told(tmp_path: Path) -> None:
    call = Called(ToolCall(id="1", name="lamp", arguments={}))
    script = [Said("<think>Hm.</think>Yes."), call, Ended("stop")]
    async with talking(tmp_path, ScriptedModel(script)) as peer:
        _, chunk, done, _ = await handled(peer, "Is it?")
        assert (chunk["text"], done["text"]) == ("Yes.", "Yes.")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"text": 1},
        {"text": " "},
        {"text": "Hi", "context": "c"},
        {"text": "Hi", "context": {"conversation_id": 5}},
        {"text": "Hi", "context": {"conversation_id": "x" * 201}},
    ],
)
async def test_a_transcript_of_a_wrong_shape_is_one_error(
    tmp_path: Path, data: dict[str, Any]
) -> None:
    async with talking(tmp_path, ScriptedModel()) as peer:
        await peer.event("transcript", data)
        assert (await peer.frame() or {})["code"] == "bad-request"
        assert (await handled(peer, "Hi"))[-1]["type"] == "handled-stop"


async def test_a_model_that_reads_little_is_shown_less_of_the_past(tmp_path: Path) -> None:
    model = ScriptedModel(context_length=800)
    asked = [{"role": "user", "content": f"q{n}" + "x" * 300} for n in range(4)]
    messages = [{"role": "system", "content": "You are a house."}, *asked]
    async with talking(tmp_path, model) as peer:
        await chat(peer, messages=messages, max_tokens=400)
        await chat(peer, messages=messages, max_tokens=400, history={"policy": "window"})
        await chat(
            peer, messages=messages, max_tokens=400, history={"policy": "window", "turns": 2}
        )
    assert contents(model, 0) == [message["content"] for message in messages]
    assert [text[:2] for text in contents(model, 1)] == ["Yo", "q3"]
    assert [text[:2] for text in contents(model, 2)] == ["Yo", "q2", "q3"]


# -- which unit a transcript goes to


async def first_answer(peer: Raw, text: str) -> str:
    """Return the type of the first answer to a `transcript`; all others are read."""
    await peer.event("transcript", {"text": text})
    await peer.event("ping", {"text": "end"})
    await peer.event("chat", {"messages": [], "request": {"id": "end"}})
    frames = await peer.frames_until("error")
    return next(frame["type"] for frame in frames if frame["type"] != "pong")


async def test_intents_come_first_and_the_model_where_it_is_selected(tmp_path: Path) -> None:
    pytest.importorskip("hassil")
    async with node_with(tmp_path, ScriptedModel(), units=["intent"]) as node:
        async with raw(node.port) as peer:
            assert await first_answer(peer, "turn on the kitchen light") in UNDERSTOOD
            await peer.event("select-program", {"name": "scripted"})
            assert await first_answer(peer, "turn on the kitchen light") == "handled-start"
            await peer.event("select-program", {"name": "hassil"})
            assert await first_answer(peer, "turn on the kitchen light") in UNDERSTOOD


UNDERSTOOD = ("intents-start", "not-recognized")


async def test_where_there_are_no_intents_the_model_answers(tmp_path: Path) -> None:
    async with talking(tmp_path, ScriptedModel()) as peer:
        assert await first_answer(peer, "turn on the kitchen light") == "handled-start"


# -- summaries


async def summarising(node: Node, model: ScriptedModel, *, turns: int) -> None:
    """Go through some turns of a session whose past is summarised."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You are a house."}]
    async with raw(node.port) as peer:
        for n in range(turns):
            messages.append({"role": "user", "content": f"q{n}"})
            history = {"policy": "summary", "turns": 2}
            await chat(peer, messages=messages, history=history, session="s")
            messages.append({"role": "assistant", "content": f"a{n}"})


async def test_a_summary_takes_the_place_of_what_was_left_out(tmp_path: Path) -> None:
    model = ScriptedModel(said("a0"), said("a1"), said("They ", "greeted."), said("a2"))
    async with node_with(tmp_path, model) as node:
        await summarising(node, model, turns=3)
    asked, summed_up, answered = (contents(model, n) for n in (1, 2, 3))
    assert asked == ["You are a house.", "q0", "a0", "q1"]
    assert summed_up[1] == "User: q0\nAssistant: a0"
    assert "120 words" in summed_up[0]
    assert answered[0] == "You are a house."
    assert answered[1].endswith("They greeted.")
    assert answered[2:] == ["q1", "a1", "q2"]
    assert model.requests[3].messages[1]["role"] == "system"


async def test_the_next_summary_is_made_of_the_last_one_and_what_left_since(
    tmp_path: Path,
) -> None:
    model = ScriptedModel(
        *(said("a0"), said("a1"), said("Sum0."), said("a2"), said("Sum1."), said("a3"))
    )
    async with node_with(tmp_path, model) as node:
        await summarising(node, model, turns=4)
    assert contents(model, 4)[1] == "Before: Sum0.\nUser: q1\nAssistant: a1"
    assert contents(model, 5)[1].endswith("Sum1.")


async def test_a_summary_gives_way_to_who_waits_and_until_then_the_past_is_missing(
    tmp_path: Path,
) -> None:
    never = [asyncio.Event()]
    model = ScriptedModel(said("a0"), said("a1"), never, said("a2"), said("Sum."), parallel=1)
    async with node_with(tmp_path, model) as node:
        await summarising(node, model, turns=3)
        assert contents(model, 3) == ["You are a house.", "q1", "a1", "q2"]
        assert model.most_at_once == 1


async def test_a_summary_that_fails_or_still_runs_harms_nobody(tmp_path: Path) -> None:
    failing, never = [EngineFailed("gone")], [asyncio.Event()]
    model = ScriptedModel(said("a0"), said("a1"), failing, said("a2"), never, HELLO)
    async with node_with(tmp_path, model) as node:
        await summarising(node, model, turns=3)
        assert contents(model, 3) == ["You are a house.", "q1", "a1", "q2"]
        async with raw(node.port) as peer:
            assert (await chat(peer))[-1]["type"] == "chat-stop"
    assert model.at_once == 0
    assert model.closed
