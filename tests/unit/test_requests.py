"""A request keeps to its inbox, ends in every state, and is answered once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from wyoming.event import Event
from wyoming.ping import Pong

from wyoming_units.errors import BadRequest, Cancelled, EngineFailed
from wyoming_units.wire.requests import Arrival, Request, Route, request_id

Run = Callable[[Request], Coroutine[Any, Any, None]]


async def nothing(request: Request) -> None:
    """Answer nothing."""


def a_request(
    run: Run = nothing,
    *,
    inbox: int = 10,
    end: str | None = "end",
    data: dict[str, Any] | None = None,
) -> tuple[Request, list[Event]]:
    """Return a request and the list that its answers go to."""
    sent: list[Event] = []

    async def send(event: Event) -> None:
        sent.append(event)

    request = Request(
        Route(opener="open", run=run, body=frozenset({"part"}), end=end),
        Event(type="open", data=data or {}),
        inbox=inbox,
        send=send,
        client="127.0.0.1",
        selected={},
        begun=False,
    )
    return request, sent


def part(size: int) -> Arrival:
    return Arrival(Event(type="part", payload=b"x" * size), 0.0)


async def waits(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Start work and return it if it is still waiting after a moment."""
    task = asyncio.ensure_future(work)
    for _ in range(5):
        await asyncio.sleep(0)
    return None if task.done() else task


async def test_a_sender_waits_from_the_byte_on_that_fills_the_inbox() -> None:
    request, _ = a_request(inbox=10)
    assert await waits(request.put(part(9))) is None
    assert await waits(request.put(part(1))) is None
    third = await waits(request.put(part(1)))
    assert third is not None
    await anext(aiter(request))
    await asyncio.wait_for(third, 1)


async def test_a_sender_that_waits_is_let_go_only_when_there_is_room() -> None:
    request, _ = a_request(inbox=10)
    for size in (1, 10):
        await request.put(part(size))
    reader = aiter(request)
    waiting = await waits(request.put(part(1)))
    assert waiting is not None
    await anext(reader)  # ten bytes are still there
    await asyncio.sleep(0)
    assert not waiting.done()
    await anext(reader)
    await asyncio.wait_for(waiting, 1)


async def test_all_parts_are_read_in_order_up_to_the_end() -> None:
    request, _ = a_request()
    for size in (1, 2, 3):
        await request.put(part(size))
    request.finish()
    assert [len(arrival.event.payload or b"") async for arrival in request] == [1, 2, 3]


async def test_a_reader_waits_for_parts_and_for_the_end() -> None:
    request, _ = a_request()
    read: list[Arrival] = []

    async def reading() -> None:
        read.extend([arrival async for arrival in request])

    task = await waits(reading())
    assert task is not None
    await request.put(part(1))
    await asyncio.sleep(0.01)
    assert not task.done()
    request.finish()
    await asyncio.wait_for(task, 1)
    assert len(read) == 1


async def test_a_request_without_an_end_event_is_whole_from_the_start() -> None:
    request, _ = a_request(end=None)
    assert request.complete
    assert [arrival async for arrival in request] == []
    assert not a_request()[0].complete


@pytest.mark.parametrize("end", [Request.drop, Request.cancel])
async def test_who_waits_for_room_is_let_go_when_the_request_is_over(
    end: Callable[[Request], None],
) -> None:
    request, _ = a_request(inbox=1)
    await request.put(part(5))
    waiting = await waits(request.put(part(5)))
    assert waiting is not None
    end(request)
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(request.put(part(5)), 1)  # and nobody waits again
    assert len(request._arrivals) <= 1


async def test_nothing_is_kept_of_what_comes_after_the_answer() -> None:
    request, _ = a_request()
    await request.put(part(5))
    request.drop()
    await request.put(part(5))
    request.finish()
    assert [arrival async for arrival in request] == []
    assert request.answered.is_set()


async def test_a_dropped_request_cannot_be_cancelled_any_more() -> None:
    request, _ = a_request()
    request.drop()
    request.cancel()
    assert not request.cancelled


async def test_a_request_that_was_cancelled_before_it_ran_is_not_run() -> None:
    async def run(request: Request) -> None:
        raise AssertionError

    request, _ = a_request(run)
    request.cancel()
    assert isinstance(await request.answer(), Cancelled)


async def test_a_running_request_is_cancelled() -> None:
    started = asyncio.Event()

    async def run(request: Request) -> None:
        started.set()
        await asyncio.sleep(60)

    request, _ = a_request(run)
    answer = asyncio.ensure_future(request.answer())
    await started.wait()
    request.cancel()
    assert isinstance(await asyncio.wait_for(answer, 1), Cancelled)


async def test_the_work_has_ended_when_the_worker_that_ran_it_is_cancelled() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def run(request: Request) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)  # cleaning up takes a while
            ended.set()

    request, _ = a_request(run)
    worker = asyncio.ensure_future(request.answer())
    await started.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert ended.is_set()


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (None, type(None)),
        (BadRequest("no"), BadRequest),
        (ConnectionResetError(), type(None)),
        (ZeroDivisionError("a bug"), EngineFailed),
    ],
)
async def test_a_failure_is_told_unless_the_client_has_left(
    raised: Exception | None, told: type
) -> None:
    async def run(request: Request) -> None:
        if raised is not None:
            raise raised

    request, _ = a_request(run)
    assert type(await request.answer()) is told


async def test_answers_repeat_the_id_and_keep_their_data() -> None:
    request, sent = a_request(data={"request": {"id": "7"}})
    request.identify()
    await request.send(Event(type="a", data={"b": 1}))
    await request.send(Pong(text="c"))
    assert [event.data for event in sent] == [
        {"b": 1, "request": {"id": "7"}},
        {"text": "c", "request": {"id": "7"}},
    ]


async def test_answers_to_a_request_without_an_id_are_sent_as_they_are() -> None:
    request, sent = a_request()
    request.identify()
    await request.send(Event(type="a", data={"b": 1}))
    assert sent[0].data == {"b": 1}


@pytest.mark.parametrize(("request_", "id_"), [(None, None), ({"id": "x" * 200}, "x" * 200)])
def test_the_id_of_a_request_is_a_text(request_: object, id_: str | None) -> None:
    assert request_id(Event(type="x", data={"request": request_})) == id_


@pytest.mark.parametrize("request_", [7, "a", [], {}, {"id": None}, {"id": 7}, {"id": "x" * 201}])
def test_any_other_id_is_refused(request_: object) -> None:
    with pytest.raises(BadRequest, match="200"):
        request_id(Event(type="x", data={"request": request_}))
