"""The vision unit: `analyze-image` -> `image-analysis`; `watch` -> what is seen until `unwatch`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from wyoming.event import Event

from wyoming_units.engines.base import VisionModel
from wyoming_units.errors import BadRequest
from wyoming_units.observe.timing import Timings
from wyoming_units.units.base import program
from wyoming_units.units.lane import Lane
from wyoming_units.units.looking import wanted_of, watching_of
from wyoming_units.units.programs import Programs
from wyoming_units.units.sight import Sight
from wyoming_units.units.telling import analysis, found
from wyoming_units.units.watch import Watch
from wyoming_units.video.addresses import Allowed
from wyoming_units.vision.depth import Calibration
from wyoming_units.vision.picture import read_picture
from wyoming_units.wire.parts import unpack
from wyoming_units.wire.requests import Request, Route


class VisionUnit:
    """Sees what is in pictures, and watches cameras."""

    kind: ClassVar[str] = "vision"

    def __init__(
        self, models: Sequence[VisionModel] = (), *, cameras: Allowed | None = None
    ) -> None:
        self.programs = Programs(self.kind, models)
        self._sight = Sight(self.programs)
        self._cameras = cameras or Allowed()
        self._watches: list[Watch] = []
        self.routes = (
            Route(opener="analyze-image", run=self._analyze),
            Route(
                opener="watch",
                run=self._watch,
                body=frozenset({"frame"}),
                end="unwatch",
                endless=True,
                keyed=True,
            ),
        )

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return the engines."""
        return self.programs.lanes

    def info(self) -> dict[str, list[dict[str, Any]]]:
        """Return the models with their tasks and labels as programs."""
        return {
            "vision": self.programs.info(lambda info: program(info, "models", "tasks", "labels"))
        }

    def watches(self) -> list[dict[str, Any]]:
        """Return what `stats` tells of the watches that run."""
        return [watch.stats() for watch in self._watches]

    async def _analyze(self, request: Request) -> None:
        timings = Timings()
        wanted = wanted_of(request.opener.data)
        lanes = self._sight.choose(wanted.tasks, wanted.model, request.selected)
        picture, scene = await self._sight.look(
            request.client,
            partial(read_picture, image_of(request.opener)),
            wanted,
            lanes,
            Calibration(wanted.calibration),
            timings,
        )
        with timings.span("tell"):
            answer = await asyncio.to_thread(
                lambda: analysis(
                    scene,
                    picture.pixels,
                    wanted.want,
                    objects=[found(one) for one in scene.objects],
                )
            )
        answer.data["context"] = timings.as_context()
        await request.send(answer)

    async def _watch(self, request: Request) -> None:
        watch = Watch(request, watching_of(request.opener.data), self._sight, self._cameras)
        self._watches.append(watch)
        try:
            await watch.run()
        finally:
            self._watches.remove(watch)


def image_of(event: Event) -> bytes:
    """Return the picture of an event."""
    image = unpack(event).get("image")
    if image is None:
        raise BadRequest(f"{event.type} needs an image")
    return image.data
