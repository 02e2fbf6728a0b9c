"""Images, compose files and the add-on fit each other and the package."""

from __future__ import annotations

import importlib.util
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.dockerfile import Stage, stages
from wyoming_units.config import NodeConfig, load_config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker/Dockerfile"
ADDON = ROOT / "addon"
COMPOSE = sorted((ROOT / "docker").glob("compose.*.yaml"))
TARGETS = ("embedded", "cpu", "cuda", "ax630c")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture
def images() -> dict[str, Stage]:
    return stages(DOCKERFILE)


def tool(name: str) -> str:
    """Return a linter beside this Python or on the path; skip where there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def services(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["services"]
    return found


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> NodeConfig:
    """Return what a node makes of its environment, `${NAME:-default}` as its default."""
    for name, value in environment.items():
        filled = value.partition(":-")[2].removesuffix("}") if value.startswith("${") else value
        monkeypatch.setenv(name, filled)
    known = {f"WYOMING_UNITS_{key.upper()}" for key in NodeConfig.model_fields}
    for name in environment:
        assert not name.startswith("WYOMING_UNITS_") or name.split("__")[0] in known, name
    return load_config()


# --- images -------------------------------------------------------------------------------------------------------


def test_every_target_runs_serve_as_a_user_without_rights(images: dict[str, Stage]) -> None:
    node = images["node"]
    assert node.last("ENTRYPOINT").words == ["wyoming-units"]
    assert node.last("CMD").words == ["serve"]
    assert node.last("VOLUME").words == ["/data"]
    for target in TARGETS:
        assert images[target].base == "node"
        users = [step.rest for step in (*node.steps, *images[target].steps) if step.word == "USER"]
        assert users[-1] == "10600:10600", target


def test_the_last_stage_is_what_is_built_without_a_target(images: dict[str, Stage]) -> None:
    assert list(images)[-1] == "cpu"


def test_the_health_check_is_a_module_of_the_package(images: dict[str, Stage]) -> None:
    check = json.loads(images["node"].last("HEALTHCHECK").rest.partition("CMD")[2])
    assert check[:2] == ["python", "-m"]
    assert importlib.util.find_spec(check[2]) is not None


def test_images_install_extras_that_there_are(images: dict[str, Stage]) -> None:
    for name, stage in images.items():
        for step in stage.steps:
            if step.word == "RUN" and "'.[" in step.rest:
                extras = step.rest.partition("'.[")[2].partition("]'")[0].split(",")
                assert set(extras) <= PROJECT["optional-dependencies"].keys(), name


def test_what_is_copied_is_there_and_reaches_the_build(images: dict[str, Stage]) -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line[:1] == "!"
    ]
    for stage in images.values():
        for step in stage.steps:
            if step.word == "COPY" and "from" in step.flags:
                assert step.flags["from"] in images
            elif step.word == "COPY":
                for source in step.words[:-1]:
                    assert (ROOT / source).exists(), source
                    assert source in kept, f"{source} is left out by .dockerignore"


@pytest.mark.parametrize("target", TARGETS)
def test_the_environment_of_an_image_is_understood_by_the_node(
    images: dict[str, Stage], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [
        pair.split("=", 1)
        for step in (*images["node"].steps, *images[target].steps)
        if step.word == "ENV"
        for pair in step.words
    ]
    ours = {name: value for name, value in pairs if name.startswith("WYOMING_UNITS_")}
    assert settings_of(ours, monkeypatch).data_dir == Path("/data")


@pytest.mark.parametrize("path", [DOCKERFILE, ADDON / "Dockerfile"], ids=["docker", "addon"])
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    # Debian's packages are those of its release; the versions of ours are in constraints.txt.
    ignored = ("--ignore", "DL3008", "--ignore", "DL3013")
    done = subprocess.run(
        [tool("hadolint"), *ignored, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


# --- compose ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_services_have_no_rights_write_to_their_volume_alone_and_can_be_found(path: Path) -> None:
    for name, service in services(path).items():
        assert service["read_only"] is True, name
        assert service["tmpfs"] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert service["network_mode"] == "host"
        assert "data:/data" in service["volumes"]
        assert service.get("user") is None or path.name == "compose.ax630c.yaml"


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_services_build_targets_that_there_are(path: Path, images: dict[str, Stage]) -> None:
    for service in services(path).values():
        build = service["build"]
        target = build["target"].replace("${TARGET:-cpu}", "cpu")
        assert target in TARGETS
        assert images[target].base == "node"
        assert (path.parent / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
        assert service["image"].replace("${TARGET:-cpu}", "cpu") == f"wyoming-units:{target}"


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_services_are_configured_with_settings_that_there_are(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in services(path).values():
        with monkeypatch.context() as patch:
            assert settings_of(service["environment"], patch).name.startswith("Wyoming Units")


def test_two_hosts_share_the_units_of_one_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = []
    for service in services(ROOT / "docker/compose.split.yaml").values():
        assert len(service["profiles"]) == 1
        with monkeypatch.context() as patch:
            kinds += settings_of(service["environment"], patch).units
    assert sorted(kinds) == ["llm", "stt", "tts", "wake"]


# --- the add-on ---------------------------------------------------------------------------------------------------


@pytest.fixture
def addon() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ADDON / "config.yaml").read_text("utf-8"))
    return found


@pytest.fixture
def start() -> SimpleNamespace:
    """The script that starts the node."""
    return SimpleNamespace(**runpy.run_path(str(ADDON / "run")))


def test_the_add_on_is_of_the_version_of_the_package(addon: dict[str, Any]) -> None:
    assert addon["version"] == PROJECT["version"]
    arguments = [
        step.rest for step in stages(ADDON / "Dockerfile")["0"].steps if step.word == "ARG"
    ]
    assert f"BUILD_VERSION={PROJECT['version']}" in arguments


def test_the_supervisor_finds_one_add_on_in_the_repository() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tracked.returncode:
        pytest.skip("no git checkout")
    names = [Path(name) for name in tracked.stdout.splitlines()]
    assert [
        name
        for name in names
        if name.stem == "config" and name.suffix in {".json", ".yaml", ".yml"}
    ] == [Path("addon/config.yaml")]
    assert yaml.safe_load((ROOT / "repository.yaml").read_text("utf-8"))["name"]


def test_every_option_has_a_text_and_an_effect(
    addon: dict[str, Any], start: SimpleNamespace
) -> None:
    texts = yaml.safe_load((ADDON / "translations/en.yaml").read_text("utf-8"))["configuration"]
    assert texts.keys() == addon["schema"].keys() == {*start.SETTINGS, "models", "log_level"}
    assert all(text["name"] and text["description"] for text in texts.values())
    assert addon["options"].keys() <= addon["schema"].keys()


def test_options_become_settings_of_the_node(
    start: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "voices").mkdir()
    options = {
        "name": "Hall",
        "units": ["stt", "tts=espeak"],
        "llm_url": "http://192.168.1.20:8080",
        "llm_token": "secret",
        "stackflow": "192.168.1.30",
        "keep_alive": 60,
    }
    settings = settings_of(start.environment(options, tmp_path), monkeypatch)
    assert settings.name == "Hall"
    assert settings.units == ["stt", "tts=espeak"]
    assert settings.engines == {"openai": {"url": "http://192.168.1.20:8080", "token": "secret"}}
    assert settings.stackflow == "192.168.1.30"
    assert settings.keep_alive == 60
    assert settings.voices == tmp_path / "voices"
    assert settings.words == Path("/data/wake-words")


def test_options_that_are_empty_leave_the_nodes_own_defaults(
    addon: dict[str, Any], start: SimpleNamespace, tmp_path: Path
) -> None:
    assert start.environment(addon["options"], tmp_path) == {"WYOMING_UNITS_DATA_DIR": "/data"}


def test_settings_of_the_add_ons_folder_are_read(start: SimpleNamespace, tmp_path: Path) -> None:
    serve = ["wyoming-units", "serve", "--log-level", "debug"]
    assert start.command({"log_level": "debug"}, tmp_path) == serve
    (tmp_path / "node.yaml").write_text("port: 10600\n")
    assert start.command({"log_level": "debug"}, tmp_path) == [
        *serve,
        "--config",
        str(tmp_path / "node.yaml"),
    ]
