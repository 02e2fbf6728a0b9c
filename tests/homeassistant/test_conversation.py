"""The intent unit as a conversation agent, against a server that follows a script."""

from typing import Any

import pytest
from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    intent,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_mock_service,
)
from wyoming.error import Error
from wyoming.intent import Entity, Intent, IntentsStart, IntentsStop, NotRecognized

from .scripted_node import ScriptedNode, hang_up, node_info, reply

AGENT = "conversation.cellar_intents"
TURN_ON = Intent(
    name="HassTurnOn",
    entities=[Entity(name="name", value="Lamp")],
    text="Switched on {{ slots.name }}, it is {{ state.state }}  of {{ query.matched | length }}",
)


@pytest.fixture(autouse=True)
async def home(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    """A lamp in the kitchen, and one of the same name in the study."""
    assert await async_setup_component(hass, "intent", {})
    for room, state in (("Kitchen", "off"), ("Study", "off")):
        area = ar.async_get(hass).async_create(room)
        entry = er.async_get(hass).async_get_or_create(
            "light", "test", room, original_name="Lamp", suggested_object_id=room.lower()
        )
        er.async_get(hass).async_update_entity(entry.entity_id, area_id=area.id)
        hass.states.async_set(entry.entity_id, state, {"friendly_name": "Lamp"})


async def ask(
    hass: HomeAssistant, text: str = "lamp on", **more: Any
) -> conversation.ConversationResult:
    return await conversation.async_converse(
        hass,
        text,
        more.pop("conversation_id", None),
        more.pop("context", Context()),
        language=more.pop("language", "en"),
        agent_id=AGENT,
        **more,
    )


def speech(result: conversation.ConversationResult) -> str:
    return result.response.speech["plain"]["speech"]


def device_in(hass: HomeAssistant, room: str) -> str:
    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", f"speaker in {room}")}
    )
    area = ar.async_get(hass).async_get_area_by_name(room)
    assert area is not None
    dr.async_get(hass).async_update_device(device.id, area_id=area.id)
    return device.id


