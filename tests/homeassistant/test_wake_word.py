"""The wake word entity against a server that follows a script."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from homeassistant.components import wake_word
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import MockConfigEntry
from wyoming.audio import AudioChunk
from wyoming.error import Error
from wyoming.ping import Pong
from wyoming.wake import Detection, NotDetected

from .scripted_node import ScriptedNode, after, artifact, hang_up, reply

ENTITY = "wake_word.cellar_wake_word"
OKAY_NABU = Detection(name="okay_nabu", timestamp=20)


@pytest.fixture
def entity(hass: HomeAssistant, loaded: MockConfigEntry) -> wake_word.WakeWordDetectionEntity:
    entity = wake_word.async_get_wake_word_detection_entity(hass, ENTITY)
    assert entity is not None
    return entity


async def microphone(pieces: int = 1000, pause: float = 0.001) -> AsyncGenerator[tuple[bytes, int]]:
    for number in range(pieces):
        await asyncio.sleep(pause)
        yield number.to_bytes(2, "little") * 160, 10 * number


def number(audio: bytes) -> int:
    return int.from_bytes(audio[:2], "little")


async def test_the_word_is_returned_with_its_phrase_and_no_audio_is_lost(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(3, reply(OKAY_NABU))
    stream = microphone()
    result = await entity.async_process_audio_stream(stream, "okay_nabu")
    assert result is not None
    assert (result.wake_word_id, result.wake_word_phrase) == ("okay_nabu", "Okay Nabu")
    assert result.timestamp == 20

    request = await node.request()
    assert request.received[0].data["names"] == ["okay_nabu"]
    sent = [AudioChunk.from_event(event) for event in request.all("audio-chunk")]
    assert [chunk.timestamp for chunk in sent] == [10 * n for n in range(len(sent))]
    # What was said after the word is kept, and what comes next is neither swallowed nor is the
    # stream ended: speech-to-text goes on with it.
    assert result.queued_audio is not None
    queued = [(number(audio), timestamp) for audio, timestamp in result.queued_audio]
    assert queued == [(n, 10 * n) for n in range(2, len(sent) + 1)]
    assert number((await anext(stream))[0]) == len(sent) + 1


async def test_audio_is_cut_where_the_word_ends(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(5, reply(Detection(name="okay_nabu", timestamp=27)))
    result = await entity.async_process_audio_stream(microphone(), "okay_nabu")
    assert result is not None
    assert result.queued_audio is not None
    audio, timestamp = result.queued_audio[0]
    assert (number(audio), len(audio), timestamp) == (2, 3 * 32, 27)
    assert [timestamp for _, timestamp in result.queued_audio[1:3]] == [30, 40]


async def test_no_more_than_two_seconds_are_kept(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(300, reply(Detection(name="okay_nabu", timestamp=0)))
    result = await entity.async_process_audio_stream(microphone(pause=0), "okay_nabu")
    assert result is not None
    assert result.queued_audio is not None
    [first, *_, last] = [timestamp for _, timestamp in result.queued_audio]
    assert last >= 3000
    assert 2000 <= last - first <= 2010


async def test_a_detection_without_a_time_leaves_only_what_is_still_unsent(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(3, reply(Detection(name="okay_nabu")))
    result = await entity.async_process_audio_stream(microphone(), "okay_nabu")
    assert result is not None
    assert result.queued_audio is not None
    sent = (await node.request()).all("audio-chunk")
    assert [timestamp for _, timestamp in result.queued_audio] == [10 * len(sent)]


async def test_of_several_programs_the_right_one_is_asked(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    second = artifact("guard", models=[artifact("hey_pi", languages=["en"], phrase="Hey Pi")])
    node.info["wake"].append(second)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for entity_id, program in ((ENTITY, "sentinel"), (f"{ENTITY}_guard", "guard")):
        entity = wake_word.async_get_wake_word_detection_entity(hass, entity_id)
        assert entity is not None
        node.answers["audio-chunk"] = after(1, reply(Detection(name="hey_pi", timestamp=0)))
        assert await entity.async_process_audio_stream(microphone(), "hey_pi")
        select, detect, *_ = (await node.request()).received
        assert (select.type, select.data) == ("select-program", {"name": program})
        assert detect.type == "detect"


async def test_any_word_wakes_where_none_was_chosen(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(1, reply(Detection(name="hey_pi", timestamp=0)))
    result = await entity.async_process_audio_stream(microphone(), None)
    assert result is not None
    assert (result.wake_word_id, result.wake_word_phrase) == ("hey_pi", "hey_pi")
    assert (await node.request()).received[0].data["names"] is None


async def test_another_word_does_not_wake(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(
        1, reply(Pong(), Detection(name="alexa", timestamp=0), OKAY_NABU)
    )
    result = await entity.async_process_audio_stream(microphone(), "okay_nabu")
    assert result is not None
    assert result.wake_word_id == "okay_nabu"


async def test_a_stream_that_ends_without_the_word_is_no_detection(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-stop"] = reply(NotDetected())
    assert await entity.async_process_audio_stream(microphone(3), "okay_nabu") is None
    assert (await node.request()).types()[-1] == "audio-stop"


async def test_a_word_in_the_last_audio_is_heard_after_its_end(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-stop"] = reply(OKAY_NABU)
    result = await entity.async_process_audio_stream(microphone(2), "okay_nabu")
    assert result is not None
    assert result.queued_audio is None


async def test_a_node_that_refuses_or_goes_away_is_an_error(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["detect"] = reply(Error(text="never heard of it", code="unknown-wake-word"))
    with pytest.raises(HomeAssistantError, match="never heard of it"):
        await entity.async_process_audio_stream(microphone(), "okay_nabu")
    node.answers["detect"] = hang_up
    with pytest.raises(HomeAssistantError, match="was lost"):
        await entity.async_process_audio_stream(microphone(), "okay_nabu")
    await node.stop()
    with pytest.raises(HomeAssistantError, match="Nothing answers"):
        await entity.async_process_audio_stream(microphone(), "okay_nabu")


async def test_listening_that_is_cancelled_frees_the_node_at_once(
    node: ScriptedNode, entity: wake_word.WakeWordDetectionEntity
) -> None:
    listening = asyncio.create_task(entity.async_process_audio_stream(microphone(), None))
    await node.received("audio-chunk")
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    async with asyncio.timeout(0.1):
        await node.request()


async def test_only_words_that_the_node_can_hear_are_offered(
    entity: wake_word.WakeWordDetectionEntity,
) -> None:
    assert await entity.get_supported_wake_words() == [
        wake_word.WakeWord(id="alexa", name="alexa of the test", phrase="Alexa"),
        wake_word.WakeWord(id="okay_nabu", name="okay_nabu of the test", phrase="Okay Nabu"),
    ]


@pytest.fixture
async def typed(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> wake_word.WakeWordDetectionEntity:
    """The entity of a program that hears any phrase, with two that were typed."""
    node.info["wake"][0] |= {
        "open_vocabulary": True,
        "models": [
            artifact("okay_nabu", languages=["en"], phrase="Okay Nabu"),
            artifact("phonemes-en", languages=["en"]),
        ],
    }
    words = {"wake_words": ["hey computer", "okay_nabu"]}
    hass.config_entries.async_update_entry(entry, options={"wake": {"sentinel": words}})
    assert await hass.config_entries.async_setup(entry.entry_id)
    entity = wake_word.async_get_wake_word_detection_entity(hass, ENTITY)
    assert entity is not None
    return entity


async def test_typed_phrases_are_offered_before_the_listed_words(
    typed: wake_word.WakeWordDetectionEntity,
) -> None:
    assert await typed.get_supported_wake_words() == [
        wake_word.WakeWord(id="hey computer", name="hey computer", phrase="hey computer"),
        wake_word.WakeWord(id="okay_nabu", name="okay_nabu of the test", phrase="Okay Nabu"),
    ]


async def test_a_typed_phrase_is_listened_for(
    node: ScriptedNode, typed: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(1, reply(Detection(name="hey computer", timestamp=0)))
    result = await typed.async_process_audio_stream(microphone(), "hey computer")
    assert result is not None
    assert (result.wake_word_id, result.wake_word_phrase) == ("hey computer", "hey computer")
    assert (await node.request()).received[0].data["names"] == ["hey computer"]


async def test_all_phrases_wake_where_none_was_chosen(
    node: ScriptedNode, typed: wake_word.WakeWordDetectionEntity
) -> None:
    node.answers["audio-chunk"] = after(1, reply(OKAY_NABU))
    assert await typed.async_process_audio_stream(microphone(), None)
    assert (await node.request()).received[0].data["names"] == ["hey computer", "okay_nabu"]


async def test_phrases_that_were_typed_for_a_program_that_hears_no_more_than_its_own_are_left_out(
    hass: HomeAssistant,
    node: ScriptedNode,
    typed: wake_word.WakeWordDetectionEntity,
    entry: MockConfigEntry,
) -> None:
    del node.info["wake"][0]["open_vocabulary"]
    await entry.runtime_data.async_refresh()
    words = [word.id for word in await typed.get_supported_wake_words()]
    assert words == ["okay_nabu", "phonemes-en"]
