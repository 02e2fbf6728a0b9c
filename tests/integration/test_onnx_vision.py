"""The engine for object networks: real models and pictures, and files of all kinds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

import onnx
from onnx import TensorProto
from PIL import Image

from tests.integration.models_vision import network
from tests.integration.recordings import data
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines._onnx_file import Tensor, read_onnx
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.onnx_vision import OnnxVision
from wyoming_units.errors import EngineFailed, UnitError
from wyoming_units.vision.boxes import iou
from wyoming_units.vision.letterbox import fit
from wyoming_units.vision.rle import decode
from wyoming_units.vision.scene import Found, Pixels

DETECT, SEGMENT, POSE = (
    "yolo11n_dynquant.onnx",
    "yolov8n-seg_int8.onnx",
    "yolo11n-pose_int8_fixed.onnx",
)
PICTURES = ("bus.jpg", "zidane.jpg", "000000000632.jpg")
Array = NDArray[np.float32]


def picture(name: str) -> Pixels:
    with Image.open(data(f"media/images/{name}")) as image:
        return np.asarray(image.convert("RGB"))


def engine(path: Path, **options: Any) -> OnnxVision:
    return OnnxVision(model=LocalModel(name="eyes", path=path, options=options))


class Real(dict[str, OnnxVision]):
    """The real models, loaded when they are first asked for."""

    def __missing__(self, name: str) -> OnnxVision:
        eyes = engine(data(f"vision-yolo/{name}"))
        try:
            eyes.load()
        except EngineFailed as error:
            if "NOT_IMPLEMENTED" not in str(error):
                raise
            # The last release for Python 3.10 lacks operators of some quantised models.
            pytest.skip(f"this ONNX Runtime cannot run {name}")
        self[name] = eyes
        return eyes


@pytest.fixture(scope="module")
def real() -> Real:
    """Return the real models."""
    return Real()


def overlap(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def plainly(table: Array, classes: int, image: Pixels, size: int) -> list[dict[str, Any]]:
    """Decode (channels, rows) one row and one object at a time: the reference, which shares no code."""
    height, width = image.shape[:2]
    scale = min(size / width, size / height)
    left, top = (size - round(width * scale)) // 2, (size - round(height * scale)) // 2
    rows: list[dict[str, Any]] = []
    for column in range(table.shape[1]):
        scores = [float(value) for value in table[4 : 4 + classes, column]]
        best = max(scores)
        if best < 0.25:
            continue
        x, y, w, h = (float(value) for value in table[:4, column])
        rows.append(
            {
                "score": best,
                "class": scores.index(best),
                "box": [x - w / 2, y - h / 2, x + w / 2, y + h / 2],
                "extra": [float(value) for value in table[4 + classes :, column]],
            }
        )
    kept: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: -row["score"]):
        same = [one for one in kept if one["class"] == row["class"]]
        if all(overlap(one["box"], row["box"]) <= 0.45 for one in same):
            kept.append(row)
    for row in kept:
        x1, y1, x2, y2 = row["box"]
        row["inner"] = row["box"]
        row["box"] = [
            min(max((x1 - left) / scale, 0), width),
            min(max((y1 - top) / scale, 0), height),
            min(max((x2 - left) / scale, 0), width),
            min(max((y2 - top) / scale, 0), height),
        ]
        row["joints"] = [
            ((x - left) / scale, (y - top) / scale, seen)
            for x, y, seen in zip(*(row["extra"][axis::3] for axis in range(3)), strict=False)
        ]
    return kept


def outputs_for(model: str, image: Pixels) -> list[Array]:
    """Run a model on a picture without the engine."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(data(f"vision-yolo/{model}")), providers=["CPUExecutionProvider"]
    )
    size = session.get_inputs()[0].shape[2]
    whole = fit(image.shape[1], image.shape[0], (size, size)).apply(image)
    tensor = whole.astype(np.float32).transpose(2, 0, 1)[None] / 255
    outputs: list[Array] = session.run(None, {session.get_inputs()[0].name: tensor})
    return outputs


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(("model", "classes"), [(DETECT, 80), (SEGMENT, 80), (POSE, 1)])
def test_results_are_those_of_the_plainest_decoder(
    real: Real, model: str, classes: int, name: str
) -> None:
    image, eyes = picture(name), real[model]
    outputs = outputs_for(model, image)
    wanted = plainly(outputs[0][0], classes, image, 320 if model == SEGMENT else 640)

    found = eyes.analyze(image, VisionRequest()).objects

    labels = eyes.info.models[0].labels
    assert len(found) == len(wanted)
    for one, row in zip(found, wanted, strict=True):
        assert one.label == labels[row["class"]]
        assert one.confidence == pytest.approx(row["score"], abs=0.01)
        assert one.box == pytest.approx(row["box"], abs=1)
        if model == POSE:
            assert one.keypoints is not None
            assert one.keypoints[:, :2] == pytest.approx(np.array(row["joints"])[:, :2], abs=1)
            assert one.keypoints[:, 2] == pytest.approx(np.array(row["joints"])[:, 2], abs=0.01)
        if model == SEGMENT:
            assert_same_mask(one, row, outputs[1][0])


