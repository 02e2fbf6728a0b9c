"""A host of models on loopback: plain files, a Hugging Face hub, a Debian repository, and their worst days."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from typing_extensions import Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""The commit that every branch of a new hub is at."""


@dataclass
class Served:
    """A file on the host, and how it is handed out."""

    body: bytes
    etag: str | None = '"1"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    """For each answer in turn: after how many bytes of the body the connection is cut."""
    statuses: list[int] = field(default_factory=list)
    """Errors that the first answers are."""
    declares: int | None = None
    """A lie about the length."""
    holds_at: int | None = None
    """Number of bytes after which the answer waits until `go` is set."""
    go: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when the answer waits."""


@dataclass
class Asked:
    """A request that came."""

    path: str
    range: str | None
    headers: dict[str, str]


class ModelHost:
    """An HTTP server in a thread; use as a context manager."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.hub: dict[str, dict[str, bytes]] = {}
        self.asked: list[Asked] = []
        self.commit = COMMIT
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {key.lower(): value for key, value in self.headers.items()}
                host.asked.append(Asked(self.path, headers.get("range"), headers))
                with suppress(ConnectionError):
                    host.answer(self)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for served in self.files.values():
            served.go.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, body: bytes, **how: Any) -> Served:
        """Serve a file and return it, so that its behaviour can be changed."""
        served = self.files[path] = Served(body, **how)
        return served

    def ranges(self, path: str) -> list[str | None]:
        """Return the ranges that a file was asked for, in order."""
        return [asked.range for asked in self.asked if urlsplit(asked.path).path == path]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        if (served := self.files.get(path)) is not None:
            _serve(request, served)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            self._api(request, found[1], found[2] or "revision", found[3] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(request, found[1], found[3])
        else:
            _send(request, 404, b'{"error":"no such thing"}')

    def _api(self, request: BaseHTTPRequestHandler, repo: str, what: str, rest: str) -> None:
        files = self.hub.get(repo)
        if files is None:
            _send(request, 404, b'{"error":"Repository not found"}', x_error_code="RepoNotFound")
        elif what == "revision":
            _send(request, 200, json.dumps({"id": repo, "sha": self.commit}).encode())
        else:
            folder = rest.partition("/")[2]
            start = f"{folder}/" if folder else ""
            tree = [_entry(path, body) for path, body in files.items() if path.startswith(start)]
            _send(request, 200, json.dumps(tree).encode())

    def _resolve(self, request: BaseHTTPRequestHandler, repo: str, path: str) -> None:
        """Redirect to where the bytes are, as the hub does with large files."""
        body = self.hub.get(repo, {}).get(path)
        if body is None:
            _send(request, 404, b"", x_error_code="EntryNotFound")
            return
        where = f"/cdn/{hashlib.sha256(body).hexdigest()}"
        self.files.setdefault(where, Served(body, etag=f'"{where}"'))
        _send(request, 302, b"", location=where)


def _entry(path: str, body: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(body), "oid": "0" * 40}
    if not path.endswith((".json", ".txt")):
        entry["lfs"] = {
            "oid": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "pointerSize": 132,
        }
    return entry


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    for key, value in headers.items():
        request.send_header(key.replace("_", "-").title(), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _serve(request: BaseHTTPRequestHandler, served: Served) -> None:
    if served.statuses:
        _send(request, served.statuses.pop(0), b"")
        return
    start, size = 0, len(served.body)
    asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
    same = request.headers.get("If-Range") in {None, served.etag}
    if served.ranges and asked and same:
        start = int(asked[1])
        if start >= size:
            _send(request, 416, b"", content_range=f"bytes */{size}")
            return
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    else:
        request.send_response(200)
    declared = size - start if served.declares is None else served.declares
    request.send_header("Content-Length", str(declared))
    if served.etag is not None:
        request.send_header("ETag", served.etag)
    request.end_headers()
    _write_body(request, served, served.body[start:][:declared])
    if served.declares is not None:
        request.close_connection = True


def _write_body(request: BaseHTTPRequestHandler, served: Served, body: bytes) -> None:
    if served.cuts:
        body = body[: served.cuts.pop(0)]
        request.close_connection = True
    if served.holds_at is None:
        request.wfile.write(body)
        return
    request.wfile.write(body[: served.holds_at])
    request.wfile.flush()
    served.reached.set()
    served.go.wait(30)
    request.wfile.write(body[served.holds_at :])


# -- what is served


def tar(members: dict[str, bytes] | list[tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """Return an archive of files, or of members that a malicious host would send."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tape:  # type: ignore[call-overload]
        if isinstance(members, dict):
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tape.addfile(info, io.BytesIO(content))
        else:
            for info in members:
                tape.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return out.getvalue()


def deb(members: dict[str, bytes], mode: str = "w:xz") -> bytes:
    """Return a Debian package with the given files (deb(5), ar(5))."""
    ending = {"w:xz": ".xz", "w:gz": ".gz", "w": "", "w:zst": ".zst"}[mode]
    control = tar({"./control": b"Package: model\nVersion: 1\nArchitecture: arm64\n"})
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": control,
        f"data.tar{ending}": tar({f"./{name}": body for name, body in members.items()}, mode),
    }
    out = b"!<arch>\n"
    for name, body in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode()
        out += body + b"\n" * (len(body) % 2)
    return out


def packages(*entries: tuple[str, str, str, bytes]) -> bytes:
    """Return the index of a repository: name, version, file name and content of each package."""
    return b"\n".join(
        (
            f"Package: {name}\nVersion: {version}\nArchitecture: arm64\nMaintainer: nobody\n"
            f"Description: a model\n that says more: here\nFilename: {path}\n"
            f"Size: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\n"
        ).encode()
        for name, version, path, body in entries
    )
