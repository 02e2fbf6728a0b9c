"""Settings come from the call, the environment and the file, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from wyoming_units.config import load_config, read_home
from wyoming_units.engines import create_engine
from wyoming_units.engines.base import WakeSettings
from wyoming_units.errors import BadRequest


def test_the_call_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("name: file\nhost: 127.0.0.1\nport: 1\nunits: [stt]\n")
    monkeypatch.setenv("WYOMING_UNITS_PORT", "2")
    monkeypatch.setenv("WYOMING_UNITS_NAME", "environment")
    config = load_config(path, name="call", home=None)
    assert (config.name, config.port, config.host, config.units) == (
        "call",
        2,
        "127.0.0.1",
        ["stt"],
    )


def test_without_a_file_the_defaults_hold() -> None:
    config = load_config()
    assert (config.port, config.host, config.advertise) == (10600, "0.0.0.0", ["units"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: 70000", "setting port"),
        ("prot: 1", "setting prot"),
        ("advertise: [everything]", "setting advertise"),
        ("limits: {connections: -1}", "setting limits.*must not be negative"),
        ("limits: {colour: 1}", "setting limits.colour"),
        ("wake_words: {okay_nabu: {loudness: 1}}", "setting wake_words.okay_nabu.loudness"),
        ("port: {", "no YAML"),
        ("- port", "holds no settings"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(text)
    with pytest.raises(BadRequest, match=message):
        load_config(path)


def test_limits_and_wake_words_are_settings_with_environment_twins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(
        "limits: {connections: 10, idle: 20}\nwake_words: {okay_nabu: {threshold: 0.7}}\n"
    )
    monkeypatch.setenv("WYOMING_UNITS_LIMITS__CONNECTIONS", "600")
    config = load_config(path)
    assert (config.limits.connections, config.limits.idle, config.limits.pending) == (600, 20, 16)
    assert config.wake_words == {"okay_nabu": WakeSettings(threshold=0.7)}
    monkeypatch.setenv("WYOMING_UNITS_WAKE_WORDS", '{"alexa": {"refractory": 3}}')
    assert load_config().wake_words == {"alexa": WakeSettings(refractory=3)}


def test_a_missing_settings_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot read"):
        load_config(tmp_path / "none.yaml")


def test_a_home_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "home.yaml"
    path.write_text("areas:\n  - {name: Küche}\n", "utf-8")
    assert read_home(path).areas[0].name == "Küche"


@pytest.mark.parametrize("content", [b"areas: {", b"\xff\xfe", b"areas: 3"])
def test_a_wrong_home_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "home.yaml"
    path.write_bytes(content)
    with pytest.raises(BadRequest):
        read_home(path)


def test_a_missing_home_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot read"):
        read_home(tmp_path / "none.yaml")


def test_options_of_engines_from_the_environment_have_their_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WYOMING_UNITS_ENGINES__OPENAI__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("WYOMING_UNITS_ENGINES__OPENAI__PARALLEL", "8")
    monkeypatch.setenv("WYOMING_UNITS_ENGINES__OPENAI__TOOLS", "false")
    monkeypatch.setenv("WYOMING_UNITS_ENGINES__OPENAI__TOKEN", "12345")
    engine = create_engine("openai", **load_config().engines["openai"])
    assert engine.info.parallel == 8
    assert not engine.info.models[0].supports_tools
    with pytest.raises(BadRequest, match=r"engine openai, option retries: .*integer"):
        create_engine("openai", url="http://127.0.0.1:1", retries="often")
