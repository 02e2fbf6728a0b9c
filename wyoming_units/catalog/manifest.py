"""A model's manifest: one TOML file that says what it is, what it costs and where its files are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from wyoming_units.errors import UnitError, Unsupported

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Kind = Literal[
    "wake",
    "stt",
    "tts",
    "vad",
    "turn",
    "speaker",
    "punctuation",
    "llm",
    "vlm",
    "vision",
    "depth",
]
Target = Literal["cpu", "cuda", "ax630c", "stackflow"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(gt=0)]

ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")
"""Endings of the files that are unpacked."""
M5STACK = "https://repo.llm.m5stack.com/m5stack-apt-repo"


def _inside(path: str) -> str:
    """Return a relative path that stays where it is put, or fail."""
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} leads out of the model's folder")
    return path.rstrip("/")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Files(_Part):
    folder: str = ""
    """Where the model's files are in the source; taken off their names."""
    files: tuple[Text, ...] = ("*",)
    """Names or patterns, relative to `folder`; `*` goes over slashes too."""

    @field_validator("folder")
    @classmethod
    def _folder_inside(cls, folder: str) -> str:
        return _inside(folder)

    @field_validator("files")
    @classmethod
    def _files_inside(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if not files:
            raise ValueError("names no file")
        return tuple(_inside(file) for file in files)


class HubSource(_Files):
    """Files of a Hugging Face repository."""

    hub: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    """Owner and name."""
    revision: Text = "main"


class UrlSource(_Files):
    """A file, or an archive whose files are the model."""

    url: Url
    sha256: Sha256 | None = None
    """Of what is downloaded, not of what is in it."""
    size: Size | None = None
    """Exact number of bytes that are downloaded."""
    beside: tuple[Url, ...] = ()
    """Files from elsewhere that belong into the model's folder."""

    @property
    def archive(self) -> bool:
        """Return whether it is to be unpacked."""
        return self.url.lower().endswith(ARCHIVES)


class DebSource(_Files):
    """A Debian package; its repository's index knows file, size and hash."""

    deb: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
    version: Text
    """Without the Debian revision."""
    repository: Url = M5STACK
    suite: Text = "jammy"
    component: Text = "ax630c"
    architecture: Text = "arm64"

    @property
    def index(self) -> str:
        """Return the address of the list of packages."""
        where = f"{self.component}/binary-{self.architecture}/Packages"
        return f"{self.repository.rstrip('/')}/dists/{self.suite}/{where}"


def _which(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    found = [key for key in ("hub", "url", "deb") if key in keys]
    return found[0] if len(found) == 1 else None


Source = Annotated[
    Annotated[HubSource, Tag("hub")]
    | Annotated[UrlSource, Tag("url")]
    | Annotated[DebSource, Tag("deb")],
    Discriminator(
        _which,
        custom_error_type="source",
        custom_error_message="needs exactly one of hub, url, deb",
    ),
]


class Variant(_Part):
    """What a model is on a kind of machine."""

    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    engine: Name
    """The engine that it is made for."""
    also: tuple[Name, ...] = ()
    """Other engines that can load the same files."""
    options: dict[str, Any] = {}
    """Handed to the engine."""
    size: Size | None = None
    """Where it differs from the manifest's."""
    source: Source

    @property
    def engines(self) -> tuple[str, ...]:
        """Return all engines that can load it, the intended one first."""
        return (self.engine, *self.also)

    @property
    def on_module(self) -> str:
        """Return the package to install on a module whose own software runs it, empty where that is us."""
        deb = self.source.deb if isinstance(self.source, DebSource) else ""
        return deb if self.engine.startswith("stackflow-") else ""


class Manifest(_Part):
    """A model of the catalogue."""

    name: Name
    aliases: tuple[Name, ...] = ()
    """Other names that users know it by, such as StackFlow's mode."""
    kind: Kind
    languages: tuple[Text, ...] = ()
    """BCP 47 codes; empty where it knows none or all."""
    description: Text
    author: Text
    upstream: Url
    """Page of who made it."""
    license: Text
    """SPDX expression where there is one."""
    notice: str = ""
    """What its licence wants users to know; it is not downloaded before they agree."""
    size: Size
    """Bytes on disk of the first variant."""
    approximate: bool = False
    """Whether `size` is a rounded figure."""
    recommended: tuple[Target, ...] = ()
    """Kinds of machines that `pull recommended` brings it to."""
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _targets_once(self) -> Manifest:
        targets = [target for variant in self.variants for target in variant.targets]
        twice = {target for target in targets if targets.count(target) > 1}
        if twice:
            raise ValueError(f"more than one variant for {', '.join(sorted(twice))}")
        if "cpu" not in targets and (missing := set(self.recommended) - set(targets)):
            raise ValueError(f"recommended for {', '.join(sorted(missing))}, without a variant")
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return the kinds of machines that it is there for."""
        return tuple(target for variant in self.variants for target in variant.targets)

    @property
    def names(self) -> tuple[str, ...]:
        """Return its name and aliases."""
        return (self.name, *self.aliases)

    def variant(self, target: Target) -> Variant:
        """Return what runs on a kind of machine; `Unsupported` where nothing does."""
        for variant in self.variants:
            if target in variant.targets:
                return variant
        raise Unsupported(
            f"{self.name} is not there for {target}, only for: {', '.join(self.targets)}"
        )

    def bytes(self, target: Target) -> int:
        """Return about how much room it takes on a kind of machine."""
        return self.variant(target).size or self.size


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a TOML file; `UnitError` names the file and the key that is wrong."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as err:
        raise UnitError(f"cannot read {path}: {err.strerror}") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise UnitError(f"{path} is no TOML: {err}") from None
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UnitError(
            f"{path}: {key}: {first['msg']}" if key else f"{path}: {first['msg']}"
        ) from None
