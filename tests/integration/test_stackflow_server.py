"""The stand-in of a StackFlow module behaves as the protocol says, defects included."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.stackflow_server import StackFlowServer, hear_tones, speak_tones
from tests.stackflow_server.framing import Signal, Splitter, field
from tests.stackflow_server.wire import Wire, wired

PING = b'{"request_id":"1","work_id":"sys","action":"ping"}'
LLM = {
    "model": "qwen2.5-0.5B-prefill-20e",
    "response_format": "llm.utf-8.stream",
    "input": "llm.utf-8.stream",
    "prompt": "You are kind.",
}
ASR = {"response_format": "asr.utf-8.stream", "input": "asr.base64"}
ZIPFORMER = {**ASR, "model": "sherpa-ncnn-streaming-zipformer-20M-2023-02-17"}
SENSE = {**ASR, "model": "sense-voice-small-10s"}
WHISPER = {
    "model": "whisper-tiny",
    "response_format": "asr.utf-8",
    "input": "whisper.base64",
    "language": "en",
}
KWS = {
    "model": "sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01",
    "response_format": "kws.bool",
    "input": "kws.pcm.base64",
    "kws": "HELLO",
}
VAD = {"model": "silero-vad", "response_format": "vad.bool", "input": "vad.pcm.base64"}
TTS = {
    "model": "single-speaker-english-fast",
    "response_format": "tts.base64.wav",
    "input": "tts.utf-8",
}
MELO = {
    "model": "melotts-en-us",
    "response_format": "pcm.stream.base64",
    "input": "tts.utf-8",
    "spacker_speed": 1.0,
}
YOLO = {"model": "yolo11n", "response_format": "yolo.box", "input": "yolo.jpeg.base64"}
DEPTH = {
    "model": "depth-anything-ax630c",
    "response_format": "jpeg.base64",
    "input": "depth_anything.jpeg.base64",
}


@asynccontextmanager
async def module(
    version: str = "1.6", **options: Any
) -> AsyncIterator[tuple[StackFlowServer, Wire]]:
    async with StackFlowServer(version=version, **options) as server, wired(server.port) as wire:
        yield server, wire


def pcm(text: str, silence: float = 0.0) -> bytes:
    """Return s16le of tones and silence after them."""
    return speak_tones(text).astype("<i2").tobytes() + bytes(2 * round(silence * 16_000))


def spoken(data: str) -> str:
    return hear_tones(np.frombuffer(base64.b64decode(data), "<i2").astype(np.int16), "en")


def red_square(width: int = 640, height: int = 480) -> bytes:
    """Return a JPEG of 640x480 with a red square from (160, 120) to (320, 280)."""
    pixels = np.full((height, width, 3), 60, np.uint8)
    pixels[120:280, 160:320] = (230, 20, 20)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def code(reply: dict[str, Any]) -> int:
    return int(reply["error"]["code"])


# -- framing


def split(*segments: bytes, raw: bool = True) -> list[str | Signal]:
    splitter = Splitter(raw=raw)
    return [found for segment in segments for found in splitter.feed(segment)]


@pytest.mark.parametrize("filler", [b"", b"\n", b" " * 15])
def test_a_little_filler_between_messages_does_no_harm(filler: bytes) -> None:
    assert split(b'{"a":1}' + filler + b'{"b":2}') == ['{"a":1}', '{"b":2}']


@pytest.mark.parametrize("length", [16, 17, 40])
def test_sixteen_bytes_of_filler_swallow_the_next_message(length: int) -> None:
    assert split(b'{"a":1}' + b"\n" * length + b'{"b":2}{"c":3}') == ['{"a":1}', '{"c":3}']


def test_braces_are_counted_inside_strings_but_after_a_backslash() -> None:
    assert split(b'{"a":"}"}') == ['{"a":"}', Signal.RESET]
    assert split(b'{"a":"{"}', b'{"b":1}') == []
    assert split(b'{"a":"\\{"}') == ['{"a":"\\{"}']
    assert split(b'{"a":"\\u007b"}') == ['{"a":"\\u007b"}']


def test_messages_may_come_byte_by_byte() -> None:
    text = b'{"a":{"b":"\\}"}}\n{"c":1}'
    assert split(*(text[i : i + 1] for i in range(len(text)))) == ['{"a":{"b":"\\}"}}', '{"c":1}']


def test_a_raw_block_becomes_data_and_one_byte_after_it_is_skipped() -> None:
    head, block = b'{"RAW":5,"object":"x"}', b"}{\n{}"
    whole = f'{{"RAW":5,"object":"x","data":"{base64.b64encode(block).decode()}"}}'
    assert split(head + block + b"\n" + PING) == [whole, PING.decode()]
    assert split(head, block[:2], block[2:], PING) == [whole, PING.decode()]
    assert split(head + block + PING) == [whole, Signal.RESET]
    assert split(head + block, raw=False) == ['{"RAW":5,"object":"x"}', Signal.RESET]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"k":"v"}', "v"),
        ('{"other":"k","k":"v"}', "v"),
        ('{"object":"k","b":"w","k":"v"}', "w"),
        ('{"k":["a","b"]}', '["a"'),
        ('{"k":12}', "12"),
        ('{"k":{"a":"}"},"b":1}', '{"a":"}'),
        ('{"k":"ends in \\\\","b":"c"}', 'ends in \\",'),
        ('{"k":"\\u007b\\n\\"\\ud83d\\ude00"}', '{\n"\\ud83d\\ude00'),
        ("{}", ""),
    ],
)
def test_fields_are_found_as_text(text: str, value: str) -> None:
    assert field(text, "k") == value


async def test_closing_more_than_was_opened_is_answered_without_a_newline() -> None:
    async with module() as (_, wire):
        await wire.write(b"}" + PING)
        whole = await asyncio.wait_for(wire.reader.readuntil(b'"reace reset"}}'), 5)
        assert whole.startswith(b'{"request_id": "0","work_id": "sys"')
        assert code(await wire.line()) == 0


@pytest.mark.parametrize(
    "text",
    [b"{nonsense}", b'{"request_id":1,"work_id":"sys","action":"ping"}', b'{"request_id":"1"}'],
)
async def test_an_envelope_that_is_no_json_of_strings_is_refused(text: bytes) -> None:
    async with module() as (_, wire):
        await wire.write(text)
        reply = await wire.line()
        assert (code(reply), reply["request_id"], reply["work_id"]) == (-2, "0", "sys")


async def test_an_open_brace_swallows_all_that_follows_on_its_connection() -> None:
    async with module() as (server, wire):
        await wire.write(PING.replace(b"ping", b"pi{ng") + PING)
        assert await wire.silent()
        async with wired(server.port) as other:
            assert code(await other.call("sys", "ping")) == 0


# -- tasks and routes


async def test_replies_have_their_keys_in_order_and_tasks_are_numbered_over_all_units() -> None:
    async with module() as (_, wire):
        assert [await wire.setup("llm", **LLM), await wire.setup("vad", **VAD)] == [
            "llm.1000",
            "vad.1001",
        ]
        await wire.write(PING)
        line = await asyncio.wait_for(wire.reader.readline(), 5)
        keys = ["created", "data", "error", "object", "request_id", "work_id"]
        assert list(json.loads(line)) == keys
        assert json.loads(line)["object"] == json.loads(line)["data"] == "None"


async def test_a_task_outlives_its_connection_and_must_be_ended() -> None:
    async with module() as (server, wire):
        async with wired(server.port) as other:
            await other.setup("vad", **VAD)
        reply = await wire.call("vad", "setup", object="vad.setup", data={**VAD, "enoutput": True})
        assert (code(reply), reply["work_id"]) == (-21, "vad")
        listed = await wire.call("vad", "taskinfo")
        assert (listed["object"], listed["data"]) == ("vad.tasklist", ["vad.1000"])
        told = await wire.call("vad.1000", "taskinfo")
        assert told["data"] == {
            "enoutput": True,
            "inputs": ["vad.pcm.base64"],
            "model": "silero-vad",
            "response_format": "vad.bool",
        }
        assert code(await wire.call("vad.1000", "exit")) == 0
        assert await wire.setup("vad", **VAD) == "vad.1001"


async def test_output_goes_to_who_asked_last_with_the_id_of_the_last_inference() -> None:
    async with module() as (server, wire), wired(server.port) as other:
        task = await wire.setup("tts", **TTS)
        request_id = await wire.infer(task, "tts.utf-8", "one")
        assert (await wire.line())["request_id"] == request_id
        server.faults.slow(0.2)
        await wire.infer(task, "tts.utf-8", "two")
        await asyncio.to_thread(server.asked, "inference", count=2)
        await other.call(task, "taskinfo")
        assert spoken((await other.line())["data"]) == "two"
        server.faults.steal(task)
        assert await wire.silent()


@pytest.mark.parametrize(
    ("work_id", "action", "expected"),
    [
        ("llm.7", "inference", -4),
        ("llm.7", "exit", -6),
        ("camera", "setup", -9),
        ("llm", "taskinfo", 0),
        ("sys", "dance", -3),
        ("sys", "lstask", -10),
    ],
)
async def test_wrong_addresses_have_codes_of_their_own(
    work_id: str, action: str, expected: int
) -> None:
    async with module() as (_, wire):
        assert code(await wire.call(work_id, action)) == expected


async def test_streamed_input_is_kept_per_unit_not_per_client() -> None:
    async with module() as (server, wire), wired(server.port) as other:
        tasks = [await each.setup("llm", **LLM) for each in (wire, other)]
        for index, text in enumerate(["Good ", "day"]):
            data = {"delta": text, "index": index, "finish": index == 1}
            await wire.infer(tasks[0], "llm.utf-8.stream", data)
        assert "".join(d["delta"] for d in await wire.deltas()) == "You said: Good day"
        await wire.infer(tasks[0], "llm.utf-8.stream", {"delta": "a", "index": 0, "finish": False})
        await asyncio.to_thread(server.asked, "inference", count=3)
        await other.infer(tasks[1], "llm.utf-8.stream", {"delta": "b", "index": 2, "finish": True})
        assert code(await other.line()) == -25


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [("llm.utf-8.base64", "***", -23), ("llm.utf-8", "", -24), ("llm.utf-8.stream", "x", -25)],
)
async def test_data_that_cannot_be_read_is_refused(kind: str, data: str, expected: int) -> None:
    async with module() as (_, wire):
        task = await wire.setup("llm", **LLM)
        await wire.infer(task, kind, data)
        assert code(await wire.line()) == expected


@pytest.mark.parametrize(
    ("unit", "data", "expected", "careless"),
    [
        ("llm", {**LLM, "prompt": None}, -5, "llm"),
        ("llm", {**LLM, "model": "gpt"}, -5, "llm"),
        ("whisper", {**WHISPER, "language": None}, -5, "asr"),
        ("kws", {**KWS, "kws": "hello"}, -5, "kws"),
        ("asr", SENSE, -5, "asr"),
        ("llm", "no object", -2, "kws"),
    ],
)
async def test_setups_that_lack_something_are_refused(
    unit: str, data: Any, expected: int, careless: str
) -> None:
    if isinstance(data, dict):
        data = {
            key: value for key, value in {**data, "enoutput": True}.items() if value is not None
        }
    async with module() as (_, wire):
        reply = await wire.call(unit, "setup", object=f"{unit}.setup", data=data)
        assert (code(reply), reply["work_id"]) == (expected, careless)


async def test_links_are_checked() -> None:
    async with module() as (_, wire):
        task = await wire.setup("llm", **LLM)
        vad, asr = await wire.setup("vad", **VAD), await wire.setup("asr", **ZIPFORMER)
        for target, expected in ((vad, -22), ("asr.7", -20), (asr, 0)):
            assert code(await wire.call(task, "link", object="work_id", data=target)) == expected
        assert (await wire.call(task, "taskinfo"))["data"]["inputs_"][-1] == asr
        assert code(await wire.call(task, "unlink", object="work_id", data=asr)) == 0


# -- sys


async def test_sys_tells_release_models_and_memory() -> None:
    async with module("1.7") as (_, wire):
        assert (await wire.call("sys", "version"))["data"] == "v1.7"
        assert "llm_melotts-1.9" in (await wire.call("sys", "version2"))["data"]
        listed = await wire.call("sys", "lsmode")
        assert len(json.dumps(listed)) > 100_000
        names = {mode["mode"]: mode["type"] for mode in listed["data"]}
        assert names["yolo11n"] == "cv"
        assert "sense-voice-small-10s" not in names
        before = (await wire.call("sys", "cmminfo"))["data"]
        await wire.setup("llm", **LLM)
        after = (await wire.call("sys", "cmminfo"))["data"]
        assert before["remain"] - after["remain"] == after["used"] == 560_460
        assert (await wire.call("sys", "hwinfo"))["data"]["temperature"] == 46850


async def test_old_releases_lack_what_came_later() -> None:
    async with module("1.3") as (_, wire):
        assert code(await wire.call("sys", "cmminfo")) == -3
        assert code(await wire.call("whisper", "setup")) == -9
        raw = b'{"RAW":2,"request_id":"9","work_id":"yolo.1000","action":"inference"}'
        task = await wire.setup("yolo", **YOLO)
        assert task == "yolo.1000"
        await wire.write(raw + b"\xff\xd8")
        assert code(await wire.line()) == -24


async def test_a_model_that_does_not_fit_is_not_loaded() -> None:
    async with module() as (_, wire):
        big = {**LLM, "model": "qwen2.5-1.5B-ax630c"}
        await wire.setup("llm", **big)
        reply = await wire.call("llm", "setup", object="llm.setup", data={**big, "enoutput": True})
        assert code(reply) == -5


async def test_reset_closes_everything_and_comes_back_without_tasks() -> None:
    async with module(restart_seconds=0.05) as (server, wire):
        await wire.setup("llm", **LLM)
        reply = await wire.call("sys", "reset")
        assert reply["error"] == {"code": 0, "message": "llm server restarting ..."}
        await wire.closed()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
        async with wired(server.port, retry=True) as again:
            assert (await again.call("llm", "taskinfo"))["data"] == []


async def test_forbidden_actions_are_noted() -> None:
    async with module() as (server, wire):
        await wire.call("sys", "bashexec", object="sys.utf-8", data="ls /")
        assert [message.action for message in server.forbidden] == ["bashexec"]


# -- hearing


async def test_whisper_ends_all_with_a_dot_and_is_silent_where_it_understood_nothing() -> None:
    async with module() as (_, wire):
        task = await wire.setup("whisper", **WHISPER)
        await wire.infer(task, "whisper.base64", pcm("turn on"))
        assert (await wire.line())["data"] == "turn on."
        await wire.infer(task, "whisper.base64", pcm("", 0.5))
        assert (await wire.line())["data"] == "."
        await wire.call(task, "exit")
        task = await wire.setup("whisper", **{**WHISPER, "language": "fr"})
        await wire.infer(task, "whisper.base64", pcm("", 0.5))
        assert await wire.silent()


async def test_streaming_recognisers_finish_after_silence_only() -> None:
    async with module() as (_, wire):
        task = await wire.setup("asr", **ZIPFORMER)
        await wire.infer(task, "asr.pcm.base64", pcm("Lights", 1.1))
        assert (await wire.line())["data"] == {"delta": "lights", "finish": False, "index": 0}
        assert await wire.silent()
        await wire.infer(task, "asr.pcm.base64", bytes(6_400))
        assert (await wire.line())["data"] == {"delta": "lights.", "finish": True, "index": 1}


@pytest.mark.parametrize(("version", "final"), [("1.7", False), ("dev", True)])
async def test_only_new_recognisers_tell_that_they_heard_nothing(version: str, final: bool) -> None:
    async with module(version) as (_, wire):
        task = await wire.setup("asr", **ZIPFORMER)
        await wire.infer(task, "asr.pcm.base64", bytes(32_000 * 3))
        if final:
            assert (await wire.line())["data"] == {"delta": "", "finish": True, "index": 0}
        else:
            assert await wire.silent()


async def test_sensevoice_answers_every_utterance_once() -> None:
    async with module("main") as (_, wire):
        task = await wire.setup("asr", **SENSE)
        for sound, text in ((pcm("open", 0.7) + pcm("it"), "open it"), (bytes(16_000), "")):
            await wire.infer(task, "asr.base64", sound)
            assert await wire.deltas() == [{"delta": text, "finish": True, "index": 0}]
    async with module("dev") as (_, wire):
        task = await wire.setup("asr", **SENSE)
        await wire.infer(task, "asr.base64", pcm("open", 0.7) + pcm("it"))
        assert [d["delta"] for d in await wire.deltas()] == ["open", "it", "open it"]


async def test_a_wake_word_is_told_with_the_id_of_setup() -> None:
    async with module() as (_, wire):
        task = await wire.setup("kws", **KWS)
        sound = pcm("oh hello", 0.3)
        for start in range(0, len(sound), 3_200):
            await wire.infer(task, "kws.pcm.base64", sound[start : start + 3_200])
        reply = await wire.line()
        assert (reply["object"], reply["data"], reply["request_id"]) == ("kws.bool", True, "1")
        assert await wire.silent()
        assert code(await wire.call(task, "trigger")) == -18


async def test_the_npu_wake_word_takes_exactly_32_frames() -> None:
    async with module("main") as (_, wire):
        setup = {**KWS, "model": "kws", "response_format": "kws.json", "kws": "HI M5"}
        task = await wire.setup("kws", **setup)
        sound = pcm("hi m5", 0.6)
        await wire.infer(task, "kws.pcm.base64", sound)
        assert await wire.silent()
        for start in range(0, len(sound) - 10_239, 10_240):
            await wire.infer(task, "kws.pcm.base64", sound[start : start + 10_240])
        assert (await wire.line())["data"]["keyword"] == "hi m5"


async def test_voice_begins_and_ends() -> None:
    async with module() as (_, wire):
        task = await wire.setup("vad", **VAD)
        await wire.infer(task, "vad.pcm.base64", pcm("hello", 0.4))
        assert (await wire.line())["data"] is True
        assert await wire.silent()
        await wire.infer(task, "vad.pcm.base64", bytes(6_400))
        assert (await wire.line())["data"] is False
