"""Finds entities by what they are, whatever they are called; and lets time pass."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.coordinator import UPDATE_INTERVAL

from .scripted_node import NODE_ID

UNITS = {
    "intent": ("conversation", "mind"),
    "llm": ("conversation", "brain"),
    "stt": ("stt", "ears"),
    "tts": ("tts", "mouth"),
    "wake": ("wake_word", "sentinel"),
}
"""The platform and the program of each unit of a scripted node, which has no `llm` of itself."""


def entity_of(hass: HomeAssistant, unit: str, node: str = NODE_ID, program: str = "") -> str:
    """Return the entity id of a program of a unit, of the scripted node's only one by default."""
    platform, usual = UNITS[unit]
    unique_id = f"{node}_{unit}_{program or usual}"
    entity_id = er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique_id)
    assert entity_id is not None, unique_id
    return entity_id


def device_of(hass: HomeAssistant, unit: str) -> str:
    """Return the device id of the scripted node's only program of a unit."""
    entity = er.async_get(hass).async_get(entity_of(hass, unit))
    assert entity is not None
    assert entity.device_id is not None
    return entity.device_id


def entities_of(hass: HomeAssistant, node: str = NODE_ID) -> set[str]:
    """Return the entity ids of the units of a scripted node."""
    return {entity_of(hass, unit, node) for unit in UNITS.keys() - {"llm"}}


async def next_poll(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, interval: timedelta = UPDATE_INTERVAL
) -> None:
    """Let the time pass until the node is asked again; Home Assistant may take a second longer."""
    freezer.tick(interval + timedelta(seconds=1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
