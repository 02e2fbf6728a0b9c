"""llama.cpp in this process, the real library with a small model of random weights: what it writes is nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import jsonschema
import pytest

from wyoming_units.catalog.local import LocalModel
from wyoming_units.chat.exchange import Called, ChatRequest, Delta, Ended, Said, Weighed
from wyoming_units.engines.base import ChatModel
from wyoming_units.errors import (
    BadRequest,
    EngineFailed,
    TooLarge,
    UnitError,
    UnknownModel,
    Unsupported,
)

from .llama_builds import bindings, llama as llama  # noqa: PLC0414  a fixture
from .tiny_gguf import TEMPLATE, Size, write_gguf

pytestmark = [pytest.mark.extra, pytest.mark.timeout(3600)]

RULES = "You are the light in the kitchen, and you are on or off. " * 16
TOOL = {
    "type": "function",
    "function": {"name": "turn_on", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module", autouse=True)
def library(llama: Path) -> Iterator[None]:
    with bindings(llama):
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def wide_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slow enough to be stopped in the middle."""
    return write_gguf(tmp_path_factory.mktemp("wide") / "wide.gguf", Size(layers=8, width=512))


def made(path: Path, **options: Any) -> ChatModel:
    from wyoming_units.engines.llama_cpp import LlamaCppChat

    return LlamaCppChat(model=LocalModel(name="tiny", path=path), **options)


@asynccontextmanager
async def loaded(path: Path, **options: Any) -> AsyncIterator[ChatModel]:
    engine = made(path, **options)
    await asyncio.to_thread(engine.load)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


@pytest.fixture
async def engine(file: Path) -> AsyncIterator[ChatModel]:
    async with loaded(file) as engine:
        yield engine


def messages(*texts: str) -> list[dict[str, Any]]:
    """Return a conversation that begins with the rules."""
    roles = ("user", "assistant")
    said = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return [{"role": "system", "content": RULES}, *said]


async def ask(engine: ChatModel, said: list[dict[str, Any]], **more: Any) -> list[Delta]:
    return [piece async for piece in engine.chat(ChatRequest(messages=said, **more))]


async def end(engine: ChatModel, said: list[dict[str, Any]], **more: Any) -> Ended:
    last = (await ask(engine, said, **more))[-1]
    assert isinstance(last, Ended)
    return last


def text(pieces: list[Delta]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Said))


def test_a_model_tells_what_it_can_before_it_is_loaded(file: Path, tmp_path: Path) -> None:
    (model,) = made(file, context=100_000).info.models
    assert model.context_length == 8192, "no more than it was trained with"
    assert model.supports_tools
    assert model.supports_choices
    assert not model.supports_images
    plain = write_gguf(tmp_path / "plain.gguf", template="{{ messages[0].content }}")
    (model,) = made(plain, context=300).info.models
    assert model.context_length == 300
    assert not model.supports_tools


def test_a_folder_is_searched_for_the_file(file: Path) -> None:
    assert made(file.parent).info.models[0].supports_tools


@pytest.mark.parametrize(
    ("cut", "error"),
    [(0, "cannot be read as GGUF"), (3, "begin with GGUF"), (700, "cannot be read as GGUF")],
)
def test_what_is_no_model_is_said_at_once(file: Path, tmp_path: Path, cut: int, error: str) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(EngineFailed, match=error):
        made(broken)


def test_a_model_without_a_template_is_none_to_talk_with(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="no chat template"):
        made(write_gguf(tmp_path / "base.gguf", template=None))


