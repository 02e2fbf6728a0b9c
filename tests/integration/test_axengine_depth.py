"""Depth networks on the NPU: they give the map that they give on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

from PIL import Image

from tests.integration.models_axengine import blue, npu_onnx, package
from tests.integration.recordings import data
from tests.npu import axmodel
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines.axengine_depth import AxDepth
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.onnx_depth import OnnxDepth
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.scene import DepthMap, Pixels

pytest_plugins = ("tests.npu",)
REAL = "vision-depth/fastdepth_dav2_signature_518.onnx"
KEY = "depth_anything_model"
MODE = "depth-anything-ax630c"


def engine(path: Path, **options: Any) -> AxDepth:
    made = create_engine("axengine-depth", model=LocalModel(name="far", path=path, options=options))
    assert isinstance(made, AxDepth)
    return made


def seen(made: AxDepth | OnnxDepth, image: Pixels) -> DepthMap:
    made.load()
    scene = made.analyze(image, VisionRequest())
    assert (scene.height, scene.width) == image.shape[:2]
    assert scene.depth is not None
    made.close()
    return scene.depth


def test_a_real_network_gives_the_same_map_on_the_npu_as_on_the_cpu(
    tmp_path: Path, npu: Any
) -> None:
    whole = data(REAL)
    inside = npu_onnx(
        whole, tmp_path / "d.onnx", mean=(123.675, 116.28, 103.53), scale=(58.395, 57.12, 57.375)
    )
    near = engine(axmodel(tmp_path / "d.axmodel", inside))
    with Image.open(data("media/images/depth/demo01.jpg")) as file:
        image = np.asarray(file.convert("RGB"))
    ours = seen(near, image)
    theirs = seen(OnnxDepth(model=LocalModel(name="far", path=whole), threads=1), image)
    spread = np.ptp(theirs.values)
    assert spread > 0
    np.testing.assert_allclose(ours.values / spread, theirs.values / spread, atol=1e-3)
    assert not ours.metric
    assert ours.values.dtype == np.float32


def test_a_package_of_stackflow_is_used_as_it_comes(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / MODE, MODE, blue(tmp_path / "depth_anything.onnx"), key=KEY)
    far = engine(folder, mode=MODE)
    assert far.info.models[0].tasks == ("depth",)
    assert far.info.attribution.name == "AXERA"
    image = np.zeros((100, 150, 3), np.uint8)
    image[:, :75] = (10, 20, 200)
    depth = seen(far, image)
    assert depth.values.shape == (256, 384)
    np.testing.assert_array_equal(depth.values[:, :180], 200)  # as they are, and RGB
    np.testing.assert_array_equal(depth.values[:, 204:], 0)
    assert npu.loads == [str(folder / MODE / "depth_anything.axmodel")]
    assert len(npu.live) == 0


def test_the_package_for_half_of_the_npu_has_its_own_name(tmp_path: Path, npu: Any) -> None:
    half = "depth-anything-npu1-ax630c"
    for mode in (MODE, half):
        package(tmp_path / mode, mode, blue(tmp_path / "d.onnx"), key=KEY, half=mode == half)
    npu.vnpu = True
    far = engine(tmp_path / MODE, mode=MODE)
    far.load()
    assert far.report == {"provider": "NPU", "file": f"{half}/d.axmodel"}
    far.close()


def test_the_manifest_says_where_metres_come_out(tmp_path: Path, npu: Any) -> None:
    file = axmodel(tmp_path / "d.axmodel", blue(tmp_path / "d.onnx"))
    assert seen(engine(file, metric=True), np.full((9, 9, 3), 7, np.uint8)).metric


def test_other_networks_are_refused_when_loaded(tmp_path: Path, npu: Any) -> None:
    far = engine(axmodel(tmp_path / "d.axmodel", blue(tmp_path / "d.onnx", outputs=2)))
    with pytest.raises(EngineFailed, match=r"d\.axmodel cannot be used: .*not one depth map"):
        far.load()
    assert len(npu.live) == 0
    with pytest.raises(EngineFailed, match="far is not loaded"):
        far.analyze(np.zeros((9, 9, 3), np.uint8), VisionRequest())
