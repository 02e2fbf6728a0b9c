"""Object networks on the NPU: they find what they find on the CPU, and are taken from packages as these come."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

from onnx import TensorProto
from PIL import Image

from tests.integration.conftest import running
from tests.integration.models_axengine import CUTS, SIDE, fixed, npu_onnx, package, run_onnx
from tests.integration.models_vision import network
from tests.integration.raw import raw as connected
from tests.integration.recordings import data
from tests.integration.squares import picture as jpeg
from tests.npu import axmodel
from tests.unit.yolo_outputs import THINGS
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import create_engine
from wyoming_units.engines.axengine_yolo import AxYolo
from wyoming_units.engines.base import VisionRequest
from wyoming_units.engines.onnx_vision import OnnxVision
from wyoming_units.errors import EngineFailed
from wyoming_units.vision.coco import COCO
from wyoming_units.vision.letterbox import Letterbox, fit
from wyoming_units.vision.scene import Found, Pixels, Scene

pytest_plugins = ("tests.npu",)

Array = NDArray[np.float32]
KEY = "yolo_model"
DETECT = "yolo11n_dynquant.onnx"
PICTURES = ("bus.jpg", "zidane.jpg", "000000000632.jpg")
BLANK = np.zeros((SIDE, SIDE, 3), np.uint8)


def picture(name: str) -> Pixels:
    with Image.open(data(f"media/images/{name}")) as image:
        return np.asarray(image.convert("RGB"))


def local(path: Path, **options: Any) -> LocalModel:
    return LocalModel(name="eyes", path=path, options=options)


def cpu(path: Path, **options: Any) -> OnnxVision:
    eyes = OnnxVision(model=local(path, **options))
    try:
        eyes.load()
    except EngineFailed as error:
        if "NOT_IMPLEMENTED" not in str(error):
            raise
        pytest.skip(f"this ONNX Runtime cannot run {path.name}")
    return eyes


def npu_eyes(path: Path, **options: Any) -> AxYolo:
    eyes = create_engine("axengine-yolo", model=local(path, **options))
    assert isinstance(eyes, AxYolo)
    eyes.load()
    return eyes


def assert_same(ours: Scene, theirs: Scene, *, within: float = 1e-3) -> None:
    assert (ours.width, ours.height) == (theirs.width, theirs.height)
    assert len(ours.objects) == len(theirs.objects)
    for one, other in zip(ours.objects, theirs.objects, strict=True):
        assert (one.label, one.posture, one.gesture) == (other.label, other.posture, other.gesture)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
        assert one.box == pytest.approx(other.box, abs=within)
        assert (one.keypoints is None) == (other.keypoints is None)
        if one.keypoints is not None and other.keypoints is not None:
            np.testing.assert_allclose(one.keypoints, other.keypoints, atol=within)
        assert one.mask == other.mask


@pytest.mark.parametrize(
    ("kind", "tasks"),
    [
        ("detect", ("detect",)),
        ("segment", ("detect", "segment")),
        ("pose", ("pose",)),
        ("hand", ("hand",)),
    ],
)
def test_a_network_finds_the_same_on_the_npu_as_on_the_cpu(
    tmp_path: Path, npu: Any, kind: str, tasks: tuple[str, ...]
) -> None:
    file = fixed(tmp_path, kind)
    far, near = cpu(file), npu_eyes(axmodel(tmp_path / "net.axmodel", file))
    image = np.zeros((480, 640, 3), np.uint8)
    scene = near.analyze(image, VisionRequest())
    assert_same(scene, far.analyze(image, VisionRequest()))
    assert len(scene.objects) == len(THINGS)
    assert near.info.models[0].tasks == far.info.models[0].tasks == tasks
    assert near.info.models[0].labels == far.info.models[0].labels
    assert all((one.mask is not None) == (kind == "segment") for one in scene.objects)
    joints = {"pose": 17, "hand": 21}.get(kind, 0)
    assert all(
        len(one.keypoints if one.keypoints is not None else ()) == joints for one in scene.objects
    )


@pytest.mark.parametrize("model", CUTS)
def test_real_networks_find_the_same_in_real_pictures(tmp_path: Path, npu: Any, model: str) -> None:
    whole = data(f"vision-yolo/{model}")
    far = cpu(whole)
    file = npu_onnx(whole, tmp_path / "whole.onnx")
    labels = [*far.info.models[0].labels]
    near = npu_eyes(axmodel(tmp_path / "whole.axmodel", file), labels=labels)
    objects = 0
    for name in PICTURES:
        image = picture(name)
        scene = near.analyze(image, VisionRequest())
        assert_same(scene, far.analyze(image, VisionRequest()))
        objects += len(scene.objects)
    assert objects >= 5


@pytest.mark.parametrize("model", CUTS)
def test_real_networks_that_end_before_boxes_are_decoded_are_decoded_as_the_document_says(
    tmp_path: Path, npu: Any, model: str
) -> None:
    """The NPU gives distributions and logits; a reference that shares no code makes boxes and joints of them."""
    whole = data(f"vision-yolo/{model}")
    cpu(whole)  # skips where it cannot run at all
    file = npu_onnx(whole, tmp_path / "cut.onnx", CUTS[model])
    near = npu_eyes(axmodel(tmp_path / "cut.axmodel", file))
    width, height = (SIDE, SIDE) if "seg" in model else (640, 640)
    labels = near.info.models[0].labels
    objects = 0
    for name in PICTURES:
        image = picture(name)
        letterbox = fit(image.shape[1], image.shape[0], (width, height))
        outputs = run_onnx(file, letterbox.apply(image))
        wanted = plainly(outputs, 1 if "pose" in model else 80, 0.25)
        found = near.analyze(image, VisionRequest()).objects
        objects += len(found)
        assert len(found) == len(wanted)
        for one, row in zip(found, wanted, strict=True):
            assert_is(one, row, letterbox)
            assert one.label == labels[row["class"]]
    assert objects >= 5


def assert_is(one: Found, row: dict[str, Any], letterbox: Letterbox) -> None:
    across, down = (
        inner / whole
        for inner, whole in zip(letterbox.inner, (letterbox.width, letterbox.height), strict=True)
    )
    left, top = letterbox.left, letterbox.top
    x1, y1, x2, y2 = row["box"]
    wanted = [(x1 - left) / across, (y1 - top) / down, (x2 - left) / across, (y2 - top) / down]
    limits = (letterbox.width, letterbox.height) * 2
    inside = [min(max(value, 0), limit) for value, limit in zip(wanted, limits, strict=True)]
    assert one.box == pytest.approx(inside, abs=0.01)
    assert one.confidence == pytest.approx(row["score"], abs=1e-4)
    if one.keypoints is not None:
        joints = [((x - left) / across, (y - top) / down, seen) for x, y, seen in row["joints"]]
        np.testing.assert_allclose(one.keypoints, joints, atol=0.01)


def plainly(outputs: Sequence[Array], classes: int, least: float) -> list[dict[str, Any]]:
    """Decode maps cell by cell, as §3.1 of the reference does: the best box first, those that overlap it left out."""
    rows: list[dict[str, Any]] = []
    for level, stride in enumerate((8, 16, 32)):
        cells = outputs[level][0]
        points = outputs[level + 3][0] if len(outputs) == 6 else None
        for y in range(cells.shape[0]):
            for x in range(cells.shape[1]):
                logits = [float(value) for value in cells[y, x, 64 : 64 + classes]]
                best = max(logits)
                if 1 / (1 + math.exp(-best)) < least:
                    continue
                left, top, right, bottom = (
                    stride * mean_bin(cells[y, x, side * 16 : side * 16 + 16]) for side in range(4)
                )
                centre = ((x + 0.5) * stride, (y + 0.5) * stride)
                rows.append(
                    {
                        "score": 1 / (1 + math.exp(-best)),
                        "class": logits.index(best),
                        "box": [
                            centre[0] - left,
                            centre[1] - top,
                            centre[0] + right,
                            centre[1] + bottom,
                        ],
                        "joints": [] if points is None else joints_of(points[y, x], x, y, stride),
                    }
                )
    kept: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: -float(row["score"])):
        same = [one for one in kept if one["class"] == row["class"]]
        if all(overlap(one["box"], row["box"]) <= 0.45 for one in same):
            kept.append(row)
    return kept


def mean_bin(logits: Array) -> float:
    top = float(max(logits))
    weights = [math.exp(float(value) - top) for value in logits]
    return sum(number * weight for number, weight in enumerate(weights)) / sum(weights)


def joints_of(values: Array, x: int, y: int, stride: int) -> list[tuple[float, float, float]]:
    return [
        (
            (float(values[place]) * 2 + x) * stride,
            (float(values[place + 1]) * 2 + y) * stride,
            1 / (1 + math.exp(-float(values[place + 2]))),
        )
        for place in range(0, len(values), 3)
    ]


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_boxes_that_the_network_decodes_and_those_that_we_decode_are_the_same(
    tmp_path: Path, npu: Any
) -> None:
    # But for some pixels: the file's own end calculates with whole numbers.
    whole = data(f"vision-yolo/{DETECT}")
    far = cpu(whole)
    cut = npu_onnx(whole, tmp_path / "cut.onnx", CUTS[DETECT])
    near = npu_eyes(axmodel(tmp_path / "cut.axmodel", cut))
    for name in PICTURES:
        image = picture(name)
        assert_same(
            near.analyze(image, VisionRequest()), far.analyze(image, VisionRequest()), within=4
        )


async def test_a_client_sees_through_a_node(tmp_path: Path, npu: Any) -> None:
    said: Any = {"model_type": "detect", "cls_name": [*COCO]}
    folder = package(tmp_path / "yolo11n", "yolo11n", fixed(tmp_path, "detect"), key=KEY, **said)
    units = [f"vision=axengine-yolo:{folder}"]
    async with running(tmp_path / "data", units=units) as node, connected(node.port) as peer:
        await peer.event("describe")
        info = await peer.frame() or {}
        await peer.event("analyze-image", {"tasks": ["detect"]}, jpeg())
        answer = await peer.frame() or {}
    (program,) = info["vision"]
    assert (program["name"], program["models"][0]["name"]) == ("axengine-yolo", "yolo11n")
    assert [one["label"] for one in answer["objects"]] == [COCO[thing.kind] for thing in THINGS]


@pytest.mark.parametrize(
    ("said", "kind", "tasks", "labels"),
    [
        (
            {"model_type": "detect", "cls_name": [f"n{i}" for i in range(80)]},
            "detect",
            ("detect",),
            "n0",
        ),
        (
            {"model_type": "segment", "cls_name": [*COCO]},
            "segment",
            ("detect", "segment"),
            "person",
        ),
        (
            {"model_type": "pose", "point_num": 17, "cls_name": ["person"]},
            "pose",
            ("pose",),
            "person",
        ),
        ({"model_type": "pose", "point_num": 21, "cls_name": ["hand"]}, "hand", ("hand",), "hand"),
    ],
)
def test_a_package_says_what_its_network_is_before_it_is_loaded(
    tmp_path: Path,
    npu: Any,
    said: Any,
    kind: str,
    tasks: tuple[str, ...],
    labels: str,
) -> None:
    folder = package(
        tmp_path / "eyes", "mode-x", fixed(tmp_path, kind), key=KEY, img_h=SIDE, **said
    )
    eyes = AxYolo(model=local(folder, mode="mode-x"))
    for _ in range(2):
        (model,) = eyes.info.models
        assert (model.tasks, model.labels[0], len(model.labels)) == (
            tasks,
            labels,
            len(said["cls_name"]),
        )
        eyes.load()
    assert eyes.analyze(BLANK, VisionRequest()).objects
    eyes.close()


def test_the_manifests_options_have_the_last_word(tmp_path: Path, npu: Any) -> None:
    names = [f"a{number}" for number in range(80)]
    folder = package(
        tmp_path / "eyes",
        "m",
        fixed(tmp_path, "detect"),
        key=KEY,
        model_type="pose",
        cls_name=["b"],
    )
    eyes = npu_eyes(folder, mode="m", task="detect", labels=names)
    assert eyes.info.models[0].labels == tuple(names)
    found = eyes.analyze(BLANK, VisionRequest()).objects
    assert found[0].label == names[THINGS[0].kind]


@pytest.mark.parametrize("place", ["yolo11n.axmodel", "ax620e/yolo11n.axmodel", ""])
def test_a_file_and_folders_with_just_one_will_do(tmp_path: Path, npu: Any, place: str) -> None:
    folder = tmp_path / "hub"
    file = axmodel(folder / (place or "yolo11n.axmodel"), fixed(tmp_path, "detect"))
    axmodel(file.with_name("yolo11n_npu1.axmodel"), fixed(tmp_path, "detect"), half=True)
    eyes = npu_eyes(folder if place else file, task="detect")
    assert len(eyes.analyze(BLANK, VisionRequest()).objects) == len(THINGS)
    assert npu.loads == [str(file)]


def test_a_mode_on_the_module_itself_is_used_by_its_path(tmp_path: Path, npu: Any) -> None:
    said: Any = {"model_type": "pose", "point_num": 21, "cls_name": ["paw"]}
    data_folder = package(tmp_path / "data", "m", fixed(tmp_path, "hand"), key=KEY, **said)
    for path in (data_folder / "m", data_folder / "m" / "net.axmodel"):
        eyes = AxYolo(model=LocalModel(name=path.stem, path=path))
        assert (eyes.info.models[0].tasks, eyes.info.models[0].labels) == (("hand",), ("paw",))


@pytest.mark.parametrize("files", [(), ("a", "b")])
def test_a_folder_without_just_one_file_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / f"{name}.axmodel").touch()
    told = ", ".join(f"{name}.axmodel" for name in files) or "none"
    with pytest.raises(EngineFailed, match=f"exactly one .axmodel file; there are: {told}"):
        AxYolo(model=local(tmp_path))


def test_a_network_of_another_kind_is_refused_and_freed(tmp_path: Path, npu: Any) -> None:
    other = network(
        tmp_path / "o.onnx",
        [np.zeros((1, 7, 9), np.float32)],
        shape=(1, SIDE, SIDE, 3),
        kind=TensorProto.UINT8,
    )
    eyes = AxYolo(model=local(axmodel(tmp_path / "o.axmodel", other)))
    with pytest.raises(EngineFailed, match=r"o\.axmodel cannot be used: .*output0 \(1, 7, 9\)"):
        eyes.load()
    assert len(npu.live) == 0


def test_while_the_camera_has_half_of_the_npu_the_other_package_looks(
    tmp_path: Path, npu: Any, caplog: pytest.LogCaptureFixture
) -> None:
    file = fixed(tmp_path, "detect")
    for name in ("yolo11n", "yolo11n-npu1"):
        package(tmp_path / name, name, file, key=KEY, half="npu1" in name, model_type="detect")
    npu.vnpu = True
    with caplog.at_level(logging.WARNING):
        eyes = npu_eyes(tmp_path / "yolo11n", mode="yolo11n")
    assert "yolo11n-npu1" in caplog.text
    assert eyes.report == {"provider": "NPU", "file": "yolo11n-npu1/net.axmodel"}
    assert len(eyes.analyze(BLANK, VisionRequest()).objects) == len(THINGS)


def test_two_engines_of_one_file_share_its_memory_and_take_turns(tmp_path: Path, npu: Any) -> None:
    file = axmodel(tmp_path / "net.axmodel", fixed(tmp_path, "detect"))
    engines = [npu_eyes(file), npu_eyes(file)]
    counts: list[int] = []

    def look(eyes: AxYolo) -> None:
        counts.extend(len(eyes.analyze(BLANK, VisionRequest()).objects) for _ in range(20))

    threads = [threading.Thread(target=look, args=(eyes,)) for eyes in engines * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [len(THINGS)] * 80
    assert len(npu.loads) == 1
    engines[0].close()
    with pytest.raises(EngineFailed, match="eyes is not loaded"):
        engines[0].analyze(BLANK, VisionRequest())
    assert len(engines[1].analyze(BLANK, VisionRequest()).objects) == len(THINGS)
    engines[1].close()
    assert len(npu.live) == 0


def test_a_run_that_fails_is_one_error_and_the_next_one_is_whole(tmp_path: Path, npu: Any) -> None:
    eyes = npu_eyes(axmodel(tmp_path / "net.axmodel", fixed(tmp_path, "detect")))
    npu.runs_fail = True
    with pytest.raises(EngineFailed, match="Failed to run model"):
        eyes.analyze(BLANK, VisionRequest())
    npu.runs_fail = False
    eyes.interrupt(threading.get_ident())
    assert len(eyes.analyze(BLANK, VisionRequest()).objects) == len(THINGS)
