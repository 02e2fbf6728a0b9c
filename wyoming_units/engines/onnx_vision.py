"""Networks that find objects, on ONNX Runtime: YOLO and what looks like it, YOLOX, NanoDet."""

from __future__ import annotations

from functools import cached_property, partial
from importlib.metadata import version

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._object_network import PARALLEL, ObjectFinder
from wyoming_units.engines._onnx_file import only_file, read_onnx
from wyoming_units.engines._onnx_picture import MAKER, OnnxNetwork
from wyoming_units.engines._picture_network import offered
from wyoming_units.engines._vision_network import (
    read_told,
    recognise,
    recognise_feed,
    tasks,
    told_tasks,
)
from wyoming_units.engines.base import EngineInfo
from wyoming_units.errors import EngineFailed


class OnnxVision(ObjectFinder):
    """Finds objects with one network."""

    def __init__(
        self, *, model: LocalModel, threads: int | None = None, provider: str | None = None
    ) -> None:
        """Find the model's file and read its head; `EngineFailed` where it is none, or is cut off."""
        path = only_file(model.path)
        self._file = read_onnx(path)
        super().__init__(
            model=model,
            path=path,
            told=read_told(self._file.metadata, model.options),
            start=partial(OnnxNetwork, model, path, threads=threads, provider=provider),
        )

    @cached_property
    def info(self) -> EngineInfo:
        """Return the one model, with its tasks and labels as far as its file tells them."""
        try:
            feed = recognise_feed(self._file.inputs, self._told)
            head = recognise(feed, self._file.outputs, self._told).head
            sees, labels = tasks(head), head.labels
        except EngineFailed:  # `load` knows more, and says what is wrong
            sees, labels = told_tasks(self._told), self._told.labels
        return EngineInfo(
            name="onnx-vision",
            description="Object networks on ONNX Runtime",
            version=version("onnxruntime"),
            attribution=MAKER,
            parallel=PARALLEL,
            models=(offered(self._model, MAKER, sees, labels),),
        )
