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
_OUTPUT = 12
_SIZES = {1: 8, 5: 4}
"""Bytes of the wire types of fixed size."""


@dataclass(frozen=True, kw_only=True)
class OnnxSummary:
    """What a model tells about itself."""

    metadata: Mapping[str, str]
    width: int | None
    """Size of the last axis of the first output, None where the file leaves it open."""


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
    width: int | None = None
    graphs = 0
    for number, start, stop in _walk(data, 0, len(data)):
        if number == _METADATA:
            entry = {n: data[a:b].decode() for n, a, b in _walk(data, start, stop)}
            metadata[entry.get(1, "")] = entry.get(2, "")
        elif number == _GRAPH:
            graphs += 1
            outputs = [span for n, *span in _walk(data, start, stop) if n == _OUTPUT]
            width = _last_axis(data, *outputs[0]) if outputs else None
    if not graphs:
        raise ValueError("no graph")
    return OnnxSummary(metadata=metadata, width=width)


def _last_axis(data: _Bytes, start: int, stop: int) -> int | None:
    """Walk ValueInfo.type (2), .tensor_type (1), .shape (2), and take the last .dim (1)."""
    for wanted in (2, 1, 2, 1):
        spans = [span for number, *span in _walk(data, start, stop) if number == wanted]
        if not spans:
            return None
        start, stop = spans[-1]
    if start == stop or data[start] != 0x08:  # a number; else a name
        return None
    return _varint(data, start + 1, stop)[0]


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
