"""The camera in a real browser: set up by clicking, shown on the dashboard, acted on by the automation."""

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Error, Locator, Page, expect

from tests.e2e.browser import CHROMIUM, STATE
from tests.e2e.running import DATA, PICTURES, SECONDS, running
from wyoming_units.vision.draw import colour_of

PLAYLIST = (PICTURES / "000000000632.jpg", PICTURES / "bus.jpg")
"""Nobody, then people."""
_ZONE = (255, 204, 0)
"""The colour in which the dialogue draws the first zone."""

pytestmark = [
    pytest.mark.timeout(SECONDS + 60),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not PICTURES.exists(), reason=f"no photographs in {DATA}"),
]

_FORGET = """async () => {
  const home = document.querySelector("home-assistant");
  const {hass} = home;
  const [entry] = await hass.callWS({type: "config_entries/get", domain: "wyoming_units"});
  const about = {entry_id: entry.entry_id};
  for (const {subentry_id} of await hass.callWS({type: "config_entries/subentries/list", ...about}))
    await hass.callWS({type: "config_entries/subentries/delete", subentry_id, ...about});
  const loaded = async () =>
    (await hass.callWS({type: "config_entries/get", domain: "wyoming_units"}))[0].state === "loaded";
  while ("switch.street_detection" in home.hass.states || !(await loaded()))
    await new Promise(resolve => setTimeout(resolve, 200));
  await hass.callService("light", "turn_off", {entity_id: "light.porch_light"});
}"""
_BYTES = """async image => {
  const answer = await fetch(image.src);
  return Array.from(new Uint8Array(await answer.arrayBuffer()));
}"""


@pytest.fixture
def url(environment: dict[str, str]) -> Iterator[str]:
    """Run the demo with a camera that shows nobody, and then people."""
    shown = [option for path in PLAYLIST for option in ("--camera", str(path))]
    with running(environment, *shown) as url:
        yield url


def _wait_for_state(page: Page, entity_id: str, *states: str) -> None:
    page.wait_for_function(
        f"([id, states]) => states.includes(({STATE})(id))", arg=[entity_id, [*states]]
    )


def _pixels(image: Locator) -> Image.Image:
    """Return what an `<img>` shows."""
    data: Any = image.evaluate(_BYTES)
    return Image.open(io.BytesIO(bytes(data))).convert("RGB")


def _like(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """Return how many pixels have a colour, or nearly."""
    return int((np.abs(np.asarray(picture).astype(int) - colour).max(axis=2) < 16).sum())


def test_a_camera_is_added_by_clicking_is_shown_with_boxes_and_switches_the_light(
    page: Page, url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shots = tmp_path_factory.mktemp("screenshots")
    page.evaluate(_FORGET)  # what the demo has set up
    _add_camera(page, shots)

    page.goto(f"{url}/demo-camera")
    _wait_for_state(page, "binary_sensor.street_person_in_pavement", "on", "off")
    _wait_for_state(page, "light.porch_light", "on")
    expect(page.locator("hui-tile-card", has_text="Porch light")).to_contain_text("On")

    page.wait_for_function(
        f"([id]) => Number(({STATE})(id)) >= 2", arg=["sensor.street_person_count"]
    )
    annotated = page.locator('img[src*="image.street_objects"]').first
    last_event = page.locator('img[src*="image.street_last_event"]').first
    for image in (annotated, last_event):
        expect(image).to_be_visible()
        assert image.evaluate("image => image.naturalWidth") > 100
    page.screenshot(path=shots / "cameras.png")
    with Image.open(PLAYLIST[1]) as bus:
        plain = _like(bus.convert("RGB"), colour_of("person"))
    assert _like(_pixels(last_event), colour_of("person")) > plain + 500


def _pick(page: Page, picker: Locator, name: str) -> None:
    """Choose from a picker: again, as a user does, where its list took no notice of a click."""
    row = page.locator("ha-picker-combo-box ha-combo-box-item", has_text=name)
    for patience in (3_000, 3_000, 3_000, 30_000):
        if not row.is_visible():
            picker.click()
        with suppress(AssertionError, Error):
            row.click(timeout=patience)
            expect(row).to_be_hidden(timeout=patience)
            expect(picker).to_contain_text(name, timeout=patience)
            return
    raise AssertionError(f"{name} could not be picked")


def _add_camera(page: Page, shots: Path) -> None:
    """Add the camera with a zone, as a user does."""
    page.get_by_role("button", name="Add camera").first.click()
    dialog = page.locator("dialog-data-entry-flow")
    _pick(page, dialog.locator("ha-entity-picker"), "Street")
    dialog.get_by_role("button", name="Submit").click()

    dialog.get_by_text("Add or change a zone").click()
    dialog.locator("ha-selector-text input").fill("Pavement")
    dialog.locator("ha-selector-text textarea").fill("0 60, 100 60, 100 100, 0 100")
    dialog.get_by_role("button", name="Submit").click()

    expect(dialog.get_by_text("Remove zones")).to_be_visible()
    picture = dialog.locator("ha-markdown img")
    page.wait_for_function("image => image.complete", arg=picture.element_handle())
    assert _like(_pixels(picture), _ZONE) > 500
    page.screenshot(path=shots / "zones.png")
    dialog.get_by_text("Finish").click()
    dialog.get_by_role("button", name="Finish").click()
    expect(dialog).to_be_hidden()
