"""Adding and moving nodes."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import probatio
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
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error
from wyoming.ping import Pong

from custom_components import wyoming_units
from custom_components.wyoming_units.const import (
    CONF_CREATE_PIPELINE,
    CONF_PIPELINE_CONSENT,
    CONF_PREFERRED,
    DOMAIN,
)

from .ids import entities_of
from .scripted_node import NODE_ID, Connection, Raw, ScriptedNode, hang_up, node_info, reply

ENGLISH: dict[str, Any] = json.loads(
    (Path(wyoming_units.__file__).parent / "translations" / "en.json").read_text()
)["config"]
OTHER_ID = "f" * 32
NO_PIPELINE = {CONF_CREATE_PIPELINE: False, CONF_PREFERRED: False}


def announcement(
    port: int | None, *addresses: str, node_id: str | None = NODE_ID
) -> ZeroconfServiceInfo:
    hosts = [ip_address(address) for address in addresses or ("127.0.0.1",)]
    return ZeroconfServiceInfo(
        ip_address=hosts[0],
        ip_addresses=hosts,
        port=port,
        hostname="cellar.local.",
        type="_wyoming-units._tcp.local.",
        name="Cellar._wyoming-units._tcp.local.",
        properties={"id": node_id, "name": "Cellar", "v": "1", "ver": "0.1.0"},
    )


def checked(flow: dict[str, Any]) -> dict[str, Any]:
    """Return the flow when all that it shows has a text, with all of the text's placeholders."""
    told: list[str] = []
    if flow["type"] is FlowResultType.MENU:
        step = ENGLISH["step"][flow["step_id"]]
        told += [step["title"], step["description"]]
        assert set(flow["menu_options"]) == step["menu_options"].keys()
    if flow["type"] is FlowResultType.FORM:
        step = ENGLISH["step"][flow["step_id"]]
        told += [step["title"], step["description"]]
        fields = [str(field) for field in (flow["data_schema"] or probatio.Schema({})).schema]
        assert set(fields) == step.get("data", {}).keys() == step.get("data_description", {}).keys()
        told += [ENGLISH["error"][error] for error in (flow["errors"] or {}).values()]
    if flow["type"] is FlowResultType.ABORT and not flow.get("translation_domain"):
        told.append(ENGLISH["abort"][flow["reason"]])
    for text in told:
        text.format(**(flow["description_placeholders"] or {}))
    return flow


async def start(
    hass: HomeAssistant, source: str, data: ZeroconfServiceInfo | None = None
) -> dict[str, Any]:
    manager = hass.config_entries.flow
    return checked(await manager.async_init(DOMAIN, context={"source": source}, data=data))


async def answer(hass: HomeAssistant, flow: dict[str, Any], **user_input: Any) -> dict[str, Any]:
    manager = hass.config_entries.flow
    return checked(await manager.async_configure(flow["flow_id"], user_input))


async def test_a_user_adds_a_node_by_its_address(hass: HomeAssistant, node: ScriptedNode) -> None:
    flow = await start(hass, SOURCE_USER)
    assert (flow["type"], flow["step_id"], flow["errors"]) == (FlowResultType.FORM, "user", {})
    flow = await answer(hass, flow, host=" 127.0.0.1 ", port=node.port)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "pipeline")
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    assert flow["title"] == "Cellar"
    assert flow["data"] == {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}
    assert flow["result"].unique_id == NODE_ID


