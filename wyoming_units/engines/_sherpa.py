"""What all engines on sherpa-onnx share: finding a model's files and family, its tokens, and what it says of itself.

Of a manifest's options it reads `family`, `files` (names by argument of the library's constructor), `arguments`
(more of those), `provider` and `threads`; all of them may be left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines._onnx_file import read_onnx
from wyoming_units.engines.base import Attribution, EngineInfo, Model, RecognitionRequest
from wyoming_units.errors import EngineFailed, UnknownModel

ENCODER, DECODER, JOINER = (("*encoder*.onnx",), ("*decoder*.onnx",), ("*joiner*.onnx",))
MODEL = ("model.*onnx", "model*.onnx", "*.onnx")
_SAME = {"nb": "no", "cmn": "zh", "fil": "tl", "iw": "he", "jv": "jw"}
"""Languages that models know by another code."""
_DURATIONS = 5
"""Outputs beside the tokens' that a NeMo transducer may have."""
_TOKENS = ("tokens.txt", "*tokens.txt")


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of network that sherpa-onnx runs, and how to tell it by its files."""

    factory: str
    """Constructor of the library's recogniser."""
    files: Mapping[str, Sequence[str]]
    """The constructor's arguments that are files, with their name patterns, the likelier first."""
    tokens: bool = True
    """Whether it needs tokens.txt too."""
    types: tuple[str, ...] = ()
    """Beginnings of `model_type` in the metadata of the first file, one of which it must have."""
    marks: tuple[str, ...] = ()
    """Keys in that metadata, one of which it must have."""
    without: tuple[str, ...] = ()
    """Keys that it must not have."""
    named: str = ""
    """A word of the model's name, for a family that nothing else tells."""
    sized_by: str | None = None
    """The file whose last axis has one number for each token."""
    alias: str = ""
    """A looser name, for manifests."""
    languages: tuple[str, ...] = ()
    """BCP 47 codes, where all models of the family have the same."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More arguments for the constructor."""


