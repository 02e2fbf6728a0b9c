"""What Home Assistant's own checker (hassfest) and HACS would find wrong with the files, looked for offline."""

import ast
import json
import re
from importlib import import_module
from pathlib import Path

import homeassistant.components
import probatio
import pytest
import yaml
from awesomeversion import AwesomeVersion
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, selector
from homeassistant.loader import async_get_integration

from custom_components.wyoming_units import const
from custom_components.wyoming_units.actions import async_setup_actions
from custom_components.wyoming_units.chat_actions import async_setup_chat_actions
from wyoming_units import __version__

CORE = Path(homeassistant.components.__file__).parent
FOLDER = Path(const.__file__).parent
PACKAGE = const.__package__
ROOT = FOLDER.parents[1]
TREES = {path.stem: ast.parse(path.read_text()) for path in sorted(FOLDER.glob("*.py"))}
PLATFORMS = sorted(TREES.keys() & {*Platform})


async def test_the_manifest_is_what_home_assistant_and_hacs_ask_for(hass: HomeAssistant) -> None:
    integration = await async_get_integration(hass, const.DOMAIN)
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert list(manifest) == ["domain", "name", *sorted(manifest.keys() - {"domain", "name"})]
    assert manifest.keys() - {"after_dependencies", "dependencies", "loggers", "zeroconf"} == {
        *("domain", "name", "codeowners", "config_flow", "documentation", "integration_type"),
        *("iot_class", "issue_tracker", "requirements", "version"),
    }
    assert manifest["domain"] == const.DOMAIN == FOLDER.name
    assert re.fullmatch(r"[a-z0-9_]+", const.DOMAIN)
    assert integration.integration_type in ("device", "hub", "service")
    assert manifest["iot_class"] in ("local_polling", "local_push")
    assert all(re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner) for owner in manifest["codeowners"])
    assert AwesomeVersion(manifest["version"]).valid
    assert manifest["version"] == __version__
    assert not [text for text in manifest["requirements"] if re.search(r"\s|==|://", text)]
    for matcher in manifest["zeroconf"]:
        assert matcher == matcher.lower()
        assert re.fullmatch(r"_[a-z0-9-]{1,15}\._tcp\.local\.", matcher)
    for address in (manifest["documentation"], manifest["issue_tracker"]):
        assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+(/issues)?", address)


def test_every_platform_module_is_set_up_and_nothing_else() -> None:
    (setup,) = (
        node.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        == "PLATFORMS"
    )
    assert setup is not None
    named = {node.attr.lower() for node in ast.walk(setup) if isinstance(node, ast.Attribute)}
    assert named == set(PLATFORMS)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_says_how_many_updates_may_run(platform: str) -> None:
    module = import_module(f"{PACKAGE}.{platform}")
    assert module.PARALLEL_UPDATES == 0


def test_the_release_that_hacs_installs_asks_for_the_oldest_home_assistant_that_is_tested() -> None:
    hacs = json.loads((ROOT / "hacs.json").read_text())
    assert hacs.keys() == {
        "name",
        "zip_release",
        "filename",
        "hide_default_branch",
        "homeassistant",
    }
    assert hacs["zip_release"] is hacs["hide_default_branch"] is True
    assert hacs["filename"] == f"{const.DOMAIN}.zip"
    pins = (ROOT / "constraints-homeassistant-2026.10.txt").read_text().split()
    assert f"homeassistant=={hacs['homeassistant']}" in pins


def test_every_rule_of_the_quality_scale_has_a_verdict_and_open_ones_a_reason() -> None:
    rules = yaml.safe_load((FOLDER / "quality_scale.yaml").read_text())["rules"]
    # Home Assistant's checker holds its own integrations to all rules: one of them has the list.
    theirs = yaml.safe_load((CORE / "peblar" / "quality_scale.yaml").read_text())["rules"]
    assert rules.keys() == theirs.keys()
    assert len(rules) == 54
    for rule, verdict in rules.items():
        if verdict != "done":
            assert verdict.keys() == {"status", "comment"}, rule
            assert verdict["status"] in ("exempt", "todo"), rule
            assert verdict["comment"].endswith("."), rule


def test_every_action_is_described(hass: HomeAssistant) -> None:
    async_setup_actions(hass)
    async_setup_chat_actions(hass)
    described = yaml.safe_load((FOLDER / "services.yaml").read_text())
    assert described.keys() == hass.services.async_services_for_domain(const.DOMAIN).keys()
    for name, about in described.items():
        schema = hass.services.async_services_for_domain(const.DOMAIN)[name].schema
        while not isinstance(schema, dict):
            schema = schema.validators[0] if isinstance(schema, probatio.All) else schema.schema
        target = {"metadata", *map(str, cv.ENTITY_SERVICE_FIELDS)} if "target" in about else set()
        fields = about.get("fields", {})
        assert fields.keys() == {*map(str, schema)} - target
        for field in fields.values():
            selector.validate_selector(field["selector"])


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_what_automations_use_has_texts_and_icons(kind: str) -> None:
    file = yaml.safe_load((FOLDER / f"{kind}.yaml").read_text())
    described = {key: about for key, about in file.items() if not key.startswith(".")}
    texts, icons = (
        json.loads((FOLDER / name).read_text()) for name in ("translations/en.json", "icons.json")
    )
    assert described.keys() == texts[kind].keys() == icons[kind].keys()
    for key, about in described.items():
        assert texts[kind][key].keys() == {"name", "description"} | about.keys() - {"target"}
        fields = texts[kind][key].get("fields", {})
        assert fields.keys() == about.get("fields", {}).keys()
        for field, told in fields.items():
            assert told["name"]
            assert told["description"]
            choice = about["fields"][field]["selector"].get("select") or {}
            options = texts["selector"].get(choice.get("translation_key"), {}).get("options", {})
            assert {*choice.get("options", ())} <= {*options}, (key, field)
