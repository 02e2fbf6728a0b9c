"""Turns in a lane, of calls that do not block: places, order, bounds, and what can be left undone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from wyoming_units.errors import Busy, EngineFailed, Loading, TimedOut
from wyoming_units.units.lane import Lane

from .test_lane import ME, OTHER, Engine, ready


@asynccontextmanager
async def closing(lane: Lane[Engine]) -> AsyncIterator[Lane[Engine]]:
    try:
        yield lane
    finally:
        await lane.close()


class Turn:
    """Someone who takes a turn and keeps it until it is let go."""

    def __init__(self, lane: Lane[Engine], client: str = ME) -> None:
        self.got = asyncio.Event()
        self.let_go = asyncio.Event()
        self.error: Exception | None = None
        self._lane, self._client = lane, client
        self.task = asyncio.create_task(self._take())

    async def _take(self) -> None:
        async with self._lane.turn(self._client):
            self.got.set()
            await self.let_go.wait()
            if self.error:
                raise self.error

    async def end(self) -> None:
        self.let_go.set()
        await self.task


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def freed(lane: Lane[Engine]) -> bool:
    return lane.engine.closed


async def loaded(lane: Lane[Engine]) -> None:
    assert lane._loaded
    await lane._loaded


async def test_a_turn_waits_while_the_engine_loads_and_loads_it_where_nobody_has() -> None:
    engine = Engine()
    async with closing(Lane("test", engine)) as lane:
        turn = Turn(lane)
        await settled()
        assert not turn.got.is_set()
        engine.may_load.set()
        await asyncio.wait_for(turn.got.wait(), 5)
        assert engine.loads == 1
        await turn.end()


async def test_there_are_as_many_turns_as_places_and_clients_take_turns() -> None:
    async with closing(ready(parallel=2)) as lane:
        await loaded(lane)
        first, second, third = (Turn(lane) for _ in range(3))
        other = Turn(lane, OTHER)
        await settled()
        assert [turn.got.is_set() for turn in (first, second, third, other)] == [True] * 2 + [
            False
        ] * 2
        assert (lane.state()["running"], lane.state()["waiting"]) == (2, 2)
        await first.end()
        await settled()
        assert third.got.is_set()
        await second.end()
        await settled()
        assert other.got.is_set()
        await third.end()
        await other.end()
        state = lane.state()
        assert (state["running"], state["waiting"], state["served"]) == (0, 0, 4)


async def test_calls_and_turns_share_the_places() -> None:
    async with closing(ready()) as lane:
        await loaded(lane)
        turn = Turn(lane)
        await settled()
        call = asyncio.create_task(lane.call(OTHER, lambda: "answer"))
        await settled()
        assert not call.done()
        await turn.end()
        assert await call == "answer"


async def test_beyond_its_depth_a_turn_is_refused_at_once() -> None:
    async with closing(ready(depth=1)) as lane:
        await loaded(lane)
        running, waiting = Turn(lane), Turn(lane)
        await settled()
        with pytest.raises(Busy):
            async with lane.turn(ME):
                raise AssertionError
        assert lane.state()["refused"] == 1
        await running.end()
        await waiting.end()


async def test_while_the_engine_loads_the_refusal_says_so() -> None:
    engine = Engine()
    async with closing(Lane("test", engine, depth=1)) as lane:
        waiting = Turn(lane)
        await settled()
        with pytest.raises(Loading):
            async with lane.turn(ME):
                raise AssertionError
        engine.may_load.set()
        await waiting.end()


async def test_an_engine_that_cannot_load_fails_those_who_wait_and_who_come() -> None:
    engine = Engine(failure=EngineFailed("broken"))
    async with closing(Lane("test", engine)) as lane:
        waiting = Turn(lane)
        engine.may_load.set()
        with pytest.raises(EngineFailed, match="broken"):
            await waiting.task
        with pytest.raises(EngineFailed, match="broken"):
            async with lane.turn(ME):
                raise AssertionError


async def test_who_stops_waiting_or_is_cancelled_in_its_turn_gives_its_place_back() -> None:
    async with closing(ready()) as lane:
        await loaded(lane)
        running, waiting, last = (Turn(lane) for _ in range(3))
        await settled()
        waiting.task.cancel()
        running.task.cancel()
        await asyncio.gather(running.task, waiting.task, return_exceptions=True)
        await settled()
        assert last.got.is_set()
        assert not waiting.got.is_set()
        await last.end()
        assert lane.state()["running"] == 0


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_it_back() -> None:
    async with closing(ready()) as lane:
        async with lane.turn(ME):
            waiting, last = Turn(lane), Turn(lane)
            await settled()
        waiting.task.cancel()  # the place is its own by now, but it does not know yet
        await asyncio.wait({waiting.task})
        await asyncio.wait_for(last.got.wait(), 1)
        assert not waiting.got.is_set()
        await last.end()
        assert lane.state()["running"] == 0


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (EngineFailed("broken"), 1),
        (ZeroDivisionError(), 1),
        (TimedOut("slow"), 0),
        (ConnectionResetError(), 0),
    ],
)
async def test_what_ends_a_turn_is_raised_and_counted(error: Exception, failed: int) -> None:
    async with closing(ready()) as lane:
        turn = Turn(lane)
        turn.error = error
        with pytest.raises(type(error)):
            await turn.end()
        assert (lane.state()["served"], lane.state()["failed"]) == (1, failed)
        await Turn(lane).end()


async def test_an_engine_is_not_freed_in_a_turn_but_after_it() -> None:
    async with closing(ready(keep_alive=0.05)) as lane:
        turn = Turn(lane)
        await turn.got.wait()
        await asyncio.sleep(0.15)  # longer than an engine is kept that nobody uses
        assert not freed(lane)
        await turn.end()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if freed(lane):
                break
        assert freed(lane)


async def test_an_engine_that_retires_waits_for_the_end_of_a_turn() -> None:
    lane = ready()
    turn = Turn(lane)
    await turn.got.wait()
    retiring = asyncio.create_task(lane.retire())
    await settled()
    assert not lane.engine.closed
    await turn.end()
    await asyncio.wait_for(retiring, 5)
    assert lane.engine.closed


# -- what can be left undone


class Aside:
    """Work that can be left undone."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.let_go = asyncio.Event()

    async def work(self) -> None:
        self.began.set()
        try:
            await self.let_go.wait()
        finally:
            self.ended.set()


