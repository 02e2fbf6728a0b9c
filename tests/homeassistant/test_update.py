"""Home Assistant says when a node's software is older than the integration."""

from typing import Any

import pytest
from homeassistant.components.update import (
    ATTR_INSTALLED_VERSION,
    ATTR_LATEST_VERSION,
    ATTR_RELEASE_URL,
)
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, State
from pytest_homeassistant_custom_component.common import MockConfigEntry

from wyoming_units import __version__

from .scripted_node import ScriptedNode

ENTITY = "update.cellar_software"


async def told(hass: HomeAssistant, entry: MockConfigEntry) -> State:
    """Set the node up and return what its entity tells."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    state = hass.states.get(ENTITY)
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("version", "expected", "latest"),
    [
        ("0.0.9", STATE_ON, __version__),
        (__version__, STATE_OFF, __version__),
        ("99.1", STATE_OFF, "99.1"),
        ("my own", STATE_OFF, "my own"),
    ],
)
async def test_a_node_older_than_the_integration_is_to_be_updated(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    version: str,
    expected: str,
    latest: str,
) -> None:
    node.info["node"]["version"] = version
    state = await told(hass, entry)
    assert state.state == expected
    attributes: dict[str, Any] = dict(state.attributes)
    assert attributes[ATTR_INSTALLED_VERSION] == version
    assert attributes[ATTR_LATEST_VERSION] == latest
    assert attributes[ATTR_RELEASE_URL].endswith("#keeping-it-up-to-date")


async def test_a_node_that_was_updated_says_so_by_itself(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info["node"]["version"] = "0.0.9"
    assert (await told(hass, entry)).state == STATE_ON
    node.info["node"]["version"] = __version__
    await entry.runtime_data.async_refresh()
    await hass.async_block_till_done()
    state = hass.states.get(ENTITY)
    assert state is not None
    assert state.state == STATE_OFF


async def test_a_node_that_is_away_leaves_it_open(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await told(hass, entry)
    await node.stop()
    await entry.runtime_data.async_refresh()
    await hass.async_block_till_done()
    state = hass.states.get(ENTITY)
    assert state is not None
    assert state.state == STATE_UNAVAILABLE
