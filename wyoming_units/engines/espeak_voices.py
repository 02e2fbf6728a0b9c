"""The voices of eSpeak NG, read from the text files of its data folder; loads no library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeakng_loader

from wyoming_units.errors import UnknownVoice

_DEFAULT_PRIORITY = 5  # of a language line without number (espeak-ng, docs/voices.md)

_DIALECT = {"en": "en-us", "zh-hk": "yue", "zh-hant-hk": "yue", "zh-mo": "yue", "zh-hant-mo": "yue"}
"""Languages for which the files name no voice, or one that fewer of our users expect."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One voice file."""

    name: str
    """Stable name that clients ask for: its first language in lower case, "en-us"."""
    identifier: str
    """What the library knows it by, "gmw/en-US"."""
    title: str
    priorities: dict[str, int]
    """Language code in lower case -> priority; the voice with the smallest number is the best."""


def data_path() -> Path:
    """Return the folder with voices and dictionaries."""
    return Path(espeakng_loader.get_data_path())


@cache
def voices() -> dict[str, Voice]:
    """Return all voices by name, those left out whose dictionary the wheel lacks."""
    found: dict[str, Voice] = {}
    for voice in _read_all(data_path()):
        name = voice.name if voice.name not in found else Path(voice.identifier).name.lower()
        found[name] = Voice(
            name=name,
            identifier=voice.identifier,
            title=voice.title,
            priorities=voice.priorities,
        )
    return found


def find_voice(name: str | None, language: str | None) -> Voice:
    """Return the voice of that name, else by language (RFC 4647 lookup), else "en-us"."""
    if name is not None:
        voice = voices().get(name.lower().replace("_", "-"))
        if voice is None:
            raise _unknown(f"called {name!r}")
        return voice
    if language is None:
        return voices()["en-us"]
    code = language.lower().replace("_", "-")
    for candidate in _truncations(code):
        if voice := _best(candidate):
            return voice
    raise _unknown(f"for the language {language!r}")


def _unknown(wanted: str) -> UnknownVoice:
    return UnknownVoice(f"eSpeak NG has no voice {wanted}; it has: {', '.join(voices())}")


def _truncations(code: str) -> Iterator[str]:
    """Yield "zh-hans-cn", "zh-hans", "zh"."""
    while code:
        yield code
        code = code.rpartition("-")[0]


def _best(code: str) -> Voice | None:
    if code in _DIALECT:
        return voices()[_DIALECT[code]]
    speakers = [voice for voice in voices().values() if code in voice.priorities]
    return min(speakers, key=lambda voice: voice.priorities[code], default=None)


def _read_all(data: Path) -> Iterator[Voice]:
    for path in sorted((data / "lang").rglob("*")):
        if path.is_file() and (voice := _read(path, data)):
            yield voice


def _read(path: Path, data: Path) -> Voice | None:
    # Some files carry comments in other encodings.
    text = re.sub(r"//.*", "", path.read_text("utf-8", errors="replace"))
    fields = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    values = {key: value[0].strip() for key, *value in fields if value}
    priorities = {
        language.lower(): int(priority[0]) if priority else _DEFAULT_PRIORITY
        for key, *value in fields
        if key == "language" and value
        for language, *priority in [value[0].split()]
    }
    if not priorities:
        return None
    first = next(iter(priorities))
    dictionary = values.get("dictionary", first.partition("-")[0])
    if not (data / f"{dictionary}_dict").exists():
        return None
    return Voice(
        name=first,
        identifier=path.relative_to(data / "lang").as_posix(),
        title=values.get("name", path.name),
        priorities=priorities,
    )
