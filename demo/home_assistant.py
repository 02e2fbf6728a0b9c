"""A Home Assistant of its own folder and process: started, onboarded, stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import aiohttp

from demo.api import Api, answer
from demo.processes import Child, poll

USER = "demo"
PASSWORD = "demo"
_ROOT = Path(__file__).parent.parent
_INTEGRATION = _ROOT / "custom_components" / "wyoming_units"
_START_SECONDS = 120.0


def prepare(folder: Path, port: int) -> None:
    """Write a configuration that listens on loopback only and never calls the internet."""
    shutil.copytree(Path(__file__).parent / "config", folder)
    components = folder / "custom_components"
    components.mkdir()
    # A package, or Python takes the repository's folder of that name where it is on its path.
    (components / "__init__.py").touch()
    (components / _INTEGRATION.name).symlink_to(_INTEGRATION)
    # Home Assistant takes `http:` in YAML for a trial and after five minutes restarts without it.
    _store(folder, "http", 1, {"server_host": ["127.0.0.1"], "server_port": port})
    # Onboarding's core_config step would install Google Translate, Met.no and Radio Browser.
    _store(folder, "onboarding", 4, {"done": ["core_config"]})
    online: list[dict[str, Any]] = [
        {"entry_id": name, "domain": name, "title": name, "version": 1, "data": {}}
        | {"source": "system", "disabled_by": "user"}
        for name in ("analytics", "marketplace")
    ]
    _store(folder, "core.config_entries", 1, {"entries": online})


def _store(folder: Path, key: str, version: int, data: object) -> None:
    storage = folder / ".storage"
    storage.mkdir(exist_ok=True)
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content))


async def start(folder: Path) -> Child:
    """Start it on a prepared folder."""
    return await Child.start(
        "Home Assistant",
        *("hass", "--config", folder, "--skip-pip", "--log-no-color"),
        log=folder.with_name("home-assistant.log"),
    )


async def ready(child: Child, url: str) -> None:
    """Return once it answers at `url`."""

    async def look() -> bool | None:
        child.check()
        try:
            async with http.get("/api/onboarding") as response:
                return response.ok or None
        except aiohttp.ClientConnectionError:
            return None

    async with aiohttp.ClientSession(url) as http:
        await poll(look, _START_SECONDS, "Home Assistant did not answer")


async def onboard(url: str) -> str:
    """Create the owner through the onboarding API and return an access token."""
    client = {"client_id": f"{url}/"}
    owner = {"name": "Demo", "username": USER, "password": PASSWORD, "language": "en"}
    async with aiohttp.ClientSession(url) as http:
        async with http.post("/api/onboarding/users", json=owner | client) as response:
            code = (await answer(response))["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code}
        async with http.post("/auth/token", data=grant | client) as response:
            token: str = (await answer(response))["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with http.post("/api/onboarding/analytics", headers=headers) as response:
            await answer(response)
        redirect = {"redirect_uri": f"{url}/?auth_callback=1"}
        async with http.post(
            "/api/onboarding/integration", headers=headers, json=redirect | client
        ) as response:
            await answer(response)
    return token


async def running(api: Api) -> None:
    """Return once everything of its configuration is set up."""

    async def look() -> bool | None:
        return (await api.call("get_config"))["state"] == "RUNNING" or None

    await poll(look, _START_SECONDS, "Home Assistant did not finish starting")
