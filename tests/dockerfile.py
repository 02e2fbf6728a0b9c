"""What the images are made of: a reader for the instructions that our Dockerfiles use."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_KNOWN = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("RUN", "USER", "VOLUME", "WORKDIR"),
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One instruction."""

    word: str
    flags: Mapping[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """The arguments, of JSON or of the shell's form."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


@dataclass(kw_only=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def last(self, word: str) -> Step:
        return [step for step in self.steps if step.word == word][-1]


def stages(path: Path) -> dict[str, Stage]:
    """Return the stages by name; one that nobody has named is called by its number."""
    found: dict[str, Stage] = {}
    stage: Stage | None = None
    for step in _steps(path.read_text("utf-8")):
        if step.word == "FROM":
            base, *named = step.words
            stage = Stage(base=base, name=named[1] if named else str(len(found)))
            found[stage.name] = stage
        else:
            assert stage is not None, f"{step.word} before FROM"
            stage.steps.append(step)
    return found


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Put in `$NAME` and `${NAME}`, as Docker does outside of RUN."""
    return re.sub(
        r"\$(?:\{(\w+)\}|(\w+))", lambda found: environment.get(found[1] or found[2], ""), text
    )


def _steps(text: str) -> Iterator[Step]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for instruction in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, rest = instruction.split(None, 1)
        assert word in _KNOWN, f"{word} is not known here"
        flags = {}
        while found := re.match(r"--(\w[\w-]*)=(\S+)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        yield Step(word=word, flags=flags, rest=rest.strip())
