"""Profiles: what to run by default on a kind of machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, Literal, get_args

from wyoming_units.engines import ENGINES

ProfileName = Literal["", "embedded", "cpu", "cuda", "ax630c", "stackflow"]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Defaults that settings go over."""

    without: tuple[str, ...] = ()
    """Patterns of engines that do not run."""
    bare: bool = False
    """Whether only engines run that need neither a model nor anybody else."""
    module: str = ""
    """Where a StackFlow module is."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What engines are constructed with."""

    def runs(self, engine: str) -> bool:
        """Return whether an engine may run."""
        if self.bare and not ENGINES[engine].bare:
            return False
        return not any(fnmatch(engine, pattern) for pattern in self.without)


_ELSEWHERE = ("axengine-*", "stackflow-*")
_HERE = "127.0.0.1"


def _on(device: str) -> dict[str, dict[str, Any]]:
    sees = {name: {"provider": device} for name in ("onnx-vision", "onnx-depth")}
    return {"faster-whisper": {"device": device}, **sees}


PROFILES: dict[str, Profile] = {
    "": Profile(),
    "embedded": Profile(bare=True),
    "cpu": Profile(without=_ELSEWHERE, options=_on("cpu")),
    "cuda": Profile(without=_ELSEWHERE, options=_on("cuda")),
    # Language models run best in the module's own software; all else is quicker without it between.
    "ax630c": Profile(
        without=tuple(name for name, row in ENGINES.items() if row.unit and row.kind != "llm"),
        module=_HERE,
    ),
    "stackflow": Profile(without=("axengine-*",), module=_HERE),
}
"""All profiles by name; the nameless one runs the best of whatever is installed."""

assert set(PROFILES) == set(get_args(ProfileName))
