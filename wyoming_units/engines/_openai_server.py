"""Which kind of server answers at an address, and what its models can do."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wyoming_units.chat.window import limit_of
from wyoming_units.engines.base import Attribution

if TYPE_CHECKING:
    from aiohttp import ClientSession

_FIRST, _SECOND = 2.0, 1.0
"""Seconds for the questions to the server, and for those about its models."""
_MOST_MODELS = 32
"""Of one server that are asked about."""
_MOST = 1 << 22
"""Bytes of an answer."""
CHAT = "/v1/chat/completions"
_MISSING = (404, 405, 501)
"""Answers where there is nothing at a path."""
_SETTLED = (200, 401, 403, 404, 405)
"""Answers that will be the same the next time."""

_NPU = re.compile(r"ax(6\d0|8850|era)|-prefill\b|-p\d{3}\b", re.IGNORECASE)
"""In the names of models that are compiled for Axera's NPUs."""
_NPU_CONTEXT = 1023
"""Tokens of their key-value cache, where nobody says more."""

OPENAI = "OpenAI-compatible"
MAKERS = {
    "llama.cpp": Attribution(name="ggml.org", url="https://github.com/ggml-org/llama.cpp"),
    "Ollama": Attribution(name="Ollama", url="https://ollama.com"),
    "vLLM": Attribution(name="vLLM", url="https://github.com/vllm-project/vllm"),
    OPENAI: Attribution(name="OpenAI", url="https://platform.openai.com/docs/api-reference"),
}
"""Kinds of server, and who makes them or what they follow."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model that a server offers."""

    name: str
    tools: bool = True
    images: bool = False
    thinking: bool = False
    """Whether the server has to be told whether it may think; Ollama only."""
    context: int | None = None
    prompt: int | None = None
    """Tokens that messages may have, where they are fewer than the context."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What is known of a server."""

    kind: str = OPENAI
    version: str | None = None
    reachable: bool = False
    """Whether it answered when it was last asked."""
    settled: bool = False
    """Whether it need not be asked again."""
    chats: bool = True
    """Whether it takes messages, rather than only texts to go on with."""
    models: tuple[Found, ...] = ()
    slots: int | None = None
    """How many conversations llama.cpp keeps apart."""
    template: str | None = None
    """In which the model wants messages to be written, in Jinja."""


@dataclass(frozen=True)
class _Told:
    status: int | None
    """None: nothing was heard in time."""
    data: Mapping[str, Any]
    reached: bool = True
    """Whether somebody took the connection."""


_Ask = Callable[..., Awaitable[_Told]]
"""Asks at a path, with a body where there is one, for so many seconds."""


async def probe(
    session: ClientSession, base: str, headers: Mapping[str, str], connect: float
) -> Server:
    """Ask a server, within three seconds, what it is; not `reachable` where there is none."""
    from aiohttp import ClientError, ClientTimeout, ConnectionTimeoutError

    async def ask(path: str, body: Any = None, seconds: float = _FIRST) -> _Told:
        try:
            async with session.request(
                "GET" if body is None else "POST",
                base + path,
                json=body,
                headers=headers,
                timeout=ClientTimeout(total=seconds, connect=min(connect, 0.9 * seconds)),
                allow_redirects=False,
            ) as response:
                return _Told(response.status, _object(await response.content.read(_MOST)))
        except ConnectionTimeoutError:
            return _Told(None, {}, reached=False)
        except asyncio.TimeoutError:
            return _Told(None, {})
        except (ClientError, OSError):
            return _Told(None, {}, reached=False)

    *answers, chat = await asyncio.gather(
        *(ask(path) for path in ("/v1/models", "/props", "/api/version", "/version")),
        ask(CHAT, {}),  # without messages it is refused, where it is known
    )
    models, props, ollama, vllm = answers
    reachable = any(told.reached for told in (models, props, ollama, vllm))
    entries = [each for each in _list(models.data.get("data")) if isinstance(each.get("id"), str)]
    server = Server(
        reachable=reachable,
        settled=models.status in _SETTLED,
        chats=chat.status not in _MISSING,
    )
    if "default_generation_settings" in props.data or "total_slots" in props.data:
        return _llama_cpp(server, props.data, entries)
    if version := ollama.data.get("version"):
        return replace(
            server, kind="Ollama", version=str(version), models=await _ollama(ask, entries)
        )
    found = tuple(_plain(each) for each in entries)
    if (version := vllm.data.get("version")) and any(each.context for each in found):
        return replace(server, kind="vLLM", version=str(version), models=found)
    return replace(server, models=found)


def _plain(entry: Mapping[str, Any]) -> Found:
    """Return a model of which a server tells little; small ones on an NPU are known by their names."""
    name, context = entry["id"], _positive(entry.get("max_model_len"))
    if context is None and _NPU.search(name):
        return Found(name=name, tools=False, context=_NPU_CONTEXT, prompt=limit_of(name))
    return Found(name=name, context=context)


def _llama_cpp(
    server: Server, props: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> Server:
    """Read the properties of a server that may have one model or, as a router, several."""
    can = _mapping(props.get("chat_template_caps"))
    tools = [bool(can[key]) for key in ("supports_tools", "supports_tool_calls") if key in can]
    sees = bool(_mapping(props.get("modalities")).get("vision"))
    context = _positive(_mapping(props.get("default_generation_settings")).get("n_ctx"))
    template = props.get("chat_template")
    return replace(
        server,
        kind="llama.cpp",
        version=str(props["build_info"]) if props.get("build_info") else None,
        slots=_positive(props.get("total_slots")),
        template=template if isinstance(template, str) and template else None,
        models=tuple(
            Found(
                name=each["id"],
                tools=any(tools) or not tools,
                images=sees or "image" in _inputs(each),
                context=context,
            )
            for each in entries
        ),
    )


def _inputs(entry: Mapping[str, Any]) -> Sequence[Any]:
    inputs = _mapping(entry.get("architecture")).get("input_modalities")
    return inputs if isinstance(inputs, list) else ()


async def _ollama(ask: _Ask, entries: Sequence[Mapping[str, Any]]) -> tuple[Found, ...]:
    names = [each["id"] for each in entries[:_MOST_MODELS]]
    shown = await asyncio.gather(*(ask("/api/show", {"model": name}, _SECOND) for name in names))
    found = (_shown(name, told.data) for name, told in zip(names, shown, strict=True))
    return tuple(each for each in found if each is not None)


def _shown(name: str, data: Mapping[str, Any]) -> Found | None:
    """Return a model, None for one that writes no text, such as those for embeddings."""
    can = data.get("capabilities")
    if not isinstance(can, list):  # nothing was told
        return Found(name=name)
    if "completion" not in can:
        return None
    lengths = (
        length
        for key, value in _mapping(data.get("model_info")).items()
        if key.endswith(".context_length") and (length := _positive(value))
    )
    return Found(
        name=name,
        tools="tools" in can,
        images="vision" in can,
        thinking="thinking" in can,
        context=next(lengths, None),
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
