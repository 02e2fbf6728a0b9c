"""Adding and changing a camera through the flow that the frontend shows."""

import json
import re
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.helpers import entity_registry as er
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import wyoming_units
from custom_components.wyoming_units.const import SUBENTRY_CAMERA
from custom_components.wyoming_units.preview import PREVIEWS, draw_zones

from .scripted_node import ScriptedNode
from .watched_camera import CAMERA, YARD, FrontDoor, Watching, add_camera, camera_id, jpeg

ENGLISH: dict[str, Any] = json.loads(
    (Path(wyoming_units.__file__).parent / "translations" / "en.json").read_text()
)["config_subentries"][SUBENTRY_CAMERA]
PICTURE = {"camera": CAMERA, "source": "snapshots"}


def checked(flow: dict[str, Any]) -> dict[str, Any]:
    """Return the flow when all that it shows has a text, with all of the text's placeholders."""
    told: list[str] = []
    if flow["type"] in (FlowResultType.FORM, FlowResultType.MENU):
        step = ENGLISH["step"][flow["step_id"]]
        told += [step["title"], step["description"]]
        if flow["type"] is FlowResultType.MENU:
            assert set(flow["menu_options"]) <= step["menu_options"].keys()
        else:
            check_fields(flow["data_schema"].schema, step)
            told += [ENGLISH["error"][error] for error in (flow["errors"] or {}).values()]
    if flow["type"] is FlowResultType.ABORT and not flow.get("translation_domain"):
        told.append(ENGLISH["abort"][flow["reason"]])
    for text in told:
        text.format(**(flow["description_placeholders"] or {}))
    return flow


def check_fields(schema: dict[Any, Any], texts: dict[str, Any]) -> None:
    sections = {str(key): it for key, it in schema.items() if isinstance(it, section)}
    fields = {str(key) for key in schema} - sections.keys()
    assert fields == texts["data"].keys() == texts["data_description"].keys()
    assert sections.keys() == texts.get("sections", {}).keys()
    for name, inner in sections.items():
        check_fields(inner.schema.schema, texts["sections"][name])


def shown(flow: dict[str, Any]) -> dict[str, Any]:
    """Return what a form holds when it is opened."""
    return {
        str(key): key.description["suggested_value"]
        for key in flow["data_schema"].schema
        if key.description and "suggested_value" in key.description
    }


def usual(flow: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what a form sends where only some of it was filled in."""
    filled: dict[str, Any] = flow["data_schema"](PICTURE | shown(flow) | changes)
    return filled


class Flow:
    """Runs the flow of a camera."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        self._manager = hass.config_entries.subentries
        self._entry = entry
        self.now: dict[str, Any] = {}

    async def start(self, subentry_id: str | None = None) -> dict[str, Any]:
        context: dict[str, Any] = {"source": SOURCE_USER}
        if subentry_id is not None:
            context = {"source": SOURCE_RECONFIGURE, "subentry_id": subentry_id}
        handler = (self._entry.entry_id, SUBENTRY_CAMERA)
        self.now = checked(await self._manager.async_init(handler, context=context))
        return self.now

    async def send(self, **user_input: Any) -> dict[str, Any]:
        flow_id = self.now["flow_id"]
        self.now = checked(await self._manager.async_configure(flow_id, user_input))
        return self.now

    async def choose(self, step: str) -> dict[str, Any]:
        return await self.send(next_step_id=step)


@pytest.fixture
def flow(hass: HomeAssistant, seeing: None, camera: FrontDoor, loaded: MockConfigEntry) -> Flow:
    return Flow(hass, loaded)


async def test_a_camera_is_added_with_what_most_people_want(
    hass: HomeAssistant, node: ScriptedNode, flow: Flow, loaded: MockConfigEntry
) -> None:
    form = await flow.start()
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "camera")
    overview = await flow.send(**usual(form))
    assert overview["menu_options"] == ["zone", "rules", "finish"]
    done = await flow.choose("finish")
    assert done["type"] is FlowResultType.CREATE_ENTRY
    [subentry] = loaded.get_subentries_of_type(SUBENTRY_CAMERA)
    assert (subentry.title, subentry.unique_id) == ("Front door", camera_id(hass))
    assert subentry.data == {
        "camera": camera_id(hass),
        "source": "snapshots",
        "tasks": ["detect"],
        "labels": ["person", "car", "dog", "cat"],
        "fps": 2.0,
        "confidence": 0.5,
        "model": None,
        "quiet_hours": {},
    }
    watching = Watching(hass, node, loaded)
    await watching.until(lambda: hass.states.get("binary_sensor.front_door_person"))
    await watching.runs()


