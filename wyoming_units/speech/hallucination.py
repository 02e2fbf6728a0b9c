"""Tells what a Whisper-like recogniser heard from what it made up.

Such networks learnt from subtitles: on silence, noise or music they write what stands at the end of films,
with some conviction, or repeat one phrase for ever. Thresholds of probability and of repetition are those
of Whisper's own decoding (A. Radford et al., https://arxiv.org/abs/2212.04356, section 4.5).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wyoming_units.speech.level import level

_UNSURE = -1.0
"""Mean log probability of a token below which a text is a guess."""
_NO_SPEECH = 0.6
"""Probability that nobody speaks above which a guess is not believed."""
_REPEATS = 2.4
"""How many times shorter a text must become by compression to be a loop."""
_HALF_SURE = -0.5
"""Mean log probability below which a phrase that is known to be made up is not believed."""
_MAYBE_SILENT = 0.3
_SHORT = 1.0
"""Seconds."""
_QUIET = -45.0
"""Level of the loudest moment, in dB of full scale, below which it is hardly near speech."""

_CREDITS = re.compile(
    r"amara org|castingwords|zeoranger|(?:subtitle[sd]|caption(?:s|ed)|transcribed|transcription) by"
    r"|untertitel(?:ung)? (?:im auftrag|der|von|des|aufgrund|erstellt)|copyright (?:wdr|swr|zdf)"
    r"|sous titr(?:es|age) (?:réalis|par|fait|st )|sottotitoli (?:creati|e revisione|a cura)"
    r"|subtítulos (?:realizados|por|creados)|legendas? (?:por|pela)|ondertitel(?:ing|d|s) (?:door|ingediend)"
    r"|napisy (?:stworzone|przez|by)|titulky (?:vytvořil|by)|undertekster? (?:av|af)|tekstet (?:av|af)"
    r"|textning (?:av|stina)|tekstitys (?:tekijä|by)|altyazı (?:m k|çeviri)"
    r"|редактор субтитров|субтитры (?:сдела|созда|дела|подогна)|продолжение следует"
    r"|字幕(?: ?by|由|志愿|志願|提供|制作|製作|组|組)|ご視聴|請不吝|请不吝|点赞.?订阅|點贊.?訂閱|明镜|明鏡"
    r"|시청해 ?주셔서|구독과|자막 ?(?:by|제공|제작)|اشتركوا في القناة|ترجمة نانسي"
)
"""Found in a text: who made the subtitles, and thanks to those who watch."""

_PHRASES: dict[str, frozenset[str]] = {
    "en": frozenset(
        {
            "thank you",
            "thank you very much",
            "thank you so much",
            "thanks",
            "you",
            "bye",
            "bye bye",
            "okay",
            "so",
            "the end",
            "oh",
            "uh",
            "hmm",
        }
    ),
    "de": frozenset(
        {"vielen dank", "danke", "tschüss", "das war's", "das wars", "bis zum nächsten mal"}
    ),
    "fr": frozenset({"merci", "merci d'avoir regardé cette vidéo", "au revoir", "à bientôt"}),
    "es": frozenset({"gracias", "muchas gracias", "gracias por ver el video", "hasta la próxima"}),
    "it": frozenset({"grazie", "grazie a tutti", "grazie per la visione"}),
    "nl": frozenset({"bedankt", "dank u wel", "tot de volgende keer", "bedankt voor het kijken"}),
    "pt": frozenset({"obrigado", "obrigada", "tchau", "e aí"}),
    "pl": frozenset({"dziękuję", "dziękuję za uwagę", "dzięki za oglądanie"}),
    "ru": frozenset({"спасибо", "спасибо за просмотр", "всем пока", "до свидания"}),
    "tr": frozenset({"izlediğiniz için teşekkür ederim", "teşekkürler"}),
    "sv": frozenset({"tack", "tack för att du tittade"}),
    "da": frozenset({"tak", "tak fordi du så med"}),
    "no": frozenset({"takk", "takk for at du så på"}),
    "fi": frozenset({"kiitos", "kiitos katsomisesta"}),
    "cs": frozenset({"děkuji", "děkuji za pozornost"}),
    "zh": frozenset(
        {"谢谢", "謝謝", "谢谢大家", "謝謝大家", "谢谢观看", "謝謝觀看", "再见", "多謝"}
    ),
    "ja": frozenset({"ありがとうございました", "ありがとうございます", "おやすみなさい", "はい"}),
    "ko": frozenset({"감사합니다", "고맙습니다", "네"}),
    "ar": frozenset({"شكرا", "شكرا لكم", "شكرا للمشاهدة"}),
}
"""The whole of a text: what is said in a home too, but far more often made up of silence."""

_FAREWELLS = re.compile(
    r"(?:thank you|thanks)(?: \w+){0,3} for (?:watching|listening|viewing)|(?:like|please|and) subscribe"
    r"|see you (?:in the )?next (?:time|video)|fürs? zuschauen|d'avoir regardé|por ver (?:el|este) v[ií]deo"
    r"|per la visione|voor het kijken|za oglądanie|за просмотр|谢谢观看|謝謝觀看"
)


_TWICE = re.compile(r"(.{6,}?) ?\1$")
"""A text that ends with the same words twice: how a loop begins."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A text and what speaks for and against it."""

    text: str
    log_probability: float
    """Mean of its tokens."""
    no_speech: float
    """Probability that nobody speaks, in [0, 1]."""
    seconds: float
    """Length of the audio."""
    level: float
    """Of the loudest moment of the audio, in dB of full scale."""
    prompt: str = ""
    """What the recogniser was told before."""


def loudest(samples: NDArray[np.float32]) -> float:
    """Return the level of the loudest 50 ms of mono samples at 16 kHz, in dB of full scale."""
    size = 800
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    return max((level(piece) for piece in whole), default=level(samples))


def compression(text: str) -> float:
    """Return how many times shorter a text becomes by compression; a loop has a high number."""
    data = text.encode("utf-8")
    return len(data) / len(zlib.compress(data)) if data else 0.0


def doubtful(heard: Heard) -> bool:
    """Return whether another attempt could give a better text."""
    if heard.log_probability < _UNSURE or compression(heard.text) > _REPEATS:
        return True
    return bool(_TWICE.search(_plain(heard.text)))


def invented(heard: Heard, language: str | None) -> bool:
    """Return whether a text was made up, so that nothing was understood."""
    if compression(heard.text) > _REPEATS:
        return True
    if heard.log_probability < _UNSURE and heard.no_speech > _NO_SPEECH:
        return True
    text = _plain(heard.text)
    weak = heard.log_probability < _HALF_SURE or heard.no_speech > _MAYBE_SILENT
    if _CREDITS.search(text) or _FAREWELLS.search(text):
        return weak or heard.seconds < 2 * _SHORT or heard.level < _QUIET
    if text in _PHRASES.get(language or "", frozenset()):
        return weak or heard.level < _QUIET
    return heard.log_probability < _UNSURE and _repeats_prompt(text, heard.prompt)


def _repeats_prompt(text: str, prompt: str) -> bool:
    return len(text.split()) > 3 and text in _plain(prompt)


def _plain(text: str) -> str:
    """Return lower-case words without punctuation but apostrophes, one space between them."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("’", "'")
    return " ".join(re.sub(r"[^\w']+", " ", folded).split())
