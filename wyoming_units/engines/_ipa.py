"""How a text sounds, in the phonemes that voices were trained with; the libraries that tell are GPL and optional."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from wyoming_units.engines._piper_voice import Phonemes, PiperFile, says_anything, without_links
from wyoming_units.errors import Unsupported

Reader = Callable[[str], list[Phonemes]]
"""Takes a text, returns the phonemes of each of its sentences."""

_ENDS = str.maketrans("，、；：。．！？", ",,;:..!?")
_CLAUSE = re.compile(r"(.+?)(?:([,;:.!?])(?=[\s,;:.!?]|$)|$)\s*", re.DOTALL)
_WITHIN = ",;:"
"""Marks after which a sentence goes on."""


def reader(voice: PiperFile) -> Reader:
    """Return who reads for a voice: Piper where it is installed, else eSpeak NG; `Unsupported`."""
    if find_spec("piper"):
        from wyoming_units.engines import piper

        library = piper.phonemizer(voice)
        return lambda text: list(piper.phonemes(library, voice, text))
    if voice.phoneme_type == "text":
        return lambda text: [unicodedata.normalize("NFD", text)] if says_anything(text) else []
    if voice.phoneme_type == "espeak" and find_spec("espeakng_loader"):
        list(_read("1", voice.espeak_voice))  # raises now what it would raise for any text
        return lambda text: list(_read(text, voice.espeak_voice))
    raise Unsupported(
        f"the voice {voice.path.name} needs {voice.phoneme_type} phonemes:"
        " pip install 'wyoming-units[piper]'"
    )


def _read(text: str, language: str) -> Iterator[Phonemes]:
    """Yield sentences as Piper writes them: its punctuation stays, and eSpeak NG reads single clauses."""
    from wyoming_units.engines.espeak_library import phonemes

    marks = re.sub(r"([，、；：。．！？])", r"\1 ", text).translate(_ENDS)
    sentence: list[str] = []
    for clause, mark in _CLAUSE.findall(marks):
        sounds = phonemes(clause, language)
        if sounds and says_anything(clause):
            end = f"{mark} " if mark and mark in _WITHIN else mark
            sentence += unicodedata.normalize("NFD", sounds + end)
        if mark and mark not in _WITHIN and sentence:
            yield without_links(sentence)
            sentence = []
    if sentence:
        yield without_links(sentence)
