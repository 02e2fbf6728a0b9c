"""The NPU's keyword spotter: a network whose scores depend on what it was given to remember."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.models_axengine_speech import WORD, keyword_package
from tests.integration.tones import silence
from tests.npu import axfunction
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._wake import LAG
from wyoming_units.engines.axengine_kws import AxKeywordSpotter
from wyoming_units.engines.base import RATE, WakeSettings
from wyoming_units.errors import BadRequest, EngineFailed, UnknownWakeWord

from .conftest import running
from .raw import raw

pytest.importorskip("kaldi_native_fbank")
pytest_plugins = ("tests.npu",)


@pytest.fixture
def model(npu: Any, tmp_path: Path) -> LocalModel:
    return keyword_package(tmp_path / "kws")


@pytest.fixture
def engine(model: LocalModel) -> AxKeywordSpotter:
    engine = AxKeywordSpotter(model=model)
    engine.load()
    return engine


def heard(
    engine: AxKeywordSpotter, samples: NDArray[np.float32], piece: int = 1_024
) -> list[float]:
    """Return when the word is heard."""
    stream = engine.start([])
    wakes = [
        wake
        for at in range(0, len(samples), piece)
        for wake in stream.feed(samples[at : at + piece])
    ]
    assert {wake.name for wake in wakes} <= {"hi_m5"}
    return [wake.at for wake in wakes]


def test_the_word_is_heard_as_soon_as_the_score_was_high_long_enough(
    engine: AxKeywordSpotter,
) -> None:
    [at] = heard(engine, np.concatenate((silence(1), WORD, silence(1))))
    fifth_high_frame = 1.4 + 0.05
    assert at == pytest.approx(fifth_high_frame - LAG, abs=0.02)


@pytest.mark.parametrize("piece", [7, 160, 5_120, 50_000])
def test_the_pieces_in_which_audio_comes_do_not_matter(
    engine: AxKeywordSpotter, piece: int
) -> None:
    audio = np.concatenate((silence(0.5), WORD, silence(2.2), WORD, silence(0.5)))
    assert heard(engine, audio, piece) == heard(engine, audio)
    assert len(heard(engine, audio, piece)) == 2


def test_half_a_word_is_not_heard(engine: AxKeywordSpotter) -> None:
    low, high = WORD[: len(WORD) // 2], WORD[len(WORD) // 2 :]
    assert heard(engine, np.concatenate((silence(1), high, silence(1)))) == []
    assert heard(engine, np.concatenate((silence(1), low, silence(1)))) == []


def test_two_listeners_share_the_network_and_remember_for_themselves(
    engine: AxKeywordSpotter, npu: Any
) -> None:
    low, high = WORD[: len(WORD) // 2], WORD[len(WORD) // 2 :]
    one, other = engine.start([]), engine.start(["hi_m5"])
    quiet = silence(0.4)
    assert [*one.feed(low), *other.feed(quiet)] == []
    heard_by_one, heard_by_other = one.feed(high), other.feed(high)
    assert (len(heard_by_one), len(heard_by_other)) == (1, 0)
    assert len(npu.loads) == 1


def test_soon_after_a_word_it_is_not_heard_again(engine: AxKeywordSpotter) -> None:
    audio = np.concatenate((WORD, silence(0.2), WORD, silence(1)))
    assert len(heard(engine, audio)) == 1


def test_settings_of_the_word_win_over_those_of_the_model(model: LocalModel) -> None:
    deaf = AxKeywordSpotter(model=model, words={"hi_m5": WakeSettings(threshold=0.96)})
    deaf.load()
    assert heard(deaf, np.concatenate((WORD, silence(1)))) == []
    with pytest.raises(UnknownWakeWord, match="hey_jarvis"):
        AxKeywordSpotter(model=model, words={"hey_jarvis": WakeSettings()})
    with pytest.raises(BadRequest, match="threshold"):
        AxKeywordSpotter(model=model, words={"hi_m5": WakeSettings(threshold=2)})


def test_what_is_wrong_with_a_model_is_told(npu: Any, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="does not exist"):
        AxKeywordSpotter(model=LocalModel(name="x", path=tmp_path))
    other = axfunction(
        tmp_path / "kws.axmodel",
        lambda feeds, group: [],
        ([("images", np.uint8, (1, 320, 320, 3))], [("x", np.float32, (1,))]),
    )
    with pytest.raises(EngineFailed, match="no keyword spotter"):
        AxKeywordSpotter(model=LocalModel(name="x", path=other)).load()
    odd = keyword_package(tmp_path / "odd", **{"frame_opts.colour": 1})
    with pytest.raises(EngineFailed, match=r"frame_opts\.colour"):
        AxKeywordSpotter(model=odd).load()
    assert not npu.live


async def test_a_node_wakes_by_it(npu: Any, tmp_path: Path) -> None:
    own = keyword_package(tmp_path / "own")
    units = [f"wake=axengine-kws:{own.path / 'kws' / 'kws.axmodel'}"]
    async with running(tmp_path / "data", units=units) as node, raw(node.port) as peer:
        await peer.event("detect", {"names": ["hi_m5"]})
        format_ = {"rate": RATE, "width": 2, "channels": 1}
        await peer.event("audio-start", format_)
        audio = np.concatenate((silence(0.5), WORD, silence(0.5)))
        pcm = (audio * 32_767).astype("<i2").tobytes()
        await peer.event("audio-chunk", format_, pcm)
        frame = await peer.frame() or {}
    assert (frame["type"], frame["name"]) == ("detection", "hi_m5")
