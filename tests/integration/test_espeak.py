"""eSpeak NG, the real library."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from wyoming_units.engines import espeak_library
from wyoming_units.engines.base import Audio, SynthesisRequest
from wyoming_units.engines.espeak import EspeakSynthesizer
from wyoming_units.engines.espeak_library import phonemes
from wyoming_units.errors import UnknownVoice
from wyoming_units.speech.speakable import speakable

RATE = 22_050


@pytest.fixture(scope="module")
def espeak() -> Iterator[EspeakSynthesizer]:
    engine = EspeakSynthesizer()
    engine.load()
    yield engine
    engine.close()


def pieces(engine: EspeakSynthesizer, text: str, voice: str | None = None) -> list[Audio]:
    made: list[Audio] = []

    def emit(piece: Audio) -> bool:
        made.append(piece)
        return True

    engine.synthesize(SynthesisRequest(text=text, voice=voice), emit)
    return made


def speak(engine: EspeakSynthesizer, text: str, voice: str | None = None) -> Audio:
    return np.concatenate([np.empty(0, np.float32), *pieces(engine, text, voice)])


def seconds(audio: Audio) -> float:
    return len(audio) / RATE


def run(script: str) -> str:
    """Run a script in a fresh process, where the library is not loaded yet."""
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_speech_is_float_audio_of_a_plausible_length(espeak: EspeakSynthesizer) -> None:
    audio = speak(espeak, "Turned on the light.")
    assert audio.dtype == np.float32
    assert 0.7 < seconds(audio) < 2
    assert 0.2 < np.abs(audio).max() <= 1


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        (None, None, "en-us"),
        (None, "en", "en-us"),
        (None, "en-GB", "en-gb"),
        (None, "de", "de"),
        (None, "de-AT", "de"),
        (None, "fr", "fr-fr"),
        (None, "fr-BE", "fr-be"),
        (None, "pt-BR", "pt-br"),
        (None, "pt", "pt"),
        (None, "zh", "cmn"),
        (None, "zh-CN", "cmn"),
        (None, "zh-Hans", "cmn"),
        (None, "zh-HK", "yue"),
        (None, "zh-Hant-HK", "yue"),
        (None, "zh-MO", "yue"),
        (None, "zh-Hant-TW", "cmn"),
        (None, "de-CH", "de"),
        (None, "fr-CA", "fr-fr"),
        (None, "fr-CH", "fr-ch"),
        (None, "no", "nb"),
        ("de", None, "de"),
        ("de", "en", "de"),
        ("en_US", None, "en-us"),
    ],
)
def test_a_voice_is_chosen_by_name_and_else_by_language(
    espeak: EspeakSynthesizer, name: str | None, language: str | None, expected: str
) -> None:
    assert espeak.voice(name, language).name == expected


@pytest.mark.parametrize(("name", "language"), [("nobody", "en"), (None, "tlh-x-none"), ("", None)])
def test_an_unknown_voice_or_language_is_refused(
    espeak: EspeakSynthesizer, name: str | None, language: str | None
) -> None:
    with pytest.raises(UnknownVoice, match=repr(name if name is not None else language)) as error:
        espeak.voice(name, language)
    assert {"de", "fr-fr", "cmn"} <= set(str(error.value).replace(",", " ").split())


def test_every_voice_that_is_offered_speaks(espeak: EspeakSynthesizer) -> None:
    silent = [
        model.name for model in espeak.info.models if not speak(espeak, "1 2 3", model.name).size
    ]
    assert not silent
    assert len(espeak.info.models) > 100


def test_voices_tell_their_languages_short_and_regional(espeak: EspeakSynthesizer) -> None:
    languages = {model.name: model.languages for model in espeak.info.models}
    assert set(languages["en-us"]) == {"en", "en-US"}
    assert {"zh", "zh-CN"} <= set(languages["cmn"])
    assert languages["fa-latn"] == ("fa-Latn",)
    assert languages["en-gb-x-rp"][0] == "en-GB-x-rp"


def test_voices_differ(espeak: EspeakSynthesizer) -> None:
    english, german = (speak(espeak, "1984", voice) for voice in ("en-us", "de"))
    assert abs(seconds(english) - seconds(german)) > 0.1


def test_chinese_is_read_in_chinese(espeak: EspeakSynthesizer) -> None:
    assert phonemes("打开厨房的灯", "zh") == phonemes("打开厨房的灯", "cmn")
    assert "(" not in phonemes("打开厨房的灯", "zh")
    assert 0.8 < seconds(speak(espeak, "打开厨房的灯", "cmn")) < 3


@pytest.fixture
def language_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the library's marks, such as "(en)" before what a voice reads in English."""
    monkeypatch.setattr(espeak_library, "_LANGUAGE_SWITCH", re.compile("$^"))


