"""Issues of nodes and their units, and what fixes them."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import (
    DOMAIN,
)

from .ids import entity_of, next_poll
from .issues import OTHER_ID, Repairs, issue, key, made_pipeline, pipeline_of
from .scripted_node import NODE_ID, ScriptedNode, node_info


async def lose_identity(
    hass: HomeAssistant, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    node.info["node"] |= {"id": OTHER_ID, "name": "Fresh"}
    await next_poll(hass, freezer)


async def test_a_node_that_lost_its_identity_gets_all_of_it_back_by_a_repair(
    hass: HomeAssistant, node: ScriptedNode, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    entry = await made_pipeline(hass, node)
    made = pipeline_of(hass, entry)
    entities, devices = er.async_get(hass), dr.async_get(hass)
    hall = ar.async_get(hass).async_create("Hall")
    entities.async_update_entity(entity_of(hass, "stt"), name="Ears")
    mouth = entities.async_get(entity_of(hass, "tts"))
    devices.async_update_child_device(mouth.device_id, area_id=hall.id, name_by_user="Mouth")
    [cellar] = dr.async_entries_for_config_entry(devices, entry.entry_id)
    devices.async_update_device(cellar.id, area_id=hall.id)
    before = {
        entity.id: (entity.entity_id, entity.name, entity.device_id)
        for entity in er.async_entries_for_config_entry(entities, entry.entry_id)
    }
    children = {
        child.id for child in dr.async_child_entries_for_config_entry(devices, entry.entry_id)
    }

    await lose_identity(hass, node, freezer)
    found = issue(hass)
    assert (found.translation_key, found.severity) == ("new_identity", ir.IssueSeverity.ERROR)
    assert found.translation_placeholders == {
        "title": "Cellar",
        "host": f"127.0.0.1:{node.port}",
        "name": "Fresh",
    }
    flow_id = await repairs.open()
    assert entry.unique_id == NODE_ID

    assert await repairs.submit(flow_id) == "create_entry"
    assert issue(hass) is None
    assert (entry.unique_id, entry.state) == (OTHER_ID, ConfigEntryState.LOADED)
    assert before == {
        entity.id: (entity.entity_id, entity.name, entity.device_id)
        for entity in er.async_entries_for_config_entry(entities, entry.entry_id)
    }
    assert hass.states.get(entity_of(hass, "tts", OTHER_ID)).state != "unavailable"
    [device] = dr.async_entries_for_config_entry(devices, entry.entry_id)
    assert device.identifiers == {(DOMAIN, OTHER_ID)}
    assert (device.id, device.area_id) == (cellar.id, hall.id)
    assert children == {
        child.id for child in dr.async_child_entries_for_config_entry(devices, entry.entry_id)
    }
    device = devices.async_get(mouth.device_id)
    assert (device.area_id, device.name_by_user) == (hall.id, "Mouth")
    assert pipeline_of(hass, entry) == made


async def test_a_new_identity_is_told_also_after_the_node_was_away(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await node.stop()
    await next_poll(hass, freezer)
    assert issue(hass) is None
    await node.start()
    await lose_identity(hass, node, freezer)
    assert key(hass) == "new_identity"


async def test_a_new_identity_is_told_also_when_the_node_is_set_up(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    node.info["node"]["id"] = OTHER_ID
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert key(hass) == "new_identity"


async def test_an_issue_that_the_user_ignores_stays_ignored(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await lose_identity(hass, node, freezer)
    ir.async_ignore_issue(hass, DOMAIN, issue(hass).issue_id, True)
    await next_poll(hass, freezer)
    assert issue(hass).dismissed_version is not None


async def test_an_identity_that_comes_back_needs_no_repair(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    await lose_identity(hass, node, freezer)
    flow_id = await repairs.open()
    node.info = node_info()
    assert await repairs.submit(flow_id) == "create_entry"
    assert loaded.unique_id == NODE_ID

    await lose_identity(hass, node, freezer)
    assert key(hass) == "new_identity"
    node.info = node_info()
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_no_identity_is_taken_from_another_entry(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    await lose_identity(hass, node, freezer)
    flow_id = await repairs.open()
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID).add_to_hass(hass)
    assert await repairs.submit(flow_id) == "already_configured"
    assert loaded.unique_id == NODE_ID

    await next_poll(hass, freezer)
    assert issue(hass) is None  # they have changed places, which announcements sort out


async def test_an_identity_is_asked_for_again_before_it_is_given(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    await lose_identity(hass, node, freezer)
    flow_id = await repairs.open()
    await node.stop()
    assert await repairs.submit(flow_id) == "cannot_connect"
    assert loaded.unique_id == NODE_ID
    assert key(hass) == "new_identity"

    flow_id = await repairs.open()
    await hass.config_entries.async_remove(loaded.entry_id)
    assert await repairs.submit(flow_id) == "gone"


@pytest.mark.parametrize("leave", ["remove", "disable"])
async def test_a_node_that_is_removed_or_disabled_leaves_no_issue(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    leave: str,
) -> None:
    await lose_identity(hass, node, freezer)
    assert key(hass) == "new_identity"
    if leave == "remove":
        await hass.config_entries.async_remove(loaded.entry_id)
    else:
        await hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
    await hass.async_block_till_done()
    assert issue(hass) is None


@pytest.mark.parametrize(
    ("protocol", "told"), [(2, "node_too_new"), (0, "node_too_old"), ("x", "node_too_new")]
)
async def test_a_version_that_does_not_fit_says_what_to_update(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    protocol: int | str,
    told: str,
) -> None:
    node.info["node"]["protocol"] = protocol
    await next_poll(hass, freezer)
    found = issue(hass)
    assert found.translation_key == told
    assert found.translation_placeholders == {
        "name": "Cellar",
        "protocol": str(protocol),
        "ours": "1",
    }
    assert not found.is_fixable

    node.info["node"]["protocol"] = 1
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_unit_that_the_node_does_not_offer_any_more_is_told_until_it_is_back(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    node.info = node_info(tts=None)
    await next_poll(hass, freezer)
    assert key(hass) == "unit_gone"
    node.info = node_info()
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_node_that_is_switched_off_is_no_issue(
    hass: HomeAssistant,
    node: ScriptedNode,
    freezer: FrozenDateTimeFactory,
) -> None:
    await made_pipeline(hass, node)
    await node.stop()
    for _ in range(3):
        await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_unit_that_is_gone_is_deleted_by_a_repair_and_added_when_it_is_back(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    mouth = er.async_get(hass).async_get(entity_of(hass, "tts"))
    node.info = node_info(tts=None)
    await next_poll(hass, freezer)
    assert await repairs.fix() == "create_entry"
    assert er.async_get(hass).async_get(mouth.entity_id) is None
    assert dr.async_get(hass).async_get(mouth.device_id) is None
    assert entity_of(hass, "stt")
    await next_poll(hass, freezer)
    assert issue(hass) is None

    node.info = node_info()
    await next_poll(hass, freezer)
    assert hass.states.get(entity_of(hass, "tts")) is not None


async def test_a_unit_that_is_gone_is_no_issue_once_the_user_deleted_its_entities(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    node.info = node_info(tts=None)
    await next_poll(hass, freezer)
    assert key(hass) == "unit_gone"
    registry = er.async_get(hass)
    mouth = registry.async_get(entity_of(hass, "tts"))
    for entity in er.async_entries_for_device(registry, mouth.device_id, True):
        registry.async_remove(entity.entity_id)
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_unit_that_came_back_is_not_deleted(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    node.info = node_info(tts=None)
    await next_poll(hass, freezer)
    flow_id = await repairs.open()
    node.info = node_info()
    await next_poll(hass, freezer)
    assert await repairs.submit(flow_id) == "back"
    assert entity_of(hass, "tts")


async def test_a_unit_that_the_user_deleted_meanwhile_is_gone(
    hass: HomeAssistant,
    hass_ws_client: Any,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    assert await async_setup_component(hass, "config", {})
    mouth = er.async_get(hass).async_get(entity_of(hass, "tts"))
    client = await hass_ws_client(hass)

    async def delete() -> bool:
        response = await client.remove_device(mouth.device_id)
        return response["success"]

    assert not await delete()
    node.info = node_info(tts=None)
    await next_poll(hass, freezer)
    flow_id = await repairs.open()
    assert await delete()
    assert await repairs.submit(flow_id) == "gone"
