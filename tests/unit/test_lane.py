"""The lane in front of an engine: loading, order, bounds and what a client that leaves sets free."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing

import pytest

from wyoming_units.engines.base import Attribution, EngineInfo
from wyoming_units.errors import Busy, EngineFailed, Loading, Unsupported
from wyoming_units.units.lane import Lane

ME = "10.0.0.1"
OTHER = "10.0.0.2"


class Engine:
    """Loads when it is let, and makes objects that know whether they were closed."""

    def __init__(self, *, parallel: int = 1, failure: Exception | None = None) -> None:
        self.info = EngineInfo(
            name="test",
            description="",
            version="1",
            attribution=Attribution(name="", url=""),
            models=(),
            parallel=parallel,
        )
        self.may_load = threading.Event()
        self.failure = failure
        self.closed = False

        self.loads = 0

    def load(self) -> None:
        self.may_load.wait(5)
        self.loads += 1
        self.closed = False
        if self.failure:
            raise self.failure

    def close(self) -> None:
        self.closed = True


class Session:
    """Says when it is used and refuses to be used when closed."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.closed = threading.Event()

    def work(self) -> bool:
        self.entered.set()
        self.release.wait(5)
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()


def ready(*, parallel: int = 1, depth: int = 64, keep_alive: float | None = None) -> Lane[Engine]:
    """Return a lane whose engine loads at once."""
    engine = Engine(parallel=parallel)
    engine.may_load.set()
    lane = Lane("test", engine, depth=depth, keep_alive=keep_alive)
    lane.load()
    return lane


async def until(event: threading.Event) -> None:
    """Wait for a thread."""
    assert await asyncio.to_thread(event.wait, 5)


async def test_callers_wait_while_the_engine_loads() -> None:
    engine = Engine()
    lane = Lane("test", engine)
    lane.load()
    call = asyncio.create_task(lane.call(ME, lambda: "answer"))
    await asyncio.sleep(0.05)
    assert not call.done()
    engine.may_load.set()
    assert await call == "answer"
    await lane.close()
    assert engine.closed


async def test_too_many_callers_are_told_that_the_engine_loads_or_is_busy() -> None:
    engine = Engine()
    lane = Lane("test", engine, depth=1)
    lane.load()
    release = threading.Event()
    first = asyncio.create_task(lane.call(ME, release.wait, 5))
    await asyncio.sleep(0)
    with pytest.raises(Loading):
        await lane.call(ME, int)
    engine.may_load.set()
    await asyncio.sleep(0.05)
    second = asyncio.create_task(lane.call(ME, int))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await lane.call(ME, int)
    assert lane.state() | {"load_ms": 0, "memory": 0} == {
        "unit": "test",
        "name": "test",
        "state": "ready",
        "load_ms": 0,
        "model": None,
        "memory": 0,
        "waiting": 1,
        "running": 1,
        "served": 0,
        "refused": 2,
        "failed": 0,
    }
    release.set()
    assert (await first, await second) == (True, 0)
    assert lane.state()["served"] == 2
    await lane.close()


async def test_a_client_with_one_call_does_not_wait_behind_all_of_a_client_with_many() -> None:
    lane = ready()
    await lane.call(ME, int)  # loaded
    release, order = threading.Event(), list[str]()
    running = asyncio.create_task(lane.call(ME, release.wait, 5))
    calls = [asyncio.create_task(lane.call(ME, order.append, "many")) for _ in range(10)]
    await asyncio.sleep(0)
    calls.append(asyncio.create_task(lane.call(OTHER, order.append, "one")))
    await asyncio.sleep(0.05)
    release.set()
    await asyncio.gather(running, *calls)
    assert order.index("one") == 1
    await lane.close()


async def test_who_fills_the_queue_makes_room_for_another_client() -> None:
    lane = ready(depth=3)
    await lane.call(ME, int)  # loaded
    release = threading.Event()
    running = asyncio.create_task(lane.call(ME, release.wait, 5))
    await asyncio.sleep(0)
    calls = [asyncio.create_task(lane.call(ME, int)) for _ in range(3)]
    await asyncio.sleep(0)
    other = asyncio.create_task(lane.call(OTHER, int))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await calls[-1]
    release.set()
    assert await asyncio.gather(running, *calls[:-1], other) == [True, 0, 0, 0]
    await lane.close()