def test_weights_that_are_cut_off_are_one_clear_error(file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(file.read_bytes()[:-100_000])
    engine = made(broken)
    with pytest.raises(EngineFailed, match=r"broken\.gguf cannot be loaded"):
        engine.load()
    engine.close()


async def test_an_answer_comes_piece_by_piece_with_its_tokens(engine: ChatModel) -> None:
    pieces = await ask(engine, messages("Hello"), max_tokens=20)
    assert len(pieces) > 5
    *said, last = pieces
    assert all(isinstance(piece, Said) and piece.text for piece in said)
    assert isinstance(last, Ended)
    assert (last.reason, last.usage.completion) == ("length", 20)


async def test_without_a_limit_an_answer_ends_with_the_context(file: Path) -> None:
    async with loaded(file, context=256) as engine:
        ended = await end(engine, [{"role": "user", "content": "Hello"}])
    usage = ended.usage
    assert usage.prompt is not None
    assert usage.completion is not None
    assert ended.reason == "length"
    assert usage.prompt + usage.completion == 256


async def test_what_does_not_fit_is_refused_with_numbers(file: Path) -> None:
    async with loaded(file, context=256) as engine:
        with pytest.raises(TooLarge, match=r"\d{3,} tokens; tiny takes 256"):
            await ask(engine, messages("Hello"))
        said = [{"role": "user", "content": "Hello"}]
        assert (await end(engine, said, max_tokens=1)).usage.completion == 1


async def test_the_next_turn_reads_only_what_is_new(engine: ChatModel) -> None:
    first = messages("Hello")
    answer = text(await ask(engine, first, max_tokens=8, temperature=0.0, think=True))
    usage = (await end(engine, messages("Hello", answer, "and off?"), max_tokens=1)).usage
    assert usage.prompt
    assert usage.cached
    assert usage.prompt - usage.cached < 80
    assert usage.cached > 350
    other = [{"role": "system", "content": "No. " + RULES}, *first[1:]]
    assert ((await end(engine, other, max_tokens=1)).usage.cached or 0) < 10


async def test_what_was_prepared_is_known_when_the_question_comes(engine: ChatModel) -> None:
    prepared = await ask(engine, messages(), prepare=True)
    assert [type(piece) for piece in prepared] == [Ended]
    assert isinstance(prepared[0], Ended)
    assert prepared[0].reason == "prepared"
    usage = (await end(engine, messages("Hello"), max_tokens=1)).usage
    assert (usage.cached or 0) > 350


async def weights(engine: ChatModel, said: list[dict[str, Any]]) -> dict[str, float]:
    weighed, ended = await ask(engine, said, weigh=True)
    assert isinstance(weighed, Weighed)
    assert isinstance(ended, Ended)
    return dict(weighed.logprobs)


async def test_an_answer_is_the_same_whether_its_prompt_was_known_or_not(file: Path) -> None:
    async with loaded(file) as one, loaded(file) as other:
        await ask(one, messages(), prepare=True)
        await ask(one, messages("you are off"), max_tokens=9)
        known = await weights(one, messages("Hello"))
        assert known == pytest.approx(await weights(other, messages("Hello")), abs=0.01)
        assert known != pytest.approx(await weights(other, messages("you are off")), abs=0.01)


async def test_first_tokens_are_weighed(engine: ChatModel) -> None:
    found = await weights(engine, messages("Hello"))
    assert 5 < len(found) <= 20
    assert all(value < 0 for value in found.values())


async def test_temperature_zero_always_writes_the_same(engine: ChatModel) -> None:
    said = messages("Hello")
    answers = {text(await ask(engine, said, max_tokens=12, temperature=0.0)) for _ in range(3)}
    assert len(answers) == 1
    wild = {text(await ask(engine, said, max_tokens=12, temperature=2.0)) for _ in range(3)}
    assert len(wild) > 1


async def test_an_answer_keeps_to_a_schema(engine: ChatModel) -> None:
    schema = {
        "type": "object",
        "properties": {"on": {"type": "boolean"}, "room": {"enum": ["kitchen", "hall"]}},
        "required": ["on", "room"],
        "additionalProperties": False,
    }
    pieces = await ask(engine, messages("Hello"), schema=schema, max_tokens=300)
    jsonschema.validate(json.loads(text(pieces)), schema)
    assert isinstance(pieces[-1], Ended)
    assert pieces[-1].reason == "stop"


async def test_letters_that_are_several_tokens_arrive_whole(engine: ChatModel) -> None:
    pieces = await ask(engine, messages("Hello"), schema={"const": "né 日本"}, max_tokens=50)
    assert json.loads(text(pieces)) == "né 日本"
    assert "\ufffd" not in text(pieces)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/nowhere"},
        {"type": "string", "pattern": "^(?=x)$"},
        {"type": "string", "pattern": "^x*+$"},
        {"type": "array", "maxItems": 2000, "items": {"type": "string"}},
        {"type": "string", "maxLength": 99_999},
    ],
)
async def test_a_schema_that_cannot_be_kept_to_is_refused(
    engine: ChatModel, schema: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported, match="schema"):
        await ask(engine, messages("Hello"), schema=schema)
    assert (await end(engine, messages("Hello"), max_tokens=1)).reason == "length"


