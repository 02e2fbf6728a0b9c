"""Which engines a node shall run: what the settings name, or the best of what is installed here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from wyoming_units.catalog.library import Catalogue
from wyoming_units.catalog.local import LocalModel
from wyoming_units.catalog.store import local_models, resolve
from wyoming_units.config import NodeConfig
from wyoming_units.engines import ENGINES, EngineRow, create_engine, default_engine
from wyoming_units.engines.base import Engine
from wyoming_units.errors import BadRequest, EngineFailed, UnknownModel, Unsupported
from wyoming_units.stackflow.listing import installed_modes
from wyoming_units.stackflow.modes import Mode

UNITS = ("stt", "wake", "tts", "intent", "llm", "vision")
HELPERS = ("vad", "turn", "speaker", "punctuation")
"""Kinds of engines that help the stt unit; one of each at most."""


_LASTING = ("wake", "vad")
"""Kinds that listen for long, of which a module serves one client at a time: engines here come first."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One engine that a node runs, and with what."""

    kind: str
    engine: str
    options: dict[str, Any] = field(default_factory=dict)
    """What the engine is constructed with."""
    files: tuple[tuple[str, int, int], ...] = ()
    """Path, time of change in ns and size of each file that it reads: a change makes it another place."""
    loads: bool = True
    """Whether it loads when the node starts, else with its first request."""
    named: bool = False
    """Whether the settings name this engine: a node does not start without it."""

    @property
    def key(self) -> str:
        """Return what tells it from every other place, now or after a change."""
        return repr((self.kind, self.engine, self.options, self.files))

    def create(self) -> Engine:
        """Construct the engine; a `UnitError` says why it cannot be."""
        return create_engine(self.engine, **self.options)


def places(config: NodeConfig) -> list[Place]:
    """Return the engines to run, the best of each kind first; reads the disk.

    `BadRequest`, `Unsupported`, `UnknownModel` for settings that cannot be met.
    """
    usable = partial(_usable, config)
    here = _Here(models=local_models(config.models, usable), modes=_modes(config))
    find = partial(_found, config, here)
    chosen = [place for entry in config.units for place in _named(config, entry, find)]
    kinds = {place.kind for place in chosen}
    if not kinds.intersection(UNITS):
        chosen += [place for kind in UNITS for place in find(kind)]
    if not chosen and config.module is None:
        raise Unsupported("no engine is installed: pip install 'wyoming-units[embedded]'")
    if any(place.kind == "stt" for place in chosen):
        chosen += [place for kind in HELPERS if kind not in kinds for place in list(find(kind))[:1]]
    if unknown := sorted(config.engines.keys() - ENGINES.keys()):
        raise BadRequest(f"setting engines: no engine is called {', '.join(unknown)}")
    configured = [
        replace(
            place,
            options={
                **config.defaults.options.get(place.engine, {}),
                **config.engines.get(place.engine, {}),
                **place.options,
            },
        )
        for place in chosen
    ]
    return list({place.key: place for place in _with_words(config, configured)}.values())


_Find = Callable[[str], Iterable[Place]]


@dataclass(frozen=True, kw_only=True)
class _Here:
    """What there is to run."""

    models: Mapping[str, Sequence[LocalModel]]
    """By engine."""
    modes: Mapping[str, Sequence[Mode]]
    """Models of the module, by engine."""


def _usable(config: NodeConfig, name: str) -> bool:
    """Return whether an engine can load models here."""
    row = ENGINES.get(name)
    return row is not None and not (
        row.takes_server or row.unit or row.missing or not config.defaults.runs(name)
    )


def _modes(config: NodeConfig) -> dict[str, list[Mode]]:
    """Return the models of the module by engine, as the catalogue describes them."""
    found: dict[str, list[Mode]] = {}
    if config.module is not None:
        engines = {row.unit: name for name, row in ENGINES.items() if row.unit}
        catalogue = Catalogue(config.models)
        for mode in installed_modes(config.module):
            if (name := engines.get(mode.unit)) and config.defaults.runs(name):
                found.setdefault(name, []).append(_described(mode, catalogue))
    return found


