"""Phrases in the tokens of a keyword spotting model, as `sherpa_onnx.text2token` writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wyoming_units.errors import EngineFailed, UnknownWakeWord, Unsupported
from wyoming_units.speech.grammar import spoken_words

_BPE = ("bpe.model", "*.model")
_LEXICON = ("en.phone", "*.phone", "lexicon.txt")
_CJK = re.compile(r"[㐀-鿿]")
_PINYIN = frozenset({"zh"})
"""An initial that every model has which writes Chinese in pinyin."""


class Spelling:
    """How a model writes what people type."""

    def __init__(self, folder: Path, tokens: Mapping[str, int]) -> None:
        """Find out from the model's files; what they need is imported with the first phrase."""
        self._tokens = tokens
        self._bpe = _first(folder, _BPE)
        self._lexicon = _first(folder, _LEXICON)
        self._pinyin = tokens.keys() >= _PINYIN
        self._characters = any(len(token) == 1 and _CJK.match(token) for token in tokens)

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages of phrases that can be written."""
        english = self._bpe is not None or self._lexicon is not None
        return ("en",) * english + ("zh",) * (self._pinyin or self._characters)

    def spell(self, phrase: str) -> tuple[str, ...]:
        """Return the tokens of a phrase; `UnknownWakeWord` says which of its words the model cannot write."""
        words = spoken_words(phrase)
        if not words:
            raise UnknownWakeWord(f"{phrase!r} has no words to listen for")
        parts = [part for word in words for part in re.findall(r"[㐀-鿿]+|[^㐀-鿿]+", word)]
        return tuple(token for part in parts for token in self._word(part, phrase))

    def _word(self, word: str, phrase: str) -> Sequence[str]:
        for write in self._writers(word):
            for form in dict.fromkeys((word.upper(), word, word.lower())):
                written = write(form)
                if written and self._tokens.keys() >= set(written):
                    return written
        raise UnknownWakeWord(f"{phrase!r} cannot be listened for: {self._reason(word)}")

    def _writers(self, word: str) -> Iterator[Callable[[str], Sequence[str]]]:
        """Yield what may write a word; each returns nothing, or tokens that there are not, where it cannot."""
        if _CJK.match(word):
            if self._characters:
                yield list
            if self._pinyin:
                yield _pinyin
        elif self._lexicon is not None:
            yield lambda form: _lexicon(self._lexicon).get(form, ())
        elif self._bpe is not None:
            yield lambda form: _pieces(self._bpe).encode(form, out_type=str)

    def _reason(self, word: str) -> str:
        if not (can := self.languages):
            return "the model has neither bpe.model, nor a lexicon, nor Chinese tokens"
        if bool(_CJK.match(word)) and "zh" not in can:
            return f"the model writes no Chinese, as in {word!r}"
        if not _CJK.match(word) and "en" not in can:
            return f"the model writes Chinese only, not {word!r}"
        return f"the model has no tokens for {word!r}"


def _first(folder: Path, patterns: Sequence[str]) -> Path | None:
    return next((path for pattern in patterns for path in sorted(folder.glob(pattern))), None)


@cache
def _lexicon(path: Path) -> Mapping[str, Sequence[str]]:
    """Return the sounds of words."""
    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise EngineFailed(f"{path} cannot be read: {error}") from None
    return {
        line[0]: line[1:] for line in reversed(lines) if len(line) > 1
    }  # the first of a word counts


@cache
def _pieces(path: Path) -> Any:
    _need("sentencepiece")
    from sentencepiece import SentencePieceProcessor

    try:
        return SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise EngineFailed(f"{path} is no SentencePiece model: {error}") from None


def _pinyin(word: str) -> list[str]:
    """Return initials and finals with their tones ("partial pinyin"), nothing where there are none."""
    _need("pypinyin")
    from pypinyin import pinyin
    from pypinyin.contrib.tone_convert import to_finals_tone, to_initials

    parts: list[str] = []
    for (syllable,) in pinyin(word):
        initial, final = to_initials(syllable, strict=False), to_finals_tone(syllable, strict=False)
        parts += [part for part in (initial, final) if part] or [syllable]
    return parts


def _need(module: str) -> None:
    if find_spec(module) is None:
        raise Unsupported("typed wake words need: pip install 'wyoming-units[sherpa]'")
