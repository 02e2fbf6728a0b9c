"""Turns through Home Assistant and a real node whose units are a module's."""

import asyncio
from typing import Any

import audioop
import pytest
from homeassistant.components import stt
from homeassistant.components.assist_pipeline import async_get_pipeline
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from tests.integration.recordings import data
from tests.stackflow_server import Minds, StackFlowServer

from .assist import PIECE
from .module_helpers import (
    COMMAND,
    DONE,
    EARS,
    LIGHT,
    MOUTH,
    SpokenTurn,
    embedded,
    entry_of_the_node,  # noqa: F401
    installed_models,  # noqa: F401
    kitchen_with_a_light,  # noqa: F401
    minds_of_tones,  # noqa: F401
    module_in_reach,  # noqa: F401
    node_of_the_module,  # noqa: F401
    other_settings,  # noqa: F401
    samples_of,
    spoken,
    usual_units,  # noqa: F401
    what_happens_meanwhile,  # noqa: F401
    whole_turn,
)

SPOTTER = "sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01"
WORD = "okay nabu"
HASTE = 2
"""How much faster than in real time is spoken."""
LONGEST = 200
"""Bytes: the answer to a word is shorter."""


async def test_a_spoken_command_is_heard_done_and_answered_by_the_module(
    hass: HomeAssistant, hass_ws_client: Any, module: StackFlowServer, entry: ConfigEntry
) -> None:
    assert await whole_turn(hass, await hass_ws_client(hass)) == DONE
    assert len(module.asked("inference", "whisper")) == 1
    assert len(module.asked("inference", "melotts")) == 1


async def test_answers_in_pieces_of_a_byte_are_heard_as_if_they_were_whole(
    hass: HomeAssistant, hass_ws_client: Any, module: StackFlowServer, entry: ConfigEntry
) -> None:
    turn = SpokenTurn(hass, await hass_ws_client(hass))
    module.faults.cut_every = 1
    await turn.ask(COMMAND)
    assert await turn.understood() == COMMAND
    module.faults.cut_every = 1009  # the sound of an answer takes minutes in single bytes
    assert await turn.answer() == DONE


async def test_an_answer_may_be_cut_in_two_at_any_byte(
    hass: HomeAssistant, module: StackFlowServer, entry: ConfigEntry
) -> None:
    engine = stt.async_get_speech_to_text_engine(hass, async_get_pipeline(hass).stt_engine or "")
    assert isinstance(engine, stt.SpeechToTextEntity)

    async def microphone() -> Any:
        yield spoken("yes")

    about = stt.SpeechMetadata(
        "en",
        stt.AudioFormats.WAV,
        stt.AudioCodecs.PCM,
        stt.AudioBitRates.BITRATE_16,
        stt.AudioSampleRates.SAMPLERATE_16000,
        stt.AudioChannels.CHANNEL_MONO,
    )
    for place in range(1, LONGEST):
        module.faults.split_at = place
        result = await engine.async_process_audio_stream(about, microphone())
        assert (place, result.text) == (place, "yes")


class TestSpeech:
    """Real speech, and a module whose models are the embedded engines."""

    @pytest.fixture(name="models")
    def models_of_the_module(self) -> tuple[str, ...]:
        return (SPOTTER, EARS, MOUTH)

    @pytest.fixture(name="units")
    def units_of_the_module(self) -> list[str]:
        return ["wake=stackflow-kws", "stt=stackflow-whisper", "tts=stackflow-melotts"]

    @pytest.fixture(name="more")
    def word_to_wake_on(self) -> dict[str, Any]:
        return {"wake_words": {WORD: {}}}

    @pytest.fixture(name="minds")
    def embedded_engines(self) -> Minds:
        return embedded()

    async def test_a_command_behind_the_wake_word_is_heard_and_answered(
        self,
        hass: HomeAssistant,
        hass_ws_client: Any,
        module: StackFlowServer,
        entry: ConfigEntry,
    ) -> None:
        word = data("media/wake/mww_okay_nabu_1.wav").read_bytes()
        command = data("media/home/en/generated/turn on the Kitchen lights.wav").read_bytes()
        turn = SpokenTurn(hass, await hass_ws_client(hass))
        # No time-out: the recording begins with noise that a satellite had heard for long.
        audio = {"sample_rate": 16_000, "timeout": 0}
        await turn.start(async_get_pipeline(hass).id, start_stage="wake_word", input=audio)
        said = bytes(16_000).join((b"", samples_of(word), samples_of(command), bytes(48_000)))
        saying = asyncio.create_task(turn.say(said, pace=PIECE / 32_000 / HASTE))
        woken = (await turn.until("wake_word-end"))["wake_word_output"]
        assert woken["wake_word_phrase"] == WORD
        assert (await turn.understood()).lower().removesuffix("s") == COMMAND
        saying.cancel()
        answer = samples_of(await turn.reply())
        assert len(answer) > 16_000
        assert audioop.rms(answer, 2) > 300
        assert hass.states.is_state(LIGHT, "on")
        sent = {request.unit for request in module.asked("inference")}
        assert sent == {"kws", "whisper", "melotts"}
