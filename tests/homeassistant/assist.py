"""A turn through Assist, as the frontend and satellites run it: over the websocket."""

import asyncio
from typing import Any

from homeassistant.components import tts
from homeassistant.core import HomeAssistant

RATE = 16_000
PIECE = RATE // 50 * 2
"""Bytes of 20 ms of audio."""


class Turn:
    """Sends speech and collects the events of a pipeline run."""

    def __init__(self, hass: HomeAssistant, client: Any) -> None:
        self._hass = hass
        self._client = client
        self.events: list[dict[str, Any]] = []
        self.reply_audio = b""

    async def start(self, pipeline: str, **more: Any) -> None:
        """Start a run from speech to the spoken reply; `more` goes into the request."""
        await self._client.send_json_auto_id(
            {
                "type": "assist_pipeline/run",
                "pipeline": pipeline,
                "start_stage": "stt",
                "end_stage": "tts",
                "input": {"sample_rate": RATE},
            }
            | more
        )
        answer = await self._client.receive_json()
        assert answer["success"], answer
        await self.until("run-start")

    async def until(self, event_type: str) -> dict[str, Any]:
        """Return the data of the next event of a type; a failed run fails the test."""
        async with asyncio.timeout(30):
            while True:
                message = await self._client.receive_json()
                event = message["event"]
                self.events.append(event)
                if event["type"] == "run-start":
                    self._ask_for_wav(event["data"])
                if event["type"] == event_type:
                    return event["data"] or {}
                assert event["type"] not in ("error", "run-end"), self.events

    def _ask_for_wav(self, data: dict[str, Any]) -> None:
        """Ask for the audio as a satellite does; the default is MP3, which needs a program."""
        self._handler = bytes([data["runner_data"]["stt_binary_handler_id"]])
        if (output := data.get("tts_output")) is not None:
            stream = tts.async_get_stream(self._hass, output["token"])
            assert stream is not None
            stream.options[tts.ATTR_PREFERRED_FORMAT] = "wav"

    async def say(self, pcm: bytes, pace: float = 0.0, *, and_end: bool = False) -> None:
        """Send 16-bit mono audio, `pace` seconds per piece of 20 ms."""
        for start in range(0, len(pcm), PIECE):
            await self._client.send_bytes(self._handler + pcm[start : start + PIECE])
            await asyncio.sleep(pace)
        if and_end:
            await self.end_speech()

    async def end_speech(self) -> None:
        """Close the microphone."""
        await self._client.send_bytes(self._handler)

    async def reply(self) -> bytes:
        """Return the whole spoken reply."""
        token = (await self.until("tts-end"))["tts_output"]["token"]
        stream = tts.async_get_stream(self._hass, token)
        assert stream is not None
        audio = b"".join([data async for data in stream.async_stream_result()])
        await self.until("run-end")
        return audio
