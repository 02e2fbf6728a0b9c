"""Tells systemd that the node is ready and its event loop alive; does nothing where nobody asked to be told."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_LOGGER = logging.getLogger(__name__)


def notify(state: str) -> bool:
    """Send one message, such as `READY=1`, to the service manager; False where there is none that hears it."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return False
    # A leading @ is the abstract namespace, which the kernel marks by a zero byte.
    address = f"\0{where[1:]}" if where.startswith("@") else where
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(1.0)
            out.sendto(state.encode(), address)
    except OSError as err:
        _LOGGER.warning("cannot tell the service manager %s: %s", state, err)
        return False
    return True


def watchdog_period() -> float | None:
    """Return the seconds of silence after which the service manager restarts this process, None for never."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # meant for our parent
    try:
        microseconds = int(os.environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None


@asynccontextmanager
async def watched() -> AsyncIterator[None]:
    """Say that the node is ready, then every half period that its loop runs, and at the end that it stops.

    The signs of life come from the event loop itself, so one that hangs is restarted.
    """
    notify("READY=1")
    period = watchdog_period()
    beating = asyncio.create_task(_beat(period / 2)) if period else None
    try:
        yield
    finally:
        notify("STOPPING=1")
        if beating is not None:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


async def _beat(seconds: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)
