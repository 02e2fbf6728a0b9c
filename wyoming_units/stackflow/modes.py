"""The models of a module: StackFlow calls them modes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_LANGUAGES = {
    "english": "en",
    "chinese": "zh",
    "mandarin": "zh",
    "cantonese": "yue",
    "japanese": "ja",
    "korean": "ko",
    "spanish": "es",
    "french": "fr",
    "german": "de",
    "italian": "it",
    "portuguese": "pt",
    "russian": "ru",
    "dutch": "nl",
}
_HOMES = ("github.com", "huggingface.co")
"""Sites whose addresses begin with who made it."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A model that is installed on a module."""

    name: str
    """What `setup` knows it by."""
    unit: str
    """The service that runs it: `kws`, `vad`, `asr`, `whisper`, `tts`, `melotts`, `llm`, `vlm`, `yolo`,
    `depth_anything`."""
    languages: tuple[str, ...] = ()
    """BCP 47 codes; empty where nobody tells."""
    description: str = ""
    author: str = ""
    upstream: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Its `mode_param`."""


def read_modes(data: Any) -> tuple[Mode, ...]:
    """Return the modes that `lsmode` tells of, in its order; entries that make no sense are left out."""
    entries = data if isinstance(data, list) else []
    found: dict[tuple[str, str], Mode] = {}
    for entry in entries:
        if isinstance(entry, dict) and (mode := _read(entry)):
            found.setdefault((mode.unit, mode.name), mode)
    return tuple(found.values())


def _read(entry: Mapping[str, Any]) -> Mode | None:
    name, kind, parameters = entry.get("mode"), entry.get("type"), entry.get("mode_param")
    parameters = parameters if isinstance(parameters, dict) else {}
    unit = _unit(kind, parameters) if isinstance(kind, str) else None
    if unit is None or not isinstance(name, str) or not name:
        return None
    homepage = _text(entry.get("homepage"))
    words = _words(entry.get("capabilities"))
    languages = (_LANGUAGES.get(word.lower()) for word in words)
    others = [word.replace("_", " ") for word in words if word.lower() not in _LANGUAGES]
    return Mode(
        name=name,
        unit=unit,
        languages=tuple(dict.fromkeys(language for language in languages if language)),
        description=", ".join(dict.fromkeys(others)),
        author=_author(homepage),
        upstream=homepage,
        parameters=parameters,
    )


def _unit(kind: str, parameters: Mapping[str, Any]) -> str | None:
    """Return the service for a type, which for some is told by the model's files alone; None: no model."""
    if kind in {"vad", "kws", "llm", "vlm"}:
        return kind
    if kind == "asr":
        return "whisper" if {"encoder", "decoder_main"} <= parameters.keys() else "asr"
    if kind == "tts":
        return "melotts" if "gbin" in parameters else "tts"
    if kind == "cv":
        if "yolo_model" in parameters:
            return "yolo"
        return "depth_anything" if "depth_anything_model" in parameters else None
    return None


def _words(value: Any) -> list[str]:
    items: Iterable[Any] = value if isinstance(value, list) else ()
    return [item.strip() for item in items if isinstance(item, str) and item.strip()]


def _text(homepage: Any) -> str:
    text = homepage.strip() if isinstance(homepage, str) else ""
    return text if text.startswith(("http://", "https://")) else ""


def _author(homepage: str) -> str:
    try:
        parts = urlsplit(homepage)
    except ValueError:
        return ""
    owner = parts.path.strip("/").partition("/")[0]
    return owner if (parts.hostname or "").removeprefix("www.") in _HOMES else ""
