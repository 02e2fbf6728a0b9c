"""A connection to a module: what comes, and how fast its end is noticed."""

from __future__ import annotations

import os
import pty
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError as FutureTimeout
from pathlib import Path

import pytest

from tests.integration.stackflow_script import scripted
from wyoming_units.errors import Cancelled, EngineFailed
from wyoming_units.stackflow import link as link_module, serial
from wyoming_units.stackflow.address import Address
from wyoming_units.stackflow.asking import ask, next_id
from wyoming_units.stackflow.framing import encode
from wyoming_units.stackflow.link import Link


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def linked(listener: socket.socket) -> tuple[Link, socket.socket]:
    host, port = listener.getsockname()
    link = Link(Address(host=host, port=port))
    return link, listener.accept()[0]


def reply(request_id: str, work_id: str = "sys", delta: str = "") -> bytes:
    text = f'{{"request_id":"{request_id}","work_id":"{work_id}","data":"{delta}","error":{{"code":0}}}}'
    return text.encode() + b"\n"


def test_nobody_there_is_told_with_the_address(peer: socket.socket) -> None:
    port = peer.getsockname()[1]
    peer.close()
    with pytest.raises(EngineFailed, match=f"127.0.0.1:{port} cannot be reached"):
        Link(Address(host="127.0.0.1", port=port))


def test_replies_come_in_order_and_none_when_time_is_over(peer: socket.socket) -> None:
    link, far = linked(peer)
    with far:
        far.sendall(reply("1") + reply("2"))
        assert [getattr(link.receive(5), "request_id", None) for _ in range(2)] == ["1", "2"]
        began = time.monotonic()
        assert link.receive(0.05) is None
        assert time.monotonic() - began >= 0.05
    link.close()


def test_what_came_before_the_end_is_heard(peer: socket.socket) -> None:
    link, far = linked(peer)
    far.sendall(reply("1"))
    far.close()
    first = link.receive(5)
    assert first is not None
    assert first.request_id == "1"
    with pytest.raises(EngineFailed, match="is gone"):
        link.receive(5)
    link.close()


def test_who_receives_notices_at_once_that_the_link_is_closed(
    peer: socket.socket, pool: ThreadPoolExecutor
) -> None:
    link, far = linked(peer)
    with far:
        waiting = pool.submit(link.receive, 60)
        assert not waiting.done()
        link.close()
        with pytest.raises(EngineFailed):
            waiting.result(5)
        with pytest.raises(EngineFailed):
            link.send(b"x")


def test_who_receives_can_be_woken_also_before(
    peer: socket.socket, pool: ThreadPoolExecutor
) -> None:
    link, far = linked(peer)
    with far:
        waiting = pool.submit(link.receive, 60)
        link.wake()
        assert waiting.result(5) is None
        link.wake()
        assert link.receive(60) is None
        link.wake()
        link.calm()
        assert link.receive(0.02) is None
        far.sendall(reply("1"))
        assert link.receive(5) is not None
    link.close()


def test_sending_to_a_module_that_takes_nothing_can_be_ended(
    peer: socket.socket, pool: ThreadPoolExecutor
) -> None:
    link, far = linked(peer)
    with far:
        sending = pool.submit(link.send, b"x" * (64 << 20))
        with pytest.raises(FutureTimeout):
            sending.result(0.2)
        link.wake()
        with pytest.raises(Cancelled):
            sending.result(5)
        with pytest.raises(EngineFailed):
            link.send(b"more")


def test_a_module_that_takes_nothing_is_given_up(
    peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "STUCK", 0.05)
    link, far = linked(peer)
    with far, pytest.raises(EngineFailed, match="takes nothing"):
        link.send(b"x" * (64 << 20))


def test_one_thread_sends_while_another_receives(
    peer: socket.socket, pool: ThreadPoolExecutor
) -> None:
    link, far = linked(peer)
    with far:
        waiting = pool.submit(link.receive, 60)
        pool.submit(link.send, b"{}\n").result(5)
        assert far.recv(10) == b"{}\n"
        far.sendall(reply("1"))
        assert waiting.result(5) is not None
    link.close()


def test_what_does_not_speak_stackflow_is_told_with_its_address(peer: socket.socket) -> None:
    link, far = linked(peer)
    with far:
        far.sendall(b"SSH-2.0-dropbear\r\n")
        with pytest.raises(EngineFailed, match=r"127.0.0.1:\d+: .* no StackFlow"):
            link.receive(5)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closed_links_leave_no_files_open() -> None:
    with scripted() as (server, _):
        before = open_files()
        for _ in range(20):
            link = Link(server.address)
            link.close()
            link.close()
        server.hang_up()
        deadline = time.monotonic() + 5
        while open_files() >= before + 20 and time.monotonic() < deadline:
            server.hang_up()
        assert open_files() < before + 20


# -- the serial line


class Wire:
    """A module's end of a serial line."""

    def __init__(self) -> None:
        self.far, self._near = pty.openpty()
        self.address = Address(device=os.ttyname(self._near))

    def read(self) -> bytes:
        data = b""
        while not data.endswith(b"\n"):
            data += os.read(self.far, 4096)
        return data

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.far, data) :]

    def close(self) -> None:
        os.close(self._near)
        os.close(self.far)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


