"""The stand-in of a StackFlow module speaks, writes and sees as the protocol says, and fails on wish."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import socket
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.stackflow_server import Minds, Seen, running
from tests.stackflow_server.protocol import ERRORS
from tests.stackflow_server.wire import wired

from .test_stackflow_server import (
    DEPTH,
    LLM,
    MELO,
    PING,
    TTS,
    WHISPER,
    YOLO,
    code,
    module,
    pcm,
    red_square,
    spoken,
)

VLM = {
    "model": "smolvlm-256M-ax630c",
    "response_format": "vlm.utf-8.stream",
    "input": "vlm.utf-8",
    "prompt": "",
}


# -- speaking


async def test_tts_sends_a_message_per_fragment_and_no_end() -> None:
    async with module() as (_, wire):
        task = await wire.setup("tts", **TTS)
        await wire.infer(task, "tts.utf-8.base64", b"Hello, my friend! Go")
        replies = [await wire.line() for _ in range(3)]
        assert [spoken(reply["data"]) for reply in replies] == ["hello", "my friend", "go"]
        assert await wire.silent()


@pytest.mark.parametrize(
    ("version", "text", "expected"),
    [
        ("1.6", "Hi. You", [("hi", False), ("you", True)]),
        ("1.6", "Hi.", [("hi", False), ("", True)]),
        ("dev", "Hi", [("hi", False), ("", True)]),
    ],
)
async def test_melotts_marks_its_end(
    version: str, text: str, expected: list[tuple[str, bool]]
) -> None:
    async with module(version) as (_, wire):
        task = await wire.setup("melotts", **MELO)
        await wire.infer(task, "tts.utf-8", text)
        pieces = await wire.deltas()
        assert [(spoken(p["delta"]), p["finish"]) for p in pieces] == expected


async def test_melotts_without_a_stream_sends_the_last_fragment_only() -> None:
    async with module() as (_, wire):
        task = await wire.setup("melotts", **{**MELO, "response_format": "pcm.base64"})
        await wire.infer(task, "tts.utf-8", "Hi. You")
        assert spoken((await wire.line())["data"]) == "you"
        assert await wire.silent()


async def test_melotts_speaks_as_fast_and_finely_as_was_set() -> None:
    async with module() as (_, wire):
        lengths = []
        for more in ({}, {"spacker_speed": 2.0}, {"audio_rate": 8000}):
            task = await wire.setup("melotts", **{**MELO, **more})
            await wire.infer(task, "tts.utf-8", "hello")
            lengths.append(len(base64.b64decode((await wire.deltas())[0]["delta"])))
            await wire.call(task, "exit")
        assert lengths == [9_600, 4_800, 4_800]


# -- writing


async def test_a_language_model_streams_a_few_tokens_at_a_time() -> None:
    async with module() as (_, wire):
        task = await wire.setup("llm", **LLM)
        await wire.infer(task, "llm.utf-8", "How are you today?")
        pieces = await wire.deltas()
        assert "".join(piece["delta"] for piece in pieces) == "You said: How are you today?"
        assert [piece["index"] for piece in pieces] == list(range(len(pieces)))
        assert len(pieces) > 2
        assert not pieces[-1]["delta"]


async def test_escapes_are_undone_even_after_base64() -> None:
    async with module() as (_, wire):
        task = await wire.setup("llm", **LLM)
        await wire.infer(task, "llm.utf-8.base64", rb"a\nb \"c\"")
        answer = "".join(piece["delta"] for piece in await wire.deltas())
        assert answer == 'You said: a\nb "c"'


async def test_a_prompt_that_is_too_long_fails() -> None:
    async with module() as (_, wire):
        task = await wire.setup("llm", **LLM)
        await wire.infer(task, "llm.utf-8", "many words " * 100)
        assert code(await wire.line()) == -11


async def test_models_with_context_remember_until_reset() -> None:
    asked: list[str] = []

    def chat(prompt: str, text: str, images: Any) -> str:
        asked.append(prompt)
        return "Fine"

    async with module("main", minds=Minds(chat=chat)) as (_, wire):
        setup = {**LLM, "model": "qwen2.5-HA-0.5B-ctx-ax630c", "system_prompt": "Be brief."}
        task = await wire.setup("llm", **setup)
        answers = []
        for text in ("one", "two", "reset", "three"):
            await wire.infer(task, "llm.utf-8", text)
            answers.append("".join(piece["delta"] for piece in await wire.deltas()))
        assert answers == ["Fine", "Fine", "Context has been reset.", "Fine"]
        assert asked == ["Be brief.", "Be brief.\nUser: one\nAssistant: Fine", "Be brief."]


async def test_a_model_that_sees_takes_the_picture_first() -> None:
    async with module() as (_, wire):
        task = await wire.setup("vlm", **VLM)
        await wire.infer(task, "vlm.jpeg.base64", red_square(400, 300))
        assert await wire.silent()
        await wire.infer(task, "vlm.utf-8", r"a\nb")
        answer = "".join(piece["delta"] for piece in await wire.deltas())
        assert answer.startswith("A ")
        assert "picture of 400x300" in answer
        assert answer.endswith("You said: a\\nb")


async def test_pause_ends_an_answer() -> None:
    async with module() as (server, wire), wired(server.port) as other:
        task = await wire.setup("llm", **LLM)
        server.faults.pace = 1.0
        await wire.infer(task, "llm.utf-8", "one two three four five six seven eight nine")
        assert (await wire.line())["data"]["index"] == 0
        assert code(await other.call(task, "pause")) == 0
        assert (await other.line())["data"] == {"delta": "", "finish": True, "index": 1}


# -- seeing


async def test_yolo_tells_strings_in_the_letterboxed_picture() -> None:
    async with module() as (_, wire):
        task = await wire.setup("yolo", **YOLO)
        await wire.infer(task, "cv.jpeg.base64", red_square())
        (box,) = (await wire.line())["data"]
        assert (box["class"], box["confidence"][:2]) in {("person", "1."), ("person", "0.")}
        assert all(isinstance(number, str) for number in box["bbox"])
        assert [float(n) for n in box["bbox"]] == pytest.approx([80, 100, 160, 180], abs=2)


async def test_the_second_format_of_boxes_is_numbers_with_a_size() -> None:
    async with module() as (_, wire):
        setup = {**YOLO, "response_format": "yolo.boxV2.stream", "model": "yolo11n-pose"}
        task = await wire.setup("yolo", **setup)
        block = red_square()
        head = f'{{"RAW":{len(block)},"request_id":"9","work_id":"{task}","action":"inference",'
        await wire.write(f'{head}"object":"yolo.jpeg.base64"}}'.encode() + block + b"\n" + PING)
        replies = [await wire.line() for _ in range(3)]
        by_id = {reply["request_id"]: reply for reply in replies}
        assert code(by_id["1"]) == 0
        first, last = (reply["data"] for reply in replies if reply["request_id"] == "9")
        assert first["delta"]["bbox"] == pytest.approx([80, 100, 80, 80], abs=2)
        assert len(first["delta"]["kps"]) == 3 * 17
        assert last == {"delta": "", "finish": True, "index": 1}


async def test_yolo_before_1_6_knows_no_second_format() -> None:
    async with module("1.5") as (_, wire):
        setup = {**YOLO, "response_format": "yolo.boxV2", "enoutput": True}
        assert code(await wire.call("yolo", "setup", object="yolo.setup", data=setup)) == -5


async def test_pictures_beyond_those_that_wait_are_dropped_without_a_word() -> None:
    gate = threading.Event()

    def see(rgb: Any) -> list[Seen]:
        gate.wait(5)
        return []

    async with module(minds=Minds(see=see)) as (server, wire):
        task = await wire.setup("yolo", **YOLO)
        await wire.infer(task, "cv.jpeg.base64", red_square())
        await asyncio.to_thread(server.asked, "inference")
        for _ in range(5):
            await wire.infer(task, "cv.jpeg.base64", red_square())
        await asyncio.to_thread(server.asked, "inference", count=6)
        gate.set()
        assert [(await wire.line())["data"] for _ in range(4)] == [[]] * 4
        assert await wire.silent()


async def test_depth_is_a_coloured_picture() -> None:
    async with module() as (_, wire):
        task = await wire.setup("depth_anything", **DEPTH)
        await wire.infer(task, "cv.jpeg.base64", red_square())
        data = base64.b64decode((await wire.line())["data"])
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size) == ("JPEG", (384, 256))
            pixels = np.asarray(image).astype(int)
        near, border = pixels[110, 140], pixels[128, 5]
        assert near.sum() > border.sum() + 200


async def test_pictures_that_are_none_fail_and_do_not_end_the_task() -> None:
    async with module() as (_, wire):
        task = await wire.setup("yolo", **YOLO)
        await wire.infer(task, "cv.jpeg.base64", b"no picture")
        assert code(await wire.line()) == -11
        await wire.infer(task, "cv.jpeg.base64", red_square())
        assert len((await wire.line())["data"]) == 1


# -- faults


async def test_faults_are_switched_while_it_serves() -> None:
    async with module() as (server, wire):
        task = await wire.setup("tts", **TTS)
        server.faults.silent = True
        await wire.infer(task, "tts.utf-8", "one")
        assert await wire.silent()
        server.faults.silent = False
        for number in ERRORS.keys() - {0}:
            server.faults.error(number, "tts")
            assert code(await wire.call(task, "taskinfo")) == number
        assert code(await wire.call(task, "taskinfo")) == 0
        server.faults.dead.add("tts")
        assert code(await wire.call(task, "taskinfo")) == -9


@pytest.mark.parametrize("fault", [{"cut_every": 7}, {"split_at": 20}])
async def test_replies_come_in_pieces(fault: dict[str, int]) -> None:
    async with module() as (server, wire):
        for name, value in fault.items():
            setattr(server.faults, name, value)
        await wire.write(PING)
        first = await asyncio.wait_for(wire.reader.read(1 << 16), 5)
        assert len(first) < 100
        rest = await asyncio.wait_for(wire.reader.readline(), 5)
        assert json.loads(first + rest)["request_id"] == "1"


async def test_somebody_else_may_hold_a_unit_until_ended() -> None:
    async with module() as (server, wire):
        server.faults.full("llm")
        setup = {**LLM, "enoutput": True}
        assert code(await wire.call("llm", "setup", object="llm.setup", data=setup)) == -21
        listed = (await wire.call("llm", "taskinfo"))["data"]
        assert len(listed) == 2
        assert code(await wire.call(listed[0], "exit")) == 0
        await wire.setup("llm", **LLM)


async def test_a_stolen_stream_goes_elsewhere() -> None:
    async with module() as (server, wire):
        task = await wire.setup("llm", **LLM)
        server.faults.pace = 0.05
        await wire.infer(task, "llm.utf-8", "Tell me a story")
        assert (await wire.line())["data"]["index"] == 0
        server.faults.steal(task)
        assert await wire.silent(0.3)
        assert server.stolen


async def test_a_restart_refuses_for_a_while() -> None:
    async with module() as (server, wire):
        back = server.faults.restart(0.1)
        await wire.closed()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.wrap_future(back)
        async with wired(server.port) as again:
            assert await again.setup("llm", **LLM) == "llm.1000"
        assert server.connections == 2


# -- where it runs


def test_a_server_in_a_thread_serves_clients_that_block() -> None:
    with running(version="1.6") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(PING)
            assert json.loads(client.makefile().readline())["error"]["code"] == 0
            assert server.asked("ping")[0].request_id == "1"
            server.faults.full("llm")
            server.faults.restart(0.0).result(5)
            assert client.recv(1) == b""


def test_the_serial_line_speaks_the_same_protocol() -> None:
    with running(serial=True, restart_seconds=0.05) as server:
        assert server.device
        line = os.open(server.device, os.O_RDWR | os.O_NOCTTY)
        with os.fdopen(line, "rb", buffering=0) as reader:
            os.write(line, PING + PING.replace(b"ping", b"reset"))
            text = b""
            while b"reset over" not in text:
                text += reader.read(4096)
        replies = [json.loads(each) for each in text.splitlines()]
        assert [reply["request_id"] for reply in replies] == ["1", "1", "0"]


async def test_real_engines_hear_what_they_say() -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    from tests.stackflow_server.embedded import embedded_minds

    async with module(minds=await asyncio.to_thread(embedded_minds)) as (_, wire):
        voice = await wire.setup("melotts", **MELO)
        await wire.infer(voice, "tts.utf-8", "What time is it")
        audio = base64.b64decode((await wire.deltas())[0]["delta"])
        assert len(audio) > 16_000
        ear = await wire.setup("whisper", **WHISPER)
        await wire.infer(ear, "whisper.base64", bytes(16_000) + audio + bytes(16_000))
        assert (await wire.line())["data"].lower() == "what time is it."
        await wire.infer(ear, "whisper.base64", pcm("", 1))
        assert (await wire.line())["data"] == "."
