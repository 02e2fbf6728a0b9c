"""What unlocks, opens or disarms waits for a spoken yes, whatever the model says."""

import json
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.components.intent import async_register_timer_handler
from homeassistant.components.intent.const import TIMER_DATA
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    intent,
    llm,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
)

from custom_components.wyoming_units.consent import consent

from .agents import agent_of, ask, chats, persona, speech, talk_node
from .scripted_node import ScriptedNode, chat, in_turn, tool_call

TURN_ON = "intent__HassTurnOn"
TURN_OFF = "intent__HassTurnOff"
SET_POSITION = "intent__HassSetPosition"
UNLOCK = tool_call("a", TURN_OFF, name="Front door", domain=["lock"])
WREN = persona("Wren", llm_hass_api=["assist"])
BOLD = persona("Bold", llm_hass_api=["assist"], confirm=False)
THINGS = {
    "lock.front": ("Front door", "Hall", None),
    "cover.garage": ("Garage", "Yard", "garage"),
    "cover.plain": ("Hatch", "Attic", None),
    "cover.blind": ("Blind", "Study", "blind"),
    "cover.awning": ("Awning", "Yard roof", "awning"),
    "valve.water": ("Water", "Cellar", "water"),
    "alarm_control_panel.home": ("Alarm", "Lobby", None),
    "light.hall": ("Hall light", "Hall", None),
}
ACTIONS = (
    ("lock", "unlock"),
    ("lock", "lock"),
    ("cover", "open_cover"),
    ("cover", "close_cover"),
    ("cover", "set_cover_position"),
    ("valve", "open_valve"),
    ("light", "turn_on"),
    ("light", "turn_off"),
)

type Calls = list[ServiceCall]


@pytest.fixture(autouse=True)
async def done(hass: HomeAssistant) -> Calls:
    """A home with things to open; returns what is done to them."""
    assert await async_setup_component(hass, "conversation", {})
    for entity_id, (name, room, device_class) in THINGS.items():
        domain, unique_id = entity_id.split(".")
        entry = er.async_get(hass).async_get_or_create(
            domain,
            "test",
            unique_id,
            suggested_object_id=unique_id,
            original_name=name,
            original_device_class=device_class,
        )
        area = ar.async_get(hass).async_get_or_create(room)
        er.async_get(hass).async_update_entity(entity_id, area_id=area.id)
        assert entry.entity_id == entity_id
        about = {"friendly_name": name, "supported_features": 15}
        if device_class is not None:
            about["device_class"] = device_class
        hass.states.async_set(entity_id, "closed", about)
        async_expose_entity(hass, "conversation", entity_id, True)
    calls: Calls = []
    for domain, action in ACTIONS:
        hass.services.async_register(domain, action, calls.append)
    return calls


def actions(calls: Calls) -> list[str]:
    return [f"{call.domain}.{call.service}" for call in calls]


