"""What is remembered of the newest things only."""

from collections import OrderedDict
from collections.abc import Callable
from typing import override


class Recent[K, V](OrderedDict[K, V]):
    """Keeps so many of the values that were used last."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    @override
    def __getitem__(self, key: K) -> V:
        """Return a value, which counts as used."""
        value = super().__getitem__(key)
        self.move_to_end(key)
        return value

    @override
    def __setitem__(self, key: K, value: V) -> None:
        """Take in a value; the one that was not used for the longest time may go."""
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)

    def forget(self, which: Callable[[K], bool]) -> None:
        """Drop the values of some keys."""
        for key in [key for key in self if which(key)]:
            del self[key]
