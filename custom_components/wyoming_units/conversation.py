"""Conversation agents: intent units, which understand what Home Assistant does, and language models."""

from typing import Literal, override

from homeassistant.components import conversation
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, intent
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from wyoming.asr import Transcript
from wyoming.info import IntentProgram
from wyoming.intent import Intent, IntentsStart, IntentsStop, NotRecognized

from .agent import AgentEntity
from .client import NodeConnection, NodeError, parse
from .const import DOMAIN
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .entity import UnitEntity, async_add_unit, spoken_languages
from .greeting import async_note_speaker
from .home import async_get_home
from .intents import async_error_response, async_run_intents
from .language_model import LlmProgram
from .personas import Persona
from .speaker import async_area_of_speaker
from .switching import async_switch

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up what of a node can be talked with: intent units, language models, the user's personas."""
    async_add_unit(entry, async_add_entities, UnitConversation, "intent")
    async_add_unit(entry, async_add_entities, LanguageModelConversation, "llm")
    node = entry.runtime_data
    for persona in node.personas.all.values():
        async_add_entities([PersonaConversation(node, persona)], config_subentry_id=persona.id)


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


class LanguageModelConversation(UnitEntity[LlmProgram], AgentEntity):
    """Lets a language model answer, as whoever is chosen for it."""

    def __init__(self, coordinator: NodeCoordinator, unit: str, program: str) -> None:
        AgentEntity.__init__(self)
        super().__init__(coordinator, unit, program)

    @override
    async def async_added_to_hass(self) -> None:
        """Follow who is chosen."""
        await super().async_added_to_hass()
        personas = self.coordinator.personas
        self.async_on_remove(personas.async_listen(self._program_name, self._become))

    @callback
    def _become(self) -> None:
        """Be another persona, who knows nothing of what was said."""
        self._begin_anew()
        self.async_write_ha_state()

    @callback
    @override
    def _refresh(self, program: LlmProgram) -> None:
        self._last_offer = program

    @property
    @override
    def persona(self) -> Persona:
        """Return who is chosen."""
        return self.coordinator.personas.chosen(self._program_name)

    @property
    @override
    def language_program(self) -> LlmProgram:
        """Return the program, as it was offered last."""
        return self._last_offer

    @callback
    @override
    def _async_take_over(self, user_input: conversation.ConversationInput) -> str | None:
        """Let the user talk with another persona by saying so."""
        node, program = self.coordinator, self._program_name
        async_note_speaker(self.hass, node, program, user_input.satellite_id)
        return async_switch(self.hass, node, program, user_input)


class PersonaConversation(CoordinatorEntity[NodeCoordinator], AgentEntity):
    """A persona that is always the same one."""

    _attr_has_entity_name = True
    _attr_name = None

    def __init__(self, coordinator: NodeCoordinator, persona: Persona) -> None:
        AgentEntity.__init__(self)
        super().__init__(coordinator)
        self._persona = persona
        entry, node_id = coordinator.config_entry, coordinator.data.id
        node = dr.async_get(coordinator.hass).async_get_device_by_identifier(
            (DOMAIN, node_id), entry.entry_id
        )
        assert node is not None
        self._attr_unique_id = persona.id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, persona.id)},
            name=persona.name,
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=node.id,
        )

    @property
    @override
    def persona(self) -> Persona:
        """Return the persona."""
        return self._persona

    @property
    @override
    def language_program(self) -> LlmProgram | None:
        """Return the program that has the persona's model, else the first."""
        programs = [each for each in self.coordinator.data.llm if each.installed]
        having = (
            program
            for program in programs
            if any(model.name == self._persona.model for model in program.models)
        )
        return next(having, next(iter(programs), None))

    @property
    @override
    def available(self) -> bool:
        """Return whether there is a language model to ask."""
        return super().available and self.language_program is not None


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