async def test_a_command_is_run_in_the_name_of_the_user_who_gave_it(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    calls = async_mock_service(hass, "light", "turn_on")
    node.answers["transcript"] = reply(IntentsStart(), TURN_ON, IntentsStop())
    user = MockUser().add_to_hass(hass)
    result = await ask(hass, context=Context(user_id=user.id), device_id=device_in(hass, "Study"))
    [call] = calls
    assert call.data["entity_id"] == ["light.study"]
    assert call.context.user_id == user.id
    assert speech(result) == "Switched on Lamp, it is off of 1"
    assert result.response.response_type is intent.IntentResponseType.ACTION_DONE


async def test_the_unit_is_told_the_home_and_where_the_speaker_is(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    node.answers["transcript"] = reply(NotRecognized())
    result = await ask(hass, "what?", device_id=device_in(hass, "Kitchen"))
    [transcript] = (await node.request()).received
    assert (transcript.data["text"], transcript.data["language"]) == ("what?", "en")
    context = transcript.data["context"]
    assert context["conversation_id"] == result.conversation_id
    assert context["home"]["area"] == "Kitchen"
    assert [entity["name"] for entity in context["home"]["entities"]] == ["Lamp", "Lamp"]


@pytest.mark.parametrize(
    ("text", "told"),
    [("Sorry?", "Sorry?"), (None, "The node did not understand that.")],
)
async def test_a_sentence_that_is_not_understood_is_told_as_such(
    hass: HomeAssistant, node: ScriptedNode, text: str | None, told: str
) -> None:
    node.answers["transcript"] = reply(NotRecognized(text=text))
    result = await ask(hass)
    assert result.response.error_code is intent.IntentResponseErrorCode.NO_INTENT_MATCH
    assert speech(result) == told


async def test_several_intents_run_in_their_order_and_their_replies_are_joined(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    done: list[str] = []

    class Note(intent.IntentHandler):
        def __init__(self, name: str) -> None:
            self.intent_type = name

        async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
            done.append(intent_obj.intent_type)
            return intent_obj.create_response()

    for name in ("First", "Second"):
        intent.async_register(hass, Note(name))
    node.answers["transcript"] = reply(
        IntentsStart(),
        Intent(name="First", text="One."),
        Intent(name="Second"),
        Intent(name="First", text="Two."),
        IntentsStop(),
    )
    assert speech(await ask(hass)) == "One. Two."
    assert done == ["First", "Second", "First"]


async def test_a_handler_that_speaks_for_itself_is_not_talked_over(
    hass: HomeAssistant, node: ScriptedNode
) -> None:
    class Parrot(intent.IntentHandler):
        intent_type = "Parrot"

        async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
            response = intent_obj.create_response()
            response.async_set_speech("Polly")
            return response

    intent.async_register(hass, Parrot())
    node.answers["transcript"] = reply(Intent(name="Parrot", text="Done."))
    assert speech(await ask(hass)) == "Polly"


@pytest.mark.parametrize(
    ("found", "code", "told"),
    [
        (
            Intent(name="HassTurnOn", entities=[Entity(name="name", value="Rocket")]),
            intent.IntentResponseErrorCode.NO_VALID_TARGETS,
            "There is nothing that this applies to.",
        ),
        (
            Intent(name="HassMakeCoffee"),
            intent.IntentResponseErrorCode.FAILED_TO_HANDLE,
            "That could not be done.",
        ),
        (
            Intent(name="HassSetPosition", entities=[Entity(name="position", value=900)]),
            intent.IntentResponseErrorCode.FAILED_TO_HANDLE,
            "That could not be done.",
        ),
    ],
)
async def test_a_command_that_cannot_be_carried_out_says_so(
    hass: HomeAssistant,
    node: ScriptedNode,
    found: Intent,
    code: intent.IntentResponseErrorCode,
    told: str,
) -> None:
    node.answers["transcript"] = reply(found)
    result = await ask(hass)
    assert result.response.error_code is code
    assert speech(result) == told


@pytest.mark.parametrize(
    ("language", "told"),
    [("de", "Es gibt nichts, worauf das zutrifft."), ("zh-Hans", "没有适用的对象。")],
)
async def test_a_failure_is_told_in_the_language_of_the_request(
    hass: HomeAssistant, node: ScriptedNode, language: str, told: str
) -> None:
    rocket = Entity(name="name", value="Rocket")
    node.answers["transcript"] = reply(Intent(name="HassTurnOn", entities=[rocket]))
    assert speech(await ask(hass, language=language)) == told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (reply(Error(text="no Klingon", code="unknown-model")), "no Klingon (unknown-model)"),
        (reply(IntentsStart(), IntentsStop()), "cannot be read"),
        (reply(Intent(name="HassNevermind", text="{{ 1 / 0 }}")), "cannot be rendered"),
        (hang_up, "was lost"),
        (reply(), "did not answer in time"),
    ],
)
async def test_a_failure_of_the_node_is_told_to_the_user(
    hass: HomeAssistant,
    node: ScriptedNode,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    told: str,
) -> None:
    monkeypatch.setattr("custom_components.wyoming_units.client.ANSWER_TIMEOUT", 0.05)
    node.answers["transcript"] = answer
    result = await ask(hass)
    assert result.response.response_type is intent.IntentResponseType.ERROR
    assert told in speech(result)


async def test_the_conversation_is_kept_in_the_log(hass: HomeAssistant, node: ScriptedNode) -> None:
    node.answers["transcript"] = reply(Intent(name="HassNevermind", text="Fine."))
    first = await ask(hass, "never mind")
    await ask(hass, "again", conversation_id=first.conversation_id)
    log = hass.data[conversation.chat_log.DATA_CHAT_LOGS][first.conversation_id]
    assert [entry.content for entry in log.content if entry.role != "system"] == [
        "never mind",
        "Fine.",
        "again",
        "Fine.",
    ]


async def test_it_controls_the_home_in_the_languages_of_its_models(
    hass: HomeAssistant, node: ScriptedNode, loaded: MockConfigEntry
) -> None:
    agent = hass.data[conversation.DATA_COMPONENT].get_entity(AGENT)
    assert isinstance(agent, conversation.ConversationEntity)
    assert agent.supported_languages == ["en"]
    assert agent.supported_features is conversation.ConversationEntityFeature.CONTROL

    node.info = node_info()
    node.info["intent"][0]["models"] = []
    await loaded.runtime_data.async_refresh()
    assert agent.supported_languages == "*"
