"""One camera under watch: pictures -> models -> tracks -> what happened, at the wanted rate."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import Any

from wyoming.event import Event

from wyoming_units.errors import BadImage, Busy, Loading, TooLarge
from wyoming_units.observe.timing import Timings
from wyoming_units.units.looking import Watching
from wyoming_units.units.outbox import Outbox
from wyoming_units.units.sight import Sight
from wyoming_units.units.sources import Shot, Source, open_source
from wyoming_units.units.telling import analysis, object_event, tracked
from wyoming_units.video.addresses import Allowed
from wyoming_units.vision.depth import Calibration
from wyoming_units.vision.happenings import Situation
from wyoming_units.vision.motion import MotionGate
from wyoming_units.vision.picture import Picture
from wyoming_units.vision.scene import Scene
from wyoming_units.wire.requests import Request

_STATUS = 10.0
"""Seconds between two tellings of a state that stays, and over which the rate is measured."""
_LOOKS = 3
"""Looks after a movement that there are at least."""
_LONGEST_REST = 10.0
"""Seconds without movement after which there is a look all the same."""


class Watch:
    """Watches one camera for one client until it unwatches or leaves."""

    def __init__(
        self, request: Request, watching: Watching, sight: Sight, allowed: Allowed
    ) -> None:
        """Check that there is a model for all tasks; `UnknownModel`, `Unsupported`."""
        self._request = request
        self._watching = watching
        self._sight = sight
        self._allowed = allowed
        self._client = f"{request.client} {request.key}"  # cameras of one host take turns
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(request.send)
        self._situation = Situation(watching.rules, watching.zones)
        self._gate = MotionGate(watching.rules.motion)
        self._calibration = Calibration(watching.wanted.calibration)
        self._source: Source | None = None
        self._rate: deque[float] = deque()
        """When the last pictures were looked at."""
        self._scene: Scene | None = None
        """What the models saw last, and when they looked."""
        self._looked = 0.0
        self._moved = self._loop.time()
        """When something moved last, and how often the models have looked since."""
        self._looks = 0
        self._seq = 0
        self._broken = 0
        self._text: str | None = None
        """What was wrong with the last picture."""
        self._choose()

    def _choose(self) -> tuple[Any, ...]:
        """Return the models; anew for each picture, as models come and go."""
        wanted = self._watching.wanted
        return self._sight.choose(wanted.tasks, wanted.model, self._request.selected)

    async def run(self) -> None:
        """Watch; `BadRequest` for a source that may not be opened, and what a model raises that breaks."""
        self._source = await open_source(
            self._request, self._watching.source, self._allowed, self._tell_state
        )
        self._tell_state()
        sending = asyncio.ensure_future(self._outbox.run())
        telling = asyncio.ensure_future(self._keep_telling())
        looking = asyncio.ensure_future(self._keep_looking(self._source))
        try:
            await asyncio.wait({sending, looking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._source.close()
            for task in (sending, telling, looking):
                task.cancel()
            await asyncio.gather(sending, telling, looking, return_exceptions=True)
        if not looking.cancelled():
            looking.result()
        elif not sending.cancelled():
            sending.result()
        self._outbox.put(self._status("ended"))
        await self._outbox.flush()

    # -- looking

    async def _keep_looking(self, source: Source) -> None:
        pause = 1 / self._watching.fps
        due = self._loop.time()
        while (shot := await source.newest()) is not None:
            try:
                await self._look(shot)
            except (BadImage, TooLarge) as error:
                self._miss(str(error))
            except (Busy, Loading):
                self._broken += 1
            due = max(due + pause, self._loop.time())
            await asyncio.sleep(due - self._loop.time())

    async def _look(self, shot: Shot) -> None:
        """Look at one picture; where nothing has moved in it, what was seen before is still there."""
        now = self._loop.time()
        timings = Timings()
        scene: Scene | None = None
        rules = self._watching.rules
        if rules.motion:
            picture = await asyncio.to_thread(shot.open)
            shot = replace(shot, open=lambda: picture)
            if await asyncio.to_thread(self._gate.moved, picture.pixels):
                self._moved, self._looks = now, 0
            # What is new, or gone, or in another zone is believed after some more looks only.
            settled = self._looks >= max(_LOOKS, rules.inertia)
            if settled and now - self._moved > rules.patience:
                scene = self._scene if now - self._looked < _LONGEST_REST else None
        moved = scene is None
        if scene is None:
            self._looks += 1
            picture, scene = await self._sight.look(
                self._client,
                shot.open,
                self._watching.wanted,
                self._choose(),
                self._calibration,
                timings,
            )
            self._scene, self._looked, self._text = scene, now, None
        self._seq += 1
        self._rate.append(now)
        with timings.span("tell"):
            told, happened = await asyncio.to_thread(
                self._told, picture, scene, shot.timestamp, now, moved
            )
        told.data["context"] = timings.as_context()
        for event in happened:
            self._outbox.put(event)
        self._outbox.put(told, may_be_lost=True)

    def _told(
        self, picture: Picture, scene: Scene, timestamp: float, now: float, moved: bool
    ) -> tuple[Event, list[Event]]:
        """Follow the objects; return the analysis and what happened."""
        look = self._situation.look(scene, now) if moved else self._situation.still(now)
        seen = tuple(one.found for one in look.objects if not one.missed)
        known = replace(scene, objects=seen)
        told = analysis(
            known,
            picture.pixels,
            self._watching.wanted.want if moved else frozenset(),
            objects=[tracked(one) for one in look.objects],
            zones=self._watching.zones,
            seq=self._seq,
            timestamp=timestamp,
            motion=moved,
        )
        return told, [
            object_event(happening, known, picture.pixels, timestamp)
            for happening in look.happenings
        ]

    def _miss(self, text: str) -> None:
        self._broken += 1
        if text != self._text:
            self._text = text
            self._tell_state()

    # -- telling how it goes

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(_STATUS)
            self._tell_state()

    def _tell_state(self) -> None:
        self._outbox.put(self._status())

    def _status(self, state: str | None = None) -> Event:
        told = {**self.stats(), **({"state": state} if state else {})}
        del told["source"]
        text = self._text or (self._source.text if self._source else None)
        return Event(type="watch-status", data={**told, **({"text": text} if text else {})})

    def stats(self) -> dict[str, Any]:
        """Return what `stats` tells of the watch."""
        since = self._loop.time() - _STATUS
        while self._rate and self._rate[0] < since:
            self._rate.popleft()
        source = self._source
        return {
            "id": self._request.key,
            "source": source.name if source else None,
            "state": source.state if source else "connecting",
            "fps": round(len(self._rate) / _STATUS, 2),
            "dropped": self._broken + (source.dropped if source else 0),
        }
