"""The lane in front of an engine: its loading, its worker threads and a bounded, fair queue."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from wyoming_units.engines.base import Engine
from wyoming_units.errors import Busy, EngineFailed, Loading, UnitError
from wyoming_units.observe.process import resident_memory
from wyoming_units.units.queue import FairQueue

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


@dataclass(eq=False)
class _Call:
    work: Callable[[], Any] | None
    """None: a place that is taken without a thread, until it is given back."""
    answer: asyncio.Future[Any]
    thread: int | None = None
    """In which it runs."""
    given_up: bool = False
    """Whether nobody waits for it any more."""


@dataclass
class Counts:
    """What a lane did so far, in calls."""

    served: int = 0
    refused: int = 0
    """For which there was no room."""
    failed: int = 0
    """That ended with an error which is no answer to a bad request."""


class Lane(Generic[E]):
    """Runs the blocking calls of one engine in its threads; the clients that wait take turns.

    The first call loads the engine, where `load` has not; callers that come while it loads wait too.
    Beyond `depth` calls that wait, one gets `Busy` (`Loading` while the engine loads) at once: the newest
    of the client with most of them. After `keep_alive` seconds without use the engine is freed.
    """

    def __init__(
        self, kind: str, engine: E, *, depth: int = 64, keep_alive: float | None = None
    ) -> None:
        self.kind = kind
        self.name = engine.info.name
        self.engine = engine
        self.changed: Callable[[], None] = lambda: None
        """Called when the engine has loaded, failed or been freed."""
        self._keep_alive = keep_alive
        self._counts = Counts()
        self._running = 0
        self._sessions = 0
        self._idle: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Future[None] | None = None
        self._used_up: asyncio.Future[None] | None = None
        self._load_ms: float | None = None
        self._memory: int | None = None
        self._depth = depth
        self._slots = engine.info.parallel
        self._queue: FairQueue[_Call] = FairQueue(depth)
        self._threads = ThreadPoolExecutor(max_workers=self._slots, thread_name_prefix=self.name)
        self._loop: asyncio.AbstractEventLoop
        self._loaded: asyncio.Task[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()

    @property
    def failed(self) -> bool:
        """Return True when the engine could not load."""
        task = self._loaded
        return task is not None and task.done() and not task.cancelled() and bool(task.exception())

    @property
    def ready(self) -> bool:
        """Return True when the engine is loaded."""
        return self._loaded is not None and self._loaded.done() and not self.failed

    def state(self) -> dict[str, Any]:
        """Return what the lane is doing, as a `stats` event tells it; memory in bytes."""
        models = self.engine.info.models
        state = "unloaded" if self._loaded is None else "loading"
        report = getattr(self.engine, "report", None)
        return {
            "unit": self.kind,
            "name": self.name,
            "model": models[0].name if len(models) == 1 else None,
            "state": "ready" if self.ready else "failed" if self.failed else state,
            "load_ms": self._load_ms,
            "memory": self._memory,
            "waiting": len(self._queue),
            "running": self._running,
            **asdict(self._counts),
            **({"details": dict(report)} if report and self.ready else {}),
        }

    # -- loading

    def load(self) -> asyncio.Task[None]:
        """Begin to load the engine; the task ends when that has succeeded or failed."""
        self._loop = asyncio.get_running_loop()
        self._loaded = asyncio.create_task(self._load())
        self._loaded.add_done_callback(self._settle)
        return self._loaded

    async def _load(self) -> None:
        if self._unloading is not None:
            await self._unloading
        began = self._loop.time()
        try:
            await self._loop.run_in_executor(self._threads, self._load_alone)
        except UnitError as err:
            _LOGGER.error("engine %s cannot be loaded: %s", self.name, err)
            raise
        except Exception as err:
            _LOGGER.exception("engine %s cannot be loaded", self.name)
            raise EngineFailed(f"engine {self.name} cannot be loaded") from err
        self._load_ms = round((self._loop.time() - began) * 1000, 1)
        _LOGGER.info("engine %s is ready after %.0f ms", self.name, self._load_ms)

    def _load_alone(self) -> None:
        with _LOADING:
            before = resident_memory()
            self.engine.load()
            self._memory = max(0, resident_memory() - before)

    def _settle(self, loaded: asyncio.Task[None]) -> None:
        """Serve those who waited for the engine, or tell them that it failed."""
        self.changed()
        if self.ready and not loaded.cancelled():
            self._serve()
            self._rest()
            return
        while call := self._queue.pop():
            if loaded.cancelled():
                call.answer.cancel()
            elif not call.answer.done() and (error := loaded.exception()):
                call.answer.set_exception(error)

    # -- unloading

    @property
    def _in_use(self) -> bool:
        return bool(self._running or self._sessions or self._queue)

    def _rest(self) -> None:
        """Begin to count the seconds without use; called after each of them."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._in_use:
            return
        if self._used_up is not None and not self._used_up.done():
            self._used_up.set_result(None)
        if self._keep_alive is not None and self.ready:
            self._idle = self._loop.call_later(self._keep_alive, self._unload)

    def _unload(self) -> None:
        if self._in_use or not self.ready:
            return
        self._loaded = self._memory = None
        self._unloading = self._loop.run_in_executor(self._threads, self.engine.close)
        _LOGGER.info("engine %s was not used for %g s: freed", self.name, self._keep_alive)
        self.changed()

    async def retire(self) -> None:
        """Close as soon as nobody uses the engine any more; the last stream may take hours."""
        if self._in_use:
            self._used_up = asyncio.get_running_loop().create_future()
            await self._used_up
        await self.close()

    # -- calls

    async def call(self, client: str, function: Callable[..., T], *args: Any) -> T:
        """Run one blocking call when it is the turn of `client`.

        A cancelled caller whose call already runs still waits for its end, which an engine that can be
        interrupted brings about: what the call uses is closed next, and must not be closed under it.
        """
        call = self._enqueue(client, partial(function, *args))
        try:
            await asyncio.wait({call.answer})
        except asyncio.CancelledError:
            if not self._queue.remove(client, call):
                self._give_up(call)
                await asyncio.wait({call.answer})
                if not call.answer.cancelled():
                    call.answer.exception()  # looked at: it is nobody's any more
            raise
        answer: T = call.answer.result()
        return answer

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for the turn of `client`, and keep one of the engine's places for calls that do not block."""
        call = self._enqueue(client, None)
        try:
            await asyncio.wait({call.answer})
        except asyncio.CancelledError:
            self._queue.remove(client, call)
            if call.answer.done() and not call.answer.cancelled() and not call.answer.exception():
                self._leave()
            raise
        call.answer.result()
        error: BaseException | None = None
        try:
            yield
        except BaseException as err:
            error = err
            raise
        finally:
            self._counts.served += 1
            self._counts.failed += error is not None and _is_failure(error)
            self._leave()

    def aside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do what can be left undone, where a place is free; a call that waits for one, and `close`, end it."""
        if not self.ready or self._queue or self._running >= self._slots:
            return
        self._running += 1
        task = self._loop.create_task(work())
        self._asides.add(task)
        task.add_done_callback(self._leave_aside)

    def _leave_aside(self, task: asyncio.Task[None]) -> None:
        self._asides.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _LOGGER.error("work beside the calls of %s failed", self.name, exc_info=error)
        self._leave()

    def _enqueue(self, client: str, work: Callable[[], Any] | None) -> _Call:
        """Let a call wait for its turn; loads the engine, raises what kept it from loading."""
        loaded = self._loaded or self.load()
        if loaded.done():
            loaded.result()
        call = _Call(work, self._loop.create_future())
        if (refused := self._queue.push(client, call)) is not None:
            self._refuse(refused)
        self._serve()
        if self._queue:
            for aside in self._asides:
                aside.cancel()
        return call

    def _leave(self) -> None:
        """Give a place back."""
        self._running -= 1
        self._serve()
        self._rest()

    def _refuse(self, call: _Call) -> None:
        self._counts.refused += 1
        full = f"{self._depth} requests wait for {self.name}"
        error = Busy(full) if self.ready else Loading(f"the engine is loading, {full}")
        call.answer.set_exception(error)

    def _serve(self) -> None:
        """Give waiting calls to idle threads."""
        while self.ready and self._running < self._slots and (call := self._queue.pop()):
            self._running += 1
            if call.work is None:
                call.answer.set_result(None)
            else:
                self._threads.submit(self._run, call)

    def _give_up(self, call: _Call) -> None:
        call.given_up = True
        interrupt = getattr(self.engine, "interrupt", None)
        if interrupt is not None and call.thread is not None:
            interrupt(call.thread)

    def _run(self, call: _Call) -> None:
        assert call.work is not None
        call.thread = threading.get_ident()
        try:
            result, error = None if call.given_up else call.work(), None
        except BaseException as err:  # noqa: BLE001  whoever waits gets it
            result, error = None, err
        self._loop.call_soon_threadsafe(self._finish, call, result, error)

    def _finish(self, call: _Call, result: Any, error: BaseException | None) -> None:
        self._running -= 1
        self._counts.served += 1
        if error is None:
            call.answer.set_result(result)
        else:
            self._counts.failed += _is_failure(error) and not call.given_up
            call.answer.set_exception(error)
        self._serve()
        self._rest()

    async def stream(
        self, client: str, produce: Callable[[Callable[[T], bool]], None]
    ) -> AsyncGenerator[T, None]:
        """Run `produce(emit)` and yield what it emits; `emit` returns False once nobody listens."""
        items: asyncio.Queue[T | None] = asyncio.Queue()
        left = threading.Event()

        def emit(item: T) -> bool:
            if not left.is_set():
                self._loop.call_soon_threadsafe(items.put_nowait, item)
            return not left.is_set()

        job = asyncio.ensure_future(self.call(client, produce, emit))
        job.add_done_callback(lambda _: items.put_nowait(None))
        try:
            while (item := await items.get()) is not None:
                yield item
            await job
        finally:
            left.set()
            job.cancel()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the engine from being freed or closed between several calls of one request."""
        self._sessions += 1
        try:
            yield
        finally:
            self._sessions -= 1
            self._rest()

    @asynccontextmanager
    async def session(self, client: str, start: Callable[[], C]) -> AsyncIterator[C]:
        """Give a per-request object of the engine and close it afterwards, in a worker both."""
        made: list[C] = []
        with self.hold():
            try:
                await self.call(client, lambda: made.append(start()))
                yield made[0]
            finally:
                for item in made:
                    self._threads.submit(item.close)

    async def close(self) -> None:
        """Let running calls end and close the engine."""
        asides = tuple(self._asides)
        for aside in asides:
            aside.cancel()
        await asyncio.gather(*asides, return_exceptions=True)
        if self._idle is not None:
            self._idle.cancel()
        if self._loaded is not None:
            self._loaded.cancel()
        while call := self._queue.pop():
            call.answer.cancel()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, lambda: self._threads.shutdown(cancel_futures=True))
        await loop.run_in_executor(None, self.engine.close)


def _is_failure(error: BaseException) -> bool:
    """Return whether an engine broke, rather than refused a request or lost its client."""
    if isinstance(error, UnitError):
        return isinstance(error, EngineFailed)
    return isinstance(error, Exception) and not isinstance(error, OSError)
