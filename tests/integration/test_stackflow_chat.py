"""Language models on a module: what reaches them, what comes back, and how an answer ends before its end."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.integration.stackflow_speech import Lab, lab
from tests.stackflow_server import Minds
from tests.stackflow_server.protocol import Message
from wyoming_units.chat.exchange import ChatRequest, Delta, Ended, Said, Thought
from wyoming_units.errors import (
    BadImage,
    BadRequest,
    EngineFailed,
    TimedOut,
    TooLarge,
    UnknownModel,
    Unsupported,
)

SMALL, KEEPS, THINKS = (
    "qwen2.5-0.5B-prefill-20e",
    "qwen2.5-HA-0.5B-ctx-ax630c",
    "qwen3-0.6B-ax630c",
)
SEES, SEES_MORE = "smolvlm-256M-ax630c", "internvl3-1B-448-ax630c"
LONG = " ".join(f"number {n}" for n in range(200))
SYSTEM = {"role": "system", "content": "You are a house."}

Chat = Callable[[str, str, Sequence[bytes]], str]


@pytest.fixture(autouse=True)
def no_module_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what was learnt of a module of another test that had the same port."""
    monkeypatch.setattr("wyoming_units.stackflow.module._MODULES", {})


def user(text: str, *pictures: str) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts] if parts else text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def echo(prompt: str, text: str, pictures: Sequence[bytes]) -> str:
    """Answer what was read."""
    return f"[{prompt}] {text}"


@asynccontextmanager
async def model(
    name: str = SMALL, chat: Chat = echo, version: str = "main", **options: Any
) -> AsyncIterator[tuple[Lab, Any]]:
    """Run a module and an engine that has loaded one of its models."""
    with lab(version, minds=Minds(chat=chat)) as module:
        kind = "stackflow-vlm" if name in {SEES, SEES_MORE} else "stackflow-llm"
        engine = await asyncio.to_thread(module.engine, kind, name, **options)
        await asyncio.to_thread(engine.load)
        try:
            yield module, engine
        finally:
            await asyncio.to_thread(engine.close)


async def pieces(engine: Any, *messages: Any, **more: Any) -> list[Delta]:
    return [piece async for piece in engine.chat(ChatRequest(messages=messages, **more))]


async def ask(engine: Any, *messages: Any, **more: Any) -> str:
    told = await pieces(engine, *messages, **more)
    assert isinstance(told[-1], Ended)
    return "".join(piece.text for piece in told if isinstance(piece, Said))


def sent(module: Lab, action: str) -> list[Message]:
    return [each for each in module.server.requests if each.action == action]


def sentences(module: Lab) -> list[str]:
    """Return the texts of all inferences."""
    found = [each for each in sent(module, "inference") if "utf-8" in each.object]
    return [b64decode(each.data).decode() for each in found]


def setups(module: Lab) -> list[Any]:
    return [json.loads(each.data) for each in sent(module, "setup")]


# -- what a model reads and says


async def test_an_answer_comes_in_pieces_and_ends() -> None:
    async with model() as (_, engine):
        told = await pieces(engine, SYSTEM, user("Hello there, how are you?"))
        assert len(told) > 3
        assert told[-1] == Ended("stop")
        assert await ask(engine, SYSTEM, user("Hi")) == "[You are a house.] Hi"
        [described] = engine.info.models
        assert (described.name, described.supports_tools) == (SMALL, False)
        assert described.supports_images is False


@pytest.mark.parametrize("name", [SMALL, SEES])
@pytest.mark.parametrize(
    "text",
    [
        '{"a": "}}{"}',
        "} {{{",
        'say "no"',
        r"C:\new\table \u0041 \\",
        "one\ntwo\tthree",
        "Grüße 😀 你好",
    ],
)
async def test_every_text_arrives_as_it_was_written(name: str, text: str) -> None:
    async with model(name) as (_, engine):
        prompt = {"role": "system", "content": text}
        assert await ask(engine, prompt, user(text)) == f"[{text}] {text}"


