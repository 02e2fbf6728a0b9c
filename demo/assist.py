"""The way a user takes: the discovered node, its setup dialogue, the pipeline it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demo.api import Api
from demo.processes import DemoError, poll

DOMAIN = "wyoming_units"
FLOWS = "/api/config/config_entries/flow"
_FOUND_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Assistant:
    """What the setup left."""

    entry_id: str
    """Of the integration's config entry."""
    pipeline_id: str
    pipeline_name: str


async def discovered(api: Api, node_id: str) -> str | None:
    """Return the flow that zeroconf has started for a node; None where it finds none in time."""

    async def look() -> str | None:
        for flow in await api.call("config_entries/flow/progress"):
            if flow["handler"] == DOMAIN and flow["context"].get("unique_id") == node_id:
                return str(flow["flow_id"])
        return None

    try:
        return await poll(look, _FOUND_SECONDS, "not found")
    except DemoError:
        return None


async def entered(api: Api, port: int) -> str:
    """Return a flow into which a user has typed the address of a node on this machine."""
    flow_id = str((await api.post(FLOWS, {"handler": DOMAIN}))["flow_id"])
    await api.post(f"{FLOWS}/{flow_id}", {"host": "127.0.0.1", "port": port})
    return flow_id


async def set_up(api: Api, flow_id: str) -> str:
    """Say yes to every step of a setup flow; return the id of the config entry."""
    step = await api.get(f"{FLOWS}/{flow_id}")
    while step["type"] == "form":
        step = await api.post(f"{FLOWS}/{flow_id}", agree(step))
    if step["type"] != "create_entry":
        raise DemoError(f"the integration's setup ended with {step.get('reason', step['type'])}")
    return str(step["result"]["entry_id"])


def agree(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return the suggested answers of a form; `DemoError` when it shows an error."""
    if step["errors"]:
        raise DemoError(f"the integration's setup says {', '.join(step['errors'].values())}")
    return {
        field["name"]: True if field.get("type") == "boolean" else field["default"]
        for field in step["data_schema"]
        if field.get("type") == "boolean" or "default" in field
    }


async def assistant_of(api: Api, entry_id: str) -> Assistant:
    """Return the Assist pipeline that hears and speaks through the entities of a config entry."""
    entities = await api.call("config/entity_registry/list")
    ours = {entity["entity_id"] for entity in entities if entity["config_entry_id"] == entry_id}
    for pipeline in (await api.call("assist_pipeline/pipeline/list"))["pipelines"]:
        if {pipeline["stt_engine"], pipeline["tts_engine"]} <= ours:
            return Assistant(
                entry_id=entry_id, pipeline_id=pipeline["id"], pipeline_name=pipeline["name"]
            )
    raise DemoError("the setup left no Assist pipeline with this node's units")
