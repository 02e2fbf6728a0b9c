"""One spoken turn through Home Assistant's own `assist_pipeline/run`, with the time of everything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from demo.api import Api, Arrival
from demo.assist import Assistant
from demo.processes import DemoError
from demo.speech import RATE, Speech, decode

_CHUNK = RATE // 50
_CHUNK_SECONDS = _CHUNK / RATE
_PATIENCE = 20.0
"""Seconds of silence after which a pipeline that heard no end of the turn is given up."""
_STATE_SECONDS = 5.0


@dataclass(kw_only=True)
class Turn:
    """What happened."""

    transcript: str = ""
    intent: str = ""
    entity: str = ""
    """Name of what changed."""
    state_before: str = ""
    state_after: str = ""
    reply: str = ""
    audio_seconds: float = 0.0
    """Length of the spoken reply."""
    chime: bool = False
    """The reply is Home Assistant's chime: all happened in the speaker's own area."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds from the end of speech, by moment."""

    @property
    def done(self) -> bool:
        """Return whether the home changed and the reply was heard."""
        return self.state_before != self.state_after and self.audio_seconds > 0

    def result(self) -> dict[str, Any]:
        """Return what the RESULT line tells."""
        told = asdict(self)
        return {key: told[key] for key in told if key not in ("entity", "chime")}


class _Microphone:
    """Sends speech at the pace it is spoken, then silence, until stopped."""

    def __init__(self, api: Api, speech: Speech, handler: int) -> None:
        self._api = api
        self._speech = speech
        self._prefix = bytes([handler])
        self._start = asyncio.get_running_loop().time()
        self.end_of_speech = self._start + speech.end
        self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        silence = np.zeros(int(_PATIENCE * RATE), dtype=np.int16)
        samples = np.concatenate((self._speech.samples, silence)).astype("<i2")
        for index in range(len(samples) // _CHUNK):
            # A microphone has a chunk once it is over; by the clock, so that delays do not add up.
            await asyncio.sleep(self._start + (index + 1) * _CHUNK_SECONDS - loop.time())
            chunk = samples[index * _CHUNK : (index + 1) * _CHUNK]
            await self._api.send_bytes(self._prefix + chunk.tobytes())

    async def stop(self) -> None:
        """Say that no more audio comes."""
        if not self._task.done():
            self._task.cancel()
            await self._api.send_bytes(self._prefix)


async def run_turn(api: Api, assistant: Assistant, device: str, speech: Speech) -> Turn:
    """Speak to the pipeline on behalf of `device` and return what came of it."""
    turn = Turn()
    changes = await api.subscribe("subscribe_events", event_type="state_changed")
    events = await api.subscribe(
        "assist_pipeline/run",
        start_stage="stt",
        end_stage="tts",
        input={"sample_rate": RATE},
        pipeline=assistant.pipeline_id,
        device_id=device,
    )
    started = await _next(events, "run-start")
    await _next(events, "stt-start")
    microphone = _Microphone(
        api, speech, started.event["data"]["runner_data"]["stt_binary_handler_id"]
    )
    moments: dict[str, float] = {}
    try:
        heard = await _next(events, "stt-end", patience=_PATIENCE + len(speech.samples) / RATE)
    finally:
        await microphone.stop()
    moments["transcript"] = heard.time
    turn.transcript = heard.event["data"]["stt_output"]["text"]
    understood = await _next(events, "intent-end")
    moments["intent"] = understood.time
    response = understood.event["data"]["intent_output"]["response"]
    turn.reply = response["speech"].get("plain", {}).get("speech", "")
    speaking = await _next(events, "tts-start")
    turn.chime = speaking.event["data"]["acknowledge_override"]
    replied = await _next(events, "tts-end")
    moments["reply"] = replied.time
    await _listen(api, replied.event["data"]["tts_output"]["url"], turn, moments)
    if (wait := await _since_end_of_turn(api, assistant.entry_id)) is not None:
        moments["end_of_turn"] = heard.time - wait
    await _watch(changes, response["data"].get("success", []), turn, moments)
    turn.timings_ms = {
        name: round((moment - microphone.end_of_speech) * 1000, 1)
        for name, moment in sorted(moments.items(), key=lambda item: item[1])
    }
    turn.intent = await _intent(api, turn.transcript, device)
    return turn


async def _next(events: asyncio.Queue[Arrival], kind: str, patience: float = 30.0) -> Arrival:
    """Return the next event of a kind; `DemoError` for the pipeline's own `error`."""
    while True:
        try:
            arrival = await asyncio.wait_for(events.get(), patience)
        except TimeoutError:
            raise DemoError(f"no {kind} from the pipeline within {patience:.0f} s") from None
        data = arrival.event["data"] or {}
        if arrival.event["type"] == "error":
            raise DemoError(f"the pipeline failed: {data['message']} ({data['code']})")
        if arrival.event["type"] == kind:
            return arrival


async def _listen(api: Api, path: str, turn: Turn, moments: dict[str, float]) -> None:
    """Fetch the reply as a speaker does and measure it."""
    clock = asyncio.get_running_loop().time
    audio = bytearray()
    async with api.download(path) as content:
        async for data in content.iter_any():
            moments.setdefault("first_audio", clock())
            audio += data
    moments["last_audio"] = clock()
    samples, rate = await asyncio.to_thread(decode, BytesIO(audio))
    turn.audio_seconds = round(len(samples) / rate, 3)


async def _watch(
    changes: asyncio.Queue[Arrival],
    targets: list[Mapping[str, Any]],
    turn: Turn,
    moments: dict[str, float],
) -> None:
    """Note the first change among the targets of the intent."""
    ids = {target["id"] for target in targets if target["type"] == "entity"}
    before = after = None
    try:
        async with asyncio.timeout(_STATE_SECONDS if ids else 0):
            while before == after:
                arrival = await changes.get()
                data = arrival.event["data"]
                if data["entity_id"] in ids and data["old_state"]:
                    before, after = _readings(data["old_state"], data["new_state"])
    except TimeoutError:
        return
    moments["state"] = arrival.time
    turn.entity = data["new_state"]["attributes"]["friendly_name"]
    turn.state_before, turn.state_after = str(before), str(after)


def _readings(*states: Mapping[str, Any]) -> list[str]:
    """Return the states, or where they are the same, what was set."""
    if len({state["state"] for state in states}) > 1:
        return [state["state"] for state in states]
    settings = ("temperature", "brightness", "current_position")
    return [
        " ".join(
            [
                state["state"],
                *(str(value) for key in settings if (value := state["attributes"].get(key))),
            ]
        )
        for state in states
    ]


async def _since_end_of_turn(api: Api, entry_id: str) -> float | None:
    """Return the seconds from the unit's end of turn to its transcript; only the unit knows them."""
    diagnostics = await api.get(f"/api/diagnostics/config_entry/{entry_id}")
    timing = diagnostics["data"].get("timings", {}).get("stt", {}).get("timing", {})
    if "endpoint" not in timing:
        return None
    return float(timing["total"] - timing["endpoint"]) / 1000


async def _intent(api: Api, transcript: str, device: str) -> str:
    """Return the name of the intent that Home Assistant's agent sees in a sentence."""
    answer = await api.call(
        "conversation/agent/homeassistant/debug",
        sentences=[transcript],
        language="en",
        device_id=device,
    )
    result = answer["results"][0] or {}
    name: str = result.get("intent", {}).get("name", "")
    return name
