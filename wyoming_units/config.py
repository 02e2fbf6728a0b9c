"""Settings of a node: `node.yaml`, each key with an environment twin `WYOMING_UNITS_<KEY>`."""

from __future__ import annotations

import os
import socket
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from wyoming_units.chat.options import ChatOptions
from wyoming_units.engines.base import WakeSettings
from wyoming_units.errors import BadRequest
from wyoming_units.profiles import PROFILES, Profile, ProfileName
from wyoming_units.speech.endpoint import TurnOptions
from wyoming_units.speech.home import Home
from wyoming_units.speech.speaking import SpeakingOptions
from wyoming_units.stackflow.address import parse_address
from wyoming_units.stackflow.module import ModuleAt
from wyoming_units.video.addresses import Allowed
from wyoming_units.wire.client import DEFAULT_PORT
from wyoming_units.wire.limits import Limits


def _data_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "wyoming-units"


class NodeConfig(BaseSettings):
    """What a node is called, where it listens and what it runs."""

    model_config = SettingsConfigDict(
        env_prefix="WYOMING_UNITS_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    name: str = Field(default_factory=lambda: f"Wyoming Units on {socket.gethostname()}")
    """Shown in Home Assistant."""
    data_dir: Path = Field(default_factory=_data_folder)
    """Holds the node's id."""
    host: str = "0.0.0.0"
    """Address to listen on; the default is every IPv4 interface."""
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    """TCP port; 0 lets the system choose."""
    profile: ProfileName = ""
    """What to run by default, by kind of machine; empty: the best of whatever is installed."""
    stackflow: str = ""
    """A module with M5Stack's own software that runs engines too: `HOST[:PORT]`, `serial:DEVICE[@BAUD]`."""
    units: list[str] = []
    """`KIND[=ENGINE[:MODEL]]`, several of a kind too; empty: every unit, with the best that is installed."""
    engines: dict[str, dict[str, Any]] = {}
    """What engines are constructed with, by their names: the keyword arguments of their classes."""
    models_dir: Path | None = None
    """Folder of pulled models; default: `models` in `data_dir`."""
    voices_dir: Path | None = None
    """Folder of Piper voices (`.onnx` with its `.onnx.json`), looked at again and again; default: `voices`."""
    words_dir: Path | None = None
    """Folder of wake word models (openWakeWord `.tflite`, `.onnx`; microWakeWord `.json`); default: `wake-words`."""
    speakers_dir: Path | None = None
    """Folder of people's voices, `NAME/*.wav`; default: `speakers`."""
    keep_alive: float | None = Field(default=None, gt=0)
    """Seconds without use after which a model leaves the memory; empty: it stays."""
    wake_words: dict[str, WakeSettings] = {}
    """How easily a wake word is heard, by its name; with a keyword spotting model any phrase is a name."""
    turn: dict[str, float] = {}
    """Fields of `TurnOptions`, in seconds, for clients that ask for nothing else."""
    speaking: SpeakingOptions = SpeakingOptions()
    """Pace and bounds of speech."""
    chat: ChatOptions = ChatOptions()
    """Who the language model is for plain Wyoming clients."""
    cameras: Allowed = Allowed()
    """Cameras that may be opened besides those in private networks."""
    limits: Limits = Limits()
    """What clients may send, and how many there may be."""
    advertise: list[Literal["units", "wyoming"]] = ["units"]
    """Zeroconf types to announce."""
    home: Path | None = None
    """YAML in the shape of `context.home`, for clients that send none."""

    @property
    def models(self) -> Path:
        """Return the folder of pulled models."""
        return self.models_dir or self.data_dir / "models"

    @property
    def voices(self) -> Path:
        """Return the folder of Piper voices."""
        return self.voices_dir or self.data_dir / "voices"

    @property
    def words(self) -> Path:
        """Return the folder of wake word models."""
        return self.words_dir or self.data_dir / "wake-words"

    @property
    def speakers(self) -> Path:
        """Return the folder of people's voices."""
        return self.speakers_dir or self.data_dir / "speakers"

    @property
    def defaults(self) -> Profile:
        """Return the defaults of the profile."""
        return PROFILES[self.profile]

    @property
    def module(self) -> ModuleAt | None:
        """Return the module that runs engines, None where there is none."""
        where = self.stackflow or self.defaults.module
        if not where:
            return None
        return ModuleAt(address=parse_address(where), state=self.data_dir / "stackflow")

    @field_validator("stackflow")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            try:
                parse_address(value)
            except BadRequest as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("turn")
    @classmethod
    def _known_turn(cls, value: dict[str, float]) -> dict[str, float]:
        known = {option.name for option in fields(TurnOptions)}
        if unknown := sorted(value.keys() - known):
            raise ValueError(f"no {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
        return value


def load_config(path: Path | None = None, **overrides: Any) -> NodeConfig:
    """Return the settings: overrides, then environment, then file; `BadRequest` says what is wrong."""
    written = _read_yaml(path) if path else {}
    if not isinstance(written, dict):
        raise BadRequest(f"{path} holds no settings")

    class FromFile(NodeConfig):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, written)

    try:
        return FromFile(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"setting {where}: {first['msg']}") from None


def read_home(path: Path) -> Home:
    """Return the home of a YAML file in the shape of `context.home`; `BadRequest`."""
    return Home.from_dict(_read_yaml(path))


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except OSError as err:
        raise BadRequest(f"cannot read {path}: {err.strerror}") from err
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadRequest(f"{path} is no YAML") from None
