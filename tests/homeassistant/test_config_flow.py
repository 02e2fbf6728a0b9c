"""Adding and moving nodes by hand."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from homeassistant.config_entries import (
    SOURCE_USER,
)
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.error import Error
from wyoming.ping import Pong

from custom_components.wyoming_units.const import (
    CONF_CREATE_PIPELINE,
    CONF_PIPELINE_CONSENT,
    CONF_PREFERRED,
    DOMAIN,
)

from .flows import NO_PIPELINE, OTHER_ID, answer, checked, start
from .scripted_node import NODE_ID, Connection, Raw, ScriptedNode, hang_up, node_info, reply


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
