"""Sessions of the NPU's library: shared, one call at a time, and plain errors."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper

from tests.integration.onnx_graphs import save
from tests.npu import STAND_INS, axfunction, axmodel, forget, memory_file
from wyoming_units.engines import _axengine
from wyoming_units.engines._axengine import Session, files_of, open_session, read_mode
from wyoming_units.engines._onnx_file import Tensor
from wyoming_units.errors import EngineFailed

pytest_plugins = ("tests.npu",)
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def doubling(path: Path, rows: int = 2) -> Path:
    """Write an ONNX file that doubles a table and sums it up."""
    table = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [rows, 3]) for n in ("x", "twice")]
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, [1, 1])
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("ReduceSum", ["x"], ["total"]),
    ]
    save(path, helper.make_graph(nodes, "double", table[:1], [table[1], total]), {})
    return path


@pytest.fixture
def file(tmp_path: Path, npu: Any) -> Path:
    return axmodel(tmp_path / "net" / "net.axmodel", doubling(tmp_path / "net.onnx"))


def test_outputs_come_by_name_in_the_networks_order(file: Path) -> None:
    session = open_session(file)
    outputs = session.run({"x": X})
    assert list(outputs) == ["twice", "total"]
    np.testing.assert_array_equal(outputs["twice"], 2 * X)
    assert outputs["total"].item() == 15
    assert session.inputs == (Tensor(name="x", shape=(2, 3), kind="float32"),)
    assert session.outputs[1] == Tensor(name="total", shape=(1, 1), kind="float32")
    session.close()


def test_what_lies_in_another_order_in_memory_goes_in_as_it_reads(file: Path) -> None:
    session = open_session(file)
    turned = np.asfortranarray(X)
    np.testing.assert_array_equal(session.run({"x": turned})["twice"], 2 * X)
    sliced = np.repeat(X, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(session.run({"x": sliced})["twice"], 2 * X)
    session.close()


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ({"x": X.astype(np.float64)}, r"not x float64 \(2, 3\)"),
        ({"x": X[:1]}, r"not x float32 \(1, 3\)"),
        ({}, "not none"),
        ({"x": X, "y": X}, r"not x float32 \(2, 3\), y float32"),
    ],
)
def test_feeds_of_other_shapes_types_and_names_are_refused(
    npu: Any, file: Path, feeds: dict[str, NDArray[Any]], told: str
) -> None:
    session = open_session(file)
    with pytest.raises(EngineFailed, match=rf"failed: it takes x float32 \(2, 3\), {told}"):
        session.run(feeds)
    assert npu.runs == 0
    session.close()


def test_a_run_that_the_npu_breaks_off_is_one_line_and_the_next_one_is_whole(
    npu: Any, file: Path
) -> None:
    session = open_session(file)
    npu.runs_fail = True
    with pytest.raises(EngineFailed, match=r"net\.axmodel failed: Failed to run model: 0x80060110"):
        session.run({"x": X})
    npu.runs_fail = False
    assert session.run({"x": X})["total"].item() == 15
    session.close()


def test_shapes_come_in_groups(tmp_path: Path, npu: Any) -> None:
    path = axmodel(
        tmp_path / "g.axmodel", doubling(tmp_path / "2.onnx"), doubling(tmp_path / "4.onnx", 4)
    )
    session = open_session(path)
    assert session.run({"x": np.ones((4, 3), np.float32)}, shape_group=1)["total"].item() == 12
    assert session.run({"x": X})["total"].item() == 15
    with pytest.raises(EngineFailed, match=r"g\.axmodel failed"):
        session.run({"x": X}, shape_group=2)
    session.close()


def test_a_file_is_loaded_once_and_freed_with_its_last_user(
    tmp_path: Path, npu: Any, file: Path
) -> None:
    link = tmp_path / "link.axmodel"
    link.symlink_to(file)
    one, two = open_session(file), open_session(link)
    assert len(npu.loads) == len(npu.live) == 1
    one.close()
    one.close()  # gives back once
    with pytest.raises(EngineFailed, match=r"net\.axmodel is closed"):
        one.run({"x": X})
    assert two.run({"x": X})["total"].item() == 15
    one = open_session(file)
    assert len(npu.loads) == 1
    for session in (one, two):
        assert len(npu.live) == 1
        session.close()
    assert len(npu.live) == 0
    three = open_session(file)
    assert len(npu.loads) == 2
    three.close()


def test_a_file_that_was_replaced_is_another_network(tmp_path: Path, file: Path) -> None:
    old = open_session(file)
    new = tmp_path / "new.axmodel"
    axmodel(new, doubling(tmp_path / "4.onnx", 4)).replace(file)
    other = open_session(file)
    assert old.run({"x": X})["total"].item() == 15
    assert other.inputs[0].shape == (4, 3)
    old.close()
    again = open_session(file)
    assert again.run({"x": np.ones((4, 3), np.float32)})["total"].item() == 12
    for session in (other, again):
        session.close()


def test_threads_take_turns_with_a_session_and_none_with_two(tmp_path: Path, npu: Any) -> None:
    here, go = threading.Semaphore(0), threading.Event()

    def slow(feeds: Mapping[str, NDArray[Any]], _group: int) -> list[NDArray[Any]]:
        here.release()
        assert go.wait(20)
        return [feeds["x"] + 1]

    sides = [("x", np.float32, [1])], [("y", np.float32, [1])]
    files = [axfunction(tmp_path / f"{name}.axmodel", slow, sides) for name in "ab"]
    users = [open_session(file) for file in (files[0], files[0], files[1])]
    results: dict[int, float] = {}

    def use(number: int, session: Session) -> None:
        results[number] = session.run({"x": np.full(1, number, np.float32)})["y"].item()

    threads = [threading.Thread(target=use, args=each) for each in enumerate(users)]
    for thread in threads:
        thread.start()
    assert here.acquire(timeout=20)
    assert here.acquire(timeout=20)  # the two sessions run together
    assert not here.acquire(timeout=0.2)  # the second user of the first one waits
    go.set()
    for thread in threads:
        thread.join(20)
    assert results == {0: 1, 1: 2, 2: 3}
    for session in users:
        session.close()


def test_many_threads_that_open_at_once_load_once(npu: Any, file: Path) -> None:
    start = threading.Barrier(8)
    sessions: list[Session] = []

    def use() -> None:
        start.wait(20)
        sessions.append(open_session(file))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(sessions), len(npu.loads)) == (8, 1)
    for session in sessions:
        session.close()
    assert len(npu.live) == 0


@pytest.mark.parametrize(
    ("whole", "half"),
    [
        ("yolo11n/yolo11n/yolo11n.axmodel", "yolo11n-npu1/yolo11n-npu1/yolo11n.axmodel"),
        ("yolo11n/yolo11n.axmodel", "yolo11n-npu1/yolo11n_npu1.axmodel"),
        ("depth-any-ax630c/d.axmodel", "depth-any-npu1-ax630c/d.axmodel"),
        ("m/yolo11n.axmodel", "m/yolo11n-npu1.axmodel"),
    ],
)
def test_while_the_camera_has_half_of_the_npu_the_sibling_for_the_other_half_is_used(
    tmp_path: Path, npu: Any, caplog: pytest.LogCaptureFixture, whole: str, half: str
) -> None:
    onnx = doubling(tmp_path / "net.onnx")
    first, second = axmodel(tmp_path / whole, onnx), axmodel(tmp_path / half, onnx, half=True)
    npu.vnpu = True
    with caplog.at_level(logging.WARNING):
        session = open_session(first)
    assert npu.loads == [str(second)]
    assert session.path == second
    assert str(second) in caplog.text
    assert "not allowed when vnpu" in caplog.text
    assert session.run({"x": X})["total"].item() == 15
    session.close()

    npu.vnpu = False
    session = open_session(first)
    assert npu.loads[1:] == [str(first)]
    session.close()


def test_without_a_sibling_it_says_why_the_network_cannot_be_loaded(npu: Any, file: Path) -> None:
    npu.vnpu = True
    with pytest.raises(EngineFailed, match=r"net\.axmodel cannot be loaded: .*vnpu"):
        open_session(file)
    assert npu.loads == []


def test_a_file_that_is_no_network_is_refused(tmp_path: Path, npu: Any) -> None:
    page = tmp_path / "page.axmodel"
    page.write_text("<html>")
    with pytest.raises(EngineFailed, match=r"page\.axmodel cannot be loaded: .*0x8006010a"):
        open_session(page)
    with pytest.raises(EngineFailed, match=r"none\.axmodel does not exist"):
        open_session(tmp_path / "none.axmodel")


def test_what_is_larger_than_the_npus_free_memory_is_refused_before_it_is_loaded(
    tmp_path: Path, npu: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_axengine, "CMM", memory_file(tmp_path / "mem_cmm_info", 2048))
    with file.open("ab") as out:
        out.truncate(5 << 20)
    assert _axengine.memory_left() == 2048
    with pytest.raises(EngineFailed, match=r"at least 5 MB of the NPU's memory, and 2 MB are free"):
        open_session(file)
    assert npu.loads == []
    memory_file(tmp_path / "mem_cmm_info", 6 << 10)
    open_session(file).close()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (" total size=3145728KB(3072MB),used=448KB(0MB + 448KB),remain=3145280KB(3071MB)", 3145280),
        ("total size = 3072MB, used = 1024MB, remain = 2048MB", 2 << 20),
        ("partition_number=1", None),
        ("", None),
    ],
)
def test_free_memory_is_what_the_module_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, left: int | None
) -> None:
    monkeypatch.setattr(_axengine, "CMM", tmp_path / "cmm")
    assert _axengine.memory_left() is None
    (tmp_path / "cmm").write_text(text)
    assert _axengine.memory_left() == left


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            'raise ImportError("No providers found.")',
            "No providers found.*LD_LIBRARY_PATH=/soc/lib",
        ),
        ("assert False", "AssertionError.*LD_LIBRARY_PATH=/soc/lib"),
        ('raise OSError("libax_engine.so: not found")', "libax_engine.*LD_LIBRARY_PATH=/soc/lib"),
    ],
)
def test_what_the_library_lacks_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "axengine.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    forget()
    with pytest.raises(EngineFailed, match=told):
        open_session(tmp_path / "m.axmodel")
    forget()


def test_without_the_library_its_wheel_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if "stand_ins" not in one])
    forget()
    with pytest.raises(EngineFailed, match=r"not installed: pip install the axengine wheel"):
        open_session(tmp_path / "m.axmodel")


def test_what_the_library_prints_stays_out_of_standard_output(file: Path) -> None:
    script = """
