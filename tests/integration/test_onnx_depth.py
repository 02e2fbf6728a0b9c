"""The engine for depth networks: a real model on real pictures, and files of all kinds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from tests.integration.models_vision import network
from tests.integration.onnx_graphs import save
from tests.integration.recordings import data
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.onnx_depth import OnnxDepth
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.scene import DepthMap, Pixels

REAL = "vision-depth/fastdepth_dav2_signature_518.onnx"


def picture(name: str) -> Pixels:
    with Image.open(data(f"media/images/depth/{name}")) as image:
        return np.asarray(image.convert("RGB"))


def engine(path: Path, **options: Any) -> OnnxDepth:
    made = create_engine(
        "onnx-depth", model=LocalModel(name="far", path=path, options=options), threads=1
    )
    assert isinstance(made, OnnxDepth)
    return made


def seen(model: OnnxDepth, image: Pixels) -> DepthMap:
    model.load()
    depth = model.analyze(image, VisionRequest()).depth
    assert depth is not None
    return depth


def passing(path: Path, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> Path:
    """Write a network whose map is the mean of the colours that go in."""
    last = shape[3] == 3
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixel_values"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node(
                "ReduceMean", ["numbers"], ["predicted_depth"], axes=[3 if last else 1], keepdims=0
            ),
        ],
        "mean",
        [helper.make_tensor_value_info("pixel_values", kind, list(shape))],
        [helper.make_tensor_value_info("predicted_depth", TensorProto.FLOAT, ["n", "h", "w"])],
        [],
    )
    save(path, graph, {})
    return path


def at(depth: DepthMap, x: float, y: float) -> float:
    """Return what the map has around a place in [0, 1]."""
    height, width = depth.values.shape
    row, column = int(y * height), int(x * width)
    return float(np.median(depth.values[row - 8 : row + 8, column - 8 : column + 8]))


@pytest.mark.parametrize(
    ("name", "places"),
    [
        # the pavement in front, people on it, the trees behind the cars, the sky
        ("demo01.jpg", [(0.1, 0.95), (0.22, 0.83), (0.55, 0.62), (0.55, 0.2)]),
        # leaves in front, the sky behind the large flower
        ("demo02.jpg", [(0.38, 0.95), (0.12, 0.3)]),
        ("demo02.jpg", [(0.35, 0.35), (0.2, 0.3)]),
    ],
)
def test_a_real_model_orders_what_a_person_sees_from_near_to_far(
    name: str, places: list[tuple[float, float]]
) -> None:
    depth = seen(engine(data(REAL)), picture(name))
    values = [at(depth, *place) for place in places]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_a_map_has_the_networks_size_and_a_scene_the_pictures() -> None:
    model = engine(data(REAL))
    model.load()
    image = picture("demo01.jpg")
    scene = model.analyze(image, VisionRequest())
    assert (scene.height, scene.width) == image.shape[:2]
    assert scene.depth is not None
    assert not scene.depth.metric
    assert scene.depth.values.shape == (518, 518)
    assert scene.depth.values.dtype == np.float32
    assert model.info.models[0].tasks == ("depth",)
    assert model.report == {"provider": "CPUExecutionProvider", "threads": 1}


def test_colours_are_normalised_as_depth_anything_was_trained(tmp_path: Path) -> None:
    colour = np.array([200, 100, 50], np.uint8)
    depth = seen(
        engine(passing(tmp_path / "mean.onnx", (1, 3, 28, 42))),
        np.full((10, 20, 3), colour),
    )
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(depth.values, np.mean((colour / 255 - mean) / spread), rtol=1e-4)
    assert depth.values.shape == (28, 42)


@pytest.mark.parametrize("shape", [(1, 28, 42, 3), (1, 3, 28, 42)])
def test_whole_numbers_go_in_as_they_are(tmp_path: Path, shape: Sequence[int]) -> None:
    depth = seen(
        engine(passing(tmp_path / "mean.onnx", shape, TensorProto.UINT8)),
        np.full((10, 20, 3), [200, 100, 60], np.uint8),
    )
    np.testing.assert_allclose(depth.values, 120, rtol=1e-5)


def test_a_picture_covers_the_whole_map_whatever_its_proportions(tmp_path: Path) -> None:
    image = np.zeros((30, 300, 3), np.uint8)
    image[:, 150:] = 255
    depth = seen(engine(passing(tmp_path / "m.onnx", (1, 3, 28, 28), TensorProto.UINT8)), image)
    assert (depth.values[:, :13] < 1).all()
    assert (depth.values[:, 15:] > 254).all()


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, (518, 518)), ({"size": 280}, (280, 280)), ({"size": [140, 84]}, (84, 140))],
)
def test_an_open_input_takes_the_usual_size_or_the_manifests(
    tmp_path: Path, options: dict[str, Any], size: tuple[int, int]
) -> None:
    path = passing(tmp_path / "open.onnx", ("n", 3, "h", "w"))
    assert seen(engine(path, **options), np.zeros((9, 9, 3), np.uint8)).values.shape == size


def test_metres_come_where_the_manifest_says_so(tmp_path: Path) -> None:
    values = np.full((1, 1, 28, 42), 2.5, np.float32)
    path = network(tmp_path / "metric.onnx", [values], shape=(1, 3, 28, 42))
    depth = seen(engine(path, metric=True), np.zeros((9, 9, 3), np.uint8))
    assert depth.metric
    np.testing.assert_array_equal(depth.values, values[0, 0])


def zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("shape", "outputs", "told"),
    [
        ((1, 3, 28, 28), [zeros(1, 84, 21, 4, 2)], "not one depth map"),
        ((1, 3, 28, 28), [zeros(1, 2, 28, 28)], "not one depth map"),
        ((1, 3, 28, 28), [zeros(1, 28, 28), zeros(1, 28, 28)], "not one depth map"),
        ((1, 4, 28, 28), [zeros(1, 28, 28)], "not one picture"),
        ((1, 80), [zeros(1, 28, 28)], "not one picture"),
        ((2, 3, 28, 28), [zeros(1, 28, 28)], "not one picture"),
    ],
)
def test_other_networks_are_refused_when_loaded_in_one_line_that_says_what_they_are(
    tmp_path: Path, shape: Sequence[int], outputs: list[NDArray[np.float32]], told: str
) -> None:
    model = engine(network(tmp_path / "other.onnx", outputs, shape=shape))
    with pytest.raises(EngineFailed, match=told) as caught:
        model.load()
    assert "other.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_needs_exactly_one_network(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="exactly one ONNX file; there are: none"):
        engine(tmp_path)
    passing(tmp_path / "a.onnx", (1, 3, 28, 28))
    assert seen(engine(tmp_path), np.zeros((9, 9, 3), np.uint8)).values.shape == (28, 28)
    passing(tmp_path / "b.onnx", (1, 3, 28, 28))
    with pytest.raises(EngineFailed, match=r"a\.onnx, b\.onnx"):
        engine(tmp_path)


def test_says_that_it_is_not_loaded(tmp_path: Path) -> None:
    model = engine(passing(tmp_path / "a.onnx", (1, 3, 28, 28)))
    assert model.report == {}
    for _ in range(2):
        with pytest.raises(EngineFailed, match="not loaded"):
            model.analyze(np.zeros((9, 9, 3), np.uint8), VisionRequest())
        model.load()
        model.close()
