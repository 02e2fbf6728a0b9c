"""Download one file over HTTP so that an interruption costs nothing but time.

huggingface-hub and pooch download to a fresh temporary name each time, so what a killed process had is
lost; a model of a gigabyte on a slow line needs better. What they do well is left to them: listing a
repository, and hashing.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from wyoming_units import __version__
from wyoming_units.catalog.plan import Download
from wyoming_units.errors import UnitError

Progress = Callable[[str, int, "int | None"], None]
"""Told the file's name, how many bytes are here, and how many there will be where that is known."""

TRIES = 3
"""How often in a row an attempt may bring nothing."""
PAUSE = 0.5
"""Seconds before the second attempt; doubled each time."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection is given up."""
_CHUNK = 1 << 16
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class PullFailed(UnitError):
    """A model could not be downloaded."""


class _Broken(Exception):
    """The connection ended early, or the server may do better next time."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in lower-case hex."""
    from pooch import file_hash

    digest: str = file_hash(str(path), alg="sha256")
    return digest


@dataclass(kw_only=True)
class Fetcher:
    """Downloads files into a folder, going on where an earlier attempt stopped."""

    folder: Path
    limit: int
    """Most bytes that a file may have."""
    progress: Progress = lambda _name, _done, _total: None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent to the host of the address, not to where it redirects."""

    def get(self, wanted: Download) -> Path:
        """Return the complete file, checked against what is known of it; `PullFailed`."""
        path = self.folder / wanted.name
        if path.exists():  # its name is given only to what is complete
            return path
        part = path.with_name(path.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        self._try(wanted, part)
        if wanted.size is not None and part.stat().st_size != wanted.size:
            _discard(part)
            raise PullFailed(f"{wanted.url}: not the {wanted.size} bytes that it should be")
        if wanted.sha256 is not None and sha256(part) != wanted.sha256:
            _discard(part)
            raise PullFailed(f"{wanted.url}: its SHA-256 is not the one that it should be")
        part.replace(path)
        _mark(part).unlink(missing_ok=True)
        return path

    def _try(self, wanted: Download, part: Path) -> None:
        barren = 0
        while True:
            before = _size(part)
            try:
                self._attempt(wanted, part)
                return
            except (_Broken, http.client.HTTPException, OSError) as err:
                if isinstance(err, HTTPError) and err.code not in _AGAIN:
                    raise PullFailed(f"{wanted.url}: the server answers {err.code}") from err
                barren = 0 if _size(part) > before else barren + 1
                if barren == TRIES:
                    why = getattr(err, "reason", None) or str(err) or type(err).__name__
                    raise PullFailed(f"{wanted.url}: {why}") from err
            if barren:
                time.sleep(PAUSE * 2 ** (barren - 1))

    def _attempt(self, wanted: Download, part: Path) -> None:
        request, have = self._request(wanted, part)
        try:
            response = urlopen(request, timeout=TIMEOUT)
        except HTTPError as err:
            if err.code != 416:
                raise
            _refused_range(err, part, have)
            return
        with response:
            start = _start(response, have)
            if start is None:
                _discard(part)
                raise _Broken("the server sent another part than it was asked for")
            total = _total(response, start)
            self._check(wanted, total)
            if start == 0:
                _remember(response, part)
            with part.open("r+b" if start else "wb") as out:
                out.seek(start)
                out.truncate()
                self._copy(response, out, wanted, total)

    def _request(self, wanted: Download, part: Path) -> tuple[Request, int]:
        request = Request(
            wanted.url,
            headers={"Accept-Encoding": "identity", "User-Agent": f"wyoming-units/{__version__}"},
        )
        for key, value in self.headers.items():
            request.add_unredirected_header(key, value)
        have, mark = _size(part), _mark(part)
        validator = mark.read_text("ascii") if mark.exists() else ""
        if have and not (validator or wanted.sha256):
            have = 0  # nothing would tell that the file has changed since
        if have:
            request.add_header("Range", f"bytes={have}-")
            if validator:
                request.add_header("If-Range", validator)
        return request, have

    def _check(self, wanted: Download, total: int | None) -> None:
        if total is None:
            return
        if wanted.size is not None and total != wanted.size:
            raise PullFailed(
                f"{wanted.url}: the server has {total} bytes, it should be {wanted.size}"
            )
        if total > self.limit:
            raise PullFailed(f"{wanted.url}: {total} bytes are too many for this model")

    def _copy(
        self,
        response: http.client.HTTPResponse,
        out: IO[bytes],
        wanted: Download,
        total: int | None,
    ) -> None:
        done = out.tell()
        self.progress(wanted.name, done, total or wanted.size)
        while chunk := response.read1(_CHUNK):
            out.write(chunk)
            done += len(chunk)
            if done > min(self.limit, wanted.size or self.limit):
                raise PullFailed(f"{wanted.url}: more bytes than this model has")
            self.progress(wanted.name, done, total or wanted.size)
        out.flush()
        os.fsync(out.fileno())
        if total is not None and done < total:
            raise _Broken(f"the connection ended after {done} of {total} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mark(part: Path) -> Path:
    """Return the file that remembers which version of the file a part is of."""
    return part.with_name(part.name + ".version")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _remember(response: http.client.HTTPResponse, part: Path) -> None:
    etag = response.headers.get("ETag", "")
    # RFC 9110 13.1.5: a weak tag does not prove that bytes are the same.
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    _discard(part)
    if validator and validator.isascii():
        _mark(part).write_text(validator, "ascii")


def _start(response: http.client.HTTPResponse, have: int) -> int | None:
    """Return where in the file the answer begins, None where that is of no use."""
    if response.status != 206:
        return 0  # the whole file: nothing was asked for, or the range was ignored
    where = response.headers.get("Content-Range", "")
    return have if where.startswith(f"bytes {have}-") else None


def _total(response: http.client.HTTPResponse, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _refused_range(err: HTTPError, part: Path, have: int) -> None:
    """Accept a part that turns out to be the whole file; begin anew with any other."""
    with err:
        if err.headers.get("Content-Range") == f"bytes */{have}":
            return
    _discard(part)
    raise _Broken("the file has changed on the server")
