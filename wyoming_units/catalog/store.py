"""The models on this machine: one folder each, with a receipt that says what it is."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from wyoming_units.catalog.library import Catalogue
from wyoming_units.catalog.local import LocalModel
from wyoming_units.catalog.manifest import Kind, Source, Target
from wyoming_units.errors import UnknownModel

_LOG = logging.getLogger(__name__)

RECEIPT = "receipt.json"
PARTIAL = ".partial"
"""Folder beside the models in which pulls are prepared."""


class StoredFile(BaseModel):
    """A file of a model as it was when it came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Relative to the model's folder."""
    size: int
    sha256: str


class Receipt(BaseModel):
    """What was pulled: enough to use and check a model without the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    target: Target
    engines: tuple[str, ...]
    """Engines that can load it, the intended one first."""
    options: dict[str, Any]
    languages: tuple[str, ...]
    description: str
    author: str
    upstream: str
    license: str
    source: Source
    revision: str = ""
    """Exact commit or version that the source had."""
    files: tuple[StoredFile, ...]
    pulled: datetime

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return sum(file.size for file in self.files)

    def local(self, folder: Path) -> LocalModel:
        """Return it as an engine gets it, `folder` being where it is."""
        only = len(self.files) == 1
        return LocalModel(
            name=self.name,
            path=folder / self.files[0].name if only else folder,
            languages=self.languages,
            description=self.description,
            author=self.author,
            upstream=self.upstream,
            options=self.options,
        )


def read_receipt(folder: Path) -> Receipt | None:
    """Return the receipt of a model's folder, None where there is none that can be read."""
    path = folder / RECEIPT
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError):
        _LOG.warning("%s cannot be read; the model is left out", path)
        return None


def installed(models_dir: Path) -> list[Receipt]:
    """Return what was pulled into a folder, by name; needs no network and no catalogue."""
    if not models_dir.is_dir():
        return []
    folders = sorted(path for path in models_dir.iterdir() if path.name[0] != ".")
    found = ((folder.name, read_receipt(folder)) for folder in folders)
    return [receipt for name, receipt in found if receipt is not None and receipt.name == name]


def local_models(
    models_dir: Path, usable: Callable[[str], bool] = lambda _engine: True
) -> dict[str, list[LocalModel]]:
    """Return the installed models by engine, each under the first of its engines that is usable.

    The model that was pulled last, which is what its user wants now, comes first.
    """
    found: dict[str, list[LocalModel]] = {}
    for receipt in sorted(installed(models_dir), key=lambda one: one.pulled, reverse=True):
        engine = next(filter(usable, receipt.engines), None)
        if engine is not None:
            found.setdefault(engine, []).append(receipt.local(models_dir / receipt.name))
    return found


def resolve(text: str, engine: str, models_dir: Path) -> LocalModel:
    """Return the model that a user means: an installed one by name or alias, else a path.

    `UnknownModel` says what to do.
    """
    receipts = {receipt.name.lower(): receipt for receipt in installed(models_dir)}
    receipt = receipts.get(text.lower())
    if receipt is None:
        try:
            known = Catalogue(models_dir).find(text)
        except UnknownModel:
            return _at(Path(text).expanduser(), text)
        receipt = receipts.get(known.name.lower())
        if receipt is None:
            raise UnknownModel(
                f"model {known.name} is not installed: wyoming-units models pull {known.name}"
            )
    if engine not in receipt.engines:
        raise UnknownModel(f"{receipt.name} is a model for {receipt.engines[0]}, not {engine}")
    return receipt.local(models_dir / receipt.name)


def _at(path: Path, text: str) -> LocalModel:
    if not path.exists():
        raise UnknownModel(f"no model {text!r}: neither a file nor a name of the catalogue")
    receipt = read_receipt(path)
    if receipt is not None:
        return receipt.local(path)
    plain = path.resolve()
    return LocalModel(name=plain.name if plain.is_dir() else plain.stem, path=path)


def remove(name: str, models_dir: Path) -> Receipt:
    """Delete an installed model, and what an unfinished pull of it left; `UnknownModel`."""
    receipt = next((one for one in installed(models_dir) if one.name.lower() == name.lower()), None)
    if receipt is None:
        raise UnknownModel(f"model {name} is not installed")
    trash = models_dir / PARTIAL / f"{receipt.name}.removed"
    trash.parent.mkdir(exist_ok=True)
    shutil.rmtree(trash, ignore_errors=True)
    (models_dir / receipt.name).rename(trash)  # at once, so that nobody meets half a model
    shutil.rmtree(trash)
    shutil.rmtree(models_dir / PARTIAL / receipt.name, ignore_errors=True)
    return receipt
