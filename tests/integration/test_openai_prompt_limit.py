"""Servers of models on an NPU fail on prompts over their length: what does not fit leaves, or is refused, before."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.model_server import ModelServer
from tests.integration.openai_engine import TOOLS, ask, talking
from wyoming_units.chat.exchange import ChatRequest
from wyoming_units.engines.openai import OpenAiChat
from wyoming_units.errors import TooLarge

SMALL = "qwen2.5-0.5B-prefill-20e"
SYSTEM = {"role": "system", "content": "You are a house."}
PAST = [
    {"role": role, "content": f"{role} says some words, and then some more of them"}
    for _ in range(6)
    for role in ("user", "assistant")
]
LAST = {"role": "user", "content": "And now?"}


async def test_the_oldest_turns_are_not_sent() -> None:
    async with talking(models=(SMALL,)) as (server, engine):
        await ask(engine, ChatRequest(messages=[SYSTEM, *PAST, LAST]))
        sent = server.requests[-1].json["messages"]
        assert sent[0] == SYSTEM
        assert sent[1:] == [*PAST, LAST][-len(sent) + 1 :]
        assert 3 < len(sent) < len(PAST)


async def test_a_prompt_that_cannot_fit_is_not_sent() -> None:
    async with talking(models=(SMALL,)) as (server, engine):
        long = ChatRequest(messages=[SYSTEM, {"role": "user", "content": "word " * 90}])
        with pytest.raises(TooLarge, match=rf"prompt has about \d+ tokens; {SMALL} takes 128$"):
            await ask(engine, long)
        assert not server.requests


async def test_tools_take_their_part_of_the_prompt() -> None:
    async with talking(options={"tools": True}, models=(SMALL,)) as (server, engine):
        with pytest.raises(TooLarge):
            await ask(engine, ChatRequest(messages=[LAST], tools=TOOLS * 5))
        assert not server.requests


async def test_other_models_and_a_context_that_the_settings_tell_have_no_such_limit() -> None:
    long = ChatRequest(messages=[SYSTEM, *PAST, LAST])
    async with ModelServer(models=(SMALL, "qwen2.5:7b")) as server:
        for context, name in ((4096, SMALL), (None, "qwen2.5:7b")):
            engine = OpenAiChat(url=server.url, model=name, context=context)
            await asyncio.to_thread(engine.load)
            await ask(engine, long)
            assert server.requests[-1].json["messages"] == long.messages
            await asyncio.to_thread(engine.close)
