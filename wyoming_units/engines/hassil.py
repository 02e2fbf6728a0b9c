"""hassil with the sentences of home-assistant-intents: the intents that Home Assistant itself knows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from wyoming_units.engines.base import Attribution, EngineInfo, IntentMatch, IntentRequest, Model
from wyoming_units.errors import UnknownModel
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor

if TYPE_CHECKING:
    from hassil.intents import Intents, SlotList

_DEFAULT_LANGUAGE = "en"

_SAME = {
    "cmn": "zh-CN",
    "no": "nb",
    "yue": "zh-HK",
    "zh": "zh-CN",
    "zh-hant": "zh-TW",
    "zh-hant-hk": "zh-HK",
    "zh-hant-mo": "zh-HK",
    "zh-mo": "zh-HK",
}
"""Codes in lower case that the package has under another name."""


@dataclass(frozen=True, kw_only=True)
class _Language:
    """The sentences of a language and the replies to them."""

    intents: Intents
    responses: Mapping[str, Mapping[str, str]]
    """Intent name -> response key -> Jinja template."""


class HassilIntentParser:
    """Parses with the built-in sentences; `Home.sentences` carry no intent and are not used here."""

    def __init__(self, *, languages: Sequence[str] = (_DEFAULT_LANGUAGE,)) -> None:
        """Name the languages to load at start; any other is loaded when it is first asked for."""
        self._preload = tuple(languages)
        self._languages: dict[str, _Language] = {}
        self._lock = threading.Lock()

    @cached_property
    def info(self) -> EngineInfo:
        """Return the languages that the package has."""
        from home_assistant_intents import get_languages

        return EngineInfo(
            name="hassil",
            description="hassil",
            version=version("hassil"),
            attribution=Attribution(name="OHF Voice", url="https://github.com/OHF-Voice/hassil"),
            models=(
                Model(
                    name="home-assistant-intents",
                    languages=tuple(get_languages()),
                    description="Sentences of Home Assistant",
                    attribution=Attribution(
                        name="Home Assistant", url="https://github.com/OHF-Voice/intents"
                    ),
                    version=version("home-assistant-intents"),
                ),
            ),
        )

    def load(self) -> None:
        """Load the first languages and parse their sentence templates."""
        for language in self._preload:
            self.parse(IntentRequest(text="-", language=language))

    def close(self) -> None:
        """Forget all languages."""
        self._languages.clear()

    def parse(self, request: IntentRequest) -> IntentMatch | None:
        """Return the best match: an exact name first, then the most literal text."""
        home = request.home or Home()
        codes = self._find(request.language or home.language or _DEFAULT_LANGUAGE)
        matches = (self._parse(request.text, code, home) for code in codes)
        return next((match for match in matches if match), None)

    def _parse(self, text: str, code: str, home: Home) -> IntentMatch | None:
        from hassil.recognize import recognize_best

        language = self._language(code)
        result = recognize_best(
            text,
            language.intents,
            slot_lists=_slot_lists(home.entities, home.areas, home.floors),
            # Where the speaker is: what "turn on the lights" is about.
            intent_context={"area": home.area} if home.area else None,
            language=code,
            best_slot_name="name",
        )
        if result is None:
            return None
        name = result.intent.name
        return IntentMatch(
            name=name,
            slots={slot: _plain(entity.value) for slot, entity in result.entities.items()},
            response=language.responses.get(name, {}).get(result.response or "default"),
        )

    def _find(self, language: str) -> list[str]:
        """Return the package's codes for a language, the closest first (lookup of RFC 4647).

        "de" for "de-AT"; both for "de-CH", which is the dialect, while some write as in "de".
        """
        known = self.info.models[0].languages
        codes = {code.lower(): code for code in known}
        wanted = language.lower().replace("_", "-")
        found: list[str] = []
        while wanted:
            if wanted in codes:
                found.append(codes[wanted])
            elif wanted in _SAME and not found:
                return [_SAME[wanted]]
            wanted = wanted.rpartition("-")[0]
        if not found:
            raise UnknownModel(
                f"there are no intents for the language {language!r};"
                f" there are for: {', '.join(known)}"
            )
        return found

    def _language(self, code: str) -> _Language:
        with self._lock:  # so that two first requests do not both take the time to load
            if code not in self._languages:
                self._languages[code] = _load(code)
            return self._languages[code]


def _load(code: str) -> _Language:
    from hassil.intents import Intents, RangeSlotList
    from home_assistant_intents import get_intents

    data = get_intents(code)
    if data is None:
        raise UnknownModel(f"home-assistant-intents lists the language {code} but does not have it")
    intents = Intents.from_dict(data)
    for slots in intents.slot_lists.values():
        if isinstance(slots, RangeSlotList) and slots.multiplier is not None:
            # hassil 3.12 keeps number words by the bounds of their range alone. With bounds of other ranges,
            # "fifty percent" of brightness would be -50 once the volume had been turned down in words.
            slots.stop += 1
    return _Language(intents=intents, responses=data.get("responses", {}).get("intents", {}))


def _plain(value: Any) -> Any:
    """Return 21 for the 21.0 that hassil makes of digits: replies would speak the ".0"."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=16)
def _slot_lists(
    entities: tuple[HomeEntity, ...], areas: tuple[HomeArea, ...], floors: tuple[HomeFloor, ...]
) -> dict[str, SlotList]:
    """Return what {name}, {area} and {floor} may be; an alias stands for the name itself."""
    from hassil.intents import TextSlotList
    from hassil.util import remove_punctuation

    def spellings(item: HomeEntity | HomeArea | HomeFloor) -> list[str]:
        # The text is compared without punctuation. An empty name would match everywhere.
        plain = (remove_punctuation(text).strip() for text in (item.name, *item.aliases))
        return [text for text in plain if text]

    names = [
        (spelling, entity.name, _context(entity))
        for entity in entities
        for spelling in spellings(entity)
    ]
    lists: dict[str, SlotList] = {
        "name": TextSlotList.from_tuples(names, allow_template=False, name="name")
    }
    for slot, places in (("area", areas), ("floor", floors)):
        pairs = [(spelling, place.name) for place in places for spelling in spellings(place)]
        lists[slot] = TextSlotList.from_tuples(pairs, allow_template=False, name=slot)
    return lists


def _context(entity: HomeEntity) -> dict[str, Any]:
    """Return what templates may require of a name."""
    context = {"domain": entity.domain}
    if entity.device_class:
        context["device_class"] = entity.device_class
    return context
