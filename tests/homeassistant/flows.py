"""What the tests of config flows share."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import probatio
from homeassistant.config_entries import SOURCE_USER, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from custom_components import wyoming_units
from custom_components.wyoming_units.const import (
    CONF_CREATE_PIPELINE,
    CONF_PREFERRED,
    DOMAIN,
)

from .scripted_node import NODE_ID

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


async def add_with_all_it_offers(hass: HomeAssistant, domain: str, port: int) -> ConfigEntry:
    """Add the server at a port through an integration's own flow, saying yes to all."""
    manager = hass.config_entries.flow
    flow = await manager.async_init(domain, context={"source": SOURCE_USER})
    flow = await manager.async_configure(flow["flow_id"], {"host": "127.0.0.1", "port": port})
    while flow["type"] is FlowResultType.FORM:
        flow = await manager.async_configure(flow["flow_id"], flow["data_schema"]({}))
    assert flow["type"] is FlowResultType.CREATE_ENTRY, flow
    await hass.async_block_till_done()
    return flow["result"]


async def answer(hass: HomeAssistant, flow: dict[str, Any], **user_input: Any) -> dict[str, Any]:
    manager = hass.config_entries.flow
    return checked(await manager.async_configure(flow["flow_id"], user_input))
