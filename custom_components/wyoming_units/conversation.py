"""Intent units as conversation agents: the unit understands, Home Assistant acts."""

from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import intent
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from wyoming.asr import Transcript
from wyoming.info import IntentProgram
from wyoming.intent import Intent, IntentsStart, IntentsStop, NotRecognized

from .client import NodeConnection, NodeError, parse
from .coordinator import WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit, spoken_languages
from .home import async_get_home
from .intents import async_error_response, async_run_intents
from .speaker import async_area_of_speaker

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the intent unit of a node."""
    async_add_unit(entry, async_add_entities, UnitConversation, "intent")


class UnitConversation(UnitEntity[IntentProgram], conversation.ConversationEntity):
    """Lets a unit find the intents of a sentence, and runs them in the user's name."""

    _attr_supported_features = conversation.ConversationEntityFeature.CONTROL
    _languages: list[str]

    @callback
    @override
    def _refresh(self, program: IntentProgram) -> None:
        self._languages = spoken_languages(program.models)

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """Return the languages of the unit's models, all where it names none."""
        return self._languages or MATCH_ALL

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        """Answer a sentence."""
        area = async_area_of_speaker(self.hass, user_input.device_id, user_input.satellite_id)
        home = await async_get_home(self.hass, user_input.language, area)
        request = Transcript(
            text=user_input.text,
            language=user_input.language,
            context={"conversation_id": chat_log.conversation_id, "home": home},
        )
        async with self._connect() as connection:
            await connection.send(request)
            answer = await _receive_intents(connection)
        last = answer if isinstance(answer, NotRecognized) else next(iter(answer), None)
        self._answered(last.context if last else None)

        if isinstance(answer, NotRecognized):
            code, error = (
                intent.IntentResponseErrorCode.NO_INTENT_MATCH,
                NodeError("not_understood"),
            )
            response = await async_error_response(self.hass, user_input.language, code, error)
            if answer.text:
                response.async_set_error(code, answer.text)
        else:
            response = await async_run_intents(self.hass, user_input, answer, area)

        chat_log.async_add_assistant_content_without_tools(
            conversation.AssistantContent(
                agent_id=user_input.agent_id,
                content=response.speech.get("plain", {}).get("speech", ""),
            )
        )
        return conversation.ConversationResult(
            response=response, conversation_id=chat_log.conversation_id
        )


async def _receive_intents(connection: NodeConnection) -> list[Intent] | NotRecognized:
    """Return one intent, all intents of a list, or that there is none; skip all other events."""
    intents: list[Intent] = []
    in_list = False
    while True:
        event = await connection.receive()
        if NotRecognized.is_type(event.type):
            return parse(NotRecognized, event)
        if IntentsStart.is_type(event.type):
            in_list = True
        elif Intent.is_type(event.type):
            intents.append(parse(Intent, event))
        if (intents and not in_list) or IntentsStop.is_type(event.type):
            return intents
