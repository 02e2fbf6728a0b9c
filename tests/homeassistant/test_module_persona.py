"""A persona whose language model, ears and mouth are a module's: what it says, and what the user gets of failures."""

import json
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipeline
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from custom_components.wyoming_units.const import SUBENTRY_CONVERSATION
from tests.stackflow_server import Minds, StackFlowServer
from tests.stackflow_server.wire import wired

from .module_helpers import (
    EARS,
    LANGUAGE_MODEL,
    MOUTH,
    Pause,
    SpokenTurn,
    aloud,
    entry_of_the_node,  # noqa: F401
    kitchen_with_a_light,  # noqa: F401
    module_in_reach,  # noqa: F401
    node_of_the_module,  # noqa: F401
    restarted,
    until,
    what_happens_meanwhile,  # noqa: F401
)
from .talking import converse, speech_of

NASTY = "He said: \"{a} \\{b\\} }}{ \\n C:\\new\\\" 😀 ¿qué? 好 'x' \\"
"""What breaks framing that counts braces, or texts that are read by looking for quotes."""
AWAY = "My language model does not answer."


def repeat(prompt: str, text: str, images: Sequence[bytes]) -> str:
    """Return the last line of what was asked."""
    return text.rpartition("\n")[2]


@pytest.fixture
def mind() -> Pause:
    return Pause(repeat)


@pytest.fixture(name="minds")
def minds_with_a_pause(mind: Pause) -> Minds:
    return Minds(chat=mind)


@pytest.fixture(name="models")
def models_of_the_module() -> tuple[str, ...]:
    return (EARS, MOUTH, LANGUAGE_MODEL)


@pytest.fixture(name="units")
def units_with_a_language_model() -> list[str]:
    return ["stt", "tts", "llm"]


@pytest.fixture(name="more")
def little_patience() -> dict[str, Any]:
    return {"engines": {"stackflow-llm": {"first_token": 0.5}}}


@pytest.fixture
def agent(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """The agent of the language model."""
    agent = async_get_pipeline(hass).conversation_engine
    assert agent == "conversation.cellar_language_model"
    return agent


async def test_a_question_is_heard_answered_and_spoken_by_the_module(
    hass: HomeAssistant, hass_ws_client: Any, module: StackFlowServer, agent: str
) -> None:
    turn = SpokenTurn(hass, await hass_ws_client(hass))
    await turn.ask("sing me a song")
    assert await turn.understood() == "sing me a song"
    assert await turn.answer() == "sing me a song"
    for unit in ("whisper", "llm", "melotts"):
        assert module.asked("inference", unit), unit


async def add_persona(hass: HomeAssistant, entry: ConfigEntry, prompt: str) -> str:
    """Add a persona; return its agent."""
    persona = ConfigSubentry(
        data=MappingProxyType({"prompt": prompt}),
        subentry_type=SUBENTRY_CONVERSATION,
        title="Ada",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(entry, persona)
    await hass.async_block_till_done()
    [agent] = [
        entity.entity_id
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if (entity.domain, entity.config_subentry_id) == ("conversation", persona.subentry_id)
    ]
    return agent


async def test_braces_quotes_backslashes_and_emoji_arrive_as_they_were_typed(
    hass: HomeAssistant, module: StackFlowServer, entry: ConfigEntry
) -> None:
    ada = await add_persona(hass, entry, NASTY)
    answered = await converse(hass, ada, f"{NASTY} What?")
    assert speech_of(answered) == f"{NASTY} What?"
    setup = json.loads(module.asked("setup", "llm")[-1].data)
    assert setup["prompt"].strip().startswith(NASTY)
    answered = await converse(hass, ada, "Say that again.", answered["conversation_id"])
    assert speech_of(answered) == "Say that again."


async def test_braces_quotes_backslashes_and_emoji_are_no_hindrance_to_speech(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    engine = async_get_pipeline(hass).tts_engine
    for _ in range(2):
        words = (await aloud(hass, engine, f"One {NASTY} two")).split()
        assert words == ["one", "he", "said", "a", "b", "n", "c", "new", "qu##", "'x'", "two"]


class TestRestarts:
    """A module that restarts while its language model answers."""

    async def test_before_a_word_was_written_the_answer_is_written_anew(
        self, hass: HomeAssistant, module: StackFlowServer, agent: str, mind: Pause
    ) -> None:
        mind.stop()
        asking = hass.async_create_task(converse(hass, agent, "are you there"))
        await mind.asked()
        await restarted(module)
        mind.go_on()
        assert speech_of(await asking) == "are you there"
        assert speech_of(await converse(hass, agent, "and now")) == "and now"

    async def test_in_mid_sentence_one_more_sentence_says_so_and_the_next_turn_works(
        self, hass: HomeAssistant, hass_ws_client: Any, module: StackFlowServer, agent: str
    ) -> None:
        turn = SpokenTurn(hass, await hass_ws_client(hass))
        module.faults.pace = 0.2
        await turn.ask("tell me a story about a fox that is quick and brown")
        while not (await turn.until("intent-progress"))["chat_log_delta"].get("content"):
            pass
        await restarted(module)
        module.faults.pace = 0.0
        result = (await turn.until("intent-end"))["intent_output"]
        assert speech_of(result) == AWAY
        assert await turn.answer() == AWAY.lower().removesuffix(".")

        again = SpokenTurn(hass, await hass_ws_client(hass))
        await again.ask("are you there")
        assert await again.answer() == "are you there"


async def test_who_interrupts_ends_the_writing_and_hears_none_of_it_in_the_next_answer(
    hass: HomeAssistant, hass_ws_client: Any, module: StackFlowServer, agent: str
) -> None:
    client = await hass_ws_client(hass)
    turn = SpokenTurn(hass, client)
    module.faults.pace = 0.2
    await turn.ask("tell me a story about a fox that is quick and brown")
    while not (await turn.until("intent-progress"))["chat_log_delta"].get("content"):
        pass
    await client.close()
    await until(lambda: [asked for asked in module.requests if asked.action == "pause"], 2)
    module.faults.pace = 0.0
    assert speech_of(await converse(hass, agent, "are you there")) == "are you there"
    assert len(module.asked("setup", "llm")) == 2  # the task of before, with the persona's prompt


async def test_an_answer_that_another_program_takes_away_is_written_anew(
    hass: HomeAssistant, module: StackFlowServer, agent: str, mind: Pause
) -> None:
    mind.stop()
    asking = hass.async_create_task(converse(hass, agent, "are you there"))
    await mind.asked()
    async with wired(module.port) as other:
        [ours] = module.units["llm"].tasks
        assert (await other.call(ours, "taskinfo"))["data"]["model"] == LANGUAGE_MODEL
        mind.go_on()
        assert (await other.line())["data"]["delta"] == "are you there"
    assert speech_of(await asking) == "are you there"
    assert speech_of(await converse(hass, agent, "and now")) == "and now"


async def test_foreign_programs_with_all_language_models_are_one_sentence_and_are_left_alone(
    hass: HomeAssistant, module: StackFlowServer, agent: str
) -> None:
    await restarted(module, taken="llm")
    foreign = list(module.units["llm"].tasks)
    busy = await converse(hass, agent, "are you there")
    assert busy["response"]["response_type"] == "error"
    assert speech_of(busy) == "My language model is busy. Please try again in a moment."
    assert list(module.units["llm"].tasks) == foreign
    async with wired(module.port) as other:
        await other.call(foreign[0], "exit")
    assert speech_of(await converse(hass, agent, "and now")) == "and now"
    assert foreign[1] in module.units["llm"].tasks
