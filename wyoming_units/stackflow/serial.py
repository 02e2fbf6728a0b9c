"""A module at a serial line: one reader for all who talk to its tasks."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import threading
import time
from collections import OrderedDict, deque

from wyoming_units.errors import EngineFailed
from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.codes import Lost
from wyoming_units.stackflow.framing import Reply, Splitter
from wyoming_units.stackflow.link import STUCK

_LOG = logging.getLogger(__name__)

_REQUEST_ID = re.compile(rb'"request_id":"([^"\\]*)"')
_NOBODY = "0"
"""The request that the module answers where it could read none, or has started anew."""
_REMEMBERED = 512
"""Requests whose sender is known; tasks are known for as long as they are used."""
_LINES: dict[str, _Line] = {}
_OPENING = threading.Lock()


def share(address: Address) -> Share:
    """Return a share of the line of a device, which is opened for the first; `EngineFailed`."""
    with _OPENING:
        line = _LINES.get(address.device)
        if line is None or line.lost:
            line = _LINES[address.device] = _Line(address)
        return line.add()


def _open(address: Address) -> int:
    """Return a device as a file without blocking, raw, 8N1."""
    import termios

    speed = getattr(termios, f"B{address.baud}", None)
    if speed is None:
        raise EngineFailed(f"{address.device} has no speed of {address.baud} baud")
    try:
        file = os.open(address.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as err:
        raise Lost(f"{address.device} cannot be opened: {err.strerror}") from err
    try:
        modes = termios.tcgetattr(file)
        control = termios.CREAD | termios.CLOCAL | termios.CS8
        characters = modes[6]
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        termios.tcsetattr(file, termios.TCSANOW, [0, 0, control, 0, speed, speed, characters])
        termios.tcflush(file, termios.TCIOFLUSH)
    except (OSError, termios.error) as err:
        os.close(file)
        raise EngineFailed(f"{address.device} is no serial line") from err
    return file


class _Line:
    """An open device; it is closed with the last of its shares."""

    def __init__(self, address: Address) -> None:
        self.lost = False
        self._device = address.device
        self._file = _open(address)
        self._stop, self._stopper = os.pipe()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._shares: set[Share] = set()
        self._requests: OrderedDict[str, Share] = OrderedDict()
        self._tasks: dict[str, Share] = {}
        self._reader = threading.Thread(target=self._read, name="stackflow-serial", daemon=True)
        self._reader.start()

    def add(self) -> Share:
        share = Share(self)
        with self._lock:
            self._shares.add(share)
        return share

    def drop(self, share: Share) -> None:
        with _OPENING:
            with self._lock:
                self._shares.discard(share)
                self._tasks = {k: v for k, v in self._tasks.items() if v is not share}
                for request_id in [k for k, v in self._requests.items() if v is share]:
                    del self._requests[request_id]
                if self._shares or self.lost:
                    return
                self.lost = True
            os.write(self._stopper, b"!")
            self._reader.join()

    def send(self, share: Share, data: bytes) -> None:
        if found := _REQUEST_ID.search(data):
            with self._lock:
                self._requests[found[1].decode("utf-8", "replace")] = share
                while len(self._requests) > _REMEMBERED:
                    self._requests.popitem(last=False)
        with self._sending:
            rest = memoryview(data)
            while rest:
                rest = rest[self._write(rest) :]

    def _write(self, rest: memoryview) -> int:
        """Return how many bytes the line took; `Lost`."""
        if self.lost:
            raise self._gone()
        try:
            if not select.select([], [self._file], [], STUCK)[1]:
                raise Lost(f"the module at {self._device} takes nothing any more")
            return os.write(self._file, rest)
        except BlockingIOError:
            return 0
        except (OSError, ValueError) as err:
            raise self._gone() from err

    def _gone(self) -> Lost:
        return Lost(f"the module at {self._device} is gone")

    def _read(self) -> None:
        splitter = Splitter()
        with contextlib.suppress(OSError):
            while self._stop not in select.select([self._file, self._stop], [], [])[0]:
                if not (data := os.read(self._file, 4096)):
                    break
                for reply in _split(splitter, data):
                    self._deliver(reply)
        with self._lock:
            self.lost = True
            for share in self._shares:
                share.fail(self._gone())
        with self._sending:
            for file in (self._file, self._stop, self._stopper):
                os.close(file)

    def _deliver(self, reply: Reply) -> None:
        with self._lock:
            if reply.request_id == _NOBODY:
                for share in self._shares:
                    share.put(reply)
                return
            asked = self._requests.get(reply.request_id)
            if asked and "." in reply.work_id:
                # As the module itself does: who last spoke to a task hears what it says.
                self._tasks[reply.work_id] = asked
            owner = asked or self._tasks.get(reply.work_id)
            if owner is not None:
                owner.put(reply)


def _split(splitter: Splitter, data: bytes) -> list[Reply]:
    """Return the replies; what a line carries besides, such as a kernel's messages, is passed over."""
    replies: list[Reply] = []
    while True:
        try:
            return replies + splitter.feed(data)
        except EngineFailed as err:
            _LOG.debug("serial line: %s", err)
            data = b""


class Share:
    """The part of a line that one link has."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._changed = threading.Condition()
        self._replies: deque[Reply] = deque()
        self._woken = False
        self._error: Lost | None = None

    def put(self, reply: Reply) -> None:
        """Have a reply be received."""
        with self._changed:
            self._replies.append(reply)
            self._changed.notify_all()

    def fail(self, error: Lost) -> None:
        """Have whoever receives get an error."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def send(self, data: bytes) -> None:
        """Send all, between the messages of others; `EngineFailed`."""
        self._check()
        self._line.send(self, data)

    def receive(self, timeout: float) -> Reply | None:
        """Return the next reply; None when time is over, or on being woken."""
        until = time.monotonic() + timeout
        with self._changed:
            while not self._replies:
                self._check()
                left = until - time.monotonic()
                if self._woken or left <= 0:
                    self._woken = False
                    return None
                self._changed.wait(left)
            return self._replies.popleft()

    def wake(self) -> None:
        """Let the `receive` that waits, or the next that would, return None."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def calm(self) -> None:
        """Forget that it was woken."""
        with self._changed:
            self._woken = False

    def close(self) -> None:
        """Give the share back."""
        self.fail(Lost("the share of the serial line is closed"))
        self._line.drop(self)

    def _check(self) -> None:
        if self._error is not None:
            raise Lost(str(self._error))
