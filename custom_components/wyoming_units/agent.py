"""A language model as a conversation agent: takes turns, remembers what each conversation began with."""

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, override

from homeassistant.components import conversation
from homeassistant.components.conversation.chat_log import DATA_CHAT_LOGS
from homeassistant.const import MATCH_ALL
from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import intent
from homeassistant.helpers.chat_session import current_session
from homeassistant.helpers.json import json_dumps
from homeassistant.util import dt as dt_util

from .consent import consent
from .const import DOMAIN, LOGGER, MOST_ROUNDS
from .coordinator import NodeCoordinator
from .guard import Held
from .language_model import ChatRequest, LlmModel, LlmProgram
from .messages import messages_of, speech_of, system_message
from .personas import Persona
from .prefix import Prefix, apis_for, async_write_prefix, note_of_now
from .recent import Recent
from .speaker import async_area_of_speaker, async_run_of_task
from .spoken import async_question, async_sentence, sentence_of
from .turns import Turn

MOST_REMEMBERED: Final = 64
REPEATED: Final = timedelta(minutes=10)
"""How long a request that comes again is known as such."""
PREPARED: Final = timedelta(seconds=10)
"""How long a model is not asked to read the same beginning again."""


@dataclass(kw_only=True)
class Talk:
    """What an agent knows of a conversation besides its log."""

    turns: int = 0
    start: int = 1
    """Place in the log from which on the model is told of it."""
    fresh: bool = False
    """Whether the next turn is to be the first that the model is told of."""
    notes: dict[int, str] = field(default_factory=dict)
    """What goes in front of what the user said, by the place in the log."""
    held: Held | None = None
    """Calls that wait for a yes."""

    def begin(self, place: int) -> None:
        """Begin a turn, in which the user speaks at a place in the log."""
        self.turns += 1
        if self.fresh:
            self.start, self.fresh = place, False
            self.notes.clear()


type _Request = tuple[str, str, str]
type _Given = tuple[datetime, asyncio.Future[conversation.ConversationResult]]