def say(link: Link, wire: Wire, work_id: str) -> str:
    request_id = next_id()
    link.send(encode(request_id, work_id, "inference"))
    assert request_id.encode() in wire.read()
    return request_id


def test_links_over_one_line_get_their_own_replies_alone(wire: Wire) -> None:
    one, two = Link(wire.address), Link(wire.address)
    first, second = say(one, wire, "llm.1000"), say(two, wire, "asr.1001")
    wire.write(reply(second, "asr.1001", "b") + reply(first, "llm.1000", "a"))
    for link, data in ((one, "a"), (two, "b")):
        got = link.receive(5)
        assert got is not None
        assert got.data == data
    assert one.receive(0.02) is None
    one.close()
    two.close()


def test_events_of_a_task_reach_the_link_that_spoke_to_it_last(wire: Wire) -> None:
    one, two = Link(wire.address), Link(wire.address)
    asked = say(one, wire, "kws")
    wire.write(reply(asked, "kws.1000"))
    assert one.receive(5) is not None
    wire.write(reply("unknown", "kws.1000", "wake") + reply("unknown", "vad.1001", "other"))
    got = one.receive(5)
    assert got is not None
    assert got.data == "wake"
    assert two.receive(0.05) is None
    one.close()
    two.close()


def test_all_hear_that_the_module_could_not_read_what_was_sent(wire: Wire) -> None:
    one, two = Link(wire.address), Link(wire.address)
    wire.write(b'{"request_id": "0","work_id": "sys","error":{"code":-1, "message":"reace reset"}}')
    for link in (one, two):
        got = link.receive(5)
        assert got is not None
        assert got.code == -1
        link.close()


def test_a_kernels_messages_on_the_line_are_passed_over(wire: Wire) -> None:
    link = Link(wire.address)
    asked = say(link, wire, "sys")
    wire.write(b"[  3.14] random: crng init done\r\n" + reply(asked))
    got = link.receive(5)
    assert got is not None
    assert got.request_id == asked
    link.close()


def test_big_messages_pass_the_line_unchanged_in_both_directions(
    wire: Wire, pool: ThreadPoolExecutor
) -> None:
    link = Link(wire.address)
    message = encode(
        next_id(), "vlm.1000", "inference", "vlm.jpeg.base64", "{\x11\x13\r\n" * 20_000
    )
    reading = pool.submit(wire.read)
    link.send(message)
    assert reading.result(20) == message
    asked = say(link, wire, "melotts.1000")
    writing = pool.submit(wire.write, reply(asked, "melotts.1000", "A" * 100_000))
    got = link.receive(20)
    assert got is not None
    assert got.data == "A" * 100_000
    writing.result(5)
    link.close()


def test_who_receives_from_the_line_can_be_woken_and_closed(
    wire: Wire, pool: ThreadPoolExecutor
) -> None:
    link, other = Link(wire.address), Link(wire.address)
    waiting = pool.submit(link.receive, 60)
    link.wake()
    assert waiting.result(5) is None
    waiting = pool.submit(link.receive, 60)
    link.close()
    with pytest.raises(EngineFailed):
        waiting.result(5)
    asked = say(other, wire, "sys")
    wire.write(reply(asked))
    assert other.receive(5) is not None
    other.close()


def test_the_line_is_closed_with_its_last_link_and_opens_again(wire: Wire) -> None:
    def readers() -> int:
        return sum(thread.name == "stackflow-serial" for thread in threading.enumerate())

    one, two = Link(wire.address), Link(wire.address)
    assert readers() == 1
    one.close()
    assert readers() == 1
    two.close()
    assert readers() == 0
    link = Link(wire.address)
    asked = say(link, wire, "sys")
    wire.write(reply(asked))
    assert link.receive(5) is not None
    link.close()


def test_a_line_that_is_unplugged_ends_all_its_links(pool: ThreadPoolExecutor) -> None:
    wire = Wire()
    one, two = Link(wire.address), Link(wire.address)
    waiting = [pool.submit(link.receive, 60) for link in (one, two)]
    wire.close()
    for each in waiting:
        with pytest.raises(EngineFailed):
            each.result(5)
    with pytest.raises(EngineFailed):
        one.send(b"{}\n")
    with pytest.raises(EngineFailed, match="cannot be opened"):
        Link(wire.address)
    one.close()
    two.close()


def test_what_is_no_serial_line_is_told() -> None:
    with pytest.raises(EngineFailed, match="/dev/null is no serial line"):
        Link(Address(device="/dev/null"))
    with pytest.raises(EngineFailed, match="no speed of 12345"):
        Link(Address(device="/dev/null", baud=12345))


def test_a_stuck_line_is_given_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "STUCK", 0.05)
    link = Link(wire.address)
    with pytest.raises(EngineFailed, match="takes nothing"):
        link.send(b"x" * (1 << 20))
    link.close()


def test_questions_over_a_link_pass_over_what_others_asked(peer: socket.socket) -> None:
    link, far = linked(peer)
    with far:

        def answer() -> None:
            asked = far.recv(4096).decode().split('"')[3]
            far.sendall(reply("stale") + reply(asked, delta="mine"))

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask(link, "sys", "version", 5).data == "mine"
        thread.join()
    link.close()
