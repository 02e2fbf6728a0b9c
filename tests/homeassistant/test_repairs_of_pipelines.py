"""Issues of pipelines that miss an engine, and what fixes them."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.assist_pipeline import async_get_pipelines, async_update_pipeline
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE, Pipeline
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import (
    issue_registry as ir,
)
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import (
    DOMAIN,
)

from .ids import entity_of, next_poll
from .issues import (
    ATTIC,
    ENGINES,
    Repairs,
    issue,
    key,
    made_pipeline,
    pipeline,
    pipeline_of,
    second_node,
)
from .scripted_node import ScriptedNode, artifact, node_info


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
