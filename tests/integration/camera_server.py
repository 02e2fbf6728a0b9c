"""Cameras on loopback: real pictures over real sockets, well-behaved and not."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from hashlib import md5
from typing import Any

import av
import numpy as np
from PIL import Image

Play = Callable[[socket.socket, str], None]
"""Answers one connection: its socket, and the head of its request."""


class Server:
    """Listens on a free port of loopback and answers each connection in a thread."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.heads: list[str] = []
        """Of all requests."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def url(self, path: str = "/", *, scheme: str = "http", user: str = "") -> str:
        return f"{scheme}://{user}{'@' if user else ''}127.0.0.1:{self.port}{path}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._connections.append(connection)
                self._threads.append(
                    threading.Thread(target=self._serve, args=(connection,), daemon=True)
                )
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = read_head(connection)
            self.heads.append(head)
            self.play(connection, head)

    def close(self) -> None:
        for each in (self._listening, *self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def serving(play: Play) -> Iterator[Server]:
    server = Server(play)
    try:
        yield server
    finally:
        server.close()


def read_head(connection: socket.socket) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionResetError
        head += byte
    return head.decode()


def answer(kind: str, body: bytes = b"", *, status: str = "200 OK", **headers: object) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + body


def silent(connection: socket.socket, head: str) -> None:
    """Nothing, until the client leaves."""
    connection.recv(1)


def jpeg(color: tuple[int, int, int], width: int = 64, height: int = 48) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), color).save(file, "JPEG")
    return file.getvalue()


def still(picture: bytes) -> Play:
    """One picture with its length."""
    return lambda connection, head: connection.sendall(
        answer("image/jpeg", picture, Content_Length=len(picture))
    )


def part(picture: bytes) -> bytes:
    return (
        b"--frame\r\nContent-Type: image/jpeg\r\n"
        + f"Content-Length: {len(picture)}\r\n\r\n".encode()
        + picture
        + b"\r\n"
    )


def motion(pictures: Callable[[], Iterator[bytes]], rate: float = 25) -> Play:
    """Motion JPEG; the connection ends with the pictures."""

    def play(connection: socket.socket, head: str) -> None:
        connection.sendall(answer("multipart/x-mixed-replace; boundary=frame"))
        for picture in pictures():
            connection.sendall(part(picture))
            time.sleep(1 / rate)

    return play


def live(kind: str, data: bytes, seconds: float) -> Play:
    """A stream of unknown length, sent evenly."""

    def play(connection: socket.socket, head: str) -> None:
        connection.sendall(answer(kind))
        piece = max(1, len(data) // int(seconds * 50))
        for start in range(0, len(data), piece):
            connection.sendall(data[start : start + piece])
            time.sleep(0.02)

    return play


def video(
    form: str = "mpegts",
    codec: str = "libx264",
    *,
    frames: int = 50,
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    color: tuple[int, int, int] = (200, 30, 30),
) -> bytes:
    """An encoded video in which a white bar wanders over a colour."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        _encode(container, codec, frames, size, rate, color)
    return file.getvalue()


def _encode(
    container: Any,
    codec: str,
    frames: int,
    size: tuple[int, int],
    rate: int,
    color: tuple[int, int, int],
) -> None:
    options = {"preset": "ultrafast", "tune": "zerolatency"} if codec == "libx264" else {}
    stream = container.add_stream(codec, rate=rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.gop_size = 10
    stream.codec_context.time_base = Fraction(1, rate)
    picture = np.empty((size[1], size[0], 3), np.uint8)
    for number in range(frames):
        picture[:] = color
        left = number * 2 % (size[0] - 4)
        picture[:, left : left + 4] = 255
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def rtp_packets(frames: int = 100) -> list[bytes]:
    """H.264 as RTP packets, caught where PyAV sends them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        number = receiver.getsockname()[1]
        with av.open(f"rtp://127.0.0.1:{number}?rtcpport={number}", "w", format="rtp") as container:
            _encode(container, "libx264", frames, (64, 48), 25, (30, 30, 200))
        packets = []
        with suppress(TimeoutError):
            while True:
                packets.append(receiver.recv(2048))
    return [packet for packet in packets if packet[1] & 0x7F == 96]  # without RTCP


class Rtsp:
    """What an RTSP camera answers (RFC 2326), interleaved; `scheme` of RFC 2617 where it asks for credentials."""

    def __init__(
        self, packets: list[bytes], scheme: str = "", user: str = "joe", password: str = ""
    ) -> None:
        self.packets = packets
        self.scheme = scheme
        self.user = user
        self.password = password
        self.methods: list[str] = []

    def __call__(self, connection: socket.socket, head: str) -> None:
        while True:
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            self.methods.append(method)
            number = re.search(r"CSeq: (\d+)", head)
            assert number
            status, headers, body = self._answer(method, target, head)
            text = f"RTSP/1.0 {status}\r\nCSeq: {number[1]}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
            connection.sendall(text.encode())
            if method == "PLAY" and status == "200 OK":
                self._send(connection)
                return
            if method == "TEARDOWN":
                return
            head = read_head(connection)

    def _answer(self, method: str, target: str, head: str) -> tuple[str, str, str]:
        if method == "OPTIONS":
            return "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""
        if self.scheme and not self._known(method, head):
            nonce = ', nonce="abc123"' if self.scheme == "Digest" else ""
            return (
                "401 Unauthorized",
                f'WWW-Authenticate: {self.scheme} realm="yard"{nonce}\r\n',
                "",
            )
        if method == "DESCRIBE":
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=yard\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
            )
            return "200 OK", f"Content-Base: {target}/\r\nContent-Type: application/sdp\r\n", body
        transport = (
            "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n" if method == "SETUP" else ""
        )
        return "200 OK", f"Session: 7\r\n{transport}", ""

    def _known(self, method: str, head: str) -> bool:
        given = re.search(r"Authorization: (\w+) (.*)\r\n", head)
        if given is None or given[1] != self.scheme:
            return False
        if self.scheme == "Basic":
            return given[2] == b64encode(f"{self.user}:{self.password}".encode()).decode()
        fields = dict(re.findall(r'(\w+)="([^"]*)"', given[2]))
        first = _md5(f"{self.user}:yard:{self.password}")
        second = _md5(f"{method}:{fields['uri']}")
        expected = _md5(f"{first}:abc123:{second}")
        return bool(fields["response"] == expected)

    def _send(self, connection: socket.socket) -> None:
        for packet in self.packets:
            connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
            if packet[1] & 0x80:  # the last one of a picture
                time.sleep(0.04)


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
