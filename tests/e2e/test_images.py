"""The images of docker/Dockerfile and of the add-on: each step run in a clean Debian, and a node that answers."""

import asyncio
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.image import Builder, Image
from tests.e2e.roots import READ_ONLY, ROOT, Root, free_port, why_not
from wyoming_units.wire.health import ask

pytestmark = [
    pytest.mark.extra,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    builder = Builder(ROOT / "docker/Dockerfile", ROOT, tmp_path_factory.mktemp("images"))
    try:
        yield builder
    finally:
        builder.close()


@contextmanager
def running(
    image: Image, command: list[str], **settings: str
) -> Iterator[tuple[Root, dict[str, str]]]:
    """Run a command as a container with `read_only` does."""
    environment = image.environment | settings
    with Root(image.folder, mounts=READ_ONLY) as root:
        node = subprocess.Popen(
            root.command(*command, user=image.user, folder=image.workdir),
            env=root.environment(environment),
        )
        try:
            yield root, environment
        finally:
            node.terminate()
            node.wait(30)


def _serve(image: Image) -> list[str]:
    return [*image.said["ENTRYPOINT"].words, *image.said["CMD"].words]


def _answer(image: Image) -> dict[str, Any]:
    """Start the image's own command, have its health check pass, and return what the node says of itself."""
    port = free_port()
    settings = {"WYOMING_UNITS_PORT": str(port), "WYOMING_UNITS_ADVERTISE": "[]"}
    with running(image, _serve(image), **settings) as (root, environment):
        info = asyncio.run(ask(f"tcp://127.0.0.1:{port}", wait=60))
        health = json.loads(image.said["HEALTHCHECK"].rest.partition("CMD")[2])
        root.run(*health, user=image.user, folder=image.workdir, environment=environment)
        away = environment | {"WYOMING_UNITS_PORT": str(free_port())}
        assert root.run(*health, user=image.user, check=False, environment=away).returncode == 1
        kept = root.run("cat", "/data/node-id", user=image.user).stdout.strip()
    assert info["node"]["id"] == kept
    return info


@pytest.mark.parametrize("target", ["embedded", "cpu"])
def test_an_image_is_built_and_its_node_answers_without_rights_and_with_a_read_only_root(
    builder: Builder, target: str
) -> None:
    image = builder.build(target)
    assert image.user.split(":")[0].isdigit()
    assert image.user[0] != "0"
    info = _answer(image)
    assert all(info[kind] for kind in ("asr", "tts", "wake", "intent", "vision"))


def test_engines_of_the_cpu_image_find_their_libraries(builder: Builder) -> None:
    image = builder.build("cpu")
    libraries = (
        "ctranslate2, faster_whisper, onnxruntime, piper, sherpa_onnx, cv2, av, sentencepiece"
    )
    with Root(image.folder, mounts=READ_ONLY) as root:
        root.run(
            "python", "-c", f"import {libraries}", user=image.user, environment=image.environment
        )


def test_packages_of_the_cuda_image_can_be_had_together(builder: Builder) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("onnxruntime-gpu has wheels for amd64 alone")
    image = builder.build("build-cpu")
    install = next(step.rest for step in builder.stage("build-cuda").steps if step.word == "RUN")
    tried = install.replace("pip uninstall -y onnxruntime", "true").replace(
        "pip install", "pip install --dry-run"
    )
    with Root(image.folder) as root:
        done = root.run("sh", "-c", tried, folder=image.workdir, environment=image.environment)
    would = done.stdout.partition("Would install")[2]
    for name in ("onnxruntime-gpu-1.", "nvidia-cublas-cu12-12.", "nvidia-cudnn-cu12-9."):
        assert name in would


def test_the_ax630c_image_says_which_wheel_it_misses(builder: Builder) -> None:
    with pytest.raises(AssertionError, match="docker/wheels holds no wheel of axengine"):
        builder.build("build-ax630c")


def test_everything_in_the_ax630c_image_has_a_wheel_for_arm64(builder: Builder) -> None:
    """Its steps are those of the embedded image; run by emulation they would take most of an hour."""
    image = builder.build("source")
    install = builder.stage("build-ax630c").last("RUN").rest.partition("pip install")[2]
    what = install.replace("wheels/axengine-*.whl", "")
    glibc = [
        "2_5",
        "2_12",
        "2_17",
        "2_24",
        "2_26",
        "2_27",
        "2_28",
        "2_31",
        "2_34",
        "2_35",
        "2_36",
        "2_39",
        "2_41",
    ]
    tags = " ".join(f"--platform manylinux_{version}_aarch64" for version in glibc)
    asked = f"--dry-run --ignore-installed --target /none --python-version 3.13 {tags} --platform manylinux2014_aarch64"
    with Root(image.folder) as root:
        done = root.run(
            *("sh", "-c", f"pip install {asked} {what}"),
            folder=image.workdir,
            environment=image.environment,
        )
    would = done.stdout.partition("Would install")[2].replace("_", "-")
    for name in ("kaldi-native-fbank-", "onnxruntime-", "pocketsphinx-", "huggingface"):
        assert name in would


def test_the_add_on_is_built_of_a_release_and_starts_with_its_options(tmp_path: Path) -> None:
    release = tmp_path / "release.tar.gz"
    with tarfile.open(release, "w:gz") as archive:
        for name in (
            "LICENSE",
            "README.md",
            "constraints.txt",
            "pyproject.toml",
            "models",
            "wyoming_units",
        ):
            archive.add(ROOT / name, f"wyoming-units-0/{name}")
    system = tmp_path / "system"
    system.mkdir()
    builder = Builder(
        ROOT / "addon/Dockerfile",
        ROOT / "addon",
        system,
        arguments={"SOURCE": "file:///release.tar.gz"},
    )
    try:
        builder.provide(release)
        image = builder.build("0")
        port = free_port()
        options = {
            "models": [],
            "units": ["intent", "tts=espeak"],
            "log_level": "info",
            "name": "Hall",
        }
        (image.folder / "data/options.json").write_text(json.dumps(options))
        settings = {"WYOMING_UNITS_PORT": str(port), "WYOMING_UNITS_ADVERTISE": "[]"}
        with running_writable(image, **settings):
            info = asyncio.run(ask(f"tcp://127.0.0.1:{port}", wait=60))
        assert info["node"]["name"] == "Hall"
        assert info["tts"]
        assert not info["wake"]
    finally:
        builder.close()


@contextmanager
def running_writable(image: Image, **settings: str) -> Iterator[None]:
    """Run an add-on, whose containers are root and may write."""
    with Root(image.folder) as root:
        command = root.command(*image.said["CMD"].words, folder=image.workdir)
        node = subprocess.Popen(command, env=root.environment(image.environment | settings))
        try:
            yield
        finally:
            node.terminate()
            node.wait(30)