async def test_events_before_the_description_are_skipped(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.answers["describe"] = reply(Pong(), Raw("info", node.info))
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["step_id"] == "pipeline"


async def test_saying_yes_to_the_pipeline_is_remembered_with_the_entry(
    hass: HomeAssistant, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_setup(*_: Any) -> bool:
        return True

    monkeypatch.setattr("custom_components.wyoming_units.async_setup_entry", no_setup)
    monkeypatch.setattr("custom_components.wyoming_units.async_unload_entry", no_setup)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, **{CONF_CREATE_PIPELINE: True, CONF_PREFERRED: False})
    assert flow["data"][CONF_PIPELINE_CONSENT] == {CONF_PREFERRED: False}


async def test_a_node_without_a_voice_in_reach_is_added_without_the_pipeline_step(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.info = node_info(tts=None)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["type"] is FlowResultType.CREATE_ENTRY


async def test_languages_that_do_not_meet_skip_the_pipeline_step(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    hass.config.language = "de"  # the node speaks German, but only hears English
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["type"] is FlowResultType.CREATE_ENTRY


def ordinary_server(node: ScriptedNode) -> None:
    node.info = node_info(node=None)


def newer_protocol(node: ScriptedNode) -> None:
    node.info["node"]["protocol"] = 2


def garbage(node: ScriptedNode) -> None:
    async def send(connection: Connection, _: Any) -> None:
        await connection.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    node.answers["describe"] = send


def list_instead_of_object(node: ScriptedNode) -> None:
    async def send(connection: Connection, _: Any) -> None:
        await connection.send_bytes(b"[1, 2]\n")

    node.answers["describe"] = send


def hangs_up(node: ScriptedNode) -> None:
    node.answers["describe"] = hang_up


def refuses(node: ScriptedNode) -> None:
    node.answers["describe"] = reply(Error(text="full", code="busy"))


def senseless_info(node: ScriptedNode) -> None:
    node.info["asr"] = [{"name": "ears"}]


def chatters(node: ScriptedNode) -> None:
    async def send(connection: Connection, _: Any) -> None:
        while True:
            await connection.send(Pong())
            await asyncio.sleep(0.01)

    node.answers["describe"] = send


def silent(node: ScriptedNode) -> None:
    del node.answers["describe"]


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        (ordinary_server, "not_a_node", {"programs": "ears, mouth, sentinel, mind"}),
        (newer_protocol, "unsupported_protocol", {"protocol": "2", "name": "Cellar"}),
        (garbage, "no_description", {}),
        (list_instead_of_object, "no_description", {}),
        (hangs_up, "no_description", {}),
        (silent, "no_description", {}),
        (chatters, "no_description", {}),
        (refuses, "node_error", {"text": "full", "code": "busy"}),
        (senseless_info, "bad_answer", {"event": "info"}),
    ],
)
async def test_a_server_that_cannot_be_used_is_named_and_the_user_may_try_again(
    hass: HomeAssistant,
    node: ScriptedNode,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[ScriptedNode], None],
    error: str,
    told: dict[str, str],
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.DESCRIBE_TIMEOUT", 0.1)
    describe = node.answers["describe"]
    fault(node)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["type"] is FlowResultType.FORM
    assert flow["errors"] == {"base": error}
    assert flow["description_placeholders"].items() >= told.items()

    node.answers["describe"] = describe
    node.info = node_info()
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["type"] is FlowResultType.CREATE_ENTRY


async def test_an_address_where_nothing_answers_is_an_error(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await node.stop()
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert flow["errors"] == {"base": "cannot_connect"}
    assert flow["description_placeholders"] == {"host": "127.0.0.1", "port": str(node.port)}

    await node.start()
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "failure", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label empty")]
)
async def test_a_name_that_is_no_host_is_an_error(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=failure))  # no resolver here
    flow = await answer(hass, await start(hass, SOURCE_USER), host="cellar..local", port=10600)
    assert flow["errors"] == {"base": "cannot_connect"}


async def test_a_node_is_added_only_once_and_a_new_address_is_taken_over(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    known = MockConfigEntry(
        domain=DOMAIN, unique_id=NODE_ID, data={CONF_HOST: "192.0.2.1", CONF_PORT: 1}
    )
    known.add_to_hass(hass)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert known.data == {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}


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


async def test_a_node_is_moved_by_hand(hass: HomeAssistant, node: ScriptedNode) -> None:
    known = MockConfigEntry(
        domain=DOMAIN, unique_id=NODE_ID, data={CONF_HOST: "192.0.2.1", CONF_PORT: 1}
    )
    known.add_to_hass(hass)
    flow = checked(await known.start_reconfigure_flow(hass))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "reconfigure")
    flow = await answer(hass, flow, host="127.0.0.1", port=1)
    assert flow["errors"] == {"base": "cannot_connect"}
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert known.data == {CONF_HOST: "127.0.0.1", CONF_PORT: node.port}


