"""The integration's files against what Home Assistant and HACS ask of them."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
from PIL import Image

from custom_components import wyoming_units
from custom_components.wyoming_units.const import DOMAIN

FOLDER = Path(wyoming_units.__file__).parent
ENGLISH: dict[str, Any] = json.loads((FOLDER / "translations" / "en.json").read_text())
SOURCES = {path.name: ast.parse(path.read_text()) for path in FOLDER.glob("*.py")}


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the absolute names of all that a module imports."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            yield from (name.name for name in statement.names)
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            yield from (f"{statement.module}.{name.name}" for name in statement.names)


def texts(branch: Any) -> Iterator[str]:
    if isinstance(branch, str):
        yield branch
    else:
        for value in branch.values():
            yield from texts(value)


async def test_home_assistant_loads_the_integration(
    hass: HomeAssistant, enable_custom_integrations: None
) -> None:
    integration = await async_get_integration(hass, DOMAIN)
    assert integration.domain == FOLDER.name
    assert integration.config_flow
    assert integration.requirements == ["wyoming>=1.10.2"]
    assert integration.version
    assert integration.has_branding


@pytest.mark.parametrize("module", SOURCES)
def test_every_integration_that_is_imported_is_a_dependency(module: str) -> None:
    dependencies = json.loads((FOLDER / "manifest.json").read_text())["dependencies"]
    used = {
        name.split(".")[2]
        for name in imported(SOURCES[module])
        if name.startswith("homeassistant.components.")
    }
    # Platforms and what is always there need not be named.
    assert used <= {*dependencies, *Platform, "diagnostics", "llm", "repairs"}


@pytest.mark.parametrize("module", SOURCES)
def test_the_folder_stands_alone(module: str) -> None:
    """HACS copies it without the package that the nodes run."""
    assert not [name for name in imported(SOURCES[module]) if name.split(".")[0] == DOMAIN]


def test_texts_are_what_the_translation_checker_accepts() -> None:
    for text in texts(ENGLISH):
        assert text == text.strip()
        assert not re.search(r"https?://|<[a-z]|'\{\w+\}'|\[%key", text), text


@pytest.mark.parametrize(("name", "size"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_the_icon_has_the_size_that_home_assistant_shows(name: str, size: int) -> None:
    with Image.open(FOLDER / "brand" / name) as icon:
        assert (icon.format, icon.size) == ("PNG", (size, size))