def _described(mode: Mode, catalogue: Catalogue) -> Mode:
    try:
        known = catalogue.find(mode.name)
    except UnknownModel:
        return mode
    return replace(
        mode,
        languages=known.languages or mode.languages,
        description=known.description,
        author=known.author,
        upstream=known.upstream,
    )


def _found(config: NodeConfig, here: _Here, kind: str) -> Iterator[Place]:
    """Yield what is here of a kind: the models, and then the engine that needs none."""
    first = True
    for name, row in ENGINES.items():
        if row.kind != kind or row.missing or not config.defaults.runs(name):
            continue
        if kind == "speaker" and not config.speakers.is_dir():
            continue
        for model in (*here.models.get(name, ()), *_voices(config, name)):
            yield _with_model(config, name, model, loads=first)
            first = False
        for mode in here.modes.get(name, ()) if kind not in _LASTING else ():
            yield _with_mode(config, name, mode, loads=first)
            first = False
        if row.takes_server and "url" in config.engines.get(name, {}):
            yield Place(kind=kind, engine=name, named=True)
            first = False
    default = default_engine(kind)  # which every profile runs
    own = _words_of(config)
    for name, row in ENGINES.items():
        if row.kind == kind and (name == default or (kind == "wake" and own.get(name))):
            yield Place(kind=kind, engine=name, loads=first or kind == "wake")
            first = False
    for name, modes in here.modes.items():
        if ENGINES[name].kind == kind == "wake":
            yield from (_with_mode(config, name, mode, loads=first) for mode in modes)


def _named(config: NodeConfig, entry: str, find: _Find) -> Iterator[Place]:
    """Yield the engines of `KIND[=ENGINE[:MODEL]]`."""
    kind, _, rest = entry.partition("=")
    name, _, model = rest.partition(":")
    if kind not in UNITS + HELPERS:
        raise BadRequest(f"no unit is called {kind!r}; there are: {', '.join(UNITS)}")
    if not name:
        any_found = False
        for place in find(kind):
            any_found = True
            yield place
        if not any_found:
            raise Unsupported(_what_is_missing(kind))
        return
    row = ENGINES.get(name)
    if row is None or row.kind != kind:
        raise BadRequest(f"no {kind} engine is called {name!r}")
    if model and row.bare:
        raise BadRequest(f"engine {name} takes no model, so not {model!r}")
    if row.takes_server:
        yield _with_server(config, kind, name, model)
    elif row.unit and model:
        found = [place for place in find(kind) if place.engine == name]
        known = {place.options["mode"].name.lower(): place.options["mode"] for place in found}
        mode = known.get(model.lower()) or _described(
            Mode(name=model, unit=row.unit), Catalogue(config.models)
        )
        yield replace(_with_mode(config, name, mode), named=True)
    elif model:
        local = resolve(model, name, config.models)
        yield replace(_with_model(config, name, local), named=True)
    elif not row.bare:
        yield from (replace(place, named=True) for place in _all_models(name, kind, find))
    else:
        yield Place(kind=kind, engine=name, named=True)


def _all_models(name: str, kind: str, find: _Find) -> Iterator[Place]:
    found = [place for place in find(kind) if place.engine == name]
    if not found:
        if ENGINES[name].unit:
            raise UnknownModel(f"the module has no model for {name}, or does not answer")
        raise UnknownModel(
            f"engine {name} has no model here: wyoming-units models list --kind {kind}"
        )
    yield from found


def _what_is_missing(kind: str) -> str:
    rows: Sequence[EngineRow] = [row for row in ENGINES.values() if row.kind == kind]
    ready = [row for row in rows if not row.missing]
    if any(row.takes_server for row in ready):
        return f"{kind} needs a server or a model here: engines.openai.url in the settings, or models list"
    if ready:
        return f"{kind} has no model here: wyoming-units models list --kind {kind}"
    return f"{kind} needs: {rows[-1].remedy}"


def _with_model(config: NodeConfig, engine: str, model: LocalModel, *, loads: bool = True) -> Place:
    options: dict[str, Any] = {"model": model}
    if ENGINES[engine].kind == "speaker":
        options["enrol"] = config.speakers
    return Place(
        kind=ENGINES[engine].kind,
        engine=engine,
        options=options,
        files=_stamps([model.path]),
        loads=loads,
    )


