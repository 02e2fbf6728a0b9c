"""Wake word models of the user's own, good and bad, and what all models hear of the recordings."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.recordings import data, read_wav
from tests.integration.wake_helpers import Recorder, clip, heard, phrases, pieces
from wyoming_units.engines.base import Audio, WakeDetector, WakeSettings
from wyoming_units.engines.microwakeword import MicroWakeWordDetector
from wyoming_units.engines.openwakeword import OpenWakeWordDetector
from wyoming_units.errors import UnknownWakeWord

pytest.importorskip("pymicro_wakeword")
pytest.importorskip("pyopen_wakeword")

MICRO = {
    "okay_nabu": "Okay Nabu",
    "hey_jarvis": "Hey Jarvis",
    "hey_mycroft": "Hey Mycroft",
    "alexa": "Alexa",
}
OPEN = MICRO | {"hey_rhasspy": "Hey Rhasspy"}

Engine = type[MicroWakeWordDetector] | type[OpenWakeWordDetector]


def loaded(engine: Engine, *models: Path, **words: WakeSettings) -> WakeDetector:
    detector = engine(models=models, words=words)
    detector.load()
    return detector


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged at ERROR, which is all that was logged above INFO."""
    loud = [record for record in caplog.records if record.levelno > logging.INFO]
    assert all(record.levelno == logging.ERROR for record in loud)
    return [record.getMessage() for record in loud]


# -- models that work


def test_a_microwakeword_model_is_heard_under_the_name_of_its_file(tmp_path: Path) -> None:
    source = data("wake-microwakeword")
    config = json.loads((source / "hey_jarvis.json").read_text("utf-8"))
    shutil.copy(source / "hey_jarvis.tflite", tmp_path / "net.tflite")
    path = tmp_path / "my_butler.json"
    path.write_text(json.dumps(config | {"wake_word": "My Butler", "model": "net.tflite"}), "utf-8")
    engine = loaded(MicroWakeWordDetector, path)
    assert phrases(engine) == MICRO | {"my_butler": "My Butler"}
    assert heard(engine, clip("oww_hey_jarvis"), ["my_butler"]) == ["my_butler"]


@pytest.mark.parametrize("source", ["tflite/ok_nabu_v0.1.tflite", "ok_nabu_v0.1.onnx"])
def test_an_openwakeword_model_is_heard_under_the_name_of_its_file(
    tmp_path: Path, source: str
) -> None:
    given = data(f"wake-openwakeword/{source}")
    path = tmp_path / f"hello-computer_v0.1{given.suffix}"
    shutil.copy(given, path)
    engine = loaded(OpenWakeWordDetector, path)
    assert phrases(engine) == OPEN | {"hello-computer": "Hello Computer"}
    names = ["hello-computer", "hey_jarvis"]
    assert heard(engine, clip("oww_okay_nabu"), names) == ["hello-computer"]
    assert heard(engine, clip("oww_hey_jarvis"), names) == ["hey_jarvis"]