# Syllables, for a length: an engine that spells a text takes several times as long.
SPOKEN = [
    ("de", "Das Licht in der Küche ist an, 21,5 °C, 50 % und 3 kWh um 19:30 Uhr.", 34),
    ("de-CH", "Die Haustür ist z. B. abgeschlossen.", 12),
    ("fr", "La lumière de la cuisine est allumée, 21,5 °C, 50 % et 3 kWh à 19h30.", 34),
    ("fr-CA", "M. Dupont, la porte d'entrée est verrouillée.", 12),
    ("zh-CN", "厨房灯已打开，温度21.5℃，湿度50%，现在19:30。", 31),
    ("zh-TW", "廚房燈已打開，溫度21.5℃，濕度50%，現在19:30。", 31),
    ("zh-HK", "廚房燈已打開，溫度21.5℃，濕度50%，而家19:30。", 31),
]


@pytest.mark.parametrize(("language", "text", "syllables"), SPOKEN)
@pytest.mark.usefixtures("language_switches")
def test_a_reply_is_read_in_its_language_and_not_spelled(
    espeak: EspeakSynthesizer, language: str, text: str, syllables: int
) -> None:
    words = speakable(text, language)
    assert "(" not in phonemes(words, language)
    audio = speak(espeak, words, espeak.voice(None, language).name)
    assert 0.12 < seconds(audio) / syllables < 0.35
    assert 0.2 < np.abs(audio).max() <= 1


@pytest.mark.parametrize(("language", "text"), [("zh", "50%"), ("zh", "5kWh"), ("de", "3 kWh")])
@pytest.mark.usefixtures("language_switches")
def test_units_are_not_left_to_the_voice_which_reads_them_in_english(
    language: str, text: str
) -> None:
    assert "(en)" in phonemes(text, language)
    assert "(" not in phonemes(speakable(text, language), language)


def test_audio_comes_in_pieces_while_it_is_made(espeak: EspeakSynthesizer) -> None:
    lengths = [len(piece) for piece in pieces(espeak, "One two three four five six seven eight.")]
    assert len(lengths) > 20
    assert max(lengths) <= RATE * 0.06 + 1


def test_synthesis_stops_when_nobody_wants_more_and_the_next_is_whole(
    espeak: EspeakSynthesizer,
) -> None:
    before = seconds(speak(espeak, "Turned on the light."))
    heard: list[Audio] = []

    def two(piece: Audio) -> bool:
        heard.append(piece)
        return len(heard) < 2

    espeak.synthesize(SynthesisRequest(text="A very long text. " * 50), two)
    assert len(heard) == 2
    assert seconds(speak(espeak, "Turned on the light.")) == pytest.approx(before, rel=0.05)


def test_a_failure_of_the_receiver_comes_back_to_the_caller(espeak: EspeakSynthesizer) -> None:
    def broken(_: Audio) -> bool:
        raise RuntimeError("receiver")

    with pytest.raises(RuntimeError, match="receiver"):
        espeak.synthesize(SynthesisRequest(text="Hello"), broken)
    assert speak(espeak, "Hello").size


@pytest.mark.parametrize("text", ["", "   ", "\n", "\x00", "\ud800"])
def test_text_without_words_makes_no_speech(espeak: EspeakSynthesizer, text: str) -> None:
    assert seconds(speak(espeak, text)) < 0.5


