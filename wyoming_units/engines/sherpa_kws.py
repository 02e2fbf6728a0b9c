"""sherpa-onnx keyword spotting: any phrase that is typed becomes a wake word, without training.

A small streaming transducer searches for the phrase's tokens alone; streams are decoded in batches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._combine import Combiner
from wyoming_units.engines._probe import probe
from wyoming_units.engines._sherpa import (
    DECODER,
    ENCODER,
    JOINER,
    Family,
    Found,
    construct,
    engine_info,
    find_model,
    read_tokens,
    runtime,
)
from wyoming_units.engines._sherpa_phrases import Spelling
from wyoming_units.engines.base import (
    RATE,
    Attribution,
    Audio,
    EngineInfo,
    Model,
    Wake,
    WakeSettings,
)
from wyoming_units.errors import BadRequest, EngineFailed, UnknownWakeWord
from wyoming_units.speech.trigger import TriggerRule

FAMILIES = {
    "transducer": Family(
        factory="KeywordSpotter",
        files={"encoder": ENCODER, "decoder": DECODER, "joiner": JOINER},
        marks=("decode_chunk_len",),
        sized_by="joiner",
    )
}
_KEYWORDS = "keywords.txt"
_PARALLEL = 8
_THREADS = 1
"""A chunk of 0.3 s takes some milliseconds; streams are decoded together."""
_THRESHOLD = 0.25
"""Of the library; what its models were published with."""
_BOOST = 1.0


class SherpaKeywordSpotter:
    """Listens for any phrase that the model's tokens can write."""

    def __init__(
        self, *, model: LocalModel, words: Mapping[str, WakeSettings] | None = None
    ) -> None:
        """Find and check the files, and spell `words`: phrases, with how easily each is heard.

        `EngineFailed`, `UnknownWakeWord`, `BadRequest`.
        """
        self._model = model
        self._found = find_model(model, FAMILIES)
        tokens = self._found.files["tokens"]
        self._spelling = Spelling(tokens.parent, read_tokens(tokens))
        self._known = {word.name: word for word in _own(tokens.parent / _KEYWORDS)}
        for name, settings in (words or {}).items():
            self._known[name] = _with_settings(self._known.get(name) or self._typed(name), settings)
        self._loaded: _Loaded | None = None

    @cached_property
    def info(self) -> EngineInfo:
        """Return the phrases of the settings, and of the model's own list; others may be asked for."""
        model = self._model
        phrases = tuple(
            Model(
                name=name,
                languages=model.languages or self._spelling.languages,
                description=name,
                attribution=Attribution(name=model.author, url=model.upstream),
                phrase=name,
            )
            for name in self._known
        )
        general = engine_info("sherpa-kws", model, open_vocabulary=True, parallel=_PARALLEL)
        return replace(general, models=phrases)

    def load(self) -> None:
        """Load the network, in a process of its own first, and let it hear a second of silence."""
        probe("sherpa-kws", self._model)
        loaded = _Loaded(self._found, self._model)
        _Stream(loaded, []).feed(np.zeros(RATE, np.float32))
        self._loaded = loaded

    def close(self) -> None:
        """Drop the network; it lives on until the last stream is closed."""
        self._loaded = None

    def start(self, names: Sequence[str]) -> _Stream:
        """Listen for phrases, those of `info` when empty; `UnknownWakeWord` says why one cannot be."""
        if self._loaded is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        wanted = list(dict.fromkeys(names or self._known))
        if not wanted:
            raise UnknownWakeWord(f"{self._model.name} was not told what to listen for")
        return _Stream(
            self._loaded, [self._known.get(name) or self._typed(name) for name in wanted]
        )

    def _typed(self, name: str) -> _Word:
        return _Word(name=name, tokens=self._spelling.spell(name))


@dataclass(frozen=True, kw_only=True)
class _Word:
    """What a stream listens for."""

    name: str
    tokens: tuple[str, ...]
    marks: tuple[str, ...] = ()
    """":1.5", its boost, and "#0.3", its threshold, where they are not the usual ones."""
    refractory: float = TriggerRule(threshold=_THRESHOLD).refractory


