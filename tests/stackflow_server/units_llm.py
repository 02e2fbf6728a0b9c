"""Units that write: language models, and those that see as well."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from .framing import unescape
from .protocol import Refused
from .task import Given, Setup, Task, Unit

_TOKEN = re.compile(r"\s?[^\W\d_]{1,6}|\s?\d|\s?[^\w\s]|\s|_")
_TEMPLATE = 14
"""Tokens of the chat template around prompt and text."""
_TOTAL = 1_023
"""Tokens of the model's memory."""
_PER_DELTA = 3


def tokens(text: str) -> list[str]:
    """Return a text in pieces about as long as tokens are."""
    return _TOKEN.findall(text)


class LlmTask(Task):
    """Answers single turns; a model with context remembers what was said before."""

    depth = 3

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._stopped = False
        self._history: list[str] = []

    async def work(self, given: Given) -> None:
        text = given.data.decode("utf-8", "replace")
        await self._answer(unescape(text), ())

    def pause(self) -> None:
        """Stop generating."""
        self._stopped = True

    async def _answer(self, text: str, images: tuple[bytes, ...]) -> None:
        self._stopped = False
        if self.mode.context and text == "reset":
            self._history.clear()
            await self._write("Context has been reset.")
            return
        prompt = self._prompt()
        used = len(tokens(prompt)) + len(tokens(text)) + _TEMPLATE
        if used > self._most():
            raise Refused(-11)
        answer = await self.run(self.room.minds.chat, prompt, text, images)
        await self._write(answer, most=_TOTAL - used if not self.mode.context else _TOTAL)
        if self.mode.context:
            self._history += [f"User: {text}", f"Assistant: {answer}"]

    def _prompt(self) -> str:
        if not self.mode.context:
            return str(self.setup["prompt"])
        return "\n".join([str(self.setup.get("system_prompt", "")), *self._history]).strip()

    def _most(self) -> int:
        """Return how many tokens prompt, template and text may have together."""
        if self.mode.context:
            return self.mode.context
        name = str(self.mode.params["template_filename_axmodel"])
        return 256 if "_p256_" in name else 128

    async def _write(self, answer: str, most: int = _TOTAL) -> None:
        parts = tokens(answer)[: min(most, int(self.setup.get("max_token_len", most)))]
        if not self.streams:
            await self.say("".join(parts))
            return
        index = 0
        for start in range(0, len(parts), _PER_DELTA):
            if self._stopped:
                break
            await self.say_delta(index, "".join(parts[start : start + _PER_DELTA]), finish=False)
            index += 1
        await self.say_delta(index, "", finish=True)


class Llm(Unit):
    """Language models."""

    name = "llm"
    limit = 2
    takes = "llm"
    required: ClassVar[tuple[str, ...]] = (*Unit.required, "prompt")
    bad_json: ClassVar[str | None] = "kws"
    inputs_key = "inputs_"
    targets: ClassVar[tuple[str, ...]] = ("asr", "whisper", "kws")
    task: ClassVar[type[Task]] = LlmTask

    def fits(self, setup: Setup) -> bool:
        return super().fits(setup) and isinstance(setup["prompt"], str)


class VlmTask(LlmTask):
    """Takes pictures first, without a word, then a question about them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._images: list[bytes] = []

    async def work(self, given: Given) -> None:
        if "jpeg" in given.object:
            # Models with context take several pictures at a time, the others only the last.
            self._images = [*(self._images if self.mode.context else ()), given.data]
            return
        images, self._images = tuple(self._images), []
        # Unlike all others this unit leaves escapes as they are.
        await self._answer(given.data.decode("utf-8", "replace"), images)


class Vlm(Llm):
    """Language models that see."""

    name = "vlm"
    takes = "vlm"
    bad_json = None
    targets: ClassVar[tuple[str, ...]] = ("asr", "kws", "camera")
    task = VlmTask
