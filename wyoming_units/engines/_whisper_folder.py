"""What the folder of a CTranslate2 Whisper model tells without being loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from wyoming_units.errors import EngineFailed

_NEEDED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_LEAST_WEIGHTS = 10_000
"""Bytes; below it `model.bin` is a placeholder that stands for the real file, not weights."""


@dataclass(frozen=True, kw_only=True)
class WhisperFolder:
    """A model that has all its files."""

    path: Path
    languages: tuple[str, ...]
    """Whisper's codes, in the order of the vocabulary; only English where it has no multilingual tokens."""


def read_folder(path: Path) -> WhisperFolder:
    """Return what a model folder tells; `EngineFailed` names what is missing, empty or broken."""
    if not path.is_dir():
        raise EngineFailed(f"{path} is no folder of a Whisper model")
    vocabulary = next((name for name in _VOCABULARIES if (path / name).is_file()), None)
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    missing += [] if vocabulary else [" or ".join(_VOCABULARIES)]
    if missing:
        raise EngineFailed(f"{path} has no {', no '.join(missing)}")
    if (path / "model.bin").stat().st_size < _LEAST_WEIGHTS:
        raise EngineFailed(f"{path / 'model.bin'} is cut off; download it again")
    if not isinstance(_read_json(path / "config.json"), dict):
        raise EngineFailed(f"{path / 'config.json'} is broken: not an object")
    if not _is_whole(path / "tokenizer.json"):
        raise EngineFailed(f"{path / 'tokenizer.json'} is cut off or broken; download it again")
    tokens = _tokens(path / str(vocabulary))
    return WhisperFolder(path=path, languages=_languages(tokens, path / str(vocabulary)))


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as err:
        raise EngineFailed(f"{path} is broken: {err}") from None


def _is_whole(path: Path) -> bool:
    """Return whether a file begins and ends like a JSON object; to parse a tokenizer takes too much memory."""
    data = path.read_bytes().strip()
    return data.startswith(b"{") and data.endswith(b"}")


def _tokens(path: Path) -> list[str]:
    if path.suffix == ".txt":
        try:
            return path.read_text("utf-8").split("\n")[:-1]
        except (OSError, ValueError) as err:
            raise EngineFailed(f"{path} is broken: {err}") from None
    tokens = _read_json(path)
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise EngineFailed(f"{path} is broken: not a list of tokens")
    return tokens


def _languages(tokens: list[str], path: Path) -> tuple[str, ...]:
    try:
        start, stop = tokens.index("<|startoftranscript|>") + 1, tokens.index("<|translate|>")
    except ValueError:
        raise EngineFailed(f"{path} is no vocabulary of a Whisper model") from None
    if "" not in tokens:  # how CTranslate2 tells an English-only model, which has the tokens too
        return ("en",)
    return tuple(token[2:-2] for token in tokens[start:stop])
