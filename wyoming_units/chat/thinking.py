"""What a model thinks, told apart from what it says."""

from __future__ import annotations

from collections.abc import Iterator

from wyoming_units.chat.exchange import Said, Thought

_OPEN, _CLOSE = "<think>", "</think>"


class Thinking:
    """Splits a text that comes in pieces; thoughts stand at its very beginning, between `<think>` and `</think>`.

    Where `unopened`, a text may begin inside of them, as templates make it that end with the opening tag.
    Nobody knows then what a piece is before `</think>` has come, or the end: all waits for that.
    """

    def __init__(self, *, unopened: bool = False) -> None:
        self.unopened = unopened
        self._waiting = ""
        self._where = "beginning"
        self._bare = False
        """Whether what comes next loses its leading white space."""

    def push(self, text: str) -> Iterator[Said | Thought]:
        """Take the next piece and yield what is certain by now."""
        self._waiting += text
        if self._where == "beginning":
            self._begin()
        if self._where == "unopened":
            before, close, _ = self._waiting.partition(_CLOSE)
            if not close:
                return
            self._waiting = self._waiting[len(before) :]
            if before.strip():
                yield Thought(before.lstrip())
            self._where, self._bare = "thought", True
        if self._where == "thought":
            yield from self._think()
        if self._where == "said":
            yield from self._say()

    def flush(self) -> Iterator[Said | Thought]:
        """Yield what waits, at the end of the text; thoughts that nobody closed are thoughts."""
        waiting, self._waiting = self._waiting, ""
        if self._where == "thought":
            waiting = waiting.lstrip() if self._bare else waiting
            if waiting:
                yield Thought(waiting)
        elif waiting:
            yield Said(waiting)
        self._where = "said"
        self._bare = False

    def _begin(self) -> None:
        """Decide what the text begins with, as soon as it can be known."""
        begun = self._waiting.lstrip()
        if begun.startswith(_OPEN):
            self._waiting = begun.removeprefix(_OPEN)
            self._where, self._bare = "thought", True
        elif not _OPEN.startswith(begun):
            self._where = "unopened" if self.unopened else "said"

    def _think(self) -> Iterator[Thought]:
        thought, close, rest = self._waiting.partition(_CLOSE)
        if close:
            self._waiting = rest
        else:
            kept = _beginning(thought, _CLOSE)
            thought, self._waiting = thought[: len(thought) - kept], thought[len(thought) - kept :]
        if self._bare:
            thought = thought.lstrip()
        if thought:
            self._bare = False
            yield Thought(thought)
        if close:
            self._where, self._bare = "said", True

    def _say(self) -> Iterator[Said]:
        said, self._waiting = self._waiting, ""
        if self._bare:
            said = said.lstrip("\r\n")
        if said:
            self._bare = False
            yield Said(said)


def _beginning(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if tag.startswith(text[-n:])), 0)
