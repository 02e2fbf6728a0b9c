"""What is remembered of conversations: what was said in those with plain clients, and summaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Generic, TypeVar

from wyoming_units.chat.history import Message, wishes

V = TypeVar("V")
_MOST = 64
_MOST_MESSAGES = 400
"""Of one conversation; then the older half is forgotten."""
_SUMMARY_SECONDS = 3600.0

Name = tuple[str, str]
"""The host of a client, and what it calls its conversation."""


class Recent(Generic[V]):
    """The things that were used last: at most 64, none longer than so many seconds ago."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Name, tuple[float, V]] = {}
        """When it is to be forgotten, and the thing; longest unused first."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, name: Name) -> V | None:
        """Return a thing, which counts as used by that."""
        self._forget()
        if name not in self._kept:
            return None
        value = self._kept[name][1]
        self.put(name, value)
        return value

    def put(self, name: Name, value: V) -> None:
        """Keep a thing, instead of what had its name."""
        self._kept.pop(name, None)
        self._kept[name] = (self._clock() + self._seconds, value)
        self._forget()

    def _forget(self) -> None:
        now = self._clock()
        while self._kept:
            name, (until, _) = next(iter(self._kept.items()))
            if len(self._kept) <= _MOST and now < until:
                return
            del self._kept[name]


class Conversations:
    """What plain clients and the model said to each other."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._recent: Recent[tuple[Message, ...]] = Recent(seconds, clock)

    def messages(self, name: Name) -> tuple[Message, ...]:
        """Return what was said so far, oldest first."""
        return self._recent.get(name) or ()

    def add(self, name: Name, said: str, answer: str) -> None:
        """Remember a turn."""
        messages = self.messages(name)
        if len(messages) >= _MOST_MESSAGES:
            messages = messages[_MOST_MESSAGES // 2 :]
        told = {"role": "user", "content": said}, {"role": "assistant", "content": answer}
        self._recent.put(name, (*messages, *told))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A summary of the oldest turns of a conversation."""

    turns: int
    digest: bytes
    """Of what users said in those."""
    text: str

    def covers(self, said: Sequence[str]) -> bool:
        """Return whether it is one of the first of these things that users said."""
        return len(said) >= self.turns and _digest(said[: self.turns]) == self.digest


class Summaries:
    """The last two summaries of each session: the newest may tell of more than a request leaves out yet."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._recent: Recent[tuple[Summary, ...]] = Recent(_SUMMARY_SECONDS, clock)

    def of(self, name: Name, left_out: Sequence[Message]) -> Summary | None:
        """Return the newest summary of nothing but messages that are left out."""
        said = wishes(left_out)
        fitting = (one for one in self._recent.get(name) or () if one.covers(said))
        return max(fitting, key=lambda one: one.turns, default=None)

    def keep(self, name: Name, left_out: Sequence[Message], text: str) -> None:
        """Keep the summary of messages."""
        said = wishes(left_out)
        summary = Summary(turns=len(said), digest=_digest(said), text=text)
        self._recent.put(name, (*(self._recent.get(name) or ())[-1:], summary))


def _digest(said: Sequence[str]) -> bytes:
    return sha256("\0".join(said).encode()).digest()
