"""Unpack what came over the network: nothing leaves the folder, and nothing grows without bound."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import IO

from wyoming_units.errors import UnitError

MOST_MEMBERS = 20_000
_CHUNK = 1 << 20
_AR = b"!<arch>\n"
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError)


class BadArchive(UnitError):
    """An archive that is broken or not to be trusted."""


@dataclass(frozen=True, kw_only=True)
class Unpacking:
    """What to take out of an archive, and where to."""

    into: Path
    folder: str
    """Folder of the archive whose files are wanted; taken off their names."""
    files: tuple[str, ...]
    """Patterns of wanted files, relative to `folder`."""
    limit: int
    """Most bytes that all wanted files together may have."""


def unpack(path: Path, what: Unpacking) -> None:
    """Unpack a tar or zip archive; `BadArchive`, with part of the files written."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as bundle:
                _take(_of_zip(bundle), what)
        else:
            with tarfile.open(path) as tape:
                _take(_of_tar(tape), what)
    except BadArchive as err:
        raise BadArchive(f"{path.name}: {err}") from None
    except _BROKEN as err:
        raise BadArchive(f"{path.name} is broken: {err}") from err


def unpack_deb(path: Path, what: Unpacking, scratch: Path) -> None:
    """Unpack the files of a Debian package, without root; `scratch` is a folder to work in."""
    data = scratch / "data.tar"
    try:
        _data_of(path, data, limit=4 * what.limit)
        unpack(data, what)
    except OSError as err:
        raise BadArchive(f"{path.name} is broken: {err}") from err
    finally:
        data.unlink(missing_ok=True)


Member = tuple[str, "IO[bytes] | None"]
"""A safe name, and what is in it; None for a folder."""


def _take(members: Iterator[Member], what: Unpacking) -> None:
    left = what.limit
    for count, (name, content) in enumerate(members):
        if count >= MOST_MEMBERS:
            raise BadArchive(f"more than {MOST_MEMBERS} files")
        wanted = _wanted(name, what)
        if content is None or wanted is None:
            continue
        with content:
            left -= _write(content, what.into / wanted, left)


def _wanted(name: str, what: Unpacking) -> str | None:
    """Return what a member is to be called, None where it is not wanted."""
    if what.folder:
        if not name.startswith(what.folder + "/"):
            return None
        name = name[len(what.folder) + 1 :]
    return name if any(fnmatchcase(name, pattern) for pattern in what.files) else None


def _write(content: IO[bytes], path: Path, limit: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with path.open("wb") as out:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise BadArchive("holds far more bytes than this model has")
            out.write(chunk)
    return size


def safe_name(name: str) -> str:
    """Return a file's name in its plainest form; `BadArchive` where it leads out."""
    plain = normpath(name)
    if "\\" in name or "\0" in name or plain.startswith(("/", "../")) or plain == "..":
        raise BadArchive(f"{name!r} leads out of the folder")
    return plain


def _of_tar(tape: tarfile.TarFile) -> Iterator[Member]:
    for member in tape:
        name = safe_name(member.name)
        if member.issym():
            safe_name(join(dirname(name), member.linkname))
        elif member.islnk():
            safe_name(member.linkname)
        elif not (member.isfile() or member.isdir()):
            raise BadArchive(f"{name!r} is no file")
        yield name, _content(tape, member)


def _content(tape: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    """Open a member; a link gives what it leads to, so that no link is ever written."""
    if member.isdir():
        return None
    try:
        return tape.extractfile(member)
    except (KeyError, RecursionError):
        raise BadArchive(f"{member.name!r} links to nothing") from None


def _of_zip(bundle: zipfile.ZipFile) -> Iterator[Member]:
    for member in bundle.infolist():
        name = safe_name(member.filename)
        mode = member.external_attr >> 16
        if mode & 0o170000 not in (0, 0o100000, 0o040000):
            raise BadArchive(f"{name!r} is no file")
        yield name, None if member.is_dir() else bundle.open(member)


def _data_of(path: Path, out: Path, *, limit: int) -> None:
    """Write the tar archive of a package's files (deb(5)); compressed as it is, if Python knows how."""
    with path.open("rb") as deb:
        if deb.read(len(_AR)) != _AR:
            raise BadArchive(f"{path.name} is no Debian package")
        while header := deb.read(60):  # ar(5)
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            length = header[48:58].strip()
            if len(header) < 60 or not length.isdigit():
                raise BadArchive(f"{path.name} is broken")
            if name.startswith("data.tar"):
                if name.endswith(".zst") and sys.version_info < (3, 14):
                    return _data_by_dpkg(path, out, limit)
                with out.open("wb") as file:
                    _copy(deb, file, int(length), limit)
                return None
            deb.seek(int(length) + int(length) % 2, os.SEEK_CUR)
    raise BadArchive(f"{path.name} holds no files")


def _copy(source: IO[bytes], out: IO[bytes], length: int, limit: int) -> None:
    if length > limit:
        raise BadArchive("holds far more bytes than this model has")
    while length and (chunk := source.read(min(length, _CHUNK))):
        out.write(chunk)
        length -= len(chunk)
    if length:
        raise BadArchive("ends too early")


def _data_by_dpkg(path: Path, out: Path, limit: int) -> None:
    """Let dpkg-deb open Zstandard, which Python can since 3.14."""
    program = shutil.which("dpkg-deb")
    if program is None:
        raise UnitError(f"{path.name} needs Python 3.14 or the program dpkg-deb to be unpacked")
    command = [program, "--fsys-tarfile", str(path)]
    with out.open("wb") as file, subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        size = 0
        while chunk := child.stdout.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                child.kill()
                raise BadArchive("holds far more bytes than this model has")
            file.write(chunk)
    if child.returncode:
        raise BadArchive(f"{path.name} is broken")
