"""Moving over from Home Assistant's own Wyoming integration, which is the real one here."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components import tts, wake_word
from homeassistant.components.assist_pipeline import async_get_pipelines
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE, Pipeline
from homeassistant.config_entries import (
    SOURCE_USER,
    SOURCE_ZEROCONF,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import CONF_MOVE_FROM, CONF_MOVE_OVER, DOMAIN
from wyoming_units.config import NodeConfig
from wyoming_units.node import Node

from .flows import NO_PIPELINE, add_with_all_it_offers, announcement, answer, start
from .ids import entity_of
from .scripted_node import NODE_ID, ScriptedNode, artifact

CORE = "wyoming"
CORE_TYPE = "_wyoming._tcp.local."


@pytest.fixture
async def core(
    hass: HomeAssistant, node: ScriptedNode, mock_async_zeroconf: Any
) -> MockConfigEntry:
    """The node, set up in the core integration."""
    entry = MockConfigEntry(
        domain=CORE, title="ears", data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def core_entity(hass: HomeAssistant, core: MockConfigEntry, platform: str) -> str:
    entity_id = er.async_get(hass).async_get_entity_id(
        platform, CORE, f"{core.entry_id}-{platform}"
    )
    assert entity_id is not None
    return entity_id


@pytest.fixture
async def kitchen(hass: HomeAssistant, core: MockConfigEntry) -> Pipeline:
    """A pipeline that uses the core integration's entities and an agent of its own."""
    return await hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_create_item(
        {
            "name": "Kitchen",
            "language": "en",
            "conversation_engine": "conversation.home_assistant",
            "conversation_language": "en",
            "stt_engine": core_entity(hass, core, "stt"),
            "stt_language": "en",
            "tts_engine": core_entity(hass, core, "tts"),
            "tts_language": "en-GB",
            "tts_voice": "alba",
            "wake_word_entity": core_entity(hass, core, "wake_word"),
            "wake_word_id": "alexa",
            "prefer_local_intents": True,
        }
    )


def now(hass: HomeAssistant, pipeline: Pipeline) -> dict[str, Any]:
    return next(each for each in async_get_pipelines(hass) if each.id == pipeline.id).to_json()


async def add(hass: HomeAssistant, node: ScriptedNode, *, move: bool) -> MockConfigEntry:
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "move_over")
    flow = await answer(hass, flow, **{CONF_MOVE_OVER: move})
    if flow["type"] is FlowResultType.FORM:
        flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    return flow["result"]


async def test_yes_gives_pipelines_our_entities_and_disables_the_core_entry(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, kitchen: Pipeline
) -> None:
    before = async_get_pipelines(hass)
    entry = await add(hass, node, move=True)
    assert now(hass, kitchen) == kitchen.to_json() | {
        "stt_engine": entity_of(hass, "stt"),
        "tts_engine": entity_of(hass, "tts"),
        "wake_word_entity": entity_of(hass, "wake"),
    }
    others = [each for each in async_get_pipelines(hass) if each.id != kitchen.id]
    assert others == [each for each in before if each.id != kitchen.id]
    assert core.disabled_by is ConfigEntryDisabler.USER
    assert core.state is ConfigEntryState.NOT_LOADED
    assert CONF_MOVE_FROM not in entry.data


async def test_the_core_entry_is_back_as_it_was_when_it_is_enabled_again(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, kitchen: Pipeline
) -> None:
    await add(hass, node, move=True)
    await hass.config_entries.async_set_disabled_by(core.entry_id, None)
    await hass.async_block_till_done()
    assert core.state is ConfigEntryState.LOADED
    assert hass.states.get(str(kitchen.stt_engine)) is not None
    assert now(hass, kitchen)["stt_engine"] == entity_of(hass, "stt")


async def test_no_leaves_everything_as_it_is(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, kitchen: Pipeline
) -> None:
    entry = await add(hass, node, move=False)
    assert entry.state is ConfigEntryState.LOADED
    assert now(hass, kitchen) == kitchen.to_json()
    assert (core.disabled_by, core.state) == (None, ConfigEntryState.LOADED)