def _with_mode(config: NodeConfig, engine: str, mode: Mode, *, loads: bool = True) -> Place:
    if config.module is None:
        raise BadRequest(f"engine {engine} needs the address of a module: --stackflow HOST")
    return Place(
        kind=ENGINES[engine].kind,
        engine=engine,
        options={"mode": mode, "module": config.module},
        loads=loads,
    )


def _with_server(config: NodeConfig, kind: str, engine: str, url: str) -> Place:
    if not url and "url" not in config.engines.get(engine, {}):
        raise BadRequest(f"engine {engine} needs the address of a server: {kind}={engine}:http://…")
    return Place(kind=kind, engine=engine, options={"url": url} if url else {}, named=True)


# -- the user's own files


def _voices(config: NodeConfig, engine: str) -> Iterator[LocalModel]:
    """Yield the Piper voices of the voice folder, for the first engine here that speaks with them."""
    usable = (name for name in ("piper", "sherpa-tts") if not ENGINES[name].missing)
    if engine != next(usable, None) or not config.voices.is_dir():
        return
    for path in sorted(config.voices.glob("**/*.onnx")):
        yield LocalModel(name=path.stem, path=path)


def _words_of(config: NodeConfig) -> dict[str, list[Path]]:
    """Return the user's own wake word models, by engine."""
    if not config.words.is_dir():
        return {}
    configured = sorted(config.words.glob("*.json"))
    bare = sorted((*config.words.glob("*.tflite"), *config.words.glob("*.onnx")))
    taken = {name for path in configured for name in (f"{path.stem}.tflite", _model_of(path))}
    return {
        "microwakeword": configured,
        "openwakeword": [path for path in bare if path.name not in taken],
    }


def _model_of(path: Path) -> str:
    """Return the file that a microWakeWord configuration names, "" where it names none."""
    try:
        named = json.loads(path.read_text("utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # the engine says what is wrong
    return named if isinstance(named, str) else ""


def _with_words(config: NodeConfig, chosen: Iterable[Place]) -> Iterator[Place]:
    """Give each wake word engine the user's models and its share of the settings of words."""
    own = _words_of(config)
    unclaimed = dict(config.wake_words)
    listens_for_any: list[int] = []
    done: list[Place] = []
    for place in chosen:
        if place.kind != "wake":
            done.append(place)
            continue
        files = own.get(place.engine, [])
        options = {**place.options, "models": tuple(files)} if files else dict(place.options)
        known = _words_known(place, options)
        if known is None:
            listens_for_any.append(len(done))
            known = set()
        broken = {path.stem for path in files} - known  # their files are to be mended
        mine = {name: unclaimed.pop(name) for name in list(unclaimed) if name in known | broken}
        if words := {name: settings for name, settings in mine.items() if name in known}:
            options["words"] = words
        done.append(replace(place, options=options, files=(*place.files, *_stamps(files))))
    if listens_for_any:  # the best of them takes what no other engine knows
        best = done[listens_for_any[0]]
        words = {**best.options.get("words", {}), **unclaimed}
        done[listens_for_any[0]] = replace(best, options={**best.options, "words": words})
    elif unclaimed:
        raise BadRequest(
            f"setting wake_words: no word is called {', '.join(sorted(unclaimed))}, and typed words "
            "need a keyword spotting model: wyoming-units models list --kind wake"
        )
    yield from done


def _words_known(place: Place, options: dict[str, Any]) -> set[str] | None:
    """Return the words that an engine knows, None where it listens for any phrase, or nobody can tell."""
    try:
        info = create_engine(place.engine, **options).info
    except EngineFailed:
        return None  # whoever makes it says what is wrong with its files
    return None if info.open_vocabulary else {model.name for model in info.models}


def _stamps(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return what tells files from what they were before; a folder stands for its files."""
    stamps = []
    for given in paths:
        beside = given.parent.glob(f"{given.stem}*") if given.is_file() else given.rglob("*")
        for path in sorted(beside):
            try:
                status = path.stat()
            except OSError:
                continue  # gone in this moment
            if path.is_file():
                stamps.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(stamps)
