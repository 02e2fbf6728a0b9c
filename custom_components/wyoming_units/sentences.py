"""The user's own sentences, for units that must know what can be said.

They are those of `custom_sentences/<language>/*.yaml`, of `conversation:` in the configuration and
of automations with a sentence trigger: the same that Home Assistant's built-in agent understands.
They are read when it would read them: once, and again after `conversation.reload`.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from home_assistant_intents import get_intents, get_languages
from homeassistant.components.conversation import DOMAIN as CONVERSATION
from homeassistant.components.conversation.agent_manager import get_agent_manager
from homeassistant.components.conversation.const import IntentSource
from homeassistant.const import EVENT_CALL_SERVICE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util import language as language_util
from homeassistant.util.hass_dict import HassKey

from .const import LOGGER
from .templates import NAMES, Resolver

MOST_SENTENCES: Final = 500
MOST_CHARACTERS: Final = 64 * 1024

_SHARED: Final = ("expansion_rules", "lists")


class SentenceCache:
    """The user's sentences by language, as templates without anything but names to look up."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._by_language: dict[str, list[str]] = {}
        self._config: Mapping[str, Any] = {}
        self._triggers: Mapping[str, Any] = {}
        self._lock = asyncio.Lock()
        # Both last as long as Home Assistant runs, as this cache does.
        get_agent_manager(hass).subscribe_intents(self._take)
        hass.bus.async_listen(EVENT_CALL_SERVICE, self._forget, event_filter=_is_reload)

    async def get(self, language: str) -> list[str]:
        """Return templates in which only `{name}`, `{area}` and `{floor}` are lists."""
        async with self._lock:
            known = self._by_language  # another one as soon as this one is outdated
            if (sentences := known.get(language)) is None:
                folder = Path(self._hass.config.path("custom_sentences"))
                sentences = await self._hass.async_add_executor_job(
                    _load, folder, language, deepcopy(self._config), deepcopy(self._triggers)
                )
                known[language] = sentences
            return sentences

    @callback
    def _take(self, intents: Mapping[IntentSource, Mapping[str, Any]]) -> None:
        self._config = intents.get(IntentSource.CONFIG, self._config)
        self._triggers = intents.get(IntentSource.TRIGGER, self._triggers)
        self._forget()

    @callback
    def _forget(self, _event: Event[Any] | None = None) -> None:
        self._by_language = {}


_CACHE: HassKey[SentenceCache] = HassKey("wyoming_units_sentences")


async def async_get_sentences(hass: HomeAssistant, language: str) -> list[str]:
    """Return the user's own sentences in a language, as far as they can be told in advance."""
    if (cache := hass.data.get(_CACHE)) is None:
        cache = hass.data[_CACHE] = SentenceCache(hass)
    return await cache.get(language)


@callback
def _is_reload(data: Mapping[str, Any]) -> bool:
    return (data["domain"], data["service"]) == (CONVERSATION, "reload")


def _load(
    folder: Path, language: str, config: Mapping[str, Any], triggers: Mapping[str, Any]
) -> list[str]:
    """Return what can be said in a language; reads files."""
    # Of a trigger sentence every list is a wildcard to Home Assistant, whatever its name.
    sentences = list(_resolve(triggers, {}, frozenset()))
    # As the built-in agent chooses among the languages that it knows.
    if variant := next(iter(language_util.matches(language, set(get_languages()))), None):
        files = [_read(path) for path in sorted(Path(folder, variant).rglob("*.yaml"))]
        if files or config.get("intents"):
            known = _merged([get_intents(variant) or {}, *files])
            for source in (config, *files):
                sentences += _resolve(source, known)
    return _bounded(dict.fromkeys(sentences))


def _read(path: Path) -> Mapping[str, Any]:
    """Return a file of custom sentences, nothing where it cannot be read."""
    try:
        return _mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        LOGGER.warning("Custom sentences in %s cannot be read: %s", path.name, type(err).__name__)
        return {}


def _merged(sources: Iterable[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """Return the rules and lists of all sources; values are added to a list that is there."""
    rules: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    for source in sources:
        rules |= _mapping(source.get("expansion_rules"))
        for name, new in _mapping(source.get("lists")).items():
            values = [*_list(_mapping(lists.get(name)).get("values"))]
            values += _list(_mapping(new).get("values"))
            lists[name] = {**_mapping(new), **({"values": values} if values else {})}
    return {"expansion_rules": rules, "lists": lists}


def _resolve(
    source: Mapping[str, Any], shared: Mapping[str, Any], names: frozenset[str] = NAMES
) -> Iterator[str]:
    """Yield the sentences of all intents, written out."""
    for intent in _mapping(source.get("intents")).values():
        for block in _list(_mapping(intent).get("data")):
            local = _mapping(block)
            rules, lists = (
                {**_mapping(shared.get(key)), **_mapping(local.get(key))} for key in _SHARED
            )
            resolver = Resolver(rules=rules, lists=lists, names=names)
            for sentence in _list(local.get("sentences")):
                if (resolved := resolver.resolve(str(sentence))) is not None:
                    yield resolved


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _bounded(sentences: Iterable[str]) -> list[str]:
    """Return as many sentences as a unit can be told with every utterance."""
    kept: list[str] = []
    left = MOST_CHARACTERS
    for sentence in sentences:
        left -= len(sentence)
        if left < 0 or len(kept) == MOST_SENTENCES:
            LOGGER.warning("There are too many custom sentences; units are told %d", len(kept))
            break
        kept.append(sentence)
    return kept
