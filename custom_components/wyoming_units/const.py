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

# In the data of a subentry `camera`.
SUBENTRY_CAMERA: Final = "camera"
CONF_CAMERA: Final = "camera"
"""The camera's id in the entity registry, which outlives its name; its entity id where it has none."""
CONF_SOURCE: Final = "source"
SOURCE_STREAM: Final = "stream"
"""The node opens the camera's stream itself."""
SOURCE_SNAPSHOTS: Final = "snapshots"
"""Home Assistant sends pictures."""
CONF_TASKS: Final = "tasks"
CONF_LABELS: Final = "labels"
CONF_FPS: Final = "fps"
CONF_QUIET: Final = "quiet_hours"
CONF_START: Final = "start"
CONF_END: Final = "end"
CONF_ZONES: Final = "zones"
"""In the words of the protocol: `[{name, polygon, labels?}]`, in 0-1."""
CONF_CALIBRATION: Final = "calibration"
"""In the words of the protocol: `[{point, distance}]`."""
CONF_RULES: Final = "rules"
"""In the words of the protocol, without the confidence."""
CONF_CONFIDENCE: Final = "confidence"
CONF_DETECTION: Final = "detection"
"""Whether the camera is watched at all."""
TUNED: Final = (CONF_CONFIDENCE, CONF_DETECTION, CONF_MODEL)
"""What entities change while the watch runs."""

TASK_POSE: Final = "pose"
TASK_HAND: Final = "hand"
TASK_DEPTH: Final = "depth"
TASKS: Final = ("detect", "segment", TASK_POSE, TASK_HAND, "oriented", TASK_DEPTH)
DEFAULT_TASKS: Final = ("detect",)
DEFAULT_LABELS: Final = ("person", "car", "dog", "cat")
DEFAULT_FPS: Final = 2.0
DEFAULT_CONFIDENCE: Final = 0.5
RULES: Final = {"inertia": 3, "linger": 10, "patience": 3, "stationary": 10}
"""The rules that a user may set, with the node's defaults."""

# In the flow of a camera.
CONF_NAME: Final = "name"
CONF_POLYGON: Final = "polygon"
"""Corners of a zone in per cent, as text."""
CONF_PLACES: Final = "places"
"""Places and their distances, as text."""

# In the data of a subentry `conversation`, a persona; some also of `ai_task_data`.
SUBENTRY_CONVERSATION: Final = "conversation"
SUBENTRY_AI_TASK: Final = "ai_task_data"
CONF_PROMPT: Final = "prompt"
"""Template; rendered once for each conversation."""
CONF_TEMPERATURE: Final = "temperature"
CONF_MAX_TOKENS: Final = "max_tokens"
CONF_TOOLS: Final = "llm_hass_api"
"""Ids of the LLM APIs whose tools it may use."""
CONF_HISTORY: Final = "history"
CONF_TURNS: Final = "turns"
HISTORIES: Final = ("all", "window", "summary")
CONF_GREETING: Final = "greeting"
CONF_PICTURE: Final = "picture"
CONF_CONFIRM: Final = "confirm"
"""Whether a tool that unlocks, opens or disarms waits for a spoken yes."""
DEFAULT_MAX_TOKENS: Final = 500
DEFAULT_TURNS: Final = 40
DEFAULT_HISTORY: Final = "window"
MOST_ROUNDS: Final = 10
"""How often a model may call tools before it answers."""
