"""A bounded queue that serves its clients in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Holds at most `most` items; who has many waits behind who has few (round robin, max-min bound)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Hashable, deque[T]] = {}
        """Items by client; the client whose turn is next comes first."""

    def __len__(self) -> int:
        return sum(len(items) for items in self._waiting.values())

    def push(self, client: Hashable, item: T) -> T | None:
        """Add an item; return the one that has no room: the newest of the client that has most."""
        refused: T | None = None
        if len(self) >= self._most:
            greediest = max(self._waiting, key=lambda key: len(self._waiting[key]))
            if len(self._waiting.get(client, ())) >= len(self._waiting[greediest]) - 1:
                return item
            refused = self._waiting[greediest].pop()
        self._waiting.setdefault(client, deque()).append(item)
        return refused

    def pop(self) -> T | None:
        """Take the oldest item of the client whose turn it is; None when there is none."""
        if not self._waiting:
            return None
        client = next(iter(self._waiting))
        items = self._waiting.pop(client)
        item = items.popleft()
        if items:
            self._waiting[client] = items
        return item

    def remove(self, client: Hashable, item: T) -> bool:
        """Drop an item; False where it does not wait any more."""
        items = self._waiting.get(client, deque())
        if item not in items:
            return False
        items.remove(item)
        if not items:
            del self._waiting[client]
        return True
