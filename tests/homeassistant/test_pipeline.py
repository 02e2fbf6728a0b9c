"""The Assist pipeline that the config flow offers."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.assist_pipeline import (
    async_get_pipeline,
    async_get_pipelines,
    async_update_pipeline,
)
from homeassistant.components.assist_pipeline.pipeline import (
    KEY_ASSIST_PIPELINE,
    Pipeline,
    PipelineStorageCollection,
)
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import (
    CONF_CREATE_PIPELINE,
    CONF_PIPELINE_CONSENT,
    CONF_PIPELINE_ID,
    CONF_PREFERRED,
    DOMAIN,
)
from custom_components.wyoming_units.pipeline import async_nodes_in_reach, async_plan_pipeline

from .ids import entity_of, next_poll
from .scripted_node import ScriptedNode, artifact, llm_info, llm_model, node_info

ATTIC = "b" * 32


async def run_flow(
    hass: HomeAssistant, node: ScriptedNode, **choices: bool
) -> tuple[MockConfigEntry, dict[str, Any]]:
    """Add a node through the flow; return its entry and what the pipeline step suggested."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    )
    suggested = {}
    if flow["type"] is FlowResultType.FORM:
        assert flow["step_id"] == "pipeline"
        suggested = flow["data_schema"]({})
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], suggested | choices)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    return flow["result"], suggested


def pipelines(hass: HomeAssistant) -> dict[str, Pipeline]:
    return {pipeline.name: pipeline for pipeline in async_get_pipelines(hass)}


def store(hass: HomeAssistant) -> PipelineStorageCollection:
    return hass.data[KEY_ASSIST_PIPELINE].pipeline_store


@pytest.fixture
def second(node: ScriptedNode) -> ScriptedNode:
    """A second node, not yet started."""
    second = ScriptedNode()
    second.info["node"] = {"id": ATTIC, "name": "Attic", "version": "0.1.0", "protocol": 1}
    return second