import sys
from pathlib import Path
from wyoming_units.engines._axengine import open_session
open_session(Path(sys.argv[1]))
print("data")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": f"{STAND_INS}:{STAND_INS.parents[1]}"},
    )
    assert done.stdout == "data\n"


def test_other_threads_print_while_the_library_is_silent(
    tmp_path: Path, npu: Any, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    loading, go = threading.Event(), threading.Event()
    import axengine

    class Slow(axengine.InferenceSession):  # type: ignore[misc]
        def __init__(self, path: str) -> None:
            print("noise")
            loading.set()
            assert go.wait(20)
            super().__init__(path)

    axengine.InferenceSession = Slow
    thread = threading.Thread(target=lambda: open_session(file).close())
    thread.start()
    assert loading.wait(20)
    print("mine")
    go.set()
    thread.join(20)
    print("after")
    assert capsys.readouterr().out == "mine\nafter\n"


@pytest.mark.parametrize(
    "place", ["models/mode_m.json", "mode_m.json", "m/m.json", "m.json", "../models/mode_m.json"]
)
def test_a_mode_is_read_from_where_packages_have_it(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    assert read_mode(folder, "m") == {}
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"mode": "m", "mode_param": {"img_h": 320}}))
    assert read_mode(folder, "m") == {"img_h": 320}


def test_a_broken_mode_is_an_error_and_an_odd_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"mode_param": ')
    with pytest.raises(EngineFailed, match=r"m\.json cannot be read"):
        read_mode(tmp_path, "m")
    for odd in ("[]", '{"mode_param": 3}', "{}"):
        (tmp_path / "m.json").write_text(odd)
        assert read_mode(tmp_path, "m") == {}


def test_files_are_in_the_modes_folder_or_the_packages(tmp_path: Path) -> None:
    assert files_of(tmp_path, "m") == tmp_path
    (tmp_path / "m").mkdir()
    assert files_of(tmp_path, "m") == tmp_path / "m"
