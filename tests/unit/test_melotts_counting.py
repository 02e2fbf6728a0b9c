"""Numbers in words for voices that have no rules for digits."""

from __future__ import annotations

import pytest

from wyoming_units.speech.counting import read_numbers


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It is 21.5 degrees.", "It is twenty one point five degrees."),
        ("0.05", "zero point zero five"),
        ("1,234,567 stars", "one million two hundred thirty four thousand five hundred sixty seven stars"),
        ("at 19:30", "at nineteen thirty"),
        ("in 2026", "in twenty twenty six"),
        ("in 2005", "in two thousand five"),
        ("in 1905", "in nineteen oh five"),
        ("1500 watts", "fifteen hundred watts"),
        ("the 3rd and the 21st, the 12th, the 20th", "the third and the twenty first, the twelfth, the twentieth"),
        ("007", "zero zero seven"),
        ("mp3", "mp three"),
        ("1234567890123", "one two three four five six seven eight nine zero one two three"),
        ("2, 3.", "two, three."),
        ("2000000000", "two billion"),
    ],
)  # fmt: skip
def test_english(written: str, said: str) -> None:
    assert read_numbers(written, "en-GB") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("21,5 grados", "veintiuno coma cinco grados"),
        ("21.5", "veintiuno coma cinco"),
        ("21 grados", "veintiún grados"),
        ("31 horas", "treinta y una horas"),
        ("1 y 2", "uno y dos"),
        ("100 o 101", "cien o ciento uno"),
        ("1.234", "mil doscientos treinta y cuatro"),
        ("21.000", "veintiún mil"),
        ("516 y 999", "quinientos dieciséis y novecientos noventa y nueve"),
        ("2500000", "dos millones quinientos mil"),
        ("1000000", "un millón"),
        ("las 19:30", "las diecinueve treinta"),
    ],
)
def test_spanish(written: str, said: str) -> None:
    assert read_numbers(written, "es") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("现在21.5度", "现在二十一点五度"),
        ("10", "十"),
        ("12", "十二"),
        ("110", "一百一十"),
        ("1002", "一千零二"),
        ("1020", "一千零二十"),
        ("10005", "一万零五"),
        ("120000", "十二万"),
        ("1200000", "一百二十万"),
        ("100010000", "一亿零一万"),
        ("19:30", "十九点三十分"),
        ("007", "零零七"),
    ],
)
def test_chinese(written: str, said: str) -> None:
    assert read_numbers(written, "zh-CN") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("21度", "二十一度"),
        ("100", "百"),
        ("3600", "三千六百"),
        ("10000", "一万"),
        ("12345", "一万二千三百四十五"),
        ("3月1日", "三月一日"),
        ("19:30", "十九時三十分"),
        ("20.5", "二十点五"),
    ],
)
def test_japanese(written: str, said: str) -> None:
    assert read_numbers(written, "ja") == said


def test_other_languages_keep_their_digits() -> None:
    assert read_numbers("12 Uhr", "de") == "12 Uhr"
