"""Reads what an ONNX file says of itself, without a runtime and without reading its weights.

The file is a protocol buffer (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): its fields are walked by
their lengths, which also shows at once that a download was cut off.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wyoming_units.errors import EngineFailed

_GRAPH, _METADATA = 7, 14
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_KINDS = {1: "float32", 2: "uint8", 10: "float16"}
"""Types of numbers that pictures are made of; the others have none here."""
_SIZES = {1: 8, 5: 4}
"""Bytes of the wire types of fixed size."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or an output of a network."""

    name: str
    shape: tuple[int | None, ...]
    """Size of each axis, None where the file leaves it open."""
    kind: str = ""
    """`float32`, `float16`, `uint8`, or empty for all others."""


@dataclass(frozen=True, kw_only=True)
class OnnxSummary:
    """What a model tells about itself."""

    metadata: Mapping[str, str]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def width(self) -> int | None:
        """Return the size of the last axis of the first output, None where the file leaves it open."""
        shape = self.outputs[0].shape if self.outputs else ()
        return shape[-1] if shape else None


def only_file(path: Path) -> Path:
    """Return the one ONNX file of a model, which may be a folder; `EngineFailed` where there is not just one."""
    if path.is_file():
        return path
    files = sorted(path.glob("*.onnx"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise EngineFailed(f"{path} must have exactly one ONNX file; there are: {names}")
    return files[0]


def read_onnx(path: Path) -> OnnxSummary:
    """Return what an ONNX file tells; `EngineFailed` where it is missing, cut off or something else."""
    try:
        stat = path.stat()
    except OSError as err:
        raise EngineFailed(f"{path} cannot be read: {err.strerror}") from None
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, size: int, _changed: int) -> OnnxSummary:
    if size == 0:
        raise EngineFailed(f"{path} is empty")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _summary(data)
    except OSError as err:
        raise EngineFailed(f"{path} cannot be read: {err.strerror}") from None
    except EOFError:
        raise EngineFailed(f"{path} is cut off; download it again") from None
    except ValueError:
        raise EngineFailed(f"{path} is no ONNX file") from None


def read_pieces(path: Path) -> list[tuple[str, float]]:
    """Return the pieces of a SentencePiece model with their scores; `EngineFailed` where it is none."""
    data = path.read_bytes()
    try:
        return [_piece(data, *span) for number, *span in _walk(data, 0, len(data)) if number == 1]
    except (EOFError, ValueError):
        raise EngineFailed(f"{path} is no SentencePiece model") from None


_Bytes = bytes | mmap.mmap


def _summary(data: _Bytes) -> OnnxSummary:
    metadata: dict[str, str] = {}
    tensors: dict[int, list[Tensor]] = {_INPUT: [], _OUTPUT: []}
    weights: set[str] = set()
    graphs = 0
    for number, start, stop in _walk(data, 0, len(data)):
        if number == _METADATA:
            entry = {n: data[a:b].decode() for n, a, b in _walk(data, start, stop)}
            metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == _GRAPH:
            graphs += 1
            for field, first, last in _walk(data, start, stop):
                if field in tensors:
                    tensors[field].append(_tensor(data, first, last))
                elif field == _INITIALIZER:
                    weights.update(
                        data[a:b].decode() for n, a, b in _walk(data, first, last) if n == 8
                    )
    if not graphs:
        raise ValueError("no graph")
    inputs = tuple(one for one in tensors[_INPUT] if one.name not in weights)
    return OnnxSummary(metadata=metadata, inputs=inputs, outputs=tuple(tensors[_OUTPUT]))


def _tensor(data: _Bytes, start: int, stop: int) -> Tensor:
    """Read a ValueInfo: its name (1), and of its type (2), a tensor_type (1), what is in it (1) and the shape (2)."""
    name = "".join(data[a:b].decode() for n, a, b in _walk(data, start, stop) if n == 1)
    kind = ""
    shape: tuple[int | None, ...] = ()
    for a, b in _inside(data, [(start, stop)], 2, 1):
        for number, first, last in _walk(data, a, b):
            if number == 1:
                kind = _KINDS.get(_varint(data, first, last)[0], "")
            elif number == 2:
                shape = tuple(_axis(data, *span) for span in _inside(data, [(first, last)], 1))
    return Tensor(name=name, shape=shape, kind=kind)


def _inside(data: _Bytes, spans: list[tuple[int, int]], *numbers: int) -> list[tuple[int, int]]:
    """Return where the fields are that the numbers lead to, one message in another."""
    for wanted in numbers:
        spans = [
            (a, b) for start, stop in spans for n, a, b in _walk(data, start, stop) if n == wanted
        ]
    return spans


def _axis(data: _Bytes, start: int, stop: int) -> int | None:
    """Read a .dim: a number (1), else a name or nothing."""
    if start == stop or data[start] != 0x08:
        return None
    size = _varint(data, start + 1, stop)[0]
    return size if 0 < size < 1 << 31 else None


def _piece(data: _Bytes, start: int, stop: int) -> tuple[str, float]:
    fields = {number: (a, b) for number, a, b in _walk(data, start, stop)}
    text, score = (data[slice(*fields.get(number, (0, 0)))] for number in (1, 2))
    return text.decode(), struct.unpack("<f", score)[0] if len(score) == 4 else 0.0


def _walk(data: _Bytes, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, stop) of each field of a message.

    `EOFError` where a field goes beyond the end, `ValueError` where these are no fields.
    """
    while start < stop:
        tag, start = _varint(data, start, stop)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            end = _varint(data, start, stop)[1]
        elif kind == 2:
            size, start = _varint(data, start, stop)
            end = start + size
        elif kind in _SIZES:
            end = start + _SIZES[kind]
        else:
            raise ValueError(f"wire type {kind}")
        if number == 0:
            raise ValueError("field 0")
        if end > stop:
            raise EOFError
        yield number, start, end
        start = end


def _varint(data: _Bytes, start: int, stop: int) -> tuple[int, int]:
    """Return the number that begins at `start` and where it ends."""
    value = shift = 0
    while start < stop:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7
        if shift > 63:
            raise ValueError("number too long")
    raise EOFError
