"""The catalogue's manifests: all are sound, and what StackFlow users know by name is there."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from wyoming_units.catalog.library import Catalogue, best_target, manifest_folder
from wyoming_units.catalog.manifest import DebSource, HubSource, Manifest, Target, read_manifest
from wyoming_units.catalog.plan import plan
from wyoming_units.engines import ENGINES
from wyoming_units.errors import UnknownModel, Unsupported

FILES = sorted(manifest_folder().glob("*.toml"))

# Modes of the module, each with its unit and the version of its package.
STACKFLOW = """
silero-vad vad 0.4
sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01 kws 0.3
sherpa-onnx-kws-zipformer-wenetspeech-3.3M-2024-01-01 kws 0.3
sherpa-ncnn-streaming-zipformer-20M-2023-02-17 asr 0.2
sherpa-ncnn-streaming-zipformer-zh-14M-2023-02-23 asr 0.2
whisper-tiny whisper 0.4
whisper-base whisper 0.4
whisper-small whisper 0.4
single-speaker-fast tts 0.3
single-speaker-english-fast tts 0.3
melotts-en-au melotts 0.6
melotts-en-br melotts 0.6
melotts-en-default melotts 0.6
melotts-en-us melotts 0.6
melotts-es-es melotts 0.5
melotts-ja-jp melotts 0.6
melotts-zh-cn melotts 0.6
deepseek-r1-1.5B-ax630c llm 0.3
deepseek-r1-1.5B-p256-ax630c llm 0.4
llama3.2-1B-p256-ax630c llm 0.4
llama3.2-1B-prefill-ax630c llm 0.2
openbuddy-llama3.2-1B-ax630c llm 0.2
qwen2.5-0.5B-Int4-ax630c llm 0.4
qwen2.5-0.5B-p256-ax630c llm 0.4
qwen2.5-0.5B-prefill-20e llm 0.2
qwen2.5-1.5B-Int4-ax630c llm 0.4
qwen2.5-1.5B-p256-ax630c llm 0.4
qwen2.5-1.5B-ax630c llm 0.3
qwen2.5-coder-0.5B-ax630c llm 0.2
qwen3-0.6B-ax630c llm 0.4
internvl2.5-1B-364-ax630c vlm 0.4
smolvlm-256M-ax630c vlm 0.4
smolvlm-500M-ax630c vlm 0.4
yolo11n yolo 0.2
yolo11n-npu1 yolo 0.4
yolo11n-seg yolo 0.3
yolo11n-seg-npu1 yolo 0.4
yolo11n-pose yolo 0.3
yolo11n-pose-npu1 yolo 0.4
yolo11n-hand-pose yolo 0.3
yolo11n-hand-pose-npu1 yolo 0.4
depth-anything-ax630c depth_anything 0.4
depth-anything-npu1-ax630c depth_anything 0.4
sense-voice-small-10s asr 0.4
sherpa-onnx-streaming-zipformer-small-bilingual-zh-en-2023-02-16 asr 0.4
kws kws 0.4
melotts-en-india melotts 0.6
qwen2.5-HA-0.5B-ctx-ax630c llm 0.5
internvl3-1B-448-ax630c vlm 0.6
internvl2.5-1B-ax630c vlm 0.4
internvl2-1B-ax630c vlm 0.4
"""
OTHERS = """
qwen3-vl-2B-Int4-ax630c kws-ax630c InternVL3_5-1B_GPTQ_INT4 mode_internvl2.5-1B-364-ax630c
whisper-medium whisper-large-v3 whisper-large-v3-turbo distil-large-v3 tiny base.en turbo
streaming-zipformer-en streaming-zipformer-zh streaming-zipformer-zh-en sense-voice moonshine-tiny
moonshine-base parakeet-v3 paraformer-zh kokoro kitten matcha-en matcha-zh vits-melo-tts-zh_en
en_US-lessac-medium en_US-amy-medium en_US-ryan-medium en_US-libritts_r-medium en_GB-alan-medium
en_GB-alba-medium de_DE-thorsten-medium fr_FR-siwis-medium es_ES-davefx-medium zh_CN-huayan-medium
smart-turn yolo11s yolo11s-seg yolo11s-pose yolox-s nanodet-plus-m depth-anything-v2-small
"""


def modes() -> Iterator[tuple[str, str, str]]:
    for line in STACKFLOW.split("\n")[1:-1]:
        name, unit, version = line.split(" ")
        yield name, unit, version


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_manifest_gives_a_plan_for_each_of_its_targets(path: Path) -> None:
    manifest = read_manifest(path)
    assert manifest.name == path.stem
    for target in manifest.targets:
        made = plan(manifest, target)
        assert made.downloads
        for download in made.downloads:
            parts = urlsplit(download.url)
            assert parts.scheme == "https"
            assert parts.netloc
            assert not re.search(r"\s", download.url)
            assert download.name
        for engine in made.variant.engines:
            assert engine in ENGINES, engine
        if isinstance(made.variant.source, HubSource):
            assert len(made.downloads) == len(made.variant.source.files)


def test_no_name_means_two_models() -> None:
    names = Counter(name.lower() for path in FILES for name in read_manifest(path).names)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(("name", "unit", "version"), list(modes()))
def test_every_mode_of_stackflow_is_there_with_its_package(
    catalogue: Catalogue, name: str, unit: str, version: str
) -> None:
    variant = catalogue.find(name).variant("stackflow")
    assert ENGINES[variant.engine].unit == unit
    assert variant.options == {"mode": name}
    assert isinstance(variant.source, DebSource)
    assert variant.source.deb == f"llm-model-{name.lower()}"
    assert variant.source.version == version


@pytest.mark.parametrize("name", OTHERS.split())
def test_usual_models_are_known_by_their_usual_names(catalogue: Catalogue, name: str) -> None:
    assert name in catalogue.find(name).names


def test_the_table_of_the_module_has_all_its_rows() -> None:
    assert len(list(modes())) == 43 + 8


@pytest.mark.parametrize(
    ("words", "terms"), [("yolo11", "AGPL-3.0"), ("llama3.2", "Llama 3.2 Community License")]
)
def test_weights_with_strings_attached_say_so(catalogue: Catalogue, words: str, terms: str) -> None:
    found = [manifest for manifest in catalogue if words in manifest.name.lower()]
    assert found
    for manifest in found:
        assert manifest.license == terms
        assert manifest.notice


@pytest.mark.parametrize("machine", ["cpu", "cuda", "ax630c"])
def test_the_recommended_models_make_a_whole_voice_assistant(
    catalogue: Catalogue, machine: Target
) -> None:
    chosen = catalogue.recommended(machine)
    assert {"wake", "stt", "tts"} <= {manifest.kind for manifest in chosen}
    assert len(chosen) <= 6
    for manifest in chosen:
        assert plan(manifest, best_target(manifest, machine)).downloads


def test_the_processor_stands_in_where_there_is_nothing_for_the_gpu(catalogue: Catalogue) -> None:
    spotter = catalogue.find("sherpa-onnx-kws-zipformer-gigaspeech-3.3M-2024-01-01")
    assert best_target(spotter, "cuda") == "cpu"
    assert best_target(catalogue.find("whisper-tiny"), "cuda") == "cuda"
    with pytest.raises(Unsupported, match="not there for cuda, only for: cpu, stackflow"):
        plan(spotter, "cuda")


def test_names_are_found_in_any_case_and_near_ones_are_offered(catalogue: Catalogue) -> None:
    assert catalogue.find("WHISPER-Tiny").name == "whisper-tiny"
    with pytest.raises(UnknownModel, match="did you mean whisper-tiny"):
        catalogue.find("whisper-tinny")


def test_the_hub_may_be_a_mirror(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    first = plan(catalogue.find("en_US-lessac-medium"), "cpu").downloads[0]
    assert first.url == (
        "https://mirror.example/rhasspy/piper-voices/resolve/main/"
        "en/en_US/lessac/medium/en_US-lessac-medium.onnx"
    )
    assert first.name == "en_US-lessac-medium.onnx"


def test_a_manifest_of_the_user_wins(tmp_path: Path) -> None:
    own = manifest_folder() / "silero-vad.toml"
    text = own.read_text("utf-8").replace('license = "MIT"', 'license = "mine"')
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    assert Catalogue(tmp_path).find("silero-vad").license == "mine"
    assert len(Catalogue(tmp_path)) == len(Catalogue())


def test_sizes_are_of_the_variant_that_is_asked_for(catalogue: Catalogue) -> None:
    model: Manifest = catalogue.find("whisper-tiny")
    assert model.bytes("stackflow") == 201_000_000
    assert model.bytes("cpu") == model.bytes("cuda") == model.size


def test_the_page_of_models_says_what_the_manifests_say() -> None:
    page = manifest_folder().parent / "docs" / "models.md"
    done = subprocess.run([page.parents[1] / "script" / "docs", "--check"], check=False)
    assert done.returncode == 0