async def test_only_failures_of_the_engine_are_counted_as_failed() -> None:
    lane = ready()

    def fail(error: Exception) -> None:
        raise error

    for error in (ZeroDivisionError("a bug"), EngineFailed("broken"), Unsupported("no such")):
        with pytest.raises(type(error)):
            await lane.call(ME, fail, error)
    assert (lane.state()["served"], lane.state()["failed"]) == (3, 2)
    await lane.close()


async def test_closing_ends_those_who_wait() -> None:
    engine = Engine()
    lane = Lane("test", engine)
    lane.load()
    waiting = asyncio.create_task(lane.call(ME, int))
    await asyncio.sleep(0.01)
    engine.may_load.set()
    closing = asyncio.create_task(lane.close())
    await asyncio.wait({waiting}, timeout=1)
    assert waiting.cancelled()
    await closing
    assert engine.closed


@pytest.mark.parametrize(
    ("failure", "told"),
    [(Unsupported("no such file"), Unsupported), (ZeroDivisionError("a bug"), EngineFailed)],
)
async def test_a_failed_load_is_told_to_every_caller(
    failure: Exception, told: type[Exception]
) -> None:
    engine = Engine(failure=failure)
    engine.may_load.set()
    lane = Lane("test", engine)
    loading = lane.load()
    for _ in range(2):
        with pytest.raises(told):
            await lane.call(ME, int)
    assert lane.failed
    await asyncio.wait({loading})
    await lane.close()


async def test_engines_load_one_after_the_other() -> None:
    loading: list[str] = []

    class Alone(Engine):
        def load(self) -> None:
            assert not loading, "another engine is loading"
            loading.append("")
            time.sleep(0.05)
            loading.clear()

    lanes = [Lane("test", Alone()) for _ in range(3)]
    await asyncio.gather(*(lane.load() for lane in lanes))
    for lane in lanes:
        await lane.close()


async def test_calls_of_one_thread_are_served_in_order() -> None:
    lane = ready()
    order: list[int] = []
    await asyncio.gather(*(lane.call(ME, order.append, number) for number in range(20)))
    assert order == list(range(20))
    await lane.close()


async def test_a_call_that_nobody_waits_for_any_more_does_not_run() -> None:
    lane = ready()
    release, ran = threading.Event(), threading.Event()
    first = asyncio.create_task(lane.call(ME, release.wait, 5))
    second = asyncio.create_task(lane.call(ME, ran.set))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.wait({second})
    release.set()
    await first
    await lane.call(ME, int)
    assert not ran.is_set()
    await lane.close()


async def test_a_session_is_not_closed_while_a_call_still_uses_it() -> None:
    lane = ready(parallel=2)
    session = Session()

    async def use() -> None:
        async with lane.session(ME, lambda: session) as mine:
            await lane.call(ME, mine.work)

    task = asyncio.create_task(use())
    await until(session.entered)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not session.closed.is_set()
    session.release.set()
    await asyncio.wait({task})
    await until(session.closed)
    await lane.close()


async def test_a_session_that_was_made_for_a_client_that_left_is_closed() -> None:
    lane = ready()
    making, release, session = threading.Event(), threading.Event(), Session()

    def make() -> Session:
        making.set()
        release.wait(5)
        return session

    async def use() -> None:
        async with lane.session(ME, make):
            pytest.fail("nobody is there")

    task = asyncio.create_task(use())
    await until(making)
    task.cancel()
    release.set()
    await asyncio.wait({task})
    await until(session.closed)
    await lane.close()


async def test_a_stream_gives_pieces_as_they_are_made() -> None:
    lane = ready()
    release = threading.Event()

    def produce(emit: Callable[[int], bool]) -> None:
        emit(1)
        release.wait(5)
        emit(2)

    got = []
    async with aclosing(lane.stream(ME, produce)) as pieces:
        async for piece in pieces:
            got.append(piece)
            release.set()
    assert got == [1, 2]
    await lane.close()


