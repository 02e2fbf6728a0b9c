"""Who a language model speaks as: what the user made of it, and who is chosen at the moment."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import callback
from homeassistant.helpers.llm import DEFAULT_INSTRUCTIONS_PROMPT, LLM_API_ASSIST

from .const import (
    CONF_CONFIRM,
    CONF_GREETING,
    CONF_HISTORY,
    CONF_MAX_TOKENS,
    CONF_MODEL,
    CONF_PICTURE,
    CONF_PROMPT,
    CONF_TEMPERATURE,
    CONF_TOOLS,
    CONF_TURNS,
    CONF_VOICE,
    DEFAULT_HISTORY,
    DEFAULT_MAX_TOKENS,
    DEFAULT_TURNS,
    SUBENTRY_CONVERSATION,
)


@dataclass(frozen=True, kw_only=True)
class Persona:
    """A character that a language model speaks as."""

    id: str
    """That of its subentry; empty for the one that is always there."""
    name: str
    prompt: str
    """Template."""
    model: str | None
    """None leaves it to the node."""
    temperature: float | None
    max_tokens: int
    tools: tuple[str, ...]
    """Ids of LLM APIs."""
    history: Mapping[str, Any]
    """In the words of the protocol."""
    voice: str | None
    """Id of a voice of this node (`choices.Voice.id`); None leaves it to the pipeline."""
    greeting: str
    picture: str | None
    """Address of a picture."""
    confirm: bool
    """Whether a tool that unlocks, opens or disarms waits for a spoken yes."""

    @classmethod
    def of(cls, subentry: ConfigSubentry) -> Self:
        """Return the persona of a subentry."""
        return cls._read(subentry.subentry_id, subentry.title, subentry.data)

    @classmethod
    def _read(cls, identity: str, name: str, data: Mapping[str, Any]) -> Self:
        return cls(
            id=identity,
            name=name,
            prompt=data.get(CONF_PROMPT) or DEFAULT_INSTRUCTIONS_PROMPT,
            model=data.get(CONF_MODEL),
            temperature=data.get(CONF_TEMPERATURE),
            max_tokens=data.get(CONF_MAX_TOKENS, DEFAULT_MAX_TOKENS),
            tools=tuple(data.get(CONF_TOOLS, ())),
            history={
                "policy": data.get(CONF_HISTORY, DEFAULT_HISTORY),
                "turns": data.get(CONF_TURNS, DEFAULT_TURNS),
            },
            voice=data.get(CONF_VOICE),
            greeting=data.get(CONF_GREETING, ""),
            picture=data.get(CONF_PICTURE) or None,
            confirm=data.get(CONF_CONFIRM, True),
        )


STANDARD: Final = Persona._read("", "", {CONF_TOOLS: [LLM_API_ASSIST]})
"""Who a model speaks as where nobody is chosen."""


class Personas:
    """The personas of a node, and which of them each of its language model programs is now."""

    def __init__(self, entry: ConfigEntry) -> None:
        subentries = entry.get_subentries_of_type(SUBENTRY_CONVERSATION)
        self.all = {each.subentry_id: Persona.of(each) for each in subentries}
        """By id."""
        self._chosen: dict[str, Persona] = {}
        self._listeners: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    def chosen(self, program: str) -> Persona:
        """Return who a program is now."""
        return self._chosen.get(program, STANDARD)

    @callback
    def async_choose(self, program: str, persona: Persona) -> None:
        """Let a program be another one, and tell who listens."""
        if persona == self.chosen(program):
            return
        self._chosen[program] = persona
        for listener in [*self._listeners[program]]:
            listener()

    @callback
    def async_listen(self, program: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever a program becomes another one; return what ends that."""
        self._listeners[program].add(listener)
        return lambda: self._listeners[program].discard(listener)
