"""Measures our units beside other Wyoming servers and writes `docs/performance.md`; `script/bench` runs it.

Sections: stt, endpoint, tts, voice, wake, turn; without names all of them run and the page is written. The rivals'
environments are made by `script/bench`. Ends with one line per budget; with `--gate` it fails where one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import monotonic

from versus import report
from versus.figures import Outcome
from versus.hearing import endpoints, requests
from versus.recordings import DATA, ROOT
from versus.server import step_back
from versus.sides import Options, versions
from versus.speaking import costly, real
from versus.turns import turns
from versus.waking import waking

_SECTIONS: Mapping[str, Callable[[Options], Awaitable[Outcome]]] = {
    "stt": requests,
    "endpoint": endpoints,
    "tts": costly,
    "voice": real,
    "wake": waking,
    "turn": turns,
}
_PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", choices=[[], *_SECTIONS])
    parser.add_argument(
        "--quick", action="store_true", help="few repeats: four minutes instead of fifteen"
    )
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a budget is missed")
    parser.add_argument(
        "--page", type=Path, help="write the page here, also for some sections only"
    )
    options = parser.parse_args()
    if not DATA.is_dir():
        parser.error(f"the test data are not at {DATA}; set WYOMING_UNITS_TEST_DATA")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the servers
    step_back()
    outcomes = asyncio.run(measure(options.sections or list(_SECTIONS), Options(options.quick)))
    budgets = [budget for outcome in outcomes for budget in outcome.budgets]
    print("\n" + "\n".join(map(str, budgets)))
    where = options.page or (None if options.sections else _PAGE)
    if where:
        command = "script/bench --quick" if options.quick else "script/bench"
        text = report.page(outcomes, versions(), command=command, quick=options.quick)
        where.write_text(text, "utf-8")
        print(f"written: {where}")
    return int(options.gate and not all(budget.met for budget in budgets))


async def measure(sections: list[str], options: Options) -> list[Outcome]:
    """Run sections one after the other and print their tables."""
    outcomes = []
    for name in sections:
        print(f"{name}:", flush=True)
        began = monotonic()
        outcome = await _SECTIONS[name](options)
        outcomes.append(outcome)
        print(report.section(outcome.comparison), flush=True)
        print(f"{name}: {monotonic() - began:.0f} s", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
