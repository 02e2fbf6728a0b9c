"""A thousand turns with a language model leave nothing behind; takes some minutes."""

import gc
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components import wyoming_units as integration
from tests.integration.model_server import ModelServer, calls, says
from wyoming_units import node as package

from .talking import (
    LIGHT,
    agent_of_the_pipeline,  # noqa: F401
    converse,
    host_of_models,  # noqa: F401
    kitchen_with_a_light,  # noqa: F401
    node_that_talks,  # noqa: F401
    speech_of,
    usual_patience,  # noqa: F401
)

pytestmark = [pytest.mark.extra, pytest.mark.timeout(1800)]
pytest.importorskip("espeakng_loader", reason="the embedded engines are not installed")

OURS = [
    tracemalloc.Filter(True, f"{Path(module.__file__).parent}/*")
    for module in (integration, package)
]
TURNS, PART = 1000, 100


def _held() -> int:
    """Return the bytes that our own code has allocated and not given back."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(OURS)
    return sum(each.size for each in snapshot.statistics("filename"))


async def _part(hass: HomeAssistant, models: ModelServer, agent: str) -> None:
    """Take turns in conversations of ten, each with a tool and a spoken answer; let time pass."""
    conversation: str | None = None
    for turn in range(PART):
        tool = "intent__HassTurnOn" if turn % 2 else "intent__HassTurnOff"
        models.answers += [calls(tool, {"name": "Kitchen Light"}), says("Done, ", "as you wished.")]
        given = await converse(hass, agent, f"the light, please, number {turn}", conversation)
        assert speech_of(given) == "Done, as you wished."
        assert hass.states.is_state(LIGHT, "on" if turn % 2 else "off")
        conversation = None if turn % 10 == 9 else given["conversation_id"]
    models.requests.clear()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=20))
    await hass.async_block_till_done()


async def test_a_thousand_turns_leave_nothing_behind(
    hass: HomeAssistant,
    models: ModelServer,
    agent: str,
) -> None:
    tracemalloc.start()
    try:
        held: list[int] = []
        for _ in range(TURNS // PART):
            await _part(hass, models, agent)
            held.append(_held())
    finally:
        tracemalloc.stop()
    later = held[len(held) // 2 :]
    slope = (later[-1] - later[0]) / (PART * (len(later) - 1))
    print(f"held after each {PART} turns: {[f'{each / 1000:.0f} kB' for each in held]}")
    print(f"slope of the second half: {slope:.0f} bytes a turn")
    assert slope < 50
