"""The intent unit: `recognize` or `transcript` -> `intents-start`, `intent`, `intents-stop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from wyoming.event import Event
from wyoming.intent import Entity, Intent, IntentsStart, IntentsStop, NotRecognized

from wyoming_units.engines.base import IntentParser, IntentRequest
from wyoming_units.observe.timing import Timings
from wyoming_units.speech.home import Home
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.programs import Programs
from wyoming_units.units.read import context, home, language, text
from wyoming_units.wire.requests import Request, Route


class IntentUnit:
    """Finds the intent of a sentence; whoever asked runs it."""

    kind: ClassVar[str] = "intent"

    def __init__(
        self, parsers: Sequence[IntentParser] = (), default_home: Home | None = None
    ) -> None:
        self.programs = Programs(self.kind, parsers)
        self._home = default_home
        self.routes = (
            Route(opener="recognize", run=self._recognize),
            Route(opener="transcript", run=self._recognize),
        )

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return the engines."""
        return self.programs.lanes

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the parsers' languages as programs."""
        return {"intent": self.programs.info(lambda info: program(info, "models"))}

    async def _recognize(self, request: Request) -> None:
        timings = Timings()
        known = home(request.opener) or self._home
        wanted = IntentRequest(
            text=text(request.opener),
            language=language(request.opener) or (known.language if known else None),
            home=known,
        )
        lane = self.programs.choose(request, language=wanted.language)
        match = await lane.call(request.client, lane.engine.parse, wanted)
        answer_context = {**_kept(request.opener), **timings.as_context()}
        if match is None:
            await request.send(NotRecognized(context=answer_context))
            return
        await request.send(IntentsStart())
        await request.send(
            Intent(
                name=match.name,
                entities=[Entity(name=name, value=value) for name, value in match.slots.items()],
                text=match.response,
                context=answer_context,
            )
        )
        await request.send(IntentsStop())


def _kept(opener: Event) -> dict[str, Any]:
    """Return what the answer repeats of the request's context."""
    given = context(opener)
    return {"conversation_id": given["conversation_id"]} if "conversation_id" in given else {}
