"""The lane in front of an engine: its loading, its worker threads and a bounded queue."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from wyoming_units.engines.base import Engine
from wyoming_units.errors import Busy, EngineFailed, Loading, UnitError

_LOGGER = logging.getLogger(__name__)
_LOADING = threading.Lock()
"""Engines load one after the other: a library with circular imports, as hassil is, can deadlock when
two threads import it at once."""

E = TypeVar("E", bound=Engine)
T = TypeVar("T")


class Closable(Protocol):
    """A per-request object of an engine."""

    def close(self) -> None:
        """Give back what it holds."""


C = TypeVar("C", bound=Closable)


class Lane(Generic[E]):
    """Runs the blocking calls of one engine in its threads, first come first served.

    Callers that come while the engine loads wait too. With `depth` callers waiting or served, the next
    gets `Busy` (`Loading` while the engine loads) at once.
    """

    def __init__(self, engine: E, *, depth: int = 64) -> None:
        self.engine = engine
        self._depth = depth
        self._inside = 0
        self._threads = ThreadPoolExecutor(
            max_workers=engine.info.parallel, thread_name_prefix=engine.info.name
        )
        self._loaded: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        """Return True when the engine could not load."""
        task = self._loaded
        return task is not None and task.done() and not task.cancelled() and bool(task.exception())

    @property
    def _ready(self) -> bool:
        return self._loaded is not None and self._loaded.done()

    def load(self) -> asyncio.Task[None]:
        """Begin to load the engine; the task ends when that has succeeded or failed."""
        self._loaded = asyncio.create_task(self._load())
        return self._loaded

    async def _load(self) -> None:
        name = self.engine.info.name
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await loop.run_in_executor(self._threads, self._load_alone)
        except UnitError as err:
            _LOGGER.error("engine %s cannot be loaded: %s", name, err)
            raise
        except Exception as err:
            _LOGGER.exception("engine %s cannot be loaded", name)
            raise EngineFailed(f"engine {name} cannot be loaded") from err
        _LOGGER.info("engine %s is ready after %.2f s", name, loop.time() - began)

    def _load_alone(self) -> None:
        with _LOADING:
            self.engine.load()

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run one blocking call.

        A cancelled caller whose call already runs still waits for its end: what the call uses is
        closed next, and must not be closed under it.
        """
        if self._inside >= self._depth:
            full = f"{self._depth} requests wait for {self.engine.info.name}"
            raise Busy(full) if self._ready else Loading(f"the engine is loading, {full}")
        self._inside += 1
        try:
            if self._loaded is None:
                raise Loading(f"engine {self.engine.info.name} is not loaded")
            await asyncio.shield(self._loaded)
            running = self._threads.submit(function, *args)
            result = asyncio.wrap_future(running)
            try:
                return await asyncio.shield(result)
            except asyncio.CancelledError:
                if not running.cancel():
                    await asyncio.wait({result})
                raise
        finally:
            self._inside -= 1

    async def stream(
        self, produce: Callable[[Callable[[T], bool]], None]
    ) -> AsyncGenerator[T, None]:
        """Run `produce(emit)` and yield what it emits; `emit` returns False once nobody listens."""
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[T | None] = asyncio.Queue()
        left = threading.Event()

        def emit(item: T) -> bool:
            if not left.is_set():
                loop.call_soon_threadsafe(items.put_nowait, item)
            return not left.is_set()

        job = asyncio.ensure_future(self.call(produce, emit))
        job.add_done_callback(lambda _: items.put_nowait(None))
        try:
            while (item := await items.get()) is not None:
                yield item
            await job
        finally:
            left.set()
            job.cancel()

    @asynccontextmanager
    async def session(self, start: Callable[[], C]) -> AsyncIterator[C]:
        """Give a per-request object of the engine and close it afterwards, in a worker both."""
        made: list[C] = []
        try:
            await self.call(lambda: made.append(start()))
            yield made[0]
        finally:
            for item in made:
                self._threads.submit(item.close)

    async def close(self) -> None:
        """Let running calls end and close the engine."""
        if self._loaded is not None:
            self._loaded.cancel()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, lambda: self._threads.shutdown(cancel_futures=True))
        await loop.run_in_executor(None, self.engine.close)
