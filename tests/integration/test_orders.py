"""Every order of events on every unit is legal or answered by one error: state machines on a real node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from wyoming_units.config import load_config
from wyoming_units.node import Node
from wyoming_units.wire.limits import Limits

from .orders import Conversation, Stream

HOME = {"entities": [{"name": "Kitchen Light", "domain": "light"}]}
SOUND = {"rate": 16000, "width": 2, "channels": 1}
MICRO, OPEN = "microwakeword", "openwakeword"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a node with all units, two wake programs among them, in a thread of its own."""
    folder: Path = tmp_path_factory.mktemp("node")
    units = [f"wake={MICRO}", f"wake={OPEN}", "stt", "tts", "intent"]
    limits = Limits(pending=1000)
    config = load_config(
        data_dir=folder, host="127.0.0.1", port=0, advertise=[], units=units, limits=limits
    )
    ports: list[int] = []
    up, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with Node(config) as node:
            await node.loaded()
            ports.append(node.port)
            up.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(30)
    yield ports[0]
    stop.set()
    thread.join()


class Orders(RuleBasedStateMachine):
    """What every unit shares."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.talk = Conversation(port)
        self.selected: str | None = None

    @rule(kind=st.sampled_from(["describe", "stats", "ping"]))
    def look(self, kind: str) -> None:
        self.talk.tell(kind, {}, {"describe": "info", "ping": "pong"}.get(kind, kind))

    @rule()
    def send_from_the_future(self) -> None:
        self.talk.tell("from-the-future", {})

    @rule(name=st.sampled_from(["whisper", "", 7]))
    def select_no_program(self, name: Any) -> None:
        self.talk.tell("select-program", {"name": name}, "error unknown-model")

    def teardown(self) -> None:
        self.talk.finish()
        self.talk.peer.close()


class AudioRules(Orders):
    """Audio, which speech-to-text and wake words share."""

    @rule()
    def start_audio(self) -> None:
        self.talk.audio_start(SOUND)

    @rule(milliseconds=st.sampled_from([0, 10, 100]))
    def send_audio(self, milliseconds: int) -> None:
        self.talk.body("audio-chunk", "audio-stop", SOUND, bytes(32 * milliseconds))

    @rule()
    def send_half_a_sample(self) -> None:
        self.talk.body("audio-chunk", "audio-stop", SOUND, b"\0")
        self.talk.spoil("audio-stop", "error bad-audio")

    @rule()
    def send_audio_of_an_unknown_width(self) -> None:
        self.talk.body("audio-chunk", "audio-stop", {**SOUND, "width": 3}, bytes(6))
        self.talk.spoil("audio-stop", "error bad-audio")

    @rule()
    def stop_audio(self) -> None:
        self.talk.end("audio-stop")

    @rule()
    def cancel_audio(self) -> None:
        self.talk.cancel("audio-stop")


class SttOrders(AudioRules):
    """Speech-to-text."""

    @rule(context=st.sampled_from([{}, {"home": HOME}, {"end_of_turn": "client"}]))
    def transcribe(self, context: dict[str, Any]) -> None:
        self.talk.begin(Stream("transcribe", "transcript-stop"), "audio-stop", {"context": context})

    @rule(
        wrong=st.sampled_from(
            [
                ({"language": "tlh"}, "error unknown-model"),
                ({"name": "whisper"}, "error unknown-model"),
                ({"name": ["whisper"]}, "error bad-request"),
                ({"vad_sensitivity": "nervous"}, "error bad-request"),
                ({"context": {"end_of_turn": "nobody"}}, "error bad-request"),
                ({"context": {"home": []}}, "error bad-request"),
                ({"context": "none"}, "error bad-request"),
            ]
        )
    )
    def transcribe_wrongly(self, wrong: tuple[dict[str, Any], str]) -> None:
        data, error = wrong
        self.talk.begin(Stream("transcribe", "transcript-stop", lambda: error), "audio-stop", data)

    @rule()
    def transcribe_with_a_bad_id(self) -> None:
        self.talk.begin_badly("transcribe", "audio-stop")


class WakeOrders(AudioRules):
    """Wake words, of two programs."""

    @rule(names=st.sampled_from([None, [], ["okay_nabu"], ["hey_jarvis", "okay_nabu"]]))
    def detect(self, names: list[str] | None) -> None:
        self.talk.begin(Stream("detect", "not-detected"), "audio-stop", {"names": names})

    @rule()
    def detect_a_word_of_one_program_only(self) -> None:
        def refusal() -> str | None:
            return "error unknown-wake-word" if self.selected == MICRO else None

        stream = Stream("detect", "not-detected", refusal)
        self.talk.begin(stream, "audio-stop", {"names": ["hey_rhasspy"]})

    @rule(
        wrong=st.sampled_from(
            [
                ({"names": ["hal"]}, "error unknown-wake-word"),
                ({"names": ["okay_nabu", "hal"]}, "error unknown-wake-word"),
                ({"names": "okay_nabu"}, "error bad-request"),
                ({"names": [3]}, "error bad-request"),
            ]
        )
    )
    def detect_wrongly(self, wrong: tuple[dict[str, Any], str]) -> None:
        data, error = wrong
        self.talk.begin(Stream("detect", "not-detected", lambda: error), "audio-stop", data)

    @rule(name=st.sampled_from([MICRO, OPEN]))
    def select_a_program(self, name: str) -> None:
        self.selected = name
        self.talk.tell("select-program", {"name": name})

    @rule()
    def detect_with_a_bad_id(self) -> None:
        self.talk.begin_badly("detect", "audio-stop")


class TtsOrders(Orders):
    """Text-to-speech, at once and streamed."""

    @rule(text=st.sampled_from(["On.", "", "One. Two."]))
    def synthesize(self, text: str) -> None:
        self._synthesize({"text": text}, "audio-stop")

    @rule(
        wrong=st.sampled_from(
            [
                ({"text": "x", "voice": {"name": "nobody"}}, "error unknown-voice"),
                ({"text": "x", "voice": {"language": "tlh"}}, "error unknown-voice"),
                ({"text": "x", "voice": {"name": "en-US", "speaker": "s"}}, "error unknown-voice"),
                ({"text": "x", "voice": 3}, "error bad-request"),
                ({"text": "<speak><audio/></speak>", "text_format": "ssml"}, "error unsupported"),
                ({"text": "x", "text_format": "ssml"}, "error bad-request"),
                ({"text": None}, "error bad-request"),
                ({"text": "x" * 10_001}, "error too-large"),
            ]
        )
    )
    def synthesize_wrongly(self, wrong: tuple[dict[str, Any], str]) -> None:
        self._synthesize(*wrong)

    def _synthesize(self, data: dict[str, Any], final: str) -> None:
        if "synthesize-stop" in self.talk.open:  # there it only repeats the text of the stream
            self.talk.body("synthesize", "synthesize-stop", data)
        else:
            self.talk.ask("synthesize", data, final)

    @rule()
    def start_text(self) -> None:
        stream = Stream("synthesize-start", "synthesize-stopped")
        self.talk.begin(stream, "synthesize-stop", {})

    @rule()
    def start_text_with_an_unknown_voice(self) -> None:
        stream = Stream("synthesize-start", "", lambda: "error unknown-voice")
        self.talk.begin(stream, "synthesize-stop", {"voice": {"name": "nobody"}})

    @rule(text=st.sampled_from(["On. ", "Off", ""]))
    def send_text(self, text: str) -> None:
        self.talk.body("synthesize-chunk", "synthesize-stop", {"text": text})

    @rule()
    def send_no_text(self) -> None:
        self.talk.body("synthesize-chunk", "synthesize-stop", {"text": 3})
        self.talk.spoil("synthesize-stop", "error bad-request")

    @rule()
    def stop_text(self) -> None:
        self.talk.end("synthesize-stop")

    @rule()
    def cancel_text(self) -> None:
        self.talk.cancel("synthesize-stop")


class IntentOrders(Orders):
    """Intents, asked for in both ways."""

    kinds = st.sampled_from(["transcript", "recognize"])

    @rule(kind=kinds, text=st.sampled_from(["turn on the kitchen light", "colourless ideas", ""]))
    def recognize(self, kind: str, text: str) -> None:
        final = "intents-stop" if text.startswith("turn") else "not-recognized"
        self.talk.ask(kind, {"text": text, "context": {"home": HOME}}, final)

    @rule(
        kind=kinds,
        wrong=st.sampled_from(
            [
                ({"text": "x", "language": "tlh"}, "error unknown-model"),
                ({"text": "x", "language": 3}, "error bad-request"),
                ({"text": "x", "context": {"home": {"entities": 3}}}, "error bad-request"),
                ({}, "error bad-request"),
            ]
        ),
    )
    def recognize_wrongly(self, kind: str, wrong: tuple[dict[str, Any], str]) -> None:
        self.talk.ask(kind, *wrong)


class AllOrders(SttOrders, WakeOrders, TtsOrders, IntentOrders):
    """All units on one connection."""


@pytest.mark.parametrize("machine", [SttOrders, WakeOrders, TtsOrders, IntentOrders, AllOrders])
def test_every_order_is_legal_or_one_error(machine: type[Orders], port: int) -> None:
    run_state_machine_as_test(
        lambda: machine(port),  # type: ignore[arg-type]
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
