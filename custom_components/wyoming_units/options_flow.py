"""Asks how a node's speech-to-text shall find the end of a turn."""

from typing import Any

import probatio
from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig, SelectSelectorMode

from .const import (
    CONF_END_OF_TURN,
    CONF_SILENCE,
    END_OF_TURN_HOME_ASSISTANT,
    END_OF_TURN_UNIT,
    SILENCE_AGGRESSIVE,
    SILENCE_DEFAULT,
    SILENCE_RELAXED,
)


def _choice(key: str, *options: str) -> SelectSelector:
    return SelectSelector(
        SelectSelectorConfig(
            options=[*options], translation_key=key, mode=SelectSelectorMode.DROPDOWN
        )
    )


OPTIONS_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_END_OF_TURN, default=END_OF_TURN_UNIT): _choice(
            CONF_END_OF_TURN, END_OF_TURN_UNIT, END_OF_TURN_HOME_ASSISTANT
        ),
        probatio.Required(CONF_SILENCE, default=SILENCE_DEFAULT): _choice(
            CONF_SILENCE, SILENCE_DEFAULT, SILENCE_RELAXED, SILENCE_AGGRESSIVE
        ),
    }
)


class WyomingUnitsOptionsFlow(OptionsFlowWithReload):
    """Changes the options of a node, which is set up again when they differ."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all options."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, self.config_entry.options
            ),
        )
