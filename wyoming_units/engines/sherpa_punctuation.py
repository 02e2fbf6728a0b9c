"""Punctuation by sherpa-onnx: CT-Transformer (Chinese and English), CNN-BiLSTM (English, with capitals)."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._probe import probe
from wyoming_units.engines._sherpa import MODEL, Family, construct, engine_info, find_model, runtime
from wyoming_units.engines.base import EngineInfo
from wyoming_units.errors import EngineFailed

FAMILIES = {
    "cnn_bilstm": Family(
        factory="Online",
        files={"cnn_bilstm": MODEL, "bpe_vocab": ("bpe.vocab", "*.vocab")},
        tokens=False,
        marks=("MIX_CASE",),
        languages=("en",),
    ),
    "ct_transformer": Family(
        factory="Offline",
        files={"ct_transformer": MODEL},
        tokens=False,
        marks=("punctuations",),
        languages=("zh", "en"),
    ),
}
"""By the library's names: it has one class for each."""

_THREADS = 1
_MARKS = re.compile(r"[.,!?;:](?:\s|$)|[，。？！、；：]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WESTERN = str.maketrans("，、。？！", ",,.?!")
_ADDED = "，、。？！,.?!"
"""Marks that networks write."""


class SherpaPunctuator:
    """Writes punctuation with one model."""

    def __init__(self, *, model: LocalModel, threads: int | None = None) -> None:
        """Find and check the files; `EngineFailed` names the one that is missing or broken."""
        self._model = model
        self._threads = threads
        self._found = find_model(model, FAMILIES)
        self._network: Any = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        languages = self._found.family.languages
        return engine_info("sherpa-punctuation", self._model, languages=languages)

    def load(self) -> None:
        """Load the network, in a process of its own first, and let it read a sentence."""
        probe("sherpa-punctuation", self._model, threads=self._threads)
        import sherpa_onnx

        kind = self._found.family.factory
        part = construct(
            getattr(sherpa_onnx, f"{kind}PunctuationModelConfig"),
            **runtime(self._model, self._threads, _THREADS),
            **self._found.arguments,
        )
        names = {"Online": "model_config", "Offline": "model"}
        config = construct(getattr(sherpa_onnx, f"{kind}PunctuationConfig"), **{names[kind]: part})
        network = construct(getattr(sherpa_onnx, f"{kind}Punctuation"), config=config)
        self._network = _method(network)
        self.punctuate("turn on the light")

    def close(self) -> None:
        """Drop the network."""
        self._network = None

    def punctuate(self, text: str) -> str:
        """Return the text with punctuation and capitals; as it is where it has punctuation."""
        network, text = self._network, text.strip()
        if network is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        if not text or _MARKS.search(text):
            return text
        written = _marked(text, network(text))
        return written if _CJK.search(text) else _western(written)


def _method(network: Any) -> Any:
    """Return what adds punctuation; the two classes call it differently."""
    return getattr(network, "add_punctuation_with_case", None) or network.add_punctuation


def _marked(text: str, written: str) -> str:
    """Return `text` with the marks and capitals of `written`, which has other spaces ("21 . 5")."""
    pieces: list[str] = []
    at = 0
    for letter in "".join(written.split()):
        here = at + len(text[at:]) - len(text[at:].lstrip())
        if text[here : here + 1].lower() == letter.lower():
            pieces += text[at:here], letter
            at = here + 1
        elif letter in _ADDED:
            pieces.append(letter)
        else:  # not the same words: better no marks than other words
            return text
    return "".join(pieces) + text[at:]


def _western(text: str) -> str:
    """Return a text in Latin letters without Chinese marks, its sentences with capitals."""
    text = text.translate(_WESTERN)
    return re.sub(r"(^|[.?!] )(\w)", lambda match: match[1] + match[2].upper(), text)
