"""What the tests of repairs share."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipelines
from homeassistant.components.assist_pipeline.pipeline import Pipeline
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
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

from .scripted_node import ScriptedNode

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
