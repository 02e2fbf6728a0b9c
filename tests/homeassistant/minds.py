"""Personas, and the flows that make them."""

import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import wyoming_units

ENGLISH: dict[str, Any] = json.loads(
    (Path(wyoming_units.__file__).parent / "translations" / "en.json").read_text()
)["config_subentries"]


def persona(name: str, subentry_id: str, **data: Any) -> dict[str, Any]:
    """Return the subentry of a persona."""
    return {
        "subentry_type": "conversation",
        "subentry_id": subentry_id,
        "title": name,
        "unique_id": None,
        "data": {"prompt": f"You are {name}.", **data},
    }


class Flow:
    """Runs a flow of a subentry, and holds all that it shows against its texts."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> None:
        self._hass = hass
        self._manager = hass.config_entries.subentries
        self._handler = (entry.entry_id, kind)
        self._texts = ENGLISH[kind]
        self.now: dict[str, Any] = {}

    async def start(self, subentry_id: str | None = None) -> dict[str, Any]:
        """Add one, or change one."""
        context: dict[str, Any] = {"source": SOURCE_USER}
        if subentry_id is not None:
            context = {"source": SOURCE_RECONFIGURE, "subentry_id": subentry_id}
        return self._check(await self._manager.async_init(self._handler, context=context))

    async def send(self, **user_input: Any) -> dict[str, Any]:
        """Submit a form as it is."""
        flow_id = self.now["flow_id"]
        answer = self._check(await self._manager.async_configure(flow_id, user_input))
        await self._hass.async_block_till_done()  # the node is set up again
        return answer

    async def fill(self, **changes: Any) -> dict[str, Any]:
        """Submit the form with what it suggests, but for the changes."""
        return await self.send(**self.filled() | changes)

    async def choose(self, step: str) -> dict[str, Any]:
        """Choose from a menu."""
        return await self.send(next_step_id=step)

    def filled(self) -> dict[str, Any]:
        """Return what the form shows."""
        return _filled(self.now["data_schema"].schema)

    def options(self, field: str) -> dict[str, str]:
        """Return what there is to choose from."""
        selector = self.now["data_schema"].schema[field]
        return {each["value"]: each["label"] for each in selector.config["options"]}

    def _check(self, flow: dict[str, Any]) -> dict[str, Any]:
        self.now = flow
        if flow["type"] in (FlowResultType.FORM, FlowResultType.MENU):
            step = self._texts["step"][flow["step_id"]]
            assert step["title"]
            assert step["description"]
            if flow["type"] is FlowResultType.MENU:
                assert {*flow["menu_options"]} == step["menu_options"].keys()
            else:
                _check_fields(flow["data_schema"].schema, step)
                assert {*(flow["errors"] or {}).values()} <= self._texts["error"].keys()
        if flow["type"] is FlowResultType.ABORT and flow["reason"] != "reconfigure_successful":
            assert flow["reason"] in self._texts["abort"]
        return flow


def _filled(schema: dict[Any, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, field in schema.items():
        if isinstance(field, section):
            shown[str(key)] = _filled(field.schema.schema)
        elif key.description and "suggested_value" in key.description:
            shown[str(key)] = key.description["suggested_value"]
        elif callable(key.default):
            shown[str(key)] = key.default()
    return shown


def _check_fields(schema: dict[Any, Any], texts: dict[str, Any]) -> None:
    sections = {str(key): it for key, it in schema.items() if isinstance(it, section)}
    fields = {str(key) for key in schema} - sections.keys()
    assert fields == texts["data"].keys() == texts["data_description"].keys()
    assert sections.keys() == texts.get("sections", {}).keys()
    for name, inner in sections.items():
        _check_fields(inner.schema.schema, texts["sections"][name])
