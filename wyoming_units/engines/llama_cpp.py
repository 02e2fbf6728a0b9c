"""Language models of llama.cpp in this process, by way of llama-cpp-python: for hosts without a server of their own.

One answer at a time, in one thread. What was computed of the last prompt is kept, so the next turn of a conversation
reads only what is new.
"""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from wyoming_units.catalog.local import LocalModel
from wyoming_units.chat.exchange import (
    ChatRequest,
    Delta,
    Ended,
    FinishReason,
    Said,
    Usage,
    Weighed,
)
from wyoming_units.engines._llama_cpp_calls import CallReader
from wyoming_units.engines._llama_cpp_file import find_file, read_header
from wyoming_units.engines._llama_cpp_network import Network, Stop, Stopped
from wyoming_units.engines._llama_cpp_prompt import Prompt, takes_tools
from wyoming_units.engines.base import Attribution, EngineInfo, Model
from wyoming_units.errors import (
    BadRequest,
    EngineFailed,
    TooLarge,
    UnitError,
    UnknownModel,
    Unsupported,
)

_Put = Callable[[Delta], None]


class LlamaCppChat:
    """Answers messages with a GGUF model that has a chat template."""

    def __init__(
        self,
        *,
        model: LocalModel,
        context: int = 4096,
        threads: int | None = None,
        gpu_layers: int = -1,
    ) -> None:
        """Read the head of the model's file; `EngineFailed` names what is wrong with it.

        `context` is how many tokens messages and answer may have together, at most what the model was trained
        with; memory grows with it. `gpu_layers` go to a graphics card, -1 for all.
        """
        if context < 1:
            raise BadRequest(f"a context of {context} tokens holds nothing")
        self._path = find_file(model)
        header = read_header(self._path)
        template = header.get("tokenizer.chat_template")
        if not isinstance(template, str):
            raise EngineFailed(f"{self._path} has no chat template, so it is no model to talk with")
        self._template = template
        trained = header.get(f"{header.get('general.architecture')}.context_length", context)
        self._context = min(context, int(trained))
        self._model = model
        self._threads = threads or min(8, len(os.sched_getaffinity(0)))
        self._gpu_layers = gpu_layers
        self._info = _described(model, self._context, tools=takes_tools(template))
        self._network: Network | None = None
        self._prompt: Prompt
        self._worker: ThreadPoolExecutor

    @property
    def info(self) -> EngineInfo:
        """Return the model and what it can do; always the same."""
        return self._info

    @property
    def report(self) -> Mapping[str, Any]:
        """Return what the model runs on."""
        on_gpu = self._network is not None and self._network.on_gpu and self._gpu_layers != 0
        return {"gpu": on_gpu, "threads": self._threads, "context": self._context}

    def load(self) -> None:
        """Load the weights and compute with them once."""
        self._prompt = Prompt(self._template)
        network = Network(
            self._path,
            context=self._context,
            threads=self._threads,
            gpu_layers=self._gpu_layers,
        )
        network.take_in(network.tokens("Hello"), Stop())
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama-cpp")
        self._network = network

    def close(self) -> None:
        """Free the weights, once the answer that is being written has ended."""
        if self._network is None:
            return
        self._worker.shutdown(cancel_futures=True)
        self._network.close()
        self._network = None

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Yield the answer as it is written, `Ended` last; closing it ends the work at once."""
        network = self._ready(request)
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Delta | Exception] = asyncio.Queue()
        stop = Stop()

        def put(piece: Delta | Exception) -> None:
            if not stop:
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def work() -> None:
            try:
                self._answer(network, request, stop, put)
            except Stopped:
                pass
            except UnitError as err:
                put(err)
            except Exception as err:  # noqa: BLE001  whoever waits gets it
                put(EngineFailed(f"{self._model.name} failed: {err}"))

        job = self._worker.submit(work)
        try:
            while True:
                piece = await pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                yield piece
                if isinstance(piece, Ended):
                    return
        finally:
            stop.set()
            job.cancel()

    def _ready(self, request: ChatRequest) -> Network:
        name = self._model.name
        if request.model not in (None, name):
            raise UnknownModel(f"llama-cpp has {name}, not {request.model}")
        if request.tools and not self._info.models[0].supports_tools:
            raise Unsupported(f"{name} cannot call tools")
        if self._network is None:
            raise EngineFailed(f"{name} is not loaded")
        return self._network

    def _answer(self, network: Network, request: ChatRequest, stop: Stop, put: _Put) -> None:
        tokens = network.tokens(self._prompt.render(request, bos=network.bos, eos=network.eos))
        if len(tokens) >= self._context:
            raise TooLarge(
                f"the messages have {len(tokens)} tokens; {self._model.name} takes {self._context}, "
                "its answer included"
            )
        grammar = network.grammar(request.schema) if request.schema else None
        known = network.take_in(tokens, stop)
        usage = Usage(prompt=len(tokens), completion=0, cached=known)
        if request.prepare:
            put(Ended("prepared", usage))
        elif request.weigh:
            put(Weighed(network.weigh()))
            put(Ended("stop", usage))
        else:
            room = self._context - len(tokens)
            most = min(request.max_tokens or room, room)
            reason, written = self._write(network, request, grammar, most, put)
            put(Ended(reason, Usage(prompt=len(tokens), completion=written, cached=known)))

    def _write(
        self, network: Network, request: ChatRequest, grammar: Any, most: int, put: _Put
    ) -> tuple[FinishReason, int]:
        """Put the texts and calls of an answer; return why it ended and its tokens."""
        calls = CallReader() if request.tools else None
        letters = codecs.getincrementaldecoder("utf-8")("replace")
        reason: FinishReason = "length"
        written = 0
        for token in network.write(temperature=request.temperature, grammar=grammar):
            if network.ends(token):
                reason = "stop"
                break
            written += 1
            _put_text(letters.decode(network.piece(token)), calls, put)
            if written == most:
                break
        _put_text(letters.decode(b"", final=True), calls, put)
        if calls is not None:
            for piece in calls.finish():
                put(piece)
            if calls.called:
                reason = "tool_calls"
        return reason, written


def _put_text(text: str, calls: CallReader | None, put: _Put) -> None:
    if calls is not None:
        for piece in calls.feed(text):
            put(piece)
    elif text:
        put(Said(text))


def _described(model: LocalModel, context: int, *, tools: bool) -> EngineInfo:
    maker = Attribution(name="ggml-org", url="https://github.com/ggml-org/llama.cpp")
    offered = Model(
        name=model.name,
        languages=model.languages,
        description=model.description or model.name,
        attribution=Attribution(name=model.author or maker.name, url=model.upstream or maker.url),
        supports_tools=tools,
        supports_choices=True,
        context_length=context,
    )
    return EngineInfo(
        name="llama-cpp",
        description="llama.cpp",
        version=version("llama_cpp_python"),
        attribution=maker,
        models=(offered,),
    )
