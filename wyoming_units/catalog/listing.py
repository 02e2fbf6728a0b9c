"""Ask where a model comes from for what only the source knows: names, sizes, hashes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from posixpath import join
from urllib.parse import quote
from urllib.request import Request, urlopen

from wyoming_units.catalog.archive import safe_name
from wyoming_units.catalog.fetch import TIMEOUT, PullFailed
from wyoming_units.catalog.manifest import DebSource, HubSource
from wyoming_units.catalog.plan import Download, Plan, hub_endpoint, hub_url, is_pattern

_LONGEST_INDEX = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is to be downloaded, now known exactly."""

    downloads: tuple[Download, ...]
    revision: str = ""
    """Commit or version that the downloads are of."""
    headers: Mapping[str, str]
    """To be sent with each request."""


def ask(plan: Plan) -> Listing:
    """Return the final downloads of a plan; `PullFailed` where the source lacks them."""
    source = plan.variant.source
    if isinstance(source, HubSource):
        return _ask_hub(source)
    if isinstance(source, DebSource):
        return _ask_index(source, plan.downloads[0])
    return Listing(downloads=plan.downloads, headers={})


def _ask_hub(source: HubSource) -> Listing:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    hub = HfApi(endpoint=hub_endpoint())
    try:
        commit = hub.model_info(source.hub, revision=source.revision, timeout=TIMEOUT).sha or ""
        listed = hub.list_repo_tree(
            source.hub, source.folder or None, recursive=True, revision=commit
        )
        there = [file for file in listed if isinstance(file, RepoFile)]
    except Exception as err:  # its HTTP client, and so its errors, differ by release
        line = next(iter(str(err).strip().splitlines()), type(err).__name__)
        raise PullFailed(f"cannot list {source.hub} at {hub_endpoint()}: {line}") from err
    start = f"{source.folder}/" if source.folder else ""
    downloads = tuple(
        Download(
            url=hub_url(source, file.path, commit),
            name=safe_name(file.path[len(start) :]),
            size=file.size,
            sha256=file.lfs.sha256 if file.lfs else None,
        )
        for file in there
        if file.path.startswith(start)
        and any(fnmatchcase(file.path[len(start) :], pattern) for pattern in source.files)
    )
    names = {download.name for download in downloads}
    for file in source.files:
        if not (is_pattern(file) and names) and file not in names:
            raise PullFailed(f"{source.hub} has no file {join(source.folder, file)}")
    return Listing(downloads=downloads, revision=commit, headers=_authorization())


def _authorization() -> dict[str, str]:
    """Return the header that opens repositories which ask their users to log in."""
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _ask_index(source: DebSource, download: Download) -> Listing:
    try:
        with urlopen(Request(source.index), timeout=TIMEOUT) as response:
            text = response.read(_LONGEST_INDEX).decode("utf-8", "replace")
    except OSError as err:
        raise PullFailed(f"cannot read {source.index}: {err}") from err
    found: dict[str, dict[str, str]] = {}
    for package in _stanzas(text):
        if package.get("package") == source.deb and "filename" in package:
            found[package.get("version", "")] = package
    for version, package in found.items():
        if version == source.version or version.startswith(f"{source.version}-"):
            final = replace(
                download,
                url=f"{source.repository.rstrip('/')}/{quote(package['filename'])}",
                size=int(package["size"]) if package.get("size", "").isdigit() else None,
                sha256=package.get("sha256", "").lower() or None,
            )
            return Listing(downloads=(final,), revision=version, headers={})
    there = f"only {', '.join(sorted(found))}" if found else "nothing of that name"
    raise PullFailed(f"{source.repository} has no {source.deb} {source.version}, {there}")


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the packages of an index (deb822), keys in lower case, first lines of values."""
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = (line.partition(":") for line in block.splitlines() if line[:1].strip())
        yield {key.lower(): value.strip() for key, colon, value in lines if colon}
