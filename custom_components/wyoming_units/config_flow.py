"""Adds a node, by hand or because it announced itself, and offers to make the Assist pipeline."""

from collections.abc import Mapping
from typing import Any, override

import probatio
from homeassistant.config_entries import SOURCE_IGNORE, ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from .client import Node, NodeError, NodeInfo
from .const import (
    CONF_CREATE_PIPELINE,
    CONF_PIPELINE_CONSENT,
    CONF_PREFERRED,
    DEFAULT_PORT,
    DOMAIN,
)
from .pipeline import (
    async_has_pipeline,
    async_nodes_in_reach,
    async_plan_pipeline,
    async_preferred_cannot_listen,
)

ADDRESS_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_HOST): str,
        probatio.Required(CONF_PORT, default=DEFAULT_PORT): cv.port,
    }
)


class WyomingUnitsConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets a node up."""

    VERSION = 1

    _address: dict[str, Any]
    _node: NodeInfo

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the address of a node."""
        errors: dict[str, str] = {}
        placeholders: Mapping[str, str] = {}
        if user_input is not None:
            errors, placeholders = await self._async_check(user_input)
            if not errors:
                await self.async_set_unique_id(self._node.id, raise_on_progress=False)
                self._abort_if_unique_id_configured(updates=self._address)
                return await self.async_step_pipeline()
        return self._show_address_form("user", user_input, errors, placeholders)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the new address of a node."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        placeholders: Mapping[str, str] = {}
        if user_input is not None:
            errors, placeholders = await self._async_check(user_input)
            if not errors:
                await self.async_set_unique_id(self._node.id)
                self._abort_if_unique_id_mismatch(
                    reason="wrong_node", description_placeholders={"name": self._node.name}
                )
                return self.async_update_reload_and_abort(entry, data_updates=self._address)
        return self._show_address_form(
            "reconfigure", user_input or entry.data, errors, placeholders
        )

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Take up a node that announced itself, or follow one that moved."""
        node_id, port = discovery_info.properties.get("id"), discovery_info.port
        if not node_id or not port:
            return self.async_abort(reason="bad_announcement")
        entry = await self.async_set_unique_id(node_id)
        addresses = [
            {CONF_HOST: str(address), CONF_PORT: port} for address in discovery_info.ip_addresses
        ]
        if entry is not None and (
            entry.source == SOURCE_IGNORE
            or {key: entry.data[key] for key in (CONF_HOST, CONF_PORT)} in addresses
        ):
            return self.async_abort(reason="already_configured")

        # An announcement is only believed once the node answers there: it may name addresses
        # that are not reachable from here, and wrong ports have been seen.
        for address in addresses:
            try:
                await self._async_describe(address)
            except NodeError:
                continue
            if self._node.id == node_id:
                self._abort_if_unique_id_configured(updates=self._address)
                self.context["title_placeholders"] = {"name": self._node.name}
                return await self.async_step_zeroconf_confirm()
        return self.async_abort(reason="cannot_connect")

    async def async_step_zeroconf_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to add the node that was found."""
        if user_input is not None:
            return await self.async_step_pipeline()
        self._set_confirm_only()
        return self.async_show_form(
            step_id="zeroconf_confirm",
            description_placeholders={"name": self._node.name, "host": self._address[CONF_HOST]},
        )

    async def async_step_pipeline(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to make the Assist pipeline, where one can be made."""
        if user_input is not None:
            consent = {CONF_PREFERRED: user_input[CONF_PREFERRED]}
            extra = {CONF_PIPELINE_CONSENT: consent} if user_input[CONF_CREATE_PIPELINE] else {}
            return self._create(extra)
        if async_plan_pipeline(self.hass, async_nodes_in_reach(self.hass, self._node)) is None:
            return self._create({})
        create = not async_has_pipeline(self.hass)
        preferred = async_preferred_cannot_listen(self.hass)
        schema = probatio.Schema(
            {
                probatio.Required(CONF_CREATE_PIPELINE, default=create): bool,
                probatio.Required(CONF_PREFERRED, default=preferred): bool,
            }
        )
        return self.async_show_form(step_id="pipeline", data_schema=schema, last_step=True)

    async def _async_check(
        self, address: Mapping[str, Any]
    ) -> tuple[dict[str, str], Mapping[str, str]]:
        """Describe the node at an address; return a form's errors and their placeholders."""
        try:
            await self._async_describe(address)
        except NodeError as err:
            return {"base": err.key}, err.placeholders
        return {}, {}

    async def _async_describe(self, address: Mapping[str, Any]) -> None:
        """Ask the node at an address who it is, and keep both; `NodeError` when it cannot tell."""
        host, port = address[CONF_HOST].strip(), address[CONF_PORT]
        self._node = await Node(host=host, port=port).describe()
        self._address = {CONF_HOST: host, CONF_PORT: port}

    def _show_address_form(
        self,
        step_id: str,
        suggested: Mapping[str, Any] | None,
        errors: dict[str, str],
        placeholders: Mapping[str, str],
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(ADDRESS_SCHEMA, suggested),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _create(self, extra: dict[str, Any]) -> ConfigFlowResult:
        return self.async_create_entry(title=self._node.name, data={**self._address, **extra})
