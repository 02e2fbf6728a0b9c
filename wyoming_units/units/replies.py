"""Speech that was made before, to be said again at once."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from dataclasses import dataclass

from wyoming_units.engines.base import Engine, SynthesisRequest


@dataclass(frozen=True)
class _Key:
    engine: weakref.ref[Engine]
    """Equal only while it is the same instance: what a replaced engine said is never found again."""
    request: SynthesisRequest


class ReplyCache:
    """Keeps the PCM of short pieces of speech; the one that was not asked for longest goes first."""

    def __init__(self, *, entries: int, most_bytes: int, length: int) -> None:
        """Bound it by pieces, by bytes, and by the letters of a piece that is worth keeping."""
        self._entries = entries
        self._most = most_bytes
        self._length = length
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, engine: Engine, request: SynthesisRequest) -> bytes | None:
        """Return what the engine made of the same request, None where it is not kept."""
        key = _Key(weakref.ref(engine), request)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, engine: Engine, request: SynthesisRequest, pcm: bytes) -> None:
        """Keep a whole piece, unless it is too long."""
        if len(request.text) > self._length or len(pcm) > self._most or not self._entries:
            return
        key = _Key(weakref.ref(engine), request)
        self._bytes += len(pcm) - len(self._kept.pop(key, b""))
        self._kept[key] = pcm
        while len(self._kept) > self._entries or self._bytes > self._most:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
