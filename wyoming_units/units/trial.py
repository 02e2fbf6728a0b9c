"""Work that is done on trial while a speaker is silent, and thrown away when speech goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from wyoming_units.speech.turn import Turn

T = TypeVar("T")


class Trial(Generic[T]):
    """Computes something of what was said up to a silence; at most one computation counts at a time."""

    def __init__(self, after: float, compute: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Begin `compute` after so many seconds of silence; called, it takes the audio that there is."""
        self._after = after
        self._compute = compute
        self._task: asyncio.Task[T] | None = None
        self._heard = 0.0

    def follow(self, turn: Turn) -> None:
        """Begin with a new silence, and throw away what speech has made untrue."""
        if not self.news(turn):
            return
        self.drop()
        if not turn.speaking and turn.quiet.lasted(self._after):
            self._heard = turn.spoken_until
            self._task = asyncio.create_task(self._compute())

    def news(self, turn: Turn) -> bool:
        """Return whether something was said that nothing was computed of."""
        return turn.spoken_until > self._heard

    @property
    def begun(self) -> bool:
        """Return whether a computation counts, finished or not."""
        return self._task is not None

    @property
    def result(self) -> T | None:
        """Return what was computed; None where nothing is, or not yet, and after a failure."""
        task = self._task
        done = task is not None and task.done() and not task.cancelled()
        return task.result() if task is not None and done and task.exception() is None else None

    async def final(self) -> T:
        """Return the result for all that was said: the one on trial, or else one computed now."""
        if self._task is None:
            self._task = asyncio.create_task(self._compute())
        return await self._task

    def drop(self) -> None:
        """Throw away what was computed or still is."""
        if self._task is not None:
            self._task.cancel()
            self._task.add_done_callback(_look)
            self._task = None


def _look(task: asyncio.Task[Any]) -> None:
    """Look at a failure that is nobody's any more, or asyncio would log it."""
    if not task.cancelled():
        task.exception()
