"""What an agent says itself, in the language of the turn."""

from collections.abc import Mapping, Sequence
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import translation
from homeassistant.util import language as language_util

from .client import NodeError
from .const import DOMAIN

LANGUAGES: Final = ("en", "de", "fr", "zh-Hans")
"""Those of our translations."""

MOST_NAMES: Final = 5

_CAUSES: Final = {
    "cannot_connect": "chat_node_away",
    "connection_lost": "chat_node_away",
    "no_answer": "chat_timeout",
    "bad_answer": "chat_model_away",
}
_CODES: Final = {
    "busy": "chat_busy",
    "loading": "chat_busy",
    "timeout": "chat_timeout",
    "engine-failed": "chat_model_away",
    "cancelled": "chat_model_away",
}
"""By the protocol's code of an error that the node sent."""


async def async_sentence(hass: HomeAssistant, language: str, key: str, **names: str) -> str:
    """Return one of the sentences that are kept with the exceptions."""
    # Home Assistant looks for a translation by its exact name, and turns come in "de-DE" or "zh-CN".
    known = next(iter(language_util.matches(language, LANGUAGES)), "en")
    texts = await translation.async_get_translations(hass, known, "exceptions", {DOMAIN})
    return texts[f"component.{DOMAIN}.exceptions.{key}.message"].format(**names)


def sentence_of(error: HomeAssistantError) -> str:
    """Return the key of the sentence that tells why there is no answer."""
    if isinstance(error, NodeError):
        if error.key == "node_error":
            return _CODES.get(error.placeholders["code"], "chat_unsupported")
        return _CAUSES.get(error.key, "chat_unsupported")
    ours = error.translation_domain == DOMAIN and error.translation_key is not None
    return str(error.translation_key) if ours else "chat_unsupported"


async def async_question(
    hass: HomeAssistant, language: str, targets: Mapping[str, Sequence[str]]
) -> str:
    """Return the question whether to unlock, open or disarm some things."""
    questions = []
    for what, names in targets.items():
        told = [*names[:MOST_NAMES], *(["…"] if len(names) > MOST_NAMES else [])]
        key = f"chat_may_{what}"
        questions.append(await async_sentence(hass, language, key, names=", ".join(told)))
    return " ".join(questions)