def _own(path: Path) -> list[_Word]:
    """Return the words of a model's list: tokens, and a name after "@"."""
    if not path.is_file():
        return []
    words = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        parts = line.split()
        tokens = tuple(part for part in parts if part[0] not in ":#@")
        named = [part[1:].replace("_", " ") for part in parts if part[0] == "@"]
        if tokens:
            name = named[0] if named else "".join(tokens).replace("▁", " ").strip()
            marks = tuple(part for part in parts if part[0] in ":#")
            words.append(_Word(name=name, tokens=tokens, marks=marks))
    return words


def _with_settings(word: _Word, settings: WakeSettings) -> _Word:
    if settings.trigger_level not in (None, 1):
        raise BadRequest(f"wake word {word.name}: a typed phrase has no trigger level")
    threshold, refractory = settings.threshold, settings.refractory
    try:
        rule = TriggerRule(
            threshold=_THRESHOLD if threshold is None else threshold,
            refractory=word.refractory if refractory is None else refractory,
        )
    except BadRequest as error:
        raise BadRequest(f"wake word {word.name}: {error}") from error
    marks = word.marks
    if threshold is not None:
        boost = tuple(mark for mark in marks if mark[0] == ":")
        marks = (*boost, f"#{rule.threshold}")
    return replace(word, marks=marks, refractory=rule.refractory)


class _Loaded:
    """A network, and who works for all of its streams."""

    def __init__(self, found: Found, model: LocalModel) -> None:
        from sherpa_onnx import KeywordSpotter

        with (
            tempfile.NamedTemporaryFile() as none
        ):  # the library wants a list, if only an empty one
            self.spotter: Any = construct(
                KeywordSpotter,
                **found.arguments,
                **runtime(model, None, _THREADS),
                keywords_file=none.name,
                keywords_threshold=float(model.options.get("threshold", _THRESHOLD)),
                keywords_score=float(model.options.get("boost", _BOOST)),
            )
        self.chunk = int(found.metadata["decode_chunk_len"]) / 100
        """Seconds that are decoded at a time."""
        self.combiner: Combiner[Any] = Combiner(self.spotter.decode_streams, _PARALLEL)


class _Stream:
    """Listens to one stream of audio."""

    def __init__(self, loaded: _Loaded, words: Sequence[_Word]) -> None:
        self._loaded = loaded
        self._words: dict[tuple[str, ...], list[_Word]] = {}
        for word in words:
            self._words.setdefault(word.tokens, []).append(word)
        labels = zip(self._words.items(), range(len(self._words)), strict=True)
        lines = [
            " ".join((*tokens, *same[0].marks, f"@{number}")) for (tokens, same), number in labels
        ]
        try:
            self._stream: Any = loaded.spotter.create_stream("/".join(lines))
        except ValueError as error:
            raise UnknownWakeWord(f"the model cannot write {lines}: {error}") from error
        self._decoded = 0.0
        self._since = 0.0
        """Seconds up to the last detection; the library counts from there."""
        self._deaf_until: dict[str, float] = {}

    def feed(self, samples: Audio) -> Sequence[Wake]:
        """Take the next samples and return the phrases that ended in them."""
        stream, spotter = self._stream, self._loaded.spotter
        wakes: list[Wake] = []
        if stream is not None and len(samples):
            stream.accept_waveform(RATE, samples)
        while stream is not None and spotter.is_ready(stream):
            self._loaded.combiner.run(stream)
            self._decoded += self._loaded.chunk
            result = spotter.keyword_spotter.get_result(stream)  # it is there once
            if result.keyword:
                wakes += self._heard(int(result.keyword), result.timestamps)
                spotter.reset_stream(stream)
                self._since = self._decoded
            stream = self._stream
        return wakes

    def close(self) -> None:
        """Let go of the network; a `feed` that goes on in another thread ends after this chunk."""
        self._stream = None

    def _heard(self, label: int, times: Sequence[float]) -> list[Wake]:
        """Return what is not the echo of a detection; the last token is written when the phrase ends."""
        at = self._since + times[-1] if times else self._decoded
        wakes = []
        for word in list(self._words.values())[label]:
            if at >= self._deaf_until.get(word.name, 0.0):
                self._deaf_until[word.name] = at + word.refractory
                wakes.append(Wake(name=word.name, at=at))
        return wakes
