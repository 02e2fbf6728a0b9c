"""The engine for servers of OpenAI's kind with a real llama-server, whose small model writes nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

from wyoming_units.chat.exchange import ChatRequest, Delta, Ended, Said, Usage, Weighed
from wyoming_units.engines.base import ChatModel
from wyoming_units.engines.openai import OpenAiChat
from wyoming_units.errors import Unsupported

from .llama_builds import llama as llama, llama_server  # noqa: PLC0414  a fixture
from .tiny_gguf import write_gguf

pytestmark = [pytest.mark.extra, pytest.mark.timeout(3600)]

RULES = "You are the light in the kitchen, and you are on or off. " * 32
OTHER_RULES = "Hello, you are not the light, you are the hall. " * 32
CONTEXT = 4096
TOOL = {
    "type": "function",
    "function": {"name": "turn_on", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def url(llama: Path, tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of a server with two places, each for half of the context."""
    model = write_gguf(tmp_path / "tiny.gguf")
    places = ("--parallel", "2", "--ctx-size", str(2 * CONTEXT), "--threads", "2")
    async with llama_server(llama, model, *places) as url:
        yield url


@pytest.fixture
async def engine(url: str) -> AsyncIterator[OpenAiChat]:
    engine = OpenAiChat(url=url)
    await asyncio.to_thread(engine.load)
    yield engine
    await asyncio.to_thread(engine.close)


def messages(rules: str, *texts: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    said = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return [{"role": "system", "content": rules}, *said]


async def ask(engine: ChatModel, said: list[dict[str, Any]], **more: Any) -> list[Delta]:
    return [piece async for piece in engine.chat(ChatRequest(messages=said, **more))]


async def usage(engine: ChatModel, said: list[dict[str, Any]], **more: Any) -> Usage:
    last = (await ask(engine, said, **more))[-1]
    assert isinstance(last, Ended)
    return last.usage


def text(pieces: list[Delta]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Said))


async def busy(url: str) -> int:
    """Return in how many places the server works."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/slots") as response:
        return sum(slot["is_processing"] for slot in await response.json())


async def test_the_server_is_known_for_what_it_is(engine: OpenAiChat) -> None:
    info = engine.info
    assert "llama.cpp" in info.description
    (model,) = info.models
    assert model.context_length == CONTEXT
    assert model.supports_tools
    assert model.supports_choices
    assert not model.supports_images
    assert engine.report["server"] == "llama.cpp"
    assert engine.report["reachable"]
    assert engine.report["slots"] == 2


async def test_an_answer_streams_with_its_tokens(engine: OpenAiChat) -> None:
    *said, last = await ask(engine, messages(RULES, "Hello"), max_tokens=24, temperature=1.0)
    assert len(said) > 5
    assert all(isinstance(piece, Said) for piece in said)
    assert isinstance(last, Ended)
    assert last.reason == "length"
    assert last.usage.completion == 24
    assert (last.usage.prompt or 0) > 500


async def test_tools_reach_the_model(engine: OpenAiChat) -> None:
    without = await usage(engine, messages(RULES, "Hello"), max_tokens=1)
    used = await usage(engine, messages(RULES, "Hello"), max_tokens=1, tools=[TOOL])
    assert (used.prompt or 0) > (without.prompt or 0) + 30


async def test_pictures_are_refused_before_they_are_sent(engine: OpenAiChat) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(Unsupported, match="images"):
        await ask(engine, [{"role": "user", "content": [picture]}])


async def test_a_client_that_leaves_ends_the_server_s_work(engine: OpenAiChat, url: str) -> None:
    request = ChatRequest(messages=messages(RULES, "Hello"), temperature=2.0)
    async with aclosing(engine.chat(request)) as pieces:
        async for _ in pieces:
            assert await busy(url) == 1
            break
    async with asyncio.timeout(1):
        while await busy(url):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.01)


async def test_choices_are_weighed(engine: OpenAiChat) -> None:
    weighed, last = await ask(engine, messages(RULES, "Hello"), weigh=True)
    assert isinstance(weighed, Weighed)
    assert 5 < len(weighed.logprobs) <= 20
    assert all(value < 0 for value in weighed.logprobs.values())
    assert isinstance(last, Ended)


async def test_an_answer_keeps_to_a_schema(engine: OpenAiChat) -> None:
    schema = {
        "type": "object",
        "properties": {"on": {"type": "boolean"}, "room": {"enum": ["kitchen", "hall"]}},
        "required": ["on", "room"],
        "additionalProperties": False,
    }
    pieces = await ask(engine, messages(RULES, "Hello"), schema=schema, max_tokens=300)
    jsonschema.validate(json.loads(text(pieces)), schema)


async def test_the_second_turn_reads_only_what_is_new(engine: OpenAiChat) -> None:
    first = await ask(engine, messages(RULES, "Hello"), max_tokens=8, session="one")
    used = await usage(
        engine, messages(RULES, "Hello", text(first), "and off?"), max_tokens=1, session="one"
    )
    assert used.prompt
    assert used.cached
    assert used.cached > 0.8 * used.prompt


async def test_what_was_prepared_is_known_when_the_question_comes(engine: OpenAiChat) -> None:
    prepared = await ask(engine, messages(RULES), prepare=True, session="one")
    assert [type(piece) for piece in prepared] == [Ended]
    assert isinstance(prepared[0], Ended)
    assert prepared[0].reason == "prepared"
    used = await usage(engine, messages(RULES, "Hello"), max_tokens=1, session="one")
    assert used.prompt
    assert (used.cached or 0) > 0.8 * used.prompt


async def test_two_conversations_by_turns_both_stay_known(engine: OpenAiChat) -> None:
    sessions = {"one": RULES, "two": OTHER_RULES}
    for turn in range(3):
        for session, rules in sessions.items():
            said = messages(rules, *(["Hello", "you are on"] * turn), "Hello")
            used = await usage(engine, said, max_tokens=1, session=session)
            assert used.prompt
            if turn:
                assert (used.cached or 0) > 0.8 * used.prompt, (session, turn)


async def test_a_place_that_is_taken_over_is_read_anew(engine: OpenAiChat) -> None:
    """The cache is a place's own: a third conversation takes that of the one which was silent for longest."""
    for session, rules in (("one", RULES), ("two", OTHER_RULES), ("three", RULES[::-1])):
        await usage(engine, messages(rules, "Hello"), max_tokens=1, session=session)
    used = await usage(engine, messages(OTHER_RULES, "Hello"), max_tokens=1, session="two")
    assert (used.cached or 0) > 0.8 * (used.prompt or 1)
