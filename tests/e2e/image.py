"""Builds images without Docker: the steps of a Dockerfile, run one after the other in clean roots."""

import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.dockerfile import Stage, Step, expand, stages
from tests.e2e.roots import Root, bootstrap, delete, hand_over_network

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Image:
    """A built stage: its root and what it says about the process in it."""

    def __init__(self, folder: Path, parent: Image | None = None) -> None:
        self.folder = folder
        self.environment: dict[str, str] = dict(parent.environment) if parent else {"PATH": _PATH}
        self.workdir: str = parent.workdir if parent else "/"
        self.user: str = parent.user if parent else ""
        self.said: dict[str, Step] = dict(parent.said) if parent else {}


class Builder:
    """Builds the stages that a target needs, each once."""

    def __init__(
        self,
        dockerfile: Path,
        context: Path,
        folder: Path,
        *,
        arguments: dict[str, str] | None = None,
    ) -> None:
        self._stages = stages(dockerfile)
        self._context = context
        self._folder = folder
        self._arguments = arguments or {}
        self._images: dict[str, Image] = {}

    def build(self, target: str) -> Image:
        """Return the image of a stage."""
        if target not in self._images:
            self._images[target] = self._build(self._stages[target])
        return self._images[target]

    def stage(self, name: str) -> Stage:
        """Return what a stage is made of."""
        return self._stages[name]

    def provide(self, file: Path) -> None:
        """Put a file into the root of the system that all stages begin with."""
        system = self._system(next(iter(self._stages.values())).base)
        shutil.copy(file, system.folder)

    def close(self) -> None:
        for image in self._images.values():
            delete(image.folder)

    def _build(self, stage: Stage) -> Image:
        parent = self.build(stage.base) if stage.base in self._stages else self._system(stage.base)
        image = Image(self._folder / stage.name, parent)
        subprocess.run(["cp", "-a", str(parent.folder), str(image.folder)], check=True)
        hand_over_network(image.folder)
        arguments: dict[str, str] = {}
        for step in stage.steps:
            self._step(step, image, arguments)
        return image

    def _system(self, name: str) -> Image:
        """Return Debian as the registry has it, made by debootstrap."""
        if name not in self._images:
            distribution, _, tag = name.partition(":")
            assert distribution == "debian"
            image = Image(self._folder / name.replace(":", "-"))
            bootstrap(image.folder, tag.removesuffix("-slim"))
            self._images[name] = image
        return self._images[name]

    def _step(self, step: Step, image: Image, arguments: dict[str, str]) -> None:
        known = arguments | image.environment
        if step.word == "RUN":
            with Root(image.folder) as root:
                root.run(
                    *("/bin/sh", "-c", step.rest),
                    user=image.user,
                    folder=image.workdir,
                    environment=known,
                )
        elif step.word == "COPY":
            self._copy(step, image)
        elif step.word == "ENV":
            for pair in step.words:
                key, _, value = pair.partition("=")
                image.environment[key] = expand(value, known)
        elif step.word == "ARG":
            key, _, value = step.rest.partition("=")
            arguments[key] = self._arguments.get(key, expand(value, known))
        elif step.word == "WORKDIR":
            image.workdir = step.rest
            (image.folder / step.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif step.word == "USER":
            image.user = step.rest
        else:
            image.said[step.word] = step

    def _copy(self, step: Step, image: Image) -> None:
        *sources, target = step.words
        came_from = step.flags.get("from")
        base = self.build(came_from).folder if came_from else self._context
        into = image.folder / str(Path(image.workdir) / target).lstrip("/")
        for source in sources:
            path = base / source.lstrip("/")
            assert came_from or not ignored(self._context, source), f"{source} is in .dockerignore"
            if path.is_dir():
                skipped = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, into, symlinks=True, dirs_exist_ok=True, ignore=skipped)
            else:
                to = into / path.name if target.endswith("/") or into.is_dir() else into
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, to)


def rules(context: Path) -> Iterator[tuple[str, bool]]:
    """Yield the patterns of .dockerignore and whether they leave out."""
    listed = context / ".dockerignore"
    for line in listed.read_text("utf-8").splitlines() if listed.exists() else ():
        if line and not line.startswith("#"):
            yield line.removeprefix("!"), not line.startswith("!")


def ignored(context: Path, path: str) -> bool:
    """Return whether Docker leaves a path of the context out: the last rule for it, or for a folder above, decides."""
    above = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    left_out = False
    for pattern, leaves_out in rules(context):
        if any(
            fnmatch(name, pattern) or fnmatch(name, pattern.removeprefix("**/")) for name in above
        ):
            left_out = leaves_out
    return left_out
