"""What a client may send in any order and what docs/protocol.md promises for it; knows nothing of our code."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CANCELLED = "error cancelled"
FINAL = {"transcript-stop", "not-detected", "intents-stop", "not-recognized", "synthesize-stopped"}

PARTS = {"transcript-start", "transcript-chunk", "transcript"}
"""What comes before the last event of an answer."""
ANONYMOUS = {"transcript-stop", CANCELLED, "error bad-audio"}
"""What may answer audio that came without any request."""


class Peer:
    """A blocking client that writes frames and reads them."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self._socket.makefile("rb")

    def send(self, kind: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> None:
        header = {"type": kind, "data": data or {}, "payload_length": len(payload)}
        self._socket.sendall(json.dumps(header).encode() + b"\n" + payload)

    def receive(self) -> dict[str, Any]:
        line = self._file.readline()
        assert line, "the node hung up"
        header = json.loads(line)
        data = json.loads(self._file.read(header.get("data_length", 0)) or b"{}")
        self._file.read(header.get("payload_length", 0))
        return {"type": header["type"], **header.get("data", {}), **data}

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@dataclass
class Expected:
    """One request and the last events that may answer it."""

    id: str | None
    finals: set[str]


@dataclass
class Stream:
    """A request whose body is being sent."""

    opener: str
    good: str
    """What answers it when nothing goes wrong."""
    refusal: Callable[[], str | None] = lambda: None
    """What answers its opener instead."""
    id: str | None = None
    wrong: str | None = None
    """What answers it as soon as what is wrong was read."""
    begun: bool = False
    expected: Expected | None = field(default=None, repr=False)
    """None: it was refused at once or cancelled; what still comes is dropped."""


class Conversation:
    """Sends events and keeps account of the answers that must come."""

    def __init__(self, port: int) -> None:
        self.peer = Peer(port)
        self.expected: list[Expected] = []
        self.unnamed: Counter[str] = Counter()
        """Answers without an id, each certain to come."""
        self.open: dict[str, Stream] = {}
        """Unfinished streams by the event that ends them."""
        self.last: Stream | None = None
        """What a bare `audio-start` repeats."""
        self._astray: set[str] = set()
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return str(self._count)

    # -- requests

    def ask(self, kind: str, data: dict[str, Any], *finals: str) -> None:
        """Send a request that is one event."""
        expected = Expected(self.new_id(), set(finals))
        self.expected.append(expected)
        self.peer.send(kind, {**data, "request": {"id": expected.id}})

    def begin(self, stream: Stream, end: str, data: dict[str, Any]) -> None:
        """Send the opener of a stream."""
        stream.id = self.new_id()
        self._replace(stream, end)
        if end == "audio-stop":
            self.last = stream
        self.peer.send(stream.opener, {**data, "request": {"id": stream.id}})

    def begin_badly(self, opener: str, end: str) -> None:
        """Send an opener whose id has the wrong shape; its stream is dropped."""
        stream = Stream(opener, "")
        self._replace(stream, end)
        stream.expected = None
        self.expected.pop()
        self.unnamed["error bad-request"] += 1
        self.peer.send(opener, {"request": {"id": 7}})

    def _replace(self, stream: Stream, end: str) -> None:
        self._astray.discard(end)
        if older := self.open.get(end):
            self._give_up(older)
        stream.wrong = stream.refusal()
        stream.expected = Expected(stream.id, {stream.wrong or stream.good})
        self.expected.append(stream.expected)
        self.open[end] = stream

    def _give_up(self, stream: Stream) -> None:
        if stream.expected is not None:
            # What is wrong may have been told before.
            stream.expected.finals = {stream.wrong, CANCELLED} if stream.wrong else {CANCELLED}
            stream.expected = None

    def audio_start(self, data: dict[str, Any]) -> None:
        stream = self.open.get("audio-stop")
        if stream is None or stream.begun:
            last = self.last
            again = Stream(last.opener, last.good, last.refusal, last.id) if last else None
            stream = again or Stream("transcribe", "transcript-stop")
            self._replace(stream, "audio-stop")
            self.last = stream
        stream.begun = True
        self.peer.send("audio-start", data)

    def body(self, kind: str, end: str, data: dict[str, Any], payload: bytes = b"") -> None:
        if end not in self.open and end not in self._astray:
            self._astray.add(end)
            self.unnamed["error bad-request"] += 1
        self.peer.send(kind, data, payload)

    def spoil(self, end: str, wrong: str) -> None:
        """Note that the body of a stream has gone wrong."""
        stream = self.open.get(end)
        if stream is not None and stream.expected is not None and stream.wrong is None:
            stream.expected.finals = {wrong}
            stream.wrong = wrong

    def end(self, end: str) -> None:
        if self.open.pop(end, None) is None:
            if end not in self._astray:
                self.unnamed["error bad-request"] += 1
            self._astray.discard(end)
        self.peer.send(end)

    def cancel(self, end: str) -> None:
        """Cancel an unfinished stream, or one that is not there."""
        stream = self.open.get(end)
        if stream is None or stream.expected is None or stream.wrong or stream.id is None:
            self.unnamed["error bad-request"] += 1
            self.peer.send("cancel", {"id": "nobody's"})
        else:
            self._give_up(stream)
            for repeated in self.expected:  # an id is of all streams that repeat one opener
                if repeated.id == stream.id:
                    repeated.finals |= {CANCELLED}
            self.peer.send("cancel", {"id": stream.id})

    def tell(self, kind: str, data: dict[str, Any], *answers: str) -> None:
        """Send an event that is answered at once."""
        self.unnamed.update(answers)
        self.peer.send(kind, data)

    # -- answers

    def finish(self) -> None:
        """End what is open and compare all answers with what was promised."""
        for end in list(self.open):
            self.end(end)
        named: dict[str | None, list[str]] = {}
        unnamed: Counter[str] = Counter()
        self.peer.send("ping", {"text": "all was sent"})
        while sum(map(len, named.values())) + unnamed.total() < (
            len(self.expected) + self.unnamed.total()
        ):
            self._sort(self.peer.receive(), named, unnamed)
        self.peer.send("ping", {"text": "all was answered"})
        event: dict[str, Any] = {}
        while event.get("text") != "all was answered":
            event = self.peer.receive()
            if event.get("text") != "all was answered":
                self._sort(event, named, unnamed)
        self._compare(named, unnamed)

    def _sort(
        self, event: dict[str, Any], named: dict[str | None, list[str]], unnamed: Counter[str]
    ) -> None:
        kind = f"error {event['code']}" if event["type"] == "error" else event["type"]
        identity = event.get("request", {}).get("id")
        if event.get("text") == "all was sent" or kind in PARTS:
            return
        plain = any(e.id == identity and "audio-stop" in e.finals for e in self.expected)
        if kind in FINAL or kind.startswith("error") or (plain and kind == "audio-stop"):
            anonymous = [e for e in self.expected if e.id is None]
            if identity is not None or (anonymous and kind in ANONYMOUS):
                named.setdefault(identity, []).append(kind)
                return
        if identity is None:
            unnamed[kind] += 1

    def _compare(self, named: dict[str | None, list[str]], unnamed: Counter[str]) -> None:
        for identity in {expected.id for expected in self.expected} | set(named):
            promised = [expected.finals for expected in self.expected if expected.id == identity]
            got = named.get(identity, [])
            assert len(got) == len(promised), (identity, got, promised)
            # An early error may overtake nothing of the same id: one connection answers in order.
            assert all(one in finals for one, finals in zip(got, promised, strict=False)), (
                identity,
                got,
                promised,
            )
        assert unnamed == self.unnamed
