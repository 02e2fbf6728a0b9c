"""Depth networks on the NPU of an AX630C: Depth Anything.

Options: `mode` (name of the package's mode), and those of `_depth_network`.
"""

from __future__ import annotations

from functools import cached_property, partial

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._axengine import MAKER, library_version
from wyoming_units.engines._axengine_picture import AxNetwork, find_network
from wyoming_units.engines._depth_network import DepthEstimator
from wyoming_units.engines._picture_network import offered
from wyoming_units.engines.base import EngineInfo


class AxDepth(DepthEstimator):
    """Estimates distances with one network."""

    def __init__(self, *, model: LocalModel) -> None:
        """Find the model's file; `EngineFailed` where there is none, or its mode cannot be read."""
        path, _ = find_network(model, "depth_anything_model")
        super().__init__(model=model, path=path, start=partial(AxNetwork, path))

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        return EngineInfo(
            name="axengine-depth",
            description="Depth networks on the NPU of an AX630C",
            version=library_version(),
            attribution=MAKER,
            models=(offered(self._model, MAKER, ("depth",)),),
        )
