"""A turn while it runs: what a language model says goes into the chat log piece by piece, and what it calls is run."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import llm

from .client import Node, NodeError
from .guard import Held, async_hold
from .language_model import Called, ChatRequest, Ended, Piece, Said, Thought
from .messages import ASIDE

type Delta = conversation.AssistantContentDeltaDict | conversation.ToolResultContentDeltaDict


@dataclass(kw_only=True, eq=False)
class Turn:
    """What is said and done about one sentence of a user."""

    hass: HomeAssistant
    agent_id: str
    chat_log: conversation.ChatLog
    node: Node
    program: str | None
    """None where the node has only one."""
    confirm: bool
    """Whether a call that unlocks, opens or disarms waits for a yes."""
    held: Held | None = None
    """The calls that wait."""
    acted: bool = False
    """Whether a tool ran."""
    stopped: bool = False
    ends: list[Ended] = field(default_factory=list)
    """Of the answers so far."""
    tools_ms: float = 0.0
    _said: str = ""
    """What is not in the log yet."""
    _answered_at: float = 0.0
    """When the last answer ended and its calls began."""
    _error: NodeError | None = None
    _wait: asyncio.Timeout | None = None

    def stop(self) -> None:
        """End the turn; what was said stays."""
        self.stopped = True
        if self._wait is not None:
            self._wait.reschedule(0)

    async def async_ask(self, request: ChatRequest) -> None:
        """Let the model answer and run what it calls.

        `NodeError` where there is no end of an answer; what was said of it is in the log then.
        """
        await self._async_add(self._answer(request))
        self.tools_ms += (self.hass.loop.time() - self._answered_at) * 1000
        if (error := self._error) is not None:
            raise error

    async def async_say(self, text: str, *, aside: bool = False) -> None:
        """Say something that is not the model's, and that it will not read where it is an aside."""
        said: conversation.AssistantContentDeltaDict = {"role": "assistant", "content": text}
        if aside:
            said["native"] = ASIDE
        await self._async_add(_stream([said]))

    async def async_run(self, calls: Sequence[llm.ToolInput]) -> list[llm.ToolResult]:
        """Run calls as if the model had made them now."""
        self.acted = True
        now = [llm.ToolInput(tool_name=it.tool_name, tool_args=it.tool_args) for it in calls]
        added = await self._async_add(_stream([{"role": "assistant", "tool_calls": now}]))
        return [each.result for each in added if isinstance(each, conversation.ToolResultContent)]

    def keep_said(self) -> None:
        """Put into the log what was said of an answer that is being cut off."""
        if self._said:
            self.chat_log.async_add_assistant_content_without_tools(
                conversation.AssistantContent(agent_id=self.agent_id, content=self._said)
            )
            self._said = ""

    async def _async_add(
        self, deltas: AsyncGenerator[Delta]
    ) -> list[conversation.AssistantContent | conversation.ToolResultContent]:
        async with aclosing(deltas):
            stream = self.chat_log.async_add_delta_content_stream(self.agent_id, deltas)
            return [content async for content in stream]

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Delta]:
        yield {"role": "assistant"}
        calls: list[llm.ToolInput] = []
        try:
            async with aclosing(self._pieces(request)) as pieces:
                while (piece := await self._next(pieces)) is not None:
                    match piece:
                        case Said(text):
                            self._said += text
                            yield {"content": text}
                        case Thought(text):
                            yield {"thinking_content": text}
                        case Called():
                            calls.append(
                                llm.ToolInput(
                                    id=piece.id, tool_name=piece.name, tool_args=piece.arguments
                                )
                            )
                        case Ended():
                            self.ends.append(piece)
        except NodeError as err:
            self._error = err
        self._answered_at = self.hass.loop.time()
        self._said = ""  # the log takes it over when this ends
        # Nothing is done for an answer without an end: it may have gone on otherwise.
        if calls and self._error is None and not self.stopped:
            async for delta in self._call(calls):
                yield delta

    async def _call(self, calls: Sequence[llm.ToolInput]) -> AsyncGenerator[Delta]:
        """Yield calls to be run, and the results of those that are not."""
        api = self.chat_log.llm_api
        refused: dict[str, llm.ToolResult] = {}
        if api is None:
            refused = {call.id: llm.ToolResult(data=_NO_TOOL, error=True) for call in calls}
        elif self.confirm and (held := await async_hold(self.hass, api, calls)) is not None:
            self.held = held
            refused = {call.id: llm.ToolResult(data=_WAITS) for call in held.calls}
        self.acted |= len(refused) < len(calls)
        # Home Assistant itself does not run a call that is external.
        yield {
            "tool_calls": [dataclasses.replace(call, external=call.id in refused) for call in calls]
        }
        for call in calls:
            if call.id in refused:
                yield {
                    "role": "tool_result",
                    "tool_call_id": call.id,
                    "tool_name": call.tool_name,
                    "result": refused[call.id],
                }

    async def _next(self, pieces: AsyncGenerator[Piece]) -> Piece | None:
        """Return the next piece, None behind the last one and when the turn is stopped."""
        if self.stopped:
            return None
        try:
            async with asyncio.timeout(None) as self._wait:
                return await anext(pieces, None)
        except TimeoutError:
            return None
        finally:
            self._wait = None

    async def _pieces(self, request: ChatRequest) -> AsyncGenerator[Piece]:
        """Yield the pieces of an answer, asking once more where the connection breaks before its end."""
        known = _Known()
        try:
            async with aclosing(self.node.chat(request, self.program)) as pieces:
                async for piece in pieces:
                    known.add(piece)
                    yield piece
            return
        except NodeError as err:
            if err.key != "connection_lost":
                raise
            lost = err
        async with aclosing(self.node.chat(request, self.program)) as pieces:
            async for piece in pieces:
                for new in known.new(piece, lost):
                    yield new


@dataclass(kw_only=True)
class _Known:
    """What came of an answer, to be skipped when it comes again, in whatever pieces."""

    said: str = ""
    thought: str = ""
    calls: list[Called] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Take in a piece."""
        match piece:
            case Said(text):
                self.said += text
            case Thought(text):
                self.thought += text
            case Called():
                self.calls.append(piece)

    def new(self, piece: Piece, lost: NodeError) -> Iterable[Piece]:
        """Yield what is new in a piece; raises `lost` where the answer is not the same again."""
        match piece:
            case Said(text):
                self.said, text = _without(self.said, text, lost)
                if text:
                    yield Said(text)
            case Thought(text):
                if self.thought:  # nobody hears it; it need not be the same
                    self.thought, text = self.thought[len(text) :], text[len(self.thought) :]
                if text:
                    yield Thought(text)
            case Called() if piece in self.calls:
                self.calls.remove(piece)
            case Ended() if self.said or self.calls:
                raise lost
            case _:
                yield piece


def _without(known: str, text: str, lost: NodeError) -> tuple[str, str]:
    """Return what is still to be skipped, and what is new in a text."""
    if not (known.startswith(text) or text.startswith(known)):
        raise lost
    return known[len(text) :], text[len(known) :]


async def _stream(deltas: Iterable[Delta]) -> AsyncGenerator[Delta]:
    for delta in deltas:
        yield delta


_NO_TOOL: dict[str, Any] = {"error": "There are no tools"}
_WAITS: dict[str, Any] = {"status": "not done: the user is being asked to confirm it"}