async def test_a_node_cannot_be_moved_onto_another_one_that_is_set_up(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    known = MockConfigEntry(
        domain=DOMAIN, unique_id=OTHER_ID, data={CONF_HOST: "192.0.2.1", CONF_PORT: 1}
    )
    known.add_to_hass(hass)
    flow = checked(await known.start_reconfigure_flow(hass))
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    assert (flow["step_id"], flow["errors"]) == ("reconfigure", {"base": "wrong_node"})
    assert flow["description_placeholders"] == {"name": "Cellar"}
    assert known.data[CONF_HOST] == "192.0.2.1"

    node.info["node"]["id"] = OTHER_ID
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    assert flow["reason"] == "reconfigure_successful"
    assert known.data[CONF_HOST] == "127.0.0.1"


@pytest.fixture
async def reinstalled(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> MockConfigEntry:
    """The entry of a node that has lost its data folder."""
    node.info["node"] |= {"id": OTHER_ID, "name": "Fresh"}
    return loaded


async def test_a_node_that_lost_its_identity_keeps_its_entry_if_the_user_says_so(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    entities = entities_of(hass)
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id=OTHER_ID))
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "known_address")
    assert flow["description_placeholders"] == {
        "name": "Fresh",
        "host": "127.0.0.1",
        "title": "Cellar",
    }
    assert reinstalled.unique_id == NODE_ID
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reinstalled")
    await hass.async_block_till_done()
    assert reinstalled.unique_id == OTHER_ID
    assert reinstalled.state is ConfigEntryState.LOADED
    assert entities_of(hass, OTHER_ID) == entities
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_a_new_node_at_a_known_address_is_added_if_the_user_says_so(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    flow = await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id=OTHER_ID))
    flow = await answer(hass, flow, next_step_id="new_node")
    assert flow["step_id"] == "zeroconf_confirm"
    flow = await answer(hass, flow)
    flow = await answer(hass, flow, **NO_PIPELINE)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    assert flow["result"].unique_id == OTHER_ID
    assert reinstalled.unique_id == NODE_ID


async def test_adding_a_known_address_by_hand_asks_too_and_ends_the_offer_of_a_new_node(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    await start(hass, SOURCE_ZEROCONF, announcement(node.port, node_id=OTHER_ID))
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "known_address")
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert flow["reason"] == "reinstalled"
    assert reinstalled.unique_id == OTHER_ID
    assert not hass.config_entries.flow.async_progress()


async def test_a_new_identity_that_the_user_ignored_can_still_be_taken(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID, source=SOURCE_IGNORE).add_to_hass(hass)
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert flow["reason"] == "reinstalled"
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert (entry.entry_id, entry.unique_id) == (reinstalled.entry_id, OTHER_ID)


async def test_an_identity_is_not_given_to_an_entry_that_is_gone_by_then(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    await hass.config_entries.async_remove(reinstalled.entry_id)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "changed_meanwhile")


async def test_an_identity_is_not_taken_from_an_entry_that_was_made_meanwhile(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    flow = await answer(hass, await start(hass, SOURCE_USER), host="127.0.0.1", port=node.port)
    MockConfigEntry(domain=DOMAIN, unique_id=OTHER_ID).add_to_hass(hass)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "changed_meanwhile")
    assert reinstalled.unique_id == NODE_ID


async def test_a_node_is_reinstalled_at_a_new_address_by_hand(
    hass: HomeAssistant, node: ScriptedNode, reinstalled: MockConfigEntry
) -> None:
    await node.stop()
    node.port = 0
    await node.start()
    flow = checked(await reinstalled.start_reconfigure_flow(hass))
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.MENU, "another_node")
    assert flow["description_placeholders"]["title"] == "Cellar"

    flow = await answer(hass, flow, next_step_id="reconfigure")
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "reconfigure")
    flow = await answer(hass, flow, host="127.0.0.1", port=node.port)
    flow = await answer(hass, flow, next_step_id="reinstalled")
    assert flow["reason"] == "reinstalled"
    assert reinstalled.data[CONF_PORT] == node.port
    await hass.async_block_till_done()
    assert reinstalled.state is ConfigEntryState.LOADED
    assert entities_of(hass, OTHER_ID)


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
