"""Pieces to speak out of a stream of text, each as early as it is certain.

The PyPI library sentence-stream does part of this, but keeps lists without full stops together, cuts
at the dot of "am 3. Oktober" and of "z. B.", removes asterisks from arithmetic and limits no length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_FENCE = "```"
_MIN_CLAUSE = 20
"""Characters; a shorter piece at the start would leave too little time to make the next one."""
_AHEAD = 12
"""Characters after a cut that the patterns below look at."""
_DENSE = {"cmn": 3, "ja": 2, "ko": 2, "yue": 3, "zh": 3}
"""How many times longer it takes to say a character than in languages with letters, about."""

# Bounded repeats: text that is nothing but dots must not cost quadratic time.
_END = re.compile(
    r"\n"
    r"|[。！？｡]{1,9}[”’」』）》】〕〉*_]{0,4}"
    r"|[.!?…؟।॥]{1,9}[\"'’‘”“»«)\]}*_]{0,4}(?=\s)"
)
_CLAUSE = re.compile(r"[,;:،—–](?=\s)|[，、；：]")
_BEFORE = re.compile(
    r"\s(?=(?:"
    r"after|and|as|at|because|before|between|but|for|from|if|in|into|or|since|so|that|then|until|"
    r"when|where|which|while|who|with|without|"
    r"aber|als|auf|aus|bei|bevor|bis|dass|denn|für|im|mit|nachdem|oder|ohne|sobald|und|von|während|"
    r"weil|wenn|wo|zum|zur|zwischen|"
    r"afin|alors|après|avant|avec|car|chez|dans|depuis|donc|entre|et|jusqu'à|lorsque|mais|ou|où|"
    r"parce|pendant|pour|puis|quand|que|qui|sans|si|sur"
    r")\s)"
    r"|(?<=\w)(?=和|或|但|因为|因為|所以|然后|然後|而且|并且|並且|如果|還有|还有)",
    re.IGNORECASE,
)
"""Where English, German, French and Chinese take breath without a comma."""
_LAST_WORD = re.compile(r"[^\s(\[{\"'“„«*_]*$")
_INITIAL = re.compile(r"(?<![.\d°])(?<!\d\s)\b[^\W\d_]$")
"""A single letter, but not the last of "p.m" and not the unit of "5 W" or "20 °C"."""
_NEXT = re.compile(r"\S")
_COMPLETE = re.compile(r"[,;:،—–，、；：.!?…؟।॥。！？｡][\"'’”»)\]}”’」』）》】〕〉*_]{0,4}\s*$")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]$")
"""Chinese or Japanese, whose words need no space to be complete."""

# fmt: off
_ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "dr", "prof", "st", "e.g", "i.e", "vs", "approx",
    "hr", "fr", "z.b", "d.h", "u.a", "bzw", "ca", "evtl", "ggf", "inkl", "nr",
    "mme", "mlle", "env", "ex", "c.-à-d", "sr", "sra",
))
_BEFORE_NUMBERS = frozenset(("no", "nos", "art", "vol", "p", "pp", "tel", "fig"))
_ORDINAL_DOT = frozenset((
    "cs", "da", "de", "et", "fi", "hr", "hu", "is", "lv", "nb", "nn", "no", "pl", "sk", "sl", "sr", "tr",
))
# fmt: on
"""Languages that write "3." for third."""

End = Literal["sentence", "clause", "word"]


@dataclass(frozen=True)
class Piece:
    """What a synthesiser gets at once."""

    text: str
    """Stripped, not empty."""
    end: End
    """After what it was cut: how long the voice pauses before it goes on."""
    speed: float | None = None
    """How many times faster than usual; None leaves it to the request."""


class SentenceSplitter:
    """Takes text in pieces of any size and gives back pieces to speak.

    A full stop is judged by what follows it, so "3.5", "7 p.m. and" and "Dr. Smith" stay together.
    A first sentence that is long is cut early, for speech to begin early; each later piece may be twice
    as long, up to what a synthesiser should get, so that it is made while the one before is heard.
    """

    def __init__(
        self, language: str | None = None, *, first_length: int = 60, max_length: int = 250
    ) -> None:
        """Set the lengths, in letters, up to which a first and any other sentence stays whole."""
        primary = (language or "").lower().replace("_", "-").partition("-")[0]
        density = _DENSE.get(primary, 1)
        self._ordinals = primary in _ORDINAL_DOT
        self._max_length = max(1, max_length // density)
        self._first_length = min(max(1, first_length // density), self._max_length)
        self._min_clause = _MIN_CLAUSE // density
        self._limit = self._first_length
        self._first = True
        self._text = ""

    def push(self, text: str) -> list[Piece]:
        """Append text and return the pieces that are certain now."""
        self._text += text
        return self._take(final=False)

    def pause(self) -> list[Piece]:
        """Return what can be said of the text so far, as its writer hesitates; words stay whole."""
        pieces = self._take(final=False)
        length = self._certain()
        said = self._text[:length].strip()
        if said:
            self._text = self._text[length:].lstrip()
            pieces.append(Piece(said, _kind(said)))
            self._grow()
        return pieces

    def flush(self) -> list[Piece]:
        """Return all that is left and begin anew."""
        pieces = self._take(final=True)
        self._first = True
        self._limit = self._first_length
        return pieces

    def _take(self, *, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while cut := self._cut(final=final):
            length, end = cut
            said, self._text = self._text[:length].strip(), self._text[length:].lstrip()
            if said:
                pieces.append(Piece(said, end))
                self._grow()
        return pieces

    def _grow(self) -> None:
        self._first = False
        self._limit = min(2 * self._limit, self._max_length)

    def _cut(self, *, final: bool) -> tuple[int, End] | None:
        """Return the length of the next piece and what ends there, None while there is none."""
        text = self._text
        if text.startswith(_FENCE):  # code is no prose: the block stays in one piece
            close = text.find(_FENCE, len(_FENCE))
            length = close + len(_FENCE) if close >= 0 else len(text) * final
            return (length, "sentence") if length else None
        end = self._sentence_end(final=final)
        length = end or len(text.rstrip())
        if length > self._limit:
            if not (end or final or len(text) >= self._limit + _AHEAD):
                return None
            if cut := self._break():
                return cut
            if length > self._max_length:
                return self._max_length, "word"
        length = end or len(text) * final
        return (length, "sentence") if length else None

    def _sentence_end(self, *, final: bool) -> int:
        for match in _END.finditer(self._text, 0, self._max_length + 1):
            if match.end() == len(self._text) and not final and match[0].strip():
                return 0  # a closing bracket may follow
            if match[0][0] not in ".…" or self._ends(match, final=final):
                return match.end()
        return 0

    def _ends(self, match: re.Match[str], *, final: bool) -> bool:
        """Return whether dots end a sentence, judged by the words before and after."""
        following = _NEXT.search(self._text, match.end())
        if following is None:
            return final
        after = following[0]
        if after.islower():
            return False
        before = self._text[: match.start()]
        word = _LAST_WORD.search(before)
        last = word[0].lower() if word else ""
        if last in _ABBREVIATIONS or _INITIAL.search(before):
            return False
        if after.isdigit() and last in _BEFORE_NUMBERS:
            return False
        number = last.isdigit() and len(last) <= 2
        marker = before.strip() == last  # of a list: "1. Milk"
        return not (number and (marker or self._ordinals))

    def _break(self) -> tuple[int, End] | None:
        """Return the best place to cut a sentence that is over the limit.

        The first piece ends as early as it makes sense, any other as late as it may.
        """
        if not self._first:
            return self._best(self._limit, -1) or self._space(self._limit)
        early, late = self._limit * 3 // 5, self._limit * 4 // 5
        return (
            self._best(early, 0) or self._best(late, 0) or self._space(early) or self._space(late)
        )

    def _best(self, most: int, chosen: int) -> tuple[int, End] | None:
        """Return the first (0) or last (-1) place for breath in so many letters, best after a comma."""
        least = min(self._min_clause, most)
        ends: tuple[tuple[re.Pattern[str], End], ...] = ((_CLAUSE, "clause"), (_BEFORE, "word"))
        for pattern, end in ends:
            matches = pattern.finditer(self._text, least, most + _AHEAD)
            if cuts := [match.end() for match in matches if match.end() <= most]:
                return cuts[chosen], end
        return None

    def _space(self, most: int) -> tuple[int, End] | None:
        space = self._text.rfind(" ", 1, most)
        return (space + 1, "word") if space > 0 else None

    def _certain(self) -> int:
        """Return how much of the text ends with a whole word and is worth to be said alone."""
        text = self._text
        if text.startswith(_FENCE):
            return 0
        word = _LAST_WORD.search(text.rstrip(" .\"'’”»)"))
        short = word is not None and word[0].lower() in _ABBREVIATIONS
        if _COMPLETE.search(text) and not short:
            return len(text)
        length = len(text) if _UNSPACED.search(text) else text.rfind(" ") + 1
        return length if length >= self._min_clause else 0


def _kind(text: str) -> End:
    """Return what ends with the last character of a text."""
    last = text.rstrip("\"'’”»)]}」』）》】〕〉*_")[-1:]
    if last in ".!?…؟।॥。！？｡":
        return "sentence"
    return "clause" if last in ",;:،—–，、；：" else "word"
