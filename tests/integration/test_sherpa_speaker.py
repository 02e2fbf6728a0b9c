"""Who speaks, on a small model that knows voices by their tones."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sherpa_onnx")
pytest.importorskip("onnx")

from tests.integration.models_sherpa import speech
from tests.integration.models_sherpa_other import described, speaker
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines.base import RATE
from wyoming_units.engines.sherpa_speaker import SherpaSpeakerIdentifier
from wyoming_units.errors import EngineFailed

ANNA, BERT, CARL = speech("alpha alpha alpha"), speech("golf hotel golf"), speech("delta delta")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return LocalModel(name="voices", path=speaker(tmp_path_factory.mktemp("models") / "voices"))


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Return a folder that knows Anna by one recording, and Bert by two."""
    folder = tmp_path / "people"
    write(folder / "Anna.wav", ANNA)
    write(folder / "Bert" / "morning.wav", speech("golf golf golf"))
    write(folder / "Bert" / "evening.wav", speech("hotel hotel hotel"))
    return folder


@pytest.fixture
def engine(model: LocalModel, people: Path) -> Iterator[SherpaSpeakerIdentifier]:
    engine = SherpaSpeakerIdentifier(model=model, enrol=people)
    engine.load()
    yield engine
    engine.close()


def write(path: Path, samples: np.ndarray, *, rate: int = RATE, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = np.repeat((samples * 32_767).astype("<i2"), channels)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())


def test_people_are_told_apart_by_their_voices(engine: SherpaSpeakerIdentifier) -> None:
    assert engine.identify(ANNA[: 2 * RATE]) == "Anna"
    assert engine.identify(speech("golf golf")) == "Bert"
    assert engine.identify(speech("hotel hotel")) == "Bert"


def test_nobody_is_told_for_a_stranger_silence_and_too_little(
    engine: SherpaSpeakerIdentifier,
) -> None:
    assert engine.identify(CARL) is None
    assert engine.identify(np.zeros(RATE, np.float32)) is None
    assert engine.identify(ANNA[: RATE // 2 - 1]) is None
    assert engine.identify(ANNA[:0]) is None


def test_a_higher_threshold_asks_for_more_likeness(model: LocalModel, people: Path) -> None:
    strict = SherpaSpeakerIdentifier(model=model, enrol=str(people), threshold=0.99)
    strict.load()

    assert strict.identify(ANNA) == "Anna"
    assert strict.identify(speech("golf golf")) is None  # Bert is known by the mean of two tones


def test_who_is_enrolled_moved_or_removed_later_is_known_without_a_restart(
    engine: SherpaSpeakerIdentifier, people: Path
) -> None:
    write(people / "Carl" / "1.wav", CARL)
    assert engine.identify(CARL) == "Carl"
    (people / "Carl").rename(people / "Carla")
    assert engine.identify(CARL) == "Carla"
    write(people / "Anna.wav", speech("echo echo echo"))
    assert engine.identify(ANNA) is None
    shutil.rmtree(people)
    assert engine.identify(CARL) is None


def test_recordings_of_other_rates_and_channels_serve_too(
    engine: SherpaSpeakerIdentifier, people: Path
) -> None:
    slow = np.interp(np.arange(0, len(CARL), 1 / 3), np.arange(len(CARL)), CARL)
    write(people / "Carl.wav", slow.astype(np.float32), rate=3 * RATE, channels=2)

    assert engine.identify(CARL) == "Carl"


def test_a_recording_of_no_use_is_told_and_passed_over(
    engine: SherpaSpeakerIdentifier, people: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (people / "broken.wav").write_bytes(b"RIFF no wave")
    write(people / "short.wav", CARL[:1000])
    write(people / "Carl.wav", CARL)

    assert engine.identify(CARL) == "Carl"
    assert {record.args[0] for record in caplog.records if isinstance(record.args, tuple)} == {
        people / "broken.wav",
        people / "short.wav",
    }


def test_a_folder_that_is_not_there_yet_knows_nobody(model: LocalModel, tmp_path: Path) -> None:
    engine = SherpaSpeakerIdentifier(model=model, enrol=tmp_path / "later")
    engine.load()

    assert engine.identify(ANNA) is None
    write(tmp_path / "later" / "Anna.wav", ANNA)
    assert engine.identify(ANNA) == "Anna"


def test_a_model_must_be_loaded(model: LocalModel, people: Path) -> None:
    engine = SherpaSpeakerIdentifier(model=model, enrol=people)
    with pytest.raises(EngineFailed, match="voices is not loaded"):
        engine.identify(ANNA)
    engine.load()
    engine.close()
    with pytest.raises(EngineFailed, match="voices is not loaded"):
        engine.identify(ANNA)
    engine.load()
    assert engine.identify(ANNA) == "Anna"


def test_a_model_on_which_the_library_exits_is_an_error(tmp_path: Path) -> None:
    described(tmp_path / "model.onnx", {"output_dim": 80, "framework": "other"})
    bad = SherpaSpeakerIdentifier(model=LocalModel(name="bad", path=tmp_path), enrol=tmp_path)

    with pytest.raises(EngineFailed, match="cannot load bad: Unknown model type"):
        bad.load()
