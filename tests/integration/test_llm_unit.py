"""`chat` on a real socket of a real node: what is asked, what is answered, what is refused, what is freed."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wyoming_units.chat.exchange import Called, Ended, Said, Thought, ToolCall, Usage, Weighed
from wyoming_units.errors import (
    Busy,
    EngineFailed,
    TimedOut,
    UnitError,
    UnknownModel,
    Unsupported,
)

from .raw import raw
from .scripted_model import (
    HELLO,
    USER,
    ScriptedModel,
    Step,
    chat,
    ending,
    node_with,
    talking,
    text_of,
)

SYSTEM = {"role": "system", "content": "You are a house."}


async def test_an_answer_comes_in_pieces_with_its_times_and_tokens(tmp_path: Path) -> None:
    async with talking(tmp_path, ScriptedModel()) as peer:
        start, first, second, stop = await chat(peer, request={"id": "one"})
        assert start["type"] == "chat-start"
        assert start["model"] == "scripted-7b"
        assert (first["text"], second["text"]) == ("Hello", " world.")
        assert stop["finish_reason"] == "stop"
        assert stop["usage"] == {"prompt": 10, "completion": 2, "cached": 4}
        assert stop["cached"] is False
        timing = stop["context"]["timing"]
        assert 0 <= timing["queue"] <= timing["first_token"] <= timing["total"]
        assert "rate" not in stop["context"]
        assert {answer["request"]["id"] for answer in (start, first, second, stop)} == {"one"}


async def test_the_rate_is_that_of_the_writing_alone(tmp_path: Path) -> None:
    wait = asyncio.Event()
    script = [wait, *(Said("x") for _ in range(40)), Ended("stop", Usage(completion=40))]
    model = ScriptedModel(script)
    async with talking(tmp_path, model) as peer:
        await peer.event("chat", {"messages": [USER]})
        await model.asked.wait()
        asyncio.get_running_loop().call_later(0.2, wait.set)
        *_, stop = await ending(peer)
        timing = stop["context"]["timing"]
        assert timing["first_token"] >= 190
        writing = timing["total"] - timing["first_token"]
        assert stop["context"]["rate"] >= 39 / writing * 1000


async def test_what_is_given_reaches_the_model_byte_by_byte(tmp_path: Path) -> None:
    messages = [
        {"content": "Ünïcode first", "role": "system", "extra": {"z": 1, "a": 2}},
        {"role": "user", "content": [{"type": "text", "text": "你好"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"arguments": '{"b":1, "a":2}', "name": "lamp"},
                }
            ],
        },
        {"tool_call_id": "1", "role": "tool", "content": "done"},
        {"role": "user", "content": "And now?"},
    ]
    tools = [{"function": {"parameters": {"y": 1, "x": 2}, "name": "lamp"}, "type": "function"}]
    model = ScriptedModel()
    async with talking(tmp_path, model) as peer:
        await chat(
            peer,
            messages=messages,
            tools=tools,
            model="scripted-7b",
            temperature=0.5,
            max_tokens=20,
            thinking=True,
            session="s",
        )
    (asked,) = model.requests
    assert json.dumps(list(asked.messages)) == json.dumps(messages)
    assert json.dumps(list(asked.tools)) == json.dumps(tools)
    assert (asked.temperature, asked.max_tokens, asked.think) == (0.5, 20, True)
    assert (asked.session, asked.model, asked.prepare) == ("s", "scripted-7b", False)


async def test_thoughts_are_told_apart_from_what_is_said(tmp_path: Path) -> None:
    script = [Said("<thi"), Said("nk>Hm.</think>\n\nYes"), Said("."), Ended("stop")]
    async with talking(tmp_path, ScriptedModel(script)) as peer:
        answers = await chat(peer)
        assert "".join(answer.get("thinking", "") for answer in answers) == "Hm."
        assert text_of(answers) == "Yes."


async def test_thoughts_without_a_beginning_are_never_said_where_thinking_is_allowed(
    tmp_path: Path,
) -> None:
    script = [Said("Let me see."), Said("</think>\nYes."), Ended("stop")]
    async with talking(tmp_path, ScriptedModel(script)) as peer:
        answers = await chat(peer, thinking=True)
        assert [answer.get("thinking") or answer.get("text") for answer in answers[1:3]] == [
            "Let me see.",
            "Yes.",
        ]


async def test_where_the_server_tells_thoughts_apart_the_answer_does_not_wait(
    tmp_path: Path,
) -> None:
    wait = asyncio.Event()
    script = [Thought("Hm."), Said("Yes"), wait, Said("."), Ended("stop")]
    async with talking(tmp_path, ScriptedModel(script)) as peer:
        await peer.event("chat", {"messages": [USER], "thinking": True})
        frames = [await peer.frame() for _ in range(3)]
        assert frames[1] == {"type": "chat-chunk", "thinking": "Hm."}
        assert frames[2] == {"type": "chat-chunk", "text": "Yes"}
        wait.set()
        assert text_of(await ending(peer)) == "."


async def test_a_tool_call_is_told_whole(tmp_path: Path) -> None:
    call = ToolCall(id="7", name="lamp", arguments={"on": True})
    async with talking(tmp_path, ScriptedModel([Called(call), Ended("tool_calls")])) as peer:
        _, called, stop = await chat(peer)
        assert called["tool_call"] == {"id": "7", "name": "lamp", "arguments": {"on": True}}
        assert stop["finish_reason"] == "tool_calls"
        assert stop["usage"] == {"prompt": None, "completion": None, "cached": None}


async def test_to_prepare_is_only_to_read(tmp_path: Path) -> None:
    model = ScriptedModel([Ended("prepared")])
    async with talking(tmp_path, model) as peer:
        start, stop = await chat(peer, messages=[SYSTEM], prepare=True, choices=["a", "b"])
        assert (start["type"], stop["finish_reason"]) == ("chat-start", "prepared")
        assert (model.requests[0].prepare, model.requests[0].weigh) == (True, False)
        assert list(model.requests[0].messages) == [SYSTEM]


# -- pictures


async def test_pictures_take_the_place_of_their_names(tmp_path: Path) -> None:
    model = ScriptedModel()
    content = [
        {"type": "text", "text": "Which?"},
        {"type": "image", "name": "b"},
        {"type": "image", "name": "a"},
    ]
    parts = [
        {"name": "a", "mime": "image/jpeg", "length": 3},
        {"name": "b", "mime": "image/png", "length": 2},
    ]
    async with talking(tmp_path, model) as peer:
        messages = [SYSTEM, {"role": "user", "content": content}]
        await peer.event("chat", {"messages": messages, "parts": parts}, b"aaabb")
        assert text_of(await ending(peer)) == "Hello world."
    first, asked = model.requests[0].messages
    assert first == SYSTEM
    urls = [
        f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        for kind, data in (("png", b"bb"), ("jpeg", b"aaa"))
    ]
    assert asked["content"] == [
        {"type": "text", "text": "Which?"},
        *({"type": "image_url", "image_url": {"url": url}} for url in urls),
    ]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([{"name": "other", "mime": "image/png", "length": 2}], "bad-request"),
        ([{"name": "it", "mime": "image/gif", "length": 2}], "bad-image"),
        ([{"name": "it", "mime": "image/png", "length": 3}], "bad-request"),
    ],
)
async def test_a_picture_that_is_not_there_or_no_picture_is_refused(
    tmp_path: Path, parts: list[dict[str, Any]], code: str
) -> None:
    async with talking(tmp_path, ScriptedModel()) as peer:
        messages = [{"role": "user", "content": [{"type": "image", "name": "it"}]}]
        await peer.event("chat", {"messages": messages, "parts": parts}, b"ab")
        (answer,) = await ending(peer)
        assert answer["code"] == code
        assert text_of(await chat(peer)) == "Hello world."


# -- choices and schemas


async def test_choices_are_weighed_and_nothing_is_written(tmp_path: Path) -> None:
    script = [Weighed({"A": -0.1, " b": -2.5, "The": -5.0}), Said("A"), Ended("length")]
    model = ScriptedModel(script)
    async with talking(tmp_path, model) as peer:
        start, stop = await chat(peer, choices=["yes", "no", "maybe"], thinking=True)
        assert start["type"] == "chat-start"
        yes, no, maybe = stop["probabilities"]
        assert yes > no > maybe > 0
        assert stop["finish_reason"] == "stop"
        assert yes + no + maybe == pytest.approx(1)
    (asked,) = model.requests
    assert asked.weigh
    assert not asked.think
    assert asked.messages[-1]["content"].startswith("Hi\n\n")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([Said("A"), Ended("stop")], "unsupported"),
        ([Weighed({"Well": -0.1}), Ended("length")], "engine-failed"),
    ],
)
async def test_choices_that_cannot_be_weighed_are_an_error(
    tmp_path: Path, script: Sequence[Step], code: str
) -> None:
    async with talking(tmp_path, ScriptedModel(script)) as peer:
        assert (await chat(peer, choices=["yes", "no"]))[-1]["code"] == code


SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


async def test_json_comes_in_one_piece_without_what_is_around_it(tmp_path: Path) -> None:
    script = [Said("Sure:\n```json\n"), Said('{"n": 1'), Said("}\n```"), Ended("stop")]
    model = ScriptedModel(script)
    async with talking(tmp_path, model) as peer:
        _, chunk, stop = await chat(peer, response_schema=SCHEMA)
        assert (chunk["text"], stop["finish_reason"]) == ('{"n": 1}', "stop")
    assert model.requests[0].schema == SCHEMA


@pytest.mark.parametrize("said", ['{"n": "one"}', '{"n": 1', "I cannot."])
async def test_json_that_does_not_meet_the_schema_is_an_error(tmp_path: Path, said: str) -> None:
    async with talking(tmp_path, ScriptedModel([Said(said), Ended("stop")])) as peer:
        answers = await chat(peer, response_schema=SCHEMA)
        assert [answer["type"] for answer in answers] == ["chat-start", "error"]
        assert answers[-1]["code"] == "engine-failed"
        assert text_of(await chat(peer)) == "Hello world."


async def test_a_model_may_call_a_tool_before_it_answers_with_json(tmp_path: Path) -> None:
    call = ToolCall(id="7", name="lamp", arguments={})
    async with talking(tmp_path, ScriptedModel([Called(call), Ended("tool_calls")])) as peer:
        answers = await chat(peer, response_schema=SCHEMA)
        assert [answer["type"] for answer in answers] == ["chat-start", "chat-chunk", "chat-stop"]


# -- which model


async def test_a_named_model_answers_and_no_other(tmp_path: Path) -> None:
    first, second = ScriptedModel(name="first"), ScriptedModel(name="second")
    async with talking(tmp_path, first, second) as peer:
        assert (await chat(peer))[0]["model"] == "first-7b"
        assert (await chat(peer, model="second-7b"))[0]["model"] == "second-7b"
        await peer.event("select-program", {"name": "second"})
        assert (await chat(peer))[0]["model"] == "second-7b"
        assert (len(first.requests), len(second.requests)) == (1, 2)


async def test_a_node_without_a_model_refuses(tmp_path: Path) -> None:
    async with talking(tmp_path, units=["intent"]) as peer:
        assert (await chat(peer))[-1]["code"] == "unsupported"


async def test_an_engine_that_knows_of_no_model_yet_is_asked_all_the_same(tmp_path: Path) -> None:
    model = ScriptedModel()
    model.info = replace(model.info, models=())
    async with talking(tmp_path, model) as peer:
        assert text_of(await chat(peer)) == "Hello world."


async def test_info_names_the_models_and_what_they_can_do(tmp_path: Path) -> None:
    model = ScriptedModel(context_length=4096)
    async with talking(tmp_path, model) as peer:
        await peer.event("describe")
        info: dict[str, Any] = await peer.frame() or {}
        (told,) = info["llm"][0]["models"]
        assert told["supports_tools"] is told["supports_images"] is told["supports_choices"] is True
        assert told["context_length"] == 4096


async def test_info_is_made_anew_where_the_engine_has_found_out_more(tmp_path: Path) -> None:
    wait = asyncio.Event()
    model = ScriptedModel([wait, *HELLO])
    async with talking(tmp_path, model) as peer:
        await peer.event("describe")
        await peer.frame()
        await peer.event("chat", {"messages": [USER]})
        await model.asked.wait()
        (known,) = model.info.models
        model.info = replace(model.info, models=(replace(known, context_length=8192),))
        wait.set()
        await ending(peer)
        await peer.event("describe")
        info: dict[str, Any] = await peer.frame() or {}
        assert info["llm"][0]["models"][0]["context_length"] == 8192


# -- errors


@pytest.mark.parametrize(
    "error",
    [
        Busy("later"),
        EngineFailed("gone"),
        TimedOut("slow"),
        Unsupported("blind"),
        UnknownModel("who"),
    ],
)
async def test_an_error_of_the_engine_is_one_error_also_after_pieces(
    tmp_path: Path, error: UnitError
) -> None:
    async with talking(tmp_path, ScriptedModel([error], [Said("Well"), error])) as peer:
        for before in (["chat-start"], ["chat-start", "chat-chunk"]):
            *told, last = await chat(peer)
            assert [answer["type"] for answer in told] == before
            assert (last["code"], last["text"]) == (error.code, str(error))
        assert text_of(await chat(peer)) == "Hello world."


async def test_an_answer_without_an_end_is_an_error(tmp_path: Path) -> None:
    async with talking(tmp_path, ScriptedModel([Said("Well")])) as peer:
        last = (await chat(peer))[-1]
        assert (last["code"], last["text"]) == ("engine-failed", "the model broke off")


# -- who waits, who leaves


@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_a_client_that_leaves_or_cancels_frees_the_model_at_once(
    tmp_path: Path, how: str
) -> None:
    model = ScriptedModel([Said("Well"), asyncio.Event()], parallel=1)
    async with node_with(tmp_path, model) as node, raw(node.port) as peer:
        await peer.event("chat", {"messages": [USER], "request": {"id": "one"}})
        await peer.frames_until("chat-chunk")
        began = time.perf_counter()
        if how == "leave":
            peer.writer.close()
        else:
            await peer.event("cancel", {"id": "one"})
        await asyncio.wait_for(model.freed.wait(), 2)
        assert time.perf_counter() - began < 0.1
        if how == "cancel":
            assert (await ending(peer))[-1]["code"] == "cancelled"
        async with raw(node.port) as other:
            assert text_of(await chat(other)) == "Hello world."


async def test_no_more_answers_are_written_at_once_than_the_engine_can(tmp_path: Path) -> None:
    wait = asyncio.Event()
    model = ScriptedModel(*[[wait, *HELLO] for _ in range(4)], parallel=2)
    async with node_with(tmp_path, model) as node:
        async with raw(node.port) as a, raw(node.port) as b, raw(node.port) as c:
            for peer in (a, b, c):
                await peer.event("chat", {"messages": [USER]})
            await a.frame()
            await b.frame()
            await c.event("ping")
            assert (await c.frame() or {})["type"] == "pong"
            wait.set()
            for peer in (a, b, c):
                assert text_of(await ending(peer)) == "Hello world."
    assert model.most_at_once == 2


async def test_the_start_is_told_before_the_first_piece(tmp_path: Path) -> None:
    wait = asyncio.Event()
    async with talking(tmp_path, ScriptedModel([wait, *HELLO])) as peer:
        await peer.event("chat", {"messages": [USER]})
        assert (await peer.frame() or {})["type"] == "chat-start"
        wait.set()
        assert text_of(await ending(peer)) == "Hello world."


async def test_a_model_that_answers_is_in_use_and_is_freed_when_it_rests(tmp_path: Path) -> None:
    wait = asyncio.Event()
    model = ScriptedModel([Said("Well"), wait, Ended("stop")])
    async with talking(tmp_path, model, keep_alive=0.1) as peer:
        await peer.event("chat", {"messages": [USER]})
        await peer.frames_until("chat-chunk")
        await asyncio.sleep(0.3)  # longer than a model is kept that nobody uses
        assert not model.closed
        wait.set()
        await ending(peer)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if model.closed:
                break
        assert model.closed
        assert text_of(await chat(peer)) == "Hello world."


async def test_a_model_whose_server_is_slow_does_not_hold_up_describe(tmp_path: Path) -> None:
    async with talking(tmp_path, ScriptedModel([asyncio.Event()])) as peer:
        await peer.event("chat", {"messages": [USER]})
        await peer.frame()
        await peer.event("describe")
        assert (await peer.frame() or {})["type"] == "info"
