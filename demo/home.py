"""The demo home: floors, areas, what is in them, and the tablet that listens."""

from __future__ import annotations

from typing import Any

from demo.api import Api

_FLOORS = {
    "Ground Floor": (0, ("Living Room", "Kitchen", "Hallway", "Porch")),
    "Upper Floor": (1, ("Bedroom",)),
}
_PLACES = {
    "light.kitchen_light": "Kitchen",
    "light.living_room_lamp": "Living Room",
    "light.bedroom_light": "Bedroom",
    "light.hallway_light": "Hallway",
    "light.porch_light": "Porch",
    "cover.living_room_blind": "Living Room",
    "lock.front_door": "Hallway",
    "climate.living_room_thermostat": "Living Room",
}
# Some things on and some off, so that sentences for both ways change something.
_STATES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("light.turn_off", "light.kitchen_light", {}),
    ("light.turn_on", "light.living_room_lamp", {"brightness_pct": 60}),
    ("light.turn_off", "light.bedroom_light", {}),
    ("light.turn_on", "light.hallway_light", {}),
    ("light.turn_off", "light.porch_light", {}),
    ("cover.close_cover", "cover.living_room_blind", {}),
    ("lock.lock", "lock.front_door", {}),
    ("climate.set_hvac_mode", "climate.living_room_thermostat", {"hvac_mode": "heat"}),
    ("climate.set_temperature", "climate.living_room_thermostat", {"temperature": 20}),
)
# Not the kitchen: Home Assistant answers with a chime, not speech, where all happened in the speaker's own area.
LISTENER_AREA = "Living Room"
_LISTENER = {
    "device_id": "wyoming-units-demo",
    "device_name": "Living Room Tablet",
    "app_id": "wyoming_units.demo",
    "app_name": "Wyoming Units demo",
    "app_version": "1.0",
    "manufacturer": "Wyoming Units",
    "model": "Demo tablet",
    "os_name": "Linux",
    "os_version": "1",
    "supports_encryption": False,
    "app_data": {},
}


async def furnish(api: Api) -> int:
    """Put everything in its place and first state, exposed to Assist and on the user's dashboard.

    Returns how many things there are.
    """
    areas = await _areas(api)
    for entity_id, area in _PLACES.items():
        await api.call("config/entity_registry/update", entity_id=entity_id, area_id=areas[area])
    await api.call(
        "homeassistant/expose_entity",
        assistants=["conversation"],
        entity_ids=list(_PLACES),
        should_expose=True,
    )
    for action, entity_id, data in _STATES:
        await api.service(action, entity_id, **data)
    # A home that has been spoken to before has its sentences loaded.
    await api.call("conversation/prepare", language="en")
    await api.call("frontend/set_user_data", key="core", value={"default_panel": "demo-home"})
    return len(_PLACES)


async def listener(api: Api) -> str:
    """Register a companion app, as a wall tablet does, in `LISTENER_AREA`; return its device id."""
    await api.post("/api/mobile_app/registrations", _LISTENER)
    areas = await _areas(api)
    devices = await api.call("config/device_registry/list")
    device_id: str = next(
        device["id"] for device in devices if device["name"] == _LISTENER["device_name"]
    )
    await api.call(
        "config/device_registry/update", device_id=device_id, area_id=areas[LISTENER_AREA]
    )
    return device_id


async def _areas(api: Api) -> dict[str, str]:
    """Return area ids by name, after creating what onboarding has not."""
    areas = {area["name"]: area for area in await api.call("config/area_registry/list")}
    floors = {floor["name"]: floor for floor in await api.call("config/floor_registry/list")}
    for name, (level, rooms) in _FLOORS.items():
        floor = floors.get(name) or await api.call(
            "config/floor_registry/create", name=name, level=level
        )
        for room in rooms:
            area = areas.get(room) or await api.call("config/area_registry/create", name=room)
            areas[room] = await api.call(
                "config/area_registry/update", area_id=area["area_id"], floor_id=floor["floor_id"]
            )
    return {name: area["area_id"] for name, area in areas.items()}
