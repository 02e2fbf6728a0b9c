"""What the user set for a camera: the data of its subentry."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .const import (
    CONF_CALIBRATION,
    CONF_CAMERA,
    CONF_CONFIDENCE,
    CONF_DETECTION,
    CONF_END,
    CONF_FPS,
    CONF_LABELS,
    CONF_MODEL,
    CONF_QUIET,
    CONF_RULES,
    CONF_SOURCE,
    CONF_START,
    CONF_TASKS,
    CONF_ZONES,
    DEFAULT_CONFIDENCE,
    SOURCE_STREAM,
)


class CameraSettings:
    """Reads the data of a subentry `camera`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    @property
    def camera(self) -> str:
        """Return the camera's id in the entity registry, or its entity id."""
        return str(self._data[CONF_CAMERA])

    @property
    def from_stream(self) -> bool:
        """Return whether the node shall open the camera's stream itself."""
        return bool(self._data[CONF_SOURCE] == SOURCE_STREAM)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return what to do with each picture."""
        return tuple(self._data[CONF_TASKS])

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what to look for."""
        return tuple(self._data[CONF_LABELS])

    @property
    def fps(self) -> float:
        """Return how many pictures to look at in a second."""
        return float(self._data[CONF_FPS])

    @property
    def model(self) -> str | None:
        """Return the model that was chosen, None to leave it to the node."""
        return self._data.get(CONF_MODEL)

    @property
    def confidence(self) -> float:
        """Return how sure the node must be of an object, in [0, 1]."""
        return float(self._data.get(CONF_CONFIDENCE, DEFAULT_CONFIDENCE))

    @property
    def detection(self) -> bool:
        """Return whether the camera may be watched."""
        return bool(self._data.get(CONF_DETECTION, True))

    @property
    def zones(self) -> list[dict[str, Any]]:
        """Return the zones in the words of the protocol."""
        return list(self._data.get(CONF_ZONES, ()))

    @property
    def labels_by_zone(self) -> dict[str, tuple[str, ...]]:
        """Return what to look for in each zone."""
        return {zone["name"]: tuple(zone.get("labels") or self.labels) for zone in self.zones}

    @property
    def calibration(self) -> list[dict[str, Any]]:
        """Return the places whose distances are known, in the words of the protocol."""
        return list(self._data.get(CONF_CALIBRATION, ()))

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """Return from when to when the camera is not watched."""
        hours = self._data.get(CONF_QUIET) or {}
        start, end = (dt_util.parse_time(hours.get(key, "")) for key in (CONF_START, CONF_END))
        return None if start is None or end is None else (start, end)

    def is_quiet(self, now: datetime) -> bool:
        """Return whether a moment of local time is within the quiet hours."""
        if (hours := self.quiet_hours) is None:
            return False
        start, end = hours
        if start <= end:
            return start <= now.time() < end
        return not end <= now.time() < start

    def request(self) -> dict[str, Any]:
        """Return what to ask a node for, in the words of the protocol."""
        asked = {
            "fps": self.fps,
            "tasks": [*self.tasks],
            "labels": [*self.labels],
            "model": self.model,
            "zones": self.zones,
            "rules": {**self._data.get(CONF_RULES, {}), "confidence": self.confidence},
            "calibration": self.calibration,
        }
        return {key: value for key, value in asked.items() if value not in (None, [])}


@callback
def async_camera_entity_id(hass: HomeAssistant, camera: str) -> str | None:
    """Return the entity id of a camera as it is kept in a subentry, None where it was removed."""
    return er.async_resolve_entity_id(er.async_get(hass), camera)