async def test_a_stream_that_nobody_reads_any_more_ends_in_the_engine() -> None:
    lane = ready()
    ended = threading.Event()

    def produce(emit: Callable[[int], bool]) -> None:
        while emit(0):
            pass
        ended.set()

    async with aclosing(lane.stream(ME, produce)) as pieces:
        async for _ in pieces:
            break
    await until(ended)
    await lane.close()


async def test_an_error_of_the_engine_reaches_who_reads_the_stream() -> None:
    lane = ready()

    def produce(emit: Callable[[int], bool]) -> None:
        emit(1)
        raise EngineFailed("half way")

    got = []
    with pytest.raises(EngineFailed, match="half way"):
        async with aclosing(lane.stream(ME, produce)) as pieces:
            got = [piece async for piece in pieces]
    assert got == []
    await lane.close()


async def test_an_engine_that_is_not_loaded_is_loaded_by_its_first_call() -> None:
    engine = Engine()
    engine.may_load.set()
    lane = Lane("test", engine)
    assert lane.state()["state"] == "unloaded"
    assert await lane.call(ME, lambda: engine.loads) == 1
    assert await lane.call(ME, lambda: engine.loads) == 1
    await lane.close()


async def test_an_engine_that_nobody_uses_is_freed_and_loaded_again_when_it_is_needed() -> None:
    lane = ready(keep_alive=0.05)
    states: list[str] = []
    freed = asyncio.Event()

    def changed() -> None:
        states.append(lane.state()["state"])
        if states[-1] == "unloaded":
            freed.set()

    lane.changed = changed
    await lane.call(ME, int)
    await asyncio.wait_for(freed.wait(), 5)
    assert await lane.call(ME, lambda: (lane.engine.closed, lane.engine.loads)) == (False, 2)
    assert states == ["ready", "unloaded", "ready"]
    await lane.close()


async def test_an_engine_is_not_freed_under_a_stream_or_a_call() -> None:
    lane = ready(keep_alive=0.01)
    async with lane.session(ME, Session) as session:
        await asyncio.sleep(0.05)
        assert lane.ready
        running = asyncio.create_task(lane.call(ME, session.work))
        await until(session.entered)
    await asyncio.sleep(0.05)
    assert lane.ready
    session.release.set()
    await running
    await asyncio.sleep(0.05)
    assert lane.state()["state"] == "unloaded"
    await lane.close()


async def test_a_lane_that_retires_serves_its_streams_to_the_end() -> None:
    lane = ready()
    async with lane.session(ME, Session) as session:
        session.release.set()
        retiring = asyncio.create_task(lane.retire())
        await asyncio.sleep(0.05)
        assert await lane.call(ME, session.work) is False
        assert not lane.engine.closed
    await asyncio.wait_for(retiring, 5)
    assert lane.engine.closed


async def test_the_memory_of_a_model_is_told() -> None:
    class Large(Engine):
        def load(self) -> None:
            self.weights = bytearray(b"x" * 50_000_000)

    lane = Lane("test", Large())
    await lane.load()
    assert 45e6 < lane.state()["memory"] < 60e6
    await lane.close()


async def test_an_engine_that_can_be_interrupted_is_when_its_caller_leaves() -> None:
    class Interruptible(Engine):
        def __init__(self) -> None:
            super().__init__()
            self.may_load.set()
            self.working, self.interrupted = threading.Event(), threading.Event()

        def work(self) -> None:
            self.working.set()
            assert self.interrupted.wait(5)
            raise EngineFailed("given up")

        def interrupt(self, thread: int) -> None:
            assert thread != threading.get_ident()
            self.interrupted.set()

    engine = Interruptible()
    lane = Lane("test", engine)
    call = asyncio.create_task(lane.call(ME, engine.work))
    await until(engine.working)
    call.cancel()
    await asyncio.wait({call}, timeout=1)
    assert call.cancelled()
    assert (lane.state()["served"], lane.state()["failed"]) == (1, 0)
    await lane.close()