def ctc(**fields: Any) -> Family:
    """Return the row of a network of one file that writes a token, or none, for each frame."""
    return Family(files={"model": MODEL}, alias="ctc", **{"sized_by": "model", **fields})


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model's files, checked as far as they can be without loading them."""

    name: str
    """Of the family."""
    family: Family
    files: Mapping[str, Path]
    """By argument of the constructor, `tokens` among them."""
    metadata: Mapping[str, str]
    """Of the first file."""
    more: Mapping[str, Any]
    """Arguments that the model's manifest sets."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        files = {role: str(path) for role, path in self.files.items()}
        return {**files, **self.family.extra, **self.more}


def find_model(model: LocalModel, families: Mapping[str, Family]) -> Found:
    """Return the files of a model, of the family that its options name or else of the first that fits.

    `EngineFailed` names the file that is missing, cut off, or belongs to another model.
    """
    folder, only = _folder(model.path)
    wanted = str(model.options.get("family", "")).lower().replace("-", "_")
    rows = {
        name: row for name, row in families.items() if not wanted or wanted in (name, row.alias)
    }
    if not rows:
        raise EngineFailed(
            f"{model.name}: no family is called {wanted!r}; there are: {', '.join(families)}"
        )
    lacking: list[tuple[int, str]] = []
    unlike: dict[str, list[str]] = {}
    for name, row in rows.items():
        found = {role: _pick(folder, only, model, role, row.files[role]) for role in row.files}
        missing = [row.files[role][0] for role, path in found.items() if path is None]
        if missing:
            lacking.append((len(missing), f"{name} needs {' and '.join(missing)}"))
            continue
        files = {role: path for role, path in found.items() if path is not None}
        first = next(iter(files.values()))
        metadata = _metadata(first)
        by_name = wanted == name or row.named in str(folder).lower()
        if by_name and _fits(row, metadata):
            return _checked(model, name, row, folder, files, metadata)
        unlike.setdefault(first.name, []).append(name)
    what = [f"{file} is none of {', '.join(names)}" for file, names in unlike.items()]
    what += [told for _, told in sorted(lacking)[:1]]
    raise EngineFailed(f"{model.name}: no known kind of model in {folder}: {'; '.join(what)}")


def _folder(path: Path) -> tuple[Path, Path | None]:
    """Return the folder of a model, and its file where a single one was given."""
    if path.is_file():
        return path.parent, path
    if not path.is_dir():
        raise EngineFailed(f"there is no model at {path}")
    inside = list(path.iterdir())
    if len(inside) == 1 and inside[0].is_dir():  # as archives are often packed
        return inside[0], None
    return path, None


def _pick(
    folder: Path, only: Path | None, model: LocalModel, role: str, patterns: Sequence[str]
) -> Path | None:
    """Return the best file for a role: what the manifest says, else by name."""
    told = model.options.get("files", {}).get(role)
    if told is not None:
        return _existing(folder / told)
    if only is not None and role == "model":
        return only
    cpu = model.options.get("provider", "cpu") == "cpu"
    for pattern in patterns:
        # int8 is two to three times as fast as float32 on a CPU, and slower on a GPU.
        found = sorted(
            folder.glob(pattern),
            key=lambda path: (("int8" in path.name) != cpu, "fp16" in path.name, path.name),
        )
        if found:
            return found[0]
    return None


def _existing(path: Path) -> Path:
    if not path.exists():
        raise EngineFailed(f"{path} is missing")
    return path


def _metadata(path: Path) -> Mapping[str, str]:
    return read_onnx(path).metadata if path.suffix == ".onnx" else {}


def _fits(row: Family, metadata: Mapping[str, str]) -> bool:
    kind = metadata.get("model_type", "")
    return (
        (not row.types or kind.startswith(row.types))
        and (not row.marks or any(mark in metadata for mark in row.marks))
        and not any(mark in metadata for mark in row.without)
    )


def _checked(
    model: LocalModel,
    name: str,
    row: Family,
    folder: Path,
    files: dict[str, Path],
    metadata: Mapping[str, str],
) -> Found:
    summaries = {role: read_onnx(path) for role, path in files.items() if path.suffix == ".onnx"}
    if row.tokens:
        tokens = _pick(folder, None, model, "tokens", _TOKENS)
        if tokens is None:
            raise EngineFailed(f"{folder / 'tokens.txt'} is missing")
        files["tokens"] = tokens
        if row.sized_by in summaries:
            width = summaries[row.sized_by].width or 0
            durations = _DURATIONS if "pred_rnn_layers" in metadata else 0
            _check_tokens(tokens, files[row.sized_by], width - durations)
    return Found(
        name=name,
        family=row,
        files=files,
        metadata=metadata,
        more=model.options.get("arguments", {}),
    )


def _check_tokens(tokens: Path, weights: Path, width: int) -> None:
    # Lists may be longer than the network: some end with symbols for decoding graphs.
    last = max(read_tokens(tokens).values())
    if last + 1 < width:
        raise EngineFailed(
            f"{tokens} has {last + 1} tokens, but {weights.name} writes {width}:"
            " it is cut off or belongs to another model"
        )


def read_tokens(path: Path) -> dict[str, int]:
    """Return the numbers of the tokens; `EngineFailed` names the line that is none."""
    tokens: dict[str, int] = {}
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as err:
        raise EngineFailed(f"{path} cannot be read: {err}") from None
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        token, _, number = line.rstrip().rpartition(" ")
        if "\t" in line:
            token, _, number = line.rstrip().rpartition("\t")
        if not number.isdecimal():
            raise EngineFailed(f"{path}, line {at}: a token and its number are expected")
        tokens[token.strip() or " "] = int(number)
    if not tokens:
        raise EngineFailed(f"{path} is empty")
    return tokens


def runtime(model: LocalModel, threads: int | None, most: int) -> dict[str, Any]:
    """Return the arguments that say how a network is run; at most `most` threads if none are asked for."""
    count = threads or int(model.options.get("threads", 0)) or min(most, os.cpu_count() or 1)
    return {"num_threads": count, "provider": model.options.get("provider", "cpu")}


def construct(factory: Callable[..., Any], **arguments: Any) -> Any:
    """Return what one of the library's constructors makes; `EngineFailed` in one line."""
    try:
        return factory(**arguments)
    except (AssertionError, RuntimeError, TypeError, ValueError) as err:
        raise EngineFailed(f"sherpa-onnx: {' '.join(str(err).split())}") from err


def engine_info(
    name: str,
    model: LocalModel,
    *,
    languages: tuple[str, ...] = (),
    open_vocabulary: bool = False,
    parallel: int = 1,
) -> EngineInfo:
    """Return the info of an engine on sherpa-onnx with its one model."""
    return EngineInfo(
        name=name,
        description="sherpa-onnx",
        version=_version(),
        attribution=Attribution(name="k2-fsa", url="https://github.com/k2-fsa/sherpa-onnx"),
        models=(
            Model(
                name=model.name,
                languages=model.languages or languages,
                description=model.description or model.name,
                attribution=Attribution(name=model.author, url=model.upstream),
            ),
        ),
        open_vocabulary=open_vocabulary,
        parallel=parallel,
    )


def _version() -> str:
    try:
        return version("sherpa-onnx")
    except PackageNotFoundError:
        return ""


def check_request(model: Model, request: RecognitionRequest) -> None:
    """Raise `UnknownModel` for a model or language that is not this one's."""
    if request.model not in (None, model.name):
        raise UnknownModel(f"no model is called {request.model!r}; there is {model.name}")
    if request.language and model.languages:
        known = {primary(code) for code in model.languages}
        if primary(request.language) not in known:
            raise UnknownModel(
                f"{model.name} does not understand {request.language!r};"
                f" it understands: {', '.join(sorted(known))}"
            )


def primary(language: str) -> str:
    """Return the language of a BCP 47 code without region and script, by the name that models use."""
    code = re.split("[-_]", language, maxsplit=1)[0].lower()
    return _SAME.get(code, code)


def sentence(text: str) -> str:
    """Return a recognised text as it is written: many models know capital letters only."""
    text = " ".join(text.split())
    return text.lower() if text.isupper() else text
