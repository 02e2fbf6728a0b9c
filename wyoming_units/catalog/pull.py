"""Bring a model onto this machine: nothing is where an engine looks until all of it is there and checked."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha1
from importlib.util import find_spec
from pathlib import Path

from wyoming_units.catalog.archive import BadArchive, Unpacking, unpack, unpack_deb
from wyoming_units.catalog.fetch import Fetcher, Progress, PullFailed, sha256
from wyoming_units.catalog.listing import Listing, ask
from wyoming_units.catalog.plan import Download, Plan
from wyoming_units.catalog.store import (
    PARTIAL,
    RECEIPT,
    Receipt,
    StoredFile,
    read_receipt,
)
from wyoming_units.errors import Unsupported

_SLACK = 64 << 20
"""Bytes that a model may have over what the catalogue says, as sizes there are rounded."""
_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_HERE = -100
"""AT_FDCWD of renameat2(2)."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A file that is not as it was when it came."""

    name: str
    what: str


def present(plan: Plan, models_dir: Path) -> Receipt | None:
    """Return the receipt of what is installed if it is what the plan would bring, whole and unharmed."""
    folder = models_dir / plan.manifest.name
    receipt = read_receipt(folder)
    if receipt is None or receipt.source != plan.variant.source or damage(receipt, folder):
        return None
    return receipt


def damage(receipt: Receipt, folder: Path) -> list[Fault]:
    """Read all files of a model and return those that are not as they came."""
    return [fault for file in receipt.files if (fault := _fault(file, folder / file.name))]


def _fault(file: StoredFile, path: Path) -> Fault | None:
    try:
        size = path.stat().st_size
        if size != file.size:
            return Fault(name=file.name, what=f"has {size} bytes instead of {file.size}")
        if sha256(path) != file.sha256:
            return Fault(name=file.name, what="has other content than when it came")
    except FileNotFoundError:
        return Fault(name=file.name, what="is missing")
    except OSError as err:
        return Fault(name=file.name, what=f"cannot be read: {err.strerror}")
    return None


def pull(plan: Plan, models_dir: Path, progress: Progress | None = None) -> Receipt:
    """Download what a plan names and put it in place; `PullFailed`, `BadArchive`, `Unsupported`.

    What was downloaded before an interruption is used. Whatever happens, the model's folder is either
    as before or complete.
    """
    _need_extra()
    folder = models_dir / plan.manifest.name
    if folder.exists() and not (folder / RECEIPT).exists():
        raise PullFailed(f"{folder} is in the way; it is not from the catalogue")
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with _workshop(plan, models_dir) as work:
            listing = ask(plan)
            _check_room(plan, listing, work)
            receipt = _assemble(plan, listing, work, progress)
            _put_in_place(work / "model", folder)
            shutil.rmtree(work)
            return receipt
    except OSError as err:
        raise PullFailed(f"cannot pull {plan.manifest.name}: {err}") from err


def _need_extra() -> None:
    if find_spec("huggingface_hub") is None or find_spec("pooch") is None:
        raise Unsupported("pulling models needs: pip install 'wyoming-units[models]'")


@contextmanager
def _workshop(plan: Plan, models_dir: Path) -> Iterator[Path]:
    """Give the folder in which a model is prepared, with what an earlier attempt at it left."""
    name = plan.manifest.name
    partial = models_dir / PARTIAL
    partial.mkdir(exist_ok=True)
    with (partial / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PullFailed(f"{name} is being pulled by another process") from None
        work = partial / name
        purpose = plan.variant.source.model_dump_json()
        note = work / "source.json"
        if not note.exists() or note.read_text("utf-8") != purpose:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            note.write_text(purpose, "utf-8")
        yield work


def _check_room(plan: Plan, listing: Listing, work: Path) -> None:
    sizes = [download.size for download in listing.downloads]
    total = sum(size for size in sizes if size is not None)
    if None in sizes or any(download.unpack for download in listing.downloads):
        total += plan.manifest.bytes(plan.target)
    there = sum(path.stat().st_size for path in (work / "downloads").rglob("*") if path.is_file())
    free = shutil.disk_usage(work).free
    if total - there > free:
        raise PullFailed(
            f"{plan.manifest.name} needs {total - there} bytes, {work.parents[1]} has {free} left"
        )


def _assemble(plan: Plan, listing: Listing, work: Path, progress: Progress | None) -> Receipt:
    limit = 4 * plan.manifest.bytes(plan.target) + _SLACK
    # Files of one version are not completed with those of another.
    version = sha1(listing.revision.encode(), usedforsecurity=False).hexdigest()
    fetcher = Fetcher(folder=work / "downloads" / version, limit=limit, headers=listing.headers)
    if progress is not None:
        fetcher.progress = progress
    model = work / "model"
    shutil.rmtree(model, ignore_errors=True)
    got = [(download, fetcher.get(download)) for download in listing.downloads]
    model.mkdir()
    for download, path in got:
        _add(plan, download, path, model, limit)
    receipt = _receipt(plan, listing, model)
    if not receipt.files:
        raise PullFailed(f"{plan.downloads[0].url} holds none of the files of {receipt.name}")
    (model / RECEIPT).write_text(receipt.model_dump_json(indent=2), "utf-8")
    _sync(model)
    return receipt


def _add(plan: Plan, download: Download, path: Path, model: Path, limit: int) -> None:
    source = plan.variant.source
    if download.unpack is None:
        target = model / download.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(path, target)
        return
    what = Unpacking(into=model, folder=source.folder, files=source.files, limit=limit)
    try:
        if download.unpack == "deb":
            unpack_deb(path, what, scratch=path.parent)
        else:
            unpack(path, what)
    except BadArchive:
        path.unlink()  # the next attempt must not stumble over it again
        raise


def _link(path: Path, target: Path) -> None:
    """Give a file a second name, so that the download survives until the model is in place."""
    try:
        os.link(path, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, target)


def _receipt(plan: Plan, listing: Listing, model: Path) -> Receipt:
    manifest, variant = plan.manifest, plan.variant
    files = sorted(path for path in model.rglob("*") if path.is_file())
    return Receipt(
        name=manifest.name,
        kind=manifest.kind,
        target=plan.target,
        engines=variant.engines,
        options=variant.options,
        languages=manifest.languages,
        description=manifest.description,
        author=manifest.author,
        upstream=manifest.upstream,
        license=manifest.license,
        source=variant.source,
        revision=listing.revision,
        files=tuple(
            StoredFile(
                name=path.relative_to(model).as_posix(),
                size=path.stat().st_size,
                sha256=sha256(path),
            )
            for path in files
        ),
        pulled=datetime.now(timezone.utc).replace(microsecond=0),
    )


def _sync(folder: Path) -> None:
    """Wait until a folder and all in it are on the disk, so that a power cut cannot empty a file."""
    for path in (*folder.rglob("*"), folder, folder.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put_in_place(model: Path, folder: Path) -> None:
    """Rename a prepared model to its folder; an old one changes places with it in the same moment."""
    if folder.exists():
        _exchange(model, folder)
    else:
        model.rename(folder)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in {errno.ENOSYS, errno.EINVAL}:
            raise OSError(code, os.strerror(code), str(other))
    aside = one.with_name("old")  # a file system that cannot exchange names
    other.rename(aside)
    one.rename(other)