async def test_the_form_names_the_core_entry_and_what_would_change(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, kitchen: Pipeline
) -> None:
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["description_placeholders"] == {
        "name": "Cellar",
        "host": "127.0.0.1",
        "title": "ears",
        "pipelines": "Kitchen",
    }
    flow = await answer(hass, flow, **{CONF_MOVE_OVER: True})
    assert flow["step_id"] == "pipeline"
    assert flow["data_schema"]({})["create_pipeline"] is False  # there will be one


async def test_areas_are_taken_over_but_none_that_was_chosen_already(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, loaded: MockConfigEntry
) -> None:
    areas, registry = ar.async_get(hass), er.async_get(hass)
    hall, attic = areas.async_create("Hall"), areas.async_create("Attic")
    for platform in ("stt", "tts"):
        registry.async_update_entity(core_entity(hass, core, platform), area_id=hall.id)
    mouth = registry.async_get(entity_of(hass, "tts"))
    dr.async_get(hass).async_update_child_device(mouth.device_id, area_id=attic.id)
    hass.config_entries.async_update_entry(
        loaded, data={**loaded.data, CONF_MOVE_FROM: core.entry_id}
    )
    await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()

    def area(unit: str) -> str | None:
        entity = registry.async_get(entity_of(hass, unit))
        device = dr.async_get(hass).async_get(entity.device_id)
        return entity.area_id or dr.async_get_effective_area_id(hass, device)

    assert (area("stt"), area("tts"), area("wake")) == (hall.id, attic.id, None)


async def test_a_core_entry_stays_enabled_while_a_pipeline_needs_something_we_lack(
    hass: HomeAssistant,
    node: ScriptedNode,
    core: MockConfigEntry,
    kitchen: Pipeline,
    caplog: pytest.LogCaptureFixture,
) -> None:
    node.info["tts"][0]["installed"] = False
    await add(hass, node, move=True)
    assert now(hass, kitchen) == kitchen.to_json() | {
        "stt_engine": entity_of(hass, "stt"),
        "wake_word_entity": entity_of(hass, "wake"),
    }
    assert core.disabled_by is None
    assert "ears stays enabled" in caplog.text


async def test_the_first_program_takes_over_as_core_uses_no_other(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, kitchen: Pipeline
) -> None:
    node.info["asr"].append(artifact("oren", models=[artifact("nl", languages=["nl"])]))
    await add(hass, node, move=True)
    assert now(hass, kitchen)["stt_engine"] == entity_of(hass, "stt", program="ears")


async def test_a_core_entry_that_is_gone_by_then_is_forgotten(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_MOVE_FROM: core.entry_id}
    )
    await hass.config_entries.async_remove(core.entry_id)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert CONF_MOVE_FROM not in entry.data


@pytest.mark.parametrize(
    ("unique_id", "data"),
    [
        ("Cellar._wyoming._tcp.local._ears", {CONF_HOST: "192.0.2.9", CONF_PORT: 10600}),
        (None, {CONF_HOST: "CELLAR.local", CONF_PORT: 0}),
    ],
)
async def test_discovery_knows_a_core_entry_by_its_announced_name_and_by_the_host_name(
    hass: HomeAssistant, node: ScriptedNode, unique_id: str | None, data: dict[str, Any]
) -> None:
    data[CONF_PORT] = data[CONF_PORT] or node.port
    MockConfigEntry(domain=CORE, title="Old", unique_id=unique_id, data=data).add_to_hass(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "move_over")
    assert flow["description_placeholders"]["title"] == "Old"


@pytest.mark.parametrize("disabled_by", [None, ConfigEntryDisabler.USER])
async def test_other_core_entries_and_disabled_ones_are_not_asked_about(
    hass: HomeAssistant, node: ScriptedNode, disabled_by: ConfigEntryDisabler | None
) -> None:
    port = node.port if disabled_by else node.port + 1
    MockConfigEntry(
        domain=CORE,
        unique_id="Attic._wyoming._tcp.local._ears",
        data={CONF_HOST: "127.0.0.1", CONF_PORT: port},
        disabled_by=disabled_by,
    ).add_to_hass(hass)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["step_id"] == "pipeline"