def test_text_after_a_null_character_is_spoken(espeak: EspeakSynthesizer) -> None:
    assert seconds(speak(espeak, "one\x00two three four")) > 1.3 * seconds(speak(espeak, "one"))


def test_control_characters_are_no_commands_to_the_voice(espeak: EspeakSynthesizer) -> None:
    plain = speak(espeak, "80 S turn on the light")
    command = speak(espeak, "\x0180S turn on the light")  # would be: speak 80 words per minute
    assert seconds(command) == pytest.approx(seconds(plain), rel=0.15)


def test_ssml_is_read_as_text(espeak: EspeakSynthesizer) -> None:
    audio = speak(espeak, '<speak>a<break time="5s"/>b</speak>')
    longest_silence = np.diff(np.flatnonzero(audio)).max()
    assert longest_silence < 2 * RATE


def test_the_speed_can_be_chosen() -> None:
    text = "Turned on the light in the kitchen."
    slow, fast = (EspeakSynthesizer(words_per_minute=speed) for speed in (100, 300))
    assert seconds(speak(slow, text)) > 1.8 * seconds(speak(fast, text))


def test_a_request_may_be_spoken_faster(espeak: EspeakSynthesizer) -> None:
    lengths = []
    for speed in (1.0, 2.0):
        made: list[Audio] = []
        request = SynthesisRequest(text="The kitchen light is on.", speed=speed)
        espeak.synthesize(request, lambda piece, made=made: made.append(piece) is None)  # type: ignore[misc]
        lengths.append(sum(map(len, made)))
    assert 0.35 < lengths[1] / lengths[0] < 0.65


def test_callers_in_many_threads_do_not_mix_their_voices(espeak: EspeakSynthesizer) -> None:
    jobs = [("One two three.", "en-us"), ("Eins zwei drei vier fünf.", "de"), ("Un.", "fr-fr")] * 6
    alone = [seconds(speak(espeak, *job)) for job in jobs[:3]] * 6
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: seconds(speak(espeak, *job)), jobs))
    assert together == pytest.approx(alone, rel=0.05)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("ecobee", "en-US", "ˈɛkoʊbˌiː"),
        ("kitchen", "en", "kˈɪtʃən"),
        ("two words", "en", "tˈuː wˈɜːdz"),
        ("Küche", "de", "kˈʏçə"),
        ("", "en", ""),
    ],
)
def test_phonemes_are_ipa(text: str, language: str, expected: str) -> None:
    assert phonemes(text, language) == expected


def test_phonemes_of_several_clauses_are_all_there() -> None:
    assert phonemes("one, two. three", "en").split() == ["wˌʌn", "tˈuː", "θɹˈiː"]


def test_foreign_words_leave_no_language_marks_in_phonemes() -> None:
    assert "(" not in phonemes("Das Home Office ist offen", "de")


def test_phonemes_of_an_unknown_language_are_refused() -> None:
    with pytest.raises(UnknownVoice, match="'xx'"):
        phonemes("one", "xx")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_telling_the_voices_does_not_load_the_library() -> None:
    script = """
from wyoming_units.engines.espeak import EspeakSynthesizer
engine = EspeakSynthesizer()
assert engine.info.models and engine.voice(None, "de").name == "de"
print("libespeak" in open("/proc/self/maps").read())
"""
    assert run(script) == "False"


@pytest.mark.parametrize("folder", ["x" * 90 + "/" + "y" * 90, "with space/ünïcode"])
def test_the_data_folder_may_have_a_long_or_odd_path(folder: str, tmp_path: Path) -> None:
    import espeakng_loader

    package = tmp_path / folder / "espeakng_loader"
    shutil.copytree(Path(espeakng_loader.__file__).parent, package)
    script = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
import espeakng_loader
assert espeakng_loader.get_data_path().startswith({str(package)!r})
from wyoming_units.engines.base import SynthesisRequest
from wyoming_units.engines.espeak import EspeakSynthesizer
lengths = []
EspeakSynthesizer().synthesize(
    SynthesisRequest(text="hallo", voice="de"), lambda piece: lengths.append(len(piece)) or True
)
print(sum(lengths) > 5000)
"""
    assert run(script) == "True"