def assert_same_mask(one: Found, row: dict[str, Any], prototypes: Array) -> None:
    """Compare the number of cells, and where they are, with a mask that is made cell by cell."""
    wanted = []
    x1, y1, x2, y2 = (value / 4 for value in row["inner"])
    for y in range(80):
        for x in range(80):
            if x1 <= x + 0.5 <= x2 and y1 <= y + 0.5 <= y2:
                value = sum(
                    weight * float(prototypes[k, y, x]) for k, weight in enumerate(row["extra"])
                )
                if 1 / (1 + math.exp(-value)) > 0.5:
                    wanted.append((y, x))
    assert one.mask is not None
    cells = np.argwhere(decode(one.mask))
    offset = np.array([80 - one.mask.height, 80 - one.mask.width]) / 2
    assert len(cells) == pytest.approx(len(wanted), rel=0.08)
    assert (cells + offset).mean(axis=0) == pytest.approx(np.mean(wanted, axis=0), abs=0.6)


@pytest.mark.parametrize("name", PICTURES)
def test_what_two_models_agree_on_is_found(real: Real, name: str) -> None:
    expected = json.loads(data("media/expected_images.json").read_text("utf-8"))[f"images/{name}"]
    labels = [one.label for one in real[DETECT].analyze(picture(name), VisionRequest()).objects]
    for label, number in expected.items():
        assert labels.count(label) >= number


def test_the_bus_and_its_people(real: Real) -> None:
    scene = real[DETECT].analyze(picture("bus.jpg"), VisionRequest())
    labels = [one.label for one in scene.objects]
    assert (scene.width, scene.height) == (810, 1080)
    assert labels.count("bus") == 1
    assert labels.count("person") >= 3
    assert [one.confidence for one in scene.objects] == sorted(
        (one.confidence for one in scene.objects), reverse=True
    )


def test_masks_fill_their_boxes_and_stay_in_them(real: Real) -> None:
    seen = 0
    for name in PICTURES:
        scene = real[SEGMENT].analyze(picture(name), VisionRequest(min_confidence=0.5))
        for one in scene.objects:
            assert one.mask is not None
            cells = np.argwhere(decode(one.mask))
            cell = np.array([scene.height / one.mask.height, scene.width / one.mask.width])
            left, top, right, bottom = one.box
            assert ((cells + 1) * cell >= (top, left)).all()
            assert (cells * cell <= (bottom, right)).all()
            filled = len(cells) * cell.prod() / ((right - left) * (bottom - top))
            assert (
                0.33 <= filled <= 1.05
            )  # the woman at the edge of the bus's picture fills a third
            seen += 1
    assert seen >= 7


