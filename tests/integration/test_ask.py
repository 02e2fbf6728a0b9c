"""`wyoming-units ask` with a language model as a user calls it: real processes, a node, a scripted model's server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wyoming_units.chat.exchange import Called, Said, Thought, ToolCall
from wyoming_units.dialog.chatting import Answered, chat
from wyoming_units.errors import EngineFailed
from wyoming_units.node import Node
from wyoming_units.wire.client import Client

from .conftest import running
from .model_server import CUT, HANG, ModelServer, ThreadedModelServer, calls, says, thinks
from .squares import picture
from .test_cli import CLI, HOME, lines, run, serving

POEM = "write a poem about rain"
COMMAND = "turn on the kitchen light"


@pytest.fixture(scope="module")
def host() -> Iterator[ThreadedModelServer]:
    """A host of one model, which sees."""
    with ThreadedModelServer("llama.cpp", images=True) as host:
        yield host


@pytest.fixture
def server(host: ThreadedModelServer) -> ThreadedModelServer:
    """The same, as new."""
    host.server.answers.clear()
    host.server.requests.clear()
    host.server.disconnected.clear()
    return host


@pytest.fixture(scope="module")
def node(host: ThreadedModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that understands intents, and has that model."""
    units = ("--unit", "intent", "--unit", f"llm=openai:{host.url}")
    with serving(tmp_path_factory.mktemp("node"), *units) as (_, uri):
        yield uri


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home") / "home.json"  # JSON is YAML
    path.write_text(json.dumps(HOME))
    return path


def asked(server: ThreadedModelServer) -> dict[str, object]:
    """Return the last request that came to the models."""
    body: dict[str, object] = server.server.requests[-1].json
    return body


@contextmanager
def asking(node: str) -> Iterator[subprocess.Popen[bytes]]:
    """Ask the model, which says "It" first; that has been printed."""
    # As in a terminal: what runs in the background of a script is started with Ctrl-C ignored.
    command = ["env", "--default-signal=INT", *CLI, "ask", POEM, "--llm", "--uri", node]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert os.read(process.stdout.fileno(), 100) == b"It"
        yield process


# -- which of the units answers


def test_a_sentence_without_an_intent_is_answered_by_the_language_model(
    server: ThreadedModelServer, node: str, home: Path
) -> None:
    server.server.answers.append(says("It", " rains.", "\nIt", " pours."))
    done = run("ask", POEM, "--uri", node, "--home", home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "It rains.\nIt pours.\n"
    assert asked(server)["messages"] == [{"role": "user", "content": POEM}]


def test_a_sentence_with_an_intent_never_reaches_the_language_model(
    server: ThreadedModelServer, node: str, home: Path
) -> None:
    done = run("ask", COMMAND, "--uri", node, "--home", home)
    assert done.stdout.strip() == 'HassTurnOn {"name": "Kitchen Light"}'
    assert not server.server.requests


def test_the_language_model_can_be_asked_for_what_has_an_intent(
    server: ThreadedModelServer, node: str, home: Path
) -> None:
    done = run("ask", COMMAND, "--llm", "--uri", node, "--home", home)
    assert (done.stdout, done.stderr) == ("Hello\n", "")
    assert asked(server)["messages"] == [{"role": "user", "content": COMMAND}]


def test_a_node_started_for_the_call_without_an_intent_unit_answers_everything(
    server: ThreadedModelServer,
) -> None:
    done = run("ask", COMMAND, "--unit", f"llm=openai:{server.url}")
    assert (done.stdout, done.stderr) == ("Hello\n", "")
    assert len(server.server.requests) == 1


# -- what is told


def test_the_answer_as_json_has_its_pieces_and_then_times_and_tokens(
    server: ThreadedModelServer, node: str
) -> None:
    server.server.answers.append(thinks("Rain is wet.", "It", " rains."))
    done = run("ask", POEM, "--model", "small", "--uri", node, "--json")
    assert done.returncode == 0, done.stderr
    *pieces, summary = lines(done)
    assert pieces == [
        {"type": "thinking", "text": "Rain is wet."},
        {"type": "text", "text": "It"},
        {"type": "text", "text": " rains."},
    ]
    timings = summary["timings_ms"]
    assert 0 < timings["first_token"] <= timings["llm"] <= timings["total"]
    assert timings["queue"] >= 0
    assert "intent" not in timings
    assert (summary["type"], summary["text"]) == ("summary", POEM)
    assert summary["finish_reason"] == "stop"
    assert summary["usage"] == {"prompt": 12, "completion": 3, "cached": 8}


def test_what_the_model_thinks_is_not_printed_as_its_answer(
    server: ThreadedModelServer, node: str
) -> None:
    server.server.answers.append(thinks("Rain is wet.", "It rains."))
    assert run("ask", POEM, "--uri", node).stdout == "It rains.\n"


def test_an_answer_that_was_cut_off_says_so(server: ThreadedModelServer, node: str) -> None:
    server.server.answers.append(says("It rains and", finish="length"))
    done = run("ask", POEM, "--uri", node)
    assert (done.returncode, done.stdout) == (0, "It rains and\n")
    assert "cut off" in done.stderr


def test_the_answer_is_printed_while_it_is_written(server: ThreadedModelServer, node: str) -> None:
    heard = asyncio.Event()
    server.server.answers.append(says("It", heard, " rains."))
    with asking(node) as process:
        server.set(heard)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b" rains.\n", b"")


