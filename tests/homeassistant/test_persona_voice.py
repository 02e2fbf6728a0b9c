"""Replies sound in the voice of the persona that gives them, through Home Assistant's own pipeline."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from homeassistant.components import conversation, tts
from homeassistant.components.assist_pipeline import (
    PipelineEvent,
    async_get_pipelines,
    async_pipeline_from_audio_stream,
)
from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.chat_session import current_session
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.tts import SynthesizeStopped

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.personas import STANDARD

from .listening import METADATA
from .minds import persona
from .scripted_node import NODE_ID, ScriptedNode, artifact, chat, llm_info, reply

EARS = "stt.cellar_speech_to_text"
MOUTH = "tts.cellar_text_to_speech"
BRAIN = f"{NODE_ID}_llm_brain"
SOUND = {"rate": 16000, "width": 2, "channels": 1}
NEMO, MARLOW = "nemo-id", "marlow-id"


async def silence(before: Callable[[], Awaitable[None]] | None) -> AsyncGenerator[bytes]:
    if before is not None:
        await before()
    yield bytes(640)


def node_that_speaks(node: ScriptedNode) -> None:
    """Let a node have a language model, and a choir beside its other voices."""
    choir = artifact("choir", languages=["en"], speakers=[{"name": "Ann"}, {"name": "Bob"}])
    node.info["tts"][0]["voices"].append(choir)
    node.info["llm"] = llm_info()
    node.answers |= {
        "chat": chat("Aye."),
        "synthesize-start": reply(AudioStart(**SOUND)),
        "synthesize": reply(AudioChunk(audio=bytes([7, 0]) * 1600, **SOUND)),
        "synthesize-stop": reply(AudioStop(), SynthesizeStopped()),
    }


@pytest.fixture
def entry(hass: HomeAssistant, node: ScriptedNode) -> MockConfigEntry:
    """A node that thinks and speaks, with two personas."""
    node_that_speaks(node)
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=[
            persona("Nemo", NEMO, voice="choir#Bob", greeting="Welcome on board!"),
            persona("Marlow", MARLOW, voice="thorsten"),
        ],
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture(autouse=True)
async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await async_setup_component(hass, "assist_pipeline", {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


@pytest.fixture
def talk(hass: HomeAssistant, node: ScriptedNode) -> Talk:
    return Talk(hass, node)


class Talk:
    """Speaks to an agent as a satellite does, and listens to its replies."""

    def __init__(self, hass: HomeAssistant, node: ScriptedNode) -> None:
        self._hass = hass
        self._node = node

    async def pipeline(self, agent: str = BRAIN, **changes: Any) -> str:
        """Return a pipeline with an agent of ours (unique id) and our text-to-speech."""
        entity = er.async_get(self._hass).async_get_entity_id("conversation", DOMAIN, agent)
        settings = {
            "name": f"Test {len(async_get_pipelines(self._hass))}",
            "language": "en",
            "conversation_engine": entity or agent,
            "conversation_language": "en",
            "stt_engine": EARS,
            "stt_language": "en",
            "tts_engine": MOUTH,
            "tts_language": "en",
            "tts_voice": "amy",
            "wake_word_entity": None,
            "wake_word_id": None,
            **changes,
        }
        store = self._hass.data[KEY_ASSIST_PIPELINE].pipeline_store
        return str((await store.async_create_item(settings)).id)

    async def say(
        self,
        pipeline: str,
        text: str = "Hello",
        meanwhile: Callable[[PipelineEvent], None] = lambda _: None,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> str:
        """Return the reply to a sentence, after it was spoken.

        `meanwhile` is called by the turn, `before` while it waits for the speech.
        """
        events: dict[str, Any] = {}

        def follow(event: PipelineEvent) -> None:
            events[event.type] = event.data
            meanwhile(event)

        self._node.answers["audio-stop"] = reply(Transcript(text=text))
        async with asyncio.timeout(10):
            await async_pipeline_from_audio_stream(
                self._hass,
                context=Context(),
                event_callback=follow,
                stt_metadata=replace(METADATA, language=""),
                stt_stream=silence(before),
                pipeline_id=pipeline,
                tts_audio_output={tts.ATTR_PREFERRED_FORMAT: "wav"},
            )
            stream = tts.async_get_stream(self._hass, events["tts-end"]["tts_output"]["token"])
            assert stream is not None
            assert b"".join([part async for part in stream.async_stream_result()])
        said: str = events["tts-start"]["tts_input"]
        return said

    async def hear(self, satellite_id: str, text: str = "Hello") -> None:
        """Let a satellite pass on a sentence."""
        agent = er.async_get(self._hass).async_get_entity_id("conversation", DOMAIN, BRAIN)
        await conversation.async_converse(
            self._hass, text, None, Context(), agent_id=agent, satellite_id=satellite_id
        )

    def voices(self) -> list[dict[str, Any]]:
        """Return the voices of all that was spoken so far."""
        return [
            event.data["voice"] for each in self._node.requests for event in each.all("synthesize")
        ]


BOB = {"name": "choir", "speaker": "Bob", "language": "en"}
AMY = {"name": "amy", "language": "en"}


def choose(entry: MockConfigEntry, persona_id: str) -> None:
    personas = entry.runtime_data.personas
    personas.async_choose("brain", personas.all.get(persona_id, STANDARD))


async def test_the_chosen_persona_speaks_in_its_voice_and_the_standard_one_in_the_pipelines(
    entry: MockConfigEntry, talk: Talk
) -> None:
    pipeline = await talk.pipeline()
    await talk.say(pipeline)
    choose(entry, NEMO)
    await talk.say(pipeline)
    assert talk.voices() == [AMY, BOB]


async def test_what_was_kept_of_one_voice_is_never_played_for_another(
    entry: MockConfigEntry, talk: Talk
) -> None:
    pipeline = await talk.pipeline()
    for who in (NEMO, "", NEMO, ""):
        choose(entry, who)
        assert await talk.say(pipeline) == "Aye."
    assert talk.voices() == [BOB, AMY]  # the other two were kept


async def test_a_persona_with_an_agent_of_its_own_has_its_voice_too(talk: Talk) -> None:
    await talk.say(await talk.pipeline(NEMO))
    await talk.say(await talk.pipeline())
    assert talk.voices() == [BOB, AMY]


async def test_turns_that_begin_at_the_same_time_are_told_apart(
    node: ScriptedNode, talk: Talk
) -> None:
    nemo, standard = await talk.pipeline(NEMO), await talk.pipeline()
    for pipeline in (nemo, standard):  # so that the other order is not that of the list of turns
        await talk.say(pipeline)
    node.answers["chat"] = chat("No.")
    await asyncio.gather(talk.say(standard, "One"), talk.say(nemo, "Two"))
    assert sorted(voice["name"] for voice in talk.voices()[2:]) == ["amy", "choir"]


async def test_long_replies_are_spoken_in_the_voice_while_they_are_written(
    entry: MockConfigEntry, node: ScriptedNode, talk: Talk
) -> None:
    choose(entry, NEMO)
    node.answers["chat"] = chat("It was a dark night, ", "and the sea " * 10, "was high.")
    await talk.say(await talk.pipeline())
    assert talk.voices() == [BOB]


async def test_a_voice_that_does_not_speak_the_language_or_has_gone_is_not_used(
    hass: HomeAssistant, entry: MockConfigEntry, node: ScriptedNode, talk: Talk
) -> None:
    pipeline = await talk.pipeline()
    choose(entry, MARLOW)  # speaks German
    await talk.say(pipeline)
    node.info["tts"][0]["voices"] = node.info["tts"][0]["voices"][:2]
    await entry.runtime_data.async_refresh()
    choose(entry, NEMO)
    node.answers["chat"] = chat("Ahoy.")
    await talk.say(pipeline)
    assert talk.voices() == [AMY, AMY]


async def test_agents_of_others_do_not_speak_in_it(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk
) -> None:
    choose(entry, NEMO)
    await talk.say(await talk.pipeline("conversation.home_assistant"))
    assert talk.voices() == [AMY]


async def test_what_is_announced_meanwhile_does_not_sound_in_it(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk
) -> None:
    """Whatever a turn starts is in its conversation too, but is not its reply."""
    choose(entry, NEMO)
    options: dict[str, Any] = {}

    def announce(event: PipelineEvent) -> None:
        assert current_session.get() is not None
        options[event.type] = tts.async_create_stream(hass, MOUTH, language="en").options

    await talk.say(await talk.pipeline(), meanwhile=announce)
    assert options.keys() >= {"run-start", "stt-start", "intent-start", "tts-end"}
    assert not any("persona_voice" in each for each in options.values())


async def test_who_is_asked_for_answers_at_once_in_the_new_voice(
    entry: MockConfigEntry, node: ScriptedNode, talk: Talk
) -> None:
    pipeline = await talk.pipeline()
    assert await talk.say(pipeline, "Talk to Nemo, please") == "Welcome on board!"
    assert entry.runtime_data.personas.chosen("brain").id == NEMO
    asked = [event for each in node.requests for event in each.all("chat")]
    assert all(event.data.get("prepare") for event in asked)  # no model answered
    assert await talk.say(pipeline, "Back to the normal assistant") == "Back to normal."
    assert entry.runtime_data.personas.chosen("brain") is STANDARD
    assert talk.voices() == [BOB, AMY]


@pytest.mark.parametrize("agent", [BRAIN, MARLOW])
async def test_one_that_is_chosen_while_a_turn_waits_for_speech_answers_it_in_its_voice(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, agent: str
) -> None:
    """A turn that waits for a wake word was prepared long before."""

    async def choose_nemo() -> None:
        await hass.services.async_call(
            "select",
            "select_option",
            {"entity_id": "select.cellar_language_model_persona", "option": "Nemo"},
            blocking=True,
        )

    await talk.say(await talk.pipeline(agent), before=choose_nemo)
    assert talk.voices() == [BOB if agent == BRAIN else AMY]


async def test_one_without_a_greeting_is_confirmed(entry: MockConfigEntry, talk: Talk) -> None:
    reply = await talk.say(await talk.pipeline(), "switch to marlow")
    assert reply == "Now you are talking to Marlow."
    assert entry.runtime_data.personas.chosen("brain").id == MARLOW


async def test_a_home_assistant_that_hides_its_runs_costs_the_voice_and_nothing_else(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = hass.data[KEY_ASSIST_PIPELINE].pipeline_runs
    monkeypatch.delattr(runs, "_pipeline_runs")
    monkeypatch.setattr(runs, "add_run", lambda _: None)
    monkeypatch.setattr(runs, "remove_run", lambda _: None)
    choose(entry, NEMO)
    assert await talk.say(await talk.pipeline()) == "Aye."
    assert talk.voices() == [AMY]
