"""The engines at work: a lane for each place of the roster, in step with what is installed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wyoming_units.config import NodeConfig
from wyoming_units.engines.base import Engine
from wyoming_units.errors import BadRequest, UnitError
from wyoming_units.roster import HELPERS, Place, places
from wyoming_units.units.base import Unit
from wyoming_units.units.lane import Lane
from wyoming_units.units.stt import Helpers, SttUnit

_LOGGER = logging.getLogger(__name__)

_LOOK = 10.0
"""Seconds between two looks at what is installed."""


class Staff:
    """Gives lanes to units: at the start, and whenever a model comes, changes or goes."""

    def __init__(
        self, config: NodeConfig, units: Sequence[Unit], changed: Callable[[], None]
    ) -> None:
        """Call `changed` whenever `Info` is not what it was."""
        self._config = config
        self._units: Mapping[str, Unit] = {unit.kind: unit for unit in units}
        self._changed = changed
        self._lanes: dict[str, Lane[Any]] = {}
        """By the key of their place, in the order of the roster."""
        self._refused: set[str] = set()
        """Places whose engine could not be made, or not be loaded instead of an older one."""
        self._loading: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def lanes(self) -> tuple[Lane[Any], ...]:
        """Return all lanes."""
        return tuple(self._lanes.values())

    async def hire(self) -> None:
        """Construct every engine; `BadRequest`, `Unsupported`, `UnknownModel`, `EngineFailed` for bad settings."""
        wanted = await asyncio.to_thread(places, self._config)
        made = await asyncio.to_thread(self._make, wanted, strict=True)
        self._seat(wanted, made)
        self._check_checks()

    def _check_checks(self) -> None:
        """Refuse a second look at wake words by nobody."""
        checked = [name for name, word in self._config.wake_words.items() if word.check]
        ears = self._units["stt"].programs.lanes
        if checked and not any(lane.engine.info.open_vocabulary for lane in ears):
            raise BadRequest(
                f"setting wake_words: {checked[0]} cannot be checked without speech-to-text of free "
                "dictation: wyoming-units models list --kind stt"
            )

    def load(self) -> None:
        """Begin to load what is needed first, and to follow what is installed."""
        eager = (lane for key, lane in self._lanes.items() if key in self._eager)
        self._loading = [lane.load() for lane in eager]
        self._keep(asyncio.create_task(self._look()))

    async def loaded(self) -> None:
        """Wait until these engines are ready; raises what kept one from loading."""
        await asyncio.gather(*self._loading)

    async def dismiss(self) -> None:
        """Close all engines."""
        for task in self._tasks:
            task.cancel()
        for lane in self.lanes:
            await lane.close()
        await asyncio.gather(*self._tasks, *self._loading, return_exceptions=True)

    # -- following what is installed

    async def _look(self) -> None:
        complaint = ""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self.follow()
                complaint = ""
            except (UnitError, OSError) as error:
                if str(error) != complaint:
                    _LOGGER.error("the engines stay as they are: %s", error)
                complaint = str(error)
            except Exception:  # nobody would miss a task that has ended, until the next model comes
                _LOGGER.exception("the engines stay as they are")

    async def follow(self) -> None:
        """Take in new engines once they are loaded, and let go of those that are not wanted any more."""
        wanted = await asyncio.to_thread(places, self._config)
        keys = {place.key for place in wanted}
        self._refused &= keys
        fresh = [place for place in wanted if place.key not in self._lanes.keys() | self._refused]
        if not fresh and keys == self._lanes.keys():
            return
        made = await asyncio.to_thread(self._make, fresh, strict=False)
        for key, lane in list(made.items()):
            if key in self._eager:
                await asyncio.wait({lane.load()})
            if lane.failed:
                self._refused.add(key)
                await made.pop(key).close()
        before = dict(self._lanes)
        self._seat(wanted, made)
        for key in before.keys() - self._lanes.keys():
            self._keep(asyncio.create_task(before[key].retire()))
        self._changed()

    def _make(self, wanted: Sequence[Place], *, strict: bool) -> dict[str, Lane[Any]]:
        """Construct engines, each in a lane; what cannot be is logged, or where `strict` and named raised."""
        made: dict[str, Lane[Any]] = {}
        for place in wanted:
            try:
                made[place.key] = self._lane(place.kind, place.create())
            except UnitError as error:
                if strict and place.named:
                    raise
                self._refused.add(place.key)
                _LOGGER.error("engine %s is left out: %s", place.engine, error)
        return made

    def _lane(self, kind: str, engine: Engine) -> Lane[Any]:
        lane = Lane(kind, engine, keep_alive=self._config.keep_alive)
        lane.changed = self._changed
        return lane

    def _seat(self, wanted: Sequence[Place], made: Mapping[str, Lane[Any]]) -> None:
        """Give units their lanes; the one before stays where a changed engine could not be made."""
        self._eager = {place.key for place in wanted if place.loads}
        here = {**self._lanes, **made}
        self._lanes = {place.key: here[place.key] for place in wanted if place.key in here}
        by_kind: dict[str, list[Lane[Any]]] = {}
        for lane in self._lanes.values():
            by_kind.setdefault(lane.kind, []).append(lane)
        for kind, unit in self._units.items():
            unit.programs.lanes = tuple(by_kind.get(kind, ()))
        stt = self._units["stt"]
        assert isinstance(stt, SttUnit)
        stt.helpers = Helpers(**{kind: by_kind[kind][0] for kind in HELPERS if kind in by_kind})

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