def test_pictures_come_before_the_question(
    server: ThreadedModelServer, node: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.jpg", tmp_path / "second.png"
    first.write_bytes(picture())
    second.write_bytes(b"\x89PNG\r\n\x1a\n rest")
    done = run("ask", "who is it?", "--image", first, "--image", second, "--uri", node)
    assert (done.stdout, done.stderr) == ("Hello\n", "")
    (message,) = asked(server)["messages"]  # type: ignore[misc]  # a list
    jpeg, png, text = message["content"]
    assert jpeg["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert png["image_url"]["url"].startswith("data:image/png;base64,iVBO")
    assert text == {"type": "text", "text": "who is it?"}


# -- the end of it


def test_ctrl_c_ends_the_models_work(server: ThreadedModelServer, node: str) -> None:
    server.server.answers.append(says("It", HANG))
    with asking(node) as process:
        assert not server.server.disconnected.is_set()
        process.send_signal(signal.SIGINT)
        server.run(asyncio.wait_for(server.server.disconnected.wait(), 9))
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--unit", "llm=openai:http://127.0.0.1:1"], 2, "give one of them"),
        (["--model", "large"], 1, "large"),
        (["--image", __file__], 1, "is no JPEG, PNG or WebP"),
        (["--image", "missing.jpg"], 1, "cannot read missing.jpg"),
        (["--image", "LARGE", "--image", "LARGE"], 1, "over the limit of 16 MiB together"),
    ],
)
def test_a_failure_is_one_clear_line(
    node: str, tmp_path: Path, args: list[str], code: int, message: str
) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(b"\xff\xd8\xff" + bytes(9 << 20))
    given = [str(large) if arg == "LARGE" else arg for arg in args]
    done = run("ask", POEM, "--uri", node, *given)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_a_server_that_is_away_is_one_line_of_a_node_for_this_call_too() -> None:
    done = run("ask", POEM, "--unit", "llm=openai:http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr == "error: the model's server at 127.0.0.1:1 cannot be reached\n"


def test_a_server_that_breaks_off_is_an_error_after_what_was_said(
    server: ThreadedModelServer, node: str
) -> None:
    heard = asyncio.Event()
    server.server.answers.append(says("It", heard, CUT))
    with asking(node) as process:
        server.set(heard)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, b"\n")
    (line,) = err.splitlines()
    assert line.startswith(b"error: ")


# -- the client by itself


@pytest.fixture
async def models() -> AsyncIterator[ModelServer]:
    async with ModelServer() as models:
        yield models


@pytest.fixture
async def alone(models: ModelServer, tmp_path: Path) -> AsyncIterator[Node]:
    async with running(tmp_path, units=[f"llm=openai:{models.url}"]) as alone:
        yield alone


async def test_pieces_come_in_order_and_what_took_how_long_last(
    models: ModelServer, alone: Node
) -> None:
    models.answers.append(thinks("Hm.", "It", " rains."))
    async with Client(f"tcp://127.0.0.1:{alone.port}") as client:
        message = {"role": "user", "content": POEM}
        *pieces, last = [piece async for piece in chat(client, messages=[message], max_tokens=5)]
        assert pieces == [Thought("Hm."), Said("It"), Said(" rains.")]
        assert isinstance(last, Answered)
        assert (last.reason, last.usage.cached, last.cached) == ("stop", 8, False)
        assert last.timing["total"] >= last.timing["first_token"]
    assert models.requests[0].json["max_tokens"] == 5


async def test_tools_are_offered_and_their_calls_come_whole(
    models: ModelServer, alone: Node
) -> None:
    tool = {"type": "function", "function": {"name": "rain", "parameters": {"type": "object"}}}
    models.answers.append(calls("rain", {"where": "Köln", "hours": 3}))
    async with Client(f"tcp://127.0.0.1:{alone.port}") as client:
        message = {"role": "user", "content": POEM}
        call, last = [piece async for piece in chat(client, messages=[message], tools=[tool])]
        assert call == Called(
            ToolCall(id="call_1", name="rain", arguments={"where": "Köln", "hours": 3})
        )
        assert isinstance(last, Answered)
        assert last.reason == "tool_calls"
    assert models.requests[0].json["tools"] == [tool]


async def test_a_failure_is_raised_and_the_connection_stays_usable(
    models: ModelServer, alone: Node
) -> None:
    heard = asyncio.Event()
    models.answers.append(says("It", heard, CUT))
    async with Client(f"tcp://127.0.0.1:{alone.port}") as client:
        message = {"role": "user", "content": POEM}
        pieces = chat(client, messages=[message])
        assert await anext(pieces) == Said("It")
        heard.set()
        with pytest.raises(EngineFailed):
            await anext(pieces)
        again = [piece async for piece in chat(client, messages=[message])]
        assert again[0] == Said("Hello")
