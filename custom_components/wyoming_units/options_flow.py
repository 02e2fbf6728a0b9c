"""Asks, unit by unit, what the user wants of a node: models, voices, wake words, the end of a turn."""

from collections.abc import Iterator, Mapping
from typing import Any

import probatio
from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
from wyoming.audio import AudioStart, AudioStop
from wyoming.wake import Detect, NotDetected

from .choices import Choice, choice_of, chosen, options_with, titles_of
from .client import NodeError, Program
from .const import (
    AUTOMATIC,
    CONF_END_OF_TURN,
    CONF_MODEL,
    CONF_SILENCE,
    CONF_SPEED,
    CONF_TURN,
    CONF_UNIT,
    CONF_VOICE,
    CONF_WORDS,
    END_OF_TURN_HOME_ASSISTANT,
    END_OF_TURN_UNIT,
    SAMPLE_CHANNELS,
    SAMPLE_RATE,
    SAMPLE_WIDTH,
    SILENCE_AGGRESSIVE,
    SILENCE_DEFAULT,
    SILENCE_RELAXED,
    SPEEDS,
    TURN_RULES,
)
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .devices import async_program_titles, program_id

_SECONDS = NumberSelector(
    NumberSelectorConfig(
        min=0.1, max=60, step=0.05, unit_of_measurement="s", mode=NumberSelectorMode.BOX
    )
)
_SPEED = NumberSelector(
    NumberSelectorConfig(min=SPEEDS[0], max=SPEEDS[1], step=0.05, mode=NumberSelectorMode.SLIDER)
)


