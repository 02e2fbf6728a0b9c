"""What the folder of a Whisper for the NPU tells without being loaded, in either of its two layouts.

AXERA's own has two networks and a `*_config.json`; that of StackFlow's packages has three and a table of positions,
and its settings are in the JSON file of its mode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import files_of, read_mode
from wyoming_units.engines._whisper_languages import LANGUAGES
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.whisper_tokens import read_vocabulary

_CONTEXT = 448
_USUAL = {
    "sot": 50258,
    "eot": 50257,
    "blank": 220,
    "translate": 50358,
    "transcribe": 50359,
    "no_timestamps": 50363,
    "no_speech": 50362,
}
"""Of the multilingual models before the third version, by the keys of StackFlow."""


@dataclass(frozen=True, kw_only=True)
class Special:
    """Numbers of the tokens that mean something; all but the blank lie from `eot` on."""

    sot: int
    eot: int
    blank: int
    translate: int
    transcribe: int
    no_timestamps: int
    no_speech: int

    @property
    def highest(self) -> int:
        """Return the last of them."""
        return max(self.sot, self.translate, self.transcribe, self.no_timestamps, self.no_speech)

    def prompt(self, language: int | None) -> tuple[int, ...]:
        """Return what a transcript begins with; a model that is only English has no languages."""
        if language is None:
            return (self.sot, self.no_timestamps)
        return (self.sot, language, self.transcribe, self.no_timestamps)


@dataclass(frozen=True, kw_only=True)
class WhisperFiles:
    """A model that has all its files."""

    encoder: Path
    decoders: tuple[Path, ...]
    """One, or those for the prompt and for all that follows."""
    positions: Path | None
    """Table of float32, (context, width), where the second of two decoders takes a row of it."""
    tokens: Path
    simplified: Path | None
    """What writes traditional Chinese in the simplified script."""
    special: Special
    languages: Mapping[str, int]
    """Tokens by Whisper's codes; empty for a model that is only English."""
    context: int
    """Tokens that the decoder remembers, the prompt's among them."""


def read_files(model: LocalModel) -> WhisperFiles:
    """Return what a model's folder tells; `EngineFailed` names what is missing or broken."""
    if not model.path.exists():
        raise EngineFailed(f"{model.path} does not exist")
    mode = str(model.options.get("mode", model.name))
    folder = model.path if model.path.is_dir() else model.path.parent
    settings = read_mode(folder, mode)
    encoder = _encoder(files_of(folder, mode), settings, str(model.options.get("size", "")))
    start = encoder.name.split("encoder")[0]
    decoder = encoder.with_name(f"{start}decoder.axmodel")
    size = start.rstrip("-_.")
    if decoder.is_file():
        return _of_axera(encoder, size, decoder)
    return _of_stackflow(encoder, size, settings)


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """Return the bytes of every token; `EngineFailed` where the file is broken."""
    try:
        return read_vocabulary(path.read_text("ascii"))
    except (OSError, ValueError) as err:
        raise EngineFailed(f"{path} is no vocabulary of Whisper: {err}") from None


def read_positions(path: Path, context: int, width: int) -> NDArray[np.float32]:
    """Return the table, shape (context, width), which stays on disk; `EngineFailed` where it has another size."""
    size = path.stat().st_size if path.is_file() else 0
    if size != 4 * context * width:
        raise EngineFailed(f"{path} has {size} bytes, not {4 * context * width}; download it again")
    return np.memmap(path, np.float32, "r", shape=(context, width))


def read_script(path: Path) -> dict[int, str]:
    """Return a table of characters for `str.translate`, empty where the file is none (OpenCC has others)."""
    try:
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    pairs = table.items() if isinstance(table, dict) else ()
    return {ord(a): b for a, b in pairs if len(a) == 1 and isinstance(b, str)}


def _encoder(folder: Path, settings: Mapping[str, Any], size: str) -> Path:
    if "encoder" in settings:
        return _only(folder, "", settings["encoder"])
    pattern = f"{escape(size)}*encoder*.axmodel"
    places = folder.glob, folder.rglob
    return next((f for find in places if (f := _lone(list(find(pattern))))), None) or _only(
        folder, pattern, None
    )


