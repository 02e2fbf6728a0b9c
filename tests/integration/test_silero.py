"""Silero VAD with its real weights on real recordings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.integration.recordings import data, read_wav
from wyoming_units.engines.base import RATE, Audio
from wyoming_units.engines.silero import SileroVoiceDetector
from wyoming_units.speech.endpoint import Ending, EndOfTurn, TurnOptions
from wyoming_units.speech.turn import VoiceFrame

CLIP = "media/home/en/generated/turn on the Kitchen lights.wav"


@pytest.fixture(scope="module")
def silero() -> Iterator[SileroVoiceDetector]:
    engine = SileroVoiceDetector()
    engine.load()
    yield engine
    engine.close()


def judge(engine: SileroVoiceDetector, audio: Audio, step: int = 1024) -> list[float]:
    stream = engine.start()
    found = [
        probability
        for start in range(0, len(audio), step)
        for probability in stream.feed(audio[start : start + step])
    ]
    stream.close()
    return found


def test_speech_is_told_from_silence(silero: SileroVoiceDetector) -> None:
    silence = np.zeros(RATE, np.float32)
    probabilities = judge(silero, np.concatenate([read_wav(data(CLIP)), silence]))
    assert sum(probability > 0.9 for probability in probabilities) > 25
    assert max(probabilities[-25:]) < 0.2


def test_background_noise_is_no_speech(silero: SileroVoiceDetector) -> None:
    assert max(judge(silero, read_wav(data("media/noise/background_noise.wav")))) < 0.35


@pytest.mark.parametrize("step", [100, 512, 777, 10**9])
def test_the_size_of_the_pieces_makes_no_difference(silero: SileroVoiceDetector, step: int) -> None:
    audio = read_wav(data(CLIP))
    expected = judge(silero, audio, 512)
    assert len(expected) == len(audio) // silero.frame
    assert judge(silero, audio, step) == expected


def test_a_stream_knows_nothing_of_an_earlier_one(silero: SileroVoiceDetector) -> None:
    audio = read_wav(data(CLIP))
    fresh = SileroVoiceDetector()
    judge(silero, audio[: len(audio) // 2])  # ends in the middle of speech and of a frame
    assert judge(silero, audio) == judge(fresh, audio)


def test_streams_in_many_threads_do_not_disturb_each_other(silero: SileroVoiceDetector) -> None:
    audio = read_wav(data(CLIP))
    clips = [audio[start:] for start in range(0, 8000, 1000)]
    alone = [judge(silero, clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda clip: judge(silero, clip), clips)) == alone


def test_closing_a_stream_twice_gives_its_network_back_once(silero: SileroVoiceDetector) -> None:
    audio = read_wav(data(CLIP))
    stream = silero.start()
    stream.close()
    stream.close()
    first, second = silero.start(), silero.start()
    first.feed(audio)
    assert second.feed(audio) == judge(silero, audio)
    first.close()
    second.close()


@pytest.mark.parametrize(
    "name", ["pause", "next", "lock the Front Door", "generated/turn on the Kitchen lights"]
)
def test_commands_in_real_time_end_half_a_second_after_the_last_speech(
    silero: SileroVoiceDetector, name: str
) -> None:
    audio = np.concatenate(
        [read_wav(data(f"media/home/en/{name}.wav")), np.zeros(RATE, np.float32)]
    )
    probabilities = judge(silero, audio)
    frame = silero.frame / RATE
    last = max(index for index, probability in enumerate(probabilities) if probability >= 0.35)
    turn = EndOfTurn(TurnOptions().rules())
    for index, probability in enumerate(probabilities):
        at = (index + 1) * frame
        _, ending = turn.update(VoiceFrame(probability=probability, duration=frame, arrived=at))
        if ending:
            break
    assert ending is Ending.SILENCE
    assert 0.4 <= (index - last) * frame <= 0.5 + frame  # up to 0.1 s of fading is silence
