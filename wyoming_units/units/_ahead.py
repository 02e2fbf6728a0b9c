"""Stages of work that run ahead of each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def ahead(source: AsyncGenerator[T, None], most: int = 0) -> AsyncGenerator[T, None]:
    """Yield what `source` yields while it goes on in a task, at most so many items ahead (0: any).

    A failure of `source` comes at once, before what waits; closing this closes `source`.
    """
    items: asyncio.Queue[T | None] = asyncio.Queue(most)

    async def pump() -> None:
        async with aclosing(source):
            async for item in source:
                await items.put(item)

    def ended(_: asyncio.Task[None]) -> None:
        if items.empty():  # else who reads the last item sees that the task is done
            items.put_nowait(None)

    task = asyncio.create_task(pump())
    task.add_done_callback(ended)
    try:
        while not (task.done() and items.empty()):
            item = await items.get()
            if task.done():
                task.result()
            if item is not None:
                yield item
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at: nobody waits for it any more
