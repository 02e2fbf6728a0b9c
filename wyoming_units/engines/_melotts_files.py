"""MeloTTS on disk, as StackFlow's packages have it and as AXERA-TECH and M5Stack publish it for axengine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import files_of, read_mode
from wyoming_units.errors import EngineFailed
from wyoming_units.speech.lexicon import Lexicon, read_tokens

Convention = Literal["stackflow", "axera"]
"""How languages and tones are numbered."""

_PATTERNS = {
    "encoder": r"encoder.*\.(?:ort|onnx)",
    "decoder": r"decoder.*\.axmodel",
    "gbin": r"g(?:[-_].*)?\.bin",
    "tokens": r"(?:.*[-_])?tokens.*\.txt",
    "lexicon": r"(?:.*[-_])?lexicon.*\.txt",
}
"""Of the files, by what mode files call them."""
_OTHER_CHIPS = re.compile(r"ax650|ax8850|axcl")
_WORDS = re.compile(r"[a-z]+")
_REGIONS = {"us": "US", "br": "GB", "au": "AU", "india": "IN", "cn": "CN", "jp": "JP"}
_RATE = 44_100


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language, as the voices that AXERA-TECH converts number it."""

    code: str
    """BCP 47."""
    words: tuple[str, ...]
    """What stands for it in names of files and folders."""
    number: int
    first_tone: int


_LANGUAGES = (
    Language(
        code="zh", words=("zh", "cn", "chinese"), number=3, first_tone=0
    ),  # mixed with English
    Language(code="ja", words=("ja", "jp", "japanese"), number=1, first_tone=6),
    Language(code="en", words=("en", "english"), number=2, first_tone=7),
    Language(code="ko", words=("ko", "kr", "korean"), number=4, first_tone=11),
    Language(code="es", words=("es", "sp", "spanish"), number=5, first_tone=12),
    Language(code="fr", words=("fr", "french"), number=6, first_tone=13),
)
_STACKFLOW_NUMBER = 3
"""Its packages have this one for every language, and lists of words with the tones as the network takes them."""


@dataclass(frozen=True, kw_only=True)
class MeloFiles:
    """A voice that was found."""

    encoder: Path
    decoder: Path
    gbin: Path
    """Who speaks."""
    tokens: Path
    lexicon: Path
    parameters: Mapping[str, Any]
    """Of the mode file; empty where there is none."""
    language: Language
    region: str
    """Of the language, empty where nothing tells it."""
    convention: Convention

    @property
    def rate(self) -> int:
        """Return the sample rate, in Hz."""
        return int(self.number("mode_rate", _RATE))

    @property
    def language_number(self) -> int:
        """Return what the encoder takes as the language."""
        return _STACKFLOW_NUMBER if self.convention == "stackflow" else self.language.number

    def number(self, name: str, otherwise: float) -> float:
        """Return a number of the mode file; `EngineFailed` where it is none."""
        value = self.parameters.get(name, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise EngineFailed(f"the mode file has {name} = {value!r}, which is no number")
        return float(value)

    def read_lexicon(self) -> tuple[Lexicon, dict[str, int]]:
        """Return the words and the numbers of the tokens; `EngineFailed` where a file is broken."""
        path = self.tokens
        try:
            with path.open(encoding="utf-8") as lines:
                tokens = read_tokens(lines)
            path = self.lexicon
            with path.open(encoding="utf-8") as lines:
                return Lexicon(lines, tokens), tokens
        except (OSError, ValueError) as err:
            raise EngineFailed(f"{path} cannot be read: {err}") from err

    def read_speaker(self) -> NDArray[np.float32]:
        """Return the numbers that stand for who speaks, shape (n,); `EngineFailed` where they cannot be read."""
        try:
            data = self.gbin.read_bytes()
            return np.frombuffer(data, "<f4").astype(np.float32)
        except (OSError, ValueError) as err:
            raise EngineFailed(f"{self.gbin} cannot be read: {err}") from err


def find_voice(model: LocalModel, convention: Convention | None) -> MeloFiles:
    """Return a voice's files, and how they are to be used; `EngineFailed` says what is missing."""
    folder = model.path if model.path.is_dir() else model.path.parent
    mode = str(model.options.get("mode") or model.name)
    parameters = read_mode(folder, mode)
    own = files_of(folder, mode)
    hints = [mode, *model.languages, folder.name]
    files = {
        what: _named(own, what, parameters) or _matching(own, what, hints) for what in _PATTERNS
    }
    language, region = _language([files["encoder"].stem, *hints, files["gbin"].stem])
    told = convention or model.options.get("convention")
    if told not in (None, "stackflow", "axera"):
        raise EngineFailed(f"no convention is called {told!r}; there are: stackflow, axera")
    return MeloFiles(
        **files,
        parameters=parameters,
        language=language,
        region=region,
        convention=told or ("stackflow" if parameters else "axera"),
    )


def _named(folder: Path, what: str, parameters: Mapping[str, Any]) -> Path | None:
    """Return the file that the mode file names, None where it names none."""
    name = parameters.get(what)
    if not name:
        return None
    path = folder / str(name)
    if not path.is_file():
        raise EngineFailed(f"{path} is missing, which the mode file names as the {what}")
    return path


def _matching(folder: Path, what: str, hints: list[str]) -> Path:
    """Return the file whose name says most of what is wanted."""
    pattern = re.compile(_PATTERNS[what])
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if pattern.fullmatch(file.name.lower())
        and not _OTHER_CHIPS.search(str(file.relative_to(folder)).lower())
    ]
    if not files:
        raise EngineFailed(f"{folder} has no {what} of a MeloTTS voice")
    wanted = set(_spoken_words(" ".join(hints)))
    marks = {file: _likeness(file, wanted) for file in files}
    best = [file for file in files if marks[file] == max(marks.values())]
    if len(best) > 1:
        names = ", ".join(file.name for file in best)
        raise EngineFailed(
            f"{folder} has more than one voice ({names}); its option mode tells which"
        )
    return best[0]


def _likeness(file: Path, wanted: set[str]) -> tuple[int, int, bool]:
    """Return how well a file's name suits: words in common, the fewer others, and the usual accent at last."""
    words = set(_spoken_words(file.stem))
    return len(words & wanted), -len(words - wanted - {"default"}), "default" in words


def _spoken_words(text: str) -> list[str]:
    """Return the words of a name that tell a language or an accent, each language by its code."""
    codes = {word: language.code for language in _LANGUAGES for word in language.words}
    words = _WORDS.findall(text.lower())
    known = [codes.get(word, word) for word in words if word in codes or word in _REGIONS]
    return known + [word for word in words if word in ("default", "mix")]


def _language(names: list[str]) -> tuple[Language, str]:
    """Return the language that the first name tells which tells any, and its region from any of them."""
    told = [found for name in names for found in _languages_in(name)]
    if not told:
        raise EngineFailed(f"nothing tells the language of {names[0]}; its option mode can")
    language = told[0][0]
    return language, next((region for same, region in told if same is language and region), "")


def _languages_in(name: str) -> Iterator[tuple[Language, str]]:
    """Yield the languages of a name, each with the region behind it."""
    words = _WORDS.findall(name.lower())
    for word, after in zip(words, [*words[1:], ""], strict=True):
        for language in _LANGUAGES:
            if word in language.words:
                yield language, _REGIONS.get(after, "")
