"""The options of a node."""

import json
from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers.selector import SelectSelector
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import wyoming_units
from custom_components.wyoming_units.const import (
    CONF_END_OF_TURN,
    CONF_SILENCE,
    END_OF_TURN_HOME_ASSISTANT,
    SILENCE_RELAXED,
)

from .scripted_node import ScriptedNode

ENGLISH: dict[str, Any] = json.loads(
    (Path(wyoming_units.__file__).parent / "translations" / "en.json").read_text()
)
CHOSEN = {CONF_END_OF_TURN: END_OF_TURN_HOME_ASSISTANT, CONF_SILENCE: SILENCE_RELAXED}


async def test_options_that_change_set_the_node_up_again(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    flow = await hass.config_entries.options.async_init(loaded.entry_id)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "init")
    described = node.described
    flow = await hass.config_entries.options.async_configure(flow["flow_id"], CHOSEN)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert loaded.options == CHOSEN
    assert node.described == described + 1


async def test_the_form_suggests_what_was_chosen_before_and_else_the_defaults(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    flow = await hass.config_entries.options.async_init(loaded.entry_id)
    assert flow["data_schema"]({}) == {CONF_END_OF_TURN: "unit", CONF_SILENCE: "default"}
    await hass.config_entries.options.async_configure(flow["flow_id"], CHOSEN)
    await hass.async_block_till_done()
    flow = await hass.config_entries.options.async_init(loaded.entry_id)
    suggested = {str(key): key.description["suggested_value"] for key in flow["data_schema"].schema}
    assert suggested == CHOSEN


async def test_what_cannot_be_chosen_is_refused(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    flow = await hass.config_entries.options.async_init(loaded.entry_id)
    with pytest.raises(InvalidData):
        await hass.config_entries.options.async_configure(
            flow["flow_id"], {**CHOSEN, CONF_SILENCE: "endless"}
        )
    assert not loaded.options


async def test_every_option_and_every_choice_has_a_text(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    flow = await hass.config_entries.options.async_init(loaded.entry_id)
    step = ENGLISH["options"]["step"]["init"]
    schema: dict[probatio.Required, SelectSelector] = flow["data_schema"].schema
    fields = {str(field) for field in schema}
    assert fields == step["data"].keys() == step["data_description"].keys()
    choices = {
        selector.config["translation_key"]: selector.config["options"]
        for selector in schema.values()
    }
    assert {key: set(options) for key, options in choices.items()} == {
        key: texts["options"].keys() for key, texts in ENGLISH["selector"].items()
    }