async def test_yes_makes_a_complete_pipeline_of_the_nodes_units(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    entry, suggested = await run_flow(hass, node)
    assert suggested == {CONF_CREATE_PIPELINE: True, CONF_PREFERRED: True}
    made = pipelines(hass)["Wyoming Units"]
    assert made.to_json() == {
        "id": made.id,
        "name": "Wyoming Units",
        "language": "en",
        "conversation_engine": "conversation.home_assistant",
        "conversation_language": "en",
        "prefer_local_intents": True,
        "stt_engine": entity_of(hass, "stt"),
        "stt_language": "en-US",
        "tts_engine": entity_of(hass, "tts"),
        "tts_language": "en-US",
        "tts_voice": "amy",
        "wake_word_entity": entity_of(hass, "wake"),
        "wake_word_id": "okay_nabu",
    }
    assert async_get_pipeline(hass).id == made.id
    assert entry.data[CONF_PIPELINE_ID] == made.id
    assert CONF_PIPELINE_CONSENT not in entry.data


async def test_country_decides_between_dialects(hass: HomeAssistant, node: ScriptedNode) -> None:
    hass.config.country = "GB"
    await run_flow(hass, node)
    made = pipelines(hass)["Wyoming Units"]
    assert (made.tts_language, made.tts_voice) == ("en-GB", "alba")


async def test_no_makes_no_pipeline(hass: HomeAssistant, node: ScriptedNode) -> None:
    entry, _ = await run_flow(hass, node, **{CONF_CREATE_PIPELINE: False})
    assert "Wyoming Units" not in pipelines(hass)
    assert entry.data.keys() == {CONF_HOST, CONF_PORT}


async def test_the_preferred_pipeline_stays_where_the_user_wants_it(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await run_flow(hass, node, **{CONF_PREFERRED: False})
    assert "Wyoming Units" in pipelines(hass)
    assert async_get_pipeline(hass).name == "Home Assistant"


async def test_a_deleted_pipeline_is_never_made_again(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    entry, _ = await run_flow(hass, node, **{CONF_PREFERRED: False})
    await store(hass).async_delete_item(entry.data[CONF_PIPELINE_ID])
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert pipelines(hass).keys() == {"Home Assistant"}


async def test_stages_that_a_node_lacks_come_from_another_and_its_own_come_first(
    hass: HomeAssistant, node: ScriptedNode, second: ScriptedNode
) -> None:
    node.info = node_info(tts=None)
    _, suggested = await run_flow(hass, node)
    assert suggested == {}

    second.info |= {"wake": []}
    await second.start()
    try:
        await run_flow(hass, second)
        made = pipelines(hass)["Wyoming Units"]
        assert made.stt_engine == entity_of(hass, "stt", ATTIC)
        assert made.tts_engine == entity_of(hass, "tts", ATTIC)
        assert made.wake_word_entity == entity_of(hass, "wake")
    finally:
        await second.stop()


async def test_a_unit_of_another_language_leaves_its_stage_to_the_next_node(
    hass: HomeAssistant, node: ScriptedNode, second: ScriptedNode
) -> None:
    second.info["asr"] = [artifact("oren", models=[artifact("oren-nl", languages=["nl"])])]
    await second.start()
    try:
        await run_flow(hass, node, **{CONF_CREATE_PIPELINE: False})
        await run_flow(hass, second)
        made = pipelines(hass)["Wyoming Units"]
        assert made.stt_engine == entity_of(hass, "stt")
        assert made.tts_engine == entity_of(hass, "tts", ATTIC)
    finally:
        await second.stop()


async def test_a_second_pipeline_is_not_suggested_and_gets_a_name_of_its_own(
    hass: HomeAssistant, node: ScriptedNode, second: ScriptedNode
) -> None:
    await run_flow(hass, node)
    await second.start()
    try:
        _, suggested = await run_flow(hass, second, **{CONF_CREATE_PIPELINE: True})
        assert suggested == {CONF_CREATE_PIPELINE: False, CONF_PREFERRED: False}
        assert {"Wyoming Units", "Wyoming Units (Attic)"} <= pipelines(hass).keys()
    finally:
        await second.stop()


async def test_names_that_are_taken_are_numbered(hass: HomeAssistant, node: ScriptedNode) -> None:
    entry, _ = await run_flow(hass, node)
    for name in ("Wyoming Units (Cellar)", "Wyoming Units (Cellar 2)"):
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_PIPELINE_CONSENT: {CONF_PREFERRED: False}}
        )
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
        assert name in pipelines(hass)


async def test_a_node_without_a_wake_word_unit_makes_a_pipeline_without_one(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.info = node_info(wake=None)
    await run_flow(hass, node)
    made = pipelines(hass)["Wyoming Units"]
    assert (made.wake_word_entity, made.wake_word_id) == (None, None)


async def test_a_language_model_answers_what_the_built_in_agent_does_not_understand(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.info["llm"] = llm_info()
    await run_flow(hass, node)
    made = pipelines(hass)["Wyoming Units"]
    assert made.conversation_engine == entity_of(hass, "llm")
    assert made.conversation_language == "*"
    assert made.prefer_local_intents
    assert (made.stt_engine, made.wake_word_id) == (entity_of(hass, "stt"), "okay_nabu")


async def test_a_language_model_of_another_node_is_taken_and_one_that_is_not_there_is_not(
    hass: HomeAssistant, node: ScriptedNode, second: ScriptedNode
) -> None:
    node.info["llm"] = llm_info(llm_model("big", installed=False))
    second.info["llm"] = llm_info()
    await second.start()
    try:
        await run_flow(hass, second, **{CONF_CREATE_PIPELINE: False})
        await run_flow(hass, node)
        made = pipelines(hass)["Wyoming Units"]
        assert made.conversation_engine == entity_of(hass, "llm", ATTIC)
    finally:
        await second.stop()


async def test_a_language_model_stands_in_where_the_built_in_agent_does_not_know_the_language(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    hass.config.language = "qya"
    node.info["asr"][0]["models"].append(artifact("ears-q", languages=["qya"]))
    node.info["tts"][0]["voices"].append(artifact("voice-q", languages=["qya"]))
    assert await hass.config_entries.async_setup(entry.entry_id)
    nodes = async_nodes_in_reach(hass)
    assert async_plan_pipeline(hass, nodes).missing == ["conversation"]
    node.info["llm"] = llm_info()
    await entry.runtime_data.async_refresh()
    assert async_plan_pipeline(hass, async_nodes_in_reach(hass)).missing == []


@pytest.fixture
async def waiting(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> MockConfigEntry:
    """An entry that was to get a pipeline, but whose node has lost its voice since."""
    node.info = node_info(tts=None)
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_PIPELINE_CONSENT: {CONF_PREFERRED: True}}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert "Wyoming Units" not in pipelines(hass)
    return entry


async def test_a_stage_that_went_out_of_reach_delays_the_pipeline_and_is_an_issue(
    hass: HomeAssistant,
    node: ScriptedNode,
    waiting: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    freezer: FrozenDateTimeFactory,
) -> None:
    [issue] = issue_registry.issues.values()
    assert issue.translation_key == "stage_missing_tts"
    assert issue.translation_placeholders == {"pipeline": "Wyoming Units", "language": "en"}
    assert not issue.is_fixable

    node.info = node_info()
    await next_poll(hass, freezer)
    await next_poll(hass, freezer)  # the first one only brings the entity
    made = pipelines(hass)["Wyoming Units"]
    assert made.tts_engine == entity_of(hass, "tts")
    assert async_get_pipeline(hass).id == made.id
    assert not issue_registry.issues


async def test_a_pipeline_that_waited_takes_the_missing_stage_from_a_node_that_comes_later(
    hass: HomeAssistant, waiting: MockConfigEntry, second: ScriptedNode
) -> None:
    await second.start()
    try:
        await run_flow(hass, second, **{CONF_CREATE_PIPELINE: False})
        made = pipelines(hass)["Wyoming Units"]
        assert made.id == waiting.data[CONF_PIPELINE_ID]
        assert made.stt_engine == entity_of(hass, "stt")
        assert made.tts_engine == entity_of(hass, "tts", ATTIC)
    finally:
        await second.stop()


async def test_of_several_programs_the_one_that_speaks_the_language_is_taken(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.info["asr"].insert(0, artifact("oren", models=[artifact("nl", languages=["nl"])]))
    node.info["tts"].insert(0, artifact("mond", voices=[artifact("nl", languages=["nl"])]))
    node.info["wake"].insert(0, artifact("off", installed=False, models=[]))
    await run_flow(hass, node)
    made = pipelines(hass)["Wyoming Units"]
    assert (made.stt_engine, made.stt_language) == (entity_of(hass, "stt"), "en-US")
    assert (made.tts_engine, made.tts_voice) == (entity_of(hass, "tts"), "amy")
    assert made.wake_word_entity == entity_of(hass, "wake")


async def test_a_voice_with_speakers_is_taken_with_its_first_one(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    speakers = [{"name": "Ann"}, {"name": "Bob"}]
    node.info["tts"][0]["voices"] = [artifact("choir", languages=["en-US"], speakers=speakers)]
    await run_flow(hass, node)
    assert pipelines(hass)["Wyoming Units"].tts_voice == "choir#Ann"


@pytest.mark.parametrize(("phrase", "entity"), [("Hey Pi", "guard"), (None, "sentinel")])
async def test_a_unit_that_hears_any_phrase_needs_one_to_be_taken(
    hass: HomeAssistant, node: ScriptedNode, phrase: str | None, entity: str
) -> None:
    model = artifact("hey_pi", languages=["en"], phrase=phrase)
    node.info["wake"].insert(0, artifact("guard", open_vocabulary=True, models=[model]))
    await run_flow(hass, node)
    made = pipelines(hass)["Wyoming Units"]
    assert made.wake_word_entity == entity_of(hass, "wake", program=entity)
    assert made.wake_word_id == ("hey_pi" if phrase else "okay_nabu")


async def test_pipelines_follow_our_entities_that_are_renamed(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.info["llm"] = llm_info()
    await run_flow(hass, node)
    copy = pipelines(hass)["Wyoming Units"].to_json() | {"name": "Mine", "stt_engine": "stt.other"}
    del copy["id"]
    await store(hass).async_create_item(copy)
    registry = er.async_get(hass)
    # All at once, as renaming a device does.
    for unit in ("stt", "tts", "wake", "llm"):
        old = entity_of(hass, unit)
        registry.async_update_entity(old, new_entity_id=f"{old.split('.')[0]}.butler")
    registry.async_update_entity(entity_of(hass, "intent"), new_entity_id="conversation.b")
    registry.async_update_entity("tts.butler", name="Butler")
    await hass.async_block_till_done()
    made = pipelines(hass)["Wyoming Units"]
    assert made.stt_engine == "stt.butler"
    assert made.tts_engine == "tts.butler"
    assert made.wake_word_entity == "wake_word.butler"
    assert made.conversation_engine == "conversation.butler"
    mine = pipelines(hass)["Mine"]
    assert (mine.stt_engine, mine.tts_engine) == ("stt.other", "tts.butler")


async def test_a_pipeline_follows_a_rename_while_the_node_is_away(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    entry, _ = await run_flow(hass, node)
    await node.stop()
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    er.async_get(hass).async_update_entity(entity_of(hass, "tts"), new_entity_id="tts.butler")
    await hass.async_block_till_done()
    assert pipelines(hass)["Wyoming Units"].tts_engine == "tts.butler"


async def test_entities_of_others_are_not_followed(hass: HomeAssistant, node: ScriptedNode) -> None:
    await run_flow(hass, node)
    registry = er.async_get(hass)
    other = registry.async_get_or_create("tts", "other", "1", suggested_object_id="other")
    made = pipelines(hass)["Wyoming Units"]
    await async_update_pipeline(hass, made, tts_engine=other.entity_id)
    registry.async_update_entity(other.entity_id, new_entity_id="tts.renamed")
    await hass.async_block_till_done()
    assert pipelines(hass)["Wyoming Units"].tts_engine == other.entity_id


async def test_pipelines_without_our_entities_are_not_touched(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    before = async_get_pipelines(hass)
    er.async_get(hass).async_update_entity(entity_of(hass, "tts"), new_entity_id="tts.butler")
    await hass.async_block_till_done()
    assert async_get_pipelines(hass) == before