def _of_axera(encoder: Path, size: str, decoder: Path) -> WhisperFiles:
    path = _only(encoder.parent, f"{escape(size)}*config.json", None)
    try:
        config = json.loads(path.read_text("utf-8"))
        numbers = {key: int(config["blank_id" if key == "blank" else key]) for key in _USUAL}
        languages = _languages(config)
        context = int(config["n_text_ctx"])
    except (OSError, ValueError, LookupError, TypeError) as err:
        raise EngineFailed(f"{path} is broken: {err!r}") from None
    return WhisperFiles(
        encoder=encoder,
        decoders=(decoder,),
        positions=None,
        tokens=_only(encoder.parent, f"{escape(size)}*tokens.txt", None),
        simplified=_script(encoder.parent, "t2s.json"),
        special=_special(numbers, path),
        languages=languages,
        context=context,
    )


def _of_stackflow(encoder: Path, size: str, settings: Mapping[str, Any]) -> WhisperFiles:
    folder, start = encoder.parent, escape(size)

    def file(key: str, pattern: str) -> Path:
        return _only(folder, f"{start}*{pattern}", settings.get(key))

    try:
        numbers = {key: int(settings.get(f"whisper_{key}", usual)) for key, usual in _USUAL.items()}
        context = int(settings.get("whisper_n_text_ctx", _CONTEXT))
    except (ValueError, TypeError) as err:
        raise EngineFailed(f"the mode of {folder} is broken: {err}") from None
    special = _special(numbers, folder)
    count = special.translate - special.sot - 1
    return WhisperFiles(
        encoder=encoder,
        decoders=(
            file("decoder_main", "decoder*main*.axmodel"),
            file("decoder_loop", "decoder*loop*.axmodel"),
        ),
        positions=file("positional_embedding", "positional*embedding*.bin"),
        tokens=file("tokens", "tokens*.txt"),
        simplified=_script(folder, str(settings.get("t2s", "t2s.json"))),
        special=special,
        languages={code: special.sot + 1 + i for i, code in enumerate(LANGUAGES[:count])},
        context=context,
    )


def _special(numbers: Mapping[str, int], where: Path) -> Special:
    special = Special(**{field.name: numbers[field.name] for field in fields(Special)})
    others = [number for key, number in numbers.items() if key not in ("eot", "blank")]
    if not 0 <= special.blank < special.eot < min(others):
        raise EngineFailed(f"{where} has no vocabulary of a Whisper model: {dict(numbers)}")
    return special


def _languages(config: Mapping[str, Any]) -> dict[str, int]:
    if not config["is_multilingual"]:
        return {}
    codes = _listed(config["all_language_codes"])
    numbers = map(int, _listed(config["all_language_tokens"]))
    languages = dict(zip(map(str.strip, codes), numbers, strict=True))
    if not languages:
        raise ValueError("no languages")
    return languages


def _listed(value: Any) -> Sequence[Any]:
    return value.split(",") if isinstance(value, str) else list(value)


def _script(folder: Path, name: str) -> Path | None:
    path = folder / name
    return path if path.is_file() else None


def _lone(found: Sequence[Path]) -> Path | None:
    """Return the only file for the whole NPU."""
    whole = [path for path in found if "npu1" not in path.stem]
    return whole[0] if len(whole) == 1 else None


def _only(folder: Path, pattern: str, named: Any) -> Path:
    """Return the file that settings name, or the only one of a pattern; `EngineFailed` where there is none."""
    if named is not None:
        path = folder / str(named)
        if not path.is_file():
            raise EngineFailed(f"{path} does not exist")
        return path
    found = sorted(folder.rglob(pattern)) if folder.is_dir() else []
    path_or_none = _lone(found)
    if path_or_none is None:
        names = ", ".join(path.name for path in found) or "none"
        raise EngineFailed(f"{folder} must have exactly one {pattern}; there are: {names}")
    return path_or_none
