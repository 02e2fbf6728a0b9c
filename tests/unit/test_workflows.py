"""The workflows of the public repository: what they call is there, and they may do no more than they need."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yml"))
}
# Their owners publish branches only.
UNTAGGED = {"hacs/action@main", "home-assistant/actions/hassfest@master"}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


def jobs(workflow: str) -> Iterator[dict[str, Any]]:
    yield from WORKFLOWS[workflow]["jobs"].values()


def steps(workflow: str, key: str) -> list[str]:
    return [step[key] for job in jobs(workflow) for step in job["steps"] if key in step]


def commands(workflow: str) -> Iterator[str]:
    """Yield what is run, the rows of a matrix put in."""
    yield from steps(workflow, "run")
    for job in jobs(workflow):
        yield from (
            row["run"] for row in job.get("strategy", {}).get("matrix", {}).get("include", [])
        )


def test_all_that_is_wanted_is_there() -> None:
    actions = {action for workflow in WORKFLOWS for action in steps(workflow, "uses")}
    assert actions >= UNTAGGED
    ran = {command for workflow in WORKFLOWS for command in commands(workflow)}
    assert ran >= {"script/lint", "script/test", "script/test --all", "script/package"}


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_scripts_that_are_run_exist_and_can_be_run(workflow: str) -> None:
    for command in commands(workflow):
        for script in re.findall(r"\bscript/[\w-]+", command):
            assert os.access(ROOT / script, os.X_OK), script
        for path in re.findall(r"\bcustom_components/[\w/.]+", command):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_actions_are_pinned_to_a_major_version(workflow: str) -> None:
    for action in steps(workflow, "uses"):
        assert action in UNTAGGED or re.fullmatch(r"actions/[\w-]+@v\d+", action), action


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_may_only_read_unless_a_job_says_what_else(workflow: str) -> None:
    assert WORKFLOWS[workflow]["permissions"] in ({}, {"contents": "read"})
    may = [job["permissions"] for job in jobs(workflow) if "permissions" in job]
    assert may == ([{"contents": "write"}] if workflow == "release.yml" else [])


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_ends_and_does_not_run_beside_itself(workflow: str) -> None:
    assert "github.ref" in WORKFLOWS[workflow]["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 60 for job in jobs(workflow))


def test_a_release_carries_the_file_that_hacs_asks_for() -> None:
    assert WORKFLOWS["release.yml"][True] == {"release": {"types": ["published"]}}  # YAML: on
    name = yaml.safe_load((ROOT / "hacs.json").read_text("utf-8"))["filename"]
    assert any(f"dist/{name}" in command for command in commands("release.yml"))
