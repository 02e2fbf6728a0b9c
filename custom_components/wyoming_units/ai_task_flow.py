"""Has a node's language models do AI tasks, or changes how."""

from typing import Any

import probatio
from homeassistant.config_entries import SubentryFlowResult
from homeassistant.helpers.selector import TextSelector

from .const import AUTOMATIC, CONF_MAX_TOKENS, CONF_MODEL, CONF_NAME, CONF_TEMPERATURE
from .persona_flow import MAX_TOKENS, TEMPERATURE, LanguageModelSubentryFlow, model_choice

MANY_TOKENS = 2000
"""An answer with a structure is longer than one that is spoken."""


class AITaskSubentryFlow(LanguageModelSubentryFlow):
    """Makes or changes the subentry of AI tasks."""

    async def async_step_form(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a name, and how the model answers."""
        errors: dict[str, str] = {}
        if user_input is not None:
            data = {**user_input, CONF_MAX_TOKENS: int(user_input[CONF_MAX_TOKENS])}
            name = data.pop(CONF_NAME).strip()
            if error := self._name_error(name):
                errors[CONF_NAME] = error
            else:
                return self._store(name, data)
        before = self._before
        schema = probatio.Schema(
            {
                probatio.Required(CONF_NAME): TextSelector(),
                probatio.Required(CONF_MODEL, default=AUTOMATIC): model_choice(
                    self._node, before.get(CONF_MODEL)
                ),
                probatio.Optional(CONF_TEMPERATURE): TEMPERATURE,
                probatio.Required(CONF_MAX_TOKENS, default=MANY_TOKENS): MAX_TOKENS,
            }
        )
        shown = user_input or before or {CONF_NAME: self._get_entry().title}
        return self.async_show_form(
            step_id="form",
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
        )
