"""What holds for all tests.

Home Assistant's test plugin is loaded for tests/homeassistant alone, by that folder's conftest.py. It changes the
process as well: it closes socket and name resolution before each of its tests, and mocks the network until the end
of the session. Therefore sockets are opened again before every test, and its tests run last.
"""

import socket
from contextlib import suppress
from pathlib import Path

import pytest

# Home Assistant replaces httpx when it is imported, and refuses to start once somebody has the real one.
with suppress(ImportError):  # not installed where only the package is tested
    import homeassistant  # noqa: F401

HOME_ASSISTANT = Path(__file__).parent / "homeassistant"
OPEN = {
    name: getattr(socket, name)
    for name in ("socket", "getaddrinfo", "gethostbyname", "gethostbyname_ex")
}


def pytest_addoption(parser: pytest.Parser) -> None:
    # Of Home Assistant's plugin, for its recorder fixtures: a conftest.py below this one comes too late for options.
    parser.addoption("--dburl", default="sqlite://")
    parser.addoption("--drop-existing-db", action="store_const", const=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.is_relative_to(HOME_ASSISTANT))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    for name, function in OPEN.items():
        setattr(socket, name, function)
