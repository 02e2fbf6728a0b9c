"""The OpenAI-compatible engine: what it makes of answers."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.integration.model_server import (
    COUNTED,
    DONE,
    Answer,
    calls,
    chunk,
    refuses,
    says,
    thinks,
    weighs,
)
from tests.integration.openai_engine import HELLO, SCHEMA, TOOLS, USAGE, USER, ask, talking
from wyoming_units.chat.exchange import (
    Called,
    ChatRequest,
    Ended,
    Said,
    Thought,
    ToolCall,
    Usage,
    Weighed,
)
from wyoming_units.errors import BadRequest, EngineFailed, Unsupported


async def test_text_and_thoughts_come_as_they_are_written() -> None:
    gate = asyncio.Event()
    async with talking() as (server, engine):
        server.answers.append(thinks("Hm", "Zw", gate, "ölf", key="reasoning"))
        answer = engine.chat(HELLO)
        assert await anext(answer) == Thought("Hm")
        assert await anext(answer) == Said("Zw")
        gate.set()
        assert [each async for each in answer] == [Said("ölf"), Ended("stop", USAGE)]


@pytest.mark.parametrize("pieces", [1, 3, 40])
async def test_a_tool_call_is_put_together(pieces: int) -> None:
    async with talking() as (server, engine):
        server.answers.append(calls("turn_on", {"name": "Küche", "n": [1]}, pieces=pieces))
        call = ToolCall(id="call_1", name="turn_on", arguments={"name": "Küche", "n": [1]})
        assert await ask(engine, ChatRequest(messages=[USER], tools=TOOLS)) == [
            Called(call),
            Ended("tool_calls", USAGE),
        ]


async def test_a_tool_call_without_sensible_arguments_fails() -> None:
    broken = {"index": 0, "id": "1", "function": {"name": "turn_on", "arguments": '{"a":'}}
    async with talking() as (server, engine):
        server.answers.append(says(chunk({"tool_calls": [broken]}), finish="tool_calls"))
        with pytest.raises(EngineFailed) as failed:
            await ask(engine)
        assert str(failed.value) == "the model called turn_on with arguments that are no JSON"


async def test_the_weights_of_first_tokens_are_told() -> None:
    async with talking() as (server, engine):
        server.answers.append(weighs({"A": -0.1, "B": -2.5}))
        request = ChatRequest(messages=[USER], weigh=True)
        assert await ask(engine, request) == [
            Weighed({"A": -0.1, "B": -2.5}),
            Ended("length", USAGE),
        ]
        sent = server.requests[0].json
        assert (sent["logprobs"], sent["top_logprobs"], sent["max_tokens"]) == (True, 20, 1)


@pytest.mark.parametrize("answer", [says("A"), refuses(400, "logprobs are not allowed")])
async def test_a_server_without_probabilities_is_remembered(answer: Answer) -> None:
    async with talking() as (server, engine):
        before = engine.info
        server.answers.append(answer)
        for _ in range(2):
            with pytest.raises(Unsupported) as failed:
                await ask(engine, ChatRequest(messages=[USER], weigh=True))
            assert str(failed.value) == "the server of model small does not tell probabilities"
        assert len(server.requests) == 1
        assert engine.info is not before
        assert not engine.info.models[0].supports_choices


async def test_a_schema_is_asked_for_and_a_server_that_does_not_know_it_remembered() -> None:
    request = ChatRequest(messages=[USER], schema=SCHEMA)
    async with talking() as (server, engine):
        server.answers.append(refuses(400, "response_format.type must be json_object"))
        for _ in range(2):
            assert await ask(engine, request) == [Said("Hello"), Ended("stop", USAGE)]
        formats = [each.json["response_format"] for each in server.requests]
        strict = {"name": "answer", "schema": SCHEMA, "strict": True}
        assert formats == [
            {"type": "json_schema", "json_schema": strict},
            {"type": "json_object"},
            {"type": "json_object"},
        ]


async def test_a_prompt_that_is_too_long_is_not_taken_for_a_schema_that_is_not_known() -> None:
    async with talking() as (server, engine):
        server.answers.append(refuses(400, "the request exceeds the available context size"))
        with pytest.raises(BadRequest, match="exceeds the available context size"):
            await ask(engine, ChatRequest(messages=[USER], schema=SCHEMA))
        await ask(engine, ChatRequest(messages=[USER], schema=SCHEMA))
        assert server.requests[1].json["response_format"]["type"] == "json_schema"


async def test_llama_cpp_counts_in_timings_where_it_has_no_usage() -> None:
    timings = chunk({}, "length").replace(
        b'{"object"', b'{"timings":{"cache_n":30,"prompt_n":4,"predicted_n":7},"object"'
    )
    async with talking() as (server, engine):
        server.answers.append(Answer(pieces=(chunk({"content": "Hi"}), timings, DONE)))
        assert await ask(engine) == [
            Said("Hi"),
            Ended("length", Usage(prompt=34, completion=7, cached=30)),
        ]


async def test_one_object_is_taken_although_a_stream_was_asked_for() -> None:
    message = {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
    }
    whole = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": None}
    async with talking() as (server, engine):
        body = json.dumps(whole).encode()
        server.answers.append(Answer(pieces=(body[:9], body[9:]), mime="application/json"))
        assert await ask(engine) == [
            Said("Hi"),
            Called(ToolCall(id="c", name="f", arguments={})),
            Ended("tool_calls"),
        ]


async def test_a_server_that_keeps_the_line_open_after_its_last_token_is_not_waited_for() -> None:
    async with talking() as (server, engine):
        never = asyncio.Event()
        pieces = (chunk({"content": "Hi"}), chunk({}, "stop"), never, COUNTED)
        server.answers.append(Answer(pieces=pieces))
        began = time.monotonic()
        assert await ask(engine) == [Said("Hi"), Ended("stop")]
        assert time.monotonic() - began < 2
