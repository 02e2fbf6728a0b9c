"""A node that lost its identity is asked about, not guessed."""

import pytest
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_USER,
    SOURCE_ZEROCONF,
    ConfigEntryState,
)
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import (
    DOMAIN,
)

from .flows import NO_PIPELINE, OTHER_ID, announcement, answer, checked, start
from .ids import entities_of
from .scripted_node import NODE_ID, ScriptedNode


@pytest.fixture
async def reinstalled(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> MockConfigEntry:
    """The entry of a node that has lost its data folder."""
    node.info["node"] |= {"id": OTHER_ID, "name": "Fresh"}
    return loaded


async def test_a_node_that_lost_its_identity_keeps_its_entry_if_the_user_says_so(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    entities = entities_of(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id=OTHER_ID))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "known_address")
    assert flow["description_placeholders"] == {
        "name": "Fresh",
        "host": "127.0.0.1",
        "title": "Cellar",
    }
    assert reinstalled.unique_id == NODE_ID
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reinstalled")
    await hass.async_block_till_done()
    assert reinstalled.unique_id == OTHER_ID
    assert reinstalled.state is ConfigEntryState.LOADED
    assert entities_of(hass, OTHER_ID) == entities
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_a_new_node_at_a_known_address_is_added_if_the_user_says_so(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id=OTHER_ID))
    flow = await answer(hass, flow, next_step_id="new_node")
    assert flow["step_id"] == "zeroconf_confirm"
    flow = await answer(hass, flow)
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    assert flow["result"].unique_id == OTHER_ID
    assert reinstalled.unique_id == NODE_ID


async def test_adding_a_known_address_by_hand_asks_too_and_ends_the_offer_of_a_new_node(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id=OTHER_ID))
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "known_address")
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert flow["reason"] == "reinstalled"
    assert reinstalled.unique_id == OTHER_ID
    assert not hass.config_entries.flow.async_progress()


async def test_a_new_identity_that_the_user_ignored_can_still_be_taken(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID, source=SOURCE_IGNORE).add_to_hass(hass)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert flow["reason"] == "reinstalled"
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert (entry.entry_id, entry.unique_id) == (reinstalled.entry_id, OTHER_ID)


async def test_an_identity_is_not_given_to_an_entry_that_is_gone_by_then(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    await hass.config_entries.async_remove(reinstalled.entry_id)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "changed_meanwhile")


async def test_an_identity_is_not_taken_from_an_entry_that_was_made_meanwhile(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID).add_to_hass(hass)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "changed_meanwhile")
    assert reinstalled.unique_id == NODE_ID


async def test_a_node_is_reinstalled_at_a_new_address_by_hand(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    await node.stop()
    node.port = 0
    await node.start()
    flow = checked(await reinstalled.start_reconfigure_flow(hass))
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "another_node")
    assert flow["description_placeholders"]["title"] == "Cellar"

    flow = await answer(hass, flow, next_step_id="reconfigure")
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "reconfigure")
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert flow["reason"] == "reinstalled"
    assert reinstalled.data[CONF_PORT] == node.port
    await hass.async_block_till_done()
    assert reinstalled.state is ConfigEntryState.LOADED
    assert entities_of(hass, OTHER_ID)
