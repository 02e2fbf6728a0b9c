"""MeloTTS: tokens as each kind of package has them, and sound that tells nothing of its blocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from wyoming.tts import Synthesize, SynthesizeVoice

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.integration.conftest import running
from tests.integration.models_melotts import (
    CHANNELS,
    CUT,
    FRAMES,
    HOP,
    RATE,
    SIZE,
    TOKENS,
    WIDTH,
    as_ort,
    package,
    published,
    whole,
)
from tests.integration.speaking import pcm, peer
from tests.integration.voices import pieces, speak
from tests.npu import axfunction
from wyoming_units.catalog.local import LocalModel
from wyoming_units.engines import ENGINES, create_engine
from wyoming_units.engines.axengine_melotts import AxMeloTts
from wyoming_units.engines.base import Audio, SynthesisRequest
from wyoming_units.errors import Cancelled, EngineFailed, UnknownVoice

pytest_plugins = ("tests.npu",)

STACKFLOW = {"noise_scale": 0.3, "noise_scale_w": 0.6, "sdp_ratio": 0.2, "length_scale": 1.0}
AXERA = {"noise_scale": 0.0, "noise_scale_w": 0.0, "sdp_ratio": 0.0, "length_scale": 1.0}
HELLO = "hello " * 12
"""48 sounds: 101 tokens with blanks and ends, 404 frames, so four blocks."""


def local(path: Path, name: str = "melotts-en-us", **options: Any) -> LocalModel:
    return LocalModel(name=name, path=path, options=options)


def loaded(model: LocalModel, **options: Any) -> AxMeloTts:
    engine = AxMeloTts(model=model, **options)
    engine.load()
    return engine


@pytest.fixture
def english(tmp_path: Path, npu: Any) -> Iterator[AxMeloTts]:
    engine = loaded(local(package(tmp_path / "voice", "melotts-en-us", "en")))
    yield engine
    engine.close()


def numbered(language: str, sounds: str) -> list[int]:
    """Return the tokens of sounds, with blanks and both ends, counted by hand."""
    tokens = [TOKENS[language].index(sound) for sound in ["_", *sounds.split(), "_"]]
    spread = [0]
    for token in tokens:
        spread += [token, 0]
    return spread


# -- what is said


class Overheard:
    """A decoder that keeps what it was given, and says nothing."""

    def __init__(self, path: Path) -> None:
        self.blocks: list[NDArray[np.float32]] = []
        takes = (("z_p", np.float32, [1, WIDTH, SIZE]), ("g", np.float32, [1, 256, 1]))
        gives = (("audio", np.float32, [1, 1, SIZE * HOP]),)
        axfunction(path, self._run, (takes, gives))

    def _run(self, feeds: Any, group: int) -> Sequence[NDArray[np.float32]]:
        self.blocks.append(feeds["z_p"].copy())
        return [np.zeros((1, 1, SIZE * HOP), np.float32)]

    def heard(self, what: str, count: int) -> list[float]:
        """Return one of `CHANNELS` for so many tokens of the last short fragment."""
        row = self.blocks[-1][0, CHANNELS.index(what)]
        return [round(float(value), 4) for value in row[: count * FRAMES : FRAMES]]


@pytest.mark.parametrize(
    ("mode", "language", "text", "sounds", "tones"),
    [
        ("melotts-en-us", "en", "Hello!", "hh ah l ow !", (7, 8, 7, 9, 0)),
        ("melotts-en-india", "en", "Don’t, a light?", "d ow n t , ah l ah t ?",
         (7, 9, 7, 7, 0, 8, 7, 9, 7, 0)),
        ("melotts-en-au", "en", "2 lights", "t iy l ah t s .", (7, 9, 7, 9, 7, 7, 0)),
        ("melotts-en-br", "en", "AB", "eh iy b iy .", (9, 8, 7, 9, 0)),
        ("melotts-es-es", "es", "¡Hola, luz!", "¡ o l a , l u θ !", (0, 1, 0, 0, 0, 0, 1, 0, 0)),
        ("melotts-ja-jp", "jp", "電気です。", "d e N k i d e s .", (0, 1, 1, 1, 1, 0, 1, 0, 0)),
        ("melotts-zh-cn", "zh", "开灯，light！", "k ai d eng , l ay t !",
         (1, 1, 1, 1, 0, 7, 9, 7, 0)),
    ],
)  # fmt: skip
def test_a_package_gets_its_own_tones_and_one_number_for_all_languages(
    mode: str,
    language: str,
    text: str,
    sounds: str,
    tones: Sequence[int],
    tmp_path: Path,
    npu: Any,
) -> None:
    folder = package(tmp_path / "voice", mode, language)
    decoder = Overheard(folder / mode / f"decoder-{language}.axmodel")
    tokens = numbered(language, sounds)
    engine = loaded(local(folder, mode))
    pieces(engine, text)
    assert decoder.heard("phone", len(tokens)) == tokens
    assert decoder.heard("tone", len(tokens))[1::2] == [0, *tones, 0]
    assert set(decoder.heard("language", len(tokens))) == {3}
    scales = ("noise_scale", "noise_scale_w", "sdp_ratio")
    assert [decoder.heard(name, 1) for name in scales] == [[0.3], [0.6], [0.2]]


@pytest.mark.parametrize(
    ("language", "text", "number", "tones"),
    [
        ("jp", "電気です。", 1, (6, 6, 7, 7, 7, 7, 6, 7, 6, 6, 6)),
        ("es", "Hola!", 5, (12, 13, 12, 12, 12, 12)),
        ("en", "Hello!", 2, (7, 7, 8, 7, 9, 7, 7)),  # its list has them counted on already
        ("zh", "开灯！", 3, (0, 1, 1, 1, 1, 0, 0)),
    ],
)
def test_published_voices_get_their_languages_number_and_tones(
    language: str, text: str, number: int, tones: Sequence[int], tmp_path: Path, npu: Any
) -> None:
    folder = published(tmp_path / "voice", language)
    decoder = Overheard(folder / "decoder-ax630c" / f"decoder-{language}.axmodel")
    engine = loaded(local(folder, "voice"))
    pieces(engine, text)
    count = 2 * len(tones) + 1
    spread = [0] * count
    spread[1::2] = tones
    assert decoder.heard("tone", count) == spread
    assert decoder.heard("language", count)[1::2] == [number] * len(tones)
    assert set(decoder.heard("language", count)[::2]) == {0}
    assert decoder.heard("noise_scale", 1) == decoder.heard("sdp_ratio", 1) == [0]


def test_a_published_voice_can_be_told_to_be_one_of_a_package(tmp_path: Path, npu: Any) -> None:
    folder = published(tmp_path / "voice", "en")
    decoder = Overheard(folder / "decoder-ax630c" / "decoder-en.axmodel")
    engine = loaded(local(folder, "voice"), convention="stackflow")
    pieces(engine, "Hello!")
    assert set(decoder.heard("language", 15)) == {3}
    assert engine.report["convention"] == "stackflow"


def test_an_encoder_with_a_language_model_hears_zeros_of_it(tmp_path: Path, npu: Any) -> None:
    folder = published(tmp_path / "voice", "zh", bert=True)
    decoder = Overheard(folder / "decoder-ax630c" / "decoder-zh.axmodel")
    engine = loaded(local(folder, "voice"))
    pieces(engine, "开灯！")
    assert decoder.heard("bert", 15) == [0] * 15
    assert decoder.heard("phone", 15) == numbered("zh", "k ai d eng !")


def test_what_has_no_sound_is_not_said(english: AxMeloTts, npu: Any) -> None:
    npu.runs = 0
    for text in ("", "?!", "...", "Привет!"):
        assert pieces(english, text) == []
    assert npu.runs == 0


# -- how it sounds


@pytest.mark.parametrize("words", [1, 3, 12, 40])
def test_blocks_sound_as_the_whole_would(words: int, english: AxMeloTts, tmp_path: Path) -> None:
    tokens = numbered("en", "hh ah l ow " * words + ".")
    tones = [0, 0] + [0, 7, 0, 8, 0, 7, 0, 9] * words + [0] * 5
    expected = whole((tokens, tones, [3] * len(tokens)), STACKFLOW, tmp_path / "whole")
    sound = speak(english, "hello " * words)
    assert len(sound) == len(tokens) * FRAMES * HOP - CUT
    np.testing.assert_allclose(sound, expected, atol=1e-5)


def test_blocks_of_few_common_frames_differ_from_the_whole_only_where_they_meet(
    tmp_path: Path, npu: Any
) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")
    one, other = (loaded(local(folder), overlap=overlap) for overlap in (2, 24))
    difference = np.abs(speak(one, HELLO) - speak(other, HELLO))
    joint = (SIZE - 1) * HOP
    assert difference[: joint - 5 * HOP].max() < 1e-5
    assert difference[joint - 5 * HOP : joint + 5 * HOP].max() > 1e-3


def test_the_first_sound_needs_one_block(english: AxMeloTts, npu: Any) -> None:
    npu.runs = 0
    runs: list[int] = []
    lengths: list[int] = []

    def emit(piece: Audio) -> bool:
        runs.append(npu.runs)
        lengths.append(len(piece))
        return True

    english.synthesize(SynthesisRequest(text=HELLO), emit)
    assert runs == [1, 2, 3, 4]
    assert lengths[0] > 1.3 * RATE


def test_a_first_clause_is_made_before_the_rest_is_read(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")
    decoder = Overheard(folder / "melotts-en-us" / "decoder-en.axmodel")
    engine = loaded(local(folder))
    decoder.blocks.clear()
    text = "Hello hello hello there, hello hello hello hello hello hello."
    first, gap, *rest = pieces(engine, text, speed=2)
    clause = len(numbered("en", "hh ah l ow " * 3 + "v eh r ,")) * FRAMES // 2
    assert len(first) == clause * HOP - CUT
    assert not decoder.blocks[0][..., clause:].any()
    assert decoder.blocks[0][..., :clause].any()
    assert (len(gap), np.abs(gap).max()) == (round(0.05 * RATE), 0)
    sentence = len(numbered("en", "hh ah l ow " * 6 + ".")) * FRAMES // 2
    assert sum(map(len, rest)) == sentence * HOP - CUT


@pytest.mark.parametrize(("told", "speed", "scale"), [(1.0, 2.0, 0.5), (1.25, 1.0, 0.8)])
def test_speed_shortens_sounds_as_does_what_the_package_says(
    told: float, speed: float, scale: float, tmp_path: Path, npu: Any
) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en", spacker_speed=told)
    engine = loaded(local(folder))
    tokens = len(numbered("en", "hh ah l ow " * 12 + "."))
    frames = (len(speak(engine, HELLO, speed=speed)) + CUT) / HOP
    assert frames == pytest.approx(tokens * FRAMES * scale, abs=1)


def test_sound_stays_within_bounds(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")

    def shout(feeds: Any, group: int) -> Sequence[NDArray[np.float32]]:
        return [np.resize(np.array([2, -2], np.float32), (1, 1, SIZE * HOP))]

    takes = (("z_p", np.float32, [1, WIDTH, SIZE]), ("g", np.float32, [1, 256, 1]))
    path = folder / "melotts-en-us" / "decoder-en.axmodel"
    axfunction(path, shout, (takes, (("audio", np.float32, [1, 1, SIZE * HOP]),)))
    sound = speak(loaded(local(folder)), HELLO)
    assert sound.max() == -sound.min() == np.float32(0.95)


def test_an_encoder_in_the_packages_own_format_speaks_alike(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en", encoder="encoder-en.ort")
    own = folder / "melotts-en-us"
    as_ort(own / "encoder-en.onnx", own / "encoder-en.ort")
    (own / "encoder-en.onnx").unlink()
    other = package(tmp_path / "other", "melotts-en-us", "en")
    ort, onnx = (loaded(local(path)) for path in (folder, other))
    np.testing.assert_array_equal(speak(ort, HELLO), speak(onnx, HELLO))


# -- when it ends


def test_it_stops_when_nobody_wants_more(english: AxMeloTts, npu: Any) -> None:
    npu.runs = 0
    english.synthesize(SynthesisRequest(text=HELLO), lambda piece: False)
    assert npu.runs == 1


def test_it_can_be_ended_between_blocks_and_speaks_again(english: AxMeloTts, npu: Any) -> None:
    npu.runs = 0

    def emit(piece: Audio) -> bool:
        english.interrupt(threading.get_ident())
        return True

    with pytest.raises(Cancelled):
        english.synthesize(SynthesisRequest(text=HELLO), emit)
    assert npu.runs == 1
    assert len(pieces(english, HELLO)) == 4


def test_an_ended_call_does_not_go_on_with_the_next_fragment(english: AxMeloTts, npu: Any) -> None:
    npu.runs = 0

    def emit(piece: Audio) -> bool:
        english.interrupt(threading.get_ident())
        return True

    text = "Hello hello hello there, hello hello hello hello hello hello."
    with pytest.raises((Cancelled, EngineFailed)):
        english.synthesize(SynthesisRequest(text=text), emit)
    assert npu.runs == 1


def test_closing_frees_the_npu(english: AxMeloTts, npu: Any) -> None:
    assert npu.used_kb > 0
    english.close()
    assert npu.used_kb == 0
    with pytest.raises(EngineFailed, match="not loaded"):
        pieces(english, "hello")


# -- what is there, and what is not


@pytest.mark.parametrize("request_", [{"voice": "other"}, {"language": "de"}, {"speaker": "ann"}])
def test_another_voice_or_speaker_is_not_silently_replaced(
    request_: dict[str, str], english: AxMeloTts
) -> None:
    with pytest.raises(UnknownVoice):
        pieces(english, "Hello", **request_)


@pytest.mark.parametrize(
    ("mode", "language", "languages"),
    [
        ("melotts-en-us", "en", ("en-US", "en")),
        ("melotts-en-india", "en", ("en-IN", "en")),
        ("melotts-en-default", "en", ("en",)),
        ("melotts-ja-jp", "jp", ("ja-JP", "ja")),
        ("melotts-zh-cn", "zh", ("zh-CN", "zh")),
    ],
)
def test_a_voice_tells_language_and_rate_before_it_is_loaded(
    mode: str, language: str, languages: tuple[str, ...], tmp_path: Path
) -> None:
    folder = package(tmp_path / "voice", mode, language)
    (model,) = AxMeloTts(model=local(folder, mode)).info.models
    assert (model.name, model.rate, model.languages) == (mode, RATE, languages)


def test_of_several_accents_in_a_folder_the_one_that_is_wanted_speaks(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    for accent in ("en-us", "en-br", "en-default"):
        for name in (f"encoder-{accent}.ort", f"decoder-{accent}.axmodel", f"g-{accent}.bin"):
            (folder / name).touch()
    for name in ("tokens-en.txt", "lexicon-en.txt"):
        (folder / name).touch()
    british = AxMeloTts(model=local(folder, "british", mode="melotts-en-br"))
    assert british.info.models[0].languages == ("en-GB", "en")
    usual = AxMeloTts(model=local(folder, "voice"))
    assert usual.info.models[0].languages == ("en",)
    (folder / "encoder-en-default.ort").unlink()
    with pytest.raises(EngineFailed, match=r"more than one voice .*mode tells which"):
        AxMeloTts(model=local(folder, "voice"))


@pytest.mark.parametrize("missing", ["encoder", "decoder", "g", "tokens", "lexicon"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")
    (file,) = (folder / "melotts-en-us").glob(f"{missing}-*")
    file.unlink()
    with pytest.raises(EngineFailed, match=file.name):
        AxMeloTts(model=local(folder))
    (folder / "models" / "mode_melotts-en-us.json").unlink()
    with pytest.raises(EngineFailed, match=f"no {missing}"):
        AxMeloTts(model=local(folder))


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("tokens-en.txt", b"hello\n", "tokens-en.txt"),
        ("tokens-en.txt", b"AA 1\n", "no token _"),
        ("lexicon-en.txt", b"", "no word"),
        ("g-en.bin", b"1234" * 7, "7 numbers"),
        ("g-en.bin", b"123", "g-en.bin"),
        ("encoder-en.onnx", b"nothing", "encoder-en.onnx"),
        ("decoder-en.axmodel", b"nothing", "decoder-en.axmodel"),
    ],
)
def test_a_broken_file_is_told_when_the_voice_is_loaded(
    file: str, content: bytes, complaint: str, tmp_path: Path, npu: Any
) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")
    (folder / "melotts-en-us" / file).write_bytes(content)
    engine = AxMeloTts(model=local(folder))
    with pytest.raises(EngineFailed, match=complaint):
        engine.load()
    assert npu.used_kb == 0


def test_networks_of_another_kind_are_refused(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")
    path = folder / "melotts-en-us" / "decoder-en.axmodel"
    takes = (("images", np.uint8, [1, 320, 320, 3]),)
    axfunction(path, lambda feeds, group: [], (takes, (("boxes", np.float32, [1, 84]),)))
    with pytest.raises(EngineFailed, match="frames and a speaker"):
        AxMeloTts(model=local(folder)).load()
    assert npu.used_kb == 0


# -- through a node


async def test_a_home_hears_the_voice_through_a_node(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / "melotts-en-us", "melotts-en-us", "en")
    unit = f"tts=axengine-melotts:{folder}"
    async with running(tmp_path / "data", units=[unit]) as node, peer(node.port) as client:
        await client.send(Synthesize("hello " * 9, voice=SynthesizeVoice(language="en")))
        events = await client.until("audio-stop", "error")
    assert (events[0].type, events[-1].type) == ("audio-start", "audio-stop")
    assert events[0].data["rate"] == RATE
    tokens = len(numbered("en", "hh ah l ow " * 9 + "."))
    assert len(pcm(events)) / 2 == pytest.approx(tokens * FRAMES * HOP, rel=0.02)


def test_the_table_of_engines_makes_it(tmp_path: Path, npu: Any) -> None:
    folder = package(tmp_path / "voice", "melotts-en-us", "en")
    assert ENGINES["axengine-melotts"].missing == ()
    engine = create_engine("axengine-melotts", model=local(folder), threads="1")
    assert isinstance(engine, AxMeloTts)
