"""What a client that reads slowly may lose, and what it never loses."""

from __future__ import annotations

import asyncio

from wyoming.event import Event

from wyoming_units.units.outbox import Outbox


class SlowClient:
    """Takes one event each time that it is told to."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self._turns = asyncio.Semaphore(0)

    async def take(self, event: Event) -> None:
        await self._turns.acquire()
        self.got.append(event.type)

    async def read(self, count: int) -> None:
        for _ in range(count):
            self._turns.release()
        for _ in range(5 * count):
            await asyncio.sleep(0)


async def test_events_come_in_order_as_long_as_the_client_keeps_up() -> None:
    client = SlowClient()
    outbox = Outbox(client.take)
    running = asyncio.ensure_future(outbox.run())
    for name in ("a", "b", "c"):
        outbox.put(Event(type=name), may_be_lost=name == "b")
    await client.read(3)
    running.cancel()
    assert client.got == ["a", "b", "c"]


async def test_a_slow_client_loses_the_oldest_of_what_may_be_lost_and_nothing_else() -> None:
    client = SlowClient()
    outbox = Outbox(client.take)
    for number in range(6):
        outbox.put(Event(type=f"analysis {number}"), may_be_lost=True)
        outbox.put(Event(type=f"event {number}"))
    running = asyncio.ensure_future(outbox.run())
    await client.read(20)
    running.cancel()
    assert [name for name in client.got if name.startswith("event")] == [
        f"event {number}" for number in range(6)
    ]
    assert [name for name in client.got if name.startswith("analysis")] == [
        "analysis 4",
        "analysis 5",
    ]
    assert outbox.lost == 4


async def test_flushing_sends_all_that_waits() -> None:
    client = SlowClient()
    outbox = Outbox(client.take)
    outbox.put(Event(type="a"))
    outbox.put(Event(type="b"))
    await client.read(2)
    await outbox.flush()
    assert client.got == ["a", "b"]
