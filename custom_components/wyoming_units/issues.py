"""Tells the user, as repair issues, what only the user can put right.

The whole of it is looked at again whenever a node was asked, which is every 15 s: what is wrong
becomes an issue, what is wrong no longer loses its issue. A node that is merely switched off is no
issue; its entities say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from homeassistant.components import conversation
from homeassistant.components.assist_pipeline import Pipeline
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.util import language as language_util

from .choices import gone_choices, titles_of
from .const import (
    CONF_MODEL,
    CONF_VOICE,
    DOMAIN,
    PROTOCOL,
    SUBENTRY_AI_TASK,
    SUBENTRY_CONVERSATION,
)
from .coordinator import NodeCoordinator, WyomingUnitsConfigEntry
from .core_wyoming import async_dismiss_core_discovery
from .devices import async_may_remove, async_program_titles, program_id
from .identity import async_entry_of
from .pipeline import (
    NAME,
    async_create_wanted_pipelines,
    async_engine_fields,
    async_engines_for,
    async_nodes_in_reach,
    async_plan_pipeline,
    async_wanted_pipelines,
)
from .references import ENGINES, async_dead_references

LEARN_MORE: Final = (
    "https://github.com/wyoming-units/wyoming-units/blob/main/docs/home-assistant.md#repairs"
)

NODE: Final = "node"
UNIT: Final = "unit"
CHOICE: Final = "choice"
CAMERA: Final = "camera"
PERSONA: Final = "persona"
PIPELINE: Final = "pipeline"


@dataclass(frozen=True, kw_only=True)
class Issue:
    """Something that is wrong."""

    key: str
    """Of its texts."""
    placeholders: Mapping[str, str]
    fix: Mapping[str, str] = field(default_factory=dict)
    """What its fix flow has to know; empty where there is none."""
    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING


@callback
def async_review_node(coordinator: NodeCoordinator) -> None:
    """Review a node, its units and all pipelines, after it was asked."""
    hass, entry = coordinator.hass, coordinator.config_entry
    if coordinator.last_update_success:
        _publish(hass, f"{NODE}_{entry.entry_id}", {})
        async_dismiss_core_discovery(hass, str(entry.unique_id))
    elif _tells(coordinator.last_exception):
        issue = _issue_of_node(hass, entry, coordinator.last_exception)
        _publish(hass, f"{NODE}_{entry.entry_id}", {"": issue} if issue else {})
    if entry.state is ConfigEntryState.LOADED:
        _publish(hass, f"{UNIT}_{entry.entry_id}", _gone_units(hass, entry))
        _publish(hass, f"{CHOICE}_{entry.entry_id}", _gone_choices(hass, entry))
        _publish(hass, f"{PERSONA}_{entry.entry_id}", _gone_choices_of_personas(entry))
        if hass.state is CoreState.running:  # until then cameras of others may not exist yet
            _publish(hass, f"{CAMERA}_{entry.entry_id}", _camera_troubles(entry))
        if async_wanted_pipelines(hass):
            hass.async_create_task(async_create_wanted_pipelines(hass))
        async_review_pipelines(hass)


@callback
def async_review_pipelines(hass: HomeAssistant) -> None:
    """Review all pipelines."""
    if hass.state is CoreState.running:  # until then entities of others may not exist yet
        _publish(hass, PIPELINE, _dead_references(hass) | _wanted_pipelines(hass))


@callback
def async_forget(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back the issues of a node that is removed or disabled."""
    for kind in (NODE, UNIT, CHOICE, CAMERA, PERSONA):
        _publish(hass, f"{kind}_{entry.entry_id}", {})
    if all(other is entry or other.disabled_by for other in _entries(hass)):
        _publish(hass, PIPELINE, {})


@callback
def async_replacement(
    hass: HomeAssistant, pipeline: Pipeline, engine: str
) -> dict[str, str | None] | None:
    """Return the fields that give a pipeline another engine in its field `engine`, None for none.

    A unit that does as the one before, as far as it can; for the agent, the built-in one.
    """
    if engine == "conversation_engine":
        agent = conversation.HOME_ASSISTANT_AGENT
        understood = conversation.async_get_conversation_languages(hass, agent)
        spoken = language_util.matches(pipeline.language, understood, hass.config.country)
        return {engine: agent, "conversation_language": spoken[0]} if spoken else None
    language = {"stt_engine": pipeline.stt_language, "tts_engine": pipeline.tts_language}
    keep = {"tts_engine": pipeline.tts_voice, "wake_word_entity": pipeline.wake_word_id}
    found = async_engines_for(
        hass,
        engine,
        async_nodes_in_reach(hass),
        language.get(engine) or pipeline.language,
        keep.get(engine),
    )
    return next(filter(None, (async_engine_fields(hass, engine, each) for each in found)), None)


def _entries(hass: HomeAssistant) -> list[ConfigEntry]:
    return hass.config_entries.async_entries(DOMAIN, include_ignore=False)


def _tells(failure: BaseException | None) -> TypeGuard[HomeAssistantError]:
    """Return whether a failure says what is wrong with a node; else it is only away."""
    key = getattr(failure, "translation_key", None)
    return key in ("wrong_node", "unsupported_protocol")


