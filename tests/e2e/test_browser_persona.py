"""A persona in a real browser: added by clicking, chosen by what is typed to Assist, switching a light with a tool."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import CHROMIUM, STATE
from tests.e2e.running import SECONDS, running
from tests.integration.model_server import ThreadedModelServer, calls, says

pytestmark = [
    pytest.mark.extra,
    pytest.mark.timeout(SECONDS + 60),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

_PERSONA = "select.wyoming_units_demo_language_model_persona"
_LIGHT = "light.porch_light"


@pytest.fixture
def models() -> Iterator[ThreadedModelServer]:
    """A host of a language model that calls tools."""
    with ThreadedModelServer("llama.cpp", context=8192) as models:
        yield models


@pytest.fixture
def url(environment: dict[str, str], models: ThreadedModelServer) -> Iterator[str]:
    """Run the demo with that model."""
    with running(environment, "--llm", models.url) as url:
        yield url


def test_a_persona_is_added_by_clicking_greets_and_switches_the_light(
    page: Page,
    url: str,
    models: ThreadedModelServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    _add_hedda(page)
    page.goto(f"{url}/lovelace/0")
    page.wait_for_function(f"([id]) => ({STATE})(id) === 'standard'", arg=[_PERSONA])
    page.evaluate(
        """id => document.querySelector("home-assistant").hass
        .callService("light", "turn_off", {entity_id: id})""",
        _LIGHT,
    )
    expect(page.get_by_text("Welcome Demo")).to_be_visible()  # from then on it listens to keys
    page.keyboard.press("a")
    assist = page.locator("ha-voice-command-dialog")
    expect(assist.get_by_text("How can I assist?")).to_be_visible()

    _type(page, "talk to hedda please")
    expect(assist.get_by_text("Hedda here. The kettle is on.")).to_be_visible()
    page.wait_for_function(f"([id]) => ({STATE})(id) === 'Hedda'", arg=[_PERSONA])
    # No model was asked for that; what came before only prepared for the demo's spoken sentence.
    assert all(asked.json.get("n_predict") == 0 for asked in models.server.requests)

    models.server.answers += [
        calls("intent__HassTurnOn", {"name": "Porch light"}),
        says("There. ", "Now nobody ", "trips over the cat."),
    ]
    _type(page, "somebody is coming home late and it is dark outside")
    expect(assist.get_by_text("There. Now nobody trips over the cat.")).to_be_visible()
    page.wait_for_function(f"([id]) => ({STATE})(id) === 'on'", arg=[_LIGHT])
    page.screenshot(path=tmp_path_factory.mktemp("screenshots") / "persona.png")
    asked = models.server.requests[-1].json["messages"]
    assert asked[0]["content"].startswith("You are Hedda")
    assert "talk to hedda" not in str(asked)


def _add_hedda(page: Page) -> None:
    """Add an example, as a user does."""
    page.get_by_role("button", name="Add persona").first.click()
    dialog = page.locator("dialog-data-entry-flow")
    dialog.get_by_text("Hedda").first.click()
    expect(dialog.get_by_text("Who is it?")).to_be_visible()
    dialog.get_by_role("button", name="Submit").click()
    dialog.get_by_role("button", name="Finish").click()
    expect(dialog).to_be_hidden()


def _type(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")