def test_a_microwakeword_model_replaces_the_word_of_the_same_name() -> None:
    engine = loaded(MicroWakeWordDetector, data("wake-microwakeword") / "okay_nabu.json")
    (model,) = (model for model in engine.info.models if model.name == "okay_nabu")
    assert model.languages == ("en",)  # the built-in one knows seven
    assert heard(engine, clip("mww_okay_nabu_1")) == ["okay_nabu"]


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_an_openwakeword_model_replaces_the_word_of_the_same_name(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"alexa_v9.{kind}"
    sources = data("wake-openwakeword").glob(f"**/hey_jarvis_v0.1.{kind}")
    shutil.copy(next(sources), path)
    engine = loaded(OpenWakeWordDetector, path)
    assert phrases(engine) == OPEN
    assert sorted(heard(engine, clip("oww_hey_jarvis"))) == ["alexa", "hey_jarvis"]


def test_settings_apply_to_models_of_the_user() -> None:
    path = data("wake-openwakeword/ok_nabu_v0.1.onnx")
    audio = clip("oww_okay_nabu")
    for threshold, words in ((0.9, ["ok_nabu"]), (0.99, [])):
        engine = loaded(OpenWakeWordDetector, path, ok_nabu=WakeSettings(threshold=threshold))
        assert heard(engine, audio, ["ok_nabu"]) == words


def test_the_front_end_beside_the_words_is_no_word() -> None:
    folder = data("wake-openwakeword")
    engine = loaded(OpenWakeWordDetector, *folder.glob("*.onnx"), *folder.glob("tflite/*"))
    assert phrases(engine) == OPEN | {"ok_nabu": "Ok Nabu"}


def scores(path: Path, word: str, audio: Audio) -> list[float]:
    detector = OpenWakeWordDetector(models=[path])
    detector.load()
    stream = detector.start([word])
    recorder = Recorder()
    stream._triggers = {word: recorder}  # type: ignore[dict-item]
    for piece in pieces(audio):
        stream.feed(piece)
    stream.close()
    return recorder.scores


@pytest.mark.parametrize(
    ("word", "largest"), [("hey_jarvis", 0.998), ("ok_nabu", 0.965)], ids=["jarvis", "nabu"]
)
def test_onnx_and_tflite_give_the_same_scores(word: str, largest: float) -> None:
    folder = data("wake-openwakeword")
    audio = np.concatenate(
        [clip(f"oww_{name}") for name in ("hey_jarvis", "okay_nabu", "computer")]
    )
    onnx = scores(folder / f"{word}_v0.1.onnx", word, audio)
    tflite = scores(folder / "tflite" / f"{word}_v0.1.tflite", word, audio)
    assert len(onnx) == len(tflite) > 70
    assert np.abs(np.subtract(onnx, tflite)).max() < 1e-4
    assert max(onnx) == pytest.approx(largest, abs=0.002)


# -- models that do not


def build(path: Path, shape: Sequence[Any], *, outputs: int = 1, logits: bool = False) -> Path:
    """Write an ONNX model that takes the mean of its input, as a probability unless `logits`."""
    onnx = pytest.importorskip("onnx")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=1),
        helper.make_node("Sigmoid" if not logits else "Identity", ["mean"], ["one"]),
        helper.make_node("Concat", ["one"] * outputs, ["y"], axis=2),
    ]
    if logits:
        nodes[1] = helper.make_node("Add", ["mean", "five"], ["one"])
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("x", real, shape)],
        [helper.make_tensor_value_info("y", real, None)],
        [helper.make_tensor("five", real, [1], [5.0])] if logits else [],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opset), path)
    return path


def test_a_built_model_of_the_right_shape_is_taken(tmp_path: Path) -> None:
    """So that the next tests fail for the reason that they name."""
    for name, shape in (("fixed", [1, 16, 96]), ("open", ["batch", 40, 96])):
        engine = loaded(OpenWakeWordDetector, build(tmp_path / f"{name}.onnx", shape))
        assert name in phrases(engine)
        assert heard(engine, clip("oww_hey_jarvis"), ["hey_jarvis", name])


CUT = {
    "cut_head.tflite": "wake-openwakeword/tflite/ok_nabu_v0.1.tflite",
    "cut_head.onnx": "wake-openwakeword/ok_nabu_v0.1.onnx",
}
FOREIGN = {
    "other.tflite": "wake-microwakeword/hey_jarvis.tflite",
    "other.onnx": "wake-openwakeword/melspectrogram.onnx",
}
BUILT: dict[str, Callable[[Path], Path]] = {
    "features.onnx": lambda path: build(path, [1, 16, 40]),
    "flat.onnx": lambda path: build(path, [16, 96]),
    "endless.onnx": lambda path: build(path, [1, "frames", 96]),
    "long.onnx": lambda path: build(path, [1, 100_000, 96]),
    "classes.onnx": lambda path: build(path, [1, 16, 96], outputs=3),
    "logits.onnx": lambda path: build(path, [1, 16, 96], logits=True),
}


