"""What has to be downloaded for a model: worked out without network, completed when it is pulled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from posixpath import basename, join
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from wyoming_units.catalog.manifest import (
    DebSource,
    HubSource,
    Manifest,
    Target,
    UrlSource,
    Variant,
)


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file to get."""

    url: str
    name: str
    """Relative name: of the file in the model's folder, or of the package it is in."""
    size: int | None = None
    """Exact number of bytes; None where only the server knows."""
    sha256: str | None = None
    unpack: Literal["archive", "deb"] | None = None
    """How to get at the model's files, where it is not one of them itself."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is to be got for a model on a kind of machine."""

    manifest: Manifest
    target: Target
    variant: Variant
    downloads: tuple[Download, ...]
    complete: bool
    """Whether the downloads are final; otherwise a listing has to be asked for names, sizes and hashes."""


def plan(manifest: Manifest, target: Target) -> Plan:
    """Return what to download; `Unsupported` where the model is not there for the target."""
    variant = manifest.variant(target)
    source = variant.source
    if isinstance(source, HubSource):
        downloads = _hub(source)
    elif isinstance(source, DebSource):
        downloads = (_deb(source),)
    else:
        downloads = (_url(source), *(_file(url) for url in source.beside))
    return Plan(
        manifest=manifest,
        target=target,
        variant=variant,
        downloads=downloads,
        complete=isinstance(source, UrlSource),
    )


def hub_endpoint() -> str:
    """Return the address of Hugging Face, or of the mirror that the user has set."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def hub_url(source: HubSource, path: str, revision: str | None = None) -> str:
    """Return where a file of a repository is."""
    where = f"{source.hub}/resolve/{quote(revision or source.revision, safe='')}/{quote(path)}"
    return f"{hub_endpoint()}/{where}"


def is_pattern(file: str) -> bool:
    """Return whether a name stands for several files."""
    return any(sign in file for sign in "*?[")


def _hub(source: HubSource) -> tuple[Download, ...]:
    tree = f"{hub_endpoint()}/{source.hub}/tree/{quote(source.revision, safe='')}/{source.folder}"
    return tuple(
        Download(
            url=tree if is_pattern(file) else hub_url(source, join(source.folder, file)), name=file
        )
        for file in source.files
    )


def _url(source: UrlSource) -> Download:
    return Download(
        url=source.url,
        name=_name(source.url),
        size=source.size,
        sha256=source.sha256,
        unpack="archive" if source.archive else None,
    )


def _file(url: str) -> Download:
    return Download(url=url, name=_name(url))


def _name(url: str) -> str:
    return unquote(basename(urlsplit(url).path))


def _deb(source: DebSource) -> Download:
    name = f"{source.deb}_{source.version}_{source.architecture}.deb"
    return Download(url=source.index, name=name, unpack="deb")
