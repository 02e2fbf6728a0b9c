"""The OpenAI-compatible engine: what it finds out about servers of each kind, and what it sends them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.integration.model_server import (
    Kind,
    ModelServer,
    ThreadedModelServer,
)
from tests.integration.openai_engine import PICTURE, TOOLS, USAGE, USER, ask, talking
from wyoming_units.chat.exchange import (
    ChatRequest,
    Ended,
    Said,
)
from wyoming_units.engines.openai import OpenAiChat
from wyoming_units.errors import BadRequest, EngineFailed, UnknownModel, Unsupported

# -- before anything is known


def test_an_engine_is_made_and_described_without_loading_a_library() -> None:
    script = """
import sys
from wyoming_units.engines import create_engine
engine = create_engine("openai", url="http://127.0.0.1:1/v1")
print(engine.info.models[0].name, engine.info.parallel, {"aiohttp", "jinja2"} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "default 4 set()"


@pytest.mark.parametrize(
    "url",
    ["", "nas:8080", "ftp://nas", "http://", "http://nas:x", "http://nas/?a=1", "http://[::1"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="option url must look like http://HOST:PORT"):
        OpenAiChat(url=url)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"token": "a\nb"}, "option token has a character that cannot be sent"),
        ({"parallel": 0}, "option parallel must be at least 1"),
        ({"template": "alpaca"}, "no template is called 'alpaca'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        OpenAiChat(url="http://nas", **options)


def test_credentials_are_never_told() -> None:
    engine = OpenAiChat(url="https://me:hush@nas:8443/llm/v1/", token="hush2", model="big")
    assert engine.report["url"] == "https://nas:8443/llm"
    assert "hush" not in f"{engine.info}{engine.report}"
    assert engine.info.models[0].name == "big"


async def test_the_host_may_be_away_when_the_engine_loads() -> None:
    server = ModelServer(models=("large",))
    await server.start()
    await server.stop()
    engine = OpenAiChat(url=server.url)
    began = time.monotonic()
    await asyncio.to_thread(engine.load)
    assert time.monotonic() - began < 3
    assert not engine.report["reachable"]
    before = engine.info
    await server.start()
    assert await ask(engine) == [Said("Hello"), Ended("stop", USAGE)]
    assert engine.info is not before
    assert [model.name for model in engine.info.models] == ["large"]
    assert server.requests[0].json["model"] == "large"
    assert engine.report["reachable"]
    await asyncio.to_thread(engine.close)
    await server.stop()


async def test_a_host_that_never_answers_holds_loading_up_for_three_seconds_at_most() -> None:
    async def silence(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = OpenAiChat(url=f"http://127.0.0.1:{port}")
    began = time.monotonic()
    await asyncio.to_thread(engine.load)
    assert time.monotonic() - began < 3.2
    server.close()


# -- what servers tell


@pytest.mark.parametrize(
    ("kind", "name", "about", "can"),
    [
        ("plain", "OpenAI-compatible", {}, (True, False, None)),
        ("llama.cpp", "llama.cpp", {"images": True}, (True, True, 4096)),
        ("llama.cpp", "llama.cpp", {"tools": False, "context": 0}, (False, False, None)),
        ("ollama", "Ollama", {"images": True, "context": 8192}, (True, True, 8192)),
        ("ollama", "Ollama", {"tools": False}, (False, False, 4096)),
        ("vllm", "vLLM", {"context": 32768}, (True, False, 32768)),
    ],
)
async def test_what_a_server_is_and_can_is_found_out(
    kind: Kind, name: str, about: dict[str, Any], can: tuple[bool, bool, int | None]
) -> None:
    async with talking(kind, models=("one", "two"), **about) as (_, engine):
        assert engine.info.description == f"Language model server: {name}"
        assert engine.report["server"] == name
        assert [model.name for model in engine.info.models] == ["one", "two"]
        for model in engine.info.models:
            assert (model.supports_tools, model.supports_images, model.context_length) == can
            assert model.supports_choices


async def test_options_overrule_what_a_server_tells() -> None:
    options = {
        "model": "mine",
        "tools": False,
        "images": True,
        "choices": False,
        "languages": ["de"],
        "parallel": 2,
    }
    async with talking("llama.cpp", options) as (_, engine):
        (model,) = engine.info.models
        assert (model.name, model.languages, model.context_length) == ("mine", ("de",), 4096)
        can = (model.supports_tools, model.supports_images, model.supports_choices)
        assert can == (False, True, False)
        assert engine.info.parallel == 2


async def test_the_token_goes_with_every_request_and_a_wrong_one_is_told() -> None:
    async with ModelServer(token="hush") as server:
        good, bad = (OpenAiChat(url=server.url + "/v1", token=each) for each in ("hush", "loud"))
        for engine in (good, bad):
            await asyncio.to_thread(engine.load)
        assert good.info.models[0].name == "small"
        assert await ask(good) == [Said("Hello"), Ended("stop", USAGE)]
        with pytest.raises(EngineFailed) as failed:
            await ask(bad)
        host = server.url.removeprefix("http://")
        assert str(failed.value) == f"the model's server at {host} refused the token"
        for engine in (good, bad):
            await asyncio.to_thread(engine.close)


async def test_an_engine_works_again_after_it_was_closed() -> None:
    async with talking() as (_, engine):
        for _ in range(2):
            assert await ask(engine) == [Said("Hello"), Ended("stop", USAGE)]
            await asyncio.to_thread(engine.close)
            await asyncio.to_thread(engine.load)


async def test_the_server_can_run_in_a_thread_of_its_own() -> None:
    with ThreadedModelServer("llama.cpp") as server:
        engine = OpenAiChat(url=server.url)
        await asyncio.to_thread(engine.load)
        assert await ask(engine) == [Said("Hello"), Ended("stop", USAGE)]
        await asyncio.to_thread(engine.close)


async def test_models_are_shown_by_owner_and_name_but_without_the_path_of_a_file() -> None:
    names = ("/srv/models/tiny.gguf", "Qwen/Qwen3-0.6B", "other/Qwen3-0.6B")
    async with talking(models=names) as (_, engine):
        shown = [model.description.split(" on ")[0] for model in engine.info.models]
        assert shown == ["tiny.gguf", "Qwen/Qwen3-0.6B", "other/Qwen3-0.6B"]
        assert [model.name for model in engine.info.models] == [*names]


# -- what is asked


async def test_a_plain_server_gets_nothing_that_it_does_not_know() -> None:
    async with talking() as (server, engine):
        await ask(engine, ChatRequest(messages=[USER], temperature=0.2, max_tokens=50, session="a"))
        assert server.requests[0].body.decode() == (
            '{"model":"small","stream":true,"stream_options":{"include_usage":true},'
            '"temperature":0.2,"max_tokens":50,'
            '"messages":[{"role":"user","content":"Wie spät ist es?"}]}'
        )


async def test_the_body_of_the_next_turn_begins_with_the_bytes_of_this_one() -> None:
    async with talking("llama.cpp", slots=2) as (server, engine):
        messages: list[dict[str, Any]] = [{"role": "system", "content": "Sei nett."}, USER]
        for answer in ("Zwölf.", "Ja."):
            request = ChatRequest(
                messages=messages, tools=TOOLS, session="a", max_tokens=9, temperature=0
            )
            await ask(engine, request)
            messages = [*messages, {"role": "assistant", "content": answer}, USER]
        first, second = (each.body for each in server.requests)
        assert first.endswith(b"}]}")
        assert second.startswith(first[: -len(b"]}")])
        assert first.index(b'"tools"') < first.index(b'"messages"')


async def test_llama_cpp_keeps_each_session_in_a_place_of_its_own() -> None:
    async with talking("llama.cpp", slots=2) as (server, engine):
        for session in ("a", "b", "a", "c", "a", "b", None):
            await ask(engine, ChatRequest(messages=[USER], session=session))
        slots = [each.json.get("id_slot") for each in server.requests]
        assert slots == [0, 1, 0, 1, 0, 1, None]
        assert all(each.json["cache_prompt"] is True for each in server.requests)


async def test_llama_cpp_with_one_place_is_not_told_where() -> None:
    async with talking("llama.cpp", slots=1) as (server, engine):
        await ask(engine, ChatRequest(messages=[USER], session="a"))
        assert "id_slot" not in server.requests[0].json


@pytest.mark.parametrize(
    ("kind", "think", "key", "value"),
    [
        ("llama.cpp", True, "chat_template_kwargs", {"enable_thinking": True}),
        ("vllm", False, "chat_template_kwargs", {"enable_thinking": False}),
        ("ollama", False, "reasoning_effort", "none"),
        ("ollama", True, "reasoning_effort", "medium"),
    ],
)
async def test_servers_are_told_whether_the_model_may_think(
    kind: Kind, think: bool, key: str, value: Any
) -> None:
    async with talking(kind, thinking=True) as (server, engine):
        await ask(engine, ChatRequest(messages=[USER], think=think))
        assert server.requests[0].json[key] == value


async def test_a_model_of_ollama_that_cannot_think_is_not_told_to() -> None:
    async with talking("ollama") as (server, engine):
        await ask(engine, ChatRequest(messages=[USER], think=True))
        assert "reasoning_effort" not in server.requests[0].json


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [("llama.cpp", "n_predict", 0), ("vllm", "max_tokens", 1), ("plain", "max_tokens", 1)],
)
async def test_to_prepare_the_model_only_reads(kind: Kind, key: str, value: int) -> None:
    async with talking(kind) as (server, engine):
        request = ChatRequest(messages=[USER], prepare=True, max_tokens=100)
        assert await ask(engine, request) == [Ended("prepared", USAGE)]
        sent = server.requests[0].json
        assert sent[key] == value
        assert {"n_predict", "max_tokens"} & sent.keys() == {key}


async def test_pictures_pass_through_to_a_model_that_sees() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "What?"}, PICTURE]}
    async with talking("llama.cpp", images=True) as (server, engine):
        await ask(engine, ChatRequest(messages=[message]))
        assert server.requests[0].json["messages"] == [message]


