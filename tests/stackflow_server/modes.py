"""The models that can be on a module: which unit runs them, what they need, and their mode JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wyoming_units.vision.coco import COCO

from .protocol import RELEASES

TOTAL = 3_145_728
"""KB of memory of the NPU."""
_HELP = "What {key} is without any other word; the data of a setup may have another"
_BUILT = (
    "pulsar2 build --input {name}.onnx --config config_{name}_u16.json --output_dir {name}"
    " --output_name {name}.axmodel --target_hardware AX620E --npu_mode NPU2 --compiler.check 0"
)


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One model."""

    name: str
    unit: str
    type: str
    since: str = "1.2"
    """The first release with it, or with its unit."""
    cmm: int = 0
    """KB of the NPU's memory; 0 for models that run on the CPU."""
    capabilities: tuple[str, ...] = ()
    input_type: tuple[str, ...] = ()
    output_type: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Return the mode JSON as `lsmode` lists it."""
        return {
            "mode": self.name,
            "type": self.type,
            "homepage": f"https://docs.m5stack.com/en/stackflow/models/{self.name.lower()}",
            "compile_flage": _BUILT.format(name=self.name) if self.cmm else "",
            "pulsar_version": "4.0-64a0e58f" if self.cmm else "",
            "capabilities": list(self.capabilities),
            "input_type": list(self.input_type),
            "output_type": list(self.output_type),
            "mode_param": dict(self.params),
            "mode_param_bak": {
                **self.params,
                **{f"{key}.help": _HELP.format(key=key) for key in self.params},
            },
        }

    @property
    def context(self) -> int:
        """Tokens that are kept of what was said before; 0 for models that answer single turns."""
        return int(self.params.get("precompute_len", 0))


def _vad() -> Iterator[Mode]:
    yield Mode(
        name="silero-vad",
        unit="vad",
        type="vad",
        since="1.4",
        capabilities=("Voice_activity_detection",),
        input_type=("sys.pcm", "sys.cap.0_0"),
        output_type=("vad.bool",),
        params={
            "silero_vad.model": "silero_vad.ort",
            "silero_vad.threshold": 0.5,
            "silero_vad.min_silence_duration": 0.5,
            "silero_vad.min_speech_duration": 0.25,
            "silero_vad.window_size": 512,
            "sample_rate": 16000,
            "num_threads": 1,
            "provider": "cpu",
        },
    )


def _kws() -> Iterator[Mode]:
    tail = "epoch-12-avg-2-chunk-16-left-64"
    for corpus, language in (("gigaspeech", "English"), ("wenetspeech", "Chinese")):
        yield Mode(
            name=f"sherpa-onnx-kws-zipformer-{corpus}-3.3M-2024-01-01",
            unit="kws",
            type="kws",
            capabilities=("Keyword_spotting", language),
            input_type=("sys.pcm", "sys.cap.0_0"),
            output_type=("kws.bool",),
            params={
                "model_config.transducer.encoder": f"encoder-{tail}.int8.ort",
                "model_config.transducer.decoder": f"decoder-{tail}.ort",
                "model_config.transducer.joiner": f"joiner-{tail}.int8.ort",
                "model_config.tokens": "tokens.txt",
                "model_config.modeling_unit": "cjkchar",
                "keywords_file": "keywords.txt",
                "text2token-bpe-model": "bpe.model" if corpus == "gigaspeech" else "",
                "text2token-tokens-type": "cjkchar+bpe" if corpus == "gigaspeech" else "ppinyin",
                "wake_wav_file": "/opt/m5stack/data/audio/wakeup_en_us.wav",
            },
        )
    yield Mode(
        name="kws",
        unit="kws",
        type="kws",
        since="main",
        cmm=2_048,
        capabilities=("Keyword_spotting", "English"),
        input_type=("sys.pcm",),
        output_type=("kws.bool",),
        params={
            "model": "kws.axmodel",
            "model_type": "axera",
            "chunk_size": 32,
            "threshold": 0.9,
            "min_continuous_frames": 5,
            "REFRACTORY_TIME_MS": 2000,
            "RESAMPLE_RATE": 16000,
            "FEAT_DIM": 80,
        },
    )


_ENDPOINT: Mapping[str, Any] = {
    "endpoint_config.rule1.min_trailing_silence": 2.4,
    "endpoint_config.rule2.min_trailing_silence": 1.2,
    "endpoint_config.rule3.min_utterance_length": 30,
    "enable_endpoint": True,
    "awake_delay": 50,
}


def _asr() -> Iterator[Mode]:
    for name, language in (("20M-2023-02-17", "English"), ("zh-14M-2023-02-23", "Chinese")):
        parts = ("encoder", "decoder", "joiner")
        files = {
            f"model_config.{part}_{kind}": f"{part}_jit_trace-pnnx.ncnn.{kind}"
            for part in parts
            for kind in ("param", "bin")
        }
        yield Mode(
            name=f"sherpa-ncnn-streaming-zipformer-{name}",
            unit="asr",
            type="asr",
            capabilities=("Automatic_Speech_Recognition", language),
            input_type=("sys.pcm", "sys.cap.0_0"),
            output_type=("asr.utf-8", "asr.bool"),
            params={
                **files,
                "model_config.tokens": "tokens.txt",
                "feat_config.feature_dim": 80,
                "feat_config.sampling_rate": 16000,
                **_ENDPOINT,
            },
        )
    tail = "epoch-99-avg-1"
    yield Mode(
        name="sherpa-onnx-streaming-zipformer-small-bilingual-zh-en-2023-02-16",
        unit="asr",
        type="asr",
        since="main",
        cmm=65_536,
        capabilities=("Automatic_Speech_Recognition", "Chinese", "English"),
        input_type=("sys.pcm", "sys.cap.0_0"),
        output_type=("asr.utf-8", "asr.bool"),
        params={
            **{
                f"model_config.transducer.{part}": f"{part}-{tail}.axmodel"
                for part in ("encoder", "decoder", "joiner")
            },
            "model_config.tokens": "tokens.txt",
            "model_config.provider": "axera",
            **_ENDPOINT,
        },
    )
    yield Mode(
        name="sense-voice-small-10s",
        unit="asr",
        type="asr",
        since="main",
        cmm=262_144,
        capabilities=("Chinese", "English", "Cantonese", "Japanese", "Korean"),
        input_type=("sys.pcm",),
        output_type=("asr.utf-8",),
        params={
            "model_config.sense_voice.model": "model.axmodel",
            "model_config.sense_voice.use_itn": True,
            "model_config.tokens": "tokens.txt",
            "silero_vad.model": "silero_vad.ort",
            "model_config.provider": "axera",
            "silence_timeout": 2000,
            "awake_delay": 50,
        },
    )


_WHISPERS = {"tiny": 289_132, "base": 545_792, "small": 1_132_544}


def _whisper() -> Iterator[Mode]:
    for size, cmm in _WHISPERS.items():
        yield Mode(
            name=f"whisper-{size}",
            unit="whisper",
            type="asr",
            since="1.4",
            cmm=cmm,
            capabilities=("Automatic_Speech_Recognition", "English", "Chinese", "Japanese"),
            input_type=("sys.pcm", "sys.cap.0_0"),
            output_type=("asr.utf-8",),
            params={
                "model_type": size,
                "language": "ja",
                "encoder": f"{size}-encoder.axmodel",
                "decoder_main": f"{size}-decoder-main.axmodel",
                "decoder_loop": f"{size}-decoder-loop.axmodel",
                "positional_embedding": f"{size}-positional_embedding.bin",
                "tokens": f"{size}-tokens.txt",
                "t2s": "t2s.json",
                "awake_delay": 1000,
                "whisper_sample_rate": 16000,
                "whisper_n_fft": 400,
                "whisper_hop_length": 160,
                "whisper_chunk_size": 30,
                "whisper_n_mels": 80,
                "whisper_sot": 50258,
                "whisper_eot": 50257,
                "whisper_vocab_size": 51865,
                "whisper_n_text_ctx": 448,
            },
        )


def _tts() -> Iterator[Mode]:
    for name, language in (
        ("single-speaker-english-fast", "English"),
        ("single-speaker-fast", "Chinese"),
    ):
        yield Mode(
            name=name,
            unit="tts",
            type="tts",
            capabilities=("tts", language),
            input_type=("tts.utf-8",),
            output_type=("tts.wav", "sys.play.0_1"),
            params={"ttsModelName": f"{name.replace('-', '_')}.bin", "awake_delay": 1000},
        )
    for accent in ("en-us", "en-br", "en-au", "en-default", "en-india", "es-es", "ja-jp", "zh-cn"):
        short = accent.partition("-")[0]
        yield Mode(
            name=f"melotts-{accent}",
            unit="melotts",
            type="tts",
            cmm=59_764,
            capabilities=("tts", accent),
            input_type=("tts.utf-8",),
            output_type=("tts.wav", "sys.play.0_1"),
            params={
                "encoder": f"encoder-{accent}.ort",
                "decoder": f"decoder-{accent}.axmodel",
                "gbin": f"g-{accent}.bin",
                "tokens": f"tokens-{short}.txt",
                "lexicon": f"lexicon-{short}.txt",
                "tagger": f"{short}_tn_tagger.fst",
                "verbalizer": f"{short}_tn_verbalizer.fst",
                "spacker_speed": 1.2,
                "mode_rate": 44100,
                "audio_rate": 16000,
                "awake_delay": 1000,
            },
        )


_HALF, _ONE, _MORE = 560_460, 1_363_148, 1_782_579
_LLMS = {
    "qwen2.5-0.5B-prefill-20e": _HALF,
    "qwen2.5-0.5B-p256-ax630c": _HALF,
    "qwen2.5-0.5B-Int4-ax630c": _HALF,
    "qwen2.5-coder-0.5B-ax630c": _HALF,
    "qwen3-0.6B-ax630c": 680_000,
    "qwen2.5-1.5B-ax630c": _MORE,
    "qwen2.5-1.5B-p256-ax630c": _MORE,
    "qwen2.5-1.5B-Int4-ax630c": _MORE,
    "deepseek-r1-1.5B-ax630c": _MORE,
    "deepseek-r1-1.5B-p256-ax630c": _MORE,
    "llama3.2-1B-prefill-ax630c": _ONE,
    "llama3.2-1B-p256-ax630c": _ONE,
    "openbuddy-llama3.2-1B-ax630c": _ONE,
}
_CONTEXTS = {"qwen2.5-HA-0.5B-ctx-ax630c": 1_840_108}
_VLMS = {
    "smolvlm-256M-ax630c": 400_000,
    "smolvlm-500M-ax630c": 700_000,
    "internvl2-1B-ax630c": _ONE,
    "internvl2.5-1B-ax630c": _ONE,
    "internvl2.5-1B-364-ax630c": _ONE,
}
_VLM_CONTEXTS = {"internvl3-1B-448-ax630c": 1_674_992, "qwen3-vl-2B-Int4-ax630c": 3_098_624}


def _llm(unit: str, sizes: Mapping[str, int], *, context: bool) -> Iterator[Mode]:
    for name, cmm in sizes.items():
        prefill = 256 if "p256" in name or "364" in name else 128
        params: dict[str, Any] = {
            "tokenizer_type": 2,
            "filename_tokenizer_model": "http://localhost:8080",
            "filename_tokens_embed": "model.embed_tokens.weight.bfloat16.bin",
            "filename_post_axmodel": "qwen2_post.axmodel",
            "template_filename_axmodel": f"qwen2_p{prefill}_l%d_together.axmodel",
            "b_use_topk": False,
            "b_bos": False,
            "b_eos": False,
            "axmodel_num": 24,
            "tokens_embed_num": 151936,
            "tokens_embed_size": 896,
            "b_use_mmap_load_embed": True,
            "b_dynamic_load_axmodel_layer": False,
            "ext_scripts": [f"tokenizer_{name}.py"],
        }
        if context:
            params |= {"precompute_len": 1024, "cmm_size": cmm}
        if unit == "vlm":
            params["filename_vpm_resampler_axmodedl"] = f"{name}_vision_nhwc.axmodel"
        forms = ("utf-8", "utf-8.stream", "chat_completion", "chat_completion.stream")
        yield Mode(
            name=name,
            unit=unit,
            type=unit,
            since="main" if context else "1.2",
            cmm=cmm,
            capabilities=("text_generation", "chat"),
            input_type=tuple(f"{unit}.{form}" for form in forms),
            output_type=tuple(f"{unit}.{form}" for form in forms[:2]),
            params=params,
        )


_KINDS = {
    "": ("detect", {"cls_num": 80, "cls_name": list(COCO)}),
    "-seg": ("segment", {"cls_num": 80, "mask_proto_dim": 32, "cls_name": list(COCO)}),
    "-pose": ("pose", {"cls_num": 1, "point_num": 17, "cls_name": ["person"]}),
    "-hand-pose": ("pose", {"cls_num": 1, "point_num": 21, "cls_name": ["hand"]}),
}


def _vision() -> Iterator[Mode]:
    for half in ("", "-npu1"):
        for kind, (model_type, more) in _KINDS.items():
            yield Mode(
                name=f"yolo11n{kind}{half}",
                unit="yolo",
                type="cv",
                since="1.3",
                cmm=6_144,
                capabilities=(model_type.title(),),
                input_type=("yolo.jpeg.base64",),
                output_type=("yolo.box", "yolo.boxV2"),
                params={
                    "yolo_model": f"yolo11n{kind}{half}.axmodel",
                    "model_type": model_type,
                    "img_h": 320,
                    "img_w": 320,
                    "pron_threshold": 0.45,
                    "nms_threshold": 0.45,
                    **more,
                    **({"npu_type": 1} if half else {}),
                },
            )
        yield Mode(
            name=f"depth-anything{half}-ax630c",
            unit="depth_anything",
            type="cv",
            since="1.4",
            cmm=40_960,
            capabilities=("Depth_estimation",),
            input_type=("cv.jpeg.base64",),
            output_type=("cv.jpeg.base64",),
            params={
                "depth_anything_model": "depth_anything.axmodel",
                "model_type": "segment",
                "img_h": 256,
                "img_w": 384,
            },
        )


_ALL = (
    *_vad(),
    *_kws(),
    *_asr(),
    *_whisper(),
    *_tts(),
    *_llm("llm", _LLMS, context=False),
    *_llm("llm", _CONTEXTS, context=True),
    *_llm("vlm", _VLMS, context=False),
    *_llm("vlm", _VLM_CONTEXTS, context=True),
    *_vision(),
)


def modes(release: str, only: tuple[str, ...] | None = None) -> dict[str, Mode]:
    """Return the models of a release by name, `only` some of them on wish."""
    known = {mode.name: mode for mode in _ALL}
    if release == "dev":  # which calls one of them differently
        kws = known.pop("kws")
        known["kws-ax630c"] = Mode(**{**vars(kws), "name": "kws-ax630c"})
    place = RELEASES.index(release)
    there = {n: mode for n, mode in known.items() if RELEASES.index(mode.since) <= place}
    return there if only is None else {name: there[name] for name in only}
