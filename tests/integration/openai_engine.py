"""The OpenAI-compatible engine beside a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.model_server import Kind, ModelServer
from wyoming_units.chat.exchange import ChatRequest, Delta, Usage
from wyoming_units.engines.openai import OpenAiChat

USER = {"role": "user", "content": "Wie spät ist es?"}
HELLO = ChatRequest(messages=[USER])
USAGE = Usage(prompt=12, completion=3, cached=8)
TOOLS = [{"type": "function", "function": {"name": "turn_on", "parameters": {"type": "object"}}}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SCHEMA = {"type": "object", "properties": {"on": {"type": "boolean"}}}


@asynccontextmanager
async def talking(
    kind: Kind = "plain", options: dict[str, Any] | None = None, **about: Any
) -> AsyncIterator[tuple[ModelServer, OpenAiChat]]:
    """Run a server and an engine that has loaded."""
    async with ModelServer(kind, **about) as server:
        engine = OpenAiChat(url=server.url, **(options or {}))
        await asyncio.to_thread(engine.load)
        try:
            yield server, engine
        finally:
            await asyncio.to_thread(engine.close)


async def ask(engine: OpenAiChat, request: ChatRequest = HELLO) -> list[Delta]:
    return [piece async for piece in engine.chat(request)]