async def test_what_a_model_cannot_take_is_refused_before_it_is_sent() -> None:
    async with talking("llama.cpp", {"choices": False}, tools=False) as (server, engine):
        with pytest.raises(Unsupported, match=r"^model small cannot call tools$"):
            await ask(engine, ChatRequest(messages=[USER], tools=TOOLS))
        with pytest.raises(Unsupported, match=r"^model small does not see images$"):
            await ask(engine, ChatRequest(messages=[{"role": "user", "content": [PICTURE]}]))
        with pytest.raises(Unsupported, match=r"^the server of model small does not tell probab"):
            await ask(engine, ChatRequest(messages=[USER], weigh=True))
        with pytest.raises(UnknownModel, match=r"has no model 'huge'; there are: small$"):
            await ask(engine, ChatRequest(messages=[USER], model="huge"))
        assert not server.requests


@pytest.mark.parametrize(
    "name",
    ["qwen2.5-0.5B-prefill-20e", "llama3.2-1B-p256-ax630c", "AXERA-TECH/InternVL3_5-1B_GPTQ_INT4"],
)
async def test_a_model_made_for_an_npu_has_no_tools_and_reads_little(name: str) -> None:
    async with ModelServer(models=(name,)) as server:
        engine = OpenAiChat(url=server.url)
        await asyncio.to_thread(engine.load)
        [model] = engine.info.models
        assert (model.supports_tools, model.context_length) == (False, 1023)
        told = OpenAiChat(url=server.url, tools=True, context=2048)
        await asyncio.to_thread(told.load)
        [model] = told.info.models
        assert (model.supports_tools, model.context_length) == (True, 2048)
