"""Names of the home as hotwords of a transducer, which favours them while it searches."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import read_pieces
from wyoming_units.engines._sherpa import Found, read_tokens
from wyoming_units.engines.base import RecognitionRequest
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor

_MOST = 500
"""Phrases of one request; a graph of them is built for each utterance."""
_UNITS = ("bpe", "cjkchar", "cjkchar+bpe")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, kw_only=True)
class Hotwords:
    """How a model spells, so that it can be given words to favour."""

    unit: str
    """One of `_UNITS`."""
    pieces: Path | None
    """bpe.vocab or bpe.model."""
    tokens: frozenset[str]
    """All that it can write."""

    @classmethod
    def of(cls, found: Found, model: LocalModel) -> Hotwords | None:
        """Return how the model spells, None where its files do not tell."""
        tokens = read_tokens(found.files["tokens"])
        folder = found.files["tokens"].parent
        names = ("bpe.vocab", "bpe.model", "unigram_*.vocab", "unigram_*.model")
        pieces = next((path for name in names for path in sorted(folder.glob(name))), None)
        cjk = any(_CJK.fullmatch(token) for token in tokens)
        guess = "+".join(["cjkchar"] * cjk + ["bpe"] * (pieces is not None))
        unit = str(model.options.get("modeling_unit") or guess)
        if unit not in _UNITS or ("bpe" in unit and pieces is None):
            return None
        return cls(unit=unit, pieces=pieces if "bpe" in unit else None, tokens=frozenset(tokens))

    @contextmanager
    def arguments(self) -> Iterator[dict[str, str]]:
        """Lend what the library's constructor needs; it reads the file once."""
        arguments = {"decoding_method": "modified_beam_search", "modeling_unit": self.unit}
        if self.pieces is None or self.pieces.suffix == ".vocab":
            yield arguments | ({"bpe_vocab": str(self.pieces)} if self.pieces else {})
            return
        lines = [f"{piece}\t{score:.6g}\n" for piece, score in read_pieces(self.pieces)]
        with tempfile.TemporaryDirectory() as folder:
            vocabulary = Path(folder) / "bpe.vocab"
            vocabulary.write_text("".join(lines), "utf-8")
            yield arguments | {"bpe_vocab": str(vocabulary)}

    def phrases(self, request: RecognitionRequest) -> str:
        """Return the names of a request that the model can write, in the library's form.

        What cannot be written is left out here, since the library would print it to the log.
        """
        names = (*request.terms, *(home_names(request.home) if request.home else ()))
        spelled = (self._spell(name) for name in names)
        return "/".join([*dict.fromkeys(phrase for phrase in spelled if phrase)][:_MOST])

    def _spell(self, name: str) -> str:
        words = re.findall(r"[^\W_]+(?:'[^\W_]+)*", name)
        text = " ".join(words)
        for variant in (text, text.upper(), text.lower()):
            if all(self._writes(word) for word in variant.split()):
                return variant
        return ""

    def _writes(self, word: str) -> bool:
        if self.unit == "bpe":
            return _covered(f"▁{word}", self.tokens)
        runs = re.findall(r"[A-Za-z']+|.", word)
        return all(
            _covered(f"▁{run}", self.tokens)
            if run.isascii() and "bpe" in self.unit
            else run in self.tokens and not run.isascii()
            for run in runs
        )


def _covered(text: str, tokens: frozenset[str]) -> bool:
    """Return whether a text can be put together from tokens."""
    ends = {0}
    for end in range(1, len(text) + 1):
        if any(start in ends and text[start:end] in tokens for start in range(end)):
            ends.add(end)
    return len(text) in ends


def home_names(home: Home) -> Iterator[str]:
    """Yield all names that a speaker may use in a home, those of its areas first."""
    named: tuple[HomeArea | HomeFloor | HomeEntity, ...]
    named = (*home.areas, *home.floors, *home.entities)
    for thing in named:
        yield thing.name
        yield from thing.aliases