def bad_model(folder: Path, name: str) -> Path:
    """Return a model file of the user that cannot be used."""
    path = folder / name
    if name in BUILT:
        return BUILT[name](path)
    if name in FOREIGN:
        shutil.copy(data(FOREIGN[name]), path)
    elif name in CUT:
        content = data(CUT[name]).read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif not name.startswith("missing"):
        path.write_bytes(b"" if name.startswith("empty") else b"not a model")
    return path


@pytest.mark.parametrize(
    "name",
    [
        *(f"{what}.{kind}" for what in ("missing", "empty", "text") for kind in ("tflite", "onnx")),
        "word.pb",
        *CUT,
        *FOREIGN,
        *BUILT,
    ],
)
def test_an_openwakeword_file_that_cannot_be_used_is_named_and_the_other_words_are_heard(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = bad_model(tmp_path, name)
    good = data("wake-openwakeword/ok_nabu_v0.1.onnx")
    engine = loaded(OpenWakeWordDetector, path, good)
    (error,) = errors(caplog)
    assert str(path) in error
    assert "\n" not in error
    assert phrases(engine) == OPEN | {"ok_nabu": "Ok Nabu"}
    with pytest.raises(UnknownWakeWord):
        engine.start([path.stem])
    assert heard(engine, clip("oww_okay_nabu"), ["ok_nabu", "alexa"]) == ["ok_nabu"]
    engine.close()
    engine.load()
    assert len(errors(caplog)) == 1


CONFIG = {"wake_word": "W", "model": "net.tflite"}
RULES = {"probability_cutoff": 0.9, "sliding_window_size": 5}
BAD_CONFIGS: dict[str, Any] = {
    "null": None,
    "list": [],
    "nothing": {},
    "rules": CONFIG,
    "text": CONFIG | {"micro": "often"},
    "cutoff": CONFIG | {"micro": RULES | {"probability_cutoff": 1.5}},
    "window": CONFIG | {"micro": RULES | {"sliding_window_size": 0}},
    "huge": CONFIG | {"micro": RULES | {"sliding_window_size": 1e12}},
    "features": CONFIG | {"micro": RULES | {"feature_step_size": 20}},
    "silent": CONFIG | {"micro": RULES, "wake_word": ""},
    "number": CONFIG | {"micro": RULES, "wake_word": 7},
    "languages": CONFIG | {"micro": RULES, "trained_languages": "en"},
    "kind": CONFIG | {"micro": RULES, "type": "macro"},
    "voices": CONFIG | {"micro": RULES, "wake_word": "vad"},
    "lonely": CONFIG | {"micro": RULES, "model": "elsewhere.tflite"},
    "up": CONFIG | {"micro": RULES, "model": "."},
}


@pytest.mark.parametrize("name", [*BAD_CONFIGS, "missing", "garbage", "binary"])
def test_a_microwakeword_file_that_makes_no_sense_is_named_once_and_never_offered(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(data("wake-microwakeword/hey_jarvis.tflite"), tmp_path / "net.tflite")
    path = tmp_path / f"{name}.json"
    if name in BAD_CONFIGS:
        path.write_text(json.dumps(BAD_CONFIGS[name]), "utf-8")
    elif name != "missing":
        path.write_bytes(b"{" if name == "garbage" else b"\xff\xfe\x00{")
    good = data("wake-microwakeword/okay_nabu.json")
    for _ in range(3):  # a node looks at the folder again and again
        engine = MicroWakeWordDetector(models=[path, good])
        assert phrases(engine) == MICRO
    (error,) = errors(caplog)
    assert str(path) in error
    assert "\n" not in error
    engine.load()
    assert heard(engine, clip("mww_okay_nabu_1")) == ["okay_nabu"]


@pytest.mark.parametrize("name", ["cut", "text", "empty", "other"])
def test_microwakeword_weights_that_cannot_be_used_are_named_and_the_other_words_are_heard(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "word.json"
    path.write_text(json.dumps(CONFIG | {"micro": RULES}), "utf-8")
    content = {
        "cut": data("wake-microwakeword/hey_jarvis.tflite").read_bytes()[:20_000],
        "text": b"not a model",
        "empty": b"",
        "other": data("wake-openwakeword/tflite/ok_nabu_v0.1.tflite").read_bytes(),
    }
    (tmp_path / "net.tflite").write_bytes(content[name])
    settings = WakeSettings(threshold=0.5)
    engine = loaded(MicroWakeWordDetector, path, word=settings, okay_nabu=settings)
    (error,) = errors(caplog)
    assert str(tmp_path / "net.tflite") in error
    assert phrases(engine) == MICRO
    assert heard(engine, clip("oww_okay_nabu")) == ["okay_nabu"]
    with pytest.raises(UnknownWakeWord):
        engine.start(["word"])


def test_a_broken_file_does_not_bring_back_the_word_that_it_replaces(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "alexa.tflite"
    path.write_bytes(b"not a model")
    engine = loaded(OpenWakeWordDetector, path)
    assert "alexa" not in phrases(engine)
    assert len(errors(caplog)) == 1


def test_an_onnx_model_needs_onnxruntime_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as where it is not installed
    path = data("wake-openwakeword/ok_nabu_v0.1.onnx")
    engine = loaded(OpenWakeWordDetector, path)
    (error,) = errors(caplog)
    assert str(path) in error
    assert "wyoming-units[onnx]" in error
    assert phrases(engine) == OPEN


def test_a_file_that_is_written_over_does_not_disturb_who_listens_to_it(tmp_path: Path) -> None:
    path = tmp_path / "word.tflite"
    shutil.copy(data("wake-openwakeword/tflite/ok_nabu_v0.1.tflite"), path)
    engine = loaded(OpenWakeWordDetector, path)
    path.write_bytes(b"")
    assert heard(engine, clip("oww_okay_nabu"), ["word"]) == ["word"]


# -- recall and false accepts

HEARD = {
    "oww_hey_jarvis": ["hey_jarvis"],
    "oww_okay_nabu": ["okay_nabu"],
}
HEARD_BY: dict[Engine, dict[str, list[str]]] = {
    MicroWakeWordDetector: HEARD
    | {"mww_hey_jarvis_1": ["hey_jarvis"], "mww_okay_nabu_1": ["okay_nabu"]},
    OpenWakeWordDetector: HEARD | {"oww_hey_rhasspy": ["hey_rhasspy"]},
}
"""Every detection in the recordings of wake words, near misses and noise (27 s) by the models of the wheels."""
SETS: dict[str, tuple[Engine, str, dict[str, list[str]]]] = {
    "micro": (MicroWakeWordDetector, "", {}),
    "micro-own": (MicroWakeWordDetector, "wake-microwakeword/[ho]*.json", {}),
    "open": (OpenWakeWordDetector, "", {}),
    "open-tflite": (
        OpenWakeWordDetector,
        "wake-openwakeword/tflite/*.tflite",
        {"oww_okay_nabu": ["ok_nabu", "okay_nabu"]},
    ),
    "open-onnx": (
        OpenWakeWordDetector,
        "wake-openwakeword/*.onnx",
        {"oww_okay_nabu": ["ok_nabu", "okay_nabu"]},
    ),
}
"""Engine, models beside the wheel's own, and what else these hear."""


@pytest.mark.parametrize("name", SETS)
def test_what_is_heard_in_the_recordings_is_just_this(name: str) -> None:
    engine, pattern, more = SETS[name]
    root = data("media").parent
    detector = loaded(engine, *(sorted(root.glob(pattern)) if pattern else ()))
    files = [*data("media/wake").glob("*.wav"), *data("media/noise").glob("*.wav")]
    assert len(files) == 11
    found = {path.stem: sorted(heard(detector, read_wav(path))) for path in files}
    assert {stem: words for stem, words in found.items() if words} == HEARD_BY[engine] | more
    detector.close()
