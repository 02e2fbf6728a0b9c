"""Sentences out of a stream of text, each as early as it is certain.

The PyPI library sentence-stream does most of this, but keeps lists without full stops together, cuts
at the dot of "am 3. Oktober" and of "z. B.", removes asterisks from arithmetic and limits no length.
"""

from __future__ import annotations

import re

_FENCE = "```"
_MIN_CLAUSE = 20
"""Characters; a shorter clause at the start would leave too little time to make the next one."""
_DENSE = {"cmn": 3, "ja": 2, "ko": 2, "yue": 3, "zh": 3}
"""How many times longer it takes to say a character than in languages with letters, about."""

# Bounded repeats: text that is nothing but dots must not cost quadratic time.
_END = re.compile(
    r"\n"
    r"|[。！？｡]{1,9}[”’」』）》】〕〉*_]{0,4}"
    r"|[.!?…؟।॥]{1,9}[\"'’‘”“»«)\]}*_]{0,4}(?=\s)"
)
_CLAUSE = re.compile(r"[,;:،—–](?=\s)|[，、；：]")
_LAST_WORD = re.compile(r"[^\s(\[{\"'“„«*_]*$")
_INITIAL = re.compile(r"(?<![.\d°])(?<!\d\s)\b[^\W\d_]$")
"""A single letter, but not the last of "p.m" and not the unit of "5 W" or "20 °C"."""
_NEXT = re.compile(r"\S")

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


class SentenceSplitter:
    """Takes text in pieces of any size and gives back whole sentences, stripped.

    A full stop is judged by what follows it, so "3.5", "7 p.m. and" and "Dr. Smith" stay together.
    The first sentence is cut at its first clause when it is long, for speech to begin early; any
    other is cut at a clause or a space only when it is longer than a synthesiser should get.
    """

    def __init__(
        self, language: str | None = None, *, first_length: int = 80, max_length: int = 250
    ) -> None:
        """Set the lengths in letters up to which a first and any other sentence stays whole."""
        primary = (language or "").lower().replace("_", "-").partition("-")[0]
        density = _DENSE.get(primary, 1)
        self._ordinals = primary in _ORDINAL_DOT
        self._first_length = first_length // density
        self._max_length = max_length // density
        self._min_clause = _MIN_CLAUSE // density
        self._first = True
        self._text = ""

    def push(self, text: str) -> list[str]:
        """Append text and return the sentences that are certain now."""
        self._text += text
        return self._take(final=False)

    def flush(self) -> list[str]:
        """Return all that is left and begin anew."""
        sentences = self._take(final=True)
        self._first = True
        return sentences

    def _take(self, *, final: bool) -> list[str]:
        sentences: list[str] = []
        while cut := self._cut(final=final):
            sentence, self._text = self._text[:cut].strip(), self._text[cut:].lstrip()
            if sentence:
                sentences.append(sentence)
                self._first = False
        return sentences

    def _cut(self, *, final: bool) -> int:
        """Return the length of the next sentence, 0 while there is none."""
        text = self._text
        if text.startswith(_FENCE):  # code is no prose: the block stays in one piece
            close = text.find(_FENCE, len(_FENCE))
            return close + len(_FENCE) if close >= 0 else len(text) * final
        end = self._sentence_end(final=final)
        length = end or len(text.rstrip())
        if self._first and length > self._first_length:
            clause = self._first_clause(length)
            if clause:
                return clause
        if length > self._max_length:
            return self._last_break()
        return end or len(text) * final

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

    def _first_clause(self, length: int) -> int:
        match = _CLAUSE.search(self._text, self._min_clause, length)
        return match.end() if match else 0

    def _last_break(self) -> int:
        clauses = _CLAUSE.finditer(self._text, self._min_clause, self._max_length)
        last = max((match.end() for match in clauses), default=0)
        return last or self._text.rfind(" ", 1, self._max_length) + 1 or self._max_length