async def test_what_is_chosen_from_depends_on_the_node(flow: Flow) -> None:
    form = await flow.start()
    selectors = {str(key): it for key, it in form["data_schema"].schema.items()}

    def options(field: str) -> dict[str, str]:
        return {it["value"]: it["label"] for it in selectors[field].config["options"]}

    assert [*options("tasks")] == ["detect", "pose", "hand", "depth"]
    assert options("labels") == {
        "person": "Person",
        "bicycle": "Bicycle",
        "car": "Car",
        "dog": "Dog",
        "cat": "Cat",
        "traffic light": "traffic light",
        "hand": "Hand",
    }
    assert [*options("model")] == ["automatic", "yolo-n", "pose-n", "hand-n", "depth-s"]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"tasks": []}, {"tasks": "no_tasks"}),
        ({"labels": []}, {"labels": "no_labels"}),
        ({"quiet_hours": {"start": "22:00:00"}}, {"base": "half_quiet_hours"}),
        ({"source": "stream"}, {"source": "no_stream"}),
    ],
)
async def test_what_makes_no_sense_is_told_and_can_be_corrected(
    flow: Flow, camera: FrontDoor, changes: dict[str, Any], errors: dict[str, str]
) -> None:
    camera.address = None
    form = await flow.start()
    wrong = await flow.send(**usual(form, **changes))
    assert (wrong["step_id"], wrong["errors"]) == ("camera", errors)
    assert (await flow.send(**usual(form)))["step_id"] == "overview"


async def test_a_camera_that_is_off_may_have_a_stream_later(flow: Flow, camera: FrontDoor) -> None:
    camera.show(is_on=False)
    overview = await flow.send(**usual(await flow.start(), source="stream"))
    assert overview["step_id"] == "overview"
    assert overview["description_placeholders"]["picture"] == ""