@pytest.mark.parametrize(
    ("call", "question"),
    [
        (UNLOCK, "Shall I unlock Front door?"),
        (tool_call("a", TURN_OFF, area="Hall"), "Shall I unlock Front door?"),
        (tool_call("a", TURN_OFF, domain=["lock"], name="all"), "Shall I unlock Front door?"),
        (tool_call("a", TURN_ON, name="Garage"), "Shall I open Garage?"),
        (tool_call("a", TURN_ON, name="Hatch"), "Shall I open Hatch?"),
        (tool_call("a", TURN_ON, name="Water"), "Shall I open Water?"),
        (tool_call("a", TURN_OFF, name="Alarm"), "Shall I disarm Alarm?"),
        (tool_call("a", TURN_ON, name="Garage", position=0), "Shall I open Garage?"),
        (tool_call("a", SET_POSITION, name="Garage", position=10), "Shall I open Garage?"),
        (tool_call("a", SET_POSITION, name="Garage", position="5"), "Shall I open Garage?"),
        (
            tool_call("a", TURN_ON, domain=["cover"], name="all"),
            "Shall I open Garage, Hatch?",
        ),
    ],
)
async def test_what_is_risky_is_not_done_but_asked(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    done: Calls,
    call: dict[str, Any],
    question: str,
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    node.answers["chat"] = chat(call)
    result = await ask(hass, "do it", "conversation.wren")
    assert speech(result) == question
    assert result.continue_conversation
    assert not done
    assert len(chats(node)) == 1


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (tool_call("a", TURN_ON, name="Front door"), "lock.lock"),
        (tool_call("a", TURN_OFF, name="Garage"), "cover.close_cover"),
        (tool_call("a", TURN_ON, name="Blind"), "cover.open_cover"),
        (tool_call("a", TURN_ON, name="Awning"), "cover.open_cover"),
        (tool_call("a", SET_POSITION, name="Garage", position=0), "cover.set_cover_position"),
        (tool_call("a", SET_POSITION, name="Blind", position=50), "cover.set_cover_position"),
    ],
)
async def test_what_is_harmless_is_done_at_once(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    done: Calls,
    call: dict[str, Any],
    action: str,
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    node.answers["chat"] = in_turn(chat(call), chat("Fine."))
    assert speech(await ask(hass, "do it", "conversation.wren")) == "Fine."
    assert actions(done) == [action]


@pytest.mark.parametrize(
    ("command", "question"),
    [
        ("unlock the front door", "Shall I unlock Front door?"),
        ("open the garage", "Shall I open Garage?"),
        ("turn off the hall light", None),
    ],
)
async def test_what_a_timer_is_to_do_later_is_asked_now(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    command: str,
    question: str | None,
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    device = async_speaker(hass)
    async_register_timer_handler(hass, device, lambda *_: None)
    call = tool_call("a", "intent__HassStartTimer", seconds=10, conversation_command=command)
    node.answers["chat"] = in_turn(chat(call), chat("Fine."))
    result = await ask(hass, "later", "conversation.wren", device_id=device)
    assert speech(result) == (question or "Fine.")
    timers = hass.data[TIMER_DATA].timers
    assert len(timers) == (0 if question else 1)
    for timer in [*timers]:
        hass.data[TIMER_DATA].cancel_timer(timer)


def async_speaker(hass: HomeAssistant) -> str:
    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", "speaker")}
    )
    return device.id


async def test_a_persona_that_need_not_ask_does_it_at_once(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await talk_node(hass, node, entry, personas=[BOLD])
    node.answers["chat"] = in_turn(chat(UNLOCK), chat("Fine."))
    assert speech(await ask(hass, "unlock", "conversation.bold")) == "Fine."
    assert actions(done) == ["lock.unlock"]


async def ask_to_unlock(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, **more: Any
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    node.answers["chat"] = chat(UNLOCK)
    more = {"conversation_id": "talk", "language": "en", **more}
    assert (await ask(hass, "unlock the door", "conversation.wren", **more)).continue_conversation
    node.answers["chat"] = chat("Well.")


async def test_a_yes_does_it_in_the_name_of_who_said_it(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await ask_to_unlock(hass, node, entry)
    result = await ask(hass, "Yes, please!", "conversation.wren", conversation_id="talk")
    assert speech(result) == "Done."
    assert not result.continue_conversation
    assert [it.name for it in result.response.success_results] == ["Front door"]
    assert actions(done) == ["lock.unlock"]
    assert len(chats(node)) == 1

    # A yes is good for one time.
    assert speech(await ask(hass, "Yes.", "conversation.wren", conversation_id="talk")) == "Well."
    assert len(done) == 1


async def test_the_model_is_told_what_became_of_it(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    await ask_to_unlock(hass, node, entry)
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    await ask(hass, "yes", **wren)
    await ask(hass, "thanks", **wren)
    messages = chats(node)[-1].data["messages"][1:]
    roles = [it["role"] for it in messages]
    assert roles == [
        *("user", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool", "assistant"),
        "user",
    ]
    called = [it["tool_calls"][0]["id"] for it in messages if "tool_calls" in it]
    assert [it["tool_call_id"] for it in messages if it["role"] == "tool"] == called
    waits, acted = (json.loads(it["content"]) for it in messages if it["role"] == "tool")
    assert "not done" in waits["status"]
    assert acted["response_type"] == "action_done"


async def test_a_no_leaves_it(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await ask_to_unlock(hass, node, entry, language="de")
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    assert speech(await ask(hass, "Nein, danke.", **wren)) == "Okay, I leave it."
    assert speech(await ask(hass, "yes", **wren)) == "Well."
    assert not done


async def test_anything_else_is_a_new_turn_and_drops_it(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await ask_to_unlock(hass, node, entry)
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    assert speech(await ask(hass, "who is there?", **wren)) == "Well."
    assert speech(await ask(hass, "yes", **wren)) == "Well."
    assert not done


async def test_a_yes_that_comes_too_late_or_in_another_conversation_does_nothing(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    done: Calls,
    freezer: FrozenDateTimeFactory,
) -> None:
    await ask_to_unlock(hass, node, entry)
    wren = {"agent": "conversation.wren"}
    assert speech(await ask(hass, "yes", conversation_id="other", **wren)) == "Well."
    freezer.tick(61)
    assert speech(await ask(hass, "yes", conversation_id="talk", **wren)) == "Well."
    assert not done


async def test_a_reset_drops_it(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await ask_to_unlock(hass, node, entry)
    await agent_of(hass, "conversation.wren").async_reset()
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    assert speech(await ask(hass, "yes", **wren)) == "Well."
    assert not done


async def test_a_yes_that_comes_again_does_it_once(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await ask_to_unlock(hass, node, entry)
    same = {"context": Context(), "conversation_id": "talk"}
    for _ in range(2):
        assert speech(await ask(hass, "yes", "conversation.wren", **same)) == "Done."
    assert len(done) == 1


async def test_what_need_not_wait_is_done_meanwhile(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await talk_node(hass, node, entry, personas=[WREN])
    light = tool_call("b", TURN_OFF, name="Hall light")
    node.answers["chat"] = chat("Right away. ", light, UNLOCK)
    wren = {"agent": "conversation.wren", "conversation_id": "talk"}
    assert speech(await ask(hass, "bye", **wren)) == "Shall I unlock Front door?"
    assert actions(done) == ["light.turn_off"]
    await ask(hass, "okay", **wren)
    assert actions(done) == ["light.turn_off", "lock.unlock"]


async def test_a_yes_to_what_cannot_be_done_any_more_is_told(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry, done: Calls
) -> None:
    await ask_to_unlock(hass, node, entry)
    hass.states.async_remove("lock.front")
    result = await ask(hass, "yes", "conversation.wren", conversation_id="talk")
    assert result.response.error_code is intent.IntentResponseErrorCode.FAILED_TO_HANDLE
    assert speech(result) == "That could not be done."


async def test_a_tool_that_speaks_for_itself_is_heard(
    hass: HomeAssistant, node: ScriptedNode, entry: MockConfigEntry
) -> None:
    class Opener(intent.ServiceIntentHandler):
        async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
            response = intent_obj.create_response()
            response.async_set_speech("Sesame!")
            return response

    handler = Opener("OpenSesame", "cover", "open_cover", required_domains={"cover"})

    class Api(llm.API):
        async def async_get_api_instance(self, context: llm.LLMContext) -> llm.APIInstance:
            tool = llm.IntentTool("test__open", handler, integration="test")
            wrapped = llm.NamespacedTool("cave", tool)
            return llm.APIInstance(self, "", context, [wrapped])

    intent.async_register(hass, handler)
    llm.async_register_api(hass, Api(hass=hass, id="cave", name="Cave"))
    await talk_node(hass, node, entry, personas=[persona("Ali", llm_hass_api=["cave"])])
    node.answers["chat"] = chat(tool_call("a", "cave__test__open", name="Garage"))
    ali = {"agent": "conversation.ali", "conversation_id": "talk"}
    assert speech(await ask(hass, "open", **ali)) == "Shall I open Garage?"
    assert speech(await ask(hass, "yes", **ali)) == "Sesame!"


@pytest.mark.skipif(not hasattr(llm, "LLM_API_HOME_ASSISTANT"), reason="Home Assistant 2026.11")
@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        ({"action": "lock.unlock", "target": {"entity_id": "lock.front"}}, "unlock Front door"),
        ({"action": "lock.unlock", "data": {"entity_id": ["lock.front"]}}, "unlock Front door"),
        (
            {
                "action": "alarm_control_panel.alarm_disarm",
                "target": {"entity_id": "alarm_control_panel.home"},
            },
            "disarm Alarm",
        ),
        ({"action": "homeassistant.turn_on", "target": {"area_id": "yard"}}, "open Garage"),
        ({"action": "cover.open_cover", "target": {"entity_id": "all"}}, "open Garage, Hatch"),
        (
            {"action": "lock.unlock", "target": {"entity_id": "{{ 'lock.front' }}"}},
            "unlock lock.unlock",
        ),
        ({"action": "light.turn_on", "target": {"area_id": "hall"}}, None),
        ({"action": "lock.lock", "target": {"entity_id": "lock.front"}}, None),
    ],
)
async def test_administrators_are_asked_too(
    hass: HomeAssistant,
    node: ScriptedNode,
    entry: MockConfigEntry,
    done: Calls,
    arguments: dict[str, Any],
    question: str | None,
) -> None:
    await talk_node(hass, node, entry, personas=[persona("Chief", llm_hass_api=["homeassistant"])])
    call = tool_call("a", "homeassistant__call_action", **arguments)
    node.answers["chat"] = in_turn(chat(call), chat("Fine."))
    admin = MockUser(is_owner=True).add_to_hass(hass)
    result = await ask(hass, "go", "conversation.chief", context=Context(user_id=admin.id))
    assert speech(result) == (f"Shall I {question}?" if question else "Fine.")
    assert len(done) == (0 if question else 1)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("Yes.", True),
        ("yes please", True),
        ("Okay, do it!", True),
        ("ja, mach das", True),
        ("Oui, vas-y, s'il te plaît", True),
        ("Sí, claro", True),
        ("Sì grazie", True),
        ("ja graag", True),
        ("是的", True),
        ("好", True),
        ("好的，打开吧。", True),
        ("No.", False),
        ("no thank you", False),
        ("Nein, lieber nicht", False),
        ("Non, laisse tomber", False),
        ("nee, laat maar", False),
        ("不要", False),
        ("不用了，谢谢", False),
        ("yes but not now", None),
        ("no yes", None),
        ("please", None),
        ("yesterday", None),
        ("open the window", None),
        ("yes " * 30, None),
        ("", None),
    ],
)
def test_a_yes_and_a_no_are_whole_sentences(text: str, means: bool | None) -> None:
    assert consent(text) is means
