"""Issues that are raised and taken back, and what fixes them."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.assist_pipeline import async_get_pipelines, async_update_pipeline
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE, Pipeline
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import SOURCE_USER, ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import wyoming_units
from custom_components.wyoming_units.const import (
    CONF_CREATE_PIPELINE,
    CONF_PIPELINE_ID,
    CONF_PREFERRED,
    DOMAIN,
)

from .ids import entity_of, next_poll
from .scripted_node import NODE_ID, ScriptedNode, artifact, node_info

ENGLISH: dict[str, Any] = json.loads(
    (Path(wyoming_units.__file__).parent / "translations" / "en.json").read_text()
)["issues"]
ENGINES = ("stt_engine", "tts_engine", "wake_word_entity")
OTHER_ID = "f" * 32
ATTIC = "b" * 32


def issue(hass: HomeAssistant) -> ir.IssueEntry | None:
    """Return the only issue, if there is one, after a look at its texts."""
    found = [each for each in ir.async_get(hass).issues.values() if each.active]
    assert len(found) < 2, found
    for each in found:
        assert each.domain == DOMAIN
        assert each.learn_more_url
        texts = ENGLISH[each.translation_key]
        told = each.translation_placeholders or {}
        texts["title"].format(**told)
        if each.is_fixable:
            confirm = texts["fix_flow"]["step"]["confirm"]
            confirm["title"].format(**told)
            confirm["description"].format(**told)
        else:
            texts["description"].format(**told)
    return found[0] if found else None


def key(hass: HomeAssistant) -> str | None:
    found = issue(hass)
    return found.translation_key if found else None


class Repairs:
    """Runs fix flows as the frontend does."""

    def __init__(self, hass: HomeAssistant, client: Any) -> None:
        self._hass = hass
        self._client = client

    async def open(self) -> str:
        """Open the flow of the only issue; nothing happens before it is submitted."""
        found = issue(self._hass)
        assert found is not None
        response = await self._client.post(
            "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": found.issue_id}
        )
        assert response.status == HTTPStatus.OK
        flow = await response.json()
        assert (flow["type"], flow["step_id"]) == ("form", "confirm")
        assert flow["description_placeholders"] == found.translation_placeholders
        self.texts = ENGLISH[found.translation_key]["fix_flow"]
        return flow["flow_id"]

    async def submit(self, flow_id: str) -> str:
        """Return how it ended: `create_entry`, or why not."""
        response = await self._client.post(f"/api/repairs/issues/fix/{flow_id}", json={})
        assert response.status == HTTPStatus.OK
        flow = await response.json()
        await self._hass.async_block_till_done()
        if flow["type"] == "abort":
            assert self.texts["abort"][flow["reason"]]
        return flow["reason"] if flow["type"] == "abort" else flow["type"]

    async def fix(self) -> str:
        return await self.submit(await self.open())


@pytest.fixture
async def repairs(hass: HomeAssistant, hass_client: Any) -> Repairs:
    assert await async_setup_component(hass, REPAIRS, {})
    return Repairs(hass, await hass_client())


async def made_pipeline(hass: HomeAssistant, node: ScriptedNode) -> MockConfigEntry:
    """Add a node with a pipeline."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    )
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_CREATE_PIPELINE: True, CONF_PREFERRED: False}
    )
    await hass.async_block_till_done()
    return flow["result"]


def pipeline(hass: HomeAssistant, pipeline_id: str) -> dict[str, Any]:
    """Return a pipeline as it is stored now."""
    return next(each for each in async_get_pipelines(hass) if each.id == pipeline_id).to_json()


def pipeline_of(hass: HomeAssistant, entry: MockConfigEntry) -> Pipeline:
    made = entry.data[CONF_PIPELINE_ID]
    return next(each for each in async_get_pipelines(hass) if each.id == made)


