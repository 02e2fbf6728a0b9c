"""The sensor that shows what is being said, which is not there until somebody wants it."""

from typing import Any

import pytest
from homeassistant.components import stt
from homeassistant.const import MAX_LENGTH_STATE_STATE, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.asr import Transcript

from .listening import ENTITY, METADATA, Microphone, chunk
from .scripted_node import Connection, Raw, ScriptedNode, artifact, reply

CAPTION = "sensor.cellar_speech_to_text_caption"


class Node:
    """A node whose caption is watched."""

    def __init__(self, hass: HomeAssistant, node: ScriptedNode) -> None:
        self._hass = hass
        self._node = node

    async def hears(self, *partials: str, then: Transcript | Raw, by: str = ENTITY) -> list[Any]:
        """Let it hear something; return what was shown, and who was said to speak."""
        shown: list[Any] = []

        @callback
        def note(event: Event[EventStateChangedData]) -> None:
            state = event.data["new_state"]
            assert state is not None
            shown.append((state.state, state.attributes["speaker"]))

        async def hear(connection: Connection, _: Any) -> None:
            await connection.send(chunk(partials[len(connection.all("audio-chunk")) - 1]))

        self._node.answers |= {"audio-chunk": hear, "audio-stop": reply(then)}
        stop = async_track_state_change_event(self._hass, CAPTION, note)
        engine = stt.async_get_speech_to_text_engine(self._hass, by)
        assert isinstance(engine, stt.SpeechToTextEntity)
        microphone = Microphone(pieces=len(partials))
        await engine.async_process_audio_stream(METADATA, microphone.stream())
        await self._hass.async_block_till_done()
        stop()
        return shown


@pytest.fixture
async def watched(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
) -> Node:
    """A node with two programs, with the caption of the first one."""
    node.info["asr"][0]["supports_transcript_streaming"] = True
    node.info["asr"].append(node.info["asr"][0] | artifact("other"))
    er.async_get(hass).async_update_entity(CAPTION, disabled_by=None)
    await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()
    return Node(hass, node)


async def test_it_is_disabled_until_somebody_wants_it(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    entity = er.async_get(hass).async_get(CAPTION)
    assert entity is not None
    assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    assert entity.entity_category is None
    assert hass.states.get(CAPTION) is None


async def test_it_shows_the_text_as_it_grows_and_stays_with_the_last_one(
    hass: HomeAssistant, watched: Node
) -> None:
    assert hass.states.is_state(CAPTION, STATE_UNKNOWN)
    final = Transcript(text="Turn it off.", context={"speaker_id": "Ann"})
    assert await watched.hears("turn", "turn it of", then=final) == [
        ("turn", None),
        ("turn it of", None),
        ("Turn it off.", "Ann"),
    ]
    assert await watched.hears("and", then=Transcript(text="")) == [("and", None), ("", None)]


async def test_a_turn_that_fails_leaves_what_was_heard_of_it(
    hass: HomeAssistant, watched: Node
) -> None:
    failure = Raw("error", {"text": "out of memory", "code": "engine-failed"})
    assert await watched.hears("turn", then=failure) == [("turn", None)]


async def test_what_another_program_hears_is_not_shown(hass: HomeAssistant, watched: Node) -> None:
    final = Transcript(text="Turn it off.")
    assert not await watched.hears("turn", then=final, by=f"{ENTITY}_other")
    assert hass.states.is_state(CAPTION, STATE_UNKNOWN)


async def test_of_a_text_that_is_too_long_for_a_state_the_end_is_shown(
    hass: HomeAssistant, watched: Node
) -> None:
    fitting = "x" * MAX_LENGTH_STATE_STATE
    longer = f"{fitting} the end"
    shown = await watched.hears(fitting, then=Transcript(text=longer))
    assert shown == [(fitting, None), (f"…{longer[-254:]}", None)]


async def test_it_is_unavailable_while_the_program_is(
    hass: HomeAssistant, watched: Node, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    del node.info["asr"][0]
    await loaded.runtime_data.async_refresh()
    assert hass.states.is_state(CAPTION, STATE_UNAVAILABLE)
