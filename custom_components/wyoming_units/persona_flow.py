"""Adds a persona to a node, or changes it: who a language model speaks as."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import probatio
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.data_entry_flow import section
from homeassistant.helpers import llm
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TemplateSelector,
    TextSelector,
)

from .characters import character_data
from .choices import titles_of
from .client import NodeInfo
from .const import (
    AUTOMATIC,
    CONF_CONFIRM,
    CONF_GREETING,
    CONF_HISTORY,
    CONF_MAX_TOKENS,
    CONF_MODEL,
    CONF_NAME,
    CONF_PICTURE,
    CONF_PROMPT,
    CONF_TEMPERATURE,
    CONF_TOOLS,
    CONF_TURNS,
    CONF_VOICE,
    DEFAULT_HISTORY,
    DEFAULT_MAX_TOKENS,
    DEFAULT_TURNS,
    HISTORIES,
)
from .coordinator import NodeCoordinator
from .select import STANDARD_OPTION

ADVANCED: Final = "advanced"
"""The section of the form with what few people change."""


def _choice(key: str, titles: Mapping[str, str]) -> SelectSelector:
    """Return a choice by titles; values that have a text under `key` are translated."""
    return SelectSelector(
        SelectSelectorConfig(
            options=_options(titles), translation_key=key, mode=SelectSelectorMode.DROPDOWN
        )
    )


def _options(titles: Mapping[str, str]) -> list[SelectOptionDict]:
    return [SelectOptionDict(value=value, label=title) for value, title in titles.items()]


def _number(least: float, most: float, step: float) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(min=least, max=most, step=step, mode=NumberSelectorMode.BOX)
    )


TEMPERATURE: Final = _number(0, 2, 0.05)
MAX_TOKENS: Final = _number(16, 32_768, 1)

ADVANCED_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(CONF_TEMPERATURE): TEMPERATURE,
        probatio.Required(CONF_MAX_TOKENS, default=DEFAULT_MAX_TOKENS): MAX_TOKENS,
        probatio.Required(CONF_HISTORY, default=DEFAULT_HISTORY): _choice(
            CONF_HISTORY, dict(zip(HISTORIES, HISTORIES, strict=True))
        ),
        probatio.Required(CONF_TURNS, default=DEFAULT_TURNS): _number(2, 200, 1),
        probatio.Required(CONF_CONFIRM, default=True): BooleanSelector(),
    }
)


def model_choice(node: NodeInfo, chosen: str | None) -> SelectSelector:
    """Return the choice of a language model; one that was chosen stays, also while it is away."""
    return _choice(CONF_MODEL, _offered(node, "llm", chosen))


def _offered(node: NodeInfo, unit: str, chosen: str | None) -> dict[str, str]:
    """Return the models or voices that there are, that the node may choose, and what was chosen."""
    titles = {name: name for name in (AUTOMATIC, chosen) if name}
    for program in node.programs(unit):
        titles |= titles_of(program)
    return titles


class LanguageModelSubentryFlow(ConfigSubentryFlow):
    """What the flows share that have a node's language models do something."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add one."""
        return self._obstacle() or await self.async_step_start()

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change one."""
        return self._obstacle() or await self.async_step_form()

    async def async_step_start(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Begin with a new one."""
        return await self.async_step_form()

    async def async_step_form(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for all of it."""
        raise NotImplementedError

    @property
    def _node(self) -> NodeInfo:
        coordinator: NodeCoordinator = self._get_entry().runtime_data
        return coordinator.data

    @property
    def _changed(self) -> ConfigSubentry | None:
        """Return what is being changed, None for what is new."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    @property
    def _before(self) -> dict[str, Any]:
        """Return what was set before."""
        changed = self._changed
        return {} if changed is None else {**changed.data, CONF_NAME: changed.title}

    def _obstacle(self) -> SubentryFlowResult | None:
        """Return the end of a flow that makes no sense now."""
        if self._get_entry().state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        if not self._node.language_models():
            return self.async_abort(reason="no_llm")
        return None

    def _name_error(self, name: str, reserved: Iterable[str] = ()) -> str | None:
        """Return what is wrong with a name, which tells it apart from others of its kind."""
        others = self._get_entry().get_subentries_of_type(self._subentry_type)
        taken = {each.title.casefold() for each in others if each is not self._changed}
        if not name:
            return "no_name"
        return "name_taken" if name.casefold() in {*taken, *reserved} else None

    def _store(self, title: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        """Make or change the subentry; what was left to the node is left out."""
        kept = {key: value for key, value in data.items() if value not in (AUTOMATIC, None, "")}
        if (changed := self._changed) is not None:
            return self.async_update_and_abort(self._get_entry(), changed, title=title, data=kept)
        return self.async_create_entry(title=title, data=kept)


class PersonaSubentryFlow(LanguageModelSubentryFlow):
    """Makes or changes the subentry of a persona."""

    _start: Mapping[str, Any] = {}
    """What the form of a new one holds."""

    async def async_step_start(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask whom to start from."""
        return self.async_show_menu(
            step_id="start", menu_options=["blank", "hedda", "tiko", "orsola"]
        )

    async def async_step_blank(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Start from nobody."""
        self._start = {CONF_PROMPT: llm.DEFAULT_INSTRUCTIONS_PROMPT}
        return await self.async_step_form()

    async def async_step_hedda(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Start from an example."""
        return await self._async_start_from("hedda")

    async def async_step_tiko(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Start from an example."""
        return await self._async_start_from("tiko")

    async def async_step_orsola(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Start from an example."""
        return await self._async_start_from("orsola")

    async def async_step_form(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask who it is."""
        errors: dict[str, str] = {}
        if user_input is not None:
            name = user_input[CONF_NAME].strip()
            data = _flat(user_input)
            if error := self._name_error(name, [STANDARD_OPTION]):
                errors[CONF_NAME] = error
            if not _may_be_picture(data.get(CONF_PICTURE, "")):
                errors[CONF_PICTURE] = "bad_picture"
            if not errors:
                return self._store(name, data)
        return self.async_show_form(
            step_id="form",
            data_schema=self.add_suggested_values_to_schema(
                self._schema(), user_input or self._shown()
            ),
            errors=errors,
        )

    async def _async_start_from(self, key: str) -> SubentryFlowResult:
        self._start = character_data(key, self.hass.config.language)
        return await self.async_step_form()

    def _schema(self) -> probatio.Schema:
        """Return the form; what there is to choose depends on the node."""
        before, node = self._before, self._node
        apis = {api.id: api.name for api in llm.async_get_apis(self.hass)}
        tools = [llm.LLM_API_ASSIST] if node.language_models()[0].fits_tools else []
        return probatio.Schema(
            {
                probatio.Required(CONF_NAME): TextSelector(),
                probatio.Required(CONF_PROMPT): TemplateSelector(),
                probatio.Optional(CONF_GREETING): TextSelector(),
                probatio.Optional(CONF_PICTURE): TextSelector(),
                probatio.Required(CONF_MODEL, default=AUTOMATIC): model_choice(
                    node, before.get(CONF_MODEL)
                ),
                probatio.Required(CONF_TOOLS, default=tools): SelectSelector(
                    SelectSelectorConfig(options=_options(apis), multiple=True)
                ),
                probatio.Required(CONF_VOICE, default=AUTOMATIC): _choice(
                    CONF_VOICE, _offered(node, "tts", before.get(CONF_VOICE))
                ),
                # Without a default, which the frontend would take instead of those within.
                probatio.Required(ADVANCED): section(ADVANCED_SCHEMA, {"collapsed": True}),
            }
        )

    def _shown(self) -> dict[str, Any]:
        """Return what the form holds when it is opened."""
        shown = self._before or {**self._start}
        if CONF_TOOLS in shown:
            known = {api.id for api in llm.async_get_apis(self.hass)}
            shown[CONF_TOOLS] = [api for api in shown[CONF_TOOLS] if api in known]
        advanced = {str(key) for key in ADVANCED_SCHEMA.schema}
        inner = {key: shown.pop(key) for key in advanced & shown.keys()}
        return {**shown, ADVANCED: inner}


def _flat(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a form without sections, with whole numbers."""
    data = {**user_input, **user_input[ADVANCED]}
    del data[ADVANCED], data[CONF_NAME]
    whole = {key: int(data[key]) for key in (CONF_MAX_TOKENS, CONF_TURNS)}
    texts = {key: data.get(key, "").strip() for key in (CONF_GREETING, CONF_PICTURE)}
    return {**data, **whole, **texts}


def _may_be_picture(address: str) -> bool:
    """Return whether a frontend can show what is there: a path of Home Assistant, or a web address."""
    return not address or address.startswith(("/", "http://", "https://"))
