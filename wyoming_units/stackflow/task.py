"""One task of a module: set up when first needed, set up again when lost, one caller at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from wyoming_units.stackflow.framing import Reply

if TYPE_CHECKING:
    from wyoming_units.stackflow.module import Module

T = TypeVar("T")


class Talk:
    """What a call may say to its task, and hear from it."""

    def send(self, object: str, data: str | Mapping[str, Any]) -> None:  # noqa: A002
        """Send an `inference`."""
        raise NotImplementedError

    def send_text(self, object: str, text: str) -> None:  # noqa: A002
        """Send a text as base64, to an `object` without that ending: nothing in it can break the framing."""
        raise NotImplementedError

    def send_bytes(self, object: str, payload: bytes) -> None:  # noqa: A002
        """Send sound or a picture, raw where the module takes that, else in base64; `object` names base64."""
        raise NotImplementedError

    def act(self, action: str) -> None:
        """Send an action of the task, such as `pause`, whose acknowledgement is not waited for."""
        raise NotImplementedError

    def receive(self, seconds: float) -> Reply:
        """Return the next reply to what this call has sent, or an event of the task.

        `TimedOut` after `seconds` without any; `EngineFailed` tells what an error code means, or that the
        module is gone; `Cancelled` when the call was interrupted.
        """
        raise NotImplementedError

    def heard(self) -> Reply | None:
        """Return the next reply if one is here already, without waiting; errors as `receive`."""
        raise NotImplementedError


class Task:
    """A task of one unit of the module."""

    def __init__(
        self,
        module: Module,
        unit: str,
        setup: Mapping[str, Any],
        *,
        memory: int = 0,
        setup_seconds: float = 60.0,
        patience: float = 20.0,
        settle: float = 1.0,
    ) -> None:
        """`setup` is the `data` of the unit's setup.

        `memory` is what it needs of the NPU's memory, in KB; `patience` how many seconds a caller waits for another's
        call to end; `settle` how many seconds of quiet mean that an interrupted call's answer is over.
        """
        raise NotImplementedError

    def open(self) -> None:
        """Set up where it is not: idle tasks of our own make room where the unit or its memory is full.

        `EngineFailed` tells what the module says, `Busy` where others hold all tasks, `TimedOut`.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End the task at the module and forget it; a call that runs ends with `EngineFailed`."""
        raise NotImplementedError

    def run(self, call: Callable[[Talk], T]) -> T:
        """Return what `call` makes of the task, which it has for itself; `Busy` after `patience` seconds.

        Where the module turns out to be restarted, or the connection lost, before the call has heard anything, the
        task is set up and the call made once again; so it must not have effects before it hears something.
        What an interrupted or failed call has left to be answered is awaited and dropped before the next call.
        """
        raise NotImplementedError

    def interrupt(self, thread: int) -> None:
        """Make the call that runs in a thread raise `Cancelled` at its next `receive`, or now where it waits."""
        raise NotImplementedError