async def second_node(hass: HomeAssistant, **info: Any) -> tuple[ScriptedNode, MockConfigEntry]:
    """Add a second node, without a pipeline."""
    node = ScriptedNode()
    node.info |= info
    node.info["node"] = {"id": ATTIC, "name": "Attic", "version": "0.1.0", "protocol": 1}
    await node.start()
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Attic",
        unique_id=ATTIC,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return node, entry


# A node with another identity


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


# Versions


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


# Units


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


# Pipelines


async def test_a_pipeline_whose_node_was_removed_gets_the_units_of_another_by_a_repair(
    hass: HomeAssistant, node: ScriptedNode, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    cellar = await made_pipeline(hass, node)
    attic, entry = await second_node(hass)
    try:
        [made] = [each for each in async_get_pipelines(hass) if each.name == "Wyoming Units"]
        before = made.to_json()
        chosen = {"tts_language": "en-GB", "tts_voice": "alba", "wake_word_id": "alexa"}
        await async_update_pipeline(hass, made, **chosen)
        before |= chosen
        await hass.config_entries.async_remove(cellar.entry_id)
        await next_poll(hass, freezer)
        found = issue(hass)
        assert found.translation_key == "missing_engine"
        assert found.translation_placeholders == {
            "pipeline": "Wyoming Units",
            "missing": ", ".join(before[field] for field in ENGINES),
            "replacement": ", ".join(
                entity_of(hass, unit, ATTIC) for unit in ("stt", "tts", "wake")
            ),
        }
        flow_id = await repairs.open()
        assert pipeline(hass, made.id) == before
        assert await repairs.submit(flow_id) == "create_entry"
        assert pipeline(hass, made.id) == before | {
            "stt_engine": entity_of(hass, "stt", ATTIC),
            "tts_engine": entity_of(hass, "tts", ATTIC),
            "wake_word_entity": entity_of(hass, "wake", ATTIC),
        }
        await next_poll(hass, freezer)
        assert issue(hass) is None

        await hass.config_entries.async_remove(entry.entry_id)
        assert issue(hass) is None
    finally:
        await attic.stop()


async def test_removing_the_last_node_leaves_no_issue(
    hass: HomeAssistant, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    cellar = await made_pipeline(hass, node)
    attic, entry = await second_node(hass, asr=[])
    try:
        await hass.config_entries.async_remove(cellar.entry_id)
        await next_poll(hass, freezer)
        assert len(ir.async_get(hass).issues) == 2
        await hass.config_entries.async_remove(entry.entry_id)
        assert issue(hass) is None
    finally:
        await attic.stop()


async def test_a_stage_that_no_node_can_do_is_told_until_one_can(
    hass: HomeAssistant, node: ScriptedNode, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    cellar = await made_pipeline(hass, node)
    deaf = [artifact("oren", models=[artifact("nl", languages=["nl"])])]
    attic, _ = await second_node(hass, asr=deaf)
    try:
        [made] = [each for each in async_get_pipelines(hass) if each.name == "Wyoming Units"]
        await hass.config_entries.async_remove(cellar.entry_id)
        await next_poll(hass, freezer)
        told = {each.translation_key: each for each in ir.async_get(hass).issues.values()}
        assert told.keys() == {"missing_engine", "stage_missing_stt"}
        assert told["stage_missing_stt"].translation_placeholders == {
            "pipeline": "Wyoming Units",
            "language": "en",
        }
        ir.async_delete_issue(hass, DOMAIN, told["stage_missing_stt"].issue_id)
        assert await repairs.fix() == "create_entry"  # what can be replaced is
        assert pipeline(hass, made.id)["stt_engine"] == made.stt_engine
        assert pipeline(hass, made.id)["tts_engine"] == entity_of(hass, "tts", ATTIC)
        await next_poll(hass, freezer)
        assert key(hass) == "stage_missing_stt"

        attic.info["asr"] = node_info()["asr"]
        await next_poll(hass, freezer)  # brings the entity
        await next_poll(hass, freezer)
        told = {each.translation_key for each in ir.async_get(hass).issues.values()}
        assert told == {"missing_engine", "unit_gone"}
    finally:
        await attic.stop()


@pytest.fixture
async def mine(hass: HomeAssistant, loaded: MockConfigEntry) -> Pipeline:
    """A pipeline of the user's own, which uses one of our entities."""
    return await hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_create_item(
        {
            "name": "Mine",
            "language": "en",
            "conversation_engine": "conversation.home_assistant",
            "conversation_language": "en",
            "stt_engine": "cloud",
            "stt_language": "en",
            "tts_engine": entity_of(hass, "tts"),
            "tts_language": "en-GB",
            "tts_voice": "alba",
            "wake_word_entity": None,
            "wake_word_id": None,
        }
    )


async def test_a_missing_agent_is_replaced_by_the_built_in_one(
    hass: HomeAssistant, mine: Pipeline, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    await async_update_pipeline(
        hass, mine, conversation_engine="conversation.gone", conversation_language="xx"
    )
    await next_poll(hass, freezer)
    assert issue(hass).translation_placeholders["missing"] == "conversation.gone"
    assert await repairs.fix() == "create_entry"
    assert pipeline(hass, mine.id) == mine.to_json()


async def test_an_agent_cannot_be_replaced_in_a_language_that_nothing_understands(
    hass: HomeAssistant, mine: Pipeline, freezer: FrozenDateTimeFactory
) -> None:
    await async_update_pipeline(hass, mine, conversation_engine="conversation.gone", language="tlh")
    await next_poll(hass, freezer)
    assert key(hass) == "stage_missing_conversation"


async def test_pipelines_that_never_used_our_entities_are_not_judged(
    hass: HomeAssistant, mine: Pipeline, freezer: FrozenDateTimeFactory
) -> None:
    await async_update_pipeline(hass, mine, tts_engine="tts.gone")
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_pipeline_that_we_made_is_judged_whatever_it_uses(
    hass: HomeAssistant, node: ScriptedNode, freezer: FrozenDateTimeFactory
) -> None:
    entry = await made_pipeline(hass, node)
    hass.states.async_set("stt.other", "unknown")
    await async_update_pipeline(
        hass,
        pipeline_of(hass, entry),
        stt_engine="stt.other",
        tts_engine="tts.gone",
        wake_word_entity=None,
        wake_word_id=None,
    )
    await next_poll(hass, freezer)
    assert issue(hass).translation_placeholders["missing"] == "tts.gone"


async def test_nothing_is_told_of_pipelines_before_home_assistant_has_started(
    hass: HomeAssistant, mine: Pipeline, freezer: FrozenDateTimeFactory
) -> None:
    await async_update_pipeline(hass, mine, conversation_engine="conversation.late")
    hass.set_state(CoreState.starting)
    await next_poll(hass, freezer)
    assert issue(hass) is None
    hass.set_state(CoreState.running)
    hass.states.async_set("conversation.late", "unknown")
    await next_poll(hass, freezer)
    assert issue(hass) is None


async def test_a_repair_that_is_not_needed_any_more_changes_nothing(
    hass: HomeAssistant, mine: Pipeline, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    await async_update_pipeline(hass, mine, conversation_engine="conversation.gone")
    await next_poll(hass, freezer)
    flow_id = await repairs.open()
    await async_update_pipeline(hass, mine, conversation_engine="conversation.home_assistant")
    assert await repairs.submit(flow_id) == "gone"
    assert pipeline(hass, mine.id) == mine.to_json()


async def test_a_replacement_that_is_gone_by_then_is_not_used(
    hass: HomeAssistant, mine: Pipeline, repairs: Repairs, freezer: FrozenDateTimeFactory
) -> None:
    await async_update_pipeline(hass, mine, conversation_engine="conversation.gone")
    await next_poll(hass, freezer)
    flow_id = await repairs.open()
    await async_update_pipeline(hass, mine, conversation_engine="conversation.gone", language="tlh")
    assert await repairs.submit(flow_id) == "no_replacement"
    assert pipeline(hass, mine.id)["conversation_engine"] == "conversation.gone"