def _issue_of_node(
    hass: HomeAssistant, entry: ConfigEntry, failure: HomeAssistantError
) -> Issue | None:
    told = failure.translation_placeholders or {}
    if failure.translation_key == "unsupported_protocol":
        protocol = told["protocol"]
        older = protocol.isdecimal() and int(protocol) < PROTOCOL
        return Issue(
            key="node_too_old" if older else "node_too_new",
            placeholders={**told, "ours": str(PROTOCOL)},
            severity=ir.IssueSeverity.ERROR,
        )
    if async_entry_of(hass, told["id"]) is not None:
        return None  # two nodes of ours have changed places; their announcements sort that out
    return Issue(
        key="new_identity",
        placeholders={
            "title": entry.title,
            "host": f"{entry.data[CONF_HOST]}:{entry.data[CONF_PORT]}",
            "name": told["name"],
        },
        fix={"entry_id": entry.entry_id},
        severity=ir.IssueSeverity.ERROR,
    )


def _gone_units(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> dict[str, Issue]:
    """Return the units that a node did not offer any more when it last answered, by device."""
    entities = er.async_get(hass)
    return {
        device.id: Issue(
            key="unit_gone",
            placeholders={
                "unit": device.name_by_user or device.name or "-",
                "node": entry.title,
            },
            fix={"entry_id": entry.entry_id, "device_id": device.id},
        )
        for device in dr.async_child_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if async_may_remove(entry, device) and er.async_entries_for_device(entities, device.id)
    }


def _gone_choices(hass: HomeAssistant, entry: WyomingUnitsConfigEntry) -> dict[str, Issue]:
    """Return the models and voices that the user chose and the node has no more, by program."""
    info = entry.runtime_data.data
    titles = async_program_titles(hass, entry)
    return {
        f"{unit}_{program}": Issue(
            key="choice_gone",
            placeholders={
                "unit": titles[program_id(info.id, unit, program)],
                "node": entry.title,
                "choice": name,
            },
            fix={"entry_id": entry.entry_id, "unit": unit, "program": program},
        )
        for unit, program, name in gone_choices(entry, info)
    }


def _gone_choices_of_personas(entry: WyomingUnitsConfigEntry) -> dict[str, Issue]:
    """Return the models and voices of personas and AI tasks that the node has no more."""
    info = entry.runtime_data.data
    made = [
        *entry.get_subentries_of_type(SUBENTRY_CONVERSATION),
        *entry.get_subentries_of_type(SUBENTRY_AI_TASK),
    ]
    issues: dict[str, Issue] = {}
    for unit, option in (("llm", CONF_MODEL), ("tts", CONF_VOICE)):
        there = {name for program in info.programs(unit) for name in titles_of(program)}
        chosen = ((each, name) for each in made if (name := each.data.get(option)) is not None)
        issues |= {
            f"{each.subentry_id}_{option}": Issue(
                key="persona_model_gone" if option == CONF_MODEL else "persona_voice_gone",
                placeholders={"persona": each.title, "node": entry.title, "choice": name},
            )
            for each, name in chosen
            if there and name not in there
        }
    return issues


def _camera_troubles(entry: WyomingUnitsConfigEntry) -> dict[str, Issue]:
    """Return what is wrong with cameras that are watched, by subentry."""
    troubles = (
        (watch, trouble)
        for watch in entry.runtime_data.watches.values()
        if (trouble := watch.trouble) is not None
    )
    return {
        watch.subentry_id: Issue(
            key=trouble.key,
            placeholders={"camera": watch.title, "node": entry.title, "text": trouble.text},
        )
        for watch, trouble in troubles
    }


def _dead_references(hass: HomeAssistant) -> dict[str, Issue]:
    """Return what pipelines lack because they refer to entities that do not exist."""
    issues: dict[str, Issue] = {}
    replaced: dict[str, list[tuple[str, str]]] = {}
    for dead in async_dead_references(hass):
        pipeline = dead.pipeline
        if (found := async_replacement(hass, pipeline, dead.field)) is None:
            issues[f"{pipeline.id}_{dead.field}"] = Issue(
                key=f"stage_missing_{ENGINES[dead.field]}",
                placeholders={"pipeline": pipeline.name, "language": pipeline.language},
            )
            continue
        pairs = replaced.setdefault(pipeline.id, [])
        pairs.append((dead.entity_id, str(found[dead.field])))
        issues[pipeline.id] = Issue(
            key="missing_engine",
            placeholders={
                "pipeline": pipeline.name,
                "missing": ", ".join(old for old, _ in pairs),
                "replacement": ", ".join(new for _, new in pairs),
            },
            fix={"pipeline_id": pipeline.id},
            severity=ir.IssueSeverity.ERROR,
        )
    return issues


def _wanted_pipelines(hass: HomeAssistant) -> dict[str, Issue]:
    """Return what keeps pipelines from being made that the user said yes to."""
    issues = {}
    for entry in async_wanted_pipelines(hass):
        plan = async_plan_pipeline(hass, async_nodes_in_reach(hass, entry.runtime_data.data))
        for platform in plan.missing:
            issues[f"{entry.entry_id}_{platform}"] = Issue(
                key=f"stage_missing_{platform}",
                placeholders={"pipeline": NAME, "language": plan.language},
            )
    return issues


@callback
def _publish(hass: HomeAssistant, group: str, issues: Mapping[str, Issue]) -> None:
    """Let `issues`, by what tells them apart, be all the issues of a group."""
    wanted = {f"{group}_{name}".removesuffix("_"): issue for name, issue in issues.items()}
    for domain, issue_id in [*ir.async_get(hass).issues]:
        if domain == DOMAIN and issue_id.startswith(group) and issue_id not in wanted:
            ir.async_delete_issue(hass, domain, issue_id)
    for issue_id, issue in wanted.items():
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue_id,
            data=dict(issue.fix) or None,
            is_fixable=bool(issue.fix),
            learn_more_url=LEARN_MORE,
            severity=issue.severity,
            translation_key=issue.key,
            translation_placeholders=dict(issue.placeholders),
        )
