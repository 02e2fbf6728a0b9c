"""Tools with which any agent of Assist answers what cameras see."""

from homeassistant.components.llm import LLMTools
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.llm import LLM_API_ASSIST, LLMContext, Tool

from .ask_camera import AskCamera
from .camera_tools import Look, MeasureDistance, async_watched_cameras


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """Return the tools, None where the assistant may see no camera."""
    if api_id != LLM_API_ASSIST:
        return None
    watched = async_watched_cameras(hass, llm_context)
    offered = (
        Look.about(hass, watched),
        MeasureDistance.about(hass, watched),
        AskCamera.about(hass, llm_context),
    )
    tools: list[Tool] = [tool for tool in offered if tool is not None]
    return LLMTools(tools=tools) if tools else None
