"""What a user gets of whatever befalls a module: through Home Assistant and a real node, and how it goes on."""

import asyncio
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipeline, async_update_pipeline
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from tests.stackflow_server import Minds, StackFlowServer, hear_tones, speak_tones
from tests.stackflow_server.wire import wired

from .module_helpers import (
    COMMAND,
    DONE,
    EARS,
    Act,
    Pause,
    SpokenTurn,
    entry_of_the_node,  # noqa: F401
    installed_models,  # noqa: F401
    kitchen_with_a_light,  # noqa: F401
    module_in_reach,  # noqa: F401
    node_of_the_module,  # noqa: F401
    restarted,
    until,
    usual_units,  # noqa: F401
    what_happens_meanwhile,  # noqa: F401
    whole_turn,
)


@pytest.fixture(name="more")
def little_patience() -> dict[str, Any]:
    return {"engines": {"stackflow-whisper": {"patience": 0.3}}}


@pytest.fixture
def ears() -> Pause:
    return Pause(hear_tones)


@pytest.fixture
def mouth() -> Pause:
    return Pause(speak_tones)


@pytest.fixture(name="minds")
def minds_that_pause(ears: Pause, mouth: Pause) -> Minds:
    return Minds(hear=ears, speak=mouth)


async def test_a_module_that_restarts_between_hearing_and_speaking_costs_nothing(
    hass: HomeAssistant,
    hass_ws_client: Any,
    module: StackFlowServer,
    entry: ConfigEntry,
    meanwhile: list[Act],
) -> None:
    meanwhile.append(lambda: restarted(module))
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE
    meanwhile.clear()
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_a_module_that_is_away_for_a_moment_is_waited_for(
    hass: HomeAssistant,
    hass_ws_client: Any,
    module: StackFlowServer,
    entry: ConfigEntry,
    meanwhile: list[Act],
) -> None:
    async def go_away() -> None:
        module.faults.restart(0.5)
        await until(lambda: not module.units)

    meanwhile.append(go_away)
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_a_module_that_restarts_while_it_listens_hears_the_same_again(
    hass: HomeAssistant,
    hass_ws_client: Any,
    module: StackFlowServer,
    entry: ConfigEntry,
    ears: Pause,
) -> None:
    ears.stop()
    turn = SpokenTurn(hass, await hass_ws_client(hass))
    await turn.ask(COMMAND)
    await ears.asked()
    await restarted(module)
    ears.go_on()
    assert await turn.understood() == COMMAND
    assert await turn.answer() == DONE
    assert len(module.asked("inference", "whisper")) == 2
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_a_module_that_restarts_before_its_first_sound_speaks_the_whole_answer(
    hass: HomeAssistant,
    hass_ws_client: Any,
    module: StackFlowServer,
    entry: ConfigEntry,
    mouth: Pause,
) -> None:
    mouth.stop()
    speaking = asyncio.create_task(whole_turn(hass, await hass_ws_client(hass)))
    await mouth.asked()
    await restarted(module)
    mouth.go_on()
    assert await speaking == DONE
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_a_foreign_program_that_holds_the_ears_is_one_error_and_is_left_alone(
    hass: HomeAssistant,
    hass_ws_client: Any,
    module: StackFlowServer,
    entry: ConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await restarted(module, taken="whisper")
    [foreign] = module.units["whisper"].tasks
    turn = SpokenTurn(hass, await hass_ws_client(hass))
    await turn.ask(COMMAND)
    assert await turn.failure() == "stt-stream-failed"
    told = [r.message for r in caplog.records if "another program holds the whisper" in r.message]
    assert len(told) == 1, told
    assert list(module.units["whisper"].tasks) == [foreign]
    assert not [r for r in module.requests if (r.work_id, r.action) == (foreign, "exit")]

    async with wired(module.port) as other:
        assert (await other.call(foreign, "exit"))["error"]["code"] == 0
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_noise_in_which_german_whisper_hears_nothing_is_no_text_and_no_endless_wait(
    hass: HomeAssistant, hass_ws_client: Any, module: StackFlowServer, entry: ConfigEntry
) -> None:
    """The module answers nothing at all then."""
    pipeline = async_get_pipeline(hass)
    await async_update_pipeline(hass, pipeline, stt_language="de")
    turn = SpokenTurn(hass, await hass_ws_client(hass))
    await turn.start(pipeline.id)
    await turn.say(b"\0\2\0\xfe" * 8_000, and_end=True)
    assert await turn.failure() == "stt-no-text-recognized"
    assert module.asked("inference", "whisper")
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE


async def test_an_answer_that_another_program_takes_away_is_asked_for_again(
    hass: HomeAssistant,
    hass_ws_client: Any,
    module: StackFlowServer,
    entry: ConfigEntry,
    ears: Pause,
) -> None:
    ears.stop()
    turn = SpokenTurn(hass, await hass_ws_client(hass))
    await turn.ask(COMMAND)
    await ears.asked()
    async with wired(module.port) as other:
        [ours] = module.units["whisper"].tasks
        assert (await other.call(ours, "taskinfo"))["data"]["model"] == EARS
        ears.go_on()
        assert (await other.line())["data"] == f"{COMMAND}."
    assert await turn.understood() == COMMAND
    assert await turn.answer() == DONE
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE
