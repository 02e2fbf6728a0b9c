"""Finds out whom a sentence wants to speak with, and lets the language model be that one."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Final

from homeassistant.components.conversation import ConversationInput
from homeassistant.core import HomeAssistant, callback

from .coordinator import NodeCoordinator
from .personas import STANDARD, Persona
from .switching_phrases import NAME, PHRASES, Phrases
from .voice_of_turn import async_speak_as

ALIKE: Final = 0.8
"""How alike a name must be to what was understood: a letter or two may be wrong."""


@dataclass(frozen=True, kw_only=True)
class _Wording:
    """The phrases of a language, ready to be compared."""

    patterns: tuple[re.Pattern[str], ...]
    articles: frozenset[str]
    standard: tuple[str, ...]


@callback
def async_switch(
    hass: HomeAssistant, coordinator: NodeCoordinator, program: str, user_input: ConversationInput
) -> str | None:
    """Return what to reply to a sentence that asks for another persona; None for any other one.

    For the main agent of `program`, first thing in a turn and before any model is asked. Where a
    text comes back the persona is chosen already and the reply of this turn sounds in its voice.
    The agent says that text and nothing else, resets its conversation (also where the persona was
    chosen before, of which `Personas.async_listen` does not tell) and keeps listening.
    """
    personas = coordinator.personas
    persona = find_persona(user_input.text, personas.all.values(), user_input.language)
    if persona is None:
        return None
    personas.async_choose(program, persona)
    async_speak_as(hass, user_input.agent_id, persona)
    phrases = _phrases(user_input.language)
    confirmation = phrases.now if persona.id else phrases.back
    return persona.greeting or confirmation.format(name=persona.name)


def find_persona(text: str, personas: Iterable[Persona], language: str) -> Persona | None:
    """Return the persona that a whole sentence asks to speak with, None where it says anything else.

    Case, punctuation, accents, articles and polite words do not matter, and a name may be slightly wrong.
    """
    wording = _wording(_base(language))
    sentence = _plain(text, language)
    names = {_bare(name, wording): STANDARD for name in wording.standard}
    names |= {_bare(_plain(each.name, language), wording): each for each in personas}
    for pattern in wording.patterns:
        if (found := pattern.fullmatch(sentence)) is not None:
            if persona := _closest(_bare(found[NAME], wording), names):
                return persona
    return None


def _closest(called: str, names: dict[str, Persona]) -> Persona | None:
    """Return whose name is most like it, None where no name is like it or two are equally so."""
    likeness = {
        name: ratio
        for name in names
        if (ratio := SequenceMatcher(None, called, name).ratio()) >= ALIKE
    }
    most = max(likeness.values(), default=ALIKE)
    found = {names[name].id: names[name] for name, ratio in likeness.items() if ratio == most}
    return next(iter(found.values())) if len(found) == 1 else None


@cache
def _wording(language: str) -> _Wording:
    phrases = _phrases(language)
    space = "" if phrases.unspaced else " "
    before = f"(?:(?:{'|'.join(phrases.before)}){space})*"
    after = f"(?:{space}(?:{'|'.join(phrases.after)}))*"
    name = f"(?P<{NAME}>.+?)"  # ends where polite words begin
    return _Wording(
        patterns=tuple(
            re.compile(f"{before}{pattern.replace('{name}', name)}{after}")
            for pattern in (*phrases.asking, *phrases.returning)
        ),
        articles=frozenset(phrases.articles),
        standard=phrases.standard,
    )


def _phrases(language: str) -> Phrases:
    return PHRASES.get(_base(language), PHRASES["en"])


def _base(language: str) -> str:
    return re.split("[-_]", language.lower())[0]


def _plain(text: str, language: str) -> str:
    """Return the bare words of a text: without case, accents and punctuation."""
    split = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in split if not unicodedata.combining(each))
    words = re.findall(r"\w+", letters)
    return ("" if _phrases(language).unspaced else " ").join(words)


def _bare(name: str, wording: _Wording) -> str:
    """Return a name without the articles in front of it."""
    words = name.split(" ")
    while len(words) > 1 and words[0] in wording.articles:
        del words[0]
    return " ".join(words)