def _choice(key: str, *options: str, titles: Mapping[str, str] | None = None) -> SelectSelector:
    """Return a choice of `options`, translated under `key`, and of what has a title of the node."""
    named = {option: option for option in options} | {**(titles or {})}
    return SelectSelector(
        SelectSelectorConfig(
            options=[SelectOptionDict(value=value, label=title) for value, title in named.items()],
            translation_key=key,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


def _stt_schema(program: Program) -> probatio.Schema:
    rules = probatio.Schema({probatio.Optional(rule): _SECONDS for rule in TURN_RULES})
    return probatio.Schema(
        {
            probatio.Required(CONF_MODEL, default=AUTOMATIC): _choice(
                CONF_MODEL, AUTOMATIC, titles=titles_of(program)
            ),
            probatio.Required(CONF_END_OF_TURN, default=END_OF_TURN_UNIT): _choice(
                CONF_END_OF_TURN, END_OF_TURN_UNIT, END_OF_TURN_HOME_ASSISTANT
            ),
            probatio.Required(CONF_SILENCE, default=SILENCE_DEFAULT): _choice(
                CONF_SILENCE, SILENCE_DEFAULT, SILENCE_RELAXED, SILENCE_AGGRESSIVE
            ),
            probatio.Required(CONF_TURN, default=dict): section(rules, {"collapsed": True}),
        }
    )


def _tts_schema(program: Program) -> probatio.Schema:
    return probatio.Schema(
        {
            probatio.Required(CONF_VOICE, default=AUTOMATIC): _choice(
                CONF_VOICE, AUTOMATIC, titles=titles_of(program)
            ),
            probatio.Required(CONF_SPEED, default=1.0): _SPEED,
        }
    )


WAKE_SCHEMA = probatio.Schema(
    {probatio.Optional(CONF_WORDS): TextSelector(TextSelectorConfig(multiple=True))}
)


class WyomingUnitsOptionsFlow(OptionsFlowWithReload):
    """Changes the options of one program of a node, which is set up again when they differ."""

    config_entry: WyomingUnitsConfigEntry
    _unit: str
    _program: Program
    """The one that is asked about, as it was offered when the flow came to it."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the unit, where there are several with options."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        node = self._coordinator.data
        programs = {
            program_id(node.id, unit, program.name): (unit, program)
            for unit, program in self._with_options()
        }
        if not programs:
            return self.async_abort(reason="no_options")
        steps = {
            "stt": self.async_step_stt,
            "tts": self.async_step_tts,
            "wake": self.async_step_wake,
        }
        wanted = user_input[CONF_UNIT] if user_input else next(iter(programs))
        if wanted in programs and (user_input or len(programs) == 1):
            self._unit, self._program = programs[wanted]
            return await steps[self._unit]()
        titles = async_program_titles(self.hass, self.config_entry)
        options = [SelectOptionDict(value=each, label=titles[each]) for each in programs]
        selector = SelectSelector(
            SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
        )
        return self.async_show_form(
            step_id="init",
            data_schema=probatio.Schema({probatio.Required(CONF_UNIT): selector}),
            last_step=False,
        )

    async def async_step_stt(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a model and how it finds the end of a turn."""
        if user_input is not None:
            return self._store(user_input)
        return self._show_choices("stt", _stt_schema(self._program))

    async def async_step_tts(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a voice and its speed."""
        if user_input is not None:
            return self._store(user_input)
        return self._show_choices("tts", _tts_schema(self._program))

    async def async_step_wake(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for wake words, and the node whether it can hear them."""
        if user_input is None:
            return self._show_choices("wake", WAKE_SCHEMA)
        spelled = (" ".join(word.split()) for word in user_input.get(CONF_WORDS, ()))
        words = [*{word.casefold(): word for word in spelled if word}.values()]
        for word in words:
            if word not in self._choice.get(CONF_WORDS, ()):
                if error := await self._async_check(word):
                    return self._show_choices(
                        "wake", WAKE_SCHEMA, {CONF_WORDS: words}, {CONF_WORDS: error}, word
                    )
        return self._store({CONF_WORDS: words})

    @property
    def _coordinator(self) -> NodeCoordinator:
        return self.config_entry.runtime_data

    @property
    def _choice(self) -> Choice:
        return choice_of(self.config_entry, self._unit, self._program.name)

    @callback
    def _with_options(self) -> Iterator[tuple[str, Program]]:
        node = self._coordinator.data
        for unit in ("stt", "tts", "wake"):
            for program in node.programs(unit):
                if unit != "wake" or node.hears_any_phrase(program.name):
                    yield unit, program

    async def _async_check(self, word: str) -> str | None:
        """Return what is wrong with a wake word, None for one that the node can listen for."""
        sound = {"rate": SAMPLE_RATE, "width": SAMPLE_WIDTH, "channels": SAMPLE_CHANNELS}
        try:
            async with self._coordinator.node.connect(self._program.name) as connection:
                for message in (Detect(names=[word]), AudioStart(**sound), AudioStop()):
                    await connection.send(message)
                while not NotDetected.is_type((await connection.receive()).type):
                    pass
        except NodeError as err:
            unknown = err.placeholders.get("code") == "unknown-wake-word"
            return "unknown_wake_word" if unknown else "not_checked"
        return None

    def _show_choices(
        self,
        step_id: str,
        schema: probatio.Schema,
        choice: Choice | None = None,
        errors: dict[str, str] | None = None,
        word: str = "",
    ) -> ConfigFlowResult:
        """Show a form with what was chosen before, or is to be corrected."""
        titles = async_program_titles(self.hass, self.config_entry)
        unit = titles[program_id(self._coordinator.data.id, self._unit, self._program.name)]
        shown = {**(choice or self._choice)}
        for key in {CONF_MODEL, CONF_VOICE} & shown.keys():
            shown[key] = chosen(shown, self._unit, self._program) or AUTOMATIC
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders={"unit": unit, "word": word},
        )

    def _store(self, user_input: Choice) -> ConfigFlowResult:
        choice = {key: value for key, value in user_input.items() if value != AUTOMATIC}
        return self.async_create_entry(
            data=options_with(self.config_entry, self._unit, self._program.name, choice)
        )
