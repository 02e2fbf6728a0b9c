"""The texts and icons of the integration against its code, in both directions: none missing, none idle.

What the code uses is read from its syntax tree, and from the objects themselves where they say it.
"""

import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import homeassistant.const as ha_const
import pytest
from homeassistant.const import Platform
from homeassistant.helpers.entity import EntityDescription

from custom_components.wyoming_units import client, const

FOLDER = Path(const.__file__).parent
PACKAGE = client.__package__
TREES = {path.stem: ast.parse(path.read_text()) for path in sorted(FOLDER.glob("*.py"))}
PLATFORMS = sorted(TREES.keys() & {*Platform})
TEXTS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in (FOLDER / "translations").glob("*.json")
}
ENGLISH = TEXTS["en"]
ICONS: dict[str, Any] = json.loads((FOLDER / "icons.json").read_text())
LANGUAGES = ("de", "fr", "zh-Hans")
FLOWS = (
    *("ai_task_flow", "camera_flow", "config_flow"),
    *("options_flow", "persona_flow", "repairs"),
)


def calls(*names: str, of: str | None = None) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls of functions or classes by their last name, with the module they are in."""
    for module, tree in TREES.items():
        for node in ast.walk(tree) if of in (None, module) else ():
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr
                    if isinstance(node.func, ast.Attribute)
                    else ast.unparse(node.func)
                )
                if name.partition("[")[0] in names:
                    yield node, module


def argument(call: ast.Call, name: str, index: int | None = None) -> ast.expr | None:
    found = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return found or (call.args[index] if index is not None and index < len(call.args) else None)


def patterns(node: ast.expr | None) -> Iterator[str]:
    """Yield what an expression can be, as patterns: texts, constants of const.py, f-strings, choices of these."""
    match node:
        case ast.Constant(value=str(text)):
            yield re.escape(text)
        case ast.Name(id=name) if isinstance(getattr(const, name, None), str):
            yield re.escape(getattr(const, name))
        case ast.IfExp(body=one, orelse=other):
            yield from (*patterns(one), *patterns(other))
        case ast.JoinedStr(values=parts):
            yield "".join(next(patterns(part), r"\w+") for part in parts)


def assert_same(used: Iterator[str] | set[str], present: set[str]) -> None:
    """Every text is used, and what is used has its text."""
    wanted = set(used)
    assert wanted
    matched = {key: [one for one in wanted if re.fullmatch(one, key)] for key in present}
    assert not [key for key, by in matched.items() if not by], "idle"
    assert not wanted - {one for by in matched.values() for one in by}, "missing"


def flow_texts(module: str) -> list[dict[str, Any]]:
    """Return the texts of the flows of a module."""
    fixes = [issue["fix_flow"] for issue in ENGLISH["issues"].values() if "fix_flow" in issue]
    made = ENGLISH["config_subentries"]
    return {
        "ai_task_flow": [made["ai_task_data"]],
        "camera_flow": [made["camera"]],
        "config_flow": [ENGLISH["config"]],
        "options_flow": [ENGLISH["options"]],
        "persona_flow": [made["conversation"]],
        "repairs": fixes,
    }[module]


def test_steps_of_flows() -> None:
    for flow in FLOWS:
        shows = {
            node.name: [arg.arg for arg in node.args.args].index("step_id") - 1
            for node in ast.walk(TREES[flow])
            if isinstance(node, ast.FunctionDef)
            and "step_id" in [arg.arg for arg in node.args.args]
        } | {"async_show_form": None, "async_show_menu": None}
        used = {
            step
            for name, index in shows.items()
            for call, _ in calls(name, of=flow)
            for step in patterns(argument(call, "step_id", index))
        }
        for texts in flow_texts(flow):
            assert_same(used, set(texts["step"]))


def test_menus_of_flows() -> None:
    # Those of cameras and personas are compared whenever they are shown in tests of their flows.
    (menu,) = (call for call, _ in calls("async_show_menu", of="config_flow"))
    always = {
        option
        for node in ast.walk(menu)
        if isinstance(node, ast.List)
        for each in node.elts
        for option in patterns(each)
    }
    used = {
        step: always | {*patterns(argument(call, "otherwise", 1))}
        for call, _ in calls("_show_identity_menu")
        for step in patterns(argument(call, "step_id", 0))
    }
    texts = ENGLISH["config"]["step"]
    assert {
        step: set(texts[step]["menu_options"]) for step in texts if "menu_options" in texts[step]
    } == used
    steps = {
        node.name
        for node in ast.walk(TREES["config_flow"])
        if isinstance(node, ast.AsyncFunctionDef)
    }
    assert {f"async_step_{step}" for options in used.values() for step in options} <= steps


def test_fields_of_flows_have_a_name_and_an_explanation() -> None:
    # Others depend on the node: tests of their flows open each form and compare.
    for flow in ("config_flow", "repairs"):
        used = set()
        for call, _ in calls("Required", "Optional", of=flow):
            name = ast.unparse(call.args[0])
            used.add(getattr(const, name, None) or getattr(ha_const, name))
        steps = [step for texts in flow_texts(flow) for step in texts["step"].values()]
        assert {field for step in steps for field in step.get("data", {})} == used
        for step in steps:
            assert step.get("data", {}).keys() == step.get("data_description", {}).keys()


def test_errors_and_exceptions() -> None:
    raised = {key for call, _ in calls("NodeError") for key in patterns(argument(call, "key", 0))}
    base = {
        key
        for node in ast.walk(TREES["config_flow"])
        if isinstance(node, ast.Dict)
        and node.keys
        and ast.unparse(node.keys[0] or node) == "'base'"
        for key in patterns(node.values[0])
    }
    # While a node is described these two become `no_description`, and only intents end in `not_understood`.
    assert_same(
        raised - {"connection_lost", "no_answer", "not_understood"} | base,
        {*ENGLISH["config"]["error"]},
    )
    errors = (
        *("HomeAssistantError", "ServiceValidationError", "UpdateFailed"),
        *("ConfigEntryNotReady", "ConfigEntryError"),
    )
    raised |= {
        key for call, _ in calls(*errors) for key in patterns(argument(call, "translation_key"))
    }
    # What agents say themselves is kept with the exceptions.
    raised |= {
        key
        for module in ("agent", "spoken")
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for key in patterns(node)
        if key.startswith("chat_") and not key.endswith("_")
    }
    assert_same(raised, set(ENGLISH["exceptions"]))
    for call, module in calls(*errors):
        assert argument(call, "translation_key"), (module, call.lineno)


def returned(module: str) -> set[str]:
    """Return the texts that functions of a module return."""
    returns = (node for node in ast.walk(TREES[module]) if isinstance(node, ast.Return))
    return {key for node in returns for key in patterns(node.value)}


def test_reasons_to_abort() -> None:
    reasons = {
        flow: {
            key
            for call, _ in calls("async_abort", of=flow)
            for key in patterns(argument(call, "reason"))
        }
        for flow in FLOWS
    }
    assert [*calls("_abort_if_unique_id_configured")]
    assert_same(reasons["config_flow"] | {"already_configured"}, set(ENGLISH["config"]["abort"]))
    assert_same(reasons["options_flow"], set(ENGLISH["options"]["abort"]))
    assert_same(reasons["camera_flow"], set(ENGLISH["config_subentries"]["camera"]["abort"]))
    # Both flows of language models stop for the same reasons.
    for kind in ("ai_task_data", "conversation"):
        assert_same(reasons["persona_flow"], set(ENGLISH["config_subentries"][kind]["abort"]))
    assert_same(returned("options_flow"), set(ENGLISH["options"]["error"]))
    reasons["repairs"] |= returned("repairs")  # fixes return their reason
    assert_same(
        reasons["repairs"], {key for texts in flow_texts("repairs") for key in texts["abort"]}
    )


def test_issues() -> None:
    used = {key for call, _ in calls("Issue", "Trouble") for key in patterns(argument(call, "key"))}
    assert_same(used, set(ENGLISH["issues"]))
    fixable = {
        key
        for call, _ in calls("Issue")
        if argument(call, "fix")
        for key in patterns(argument(call, "key"))
    }
    assert {key for key, texts in ENGLISH["issues"].items() if "fix_flow" in texts} == fixable
    for key, texts in ENGLISH["issues"].items():
        assert texts.keys() == {"title", "fix_flow" if key in fixable else "description"}


def test_errors_of_the_flow_of_a_camera() -> None:
    used = {
        key
        for node in ast.walk(TREES["camera_flow"])
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("errors[")
        for key in patterns(node.value)
    }
    assert_same(used, set(ENGLISH["config_subentries"]["camera"]["error"]))


def test_selectors() -> None:
    used = {key for call, _ in calls("_choice") for key in patterns(argument(call, "key", 0))}
    for path in FOLDER.glob("*.yaml"):
        used |= {*re.findall(r"translation_key: (\w+)", path.read_text())}
    assert ENGLISH["selector"].keys() == used


def test_entities_and_their_icons() -> None:
    described: dict[str, dict[str, EntityDescription]] = {}
    icons: dict[str, set[str]] = {}
    for platform in PLATFORMS:
        parts = [part for part in (platform, f"camera_{platform}") if part in TREES]
        rows = [
            row
            for part in parts
            for group in vars(import_module(f"{PACKAGE}.{part}")).values()
            if isinstance(group, tuple)
            for row in group
            if hasattr(row, "translation_key")  # not all are of one class: some are thawed
        ]
        assert all(row.translation_key == row.key for row in rows)
        described |= {platform: {row.key: row for row in rows}} if rows else {}
        units = {
            key
            for call, _ in calls("async_add_unit", of=platform)
            for key in patterns(call.args[3])
        }
        icons |= {platform: units | {row.key for row in rows}} if units or rows else {}
    assert {p: set(keys) for p, keys in ENGLISH["entity"].items()} == {
        p: set(d) for p, d in described.items()
    }
    assert {p: set(keys) for p, keys in ICONS["entity"].items()} == icons
    for platform, rows in described.items():
        for key, row in rows.items():
            texts = ENGLISH["entity"][platform][key]
            states = set(getattr(row, "options", None) or ())
            assert texts["name"]
            assert set(texts.get("state", {})) == states
            kinds = texts.get("state_attributes", {}).get("event_type", {}).get("state", {})
            assert set(kinds) == set(getattr(row, "event_types", None) or ())
            states |= {"on", "off"} if platform in ("binary_sensor", "switch") else set()
            assert set(ICONS["entity"][platform][key].get("state", {})) <= states


def test_devices() -> None:
    names = {f"{unit}{kind}" for unit in client.UNITS for kind in ("", "_program")}
    assert ENGLISH["device"].keys() == names


def flat(branch: Any, path: str = "") -> dict[str, str]:
    if isinstance(branch, str):
        return {path: branch}
    parts = (flat(value, f"{path}.{key}") for key, value in branch.items())
    return {key: text for part in parts for key, text in part.items()}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", sorted({*LANGUAGES, *TEXTS} - {"en"}))
def test_a_translation_has_every_text_with_its_placeholders(language: str) -> None:
    assert language in TEXTS, f"translations/{language}.json is missing"
    english, ours = flat(ENGLISH), flat(TEXTS[language])
    assert ours.keys() == english.keys()
    for key, text in ours.items():
        assert text.strip() == text != "", key
        assert placeholders(text) == placeholders(english[key]), key
        # Names and single words may be the same in both.
        assert text != english[key] or len(text.split()) < 4, f"{key} is not translated"
