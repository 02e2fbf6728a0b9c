"""How much of the past a model reads, and the summary of what it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from time import monotonic

from wyoming_units.chat.exchange import ChatRequest, Said
from wyoming_units.chat.history import (
    Message,
    after,
    bounded,
    estimate,
    fit,
    summarised,
    to_summarise,
    wishes,
)
from wyoming_units.engines.base import ChatModel, Model
from wyoming_units.errors import UnitError
from wyoming_units.observe.timing import Timings
from wyoming_units.units.chatting import Wanted
from wyoming_units.units.conversations import Name, Summaries
from wyoming_units.units.lane import Lane
from wyoming_units.units.writing import Writing

_LOGGER = logging.getLogger(__name__)
_ANSWER_TOKENS = 512
"""Kept free for an answer of which nobody says how long it may be."""
_SUMMARY_TOKENS = 300
"""Of 120 words, in any language."""
_MOST_TOKENS = 8192
"""Of what is summarised."""


class Past:
    """Bounds what models read, and has them summarise what leaves."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._summaries = Summaries(clock)
        self._at_work: set[Name] = set()

    def read(self, client: str, wanted: Wanted, model: Model) -> Sequence[Message]:
        """Return the messages that a model reads."""
        kept, left_out = _parted(wanted.request.messages, wanted, model)
        name = _name(client, wanted)
        if name and (summary := self._summaries.of(name, left_out)):
            return summarised(kept, summary.text)
        return kept

    def follow(
        self, lane: Lane[ChatModel], client: str, wanted: Wanted, model: Model, answer: str
    ) -> None:
        """Have what the next turn will leave out summarised, as soon as an answer was given.

        That is left undone while others wait for the model, and tried again after the next answer.
        """
        name = _name(client, wanted)
        if name is None or name in self._at_work:
            return
        coming = {"role": "assistant", "content": answer}, {"role": "user", "content": ""}
        _, leaving = _parted([*wanted.request.messages, *coming], wanted, model)
        summary = self._summaries.of(name, leaving)
        if leaving and not (summary and summary.turns == len(wishes(leaving))):
            lane.aside(partial(self._summarise, lane.engine, name, leaving, model))

    async def _summarise(
        self, engine: ChatModel, name: Name, leaving: Sequence[Message], model: Model
    ) -> None:
        before = self._summaries.of(name, leaving)
        tokens = min(_MOST_TOKENS, (model.context_length or _MOST_TOKENS) // 2)
        request = ChatRequest(
            messages=to_summarise(
                after(leaving, before.turns) if before else leaving,
                before.text if before else None,
                tokens,
            ),
            model=model.name,
            max_tokens=_SUMMARY_TOKENS,
        )
        text = ""
        self._at_work.add(name)
        try:
            async with aclosing(Writing(Timings()).pieces(engine, request)) as pieces:
                async for piece in pieces:
                    text += piece.text if isinstance(piece, Said) else ""
        except UnitError as err:
            _LOGGER.debug("no summary of a conversation: %s", err)
            return
        finally:
            self._at_work.discard(name)
        if text.strip():
            self._summaries.keep(name, leaving, text.strip())


def _name(client: str, wanted: Wanted) -> Name | None:
    """Return whose summary is wanted, None where none is."""
    session = wanted.request.session
    return (client, session) if session and wanted.history.policy == "summary" else None


def _parted(
    messages: Sequence[Message], wanted: Wanted, model: Model
) -> tuple[Sequence[Message], Sequence[Message]]:
    """Return what the model reads of some messages, and what it does not."""
    history, request = wanted.history, wanted.request
    if history.policy == "all":
        return messages, ()
    kept, left_out = bounded(messages, history)
    if model.context_length is None:
        return kept, left_out
    taken = min(request.max_tokens or _ANSWER_TOKENS, model.context_length // 2)
    taken += sum(map(estimate, request.tools))
    taken += _SUMMARY_TOKENS if history.policy == "summary" else 0
    kept, more = fit(kept, model.context_length - taken, history)
    return kept, [*left_out, *more]
