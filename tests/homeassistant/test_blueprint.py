"""The blueprint, as Home Assistant reads it, and in an automation that runs."""

from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint import BLUEPRINT_SCHEMA, Blueprint
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import selector
from homeassistant.setup import async_setup_component
from homeassistant.util import yaml
from pytest_homeassistant_custom_component.common import async_mock_service

from .eyes import Eyes, add_camera, entity, person, picture, thing, until, watch_cameras
from .scripted_node import ScriptedNode

PATH = "wyoming_units/person_in_zone.yaml"
FILE = Path(__file__).parents[2] / "blueprints" / "automation" / PATH
BLUEPRINT = Blueprint(
    yaml.parse_yaml(FILE.read_text()),
    expected_domain="automation",
    path=PATH,
    schema=BLUEPRINT_SCHEMA,
)


@pytest.fixture
async def eyes(hass: HomeAssistant, node: ScriptedNode, tmp_path: Path) -> Eyes:
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    eyes = Eyes(node, ["detect"])
    camera = await add_camera(hass, tmp_path)
    await watch_cameras(hass, node, camera)
    return eyes


@pytest.fixture
def sent(hass: HomeAssistant) -> list[ServiceCall]:
    return async_mock_service(hass, "notify", "phone")


async def automate(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, **inputs: Any) -> None:
    """Set up an automation with the blueprint."""
    # Where Home Assistant looks for the blueprints that were imported.
    monkeypatch.setattr(type(async_get_blueprints(hass)), "blueprint_folder", FILE.parents[1])
    use = {
        "detection": entity(hass, "event", "detection"),
        "picture": entity(hass, "image", "last_event"),
        "notify": "notify.phone",
        **inputs,
    }
    config = {"automation": {"use_blueprint": {"path": PATH, "input": use}}}
    assert await async_setup_component(hass, "automation", config)
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on", automation


def test_home_assistant_takes_the_blueprint() -> None:
    assert BLUEPRINT.validate() is None
    for field in BLUEPRINT.inputs.values():
        selector.validate_selector(field["selector"])
        assert field["name"]
        assert field["description"]


async def test_who_enters_the_zone_is_told_with_a_picture_and_only_once_in_the_cool_down(
    hass: HomeAssistant, eyes: Eyes, sent: list[ServiceCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    await automate(hass, monkeypatch, zones=["Yard"], cooldown=30)
    await eyes.happens("appeared", person(), snapshot=picture())
    await eyes.happens("entered-zone", person(), "Street")
    await eyes.happens("entered-zone", thing("car", track=9), "Yard")
    await eyes.happens("entered-zone", person(), "Yard", picture())
    await until(lambda: sent)
    await eyes.happens("entered-zone", person(track=8), "Yard")
    await eyes.happens("left", person(track=8))
    detection = entity(hass, "event", "detection")
    await until(lambda: hass.states.get(detection).attributes["event_type"] == "left")
    (notification,) = sent
    assert notification.data == {
        "title": "Front door",
        "message": "Person in Yard",
        "data": {
            "image": f"/api/image_proxy/{entity(hass, 'image', 'last_event')}",
            "tag": detection,
        },
    }


async def test_the_message_is_what_the_user_wrote(
    hass: HomeAssistant, eyes: Eyes, sent: list[ServiceCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    await automate(
        hass, monkeypatch, labels=[], message="A {{ label }}: {{ zone }}, {{ camera }}", cooldown=0
    )
    await eyes.happens("entered-zone", thing("car", track=9), "Yard")
    await until(lambda: sent)
    assert sent[0].data["message"] == "A car: Yard, Front door"
    await eyes.happens("entered-zone", person(), "Yard")
    await until(lambda: len(sent) == 2)
