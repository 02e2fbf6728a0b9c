"""What a user hears of whatever a host of models does: through Home Assistant, a real node and its engine."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant

from tests.integration.model_server import (
    CUT,
    HANG,
    Answer,
    ModelServer,
    calls,
    chunk,
    refuses,
    says,
    sse,
)

from .talking import (
    LIGHT,
    agent_of_the_pipeline,  # noqa: F401
    converse,
    host_of_models,  # noqa: F401
    kitchen_with_a_light,  # noqa: F401
    node_that_talks,  # noqa: F401
    speech_of,
)

pytest.importorskip("espeakng_loader", reason="the embedded engines are not installed")

AWAY = "My language model does not answer."
BUSY = "My language model is busy. Please try again in a moment."
LATE = "My language model took too long to answer."
CANNOT = "My language model cannot do that."
WHOLE = chunk({"content": "The light is on."})


@pytest.fixture
def patience() -> dict[str, Any]:
    """What the node bears with, which is little."""
    return {"retries": 1, "first_token": 0.6, "between_tokens": 0.6, "connect": 0.5}


def _broken_call() -> Answer:
    function = {"name": "intent__HassTurnOn", "arguments": '{"name": "Kitchen'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    return says(chunk({"tool_calls": [call]}), finish="tool_calls")


FAILURES = {
    "cut in mid-token": ([says(WHOLE[:31], CUT)] * 2, AWAY),
    "cut after a word": ([says("The li", CUT)], AWAY),
    "busy, and still busy": ([refuses(429, "slow down")] * 2, BUSY),
    "overloaded": ([refuses(503, "loading model")] * 2, BUSY),
    "broken, and still broken": ([refuses(500, "out of memory")] * 2, AWAY),
    "no first token": ([Answer(before=HANG)], LATE),
    "silent in mid-sentence": ([says("The light is", HANG)], LATE),
    "no JSON": ([Answer(pieces=(b"data: {oops}\n\n",))], AWAY),
    "an error in the stream": ([says("The", sse({"error": {"message": "oh"}}))], AWAY),
    "a call with half an argument": ([_broken_call()], AWAY),
    "does not take the request": ([refuses(400, "the prompt exceeds the context size")], CANNOT),
}
"""What a host does, and what the user hears."""


@pytest.mark.parametrize("what", FAILURES)
async def test_a_failure_is_one_sentence_that_says_why(
    hass: HomeAssistant, models: ModelServer, agent: str, what: str
) -> None:
    answers, sentence = FAILURES[what]
    models.answers += answers
    failed = await converse(hass, agent, "switch on the light, please")
    assert failed["response"]["response_type"] == "error"
    assert speech_of(failed) == sentence
    assert hass.states.is_state(LIGHT, "off")

    models.answers.clear()
    models.answers.append(says("Here I am."))
    back = await converse(hass, agent, "are you there", failed["conversation_id"])
    assert speech_of(back) == "Here I am."


RECOVERIES = {
    "an answer in pieces of a byte": [
        Answer(pieces=tuple(bytes([each]) for piece in says("Done.").pieces for each in piece))  # type: ignore[union-attr]
    ],
    "busy for a moment": [refuses(429, "slow down"), says("Done.")],
    "broken for a moment": [refuses(500, "oh"), says("Done.")],
    "cut before a word": [says(CUT), says("Done.")],
    "slow, but in time": [Answer(before=0.3, pieces=says("Done.").pieces)],
}
"""What a host does that the user never hears of."""


@pytest.mark.parametrize("what", RECOVERIES)
async def test_what_can_be_mended_is_not_heard(
    hass: HomeAssistant, models: ModelServer, agent: str, what: str
) -> None:
    models.answers += RECOVERIES[what]
    answered = await converse(hass, agent, "switch on the light, please")
    assert speech_of(answered) == "Done."
    assert answered["response"]["response_type"] != "error"


async def test_a_call_in_pieces_of_a_letter_acts_once(
    hass: HomeAssistant, models: ModelServer, agent: str
) -> None:
    models.answers += [
        calls("intent__HassTurnOn", {"name": "Kitchen Light"}, pieces=25),
        says("Done."),
    ]
    assert speech_of(await converse(hass, agent, "the light, please")) == "Done."
    assert hass.states.is_state(LIGHT, "on")


class TestWithoutChats:
    """A host that only completes texts."""

    @pytest.fixture(name="models")
    async def old_host(self) -> Any:
        async with ModelServer("llama.cpp", context=8192) as server:
            server.missing.add("/v1/chat/completions")
            server.usual = Answer(
                pieces=(
                    sse({"content": "Good ", "stop": False}),
                    sse({"content": "evening.", "stop": True, "tokens_evaluated": 9}),
                )
            )
            yield server

    async def test_it_talks_but_has_no_tools(
        self, hass: HomeAssistant, models: ModelServer, agent: str
    ) -> None:
        assert speech_of(await converse(hass, agent, "good evening")) == "Good evening."
        [asked] = models.requests
        assert asked.path == "/completion"
        assert "good evening" in asked.json["prompt"]
        assert "HassTurnOn" not in asked.json["prompt"]
