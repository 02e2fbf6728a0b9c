"""Fixtures: a Home Assistant with our integration, and a node for it."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from unittest.mock import patch

import pytest
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import DOMAIN

from .scripted_node import NODE_ID, ScriptedNode


@pytest.fixture(autouse=True)
async def home_assistant(
    reset_globals: None,  # these three before hass, so that they tidy up after it has stopped
    skip_stop_scripts: None,
    verify_cleanup: None,
    enable_custom_integrations: None,
    socket_enabled: None,
    hass: HomeAssistant,
) -> HomeAssistant:
    """A Home Assistant that loads our integration and may open sockets."""
    assert await async_setup_component(hass, "homeassistant", {})
    return hass


@pytest.fixture(autouse=True)
def tts_cache(tmp_path: Path) -> Generator[None]:
    """Keep what text-to-speech caches out of the configuration folder, and start without any."""
    with (
        patch("homeassistant.components.tts._init_tts_cache_dir", return_value=str(tmp_path)),
        patch("homeassistant.components.tts._get_cache_files", return_value={}),
    ):
        yield


@pytest.fixture
async def node() -> AsyncGenerator[ScriptedNode]:
    """A node that runs."""
    node = await ScriptedNode().start()
    yield node
    await node.stop()


@pytest.fixture
def entry(hass: HomeAssistant, node: ScriptedNode) -> MockConfigEntry:
    """The entry of the node, not yet set up."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def loaded(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """The entry of the node, set up."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry
