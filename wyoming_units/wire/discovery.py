"""Nodes announce themselves by zeroconf, and clients find them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import ifaddr
from zeroconf import Error as ZeroconfError, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

_LOGGER = logging.getLogger(__name__)

UNITS_TYPE = "_wyoming-units._tcp.local."
WYOMING_TYPE = "_wyoming._tcp.local."
"""Home Assistant's own integration claims every service of this type, so it is announced on wish only."""
SERVICE_TYPES = {"units": UNITS_TYPE, "wyoming": WYOMING_TYPE}
_REFRESH = 30.0
"""Seconds between looks at the machine's addresses."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, kw_only=True)
class FoundNode:
    """A node that announced itself."""

    name: str
    host: str
    port: int
    properties: Mapping[str, str]

    @property
    def uri(self) -> str:
        """Return the address for a client."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def advertised_addresses(bound: str) -> list[Address]:
    """Return the addresses under which a server bound to `bound` can be reached from other machines.

    For a wildcard those of all interfaces; loopback only where there is nothing else.
    """
    if bound not in ("", "0.0.0.0", "::"):
        return [ip_address(info[4][0]) for info in socket.getaddrinfo(bound, None)[:1]]
    found: list[Address] = [
        ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    # Other machines cannot use a link-local IPv6 address without a scope, nor reach v6 through a v4 socket.
    usable = [
        address
        for address in found
        if not address.is_link_local and (bound != "0.0.0.0" or address.version == 4)
    ]
    return [address for address in usable if not address.is_loopback] or usable


class Advertisement:
    """Announces a node until closed; trouble is a warning, never fatal."""

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        properties: Mapping[str, str],
        types: Sequence[str] = (UNITS_TYPE,),
    ) -> None:
        self._name = name
        self._host = host
        self._port = port
        self._properties = dict(properties)
        self._types = types
        self._zeroconf: AsyncZeroconf | None = None
        self._services: list[AsyncServiceInfo] = []
        self._addresses: list[Address] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announce; another name is taken where this one is in use."""
        try:
            self._zeroconf = AsyncZeroconf()
            self._addresses = await asyncio.to_thread(advertised_addresses, self._host)
            self._services = [self._service(kind) for kind in self._types]
            for service in self._services:
                await self._zeroconf.async_register_service(service, allow_name_change=True)
        except (OSError, ZeroconfError) as err:
            _LOGGER.warning("cannot announce the node by zeroconf: %s", err or type(err).__name__)
            return
        self._watch = asyncio.create_task(self._follow())

    async def tell(self, properties: Mapping[str, str]) -> None:
        """Announce again where the properties are not what they were."""
        if self._properties == dict(properties):
            return
        self._properties = dict(properties)
        await self._update()

    async def close(self) -> None:
        """Say goodbye."""
        if self._watch is not None:
            self._watch.cancel()
        if self._zeroconf is None:
            return
        try:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
        except (OSError, ZeroconfError) as err:
            _LOGGER.warning("cannot take back the zeroconf announcement: %s", err)

    def _service(self, kind: str, name: str = "") -> AsyncServiceInfo:
        return AsyncServiceInfo(
            kind,
            name or f"{self._name}.{kind}",
            port=self._port,
            properties=self._properties,
            # Zeroconf's own default host name is the service's; two services of a node would then clash.
            server=f"wyoming-units-{self._properties.get('id', self._port)}.local.",
            addresses=[address.packed for address in self._addresses],
        )

    async def _follow(self) -> None:
        """Announce again when the machine's addresses change."""
        while self._zeroconf is not None:
            await asyncio.sleep(_REFRESH)
            addresses = await asyncio.to_thread(advertised_addresses, self._host)
            if addresses == self._addresses:
                continue
            self._addresses = addresses
            await self._update()

    async def _update(self) -> None:
        """Announce what is true now, under the names that were free."""
        if self._zeroconf is None:
            return
        self._services = [self._service(one.type, one.name) for one in self._services]
        for service in self._services:
            try:
                await self._zeroconf.async_update_service(service)
            except (OSError, ZeroconfError) as err:
                _LOGGER.warning("cannot announce what has changed: %s", err)


async def find_nodes(timeout: float = 3.0, most: int | None = None) -> list[FoundNode]:
    """Return the nodes that answer within `timeout` seconds, or as soon as `most` have."""
    names: asyncio.Queue[str] = asyncio.Queue()

    def changed(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Added:
            names.put_nowait(name)

    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    nodes: dict[str, FoundNode] = {}
    async with AsyncZeroconf() as aiozc:
        browser = AsyncServiceBrowser(aiozc.zeroconf, UNITS_TYPE, handlers=[changed])
        while (left := deadline - loop.time()) > 0 and (most is None or len(nodes) < most):
            try:
                name = await asyncio.wait_for(names.get(), left)
            except (asyncio.TimeoutError, TimeoutError):
                break
            service = AsyncServiceInfo(UNITS_TYPE, name)
            if await service.async_request(aiozc.zeroconf, max(1.0, left) * 1000):
                if node := _found(service):
                    nodes[name] = node
        await browser.async_cancel()
    return list(nodes.values())


def _found(service: AsyncServiceInfo) -> FoundNode | None:
    addresses = service.parsed_addresses()
    if not addresses or not service.port:
        return None
    return FoundNode(
        name=service.name.removesuffix(f".{UNITS_TYPE}"),
        host=addresses[0],
        port=service.port,
        properties={key: value or "" for key, value in service.decoded_properties.items()},
    )
