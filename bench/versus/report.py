"""Tables for people: on the terminal, and as `docs/performance.md`."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .figures import Budget, Comparison, Measured, Outcome, show

_FEW = 3
"""From so many samples on, percentiles say something."""

_HEAD = """# Performance

What Wyoming Units does beside other Wyoming servers, measured by one command:

```sh
{command}
```

It installs the rivals into `.cache/rivals` ({rivals}), builds the
models without trained weights that some comparisons use, measures everything on this machine and writes this page.

How: each server is a process of its own and runs alone, the rival first, then ours, then the rival again. Both get
the same model files and the same client, which was written from the protocol, shares no code with ours and runs with a
lower priority (nice 10). Memory is the resident set; CPU is the time that the kernel counted for the server. `describe`
is asked ten times a second, on a new connection each time, whether or not the last answer has come. In every table of
times less is better. The ratio is that of the medians, ours to the rival's.

Measured on {machine}{quick}.
"""
_BUDGETS = """
## Budgets

| what | measured | at most | |
|---|---:|---:|---|
"""


def machine() -> str:
    """Return what kind of machine this is."""
    model = "an unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line for line in info.read_text("utf-8").splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} cores ({platform.machine()}, {model}), {memory:.0f} GB of memory, Python {python}"


def page(
    outcomes: Sequence[Outcome], rivals: Mapping[str, str], *, command: str, quick: bool
) -> str:
    """Return the page."""
    head = _HEAD.format(
        command=command,
        rivals=", ".join(f"{name} {version}" for name, version in rivals.items()),
        machine=machine(),
        quick=", in a quick run with few repeats" if quick else "",
    )
    budgets = [budget for outcome in outcomes for budget in outcome.budgets]
    rows = "".join(map(_budget_row, budgets))
    missed = "".join(f"\n*{b.what}*: {b.why}\n" for b in budgets if b.why and not b.met)
    return head + _BUDGETS + rows + missed + "".join(section(o.comparison) for o in outcomes)


def _budget_row(budget: Budget) -> str:
    verdict = "met" if budget.met else "**not met**"
    return f"| {budget.what} | {show(budget.value)} {budget.unit} | {show(budget.most)} | {verdict} |\n"


def section(table: Comparison) -> str:
    """Return a comparison as Markdown."""
    parts = [f"\n## {table.title}\n\n{table.about}\n", _times(table), _counts(table)]
    for name, measured in table.sides.items():
        parts += [f"\n{name} failed: {failure.splitlines()[0]}\n" for failure in measured.failures]
    return "".join(parts)


def _times(table: Comparison) -> str:
    names = list(table.sides)
    head = ["median / p95 / max", *names, *[f"ratio, {name}" for name in names[1:]]]
    rows = []
    for case in table.cases():
        cells = [_cell(table.sides[name], case) for name in names]
        rows.append([case, *cells, *[show(table.ratio(case, name)) for name in names[1:]]])
    return _markdown(head, rows)


def _cell(measured: Measured, case: str) -> str:
    values = measured.samples.get(case, [])
    if len(values) < _FEW:
        return show(measured.at(case))
    return " / ".join(show(measured.at(case, share)) for share in (0.5, 0.95, 1))


def _counts(table: Comparison) -> str:
    rows = []
    for case in table.counted():
        found = [side.counts.get(case) for side in table.sides.values()]
        rows.append(
            [case, *[f"{hits} of {total}" if total else "–" for hits, total in map(_known, found)]]
        )
    return _markdown(["counted", *table.sides], rows) if rows else ""


def _known(count: tuple[int, int] | None) -> tuple[int, int]:
    return count or (0, 0)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