async def test_a_call_that_the_model_writes_is_one(engine: ChatModel) -> None:
    """Random weights call nothing by themselves, so a schema leads them."""
    call = {"name": {"const": "turn_on"}, "parameters": {"const": {"name": "light"}}}
    schema = {"type": "object", "properties": call, "required": list(call)}
    pieces = await ask(engine, messages("Hello"), tools=[TOOL], schema=schema, max_tokens=300)
    called, ended = pieces
    assert isinstance(called, Called)
    assert (called.call.name, called.call.arguments) == ("turn_on", {"name": "light"})
    assert isinstance(ended, Ended)
    assert ended.reason == "tool_calls"


async def test_tools_are_part_of_the_prompt(engine: ChatModel) -> None:
    without = (await end(engine, messages("Hello"), prepare=True)).usage.prompt or 0
    usage = (await end(engine, messages("Hello"), prepare=True, tools=[TOOL])).usage
    assert (usage.prompt or 0) > without + 50


@pytest.mark.parametrize(
    ("template", "more", "error", "words"),
    [
        (TEMPLATE, {"model": "other"}, UnknownModel, "has tiny, not other"),
        ("{{ messages[0].content }}", {"tools": [TOOL]}, Unsupported, "tiny cannot call tools"),
        ("{{ raise_exception('after you') }}", {}, BadRequest, "after you"),
        ("{{ messages[0].content.x.y }}", {}, BadRequest, "does not take"),
    ],
)
async def test_what_a_model_cannot_take_is_said(
    tmp_path: Path, template: str, more: dict[str, Any], error: type[UnitError], words: str
) -> None:
    async with loaded(write_gguf(tmp_path / "x.gguf", template=template)) as engine:
        with pytest.raises(error, match=words):
            await ask(engine, messages("Hello"), **more)


async def test_pictures_are_refused(engine: ChatModel) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(Unsupported, match="text only"):
        await ask(engine, [{"role": "user", "content": [picture]}])


async def test_a_client_that_leaves_stops_the_reading(wide_file: Path) -> None:
    """Also in the middle of a batch: these prompts are one each."""

    def long(begin: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": begin + RULES}]

    short = [{"role": "user", "content": "Hello"}]
    async with loaded(wide_file) as engine, loaded(wide_file) as other:
        took = []
        for begin in "abc":
            began = perf_counter()
            await ask(engine, long(begin), prepare=True)
            took.append(perf_counter() - began)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(engine, long("d")), min(took) / 10)
        began = perf_counter()
        after = await weights(engine, short)
        assert perf_counter() - began < min(took) / 2
        assert after == pytest.approx(await weights(other, short), abs=0.01)


async def test_a_client_that_leaves_stops_the_writing(wide_file: Path) -> None:
    async with loaded(wide_file) as engine:
        written = 0
        began = perf_counter()
        async with aclosing(
            engine.chat(ChatRequest(messages=messages("Hello"), temperature=2.0))
        ) as pieces:
            async for _ in pieces:
                written += 1
                if written == 5:
                    break
        five = perf_counter() - began
        await ask(engine, messages("Hello"), prepare=True)
        assert perf_counter() - began < 5 * five, "it would have written thousands"


async def test_a_model_can_be_loaded_again(file: Path) -> None:
    engine = made(file)
    for _ in range(2):
        await asyncio.to_thread(engine.load)
        assert (await end(engine, messages("Hello"), max_tokens=1)).usage.cached == 0
        await asyncio.to_thread(engine.close)
    with pytest.raises(EngineFailed, match="not loaded"):
        await ask(engine, messages("Hello"))
