"""The tool with which agents ask a language model that sees what a camera shows."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Final, override

import probatio
from homeassistant.components.camera import DOMAIN as CAMERA
from homeassistant.components.homeassistant import async_should_expose
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.llm import LLMContext, Tool, ToolAnnotations, ToolInput, ToolResult
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import JsonObjectType

from .camera_tools import RESTING, UNKNOWN, WHICH, arguments, async_find, failed
from .const import DOMAIN
from .coordinator import NodeCoordinator
from .language_model import ChatRequest, LlmModel, Said
from .looking import async_loaded_nodes, async_take_picture, async_watch_of
from .model_pictures import small

QUESTION: Final = "question"
PROMPT: Final = (
    "You look at a picture of a camera and answer a question about it in one short sentence."
    " Say so when the picture does not show it. Answer in the language of the question."
)
PICTURE: Final = "camera"
MOST: Final = 4
"""Cameras that one question may be about."""
LONGEST: Final = 80
"""Tokens of an answer."""
PATIENCE: Final = 30.0
"""Seconds for an answer, without the time that other questions take; somebody waits for it."""

_LOCKS: Final[HassKey[dict[str, asyncio.Lock]]] = HassKey(f"{DOMAIN}_questions")
"""By entry: a node is asked one question at a time."""


class AskCamera(Tool):
    """Asks what a camera shows now, whether or not it is watched."""

    name = f"{DOMAIN}__ask_camera"
    title = "Ask about a camera"
    integration = DOMAIN
    annotations = ToolAnnotations(read_only=True, open_world=False)
    parameters = probatio.Schema({**WHICH, probatio.Required(QUESTION): cv.string})

    def __init__(self, cameras: Sequence[State]) -> None:
        names = ", ".join(sorted(camera.name for camera in cameras))
        self.description = f"Answers a question about what a camera shows now. Cameras: {names}"

    @classmethod
    def about(cls, hass: HomeAssistant, llm_context: LLMContext) -> AskCamera | None:
        """Return the tool, None where no model sees or the assistant may see no camera."""
        cameras = _async_exposed(hass, llm_context)
        return cls(cameras) if cameras and _async_seeing(hass) else None

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        """Tell the answers of the cameras that are asked about."""
        args = arguments(self, tool_input)
        exposed = [camera.entity_id for camera in _async_exposed(hass, llm_context)]
        if not (cameras := async_find(hass, exposed, args)):
            return failed(UNKNOWN)
        if len(cameras) > MOST:
            return failed(f"Ask about one camera: {', '.join(sorted(it.name for it in cameras))}")
        if (seeing := _async_seeing(hass)) is None:
            return failed("No language model that sees can be reached")
        told = [await _ask(hass, *seeing, camera, args[QUESTION]) for camera in cameras]
        return ToolResult(data={"cameras": [*told]}, error=all("error" in each for each in told))


@callback
def _async_exposed(hass: HomeAssistant, llm_context: LLMContext) -> list[State]:
    return [
        camera
        for camera in hass.states.async_all(CAMERA)
        if async_should_expose(hass, llm_context.assistant, camera.entity_id)
    ]


@callback
def _async_seeing(hass: HomeAssistant) -> tuple[NodeCoordinator, str, LlmModel] | None:
    """Return the first node, program and model that takes pictures, rather one that answers now."""
    seeing = [
        (node, program.name, model)
        for node in async_loaded_nodes(hass)
        for program in node.data.llm
        for model in node.data.language_models(program.name)
        if model.supports_images
    ]
    return next((each for each in seeing if each[0].last_update_success), next(iter(seeing), None))


async def _ask(
    hass: HomeAssistant,
    node: NodeCoordinator,
    program: str,
    model: LlmModel,
    camera: State,
    question: str,
) -> JsonObjectType:
    """Return what the model says of a camera, or why it says nothing."""
    watch = async_watch_of(hass, camera.entity_id)
    if watch is not None and watch.resting:
        return {"camera": camera.name, "error": RESTING}
    lock = hass.data.setdefault(_LOCKS, {}).setdefault(node.config_entry.entry_id, asyncio.Lock())
    try:
        async with lock, asyncio.timeout(PATIENCE):
            taken = await async_take_picture(hass, camera.entity_id)
            picture = await hass.async_add_executor_job(small, camera.entity_id, taken)
            request = ChatRequest(
                messages=_messages(question),
                pictures={PICTURE: picture},
                model=model.name,
                max_tokens=LONGEST,
            )
            async with aclosing(node.node.chat(request, program)) as pieces:
                said = "".join([it.text async for it in pieces if isinstance(it, Said)])
    except HomeAssistantError as err:
        return {"camera": camera.name, "error": str(err)}
    except TimeoutError:
        return {"camera": camera.name, "error": "The model takes too long"}
    if not (answer := said.strip()):
        return {"camera": camera.name, "error": "The model gave no answer"}
    return {"camera": camera.name, "answer": answer}


def _messages(question: str) -> list[Mapping[str, object]]:
    return [
        {"role": "system", "content": PROMPT},
        {
            "role": "user",
            "content": [{"type": "image", "name": PICTURE}, {"type": "text", "text": question}],
        },
    ]
