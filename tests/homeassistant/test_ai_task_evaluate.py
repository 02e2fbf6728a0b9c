"""Closed questions that a node's language model answers by how likely each alternative is."""

from pathlib import Path
from typing import Any

import pytest
from homeassistant.components import ai_task
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from wyoming.error import Error
from wyoming.event import Event

from .eyes import picture
from .scripted_node import Connection, ScriptedNode, chat, in_turn, llm_info, llm_model, reply
from .test_ai_task import TASK, attachment, chats, features, set_up

EVALUATE = getattr(ai_task.AITaskEntityFeature, "EVALUATE", None)
pytestmark = pytest.mark.skipif(EVALUATE is None, reason="Home Assistant 2026.10 asks nothing")

STATE = {"door": "open", "battery": 12}
OPEN = {"type": "noul", "instructions": "Is the door open?"}
WHO = {
    "type": "choice",
    "instructions": "Who is it?",
    "criteria": {"post": "Somebody with a parcel", "cat": "A cat", "nobody": "Nobody at all"},
}
HOW_FULL = {
    "type": "score",
    "instructions": "How full is the bin?",
    "criteria": ["empty", "half full", "full"],
}


@pytest.fixture(autouse=True)
async def tasks(hass: HomeAssistant, node: ScriptedNode, tmp_path: Path) -> None:
    hass.config.media_dirs = {"local": str(tmp_path)}
    assert await async_setup_component(hass, "ai_task", {})
    node.info["llm"] = llm_info()


def weighed(*probabilities: float) -> Any:
    """Return the answer to a request with choices."""
    return chat(probabilities=[*probabilities])


async def evaluate(hass: HomeAssistant, questions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the answers as the action gives them."""
    result = await hass.services.async_call(
        "ai_task",
        "evaluate",
        {"entity_id": TASK, "task_name": "judge", "questions": questions, "state": STATE} | more,
        blocking=True,
        return_response=True,
    )
    answers: dict[str, Any] = result["answers"]
    return answers


async def test_yes_or_no_is_how_likely_yes_is(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node, temperature=0.4)
    node.answers["chat"] = weighed(0.9, 0.1)
    assert await evaluate(hass, {"open": OPEN}) == {"open": {"noul": 0.9, "type": "noul"}}
    (asked,) = chats(node)
    assert asked.data["choices"] == ["yes", "no"]
    assert "tools" not in asked.data


async def test_a_choice_is_the_most_likely_one_with_all_others(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = weighed(0.2, 0.7, 0.1)
    told = (await evaluate(hass, {"who": WHO}))["who"]
    assert told == {
        "choice": "cat",
        "probabilities": {"post": 0.2, "cat": 0.7, "nobody": 0.1},
        "type": "choice",
    }
    choices = chats(node)[0].data["choices"]
    assert choices[0] == "post: Somebody with a parcel"
    assert len(choices) == 3


async def test_a_score_is_the_level_to_be_expected(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node)
    node.answers["chat"] = weighed(0.1, 0.3, 0.6)
    told = (await evaluate(hass, {"bin": HOW_FULL}))["bin"]
    assert told["score"] == pytest.approx(1.5)
    assert told["probabilities"] == [0.1, 0.3, 0.6]
    assert chats(node)[0].data["choices"] == ["empty", "half full", "full"]


async def test_questions_come_last_so_that_a_server_reads_the_rest_once(
    hass: HomeAssistant, node: ScriptedNode, tmp_path: Path
) -> None:
    await set_up(hass, node)
    (tmp_path / "yard.jpg").write_bytes(picture())
    node.answers["chat"] = in_turn(weighed(1, 0), weighed(1, 0, 0), weighed(0, 1, 0))
    await evaluate(
        hass,
        {"open": OPEN, "who": WHO, "bin": HOW_FULL},
        attachments=[attachment(tmp_path / "yard.jpg") | {"media_content_type": "image/jpeg"}],
    )
    asked = [event.data["messages"] for event in chats(node)]
    assert [each[-1]["content"][-1]["text"] for each in asked] == [
        "Is the door open?",
        "Who is it?",
        "How full is the bin?",
    ]
    for each in asked:
        before = each[-1]["content"].pop()
        assert before["type"] == "text"
        assert {part["type"] for part in each[-1]["content"]} == {"text", "image"}
        assert '"door":"open"' in each[-1]["content"][0]["text"].replace(" ", "")
    assert asked[0] == asked[1] == asked[2]
    assert len({event.data["session"] for event in chats(node)}) == 1
    assert len({event.payload for event in chats(node)}) == 1


async def test_questions_run_one_after_the_other(hass: HomeAssistant, node: ScriptedNode) -> None:
    await set_up(hass, node)

    async def alone(connection: Connection, event: Event) -> None:
        assert node.open == 1
        await weighed(0.5, 0.5)(connection, event)

    node.answers["chat"] = alone
    told = await evaluate(hass, {"one": OPEN, "two": OPEN, "three": OPEN})
    assert [*told] == ["one", "two", "three"]


async def test_more_alternatives_than_a_model_weighs_are_refused_before_anything_is_asked(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = weighed(*(1 / 20 for _ in range(20)))
    most = {**HOW_FULL, "criteria": [f"level {level}" for level in range(20)]}
    assert (await evaluate(hass, {"bin": most}))["bin"]["score"] == pytest.approx(9.5)
    more = {**HOW_FULL, "criteria": [*most["criteria"], "level 20"]}
    asked = len(chats(node))
    with pytest.raises(HomeAssistantError, match=r"bin has too many alternatives: at most 20"):
        await evaluate(hass, {"open": OPEN, "bin": more})
    assert len(chats(node)) == asked


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (weighed(0.4, 0.3, 0.3), "cannot be read"),
        (chat("yes"), "cannot be read"),
        (reply(Error(text="none of the choices", code="engine-failed")), "none of the choices"),
    ],
)
async def test_an_answer_that_fits_no_alternative_is_an_error(
    hass: HomeAssistant, node: ScriptedNode, answer: Any, reason: str
) -> None:
    await set_up(hass, node)
    node.answers["chat"] = answer
    with pytest.raises(HomeAssistantError, match=reason):
        await evaluate(hass, {"open": OPEN})


async def test_a_model_that_cannot_weigh_is_not_offered_for_questions(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    assert EVALUATE is not None
    node.info["llm"] = llm_info(llm_model("writer", supports_choices=False))
    entry = await set_up(hass, node)
    assert not features(hass) & EVALUATE
    node.info["llm"] = llm_info(llm_model("writer"))
    await entry.runtime_data.async_refresh()
    assert features(hass) & EVALUATE