class AgentEntity(conversation.ConversationEntity):
    """A persona of a language model that can be talked with."""

    coordinator: NodeCoordinator
    _attr_supports_streaming = True

    def __init__(self) -> None:
        self._talks: Recent[str, Talk] = Recent(MOST_REMEMBERED)
        """By conversation."""
        self._prefixes: Recent[tuple[str, ...], Prefix] = Recent(MOST_REMEMBERED)
        """By conversation, persona, device and APIs."""
        self._given: Recent[_Request, _Given] = Recent(MOST_REMEMBERED)
        self._prepared: Recent[str, datetime] = Recent(MOST_REMEMBERED)
        self._preparing: asyncio.Task[None] | None = None
        self._running: set[Turn] = set()

    @property
    def persona(self) -> Persona:
        """Return whom the agent speaks as."""
        raise NotImplementedError

    @property
    def language_program(self) -> LlmProgram | None:
        """Return what answers, None where the node has no language model."""
        raise NotImplementedError

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """Return all: what a model understands is not known."""
        return MATCH_ALL

    @property
    @override
    def supported_features(self) -> conversation.ConversationEntityFeature:
        """Return whether the persona may use tools."""
        able = apis_for(self.persona, self._model)
        return conversation.ConversationEntityFeature(
            conversation.ConversationEntityFeature.CONTROL if able else 0
        )

    @property
    @override
    def entity_picture(self) -> str | None:
        """Return the picture of the persona."""
        return self.persona.picture

    async def async_stop(self) -> None:
        """End the turns that run; what was said stays, and they end as if that were all."""
        for turn in self._running:
            turn.stop()

    async def async_reset(self, conversation_id: str | None = None) -> None:
        """Begin a conversation anew, or all: the model is not told any more what was before."""
        self._begin_anew(conversation_id)

    @callback
    def _begin_anew(self, conversation_id: str | None = None) -> None:
        if conversation_id is not None:
            self._talk(conversation_id)
        for each, talk in self._talks.items():
            if conversation_id in (None, each):
                talk.fresh, talk.held = True, None
        self._prefixes.forget(lambda key: conversation_id in (None, key[0]))

    @override
    async def async_prepare(self, language: str | None = None) -> None:
        """Have the model read what the turn that begins in this task will begin with."""
        run, session = async_run_of_task(self.hass), current_session.get()
        busy = self._preparing is not None and not self._preparing.done()
        if run is None or session is None or busy:
            return
        coming = conversation.ConversationInput(
            text="",
            context=run.context,
            conversation_id=session.conversation_id,
            device_id=run.device_id,
            satellite_id=run.satellite_id,
            language=language or self.hass.config.language,
            agent_id=self.entity_id,
        )
        self._preparing = self.coordinator.config_entry.async_create_background_task(
            self.hass,
            self._async_prepare(coming, session.conversation_id),
            f"{self.entity_id} prepares",
        )

    async def _async_prepare(
        self, coming: conversation.ConversationInput, conversation_id: str
    ) -> None:
        try:
            prefix = await self._async_prefix(coming, conversation_id)
            log = self.hass.data.get(DATA_CHAT_LOGS, {}).get(conversation_id)
            if log is None:
                log = conversation.ChatLog(self.hass, conversation_id)
            talk = self._talk(conversation_id)
            start = len(log.content) if talk.fresh else talk.start
            request = self._request(log, prefix, start)
            digest = _digest(request)
            last, now = self._prepared.get(digest), dt_util.utcnow()
            if last is not None and now - last < PREPARED:
                return
            self._prepared[digest] = now
            request = replace(request, prepare=True, max_tokens=None)
            async for _ in self.coordinator.node.chat(request, self._program_to_ask):
                pass
        except HomeAssistantError as err:
            LOGGER.debug("%s could not prepare: %s", self.entity_id, err)

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        """Answer a sentence; one that comes again is answered as before, and nothing is done again."""
        request = (user_input.context.id, chat_log.conversation_id, user_input.text)
        if (first := await self._async_given(request)) is not None:
            speech = first.response.speech.get("plain", {}).get("speech", "")
            chat_log.async_add_assistant_content_without_tools(
                conversation.AssistantContent(agent_id=self.entity_id, content=speech)
            )
            return first
        given = self.hass.loop.create_future()
        self._given[request] = (dt_util.utcnow(), given)
        turn = Turn(
            hass=self.hass,
            agent_id=self.entity_id,
            chat_log=chat_log,
            node=self.coordinator.node,
            program=self._program_to_ask,
            confirm=self.persona.confirm,
        )
        self._running.add(turn)
        result: conversation.ConversationResult | None = None
        try:
            result = await self._async_take(turn, user_input)
        finally:
            turn.keep_said()
            self._running.discard(turn)
            if turn.acted or (result is not None and result.response.error_code is None):
                given.set_result(result or _silence(turn, user_input))
            else:
                given.cancel()
        return result

    async def _async_given(self, request: _Request) -> conversation.ConversationResult | None:
        """Return the result of a request that was made before."""
        if request not in self._given:
            return None
        since, given = self._given[request]
        if dt_util.utcnow() - since > REPEATED:
            return None
        await asyncio.wait([given])
        return None if given.cancelled() else given.result()

    async def _async_take(
        self, turn: Turn, user_input: conversation.ConversationInput
    ) -> conversation.ConversationResult:
        """Take a turn; whatever goes wrong, it ends with one sentence that says so."""
        began = self.hass.loop.time()
        talk = self._talk(turn.chat_log.conversation_id)
        talk.begin(len(turn.chat_log.content) - 1)
        held, talk.held = talk.held, None
        try:
            if (reply := self._async_take_over(user_input)) is not None:
                await turn.async_say(reply)
                self._begin_anew(turn.chat_log.conversation_id)
                return _result(turn, user_input, listen=True)
            prefix = await self._async_prefix(user_input, turn.chat_log.conversation_id)
            await self._async_provide(user_input, turn.chat_log, prefix)
            agreed = consent(user_input.text) if held is not None and held.waits else None
            if held is not None and agreed is not None:
                return await self._async_settle(turn, user_input, held, agreed)
            await self._async_converse(turn, user_input, talk, prefix)
        except HomeAssistantError as err:
            key = sentence_of(err)
            LOGGER.warning("%s could not answer (%s)", self.entity_id, key)
            return await self._async_fail(turn, user_input, key)
        finally:
            self._measured(turn, (self.hass.loop.time() - began) * 1000)
        return _result(turn, user_input, listen=talk.held is not None)

    async def _async_converse(
        self,
        turn: Turn,
        user_input: conversation.ConversationInput,
        talk: Talk,
        prefix: Prefix,
    ) -> None:
        """Let the model answer, and call tools, until it has nothing more to call."""
        if prefix.needs_time:
            area = async_area_of_speaker(self.hass, user_input.device_id, user_input.satellite_id)
            place = len(turn.chat_log.content) - 1
            talk.notes[place] = note_of_now(area.name if area else None)
        start = talk.start  # a reset in the middle of a turn is for the next one
        for number in range(MOST_ROUNDS):
            request = self._request(turn.chat_log, prefix, start)
            key = f"{request.session}:{talk.turns}:{number}"[-160:]
            await turn.async_ask(replace(request, idempotency_key=f"{key}:{_digest(request)[:16]}"))
            if turn.held is not None:
                talk.held = turn.held
                await turn.async_say(
                    await async_question(self.hass, user_input.language, turn.held.targets)
                )
                return
            if turn.stopped or not turn.chat_log.unresponded_tool_results:
                return
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="chat_too_many_steps")

    async def _async_settle(
        self,
        turn: Turn,
        user_input: conversation.ConversationInput,
        held: Held,
        agreed: bool,
    ) -> conversation.ConversationResult:
        """Run calls that waited for a yes, or leave them."""
        if not agreed:
            await self._async_say(turn, user_input, "chat_left")
            return _result(turn, user_input)
        results = await turn.async_run(held.calls)
        if any(each.error for each in results):
            return await self._async_fail(turn, user_input, "intent_failed_to_handle")
        if said := " ".join(filter(None, map(speech_of, results))):
            await turn.async_say(said)
        else:
            await self._async_say(turn, user_input, "chat_done")
        return _result(turn, user_input)

    async def _async_say(
        self, turn: Turn, user_input: conversation.ConversationInput, key: str
    ) -> None:
        await turn.async_say(await async_sentence(self.hass, user_input.language, key))

    async def _async_fail(
        self, turn: Turn, user_input: conversation.ConversationInput, key: str
    ) -> conversation.ConversationResult:
        """End a turn with a sentence that tells what went wrong."""
        sentence = await async_sentence(self.hass, user_input.language, key)
        await turn.async_say(sentence, aside=True)
        result = _silence(turn, user_input)
        result.response.async_set_error(intent.IntentResponseErrorCode.FAILED_TO_HANDLE, sentence)
        return result

    @callback
    def _async_take_over(self, user_input: conversation.ConversationInput) -> str | None:
        """Return what to reply without asking the model; the conversation begins anew then."""
        return None

    def _talk(self, conversation_id: str) -> Talk:
        if conversation_id not in self._talks:
            self._talks[conversation_id] = Talk()
        return self._talks[conversation_id]

    async def _async_prefix(
        self, user_input: conversation.ConversationInput, conversation_id: str
    ) -> Prefix:
        """Return what the conversation begins with, as it was when it was needed first."""
        if self.language_program is None:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="chat_model_away")
        apis = apis_for(self.persona, self._model)
        key = (conversation_id, self.persona.id, user_input.device_id or "", *apis)
        if key not in self._prefixes:
            context = user_input.as_llm_context(DOMAIN)
            prefix = await async_write_prefix(self.hass, self.persona, apis, context)
            if key not in self._prefixes:  # else it was written meanwhile
                self._prefixes[key] = prefix
        return self._prefixes[key]

    async def _async_provide(
        self,
        user_input: conversation.ConversationInput,
        chat_log: conversation.ChatLog,
        prefix: Prefix,
    ) -> None:
        """Let the log have the tools of this turn, and what the model is told first."""
        if prefix.apis:
            await chat_log.async_provide_llm_data(
                user_input.as_llm_context(DOMAIN),
                [*prefix.apis],
                self.persona.prompt,
                user_input.extra_system_prompt,
            )
        else:
            chat_log.llm_api = None
            chat_log.llm_input_provided_index = len(chat_log.content)
            if user_input.extra_system_prompt:
                chat_log.extra_system_prompt = user_input.extra_system_prompt
        chat_log.content[0] = conversation.SystemContent(content=_begin(chat_log, prefix))

    def _request(self, chat_log: conversation.ChatLog, prefix: Prefix, start: int) -> ChatRequest:
        """Return what to ask the model about a log, from `start` on."""
        persona, talk = self.persona, self._talk(chat_log.conversation_id)
        past = messages_of(chat_log.content, start, talk.notes)
        return ChatRequest(
            messages=[system_message(_begin(chat_log, prefix)), *past],
            tools=prefix.tools,
            model=self._model_to_ask,
            temperature=persona.temperature,
            max_tokens=persona.max_tokens,
            history=persona.history,
            session=chat_log.conversation_id,
        )

    @property
    def _model_to_ask(self) -> str | None:
        """Return the name of the persona's model, None where another program has it."""
        own, name = self.language_program, self.persona.model
        elsewhere = {
            model.name
            for program in self.coordinator.data.llm
            if own is not None and program.name != own.name
            for model in program.models
        }
        here = {model.name for model in own.models} if own is not None else {}
        return None if name in elsewhere and name not in here else name

    @property
    def _model(self) -> LlmModel | None:
        """Return the model that answers, None where that is not known."""
        program, name = self.language_program, self._model_to_ask
        models = self.coordinator.data.language_models(program.name) if program else []
        return next((model for model in models if name in (None, model.name)), None)

    @property
    def _program_to_ask(self) -> str | None:
        """Return the program, None where there is no choice."""
        several = len(self.coordinator.data.programs("llm")) > 1
        return self.language_program.name if several and self.language_program else None

    @callback
    def _measured(self, turn: Turn, milliseconds: float) -> None:
        """Keep how long a turn took, and its first answer."""
        if not turn.ends or self.language_program is None:
            return
        timing = turn.ends[0].context.get("timing")
        told = {"turn": milliseconds, "tools": turn.tools_ms}
        rate = turn.ends[-1].context.get("rate")
        self.coordinator.async_answered(
            "llm",
            self.language_program.name,
            {"timing": {**(timing if isinstance(timing, dict) else {}), **told}, "rate": rate},
        )


def _begin(chat_log: conversation.ChatLog, prefix: Prefix) -> str:
    """Return what the model is told first; what an automation added comes last."""
    return "\n".join(filter(None, (prefix.text, chat_log.extra_system_prompt)))


def _digest(request: ChatRequest) -> str:
    asked = json_dumps([request.messages, request.tools, request.model])
    return hashlib.sha256(asked.encode()).hexdigest()


def _silence(
    turn: Turn, user_input: conversation.ConversationInput
) -> conversation.ConversationResult:
    return conversation.ConversationResult(
        response=intent.IntentResponse(language=user_input.language),
        conversation_id=turn.chat_log.conversation_id,
    )


def _result(
    turn: Turn, user_input: conversation.ConversationInput, *, listen: bool = False
) -> conversation.ConversationResult:
    """Return the end of a turn; `listen` has the user asked in any case."""
    if not isinstance(turn.chat_log.content[-1], conversation.AssistantContent):
        turn.chat_log.async_add_assistant_content_without_tools(
            conversation.AssistantContent(agent_id=turn.agent_id, content="")
        )
    result = conversation.async_get_result_from_chat_log(user_input, turn.chat_log)
    result.continue_conversation |= listen
    return result
