"""The shelf of manifests: those that come with the package, and the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from shutil import which

from wyoming_units.catalog.manifest import Manifest, Target, read_manifest
from wyoming_units.errors import UnknownModel

_NEURAL = Path("/soc/lib/libax_engine.so")
"""Runtime of the AX630C's NPU."""


def manifest_folder() -> Path:
    """Return where the package keeps its manifests."""
    packed = Path(__file__).parent / "manifests"  # in a wheel; a checkout has them at its root
    return packed if packed.is_dir() else Path(__file__).parents[2] / "models"


class Catalogue:
    """All models that are known, by name and alias; letters' case does not matter."""

    def __init__(self, own: Path | None = None) -> None:
        """Read the package's manifests and those (`*.toml`) of the user's folder `own`, which win.

        `UnitError` names the file that is wrong.
        """
        manifests = [*_packed(), *(read_manifest(path) for path in _tomls(own))]
        self._models = {manifest.name: manifest for manifest in manifests}
        self._names = {name.lower(): m for m in manifests for name in m.names}

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def find(self, name: str) -> Manifest:
        """Return a model by name or alias; `UnknownModel` tells what is spelt like it."""
        found = self._names.get(name.lower())
        if found is None:
            near = [self._names[n].name for n in get_close_matches(name.lower(), self._names, 3)]
            hint = f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else ""
            raise UnknownModel(f"the catalogue has no model {name!r}{hint}")
        return found

    def recommended(self, target: Target) -> list[Manifest]:
        """Return a small set that makes a good start on a kind of machine."""
        return [manifest for manifest in self if target in manifest.recommended]


@cache
def _packed() -> list[Manifest]:
    return [read_manifest(path) for path in _tomls(manifest_folder())]


def _tomls(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("*.toml")) if folder else []


def this_machine() -> Target:
    """Return the kind of machine that this is."""
    if _NEURAL.exists():
        return "ax630c"
    return "cuda" if which("nvidia-smi") else "cpu"


def best_target(manifest: Manifest, machine: Target) -> Target:
    """Return the target to take on a machine: its own, else its processor."""
    return machine if machine in manifest.targets or "cpu" not in manifest.targets else "cpu"
