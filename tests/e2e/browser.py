"""A real browser, logged in to the demo's Home Assistant."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
STATE = """id => document.querySelector("home-assistant").hass?.states?.[id]?.state"""
"""What an entity's state is for the frontend."""


@contextmanager
def integration_page(url: str) -> Iterator[Page]:
    """Open the integration's page as the user of the demo."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(f"{url}/config/integrations/integration/wyoming_units")
        page.fill("input[name=username]", "demo")
        page.fill("input[name=password]", "demo")
        page.keyboard.press("Enter")
        page.wait_for_selector("ha-config-entry-row")
        yield page
        browser.close()
