"""Starts `script/run` and reads what it says."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ROOT / "script" / "run"
DATA = Path(os.environ.get("WYOMING_UNITS_TEST_DATA") or ROOT.parent / "shared" / "data")
PICTURES = DATA / "media" / "images"
SECONDS = 240


def start(environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [RUN, *options],
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Return the match of the first line that has one."""
    assert process.stdout is not None
    written = []
    for line in process.stdout:
        written.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError(f"no {pattern!r} in:\n{''.join(written)}")


@contextmanager
def running(environment: dict[str, str], *options: str) -> Iterator[str]:
    """Run the demo, yield the address of its Home Assistant, and end it as Ctrl-C does."""
    with start(environment, *options) as demo:
        try:
            yield read_until(demo, r"(http://127\.0\.0\.1:\d+)\S*  ?user demo")[1]
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
        finally:
            demo.terminate()
