"""The OpenAI-compatible engine beside a server that completes texts but knows no chats."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.model_server import DONE, Answer, ModelServer, sse
from tests.integration.openai_engine import HELLO, PICTURE, SCHEMA, TOOLS, USER, ask, talking
from wyoming_units.chat.exchange import ChatRequest, Ended, Said, Usage, Weighed
from wyoming_units.errors import EngineFailed, Unsupported

CHATML = "<|im_start|>user\nWie spät ist es?<|im_end|>\n<|im_start|>assistant\n"


def completes(*texts: str, stop_type: str = "eos", **more: Any) -> Answer:
    """Answer as llama.cpp's `/completion` does."""
    pieces = [sse({"content": text, "stop": False, **more}) for text in texts]
    last = {
        "content": "",
        "stop": True,
        "stop_type": stop_type,
        "tokens_predicted": 2,
        "tokens_evaluated": 12,
        "timings": {"cache_n": 8, "prompt_n": 4},
    }
    return Answer(pieces=(*pieces, sse(last)))


def old_server(server: ModelServer, *missing: str) -> None:
    server.missing = {"/v1/chat/completions", *missing}


async def test_completion_stands_in_for_chat_and_is_remembered() -> None:
    async with talking("llama.cpp", slots=2) as (server, engine):
        old_server(server)
        server.usual = completes(" Zw", "ölf")
        for _ in range(2):
            assert await ask(engine, ChatRequest(messages=[USER], session="a", max_tokens=9)) == [
                Said("Zw"),
                Said("ölf"),
                Ended("stop", Usage(prompt=12, completion=2, cached=8)),
            ]
        paths = [each.path for each in server.requests]
        assert paths == ["/v1/chat/completions", "/completion", "/completion"]
        assert server.requests[1].json == {
            "stream": True,
            "cache_prompt": True,
            "id_slot": 0,
            "n_predict": 9,
            "stop": ["<|im_end|>", "<|im_start|>"],
            "prompt": CHATML,
        }


@pytest.mark.parametrize("status", [405, 501])
async def test_other_ways_to_say_that_there_is_no_chat(status: int) -> None:
    async with talking() as (server, engine):
        server.answers.append(Answer(status=status))
        server.usual = completes("Hi")
        assert (await ask(engine))[0] == Said("Hi")
        assert server.requests[1].path == "/completion"


async def test_a_model_s_own_template_is_used() -> None:
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %} [you]"
    async with talking("llama.cpp", template=template) as (server, engine):
        old_server(server)
        server.usual = completes("Hi")
        await ask(engine)
        assert server.requests[1].json["prompt"] == "[user] Wie spät ist es? [you]"


async def test_a_template_of_the_settings_goes_before_the_model_s_own() -> None:
    async with talking("llama.cpp", {"template": "plain"}, template="x") as (server, engine):
        old_server(server)
        server.usual = completes(" Hi", stop_type="limit")
        answer = await ask(engine)
        assert answer[0] == Said("Hi")
        assert isinstance(answer[1], Ended)
        assert answer[1].reason == "length"
        assert server.requests[1].json["prompt"] == "User: Wie spät ist es?\nAssistant:"


async def test_the_template_goes_by_the_name_of_the_model() -> None:
    async with talking("llama.cpp", models=("gemma-3-1b-it",)) as (server, engine):
        old_server(server)
        server.usual = completes("Hi")
        await ask(engine)
        assert server.requests[1].json["prompt"].endswith("<start_of_turn>model\n")


async def test_a_schema_and_preparing_are_for_completion_too() -> None:
    async with talking("llama.cpp") as (server, engine):
        old_server(server)
        server.usual = completes("{}")
        await ask(engine, ChatRequest(messages=[USER], schema=SCHEMA))
        assert server.requests[1].json["json_schema"] == SCHEMA
        answer = await ask(engine, ChatRequest(messages=[USER], prepare=True))
        assert answer == [Ended("prepared", Usage(prompt=12, completion=2, cached=8))]
        assert server.requests[2].json["n_predict"] == 0


@pytest.mark.parametrize(
    "told",
    [
        {"top_logprobs": [{"token": "A", "logprob": -0.5}, {"token": "B", "logprob": -1.0}]},
        {"probs": [{"tok_str": "A", "prob": 0.60653066}, {"tok_str": "B", "prob": 0.36787944}]},
    ],
    ids=["today", "before December 2024"],
)
async def test_completion_weighs_first_tokens(told: dict[str, Any]) -> None:
    async with talking("llama.cpp") as (server, engine):
        old_server(server)
        server.usual = completes("A", completion_probabilities=[told])
        weighed, ended = await ask(engine, ChatRequest(messages=[USER], weigh=True))
        assert isinstance(weighed, Weighed)
        assert weighed.logprobs == pytest.approx({"A": -0.5, "B": -1.0})
        assert isinstance(ended, Ended)
        sent = server.requests[1].json
        assert (sent["n_probs"], sent["n_predict"]) == (20, 1)


async def test_the_older_api_of_openai_is_the_last_resort() -> None:
    async with talking() as (server, engine):
        old_server(server, "/completion")
        choices: list[dict[str, Any]] = [
            {"text": " Hi", "finish_reason": None},
            {"text": "", "finish_reason": "length"},
        ]
        pieces = [sse({"choices": [{"index": 0, **each}]}) for each in choices]
        server.usual = Answer(pieces=(*pieces, DONE))
        for _ in range(2):
            assert await ask(engine) == [Said("Hi"), Ended("length")]
        paths = [each.path for each in server.requests]
        assert paths[2:] == ["/v1/completions", "/v1/completions"]
        assert server.requests[3].json == {
            "model": "small",
            "stream": True,
            "stream_options": {"include_usage": True},
            "stop": ["<|im_end|>", "<|im_start|>"],
            "prompt": CHATML,
        }


async def test_the_older_api_of_openai_weighs_first_tokens() -> None:
    async with talking() as (server, engine):
        old_server(server, "/completion")
        logprobs = {"tokens": ["A"], "top_logprobs": [{"A": -0.5, "B": -1.0}]}
        event = {"choices": [{"text": "A", "logprobs": logprobs, "finish_reason": "length"}]}
        server.usual = Answer(pieces=(sse(event), DONE))
        weighed, _ = await ask(engine, ChatRequest(messages=[USER], weigh=True))
        assert weighed == Weighed({"A": -0.5, "B": -1.0})


async def test_tools_and_images_need_a_chat() -> None:
    message = {"role": "user", "content": [PICTURE]}
    async with talking(options={"images": True}) as (server, engine):
        old_server(server)
        server.usual = completes("Hi")
        for request, what in (
            (ChatRequest(messages=[USER], tools=TOOLS), "tools"),
            (ChatRequest(messages=[message]), "images"),
        ):
            with pytest.raises(Unsupported) as failed:
                await ask(engine, request)
            assert str(failed.value) == f"the model's server knows no chats, so it takes no {what}"
        await ask(engine)
        with pytest.raises(Unsupported):
            await ask(engine, ChatRequest(messages=[USER], tools=TOOLS))
        assert server.requests[-1].json["prompt"] == CHATML


async def test_a_server_that_learned_to_chat_is_asked_to_after_it_was_away() -> None:
    async with talking(options={"retries": 0}) as (server, engine):
        old_server(server)
        server.answers.append(completes("Hi"))
        await ask(engine, HELLO)
        await server.stop()
        with pytest.raises(EngineFailed):
            await ask(engine, HELLO)
        server.missing.clear()
        await server.start()
        await ask(engine, HELLO)
        assert server.requests[-1].path == "/v1/chat/completions"
