"""The OpenAI-compatible engine when its server fails, dawdles or goes away, and when its client does."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.model_server import (
    CUT,
    DONE,
    HANG,
    Answer,
    ModelServer,
    chunk,
    refuses,
    says,
    sse,
)
from tests.integration.openai_engine import HELLO, PICTURE, TOOLS, USAGE, USER, ask, talking
from tests.integration.service import until
from wyoming_units.chat.exchange import ChatRequest, Delta, Ended, Said
from wyoming_units.engines.openai import OpenAiChat
from wyoming_units.errors import (
    BadRequest,
    Busy,
    EngineFailed,
    TimedOut,
    UnitError,
    UnknownModel,
    Unsupported,
)

ANSWERED = [Said("Hello"), Ended("stop", USAGE)]
PLAIN_404 = Answer(pieces=(b"404 page not found",), status=404, mime="text/plain")


async def fails(engine: OpenAiChat, kind: type[UnitError], request: ChatRequest = HELLO) -> str:
    """Return the text of the error that a request gets."""
    with pytest.raises(kind) as failed:
        await ask(engine, request)
    assert type(failed.value) is kind
    return str(failed.value)


# -- what may pass


@pytest.mark.parametrize(
    "first",
    [
        refuses(429, "one at a time"),
        refuses(503, "Loading model"),
        refuses(500, "oops"),
        refuses(502, ""),
        refuses(504, ""),
        Answer(before=CUT),
        Answer(pieces=(chunk({"role": "assistant", "content": ""}), CUT)),
        Answer(),
    ],
    ids=["429", "503", "500", "502", "504", "cut before its head", "cut", "empty"],
)
async def test_what_fails_before_the_first_token_is_tried_again(first: Answer) -> None:
    async with talking() as (server, engine):
        server.answers.append(first)
        assert await ask(engine) == ANSWERED
        assert len(server.requests) == 2
        assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (refuses(429, "one at a time"), Busy, "the model's server is busy: one at a time"),
        (refuses(503, ""), Busy, "the model's server is busy"),
        (refuses(500, "out of\n memory"), EngineFailed,
         "the model's server failed with 500: out of memory"),
        (Answer(status=502, pieces=(b"<html>Bad Gateway</html>",), mime="text/html"), EngineFailed,
         "the model's server failed with 502"),
        (says("", CUT), EngineFailed, "the model's server broke off"),
        (Answer(before=CUT), EngineFailed, "the model's server at HOST cannot be reached"),
    ],
    ids=["429", "503", "500", "502", "cut", "cut before its head"],
)  # fmt: skip
async def test_what_does_not_pass_is_told(answer: Answer, kind: type[UnitError], text: str) -> None:
    async with talking(options={"retries": 1}) as (server, engine):
        server.usual = answer
        host = server.url.removeprefix("http://")
        assert await fails(engine, kind) == text.replace("HOST", host)
        assert len(server.requests) == 2


async def test_the_pauses_between_tries_grow() -> None:
    async with talking() as (server, engine):
        server.usual = refuses(503, "")
        began = time.monotonic()
        await fails(engine, Busy)
        assert 0.75 <= time.monotonic() - began < 2
        assert len(server.requests) == 3


@pytest.mark.parametrize(("after", "tries"), [("1", 2), ("60", 1), ("Fri, 31 Dec 2100", 2)])
async def test_a_server_may_say_when_to_come_back(after: str, tries: int) -> None:
    async with talking(options={"retries": 1}) as (server, engine):
        server.usual = refuses(429, "", retry_after=after)
        began = time.monotonic()
        await fails(engine, Busy)
        took = time.monotonic() - began
        assert len(server.requests) == tries
        assert took >= 1 if after == "1" else took < 1


# -- what does not


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (refuses(400, "temperature is wrong"), BadRequest,
         "the model's server does not take the request: temperature is wrong"),
        (refuses(413, ""), BadRequest, "the model's server does not take the request"),
        (refuses(400, "small does not support tools"), Unsupported,
         "the model does not take tools: small does not support tools"),
        (refuses(500, "tools param requires --jinja flag"), Unsupported,
         "the model does not take tools: tools param requires --jinja flag"),
        (refuses(501, "no multimodal support"), Unsupported,
         "the model does not take images: no multimodal support"),
        (refuses(404, "model 'small' not found"), UnknownModel,
         "the model's server has no model 'small': model 'small' not found"),
        (refuses(301, ""), EngineFailed, "the model's server failed with 301"),
        (refuses(403, "no"), EngineFailed, "the model's server at HOST refused the token"),
    ],
)  # fmt: skip
async def test_what_would_fail_again_is_told_at_once(
    answer: Answer, kind: type[UnitError], text: str
) -> None:
    message = {"role": "user", "content": [PICTURE]}
    async with talking(options={"images": True}) as (server, engine):
        server.usual = answer
        request = ChatRequest(messages=[message], tools=TOOLS)
        host = server.url.removeprefix("http://")
        assert await fails(engine, kind, request) == text.replace("HOST", host)
        assert len(server.requests) == 1


async def test_messages_about_what_was_not_sent_say_nothing_of_the_model() -> None:
    async with talking() as (server, engine):
        server.usual = refuses(400, "tools and images are wrong")
        assert "does not take the request" in await fails(engine, BadRequest)


async def test_a_token_that_the_server_repeats_is_not_told() -> None:
    async with ModelServer(token="hush-hush") as server:
        engine = OpenAiChat(url=server.url, token="hush-hush")
        server.usual = refuses(400, "hush-hush is no good")
        assert "hush" not in await fails(engine, BadRequest)
        await asyncio.to_thread(engine.close)


@pytest.mark.parametrize(
    "error", [{"code": 500, "message": "slot is gone"}, "slot is gone"], ids=["object", "text"]
)
@pytest.mark.parametrize("said", [[], [Said("Hi")]], ids=["at first", "later"])
async def test_an_error_within_the_stream_is_told(error: Any, said: list[Delta]) -> None:
    async with talking() as (server, engine):
        before = [chunk({"content": "Hi"})] if said else []
        server.usual = Answer(pieces=(*before, sse({"error": error}), DONE))
        answer = engine.chat(HELLO)
        for piece in said:
            assert await anext(answer) == piece
        with pytest.raises(EngineFailed, match=r"^the model's server failed: slot is gone$"):
            await anext(answer)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "rest", [(CUT,), (), (b"data: {",)], ids=["cut", "ended early", "in the middle of an event"]
)
async def test_nothing_is_asked_again_once_something_was_said(rest: tuple[Any, ...]) -> None:
    async with talking() as (server, engine):
        server.answers.append(Answer(pieces=(chunk({"content": "Hi"}), *rest)))
        answer = engine.chat(HELLO)
        assert await anext(answer) == Said("Hi")
        with pytest.raises(EngineFailed):
            await anext(answer)
        assert len(server.requests) == 1


async def test_a_stream_that_ends_with_done_alone_has_ended() -> None:
    async with talking() as (server, engine):
        server.answers.append(Answer(pieces=(chunk({"content": "Hi"}), DONE)))
        assert await ask(engine) == [Said("Hi"), Ended("stop")]


# -- time


async def test_a_server_that_says_nothing_is_given_up() -> None:
    for answer in (Answer(before=HANG), says(b": ping\n\n", HANG)):
        async with talking(options={"first_token": 0.2}) as (server, engine):
            server.usual = answer
            text = await fails(engine, TimedOut)
            assert text == "the model's server said nothing for 0.2 s"
            assert len(server.requests) == 1


async def test_pings_are_no_tokens() -> None:
    pings = [piece for _ in range(40) for piece in (b": ping\n\n", 0.02)]
    async with talking(options={"first_token": 0.3}) as (server, engine):
        server.usual = says(*pings, "too late")
        await fails(engine, TimedOut)


async def test_a_server_that_falls_silent_is_given_up() -> None:
    async with talking(options={"between_tokens": 0.2}) as (server, engine):
        server.usual = says("Hi", HANG)
        answer = engine.chat(HELLO)
        assert await anext(answer) == Said("Hi")
        with pytest.raises(TimedOut, match=r"^the model's server fell silent for 0\.2 s$"):
            await anext(answer)
        assert len(server.requests) == 1


async def test_a_long_tool_call_is_no_silence() -> None:
    parts = [chunk({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f"}}]})]
    for piece in ('{"a', '":', " 1", "}"):
        delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        parts.append(chunk(delta))
    paced = [each for part in parts for each in (part, 0.15)]
    async with talking(options={"first_token": 0.4, "between_tokens": 0.4}) as (server, engine):
        server.usual = says(*paced, finish="tool_calls")
        assert len(await ask(engine)) == 2


async def test_a_slow_reader_is_not_a_silent_server() -> None:
    async with talking(options={"between_tokens": 0.2}) as (server, engine):
        gate = asyncio.Event()
        server.usual = says("Hi", gate, "there")
        answer = engine.chat(HELLO)
        await anext(answer)
        await asyncio.sleep(0.4)  # what the reader does meanwhile
        asyncio.get_running_loop().call_later(0.02, gate.set)
        assert await anext(answer) == Said("there")
        await answer.aclose()


# -- coming and going


async def test_a_client_that_leaves_ends_the_work_of_the_server() -> None:
    async with talking() as (server, engine):
        server.answers.append(says("Hi", HANG))
        answer = engine.chat(HELLO)
        await anext(answer)
        left = time.monotonic()
        await answer.aclose()
        await asyncio.wait_for(server.disconnected.wait(), 2)
        assert server.departures[0] - left < 0.1


@pytest.mark.parametrize("answer", [Answer(before=HANG), says(HANG), says("Hi", HANG)])
async def test_a_cancelled_request_ends_the_work_of_the_server(answer: Answer) -> None:
    async with talking() as (server, engine):
        server.answers.append(answer)
        task = asyncio.create_task(ask(engine))
        await server.asked()
        left = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.disconnected.wait(), 2)
        assert server.departures[0] - left < 0.1


async def test_a_host_that_went_away_is_told_and_found_again() -> None:
    async with talking("llama.cpp", {"retries": 1}) as (server, engine):
        assert await ask(engine) == ANSWERED
        before, host = engine.info, server.url.removeprefix("http://")
        await server.stop()
        text = await fails(engine, EngineFailed)
        assert text == f"the model's server at {host} cannot be reached"
        assert not engine.report["reachable"]
        assert engine.info is before
        server.models = ("other",)
        await server.start()
        assert await ask(engine) == ANSWERED
        assert [each.name for each in engine.info.models] == ["other"]


async def test_a_host_that_comes_back_in_time_is_waited_for() -> None:
    async with talking() as (server, engine):
        await server.stop()
        task = asyncio.create_task(ask(engine))
        await until(lambda: not engine.report["reachable"])
        await server.start()
        assert await task == ANSWERED


async def test_a_host_whose_name_is_not_known_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    engine = OpenAiChat(url="http://me:hush@attic:8080", retries=0)
    text = await fails(engine, EngineFailed)
    assert text == "the model's server at attic:8080 cannot be reached"
    await asyncio.to_thread(engine.close)


async def test_many_are_answered_at_a_time() -> None:
    gate = asyncio.Event()
    async with talking() as (server, engine):
        server.usual = says("Hi", gate)
        tasks = [asyncio.create_task(ask(engine)) for _ in range(8)]
        await server.asked(8)
        gate.set()
        for answer in await asyncio.gather(*tasks):
            assert answer == [Said("Hi"), Ended("stop", USAGE)]
        assert server.probes.count("/v1/models") == 1


async def test_nothing_of_what_was_said_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talking(options={"retries": 1, "token": "hush"}) as (server, engine):
        request = replace(HELLO, messages=[{**USER, "content": "secret"}])
        await ask(engine, request)
        server.usual = says("secret", CUT)
        await fails(engine, EngineFailed, request)
        await server.stop()
        await fails(engine, EngineFailed, request)
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("wyoming")]
    assert not [each for each in ours if "secret" in each or "hush" in each]


async def test_a_server_without_chat_and_without_completion_is_told() -> None:
    async with talking() as (server, engine):
        server.usual = PLAIN_404
        host = server.url.removeprefix("http://")
        text = await fails(engine, EngineFailed)
        assert text == f"the model's server at {host} speaks neither chat nor completion"
        paths = [each.path for each in server.requests]
        assert paths == ["/v1/chat/completions", "/completion", "/v1/completions"]
        server.usual = says("Hello")
        assert await ask(engine) == ANSWERED
        assert server.requests[-1].path == "/v1/chat/completions"


async def test_a_model_that_is_gone_has_the_server_asked_again() -> None:
    async with talking() as (server, engine):
        server.answers.append(refuses(404, "model 'small' not found"))
        server.models = ("other",)
        await fails(engine, UnknownModel)
        assert await ask(engine) == ANSWERED
        assert [each.name for each in engine.info.models] == ["other"]


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [1]},
        {"choices": "none"},
        {"choices": [{"delta": "Hello"}]},
        {"choices": [{"delta": {"tool_calls": [None]}}]},
        {"choices": [{"delta": {}, "logprobs": {"content": [1]}}]},
        {"choices": [], "usage": [1]},
    ],
)
async def test_an_event_of_a_wrong_shape_is_one_clear_error(event: dict[str, Any]) -> None:
    async with talking() as (server, engine):
        server.answers.append(Answer(pieces=(sse(event), DONE)))
        assert await fails(engine, EngineFailed) == "the model's server sent what makes no sense"
        assert await ask(engine) == ANSWERED
