"""A language model that answers by a script, in a real node on a real socket."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from wyoming_units.chat.exchange import ChatRequest, Delta, Ended, Said, Usage
from wyoming_units.engines import ENGINES, EngineRow
from wyoming_units.engines.base import Attribution, EngineInfo, Model
from wyoming_units.node import Node

from .conftest import running
from .raw import Raw, raw

_NOBODY = Attribution(name="tests", url="https://example.org")

Step = Delta | asyncio.Event | Exception
"""A piece of an answer, something to wait for, or an error."""
HELLO: Sequence[Step] = (
    Said("Hello"),
    Said(" world."),
    Ended("stop", Usage(prompt=10, completion=2, cached=4)),
)
USER = {"role": "user", "content": "Hi"}


class ScriptedModel:
    """Gives one script after the other, `HELLO` where there is none; knows what it was asked."""

    def __init__(
        self,
        *scripts: Sequence[Step],
        name: str = "scripted",
        parallel: int = 4,
        context_length: int | None = None,
        languages: tuple[str, ...] = (),
    ) -> None:
        self.scripts = deque(scripts)
        self.requests: list[ChatRequest] = []
        self.asked = asyncio.Event()
        """Set with each request."""
        self.freed = asyncio.Event()
        """Set when an answer ended or was closed."""
        self.at_once = 0
        """Answers that are being written."""
        self.most_at_once = 0
        self.closed = False
        model = Model(
            name=f"{name}-7b",
            languages=languages,
            description="A script",
            attribution=_NOBODY,
            supports_tools=True,
            supports_images=True,
            supports_choices=True,
            context_length=context_length,
        )
        self.info = EngineInfo(
            name=name,
            description="",
            version="1",
            attribution=_NOBODY,
            models=(model,),
            parallel=parallel,
        )

    def load(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.asked.set()
        try:
            for step in self.scripts.popleft() if self.scripts else HELLO:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.at_once -= 1
            self.freed.set()


@asynccontextmanager
async def node_with(
    folder: Path, *models: ScriptedModel, units: Sequence[str] = (), **settings: Any
) -> AsyncIterator[Node]:
    """Run a node with scripted models, and other units where they are named."""
    rows, modules = {}, {}
    for model in models:
        name = model.info.name
        module = ModuleType(name)
        module.make = lambda model=model: model  # type: ignore[attr-defined]
        modules[f"wyoming_units.engines.{name}"] = module
        rows[name] = EngineRow(kind="llm", module=name, factory="make", requires=(), extra="")
    named = [*units, *(f"llm={name}" for name in rows)]
    with patch.dict(ENGINES, rows), patch.dict(sys.modules, modules):
        async with running(folder, units=named, **settings) as node:
            yield node


@asynccontextmanager
async def talking(folder: Path, *models: ScriptedModel, **settings: Any) -> AsyncIterator[Raw]:
    """Run a node with scripted models; yield a peer."""
    async with node_with(folder, *models, **settings) as node, raw(node.port) as peer:
        yield peer


async def chat(peer: Raw, **data: Any) -> list[dict[str, Any]]:
    """Return the answers to a `chat`, up to its end or an error."""
    await peer.event("chat", {"messages": [USER], **data})
    return await ending(peer)


async def ending(peer: Raw) -> list[dict[str, Any]]:
    """Return the answers up to the end of a chat or an error."""
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1]["type"] not in ("chat-stop", "error"):
        frame = await peer.frame()
        assert frame is not None, f"hung up after {answers}"
        answers.append(frame)
    return answers


def text_of(answers: Sequence[dict[str, Any]]) -> str:
    """Return what was said in answers."""
    return "".join(answer.get("text", "") for answer in answers if answer["type"] == "chat-chunk")
