"""Every run has a temporary folder of its own, in which nothing may stay."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.browser import integration_page


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give every run a temporary folder of its own, and insist that nothing stays there or runs on."""
    yield os.environ | {"TMPDIR": str(tmp_path), "COLUMNS": "100"}
    assert not _processes(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    """Log in with a browser."""
    with integration_page(url) as page:
        yield page


def _processes(folder: Path) -> list[str]:
    """Return the command lines of all processes that were started for a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended meanwhile
        if str(folder) in command:
            found.append(command)
    return found
