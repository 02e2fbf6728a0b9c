"""A node that script/install-node has put on a clean machine is found by a real Home Assistant, by real zeroconf."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest
import pytest_socket
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.wyoming_units.const import DOMAIN
from tests.e2e.installed import Installed, installed_node
from tests.e2e.roots import why_not

from .flows import NO_PIPELINE, answer
from .module_helpers import until

pytestmark = [
    pytest.mark.extra,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("system") / "root"
    with installed_node(folder, "--prefix", "/srv/wyoming", "--profile", "embedded") as node:
        yield node


@pytest.fixture(scope="module")
def addresses() -> list[str]:
    """Return this machine's addresses; tests of Home Assistant have made-up ones."""
    told = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True)
    return ["127.0.0.1", *told.stdout.split()]


async def test_home_assistant_finds_it_and_speaks_with_it(
    addresses: list[str], installed: Installed, hass: HomeAssistant
) -> None:
    pytest_socket.socket_allow_hosts(addresses)
    assert await async_setup_component(hass, "zeroconf", {"zeroconf": {}})
    await hass.async_start()
    await until(lambda: hass.config_entries.flow.async_progress_by_handler(DOMAIN))
    [offered] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert offered["step_id"] == "zeroconf_confirm"
    flow = await answer(hass, dict(offered))
    flow = await answer(hass, flow, **NO_PIPELINE)
    await hass.async_block_till_done()
    entry = flow["result"]
    assert entry.data[CONF_PORT] == installed.port
    assert entry.unique_id == (await asyncio.to_thread(installed.info))["node"]["id"]
    kinds = {state.domain for state in hass.states.async_all()}
    assert {"stt", "tts", "wake_word", "update"} <= kinds
