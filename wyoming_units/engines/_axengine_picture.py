"""Networks that look at pictures, on the NPU: their files, and what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import files_of, open_session, read_mode
from wyoming_units.errors import EngineFailed


class AxNetwork:
    """A network on the NPU."""

    def __init__(self, path: Path) -> None:
        """Load it; `EngineFailed`."""
        self._session = open_session(path)
        self.inputs, self.outputs = self._session.inputs, self._session.outputs

    @property
    def report(self) -> Mapping[str, Any]:
        """Return which file runs: it may be the one for half of the NPU."""
        return {"provider": "NPU", "file": "/".join(self._session.path.parts[-2:])}

    def run(self, picture: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs for a picture."""
        return [*self._session.run({self.inputs[0].name: picture}).values()]

    def interrupt(self, thread: int) -> None:
        """Do nothing: a run takes some milliseconds, and nothing ends it."""

    def close(self) -> None:
        """Let go of the session."""
        self._session.close()


def find_network(model: LocalModel, key: str) -> tuple[Path, Mapping[str, Any]]:
    """Return a model's file and the parameters of its mode, in which `key` names the file; `EngineFailed`.

    The model is a file, or a folder that has one, such as a package of StackFlow.
    """
    path, mode = model.path, str(model.options.get("mode", model.name))
    if path.is_file():
        folder = path.parent
        return path, read_mode(folder, mode) or read_mode(folder, folder.name)
    parameters = read_mode(path, mode)
    folder = files_of(path, mode)
    named = parameters.get(key)
    if isinstance(named, str) and (folder / named).is_file():
        return folder / named, parameters
    files = sorted(folder.rglob("*.axmodel"))
    # Some repositories have a network for the whole NPU and one for half of it side by side.
    chosen = [file for file in files if len(files) == 1 or "npu1" not in file.stem]
    if len(chosen) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise EngineFailed(f"{folder} must have exactly one .axmodel file; there are: {names}")
    return chosen[0], parameters
