"""Loads a model in a process of its own first, for libraries that end the process on a file they dislike.

sherpa-onnx calls exit() on many errors, which no `except` can stop. What has been loaded once is remembered, in
this process and on disk, until one of the model's files, the library or an option changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import wyoming_units
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import ENGINES, create_engine
from wyoming_units.errors import EngineFailed

_TIMEOUT = 60.0
"""Seconds; the largest speech models load in some 10 s on a slow disk."""
_REMEMBERED = 500
"""Entries kept on disk, the newest."""
_SOURCE = re.compile(r"^\S+\.(cc|h):\S+:\d+ ")
"""The place in the library's source that its messages begin with."""

_lock = threading.Lock()
"""One probe at a time: each holds a whole model in memory."""
_good: set[str] = set()
_INSIDE = "_WYOMING_UNITS_PROBE"
"""Set in the environment of a probe, in which nothing is probed again."""


def probe(engine: str, model: LocalModel, **options: Any) -> None:
    """Load `model` with an engine of the table in a subprocess; `EngineFailed` says in one line what is wrong.

    `options` are the other arguments of the engine's constructor: JSON values, or paths, which arrive as text.
    Call it first thing in `load`; it returns at once where the same files were loaded before.
    """
    if _INSIDE in os.environ:
        return
    spec = json.dumps(
        {
            "engine": engine,
            "model": {field.name: _plain(getattr(model, field.name)) for field in fields(model)},
            "options": options,
        },
        default=str,
        sort_keys=True,
    )
    with _lock:
        key = _fingerprint(engine, model.path, spec)
        if key in _good or key in (known := _read_known()):
            return
        _run(engine, model.name, spec)
        _good.add(key)
        _write_known([*known, key])


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else value


def _fingerprint(engine: str, path: Path, spec: str) -> str:
    """Return a key that changes with the files, the libraries and the options."""
    if path.is_dir():
        files = sorted(path.rglob("*"))
    else:  # and what lies beside it: tokens.txt, voice.onnx.json
        files = [path, *sorted((*path.parent.glob("*.txt"), *path.parent.glob(f"{path.name}.*")))]
    states = [f"{file}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in _stats(files)]
    libraries = [_version(name) for name in ENGINES[engine].requires]
    text = "\n".join((wyoming_units.__version__, *libraries, spec, *states))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _stats(files: Iterable[Path]) -> Iterable[tuple[Path, os.stat_result]]:
    for file in files:
        if file.is_file():
            yield file, file.stat()


def _version(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:
        return ""


def _run(engine: str, name: str, spec: str) -> None:
    what = f"{engine} cannot load {name}"
    try:
        child = subprocess.run(
            [sys.executable, "-m", __name__],
            input=spec.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT,
            check=False,
            env={**os.environ, _INSIDE: "1"},
        )
    except subprocess.TimeoutExpired:
        raise EngineFailed(f"{what}: it took more than {_TIMEOUT:.0f} s") from None
    if child.returncode:
        line = _reason(child.stderr.decode(errors="replace"))
        raise EngineFailed(f"{what}: {line or _end(child.returncode)}")


def _reason(output: str) -> str:
    """Return the last line that says something, without the place in the library's source."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if _SOURCE.match(line)] or lines
    line = _SOURCE.sub("", told[-1]) if told else ""
    return line.removeprefix("what():").strip()


def _end(code: int) -> str:
    """Say how a process ended that wrote nothing."""
    if code > 0:
        return f"the library ended the process with exit code {code}"
    try:
        return f"the library crashed with {signal.Signals(-code).name}"
    except ValueError:
        return f"the library crashed with signal {-code}"


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path("~/.cache").expanduser()) / "wyoming-units" / "probed.json"


def _read_known() -> list[str]:
    """Return the keys on disk; none where the file is missing or broken."""
    try:
        known = json.loads(_cache().read_text("utf-8"))
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a user without a home folder
        return []
    return [str(key) for key in known] if isinstance(known, list) else []


def _write_known(keys: list[str]) -> None:
    """Replace the file in one step; where that is not possible the next start probes again."""
    try:
        path = _cache()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(keys[-_REMEMBERED:], file)
        Path(part).replace(path)
    except (OSError, RuntimeError):
        return


def _child() -> None:
    """Load what the spec on stdin tells; a failure is one line on stderr and exit code 1."""
    spec = json.load(sys.stdin)
    told = spec["model"]
    place = {"path": Path(told["path"]), "languages": tuple(told["languages"])}
    try:
        engine = create_engine(
            spec["engine"], model=LocalModel(**{**told, **place}), **spec["options"]
        )
        engine.load()
        engine.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent shall tell it
        sys.exit(" ".join(str(error).split()) or type(error).__name__)


if __name__ == "__main__":
    _child()