async def core_card(hass: HomeAssistant, node: ScriptedNode, **properties: str) -> str:
    """Let core discover a server, as it does with a node that announces itself to core as well."""
    found = announcement(node.port)
    found.type, found.name = CORE_TYPE, f"Cellar.{CORE_TYPE}"
    found.properties = properties
    flow = await hass.config_entries.flow.async_init(
        CORE, context={"source": SOURCE_ZEROCONF}, data=found
    )
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "zeroconf_confirm")
    return flow["flow_id"]


def cards(hass: HomeAssistant) -> list[str]:
    return [flow["flow_id"] for flow in hass.config_entries.flow.async_progress()]


async def test_cores_offer_of_a_node_that_is_set_up_here_is_taken_back(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, mock_async_zeroconf: Any
) -> None:
    assert await async_setup_component(hass, CORE, {})
    await core_card(hass, node, id=NODE_ID)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert not cards(hass)


async def test_cores_offer_of_another_server_stays(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, mock_async_zeroconf: Any
) -> None:
    assert await async_setup_component(hass, CORE, {})
    card = await core_card(hass, node)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert cards(hass) == [card]


async def test_moving_over_makes_no_second_entry_of_ours(
    hass: HomeAssistant, node: ScriptedNode, core: MockConfigEntry
) -> None:
    await add(hass, node, move=True)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port))
    assert flow["reason"] == "already_configured"
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


@pytest.fixture
async def real_node(tmp_path: Path) -> AsyncGenerator[Node]:
    """A node with its embedded engines."""
    pytest.importorskip("pocketsphinx", reason="the embedded engines are not installed")
    config = NodeConfig(
        name="Cellar", data_dir=tmp_path / "node", host="127.0.0.1", port=0, advertise=[]
    )
    async with Node(config) as node:
        await node.loaded()
        yield node


async def test_a_pipeline_that_moved_over_speaks_with_the_voice_that_it_had(
    hass: HomeAssistant, real_node: Node, mock_async_zeroconf: Any
) -> None:
    core = await add_with_all_it_offers(hass, CORE, real_node.port)
    engine = core_entity(hass, core, "tts")
    entity = hass.data[tts.DATA_COMPONENT].get_entity(engine)
    assert entity is not None
    voices = entity.async_get_supported_voices("en-US")
    assert voices
    kitchen = await hass.data[KEY_ASSIST_PIPELINE].pipeline_store.async_create_item(
        {
            "name": "Kitchen",
            "language": "en",
            "conversation_engine": "conversation.home_assistant",
            "conversation_language": "en",
            "stt_engine": core_entity(hass, core, "stt"),
            "stt_language": "en-US",
            "tts_engine": engine,
            "tts_language": "en-US",
            "tts_voice": voices[-1].voice_id,
            "wake_word_entity": core_entity(hass, core, "wake_word"),
            "wake_word_id": "okay_nabu",
        }
    )
    ours = await add_with_all_it_offers(hass, DOMAIN, real_node.port)
    assert core.disabled_by is ConfigEntryDisabler.USER
    moved = now(hass, kitchen)
    for field in ("stt_engine", "tts_engine", "wake_word_entity"):
        entry = er.async_get(hass).async_get(moved[field])
        assert (entry.platform, entry.config_entry_id) == (DOMAIN, ours.entry_id)

    stream = tts.async_create_stream(
        hass,
        moved["tts_engine"],
        language=moved["tts_language"],
        options={tts.ATTR_VOICE: moved["tts_voice"], tts.ATTR_PREFERRED_FORMAT: "wav"},
    )
    stream.async_set_message("Good morning.")
    audio = b"".join([chunk async for chunk in stream.async_stream_result()])
    assert audio.startswith(b"RIFF")
    assert len(audio) > 8_000
    words = await wake_word.async_get_wake_word_detection_entity(
        hass, moved["wake_word_entity"]
    ).get_supported_wake_words()
    assert moved["wake_word_id"] in {word.id for word in words}
