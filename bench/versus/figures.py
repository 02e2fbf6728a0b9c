"""What was measured: samples by case, percentiles, ratios, budgets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .server import Side


@dataclass
class Measured:
    """Samples of one server; a case names its unit, and less is better."""

    samples: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By what is counted: how often, out of how many."""
    failures: list[str] = field(default_factory=list)

    def add(self, case: str, *values: float) -> None:
        """Append samples."""
        self.samples[case].extend(values)

    def count(self, case: str, *answers: bool) -> None:
        """Count answers that are as they should be, or whatever the case says."""
        hits, total = self.counts.get(case, (0, 0))
        self.counts[case] = hits + sum(answers), total + len(answers)

    def join(self, other: Measured) -> None:
        """Append the samples of another run."""
        for case, values in other.samples.items():
            self.add(case, *values)
        for case, (hits, total) in other.counts.items():
            self.count(case, *[True] * hits, *[False] * (total - hits))
        self.failures.extend(other.failures)

    def at(self, case: str, share: float = 0.5) -> float:
        """Return a percentile of a case; nan where nothing was measured."""
        return percentile(self.samples.get(case, ()), share)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of the values does not exceed, between neighbours."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True)
class Comparison:
    """One table: the first server is the rival, where there is one."""

    title: str
    about: str
    """How it was measured."""
    sides: Mapping[str, Measured]

    def cases(self) -> list[str]:
        """Return the cases of all servers, in the order in which they were measured."""
        return list(dict.fromkeys(case for side in self.sides.values() for case in side.samples))

    def counted(self) -> list[str]:
        """Return what was counted."""
        return list(dict.fromkeys(case for side in self.sides.values() for case in side.counts))

    def ratio(self, case: str, side: str, share: float = 0.5) -> float:
        """Return a server's percentile as a share of the rival's; nan where either is missing."""
        theirs = next(iter(self.sides.values())).at(case, share)
        return self.sides[side].at(case, share) / theirs if theirs else math.nan


@dataclass(frozen=True)
class Budget:
    """One promise, and what was measured of it."""

    what: str
    value: float
    most: float
    unit: str = "x"
    why: str = ""
    """What stands in the way, told where it is missed."""

    @property
    def met(self) -> bool:
        """Return whether the promise is kept; what was not measured is not kept."""
        return self.value <= self.most

    def __str__(self) -> str:
        """Return one line."""
        verdict = "PASS" if self.met else "FAIL"
        return f"{verdict}  {self.what}: {show(self.value)} {self.unit}, at most {show(self.most)}"


@dataclass(frozen=True)
class Outcome:
    """What a section found."""

    comparison: Comparison
    budgets: Sequence[Budget] = ()


async def in_turns(
    sides: Sequence[Side], measure: Callable[[Side], Awaitable[Measured]]
) -> dict[str, Measured]:
    """Measure the rival, then the others, then the rival again; a server that fails is a result too."""
    found = {side.name: Measured() for side in sides}
    for side in (*sides, sides[0]) if len(sides) > 1 else sides:
        print(f"  {side.name} …", flush=True)
        try:
            found[side.name].join(await measure(side))
        except Exception as err:  # noqa: BLE001 - the others are still to be measured
            found[side.name].failures.append(f"{type(err).__name__}: {err}")
            print(f"    failed: {type(err).__name__}: {err}", flush=True)
    return found


def show(value: float) -> str:
    """Return a number with three digits that mean something."""
    if math.isnan(value):
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return (
        f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
        if abs(value) >= 0.1
        else f"{value:.3f}"
    )
