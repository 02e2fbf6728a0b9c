from __future__ import annotations

import math

import numpy as np
import pytest

from bench.versus.figures import Budget, Comparison, Measured, Outcome, in_turns, percentile, show
from bench.versus.recordings import end_of_speech, room_noise
from bench.versus.report import page, section
from bench.versus.server import Side
from bench.versus.wire import RATE, Pcm


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE))


def pcm(samples: np.ndarray) -> Pcm:
    return samples.round().astype(np.int16)


def measured(**samples: float) -> Measured:
    found = Measured()
    for case, value in samples.items():
        found.add(case, value)
    return found


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 2.5
    assert percentile([1, 2, 3], 1) == 3
    assert percentile([7], 0.95) == 7
    assert math.isnan(percentile([], 0.5))


def test_a_ratio_compares_with_the_first_server() -> None:
    table = Comparison(
        title="", about="", sides={"rival": measured(a=4), "units": measured(a=1, b=2)}
    )
    assert table.ratio("a", "units") == 0.25
    assert math.isnan(table.ratio("b", "units"))
    assert table.cases() == ["a", "b"]


def test_what_was_not_measured_keeps_no_promise() -> None:
    assert Budget("delay", 0.4, 0.4).met
    assert not Budget("delay", 0.41, 0.4).met
    assert not Budget("delay", math.nan, 0.4).met
    assert str(Budget("delay", 0.41, 0.4)).startswith("FAIL")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234.5, "1234"),
        (0.6543, "0.654"),
        (0.0123, "0.012"),
        (12.345, "12.3"),
        (-3, "-3.00"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert show(value) == text


async def test_the_rival_is_measured_before_and_after_and_a_failure_ends_nothing() -> None:
    order = []

    async def measure(side: Side) -> Measured:
        order.append(side.name)
        if side.name == "broken":
            raise RuntimeError("no model")
        return measured(a=len(order))

    found = await in_turns([Side("rival", ()), Side("broken", ()), Side("units", ())], measure)
    assert order == ["rival", "broken", "units", "rival"]
    assert found["rival"].samples["a"] == [1, 4]
    assert found["units"].samples["a"] == [3]
    assert found["broken"].failures == ["RuntimeError: no model"]


def test_speech_ends_where_something_last_stood_out() -> None:
    audio = noise(2.0, 100)
    audio[RATE // 2 : RATE] += 3000 * np.sin(np.arange(RATE // 2) * 2 * np.pi * 500 / RATE)
    audio[RATE * 3 // 2 : RATE * 3 // 2 + 80] += 3000  # a click is no speech
    assert end_of_speech(pcm(audio)) == pytest.approx(1.0, abs=0.03)


def test_a_final_hiss_is_speech_though_it_is_no_louder_than_a_humming_room() -> None:
    hum = 1000 * np.sin(np.arange(2 * RATE) * 2 * np.pi * 120 / RATE)
    audio = hum + noise(2.0, 10)
    audio[RATE // 2 : RATE] += 3000 * np.sin(np.arange(RATE // 2) * 2 * np.pi * 500 / RATE)
    audio[RATE : RATE + RATE // 5] += 150 * np.random.default_rng(1).choice((-1, 1), RATE // 5)
    assert end_of_speech(pcm(audio)) == pytest.approx(1.2, abs=0.03)


def test_the_noise_after_a_recording_is_as_loud_as_the_room() -> None:
    audio = pcm(noise(3.0, 200))
    audio[RATE : 2 * RATE] *= 20
    assert room_noise(audio, 1.5).std() == pytest.approx(200, rel=0.15)
    assert len(room_noise(audio, 1.5)) == RATE * 3 // 2


def test_the_page_tells_missed_budgets_and_failures() -> None:
    found = measured(a=3)
    found.count("right", True, True, False)
    found.failures.append("RuntimeError: no model")
    table = Comparison(title="Speech", about="How.", sides={"rival": measured(a=2), "units": found})
    budgets = [Budget("speed", 1.5, 0.6, why="one core."), Budget("memory", 0.5, 0.6, why="Big.")]
    text = page([Outcome(table, budgets)], {"rival": "1.2"}, command="script/bench", quick=False)
    assert "| speed | 1.50 x | 0.600 | **not met** |" in text
    assert "*speed*: one core." in text
    assert "Big." not in text
    assert "| memory | 0.500 x | 0.600 | met |" in text
    assert "| a | 2.00 | 3.00 | 1.50 |" in section(table)
    assert "| right | – | 2 of 3 |" in section(table)
    assert "units failed: RuntimeError: no model" in section(table)
