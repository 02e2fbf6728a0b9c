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


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh"])
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


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("at 7:00 or 12:00", "at 7 o'clock or 12 o'clock"),
        ("at 7:05 pm", "at 7 oh 5 pm"),
        ("at 7:00 PM, 7:00 a.m. and 7:00am", "at 7 PM, 7 a.m. and 7am"),
        ("00:00, 24:00 and 0:05", "midnight, midnight and 0 oh 5"),
        ("13:00 and 19:30", "13 hundred and 19:30"),
        ("7:10", "7:10"),
    ],
)
def test_english_times_say_no_zero_zero(text: str, spoken: str) -> None:
    assert read_out(text, "en") == spoken


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("en", "Due 2026-11-20.", "Due November 20th, 2026."),
        (
            "en",
            "2026-01-01, 2026-03-02, 2026-03-03",
            "January 1st, 2026, March 2nd, 2026, March 3rd, 2026",
        ),
        ("en", "2026-03-11 2026-03-12", "March 11th, 2026 March 12th, 2026"),
        ("en", "2026/11/22", "November 22nd, 2026"),
        ("en", "2026-11-20T19:30:05.123+01:00", "November 20th, 2026, 19:30"),
        ("en", "2026-11-20 07:00:00Z", "November 20th, 2026, 7 o'clock"),
        ("de", "am 2026-11-20", "am zwanzigsten November 2026"),
        ("de", "20.11.2026, am 01.05.2026", "zwanzigster November 2026, am ersten Mai 2026"),
        (
            "de",
            "vom 3.10. an, den 20. 11. 2026",
            "vom dritten Oktober an, den zwanzigsten November 2026",
        ),
        ("fr", "le 20/11/2026, le 2026-05-01", "le 20 novembre 2026, le 1er mai 2026"),
        ("zh", "于2026-11-20到期", "于二零二六年11月20日到期"),
        ("zh", "2026/1/5 8:00", "二零二六年1月5日 8点整"),
    ],
)
def test_dates_are_read_as_the_language_says_them(language: str, text: str, spoken: str) -> None:
    assert read_out(text, language) == spoken


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh"])
@pytest.mark.parametrize(
    "text",
    [
        "2026-13-20",
        "2026-11-32",
        "2026-11",
        "2026-11-20-1",
        "x2026-11-20",
        "2026/11-20",
        "2026-11-20.5",
    ],
)
def test_what_only_looks_like_a_date_stays(language: str, text: str) -> None:
    assert read_out(text, language) == text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("am 3. Oktober", "am dritten Oktober"),
        ("Der 1. Mai", "Der erste Mai"),
        ("31. Dezember 2026", "einunddreißigster Dezember 2026"),
        ("im 2. Stock", "im zweiten Stock"),
        ("zum 10. Mal", "zum zehnten Mal"),
        ("Es sind 21. Gut.", "Es sind 21. Gut."),
        ("am 32. Oktober", "am 32. Oktober"),
        ("Lampe 3. Das ist alles.", "Lampe 3. Das ist alles."),
    ],
)
def test_german_ordinals_are_declined(text: str, spoken: str) -> None:
    assert read_out(text, "de") == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("le 2e étage, le 3ème, la 1re", "le deuxième étage, le troisième, la 1re"),
        ("16e et 17e", "seizième et 17e"),
        ("2em, 1,2e", "2em, 1,2e"),
    ],
)
def test_french_ordinals_are_words(text: str, spoken: str) -> None:
    assert read_out(text, "fr") == spoken


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("en", "Call +1 555 123 4567 now", "Call +1, 5 5 5, 1 2 3, 4 5 6 7 now"),
        ("en", "555-123-4567 or 555-1234", "5 5 5, 1 2 3, 4 5 6 7 or 5 5 5, 1 2 3 4"),
        ("en", "(555) 123-4567", "5 5 5, 1 2 3, 4 5 6 7"),
        ("de", "Tel. +49 30 123456", "Tel. +4 9, 3 0, 1 2 3 4 5 6"),
        ("zh", "电话+86 138 0013 8000", "电话加八六 一三八 零零一三 八零零零"),
        ("de", "+493012345 und +49 (0) 30 1", "+4 9 3 0 1 2 3 4 5 und +4 9, 0, 3 0, 1"),
        ("zh", "打13800138000吧", "打一三八零零一三八零零零吧"),
    ],
)
def test_telephone_numbers_are_read_digit_by_digit(language: str, text: str, spoken: str) -> None:
    assert read_out(text, language) == spoken


@pytest.mark.parametrize("text", ["+5", "5+1 555", "1555-123-45678", "555-12345", "12800138000123"])
def test_what_only_looks_like_a_telephone_number_stays(text: str) -> None:
    assert read_out(text, "en") == read_out(text, "zh") == text


def test_two_of_something_is_liang_in_chinese() -> None:
    text = "2个灯，12个，第2个，1.2个，2小时，2:00，2点"
    assert read_out(text, "zh") == "两个灯，12个，第2个，1.2个，两小时，两点整，2点"


def test_english_abbreviations_are_read_in_full() -> None:
    spoken = "for example lamps, that is approximately five, cats versus dogs"
    assert read_out("e.g. lamps, i.e. approx. five, cats vs. dogs", "en") == spoken


@pytest.mark.parametrize(
    "unit",
    [
        "1-",
        "+1 ",
        "+1",
        "+" + "1" * 40,
        "555-",
        "2026-11-2",
        "3. ",
        "1.1.",
        "7:0",
        "1 h",
        "z. ",
        "2026年",
        "z.B.",
        "7:05 ",
    ],
)
@pytest.mark.parametrize("language", ["en", "de", "fr", "zh"])
def test_odd_text_takes_no_long_time(language: str, unit: str) -> None:
    began = time.perf_counter()
    read_out(unit * (10_000 // len(unit)), language)
    assert time.perf_counter() - began < 2
