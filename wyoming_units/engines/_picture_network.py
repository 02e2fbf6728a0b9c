"""A network that looks at one picture, whatever runs it, and the life of an engine around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.engines.base import Attribution, Model
from wyoming_units.errors import EngineFailed


class Running(Protocol):
    """A network that is loaded."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def report(self) -> Mapping[str, Any]:
        """Return what runs it, and how."""

    def run(self, picture: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs, in their order, for what its one input takes; `EngineFailed`.

        Calls of several threads run one after the other.
        """

    def interrupt(self, thread: int) -> None:
        """End the run in a thread, where that can be done."""

    def close(self) -> None:
        """Free it."""


class PictureEngine:
    """Loads one network and lets it go; what is seen with it is up to the class that is made of this."""

    def __init__(self, *, model: LocalModel, path: Path, start: Callable[[], Running]) -> None:
        """Keep where the network is and what will load it."""
        self._model = model
        self._path = path
        self._start = start
        self._running: Running | None = None

    @property
    def report(self) -> Mapping[str, Any]:
        """Return what runs the network, and how; nothing before it is loaded."""
        return {} if self._running is None else self._running.report

    def load(self) -> None:
        """Load the network and run it once; `EngineFailed` where it is of an unknown kind."""
        running = self._start()
        try:
            self._try(running)
        except EngineFailed as err:
            running.close()
            raise EngineFailed(f"{self._path} cannot be used: {err}") from None
        self._running = running

    def close(self) -> None:
        """Free the network."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def interrupt(self, thread: int) -> None:
        """End the run in a thread."""
        running = self._running
        if running is not None:
            running.interrupt(thread)

    def _try(self, running: Running) -> None:
        """Run a network that was just loaded, and remember how it is to be used; `EngineFailed` says what it is."""
        raise NotImplementedError

    def _loaded(self) -> Running:
        """Return the network; `EngineFailed` where it is not loaded."""
        if self._running is None:
            raise EngineFailed(f"{self._model.name} is not loaded")
        return self._running


def offered(
    model: LocalModel, maker: Attribution, tasks: tuple[str, ...], labels: tuple[str, ...] = ()
) -> Model:
    """Return a model as its engine tells of it; `maker` made it where nobody else is known."""
    return Model(
        name=model.name,
        languages=(),
        description=model.description or model.name,
        attribution=Attribution(name=model.author or maker.name, url=model.upstream or maker.url),
        tasks=tasks,
        labels=labels,
    )
