"""From what is in single pictures to what happens: who came, stays, left, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from wyoming_units.vision.scene import Found, Scene
from wyoming_units.vision.tracking import Track, Tracker, overlaps
from wyoming_units.vision.zones import Zone

T = TypeVar("T")

USUAL = 0.5
"""Least confidence of labels that the rules do not name."""
FLOOR = 0.1
"""Below this confidence, models find hardly anything but clutter."""
STALL = 10.0
"""Seconds without a picture beyond which a camera stalled: nobody knows what happened, so no more of
them count."""
STILL = 0.6
"""Least overlap, with where it came to rest, of what has not moved; a box that trembles stays above."""
GESTURE_LOOKS = 2
LYING_LOOKS = 3


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When something happens; times in seconds."""

    confidence: Mapping[str, float] = field(default_factory=lambda: {"": USUAL})
    """Least median confidence in [0, 1] to be told of, by label; `""` is all other labels."""
    inertia: int = 3
    """Looks in a row, at least 1, in which an object's foot must be in or out of a zone."""
    linger: float = 10.0
    """After so long in a zone, or in view, an object has lingered; 0: never."""
    patience: float = 3.0
    """After so long without being found an object has left."""
    stationary: float = 10.0
    """After so long without moving an object is stationary."""
    motion: float = 0.002
    """Least part of a picture that must change for a look at it; it is for the `MotionGate`."""

    def threshold(self, label: str) -> float:
        """Return the least median confidence of a label."""
        return self.confidence.get(label, self.confidence.get("", USUAL))

    @property
    def least(self) -> float:
        """What to ask a model for: less certain detections still continue a track."""
        lowest = min(self.threshold(""), *self.confidence.values(), 1.0)
        return min(lowest, max(FLOOR, lowest / 2))


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracked:
    """One object that is followed."""

    found: Found
    """As it was seen last, in coordinates of the last picture that was looked at."""
    track: int
    """Positive, stable while the object is in view, never used again."""
    zones: tuple[str, ...]
    """Names of the zones that it is in."""
    stationary: bool
    missed: bool = False
    """Whether the last look did not find it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Happening:
    """Something that is worth an event."""

    kind: str
    """`appeared`, `left`, `entered-zone`, `left-zone`, `lingered`, `gesture` or `lying`."""
    object: Tracked
    zone: str | None
    """The one that was entered, left or lingered in."""
    at: float
    """Time of the look, as it was given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What is known after a picture."""

    objects: tuple[Tracked, ...] = ()
    """The most confident first; also those that are missed but not yet given up."""
    happenings: tuple[Happening, ...] = ()


class Situation:
    """Follows what one camera sees."""

    def __init__(self, rules: Rules, zones: Sequence[Zone] = ()) -> None:
        """Take what to tell of."""
        self._rules = rules
        self._zones = tuple(zones)
        self._tracker = Tracker(lambda found: found.confidence >= rules.threshold(found.label))
        self._lives: dict[int, _Life] = {}
        self._at: float | None = None
        self._now = _Moment(at=0.0, clock=0.0, width=1, height=1)

    def look(self, scene: Scene, at: float) -> Look:
        """Take what is in a picture of `at` seconds; return what is there and what happened."""
        first = self._at is None
        # One look is no proof, however long after the last: it takes at least two to give up.
        missed = min(self._pass(at, scene.width, scene.height), self._rules.patience / 2)
        found = self._tracker.follow(scene, self._now.clock)
        for track in found:
            if track.number not in self._lives:
                self._lives[track.number] = _Life(
                    track, self._rules, self._zones, self._now, there=first
                )
            self._lives[track.number].see(self._now)
        here = {track.number for track in found}
        happened: list[Happening] = []
        for life in [life for number, life in self._lives.items() if number not in here]:
            life.missed += missed
            life.absent = True
            if life.missed >= self._rules.patience:
                happened += life.end(self._now)
                del self._lives[life.track.number]
                self._tracker.tracks.remove(life.track)
        return self._look(happened)

    def still(self, at: float) -> Look:
        """Take that nothing moved until `at` seconds: all are where they were, and nobody is missed."""
        self._pass(at, self._now.width, self._now.height)
        return self._look([])

    def _pass(self, at: float, width: int, height: int) -> float:
        """Go on to a moment; return the seconds since the last that count."""
        step = 0.0 if self._at is None else min(max(0.0, at - self._at), STALL)
        self._at = at
        self._now = _Moment(at=at, clock=self._now.clock + step, width=width, height=height)
        return step

    def _look(self, happened: list[Happening]) -> Look:
        for life in self._lives.values():
            if not life.absent:
                happened += life.news(self._now)
        objects = [life.tracked(self._now) for life in self._lives.values() if life.told]
        objects.sort(key=lambda each: -each.found.confidence)
        return Look(objects=tuple(objects), happenings=tuple(happened))


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """When a look is, and the size of its picture."""

    at: float
    clock: float
    """Seconds of the camera, without those in which it stalled."""
    width: int
    height: int


class _Steady(Generic[T]):
    """A value that changes only when the new one was seen in some looks in a row."""

    def __init__(self, value: T, looks: int) -> None:
        self.value = value
        self._looks = looks
        self._next = value
        self._row = 0

    def see(self, value: T) -> bool:
        """Take what a look saw; return whether the value changed."""
        self._row = self._row + 1 if value == self._next else 1
        self._next = value
        if value == self.value or self._row < self._looks:
            return False
        self.value = value
        return True


class _Visit:
    """Whether an object is in a zone, since when, and what was told of it."""

    def __init__(self, zone: Zone, inertia: int, since: float, *, there: bool) -> None:
        self.zone = zone
        self.inside = _Steady(there, inertia)
        self.since = since
        self.told = there
        """What is there at the first look has not entered."""
        self.lingered = False

    def see(self, inside: bool, clock: float) -> None:
        """Take whether the object is in the zone in a look."""
        if self.inside.see(inside):
            self.since, self.lingered = clock, False


class _Life:
    """What is known and was told of one object."""

    def __init__(
        self, track: Track, rules: Rules, zones: Sequence[Zone], now: _Moment, *, there: bool
    ) -> None:
        """Take an object when it is first seen; `there`: at the first look of all."""
        self.track = track
        self.told = False
        self.absent = False
        self.missed = 0.0
        """Seconds of looks in which it was not found, since it was last."""
        self._rules = rules
        self._there = there
        self._began = now.clock
        self._lingered = False
        self._size = (now.width, now.height)
        self._rest, self._rested = track.box, now.clock
        """Where and since when it has not moved."""
        self._visits = [
            _Visit(zone, rules.inertia, now.clock, there=there and self._in(zone)) for zone in zones
        ]
        self._gesture: _Steady[str | None] = _Steady(None, GESTURE_LOOKS)
        self._gesture_told: str | None = None
        self._lying = _Steady(False, LYING_LOOKS)
        self._lying_told = False

    def see(self, now: _Moment) -> None:
        """Take that the object was found, as its track says."""
        self.absent, self.missed = False, 0.0
        self._size = (now.width, now.height)
        if overlaps([self._rest], [self.track.box])[0, 0] < STILL:
            self._rest, self._rested = self.track.box, now.clock
        for visit in self._visits:
            visit.see(self._in(visit.zone), now.clock)
        found = self.track.found
        self._gesture.see(found.gesture)
        # Whoever cannot be judged in a look has not got up in it.
        up = found.posture is not None and found.posture != "lying"
        self._lying.see(found.posture == "lying" or (self._lying.value and not up))

    def tracked(self, now: _Moment) -> Tracked:
        """Return what is told of the object."""
        width, height = self._size
        found = self.track.found
        if self._size != (now.width, now.height):
            found = found.scaled(now.width / width, now.height / height)
        return Tracked(
            found=found,
            track=self.track.number,
            zones=tuple(visit.zone.name for visit in self._visits if visit.inside.value),
            stationary=now.clock - self._rested >= self._rules.stationary,
            missed=self.absent,
        )

    def news(self, now: _Moment) -> Iterator[Happening]:
        """Yield what happened since the last look, once the object is certain enough to be told of."""
        if not self.told:
            if self.track.confidence < self._rules.threshold(self.track.found.label):
                return
            self.told = True
            if not self._there:
                yield self._happening("appeared", now)
        for visit in self._visits:
            if visit.told != visit.inside.value:
                visit.told = visit.inside.value
                kind = "entered-zone" if visit.told else "left-zone"
                yield self._happening(kind, now, visit.zone.name)
        if self._gesture_told != self._gesture.value:
            self._gesture_told = self._gesture.value
            if self._gesture_told is not None:
                yield self._happening("gesture", now)
        if self._lying_told != self._lying.value:
            self._lying_told = self._lying.value
            if self._lying_told:
                yield self._happening("lying", now)
        yield from self._lingers(now)

    def end(self, now: _Moment) -> Iterator[Happening]:
        """Yield what happens when the object is given up: it is in no zone, and then nowhere."""
        if not self.told:
            return
        for visit in self._visits:
            if visit.inside.value:
                visit.inside.value = False
                yield self._happening("left-zone", now, visit.zone.name)
        yield self._happening("left", now)

    def _lingers(self, now: _Moment) -> Iterator[Happening]:
        linger = self._rules.linger
        if not linger:
            return
        for visit in self._visits:
            if visit.inside.value and not visit.lingered and now.clock - visit.since >= linger:
                visit.lingered = True
                yield self._happening("lingered", now, visit.zone.name)
        if not self._lingered and now.clock - self._began >= linger:
            self._lingered = True
            yield self._happening("lingered", now)

    def _happening(self, kind: str, now: _Moment, zone: str | None = None) -> Happening:
        return Happening(kind=kind, object=self.tracked(now), zone=zone, at=now.at)

    def _in(self, zone: Zone) -> bool:
        """Return whether the foot of the object, as it was seen last, is in a zone."""
        found = self.track.found
        if zone.labels and found.label not in zone.labels:
            return False
        left, _, right, bottom = found.box
        width, height = self._size
        x, y = (left + right) / 2 / width, bottom / height
        return zone.contains(min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))
