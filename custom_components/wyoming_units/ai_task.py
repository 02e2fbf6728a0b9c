"""Language models that do tasks of Home Assistant: data out of words and pictures, and closed questions."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, override

import probatio
from homeassistant.components import ai_task, conversation
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, llm
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.json import json_dumps_sorted
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util.ulid import ulid_now

from .client import NodeError
from .const import (
    CONF_MAX_TOKENS,
    CONF_MODEL,
    CONF_TEMPERATURE,
    DOMAIN,
    MOST_ROUNDS,
    SUBENTRY_AI_TASK,
)
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .language_model import Called, ChatRequest, Ended, LlmModel, Piece, Said
from .messages import Message, messages_of, system_message, tools_of
from .model_pictures import read_small
from .pictures import Picture
from .questions import MOST, alternatives, answer

if TYPE_CHECKING:  # Home Assistant 2026.10 has none of these
    from homeassistant.components.ai_task import EvaluationTask, EvaluationTaskResult

PARALLEL_UPDATES = 0

QUESTION_PROMPT: Final = "Judge by what you are given and answer the question about it."


async def async_setup_entry(
    hass: HomeAssistant,
    entry: WyomingUnitsConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up what the user made of the node's language models for tasks."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_AI_TASK):
        async_add_entities(
            [UnitTask(entry.runtime_data, subentry)], config_subentry_id=subentry.subentry_id
        )


class UnitTask(CoordinatorEntity[NodeCoordinator], ai_task.AITaskEntity):
    """Does tasks with a language model of a node."""

    _attr_has_entity_name = True
    _attr_name = None

    def __init__(self, coordinator: NodeCoordinator, subentry: ConfigSubentry) -> None:
        super().__init__(coordinator)
        self._data = subentry.data
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=_node_device_id(coordinator),
        )
        self._refresh()

    @property
    @override
    def available(self) -> bool:
        """Return whether the model can be asked."""
        return super().available and self._serving is not None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._refresh()
        super()._handle_coordinator_update()

    @callback
    def _refresh(self) -> None:
        """Take over what the model can do; the last model's abilities stay while it is away."""
        if self._serving is not None:
            self._attr_supported_features = _features(self._serving[1])

    @property
    def _serving(self) -> tuple[str, LlmModel] | None:
        """Return the program and the model that do the tasks, None while they are away."""
        chosen, node = self._data.get(CONF_MODEL), self.coordinator.data
        return next(
            (
                (program.name, model)
                for program in node.llm
                for model in node.language_models(program.name)
                if chosen in (None, model.name)
            ),
            None,
        )

    @override
    async def _async_generate_data(
        self, task: ai_task.GenDataTask, chat_log: conversation.ChatLog
    ) -> ai_task.GenDataTaskResult:
        """Return what the model makes of the instructions: a text, or data of a structure."""
        messages, pictures = await self._async_read(chat_log)
        request = ChatRequest(messages=messages, pictures=pictures)
        text = None
        if chat_log.llm_api is not None:
            tools = tools_of(chat_log.llm_api)
            request = replace(request, tools=tools, session=chat_log.conversation_id)
            request, text = await self._async_use_tools(request, chat_log)
        if task.structure is not None:
            schema = probatio.to_openapi(
                task.structure,
                custom_serializer=llm.selector_serializer,
                openapi_version="3.1.0",
            )
            # Most servers keep to a schema only where no tools are offered.
            request = replace(request, tools=(), response_schema=schema)
            text, _ = await self._async_ask(request)
        elif text is None:
            text, _ = await self._async_ask(request)
        chat_log.async_add_assistant_content_without_tools(
            conversation.AssistantContent(agent_id=self.entity_id, content=text)
        )
        return ai_task.GenDataTaskResult(
            conversation_id=chat_log.conversation_id,
            data=text if task.structure is None else _parsed(text),
        )

    async def _async_use_tools(
        self, request: ChatRequest, chat_log: conversation.ChatLog
    ) -> tuple[ChatRequest, str]:
        """Run the tools that the model calls; return its last request, and what it says then."""
        said = len(chat_log.content)
        for _ in range(MOST_ROUNDS):
            text, calls = await self._async_ask(request)
            if not calls:
                return request, text
            content = conversation.AssistantContent(
                agent_id=self.entity_id,
                content=text or None,
                tool_calls=[
                    llm.ToolInput(tool_name=call.name, tool_args=call.arguments, id=call.id)
                    for call in calls
                ],
            )
            async for _result in chat_log.async_add_assistant_content(content):
                pass
            more = messages_of(chat_log.content, said)
            said = len(chat_log.content)
            request = replace(request, messages=[*request.messages, *more])
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="too_many_rounds")

    async def _async_evaluate(self, task: EvaluationTask) -> EvaluationTaskResult:
        """Return how likely each answer to each question is."""
        offered = {key: alternatives(question) for key, question in task.questions.items()}
        for key, choices in offered.items():
            if len(choices) > MOST:
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key="too_many_alternatives",
                    translation_placeholders={"question": key, "most": str(MOST)},
                )
        # First what all questions are about: the model reads it once.
        shown: list[Message] = []
        if task.state is not None:
            shown.append({"type": "text", "text": json_dumps_sorted(task.state)})
        pictures = await self._async_pictures(task.attachments or ())
        shown += _image_parts(pictures)
        session = ulid_now()
        answers = {}
        for key, question in task.questions.items():
            asked = {"type": "text", "text": question["instructions"]}
            request = ChatRequest(
                messages=[
                    system_message(QUESTION_PROMPT),
                    {"role": "user", "content": [*shown, asked]},
                ],
                pictures=pictures,
                choices=offered[key],
                session=session,
            )
            answers[key] = answer(question, await self._async_weigh(request))
        return ai_task.EvaluationTaskResult(answers=answers)

    async def _async_read(
        self, chat_log: conversation.ChatLog
    ) -> tuple[list[Message], dict[str, Picture]]:
        """Return what the log says, and the pictures that came with it."""
        first, *said = chat_log.content
        assert isinstance(first, conversation.SystemContent)
        messages = messages_of(said, 0)
        pictures: dict[str, Picture] = {}
        users = [each for each in said if isinstance(each, conversation.UserContent)]
        asked = [each for each in messages if each["role"] == "user"]
        for content, message in zip(users, asked, strict=True):
            added = await self._async_pictures(content.attachments or (), len(pictures))
            if added:
                text = {"type": "text", "text": message["content"]}
                message["content"] = [*_image_parts(added), text]
                pictures |= added
        return [system_message(first.content), *messages], pictures

    async def _async_pictures(
        self, attachments: Sequence[conversation.Attachment], before: int = 0
    ) -> dict[str, Picture]:
        """Return pictures by the names that they are sent under; raises for what is no picture."""
        return {
            f"picture-{number}": await self.hass.async_add_executor_job(
                read_small, attachment.path, attachment.mime_type
            )
            for number, attachment in enumerate(attachments, before + 1)
        }

    async def _async_ask(self, request: ChatRequest) -> tuple[str, list[Called]]:
        """Return what the model says, and the tools that it calls."""
        text, calls = "", []
        async with aclosing(self._chat(request)) as pieces:
            async for piece in pieces:
                match piece:
                    case Said():
                        text += piece.text
                    case Called():
                        calls.append(piece)
        return text.strip(), calls

    async def _async_weigh(self, request: ChatRequest) -> Sequence[float]:
        """Return how likely each of the choices is."""
        async with aclosing(self._chat(request)) as pieces:
            ended = [piece async for piece in pieces if isinstance(piece, Ended)]
        if not ended or len(ended[0].probabilities) != len(request.choices):
            raise NodeError("bad_answer", event="chat-stop")
        return ended[0].probabilities

    def _chat(self, request: ChatRequest) -> AsyncGenerator[Piece]:
        if self._serving is None:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="no_llm")
        program, model = self._serving
        request = replace(
            request,
            model=model.name,
            temperature=self._data.get(CONF_TEMPERATURE),
            max_tokens=None if request.choices else self._data.get(CONF_MAX_TOKENS),
        )
        return self.coordinator.node.chat(request, program)


def _features(model: LlmModel) -> ai_task.AITaskEntityFeature:
    features = ai_task.AITaskEntityFeature.GENERATE_DATA
    if model.supports_images:
        features |= ai_task.AITaskEntityFeature.SUPPORT_ATTACHMENTS
    if model.supports_choices:  # Home Assistant 2026.10 asks no questions
        features |= getattr(ai_task.AITaskEntityFeature, "EVALUATE", 0)
    return features


def _image_parts(pictures: Mapping[str, Picture]) -> list[Message]:
    return [{"type": "image", "name": name} for name in pictures]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as err:
        raise NodeError("bad_answer", event="chat-chunk") from err


@callback
def _node_device_id(coordinator: NodeCoordinator) -> str:
    """Return the id of the node's device, which the coordinator made."""
    device = dr.async_get(coordinator.hass).async_get_device_by_identifier(
        (DOMAIN, coordinator.data.id), coordinator.config_entry.entry_id
    )
    assert device is not None
    return device.id