def test_noses_are_where_noses_are(real: Real) -> None:
    people = real[POSE].analyze(picture("bus.jpg"), VisionRequest()).objects
    noses = [one.keypoints[0] for one in people if one.keypoints is not None]
    sure = [(x, y) for x, y, seen in noses if seen > 0.9]
    assert len(sure) >= 2
    for one in people[:3]:
        assert one.keypoints is not None
        assert one.box[1] - 5 < one.keypoints[0][1] < one.box[1] + (one.box[3] - one.box[1]) / 4


def test_all_is_told_before_the_runtime_is_imported() -> None:
    script = """
import sys
from pathlib import Path
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
engine = create_engine("onnx-vision", model=LocalModel(name="eyes", path=Path(sys.argv[1])))
model = engine.info.models[0]
print(model.tasks, model.labels[5], sorted({"onnxruntime", "PIL", "cv2"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(data(f"vision-yolo/{SEGMENT}"))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "('detect', 'segment') bus []"


def test_a_file_tells_the_same_tensors_as_to_the_library_that_wrote_it(tmp_path: Path) -> None:
    path = network(
        tmp_path / "m.onnx",
        [np.zeros((1, 84, 9), np.float32), np.zeros((1, 2), np.float32)],
        shape=("batch", 12, 34, 3),
        kind=TensorProto.UINT8,
    )
    model = onnx.load(str(path))
    weight = model.graph.initializer[0]
    model.graph.input.append(
        onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
    )  # as old files have it
    onnx.save(model, str(path))

    summary = read_onnx(path)

    assert summary.inputs == (Tensor(name="images", shape=(None, 12, 34, 3), kind="uint8"),)
    assert summary.outputs == (
        Tensor(name="output0", shape=(1, 84, 9), kind="float32"),
        Tensor(name="output1", shape=(1, 2), kind="float32"),
    )


def table(classes: int = 80, size: int = 640) -> Array:
    """Return what YOLOv8 gives for one object of class 5 in the middle of an input."""
    rows = (size // 8) ** 2 + (size // 16) ** 2 + (size // 32) ** 2
    output = np.zeros((1, 4 + classes, rows), np.float32)
    output[0, :4, 40] = size / 2, size / 2, size / 4, size / 8
    output[0, 4 + min(5, classes - 1), 40] = 0.8
    return output


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 3, 640, 640), TensorProto.FLOAT),
        ((1, 3, 640, 640), TensorProto.FLOAT16),
        ((1, 640, 640, 3), TensorProto.UINT8),
        ((1, 640, 640, 3), TensorProto.FLOAT),
        (("batch", 3, "height", "width"), TensorProto.FLOAT),
    ],
)
@pytest.mark.parametrize("open_outputs", [False, True])
def test_inputs_of_all_kinds(
    tmp_path: Path, shape: tuple[int | str, ...], kind: int, open_outputs: bool
) -> None:
    path = network(
        tmp_path / "m.onnx", [table()], shape=shape, kind=kind, open_outputs=open_outputs
    )
    eyes = engine(path)
    eyes.load()
    (found,) = eyes.analyze(np.zeros((480, 640, 3), np.uint8), VisionRequest()).objects
    assert found.label == "bus"
    assert found.box == pytest.approx((240, 200, 400, 280), abs=0.01)


def test_a_size_left_open_is_that_of_the_manifest(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", [table(size=320)], shape=(1, 3, "h", "w"))
    eyes = engine(path, size=[320, 320])
    eyes.load()
    (found,) = eyes.analyze(np.zeros((320, 320, 3), np.uint8), VisionRequest()).objects
    assert found.box == pytest.approx((120, 140, 200, 180), abs=0.01)


def test_a_file_that_does_not_tell_its_sizes_tells_its_task_and_names(tmp_path: Path) -> None:
    metadata = {"task": "detect", "names": {0: "cat", 1: "dog"}}
    path = network(tmp_path / "m.onnx", [table(2)], metadata=metadata, open_outputs=True)
    (model,) = engine(path).info.models
    assert (model.tasks, model.labels) == (("detect",), ("cat", "dog"))


def test_an_unknown_network_is_refused_by_what_it_takes_and_gives(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", [np.zeros((1, 7, 9), np.float32)])
    with pytest.raises(EngineFailed, match=r"m\.onnx cannot be used: .*output0 \(1, 7, 9\)"):
        engine(path).load()
    sound = network(tmp_path / "s.onnx", [np.zeros((1, 7), np.float32)], shape=(1, 16_000))
    with pytest.raises(EngineFailed, match=r"it takes images \(1, 16000\), not one picture"):
        engine(sound).load()


def test_a_folder_must_have_one_file(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="exactly one ONNX file; there are: none"):
        engine(tmp_path)
    network(tmp_path / "a.onnx", [table()])
    assert engine(tmp_path).info.models[0].tasks == ("detect",)
    network(tmp_path / "b.onnx", [table()])
    with pytest.raises(EngineFailed, match=r"there are: a\.onnx, b\.onnx"):
        engine(tmp_path)


def test_what_is_no_network_is_refused_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("<html>")
    with pytest.raises(EngineFailed, match=r"m\.onnx"):
        engine(tmp_path)


def test_threads_and_provider_are_told(tmp_path: Path) -> None:
    path = network(tmp_path / "m.onnx", [table()])
    model = LocalModel(name="eyes", path=path)
    eyes = OnnxVision(model=model, threads=3, provider="cpu")
    assert eyes.report == {}
    eyes.load()
    assert eyes.report == {"provider": "CPUExecutionProvider", "threads": 3}
    eyes.close()
    with pytest.raises(EngineFailed, match="not loaded"):
        eyes.analyze(np.zeros((9, 9, 3), np.uint8), VisionRequest())
    with pytest.raises(EngineFailed, match="no provider is called 'npu'; there are: cpu, cuda"):
        OnnxVision(model=model, provider="npu").load()


def test_cuda_that_is_not_there_is_an_error_where_it_was_asked_for(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    model = LocalModel(name="eyes", path=network(tmp_path / "m.onnx", [table()]))
    with pytest.raises(EngineFailed, match="no CUDA"):
        OnnxVision(model=model, provider="cuda").load()


def test_a_look_can_be_ended_and_the_next_one_is_whole(real: Real) -> None:
    eyes, image = real[DETECT], picture("bus.jpg")
    ended: list[UnitError] = []

    def look() -> None:
        try:
            while True:
                eyes.analyze(image, VisionRequest())
        except UnitError as error:
            ended.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    while not ended and thread.is_alive():
        eyes.interrupt(thread.ident or 0)
    thread.join(20)

    assert len(ended) == 1
    assert "\n" not in str(ended[0])
    assert len(eyes.analyze(image, VisionRequest()).objects) >= 4


@pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (3000, 2)])
def test_pictures_of_absurd_shapes_are_seen(real: Real, shape: tuple[int, int]) -> None:
    scene = real[SEGMENT].analyze(
        np.full((*shape, 3), 200, np.uint8), VisionRequest(min_confidence=0.01)
    )
    for one in scene.objects:
        assert 0 <= one.box[0] <= one.box[2] <= shape[1]
        assert 0 <= one.box[1] <= one.box[3] <= shape[0]
        assert one.mask is not None
        assert decode(one.mask).size == one.mask.width * one.mask.height


def test_the_engine_is_made_by_its_name(tmp_path: Path) -> None:
    model = LocalModel(name="eyes", path=network(tmp_path / "m.onnx", [table()]))
    made = create_engine("onnx-vision", model=model, threads=1)
    assert made.info.name == "onnx-vision"
    assert made.info.parallel == 2


def test_people_do_not_overlap_in_the_answer(real: Real) -> None:
    found = real[DETECT].analyze(picture("bus.jpg"), VisionRequest(min_confidence=0.05)).objects
    people = np.array([one.box for one in found if one.label == "person"], np.float32)
    overlaps = iou(people, people)
    np.fill_diagonal(overlaps, 0)
    assert overlaps.max() < 0.46
