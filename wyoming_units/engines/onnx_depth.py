"""Networks that estimate how far away everything is, on ONNX Runtime: Depth Anything and what looks like it."""

from __future__ import annotations

from functools import cached_property, partial
from importlib.metadata import version

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._depth_network import DepthEstimator
from wyoming_units.engines._onnx_file import only_file, read_onnx
from wyoming_units.engines._onnx_picture import MAKER, OnnxNetwork
from wyoming_units.engines._picture_network import offered
from wyoming_units.engines.base import EngineInfo


class OnnxDepth(DepthEstimator):
    """Estimates distances with one network."""

    def __init__(
        self, *, model: LocalModel, threads: int | None = None, provider: str | None = None
    ) -> None:
        """Find the model's file and read its head; `EngineFailed` where it is none, or is cut off."""
        path = only_file(model.path)
        read_onnx(path)
        start = partial(OnnxNetwork, model, path, threads=threads, provider=provider)
        super().__init__(model=model, path=path, start=start)

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model."""
        return EngineInfo(
            name="onnx-depth",
            description="Depth networks on ONNX Runtime",
            version=version("onnxruntime"),
            attribution=MAKER,
            models=(offered(self._model, MAKER, ("depth",)),),
        )