async def test_a_camera_is_added_once(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    add_camera(hass, loaded)
    await hass.async_block_till_done()
    wrong = await flow.send(**usual(await flow.start()))
    assert wrong["errors"] == {"camera": "already_watched"}


async def test_hands_are_looked_for_where_their_gestures_are_wanted(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    form = await flow.start()
    await flow.send(**usual(form, tasks=["detect", "pose", "hand"], labels=["car"]))
    await flow.choose("finish")
    [subentry] = loaded.get_subentries_of_type(SUBENTRY_CAMERA)
    assert subentry.data["labels"] == ["car", "person", "hand"]


async def test_zones_are_added_drawn_replaced_and_removed(
    hass: HomeAssistant, hass_client_no_auth: Any, flow: Flow, loaded: MockConfigEntry
) -> None:
    overview = await flow.send(
        **usual(await flow.start(), quiet_hours={"start": "22:00:00", "end": "06:00:00"})
    )
    before = await picture_of(hass_client_no_auth, overview)
    form = await flow.choose("zone")
    assert "labels" in [str(key) for key in form["data_schema"].schema]
    assert (await flow.send(name=" Yard ", polygon="0 50, 100 50; 100 100\n0,100"))["errors"] == {
        "polygon": "bad_polygon"
    }
    overview = await flow.send(name=" Yard ", polygon="0 50, 100 50; 100 100\n0 100,")
    assert overview["menu_options"] == ["zone", "remove_zones", "rules", "finish"]
    after = await picture_of(hass_client_no_auth, overview)
    assert after != before

    await flow.choose("zone")
    await flow.send(name="Drive", polygon="0 0, 50.5 0, 50 50", labels=["car"])
    await flow.choose("zone")
    await flow.send(name="Yard", polygon="0 60, 100 60, 100 100")
    await flow.choose("zone")
    await flow.send(name="Street", polygon="0 0, 1 0, 1 1")
    await flow.choose("remove_zones")
    await flow.send(zones=["Street"])
    await flow.choose("finish")
    assert not hass.data[PREVIEWS]
    [subentry] = loaded.get_subentries_of_type(SUBENTRY_CAMERA)
    assert subentry.data["zones"] == [
        {"name": "Drive", "polygon": [[0, 0], [0.505, 0], [0.5, 0.5]], "labels": ["car"]},
        {"name": "Yard", "polygon": [[0, 0.6], [1, 0.6], [1, 1]]},
    ]
    assert subentry.data["quiet_hours"] == {"start": "22:00:00", "end": "06:00:00"}


async def picture_of(hass_client_no_auth: Any, flow: dict[str, Any]) -> bytes:
    """Load the picture as a browser does, which sends no token with it."""
    match = re.fullmatch(r"!\[\]\((.+)\)", flow["description_placeholders"]["picture"])
    assert match is not None
    client = await hass_client_no_auth()
    assert (await client.get(match[1].partition("?")[0])).status == HTTPStatus.UNAUTHORIZED
    response = await client.get(match[1])
    assert response.status == HTTPStatus.OK
    assert response.content_type == "image/jpeg"
    return await response.read()


async def test_the_picture_is_gone_with_the_flow(
    hass: HomeAssistant, hass_client: Any, flow: Flow
) -> None:
    await flow.send(**usual(await flow.start()))
    flow_id = flow.now["flow_id"]
    client = await hass_client()
    path = f"/api/wyoming_units/preview/{flow_id}/0"
    assert (await client.get(path)).status == HTTPStatus.OK
    hass.config_entries.subentries.async_abort(flow_id)
    assert (await client.get(path)).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("picture", [b"no picture", None])
async def test_a_camera_that_shows_nothing_can_be_set_up_all_the_same(
    flow: Flow, camera: FrontDoor, picture: bytes | None
) -> None:
    camera.picture = picture
    overview = await flow.send(**usual(await flow.start()))
    assert overview["description_placeholders"]["picture"] == ""


@pytest.mark.parametrize(
    "polygon",
    ["", "0 0, 1 1", "0 0, 1 1, 101 0", "0 0, 1 1, -1 0", "a b, 1 1, 2 2", "0 0 0, 1 1, 2 2"],
)
async def test_a_polygon_that_is_none_is_told(flow: Flow, polygon: str) -> None:
    await flow.send(**usual(await flow.start()))
    await flow.choose("zone")
    wrong = await flow.send(name="Yard", polygon=polygon)
    assert (wrong["step_id"], wrong["errors"]) == ("zone", {"polygon": "bad_polygon"})


async def test_a_zone_needs_a_name_and_there_is_an_end_to_zones(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    zones = [{**YARD, "name": str(number)} for number in range(32)]
    subentry_id = add_camera(hass, loaded, zones=zones, labels=["person"])
    await hass.async_block_till_done()
    await flow.send(**usual(await flow.start(subentry_id)))
    await flow.choose("zone")
    corners = "0 0, 1 0, 1 1"
    assert (await flow.send(name="More", polygon=corners))["errors"] == {"base": "too_many_zones"}
    assert (await flow.send(name="  ", polygon=corners))["errors"] == {
        "name": "no_name",
        "base": "too_many_zones",
    }
    overview = await flow.send(name="31", polygon=corners)
    assert overview["step_id"] == "overview"
    await flow.choose("zone")
    assert (await flow.send(name=" ", polygon="1"))["errors"] == {
        "name": "no_name",
        "polygon": "bad_polygon",
    }


async def test_known_distances_are_asked_for_where_distances_are_wanted(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    overview = await flow.send(**usual(await flow.start(), tasks=["detect", "depth"]))
    assert "calibration" in overview["menu_options"]
    await flow.choose("calibration")
    for wrong in ("50 80", "50 80 0", "1 1 1, 2 2 2, 3 3 3", "50 80 far"):
        assert (await flow.send(places=wrong))["errors"] == {"places": "bad_places"}
    await flow.send(places="50 80 3.5, 50 40 12")
    assert shown(await flow.choose("calibration")) == {"places": "50 80 3.5, 50 40 12"}
    await flow.send(places="50 80 3.5")
    await flow.choose("finish")
    [subentry] = loaded.get_subentries_of_type(SUBENTRY_CAMERA)
    assert subentry.data["calibration"] == [{"point": [0.5, 0.8], "distance": 3.5}]


async def test_a_camera_is_changed_and_keeps_what_was_not(
    hass: HomeAssistant, node: ScriptedNode, flow: Flow, loaded: MockConfigEntry
) -> None:
    subentry_id = add_camera(hass, loaded, zones=[YARD], detection=False, model="yolo-n")
    await hass.async_block_till_done()
    er.async_get(hass).async_update_entity(CAMERA, new_entity_id="camera.porch")
    await hass.async_block_till_done()
    form = await flow.start(subentry_id)
    assert shown(form)["camera"] == "camera.porch"
    assert (shown(form)["confidence"], shown(form)["model"]) == (50, "yolo-n")
    await flow.send(**usual(form, camera="camera.porch", confidence=60, model="automatic"))
    await flow.choose("rules")
    await flow.send(inertia=2.0, linger=20, patience=5, stationary=30)
    done = await flow.choose("finish")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    data = loaded.subentries[subentry_id].data
    assert (data["camera"], data["zones"]) == (camera_of(hass, "camera.porch"), [YARD])
    assert (data["confidence"], data["model"], data["detection"]) == (0.6, None, False)
    assert data["rules"] == {"inertia": 2, "linger": 20, "patience": 5, "stationary": 30}
    assert loaded.state is ConfigEntryState.LOADED


def camera_of(hass: HomeAssistant, entity_id: str) -> str:
    entity = er.async_get(hass).async_get(entity_id)
    assert entity is not None
    return entity.id


async def test_a_removed_camera_is_replaced_by_another_one(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    subentry_id = add_camera(hass, loaded, camera="f" * 32)
    await hass.async_block_till_done()
    form = await flow.start(subentry_id)
    assert shown(form)["camera"] is None
    await flow.send(**usual(form, camera=CAMERA))
    await flow.choose("finish")
    assert loaded.subentries[subentry_id].data["camera"] == camera_id(hass)


async def test_a_camera_that_is_in_no_registry_is_known_by_its_entity_id(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    await flow.send(**usual(await flow.start(), camera="camera.of_yaml"))
    await flow.choose("finish")
    [subentry] = loaded.get_subentries_of_type(SUBENTRY_CAMERA)
    assert (subentry.title, subentry.unique_id) == ("camera.of_yaml", "camera.of_yaml")


async def test_a_node_that_sees_nothing_says_so(
    hass: HomeAssistant, camera: FrontDoor, loaded: MockConfigEntry
) -> None:
    assert (await Flow(hass, loaded).start())["reason"] == "no_vision"


async def test_a_node_that_was_never_reached_says_so(
    hass: HomeAssistant, flow: Flow, loaded: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert (await flow.start())["reason"] == "not_loaded"


def test_zones_are_drawn_where_they_are() -> None:
    with Image.open(BytesIO(draw_zones(jpeg("black", (1920, 1080)), [YARD]))) as drawn:
        assert drawn.size == (960, 540)
        above, within = drawn.getpixel((50, 200)), drawn.getpixel((50, 400))
    assert isinstance(above, tuple)
    assert isinstance(within, tuple)
    assert sum(above) < 30
    assert within[0] > 40
