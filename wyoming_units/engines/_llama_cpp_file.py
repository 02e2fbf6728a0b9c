"""What a GGUF file tells of itself before its weights are loaded."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wyoming_units.catalog.local import LocalModel
from wyoming_units.errors import EngineFailed

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
"""How values of a type are packed, but texts and arrays."""
_TEXT = 8
_ARRAY = 9


def find_file(model: LocalModel) -> Path:
    """Return the GGUF file of a model, the first one where it comes in parts; `EngineFailed` without any."""
    if model.path.is_file():
        return model.path
    if name := model.options.get("model"):
        return model.path / str(name)
    files = sorted(model.path.glob("*.gguf"))
    if not files:
        raise EngineFailed(f"{model.path} has no GGUF file")
    return files[0]


def read_header(path: Path) -> Mapping[str, Any]:
    """Return the keys of a GGUF file whose values are no arrays; `EngineFailed` names what is wrong."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).header()
    except (OSError, ValueError, struct.error) as err:  # ValueError: an empty file, or no UTF-8
        raise EngineFailed(f"{path} cannot be read as GGUF: {err}") from err


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> dict[str, Any]:
        if self._data[:4] != _MAGIC:
            raise ValueError("it does not begin with GGUF")
        self._at = 4
        if (version := self._number("<I")) not in _VERSIONS:
            raise ValueError(f"its version is {version}")
        self._number("<Q")  # of tensors
        found: dict[str, Any] = {}
        for _ in range(self._number("<Q")):
            key = self._text()
            kind = self._number("<I")
            if kind == _ARRAY:
                self._skip_array()
            else:
                found[key] = self._text() if kind == _TEXT else self._number(_format(kind))
        return found

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def _text(self) -> str:
        length = self._number("<Q")
        begin, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise ValueError("it ends too early")
        return self._data[begin : self._at].decode()

    def _skip_array(self) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind != _TEXT:
            self._at += struct.calcsize(_format(kind)) * count
            return
        unpack, data, at = struct.Struct("<Q").unpack_from, self._data, self._at
        for _ in range(count):  # a vocabulary: some 150 000 of them
            at += 8 + unpack(data, at)[0]
        self._at = at


def _format(kind: int) -> str:
    if (form := _NUMBERS.get(kind)) is None:
        raise ValueError(f"it has a value of the unknown type {kind}")
    return form
