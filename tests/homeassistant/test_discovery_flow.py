"""Nodes that announce themselves, are moved and come back."""

import socket
from collections.abc import AsyncGenerator

import pytest
import pytest_socket
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_USER,
    SOURCE_ZEROCONF,
    ConfigEntryState,
)
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.const import (
    DOMAIN,
)

from .flows import NO_PIPELINE, OTHER_ID, announcement, answer, start
from .scripted_node import NODE_ID, ScriptedNode


async def test_a_node_that_announces_itself_is_offered_by_name(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "zeroconf_confirm")
    assert flow["description_placeholders"] == {"name": "Cellar", "host": "127.0.0.1"}
    [progress] = hass.config_entries.flow.async_progress()
    assert progress["context"]["title_placeholders"] == {"name": "Cellar"}

    flow = await answer(hass, flow)
    assert flow["step_id"] == "pipeline"
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["data"] == {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    assert flow["result"].unique_id == NODE_ID


async def test_the_first_announced_address_that_answers_is_taken(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "127.0.0.9"])
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, "127.0.0.9", "127.0.0.1"))
    assert flow["description_placeholders"]["host"] == "127.0.0.1"


async def test_a_node_that_moved_is_followed_and_set_up_again(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    await node.stop()
    old, node.port = node.port, 0
    await node.start()
    assert node.port != old
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert loaded.data[CONF_PORT] == node.port
    described = node.described
    await hass.async_block_till_done()
    assert node.described > described


async def test_a_wrong_port_in_an_announcement_does_not_move_a_node(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    flow = await start(hass, SOURCE_ZEROCONF, announcement(1))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "cannot_connect")
    assert loaded.data[CONF_PORT] == node.port


async def test_an_announcement_of_another_nodes_address_does_not_move_a_node(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    known = MockConfigEntry(
        domain=DOMAIN, unique_id="f" * 32, data={CONF_HOST: "192.0.2.1", CONF_PORT: 1}
    )
    known.add_to_hass(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id="f" * 32))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "cannot_connect")
    assert known.data[CONF_HOST] == "192.0.2.1"


async def test_an_announcement_of_a_known_address_asks_nothing(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    described = node.described
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, "192.0.2.7", "127.0.0.1"))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert node.described == described


async def test_a_node_that_the_user_ignores_is_not_asked(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=NODE_ID, source=SOURCE_IGNORE).add_to_hass(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert node.described == 0


async def test_a_node_that_the_user_ignores_does_not_keep_another_from_being_added(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID, source=SOURCE_IGNORE).add_to_hass(hass)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["step_id"] == "pipeline"


@pytest.mark.parametrize(("port", "node_id"), [(None, NODE_ID), (10600, None)])
async def test_an_announcement_without_an_id_or_a_port_is_refused(
    hass: HomeAssistant, port: int | None, node_id: str | None
) -> None:
    flow = await start(hass, SOURCE_ZEROCONF, announcement(port, node_id=node_id))
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "bad_announcement")


async def test_an_announced_name_is_no_identity(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    """Zeroconf numbers names that are in use, and users rename nodes."""
    node.info["node"]["name"] = "Vault"
    found = announcement(node.port)
    found.name, found.hostname = "Vault-2._wyoming-units._tcp.local.", "vault.local."
    flow = await start(hass, SOURCE_ZEROCONF, found)
    assert flow["reason"] == "already_configured"
    assert loaded.title == "Cellar"


async def test_a_host_name_that_the_user_entered_is_kept(hass: HomeAssistant) -> None:
    known = MockConfigEntry(
        domain=DOMAIN, unique_id=NODE_ID, data={CONF_HOST: "Cellar.local", CONF_PORT: 10600}
    )
    known.add_to_hass(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(10600))
    assert flow["reason"] == "already_configured"
    assert known.data[CONF_HOST] == "Cellar.local"


async def test_a_node_that_comes_back_is_set_up_at_once(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await node.stop()
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await node.start()
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port))
    assert flow["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


@pytest.fixture
async def ipv6_node() -> AsyncGenerator[ScriptedNode]:
    """A node that is only reached over IPv6."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"])
    node = ScriptedNode()
    await node.start("::1")
    yield node
    await node.stop()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_a_node_is_added_by_an_ipv6_address(
    hass: HomeAssistant, ipv6_node: ScriptedNode, host: str
) -> None:
    flow = await answer(hass, await start(hass, SOURCE_USER), host=host, port=ipv6_node.port)
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["data"] == {CONF_HOST: "::1", CONF_PORT: ipv6_node.port}
    await hass.async_block_till_done()
    assert flow["result"].state is ConfigEntryState.LOADED


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
async def test_a_node_that_announces_itself_by_ipv6_is_followed(
    hass: HomeAssistant, ipv6_node: ScriptedNode
) -> None:
    known = MockConfigEntry(
        domain=DOMAIN, unique_id=NODE_ID, data={CONF_HOST: "192.0.2.1", CONF_PORT: 1}
    )
    known.add_to_hass(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(ipv6_node.port, "::1"))
    assert flow["reason"] == "already_configured"
    assert known.data == {CONF_HOST: "::1", CONF_PORT: ipv6_node.port}
