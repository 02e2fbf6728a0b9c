"""What the user chose for each program of a node: the options of its entry, `{unit: {program: choice}}`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.util import language as language_util
from wyoming.info import TtsProgram, TtsVoice, WakeModel, WakeProgram

from .client import NodeInfo, Program
from .const import CONF_MODEL, CONF_VOICE

type Choice = Mapping[str, Any]

_FIELDS: Final = {"stt": CONF_MODEL, "tts": CONF_VOICE}


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A voice for Home Assistant, which knows of no speakers: one for each speaker."""

    id: str
    title: str
    name: str
    """What the node calls the voice."""
    speaker: str | None
    languages: list[str]


def choice_of(entry: ConfigEntry, unit: str, program: str) -> Choice:
    """Return what was chosen for a program, by option; empty where nothing was."""
    choice: Choice = entry.options.get(unit, {}).get(program, {})
    return choice


def options_with(entry: ConfigEntry, unit: str, program: str, choice: Choice) -> dict[str, Any]:
    """Return the options of an entry with another choice for a program."""
    return {**entry.options, unit: {**entry.options.get(unit, {}), program: {**choice}}}


def voices_of(program: TtsProgram) -> list[Voice]:
    """Return the installed voices of a program."""
    return [
        Voice(
            id=voice.name if speaker is None else f"{voice.name}#{speaker}",
            title=" · ".join(filter(None, (voice.description or voice.name, speaker))),
            name=voice.name,
            speaker=speaker,
            languages=voice.languages,
        )
        for voice in program.voices
        if voice.installed
        for speaker in _speakers(voice)
    ]


def _speakers(voice: TtsVoice) -> Sequence[str | None]:
    return [speaker.name for speaker in voice.speakers or ()] or [None]


def titles_of(program: Program) -> dict[str, str]:
    """Return the models or voices that can be chosen of a program, with their titles."""
    if isinstance(program, TtsProgram):
        return {voice.id: voice.title for voice in voices_of(program)}
    return {each.name: each.description or each.name for each in program.models if each.installed}


def words_of(node: NodeInfo, program: WakeProgram) -> list[WakeModel]:
    """Return the installed wake words that a program lists.

    Of one that hears any phrase, a model without a phrase is no word but what hears them.
    """
    any_phrase = node.hears_any_phrase(program.name)
    return [it for it in program.models if it.installed and (it.phrase or not any_phrase)]


def chosen(choice: Choice, unit: str, program: Program) -> str | None:
    """Return the model or voice that was chosen; None for none and while it is not there."""
    name = choice.get(_FIELDS.get(unit, ""))
    return name if name in titles_of(program) else None


def model_in_use(choice: Choice, unit: str, program: Program) -> str | None:
    """Return the model or voice that serves requests which name none."""
    return chosen(choice, unit, program) or next(iter(titles_of(program)), None)


def fits(languages: Iterable[str], language: str) -> bool:
    """Return whether one of `languages` is a language or a variety of it."""
    return bool(language_util.matches(language, languages))


def gone_choices(entry: ConfigEntry, info: NodeInfo) -> Iterator[tuple[str, str, str]]:
    """Yield unit, program and name of what was chosen and is not there, of programs that are."""
    for unit, field in _FIELDS.items():
        for program in info.programs(unit):
            name = choice_of(entry, unit, program.name).get(field)
            if name is not None and name not in titles_of(program):
                yield unit, program.name, name


def without_model(choice: Choice) -> Choice:
    """Return a choice that leaves the model or voice to the node."""
    return {key: value for key, value in choice.items() if key not in _FIELDS.values()}