async def test_the_same_prompt_is_set_up_once_and_another_one_anew() -> None:
    async with model(prompt="You are a door.") as (module, engine):
        assert await ask(engine, user("Hi")) == "[You are a door.] Hi"
        assert len(setups(module)) == 1
        for _ in range(2):
            assert await ask(engine, SYSTEM, user("Hi")) == "[You are a house.] Hi"
        assert [each["prompt"] for each in setups(module)] == ["You are a door.", SYSTEM["content"]]
        assert len(sent(module, "exit")) == 1


async def test_preparing_loads_the_model_with_its_prompt_and_asks_nothing() -> None:
    async with model() as (module, engine):
        assert await pieces(engine, SYSTEM, user(""), prepare=True) == [Ended("prepared")]
        assert setups(module)[-1]["prompt"] == "You are a house."
        assert not sentences(module)
        await ask(engine, SYSTEM, user("Hi"))
        assert len(setups(module)) == 2


async def test_a_model_without_memory_reads_the_last_sentence_alone() -> None:
    async with model() as (module, engine):
        await ask(engine, SYSTEM, user("one"), assistant("two"), user("three"))
        assert sentences(module) == ["three"]


async def test_a_prompt_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    async with model() as (module, engine):
        with pytest.raises(
            TooLarge, match=rf"^the prompt has about \d+ tokens; {SMALL} takes 128$"
        ):
            await ask(engine, SYSTEM, user("word " * 90))
        with pytest.raises(TooLarge):
            await ask(engine, {"role": "system", "content": "word " * 90}, user("Hi"))
        assert not sentences(module)
        assert len(setups(module)) == 1
        assert await ask(engine, SYSTEM, user("word " * 40))


async def test_a_prompt_that_is_let_through_fits_the_module() -> None:
    async with model("qwen2.5-0.5B-p256-ax630c") as (_, engine):
        for words in range(20, 200, 20):
            try:
                await ask(engine, SYSTEM, user("kitchen " * words))
            except TooLarge:
                assert words > 60
                return
        pytest.fail("nothing was refused")


async def test_what_a_model_cannot_do_is_refused() -> None:
    async with model() as (module, engine):
        with pytest.raises(Unsupported, match="cannot call tools"):
            await ask(engine, user("Hi"), tools=[{"type": "function"}])
        with pytest.raises(Unsupported, match="probabilities"):
            await ask(engine, user("Hi"), weigh=True)
        with pytest.raises(Unsupported, match="does not see images"):
            await ask(engine, user("Hi", picture(9, 9)))
        with pytest.raises(UnknownModel):
            await ask(engine, user("Hi"), model="huge")
        with pytest.raises(BadRequest):
            await ask(engine, SYSTEM)
        assert not sentences(module)


async def test_thoughts_are_told_apart_and_only_made_where_they_are_wanted() -> None:
    def chat(prompt: str, text: str, pictures: Sequence[bytes]) -> str:
        return f"<think>\n{'' if text.endswith(' /no_think') else 'Hm.'}\n</think>\n\nYes: {text}"

    async with model(THINKS, chat) as (_, engine):
        quick = await pieces(engine, user("Really?"))
        assert not [each for each in quick if isinstance(each, Thought) and each.text.strip()]
        assert await ask(engine, user("Really?")) == "Yes: Really? /no_think"
        slow = await pieces(engine, user("Really?"), think=True)
        thought = "".join(each.text for each in slow if isinstance(each, Thought))
        assert thought.strip() == "Hm."
        assert await ask(engine, user("Really?"), think=True) == "Yes: Really?"


# -- models that keep what was said


async def test_a_model_with_memory_goes_on_with_its_conversation() -> None:
    async with model(KEEPS) as (module, engine):
        first = await ask(engine, SYSTEM, user("one"))
        second = await ask(engine, SYSTEM, user("one"), assistant(first), user("two"))
        assert sentences(module) == ["one", "two"]
        assert second == f"[You are a house.\nUser: one\nAssistant: {first}] two"
        assert setups(module)[-1]["system_prompt"] == "You are a house."


async def test_a_model_with_memory_forgets_before_another_conversation() -> None:
    async with model(KEEPS) as (module, engine):
        await ask(engine, SYSTEM, user("one"))
        assert await ask(engine, SYSTEM, user("two")) == "[You are a house.] two"
        assert sentences(module) == ["one", "reset", "two"]


