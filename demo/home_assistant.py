"""A Home Assistant of its own folder and process: started, onboarded, stopped."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import aiohttp

from demo.api import answer
from demo.processes import Child, DemoError

USER = "demo"
PASSWORD = "demo"
_ROOT = Path(__file__).parent.parent
_INTEGRATION = _ROOT / "custom_components" / "wyoming_units"
_START_SECONDS = 120.0


def prepare(folder: Path, port: int) -> None:
    """Write a configuration that listens on loopback only and never calls the internet."""
    shutil.copytree(Path(__file__).parent / "config", folder)
    (folder / "custom_components").mkdir()
    (folder / "custom_components" / _INTEGRATION.name).symlink_to(_INTEGRATION)
    # Home Assistant takes `http:` in YAML for a trial and after five minutes restarts without it.
    _store(folder, "http", 1, {"server_host": ["127.0.0.1"], "server_port": port})
    # Onboarding's core_config step would install Google Translate, Met.no and Radio Browser.
    _store(folder, "onboarding", 4, {"done": ["core_config"]})
    online = [
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


async def start(folder: Path, url: str) -> Child:
    """Start it on a prepared folder and return once it answers at `url`."""
    hass = Path(sys.executable).with_name("hass")
    child = await Child.start(
        "Home Assistant",
        *(hass, "--config", folder, "--skip-pip", "--log-no-color"),
        log=folder.with_name("home-assistant.log"),
    )
    try:
        await asyncio.wait_for(_answers(child, url), _START_SECONDS)
    except TimeoutError:
        await child.stop()
        raise DemoError(f"Home Assistant does not answer; its output is in {child.log}") from None
    except BaseException:
        await child.stop()
        raise
    return child


async def _answers(child: Child, url: str) -> None:
    async with aiohttp.ClientSession(url) as http:
        while True:
            child.check()
            try:
                async with http.get("/api/onboarding") as response:
                    if response.ok:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


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
