"""Does the work of several threads in one call: batches form by themselves while the library is busy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class _Ticket(Generic[T]):
    job: T
    done: bool = False
    error: BaseException | None = None


class Combiner(Generic[T]):
    """Whoever finds a place to work takes all who wait along, so nobody waits for a batch to fill."""

    def __init__(self, work: Callable[[list[T]], None], most: int, at_once: int = 1) -> None:
        """Call `work` with at most `most` jobs, from at most `at_once` threads at the same time."""
        self._work = work
        self._most = most
        self._places = at_once
        self._turn = threading.Condition()
        self._waiting: list[_Ticket[T]] = []

    @property
    def waiting(self) -> int:
        """Return how many jobs nobody works on yet."""
        return len(self._waiting)

    def run(self, job: T) -> None:
        """Return when the job was worked on; what `work` raised is raised to all whose jobs it had."""
        ticket = _Ticket(job)
        with self._turn:
            self._waiting.append(ticket)
        while (batch := self._take(ticket)) is not None:
            self._lead(batch)
        if ticket.error is not None:
            raise ticket.error

    def _take(self, ticket: _Ticket[T]) -> list[_Ticket[T]] | None:
        """Wait for the ticket to be done (None), or for the turn to work on the batch that is returned."""
        with self._turn:
            self._turn.wait_for(lambda: ticket.done or (self._places and ticket in self._waiting))
            if ticket.done:
                return None
            self._places -= 1
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            return batch

    def _lead(self, batch: list[_Ticket[T]]) -> None:
        error: BaseException | None = None
        try:
            self._work([ticket.job for ticket in batch])
        except BaseException as err:  # noqa: BLE001 - whoever waits gets it
            error = err
        with self._turn:
            for ticket in batch:
                ticket.done, ticket.error = True, error
            self._places += 1
            self._turn.notify_all()