async def test_a_model_with_memory_forgets_when_that_is_full() -> None:
    said = "kitchen " * 250
    async with model(KEEPS, lambda prompt, text, _: said) as (module, engine):
        past: list[Any] = []
        for n in range(4):
            answer = await ask(engine, SYSTEM, *past, user(f"say {n}"))
            past += [user(f"say {n}"), assistant(answer)]
        assert "reset" in sentences(module)


# -- answers that end before their end


async def test_an_answer_is_cut_at_its_limit_and_the_next_begins_clean() -> None:
    async with model(chat=lambda prompt, text, _: LONG if text == "long" else "short") as (
        module,
        engine,
    ):
        module.server.faults.pace = 0.01
        told = await pieces(engine, SYSTEM, user("long"), max_tokens=30)
        assert told[-1] == Ended("length")
        assert len(told) <= 11
        module.server.asked("pause", "llm")
        assert await ask(engine, SYSTEM, user("brief")) == "short"
        assert len(sent(module, "setup")) == 2


async def test_a_client_that_leaves_stops_the_model_at_once() -> None:
    async with model(chat=lambda prompt, text, _: LONG if text == "long" else "short") as (
        module,
        engine,
    ):
        module.server.faults.pace = 0.05
        took = []
        for count in (1, 2, 3):  # the machine may be busy once
            answer = engine.chat(ChatRequest(messages=[user("long")]))
            assert isinstance(await anext(answer), Said)
            left = time.monotonic()
            await answer.aclose()
            stopped = await asyncio.to_thread(module.server.asked, "pause", "llm", count=count)
            took.append(time.monotonic() - left)
            assert len(stopped) == count
        assert min(took) < 0.1
        assert await ask(engine, user("brief")) == "short"


async def test_a_client_that_leaves_before_the_first_piece_stops_the_model_as_well() -> None:
    async with model() as (module, engine):
        module.server.faults.silent = True
        waiting = asyncio.create_task(ask(engine, user("Hi")))
        assert await asyncio.to_thread(module.server.asked, "inference", "llm")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(module.server.asked, "pause", "llm")
        module.server.faults.silent = False
        assert (await ask(engine, user("Hello"))).endswith("Hello")


async def test_silence_ends_with_a_timeout() -> None:
    async with model(first_token=0.3) as (module, engine):
        module.server.faults.silent = True
        began = time.monotonic()
        with pytest.raises(TimedOut):
            await ask(engine, user("Hi"))
        assert time.monotonic() - began < 3
        module.server.faults.silent = False
        assert (await ask(engine, user("Hi"))).endswith("Hi")


async def test_an_answer_that_went_to_somebody_else_is_asked_for_again() -> None:
    async with model(first_token=0.5) as (module, engine):
        module.server.faults.slow(0.2)
        waiting = asyncio.create_task(ask(engine, user("Hi")))
        [message] = await asyncio.to_thread(module.server.asked, "inference", "llm")
        module.server.faults.steal(message.work_id)
        assert (await waiting).endswith("Hi")
        assert module.server.stolen


async def test_a_module_that_restarts_within_an_answer_fails_it_and_serves_the_next() -> None:
    async with model(chat=lambda prompt, text, _: LONG if text == "long" else "short") as (
        module,
        engine,
    ):
        module.server.faults.pace = 0.05
        answer = engine.chat(ChatRequest(messages=[user("long")]))
        await anext(answer)
        back = module.server.faults.restart(0.2)
        with pytest.raises(EngineFailed):
            async for _ in answer:
                pass
        await asyncio.wrap_future(back)
        assert await ask(engine, user("brief")) == "short"


async def test_a_module_that_restarted_in_between_is_set_up_again() -> None:
    async with model(KEEPS) as (module, engine):
        await ask(engine, SYSTEM, user("one"))
        await asyncio.wrap_future(module.server.faults.restart(0.1))
        assert await ask(engine, SYSTEM, user("two")) == "[You are a house.] two"


@pytest.mark.parametrize("code", [-11, -25])
async def test_an_error_of_the_module_is_told_and_passes(code: int) -> None:
    async with model() as (module, engine):
        module.server.faults.error(code, "llm")
        with pytest.raises(EngineFailed):
            await ask(engine, user("Hi"))
        assert (await ask(engine, user("Hi"))).endswith("Hi")


