"""What is read otherwise than it is written."""

from __future__ import annotations

import time

import pytest

from wyoming_units.speech.readings import read_out


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("de", "Es ist 19:30 Uhr.", "Es ist 19 Uhr 30."),
        ("de", "um 7:05, um 7.05 Uhr und um 7:00", "um 7 Uhr 5, um 7 Uhr 5 und um 7 Uhr"),
        ("de", "von 8:00-9:30", "von 8 Uhr-9 Uhr 30"),
        ("fr", "à 19h30, à 7:05, à 21 h", "à 19 heures 30, à 7 heures 5, à 21 heures"),
        ("fr", "1 h 05 ou 0h", "1 heure 5 ou 0 heure"),
        ("zh", "现在19:30，闹钟10:05，8:00起床", "现在19点30分，闹钟10点05分，8点整起床"),
        ("cmn", "现在19：30", "现在19点30分"),
        ("yue", "而家19:30", "而家19点30分"),
    ],
)
def test_times_are_read_as_the_language_says_them(language: str, text: str, spoken: str) -> None:
    assert read_out(text, language) == spoken


@pytest.mark.parametrize("language", ["de", "fr", "zh"])
@pytest.mark.parametrize(
    "text", ["12:30:15", "16:9", "25:00", "7:60", "1.2.3", "127.0.0.1:80", "10:305", "x7:305"]
)
def test_what_only_looks_like_a_time_stays(language: str, text: str) -> None:
    assert read_out(text, language) == text


@pytest.mark.parametrize("text", ["4K HD", "5 ha", "h 5", "7.30", "7,5 h"])
def test_an_h_is_an_hour_after_whole_hours_only(text: str) -> None:
    assert read_out(text, "fr") == text


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("de", "z. B. ca. 5 Min. bzw. mehr", "zum Beispiel circa 5 Minuten beziehungsweise mehr"),
        ("de", "Z.B. Nr. 5, d.\u202fh. die", "Zum Beispiel Nummer 5, das heißt die"),
        ("de", "Dr. Müller, Hr. Maier usw.", "Doktor Müller, Herr Maier und so weiter"),
        ("fr", "M. Dupont, p. ex. env. 5", "Monsieur Dupont, par exemple environ 5"),
        ("fr", "C.-à-d. n° 5", "C'est-à-dire numéro 5"),
    ],
)
def test_abbreviations_are_read_in_full(language: str, text: str, spoken: str) -> None:
    assert read_out(text, language) == spoken


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Er war da. Die Camera. Das Marienr. x.usw."),
        ("fr", "MM. Dupont, 5 m. de long, A.M. Roy"),
        ("en", "z. B. M. Dupont, 19:30, no. 5"),
        ("pl", "z. B. 19:30 M. Dupont"),
    ],
)
def test_other_words_and_other_languages_stay(language: str, text: str) -> None:
    assert read_out(text, language) == text


def test_years_are_read_digit_by_digit_in_chinese() -> None:
    assert read_out("2026年11月20日，共12026年", "zh") == "二零二六年11月20日，共12026年"


@pytest.mark.parametrize("unit", ["7:0", "1 h", "z. ", "2026年", "z.B.", "7:05 "])
@pytest.mark.parametrize("language", ["de", "fr", "zh"])
def test_odd_text_takes_no_long_time(language: str, unit: str) -> None:
    began = time.perf_counter()
    read_out(unit * (10_000 // len(unit)), language)
    assert time.perf_counter() - began < 2
