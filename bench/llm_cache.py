"""Measures how soon a real llama-server answers when it knows the beginning of the prompt, and when it does not.

    .venv/bin/python -m bench.llm_cache [--rounds N] [--threads N]

The server runs a model of random weights through the engine that nodes use. Each round has a system prompt of its
own, of some 2000 tokens: a first turn; a second one that goes on with it; the same second one after the first word
of the system prompt has changed, as a clock in it would; and the first turn of another prompt that was sent with
`prepare` before, as it is while the user still speaks. Prints medians of the time to the first token, of the tokens
that were read for it, and of its share of the same round's first turn. The first call builds llama.cpp
(script/llama), which takes minutes.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from tests.integration.llama_builds import build, llama_server
from tests.integration.tiny_gguf import Size, write_gguf
from wyoming_units.chat.exchange import ChatRequest, Ended
from wyoming_units.engines.openai import OpenAiChat

RULES = "You are the light in the kitchen, and you are on or off. " * 90
QUESTION = {"role": "user", "content": "Hello, are you on?"}
MORE = (
    {"role": "assistant", "content": "the light is on"},
    {"role": "user", "content": "And now?"},
)
ROWS = ("first turn", "second turn", "second turn, changed", "first turn, prepared")


@dataclass(frozen=True)
class Result:
    """One answer."""

    seconds: float
    """To its first token."""
    read: int
    """Tokens of the prompt that were not known."""


async def ask(
    engine: OpenAiChat, messages: Sequence[dict[str, Any]], *, prepare: bool = False
) -> Result:
    """Return how soon an answer begins."""
    request = ChatRequest(messages=messages, max_tokens=4, prepare=prepare, session="bench")
    first = None
    began = perf_counter()
    async for piece in engine.chat(request):
        first = first or perf_counter()
        if isinstance(piece, Ended):
            return Result(first - began, (piece.usage.prompt or 0) - (piece.usage.cached or 0))
    raise RuntimeError("the answer has no end")


async def one_round(engine: OpenAiChat, number: int) -> list[Result]:
    """Return the results of the rows."""

    def rules(word: str) -> dict[str, Any]:
        return {"role": "system", "content": f"{word} {number}: {RULES}"}

    first = await ask(engine, [rules("One"), QUESTION])
    second = await ask(engine, [rules("One"), QUESTION, *MORE])
    changed = await ask(engine, [rules("Two"), QUESTION, *MORE])
    await ask(engine, [rules("Three")], prepare=True)
    prepared = await ask(engine, [rules("Three"), QUESTION])
    return [first, second, changed, prepared]


def show(rounds: Sequence[Sequence[Result]]) -> None:
    """Print the table."""
    print(f"{'':22} {'first token':>11} {'read':>6} {'of the first':>12}")
    for row, name in enumerate(ROWS):
        seconds = median(results[row].seconds for results in rounds)
        share = median(results[row].seconds / results[0].seconds for results in rounds)
        read = median(results[row].read for results in rounds)
        print(f"{name:22} {seconds * 1000:8.0f} ms {read:6.0f} {share:12.3f}")


async def main() -> None:
    """Run the server and all rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    built = await asyncio.to_thread(build)
    with TemporaryDirectory() as folder:
        model = write_gguf(Path(folder) / "model.gguf", Size(layers=8, width=512, heads=8))
        settings = ("--parallel", "1", "--ctx-size", "8192", "--threads", str(options.threads))
        async with llama_server(built, model, *settings) as url:
            engine = OpenAiChat(url=url)
            await asyncio.to_thread(engine.load)
            await ask(engine, [QUESTION])
            rounds = [await one_round(engine, number) for number in range(options.rounds)]
            await asyncio.to_thread(engine.close)
    show(rounds)


if __name__ == "__main__":
    asyncio.run(main())
