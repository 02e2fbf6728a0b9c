"""Names that more than one module of the integration uses."""

import logging
from typing import Final

DOMAIN: Final = "wyoming_units"
LOGGER: Final = logging.getLogger(__package__)

DEFAULT_PORT: Final = 10600
PROTOCOL: Final = 1
"""The newest version of the node contract that this integration speaks."""

SAMPLE_RATE: Final = 16_000
SAMPLE_WIDTH: Final = 2
SAMPLE_CHANNELS: Final = 1

CONF_PIPELINE_CONSENT: Final = "pipeline_consent"
"""In entry data: the user's one-shot yes to a pipeline, `{preferred: bool}`, until it is made."""
CONF_PIPELINE_ID: Final = "pipeline_id"
"""In entry data: the pipeline that was made; it stays when the user deletes the pipeline."""
CONF_MOVE_FROM: Final = "move_from"
"""In entry data: the core `wyoming` entry that the user wants to move over from, until it is done."""
CONF_CREATE_PIPELINE: Final = "create_pipeline"
CONF_PREFERRED: Final = "preferred"
CONF_MOVE_OVER: Final = "move_over"

CONF_UNIT: Final = "unit"
"""In the options flow: the program that the next form is for."""

# In entry options, `{unit: {program: …}}`.
AUTOMATIC: Final = "automatic"
"""In forms: leave it to the node."""
CONF_MODEL: Final = "model"
CONF_VOICE: Final = "voice"
CONF_SPEED: Final = "speed"
SPEEDS: Final = (0.5, 2.0)
"""The slowest and the fastest, as multiples of the usual one."""
CONF_WORDS: Final = "wake_words"
"""Phrases for a program that hears any."""
CONF_TURN: Final = "turn"
"""Seconds of single rules for the end of a turn, where the unit decides."""
TURN_RULES: Final = (
    "silence",
    "punctuation",
    "complete",
    "whole",
    "stable",
    "long_silence",
    "maximum",
)
CONF_END_OF_TURN: Final = "end_of_turn"
"""Who decides that a speaker has finished."""
END_OF_TURN_UNIT: Final = "unit"
END_OF_TURN_HOME_ASSISTANT: Final = "home_assistant"
CONF_SILENCE: Final = "silence_sensitivity"
"""How long a silence ends a turn, where the unit decides."""
SILENCE_DEFAULT: Final = "default"
SILENCE_RELAXED: Final = "relaxed"
SILENCE_AGGRESSIVE: Final = "aggressive"
