"""Adds a node, by hand or because it announced itself, and offers to make the Assist pipeline.

A node that another entry's address answers with is one of two things: the same machine, whose data
folder was lost, or a new one. Only the user knows, so both flows ask.
"""

from collections.abc import Iterable, Mapping
from typing import Any, override

import probatio
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_ZEROCONF,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from .ai_task_flow import AITaskSubentryFlow
from .camera_flow import CameraSubentryFlow
from .client import Node, NodeError, NodeInfo
from .const import (
    CONF_CREATE_PIPELINE,
    CONF_MOVE_FROM,
    CONF_MOVE_OVER,
    CONF_PIPELINE_CONSENT,
    CONF_PREFERRED,
    DEFAULT_PORT,
    DOMAIN,
    SUBENTRY_AI_TASK,
    SUBENTRY_CAMERA,
    SUBENTRY_CONVERSATION,
)
from .core_wyoming import async_find_core_entry, async_pipelines_of
from .identity import async_adopt, async_entry_of
from .options_flow import WyomingUnitsOptionsFlow
from .persona_flow import PersonaSubentryFlow
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

type Address = tuple[str, int]


class WyomingUnitsConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets a node up."""

    VERSION = 1

    _node: NodeInfo
    _address: dict[str, Any]
    """Where the node answered."""
    _addresses: frozenset[Address]
    """All that is known of where it can be reached."""
    _name: str
    """What it is announced as."""
    _predecessor: ConfigEntry
    """The entry whose place the node may have taken."""
    _core: ConfigEntry | None = None
    """The core entry that serves the same node."""

    def __init__(self) -> None:
        self._data: dict[str, Any] = {}
        """What else goes into the entry."""

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow of the options."""
        return WyomingUnitsOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flows of what users make; Home Assistant asks once, so every node offers all."""
        return {
            SUBENTRY_CONVERSATION: PersonaSubentryFlow,
            SUBENTRY_AI_TASK: AITaskSubentryFlow,
            SUBENTRY_CAMERA: CameraSubentryFlow,
        }

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
                return await self._async_step_found({_address(self._address)}, self._node.name)
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
            if not errors and self._node.id == entry.unique_id:
                return self.async_update_reload_and_abort(entry, data_updates=self._address)
            if not errors and async_entry_of(self.hass, self._node.id) is None:
                return await self.async_step_another_node()
            if not errors:
                errors, placeholders = {"base": "wrong_node"}, {"name": self._node.name}
        return self._show_address_form(
            "reconfigure", user_input or entry.data, errors, placeholders
        )

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Take up a node that announced itself, or follow one that moved."""
        node_id, port = discovery_info.properties.get("id"), discovery_info.port
        if not node_id or not port:
            return self.async_abort(reason="bad_announcement")
        hosts = [str(address) for address in discovery_info.ip_addresses]
        names = [discovery_info.hostname.removesuffix("."), discovery_info.hostname]
        addresses = {(host.lower(), port) for host in (*hosts, *names)}
        entry = await self.async_set_unique_id(node_id)
        if entry is not None and (
            entry.source == SOURCE_IGNORE or _address(entry.data) in addresses
        ):
            self._abort_if_unique_id_configured()

        # An announcement is only believed once the node answers there: it may name addresses
        # that are not reachable from here, and wrong ports have been seen.
        for host in hosts:
            try:
                await self._async_describe({CONF_HOST: host, CONF_PORT: port})
            except NodeError:
                continue
            if self._node.id == node_id:
                self._abort_if_unique_id_configured(updates=self._address)
                self.context["title_placeholders"] = {"name": self._node.name}
                name = discovery_info.name.removesuffix(f".{discovery_info.type}")
                return await self._async_step_found(addresses, name)
        return self.async_abort(reason="cannot_connect")

    async def _async_step_found(self, addresses: Iterable[Address], name: str) -> ConfigFlowResult:
        """Go on with a node that has no entry: new, or reinstalled where an entry says."""
        self._addresses, self._name = frozenset(addresses), name
        for entry in self._async_current_entries(include_ignore=False):
            if _address(entry.data) in self._addresses:
                self._predecessor = entry
                return await self.async_step_known_address()
        return await self.async_step_new_node()

    async def async_step_known_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether the node is the one that had this address before, or a new one."""
        return self._show_identity_menu("known_address", "new_node")

    async def async_step_another_node(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether what answers at the new address is the node, reinstalled."""
        self._predecessor = self._get_reconfigure_entry()
        return self._show_identity_menu("another_node", "reconfigure")

    async def async_step_reinstalled(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the node take the place of the one that was there."""
        entry = self._predecessor
        gone = self.hass.config_entries.async_get_entry(entry.entry_id) is None
        if gone or async_entry_of(self.hass, self._node.id) is not None:
            return self.async_abort(reason="changed_meanwhile")
        await async_adopt(self.hass, entry, self._node.id, self._address)
        return self.async_abort(
            reason="reinstalled", description_placeholders={"title": entry.title}
        )

    async def async_step_new_node(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with a node that is new."""
        self._core = async_find_core_entry(self.hass, self._addresses, self._name)
        if self._core is not None:
            return await self.async_step_move_over()
        if self.source == SOURCE_ZEROCONF:
            return await self.async_step_zeroconf_confirm()
        return await self.async_step_pipeline()

    async def async_step_zeroconf_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to add the node that was found."""
        if user_input is not None:
            return await self.async_step_pipeline()
        return self.async_show_form(
            step_id="zeroconf_confirm",
            description_placeholders={"name": self._node.name, "host": self._address[CONF_HOST]},
        )

    async def async_step_move_over(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to add the node, and to take over what the core integration does with it."""
        assert self._core is not None
        if user_input is not None:
            if user_input[CONF_MOVE_OVER]:
                self._data[CONF_MOVE_FROM] = self._core.entry_id
            return await self.async_step_pipeline()
        pipelines = async_pipelines_of(self.hass, self._core)
        return self.async_show_form(
            step_id="move_over",
            data_schema=probatio.Schema({probatio.Required(CONF_MOVE_OVER, default=True): bool}),
            description_placeholders={
                "name": self._node.name,
                "host": self._address[CONF_HOST],
                "title": self._core.title,
                "pipelines": ", ".join(pipelines) or "-",
            },
        )

    async def async_step_pipeline(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to make the Assist pipeline, where one can be made."""
        if user_input is not None:
            if user_input[CONF_CREATE_PIPELINE]:
                consent = {CONF_PREFERRED: user_input[CONF_PREFERRED]}
                self._data[CONF_PIPELINE_CONSENT] = consent
            return self._create()
        if async_plan_pipeline(self.hass, async_nodes_in_reach(self.hass, self._node)).missing:
            return self._create()
        create = not async_has_pipeline(self.hass) and not self._brings_pipelines()
        preferred = async_preferred_cannot_listen(self.hass)
        schema = probatio.Schema(
            {
                probatio.Required(CONF_CREATE_PIPELINE, default=create): bool,
                probatio.Required(CONF_PREFERRED, default=preferred): bool,
            }
        )
        return self.async_show_form(step_id="pipeline", data_schema=schema, last_step=True)

    def _brings_pipelines(self) -> bool:
        """Return whether the node will have a pipeline by moving over."""
        return (
            CONF_MOVE_FROM in self._data
            and self._core is not None
            and bool(async_pipelines_of(self.hass, self._core))
        )

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
        # An IPv6 address may come in the brackets that it has in front of a port.
        host = address[CONF_HOST].strip().removeprefix("[").removesuffix("]")
        port = address[CONF_PORT]
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

    def _show_identity_menu(self, step_id: str, otherwise: str) -> ConfigFlowResult:
        """Show a menu: the node is that of the predecessor's entry, or `otherwise`."""
        return self.async_show_menu(
            step_id=step_id,
            menu_options=["reinstalled", otherwise],
            description_placeholders={
                "name": self._node.name,
                "host": self._address[CONF_HOST],
                "title": self._predecessor.title,
            },
        )

    def _create(self) -> ConfigFlowResult:
        return self.async_create_entry(title=self._node.name, data={**self._address, **self._data})


def _address(data: Mapping[str, Any]) -> Address:
    return data[CONF_HOST].lower(), data[CONF_PORT]
