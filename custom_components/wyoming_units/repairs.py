"""Puts right what an issue tells of, after the user agreed."""

from typing import Any, override

import probatio
from homeassistant.components.assist_pipeline import async_update_pipeline
from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, issue_registry as ir

from .choices import choice_of, options_with, without_model
from .client import Node, NodeError
from .const import DOMAIN
from .devices import async_may_remove
from .identity import async_adopt, async_entry_of
from .issues import CHOICE, NODE, UNIT, async_replacement
from .references import async_dead_references

type IssueData = dict[str, str | int | float | None]


class FixFlow(RepairsFlow):
    """Asks once and then acts."""

    def __init__(self, data: IssueData) -> None:
        self._about = data

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Start."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask, and act after the answer."""
        if user_input is None:
            issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
            return self.async_show_form(
                step_id="confirm",
                data_schema=probatio.Schema({}),
                description_placeholders=issue.translation_placeholders if issue else None,
            )
        if (reason := await self._async_fix()) is not None:
            return self.async_abort(reason=reason)
        return self.async_create_entry(data={})

    async def _async_fix(self) -> str | None:
        """Put it right; return why it cannot be, None when it is."""
        raise NotImplementedError


class ReinstalledFlow(FixFlow):
    """Gives the entry to the node that answers at its address now."""

    @override
    async def _async_fix(self) -> str | None:
        entry = self.hass.config_entries.async_get_entry(str(self._about["entry_id"]))
        if entry is None:
            return "gone"
        try:
            node = await Node(host=entry.data[CONF_HOST], port=entry.data[CONF_PORT]).describe()
        except NodeError:
            return "cannot_connect"
        if node.id == entry.unique_id:  # it is back
            return None
        if async_entry_of(self.hass, node.id) is not None:
            return "already_configured"
        await async_adopt(self.hass, entry, node.id, {})
        return None


class ForgetUnitFlow(FixFlow):
    """Deletes the device and the entities of a unit that its node offers no more."""

    @override
    async def _async_fix(self) -> str | None:
        entry = self.hass.config_entries.async_get_entry(str(self._about["entry_id"]))
        registry = dr.async_get(self.hass)
        device = registry.async_get(str(self._about["device_id"]))
        if entry is None or device is None:
            return "gone"
        if not async_may_remove(entry, device):
            return "back"
        registry.async_remove_device(device.id)
        return None


class ForgetChoiceFlow(FixFlow):
    """Leaves it to the node which model or voice to use."""

    @override
    async def _async_fix(self) -> str | None:
        entry = self.hass.config_entries.async_get_entry(str(self._about["entry_id"]))
        if entry is None:
            return "gone"
        unit, program = str(self._about["unit"]), str(self._about["program"])
        choice = without_model(choice_of(entry, unit, program))
        options = options_with(entry, unit, program, choice)
        self.hass.config_entries.async_update_entry(entry, options=options)
        return None


class ReplaceEnginesFlow(FixFlow):
    """Gives a pipeline other engines for those that do not exist."""

    @override
    async def _async_fix(self) -> str | None:
        references = [
            reference
            for reference in async_dead_references(self.hass)
            if reference.pipeline.id == self._about["pipeline_id"]
        ]
        if not references:
            return "gone"
        pipeline = references[0].pipeline
        changes: dict[str, Any] = {}
        for reference in references:
            changes |= async_replacement(self.hass, pipeline, reference.field) or {}
        if not changes:
            return "no_replacement"
        await async_update_pipeline(self.hass, pipeline, **changes)
        return None


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: IssueData | None
) -> RepairsFlow:
    """Return the flow that fixes an issue."""
    flows = {NODE: ReinstalledFlow, UNIT: ForgetUnitFlow, CHOICE: ForgetChoiceFlow}
    kind = issue_id.partition("_")[0]
    return flows.get(kind, ReplaceEnginesFlow)(data or {})
