"""Issues of nodes and their units, and what fixes them."""

from pathlib import Path
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

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.issues import LEARN_MORE

from .ids import device_of, entity_of, next_poll
from .issues import OTHER_ID, Repairs, issue, key, made_pipeline, pipeline_of
from .scripted_node import NODE_ID, ScriptedNode, artifact, node_info


async def lose_identity(
    hass: HomeAssistant, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    node.info["node"] |= {"id": OTHER_ID, "name": "Fresh"}
    await next_poll(hass, freezer)


async def change(
    hass: HomeAssistant, node: ScriptedNode, freezer: FrozenDateTimeFactory, **info: Any
) -> str | None:
    """Let the node offer something else; return what is told of it."""
    node.info = node_info(**info)
    await next_poll(hass, freezer)
    return key(hass)


@pytest.fixture
async def mute(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> er.RegistryEntry:
    """The text-to-speech of the node, which does not offer it any more."""
    mouth = er.async_get(hass).async_get(entity_of(hass, "tts"))
    assert await change(hass, node, freezer, tts=None) == "unit_gone"
    return mouth


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


@pytest.fixture
async def opened(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> str:
    """The repair of a node that lost its identity, opened and not yet submitted."""
    await lose_identity(hass, node, freezer)
    return await repairs.open()


async def test_an_identity_that_comes_back_needs_no_repair(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    repairs: Repairs,
    opened: str,
    freezer: FrozenDateTimeFactory,
) -> None:
    node.info = node_info()
    assert await repairs.submit(opened) == "create_entry"
    assert loaded.unique_id == NODE_ID

    await lose_identity(hass, node, freezer)
    assert key(hass) == "new_identity"
    assert await change(hass, node, freezer) is None


async def test_no_identity_is_taken_from_another_entry(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    repairs: Repairs,
    opened: str,
    freezer: FrozenDateTimeFactory,
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID).add_to_hass(hass)
    assert await repairs.submit(opened) == "already_configured"
    assert loaded.unique_id == NODE_ID

    await next_poll(hass, freezer)
    assert issue(hass) is None  # they have changed places, which announcements sort out


async def test_an_identity_is_asked_for_again_before_it_is_given(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry, repairs: Repairs, opened: str
) -> None:
    await node.stop()
    assert await repairs.submit(opened) == "cannot_connect"
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
    hass: HomeAssistant, mute: er.RegistryEntry, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    assert await change(hass, node, freezer) is None


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
    mute: er.RegistryEntry,
    node: ScriptedNode,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    assert await repairs.fix() == "create_entry"
    assert er.async_get(hass).async_get(mute.entity_id) is None
    assert dr.async_get(hass).async_get(mute.device_id) is None
    assert entity_of(hass, "stt")
    await next_poll(hass, freezer)
    assert issue(hass) is None

    await change(hass, node, freezer)
    assert hass.states.get(entity_of(hass, "tts")) is not None


async def test_a_unit_that_is_gone_is_no_issue_once_the_user_deleted_its_entities(
    hass: HomeAssistant, mute: er.RegistryEntry, freezer: FrozenDateTimeFactory
) -> None:
    registry = er.async_get(hass)
    for entity in er.async_entries_for_device(registry, mute.device_id, True):
        registry.async_remove(entity.entity_id)
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_unit_that_came_back_is_not_deleted(
    hass: HomeAssistant,
    mute: er.RegistryEntry,
    node: ScriptedNode,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    flow_id = await repairs.open()
    await change(hass, node, freezer)
    assert await repairs.submit(flow_id) == "back"
    assert entity_of(hass, "tts")


async def test_a_unit_that_the_user_deleted_meanwhile_is_gone(
    hass: HomeAssistant, hass_ws_client: Any, mute: er.RegistryEntry, repairs: Repairs
) -> None:
    assert await async_setup_component(hass, "config", {})
    client = await hass_ws_client(hass)
    flow_id = await repairs.open()
    assert (await client.remove_device(mute.device_id))["success"]
    assert await repairs.submit(flow_id) == "gone"


async def test_a_unit_that_is_offered_cannot_be_deleted(
    hass: HomeAssistant, hass_ws_client: Any, loaded: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, "config", {})
    client = await hass_ws_client(hass)
    assert not (await client.remove_device(device_of(hass, "tts")))["success"]


CHOICES = {
    "stt": {"ears": {"model": "ears-big", "end_of_turn": "unit"}},
    "tts": {"mouth": {"speed": 1.5}},
    "wake": {"sentinel": {"wake_words": ["hey computer"]}},
}


@pytest.fixture
async def choosy(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> MockConfigEntry:
    """The entry of a node, of which the user chose a model that it does not have."""
    hass.config_entries.async_update_entry(loaded, options=CHOICES)
    assert await change(hass, node, freezer) == "choice_gone"
    return loaded


@pytest.mark.parametrize(
    ("options", "unit", "name"),
    [
        (CHOICES, "Speech-to-text", "ears-big"),
        ({"stt": {"ears": {"model": "ears-nl"}}}, "Speech-to-text", "ears-nl"),
        ({"tts": {"mouth": {"voice": "alba#Ann"}}}, "Text-to-speech", "alba#Ann"),
    ],
)
async def test_a_chosen_model_or_voice_that_the_node_does_not_have_is_told(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    options: dict[str, Any],
    unit: str,
    name: str,
) -> None:
    hass.config_entries.async_update_entry(loaded, options=options)
    await change(hass, node, freezer)
    found = issue(hass)
    assert (found.translation_key, found.severity) == ("choice_gone", ir.IssueSeverity.WARNING)
    assert found.translation_placeholders == {"unit": unit, "node": "Cellar", "choice": name}


async def test_a_chosen_model_that_comes_back_is_no_issue(
    hass: HomeAssistant, choosy: MockConfigEntry, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    node.info["asr"][0]["models"].append(artifact("ears-big", languages=["en"]))
    await next_poll(hass, freezer)
    assert issue(hass) is None
    assert choosy.options == CHOICES


async def test_a_chosen_model_of_a_unit_that_is_gone_is_not_told_besides(
    hass: HomeAssistant, choosy: MockConfigEntry, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    assert await change(hass, node, freezer, asr=None) == "unit_gone"


async def test_the_choice_of_a_model_that_is_gone_is_taken_back_by_a_repair(
    hass: HomeAssistant, choosy: MockConfigEntry, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    flow_id = await repairs.open()
    assert choosy.options == CHOICES
    assert await repairs.submit(flow_id) == "create_entry"
    assert choosy.options == CHOICES | {"stt": {"ears": {"end_of_turn": "unit"}}}
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_choice_cannot_be_taken_back_for_a_node_that_was_removed(
    hass: HomeAssistant, choosy: MockConfigEntry, repairs: Repairs
) -> None:
    flow_id = await repairs.open()
    await hass.config_entries.async_remove(choosy.entry_id)
    assert issue(hass) is None
    assert await repairs.submit(flow_id) == "gone"


def test_issues_lead_to_the_page_about_them() -> None:
    path, _, heading = LEARN_MORE.partition("/blob/main/")[2].partition("#")
    page = (Path(__file__).parents[2] / path).read_text()
    assert f"## {heading}" in page.lower().splitlines()