async def test_an_answer_survives_any_cut_of_the_stream() -> None:
    async with model(chat=lambda *_: "Grüße 😀 {a} }") as (module, engine):
        for size in (1, 2, 3, 7):
            module.server.faults.cut_every = size
            assert await ask(engine, user("Hi")) == "Grüße 😀 {a} }"


async def test_closing_ends_the_task_and_loading_makes_another() -> None:
    async with model() as (module, engine):
        await asyncio.to_thread(engine.close)
        assert not module.server.units["llm"].tasks
        with pytest.raises(EngineFailed, match="not loaded"):
            await ask(engine, user("Hi"))
        await asyncio.to_thread(engine.load)
        assert (await ask(engine, user("Hi"))).endswith("Hi")


async def test_closing_ends_an_answer_that_is_being_written() -> None:
    async with model(chat=lambda *_: LONG) as (module, engine):
        module.server.faults.pace = 0.05
        answer = engine.chat(ChatRequest(messages=[user("long")]))
        await anext(answer)
        closing = asyncio.create_task(asyncio.to_thread(engine.close))
        with pytest.raises(EngineFailed):
            async for _ in answer:
                pass
        await closing
        assert not module.server.units["llm"].tasks


# -- models that see


def picture(width: int, height: int, kind: str = "png", colour: str = "red") -> str:
    """Return a data URL."""
    file = BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"


def describe(prompt: str, text: str, pictures: Sequence[bytes]) -> str:
    told = []
    for data in pictures:
        with Image.open(BytesIO(data)) as image:
            told.append(f"{image.format} {image.width}x{image.height}")
    return " + ".join([*told, text])


@pytest.mark.parametrize("version", ["1.4", "1.6", "dev"])
async def test_a_picture_is_shown_before_the_question_as_a_small_jpeg(version: str) -> None:
    async with model(SEES, describe, version) as (module, engine):
        question = user("What is {this}?", picture(1600, 900))
        assert await ask(engine, SYSTEM, question) == "JPEG 512x288 + What is {this}?"
        shown, asked = sent(module, "inference")
        assert (shown.object, asked.object) == ("vlm.jpeg.base64", "vlm.utf-8.base64")
        assert shown.text.startswith('{"RAW":') is (version != "1.4")
        small = user("And this?", picture(40, 30, "jpeg"))
        assert await ask(engine, SYSTEM, small) == "JPEG 40x30 + And this?"
        assert engine.info.models[0].supports_images


async def test_a_question_without_a_picture_is_not_about_an_earlier_one() -> None:
    async with model(SEES, describe) as (_, engine):
        before = [user("What?", picture(9, 9)), assistant("Red.")]
        await ask(engine, *before[:1])
        assert await ask(engine, *before, user("Why?")) == "Why?"


async def test_only_models_with_memory_look_at_several_pictures() -> None:
    two = user("Which?", picture(40, 30), picture(30, 40))
    async with model(SEES, describe) as (module, engine):
        with pytest.raises(Unsupported, match="one image at a time, not at 2"):
            await ask(engine, two)
        assert not sent(module, "inference")
    async with model(SEES_MORE, describe) as (_, engine):
        assert await ask(engine, two) == "JPEG 40x30 + JPEG 30x40 + Which?"


@pytest.mark.parametrize("data", ["AAAA", "%%%", b64encode(b"\xff\xd8\xff\xe0 cut").decode()])
async def test_a_broken_picture_is_refused_before_anything_is_sent(data: str) -> None:
    async with model(SEES, describe) as (module, engine):
        with pytest.raises(BadImage):
            await ask(engine, user("What?", f"data:image/jpeg;base64,{data}"))
        assert not sent(module, "inference")


async def test_a_picture_takes_its_part_of_the_prompt() -> None:
    async with model(SEES, describe) as (module, engine):
        words = "word " * 30
        assert await ask(engine, SYSTEM, user(words)) == words.strip()
        with pytest.raises(TooLarge, match=re.escape(SEES)):
            await ask(engine, SYSTEM, user(words, picture(9, 9)))
        assert len(sentences(module)) == 1
