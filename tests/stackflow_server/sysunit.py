"""What the module answers itself: the actions of work_id `sys`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from .framing import field
from .modes import TOTAL
from .protocol import Message, Refused

if TYPE_CHECKING:
    from .server import StackFlowServer

FORBIDDEN = (
    "bashexec",
    "push",
    "pull",
    "update",
    "upgrade",
    "rmmode",
    "uartsetup",
    "reboot",
)
"""What changes the module or lets anybody rule it; a client of ours never asks for it."""
_SINCE = {"version2": "1.7", "cmminfo": "1.5", "unit_call": "1.5"}
_NOTHING_HASHED = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_HWINFO_SECONDS = 1.0

Reply = Mapping[str, Any]
"""What `write_reply` takes by name."""


class Sys:
    """Answers for the module as a whole."""

    def __init__(self, server: StackFlowServer) -> None:
        self._server = server
        self._actions: dict[str, Callable[[Message], Awaitable[Reply]]] = {
            "ping": self._fine,
            "version": self._version,
            "version2": self._version2,
            "lsmode": self._lsmode,
            "lstask": self._lstask,
            "hwinfo": self._hwinfo,
            "cmminfo": self._cmminfo,
            "unit_call": self._unit_call,
            "reset": self._reset,
            **dict.fromkeys(FORBIDDEN, self._forbidden),
        }

    async def answer(self, message: Message) -> Reply:
        """Return the reply to a request; `Refused`."""
        if (code := self._server.faults.take_error("sys")) is not None:
            raise Refused(code)
        action = self._actions.get(message.action)
        since = _SINCE.get(message.action, "1.2")
        if action is None or not self._server.room.since(since):
            raise Refused(-3)
        return await action(message)

    async def _fine(self, message: Message) -> Reply:
        return {}

    async def _version(self, message: Message) -> Reply:
        release = self._server.version
        return {"data": f"v{release}" if release[0].isdigit() else "v1.7"}

    async def _version2(self, message: Message) -> Reply:
        return {"data": [f"llm_{name}-1.9" for name in self._server.units]}

    async def _lsmode(self, message: Message) -> Reply:
        told = [mode.told() for mode in self._server.modes.values()]
        return {"object": "sys.lsmode", "data": told}

    async def _lstask(self, message: Message) -> Reply:
        raise Refused(-10)

    async def _hwinfo(self, message: Message) -> Reply:
        await asyncio.sleep(_HWINFO_SECONDS)  # it measures the load for so long
        ethernet = {"name": "eth0", "ip": "192.168.1.100", "speed": "100"}
        told = {"temperature": 46850, "cpu_loadavg": 3, "mem": 22, "eth_info": [ethernet]}
        return {"object": "sys.hwinfo", "data": told}

    async def _cmminfo(self, message: Message) -> Reply:
        used = self._server.memory_used()
        return {"data": {"total": TOTAL, "used": used, "remain": TOTAL - used}}

    async def _unit_call(self, message: Message) -> Reply:
        raise Refused(-9)  # the units that have such calls are not here

    async def _reset(self, message: Message) -> Reply:
        self._server.reset_soon()
        return {"message": "llm server restarting ..."}

    async def _forbidden(self, message: Message) -> Reply:
        self._server.forbidden.append(message)
        if message.action == "pull":
            raise Refused(-17)
        if message.action == "push":
            return {"message": f"sha256:{_NOTHING_HASHED}"}
        if message.action == "bashexec":
            data = {"delta": "", "finish": field(message.text, "finish") != "false", "index": 0}
            return {"object": "sys.utf-8.stream", "data": data}
        return {}
