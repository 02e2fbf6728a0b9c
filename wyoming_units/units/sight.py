"""Looks at pictures: chooses models by their tasks, runs them one after the other, and joins what they found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from wyoming_units.engines.base import VisionModel
from wyoming_units.errors import UnknownModel, Unsupported
from wyoming_units.observe.timing import Timings
from wyoming_units.units.lane import Lane
from wyoming_units.units.looking import Wanted
from wyoming_units.units.programs import Programs
from wyoming_units.vision.depth import Calibration, distances
from wyoming_units.vision.merge import merge
from wyoming_units.vision.picture import Picture
from wyoming_units.vision.scene import Scene

Eye = Lane[VisionModel]
Open = Callable[[], Picture]
"""Gives the picture; blocking, called in an engine's thread."""


class Sight:
    """The models of a unit, as one that sees everything they see together."""

    def __init__(self, programs: Programs[VisionModel]) -> None:
        self._programs = programs

    def choose(
        self, tasks: Sequence[str], model: str | None, selected: Mapping[str, str]
    ) -> tuple[Eye, ...]:
        """Return the lanes that do all tasks together, as few as possible, a named model first.

        `UnknownModel`, and `Unsupported` where there is nothing for a task.
        """
        program = selected.get(self._programs.kind)
        all_lanes = [lane for lane in self._programs.lanes if program in (None, lane.name)]
        lanes = [lane for lane in all_lanes if not lane.failed] or all_lanes
        if not lanes:
            raise Unsupported("this node has no vision unit")
        missing = list(tasks)
        chosen: list[Eye] = []
        if model is not None:
            chosen.append(_named(lanes, model, tasks))
            missing = [task for task in missing if task not in _tasks(chosen[0])]
        while missing:
            best = max(lanes, key=lambda lane: len(_tasks(lane).intersection(missing)))
            if not _tasks(best).intersection(missing):
                raise Unsupported(
                    f"this node has no model for {missing[0]}: wyoming-units models list"
                )
            chosen.append(best)
            missing = [task for task in missing if task not in _tasks(best)]
        return tuple(sorted(chosen, key=lambda lane: _tasks(lane) == {"depth"}))

    async def look(
        self,
        client: str,
        picture: Open,
        wanted: Wanted,
        lanes: Sequence[Eye],
        calibration: Calibration,
        timings: Timings,
    ) -> tuple[Picture, Scene]:
        """Return the picture and what is in it, in coordinates of the picture as it was sent.

        It is opened in the first model's thread, so that what waits for a model is never more than what was sent.
        """
        opened: list[Picture] = []
        scenes: list[Scene] = []

        def look(model: VisionModel) -> Scene:
            if not opened:
                with timings.span("open"):
                    opened.append(picture())
            with timings.span("infer"):
                return model.analyze(opened[0].pixels, wanted.request)

        for lane in lanes:
            far = _tasks(lane) == {"depth"} and not wanted.depth_map
            if far and scenes and not any(scene.objects for scene in scenes):
                continue  # how far away nothing is
            scenes.append(await lane.call(client, look, lane.engine))
        seen = opened[0]

        def join() -> Scene:
            scene = merge(scenes).scaled(seen.width, seen.height)
            if scene.depth is None:
                return scene
            return distances(replace(scene, depth=calibration.metric(scene.depth)))

        with timings.span("join"):
            return seen, await asyncio.to_thread(join)


def _tasks(lane: Eye) -> set[str]:
    return {task for model in lane.engine.info.models for task in model.tasks}


def _named(lanes: Sequence[Eye], name: str, tasks: Sequence[str]) -> Eye:
    for lane in lanes:
        if any(model.name == name for model in lane.engine.info.models):
            if not _tasks(lane).intersection(tasks):
                can = ", ".join(sorted(_tasks(lane)))
                raise Unsupported(f"model {name} does {can}, not {', '.join(tasks)}")
            return lane
    raise UnknownModel(f"no vision model is called {name!r}")