async def test_work_that_can_wait_is_done_in_a_free_place() -> None:
    async with closing(ready(parallel=2)) as lane:
        await loaded(lane)
        turn, aside = Turn(lane), Aside()
        await settled()
        lane.aside(aside.work)
        await settled()
        assert aside.began.is_set()
        assert lane.state()["running"] == 2
        aside.let_go.set()
        await settled()
        assert lane.state()["running"] == 1
        await turn.end()
        assert lane.state()["served"] == 1


async def test_it_is_left_undone_where_no_place_is_free_or_the_engine_is_not_loaded() -> None:
    engine, aside = Engine(), Aside()
    async with closing(Lane("test", engine)) as lane:
        lane.aside(aside.work)
        turn = Turn(lane)
        lane.aside(aside.work)
        engine.may_load.set()
        await asyncio.wait_for(turn.got.wait(), 5)
        lane.aside(aside.work)
        await turn.end()
        await settled()
        assert not aside.began.is_set()


async def test_a_call_that_has_to_wait_for_it_ends_it() -> None:
    async with closing(ready(parallel=2)) as lane:
        await loaded(lane)
        aside = Aside()
        lane.aside(aside.work)
        first = Turn(lane)
        await settled()
        assert first.got.is_set()
        assert not aside.ended.is_set()
        second = Turn(lane)
        await asyncio.wait_for(second.got.wait(), 1)
        assert aside.ended.is_set()
        await first.end()
        await second.end()


async def test_the_end_of_the_lane_ends_it_before_the_engine_is_closed() -> None:
    lane, aside = ready(keep_alive=60), Aside()
    await loaded(lane)
    open_at_the_end: list[bool] = []

    async def work() -> None:
        try:
            await aside.work()
        finally:
            open_at_the_end.append(not lane.engine.closed)

    lane.aside(work)
    await settled()
    await lane.close()
    assert open_at_the_end == [True]
    assert lane.engine.closed
    assert not lane._idle or lane._idle.cancelled()


async def test_work_that_fails_is_logged_and_gives_its_place_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing() -> None:
        raise ZeroDivisionError

    async with closing(ready()) as lane:
        await loaded(lane)
        lane.aside(failing)
        await Turn(lane).end()
        assert "beside the calls of test failed" in caplog.text


async def test_turns_need_no_threads() -> None:
    async with closing(ready(parallel=50)) as lane:
        await loaded(lane)
        before = threading.active_count()
        turns = [Turn(lane) for _ in range(50)]
        await settled()
        assert all(turn.got.is_set() for turn in turns)
        assert threading.active_count() == before
        for turn in turns:
            await turn.end()
