"""One answer as a model writes it: thoughts told apart, times taken."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter
from typing import Any

from wyoming_units.chat.exchange import Called, ChatRequest, Ended, Said, Thought, Weighed
from wyoming_units.chat.thinking import Thinking
from wyoming_units.engines.base import ChatModel
from wyoming_units.errors import EngineFailed
from wyoming_units.observe.timing import Timings

_FEWEST = 4
"""Pieces from which the speed of writing can be told."""


class Writing:
    """Asks a model and yields what it writes; knows afterwards how it ended and how long it took."""

    def __init__(self, timings: Timings) -> None:
        self.ended = Ended("stop")
        self._timings = timings
        self._pieces = 0
        self._first = self._last = 0.0

    async def pieces(
        self, engine: ChatModel, request: ChatRequest
    ) -> AsyncGenerator[Said | Thought | Called | Weighed, None]:
        """Yield the pieces of an answer; closing it ends the model's work. Raises what the engine raises."""
        thinking = Thinking(unopened=request.think)
        async with aclosing(engine.chat(request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Ended):
                    self.ended = delta
                    break
                self._count()
                if isinstance(delta, Said):
                    for piece in thinking.push(delta.text):
                        yield piece
                    continue
                if isinstance(delta, Thought):
                    thinking.unopened = False
                else:
                    for piece in thinking.flush():
                        yield piece
                yield delta
            else:
                raise EngineFailed("the model broke off")
        for piece in thinking.flush():
            yield piece

    def context(self) -> dict[str, Any]:
        """Return what took how long, and how many tokens were written in a second."""
        context: dict[str, Any] = self._timings.as_context()
        seconds = self._last - self._first
        if self._pieces >= _FEWEST and seconds > 0:
            tokens = self.ended.usage.completion or self._pieces
            # The first piece was written before the time that is measured.
            written = tokens * (self._pieces - 1) / self._pieces
            context["rate"] = round(written / seconds, 1)
        return context

    def _count(self) -> None:
        self._last = perf_counter()
        if not self._pieces:
            self._first = self._last
            self._timings.mark("first_token")
        self._pieces += 1
