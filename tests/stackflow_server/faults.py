"""What can go wrong with a module, switched on and off while it serves."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from .protocol import ERRORS

if TYPE_CHECKING:
    from .server import StackFlowServer


class Faults:
    """Faults of one server; may be set from any thread."""

    def __init__(self, server: StackFlowServer) -> None:
        self._server = server
        self._errors: defaultdict[str, deque[int]] = defaultdict(deque)
        self.silent = False
        """Inferences get no reply at all."""
        self.cut_every: int | None = None
        """Replies are sent in pieces of so many bytes."""
        self.split_at: int | None = None
        """Each reply is sent in two pieces, cut at this byte."""
        self.pace = 0.0
        """Seconds between the pieces of a streamed answer."""
        self.delay = 0.0
        """Seconds before the first reply to an inference."""
        self.dead: set[str] = set()
        """Units whose process does not run: -9."""
        self.extra_final = False
        """A `finish: true` is sent twice."""

    def slow(self, seconds: float) -> None:
        """Let every inference take so much longer; 0 ends it."""
        self.delay = seconds

    def error(self, code: int, unit: str, *, times: int = 1) -> None:
        """Answer the next requests to a unit, or to a task of it, with an error."""
        assert code in ERRORS, code
        self._errors[unit].extend([code] * times)

    def take_error(self, unit: str) -> int | None:
        """Return the error that the next request to a unit gets."""
        errors = self._errors[unit]
        return errors.popleft() if errors else None

    def full(self, unit: str) -> None:
        """Let somebody else hold as many tasks of a unit as there may be; they can be ended."""
        self._run(lambda: self._server.occupy(unit))

    def steal(self, work_id: str) -> None:
        """Let another client ask for a task, which takes its output; it goes to `server.stolen`."""
        self._run(lambda: self._server.steal(work_id))

    def hang_up(self) -> None:
        """Close all connections and go on serving; tasks stay."""
        self._run(self._server.hang_up)

    def restart(self, seconds: float = 0.2) -> Future[None]:
        """Close everything, refuse for some seconds, come back without tasks; done when it is back."""
        return self._server.submit(self._server.restart(seconds))

    def _run(self, act: Callable[[], None]) -> None:
        """Do something in the server's loop, at once where that is this one."""
        if self._server.in_loop():
            act()
        else:
            self._server.submit(_later(act)).result(5)


async def _later(act: Callable[[], None]) -> None:
    act()
