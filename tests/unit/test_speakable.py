"""Text made speakable."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.speech.speakable import speakable


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("**Bold** and *light* and __both__ and _one_", "Bold and light and both and one"),
        ("***Very*** ~~not~~ `code`", "Very not code"),
        ("# Heading", "Heading"),
        ("### Heading\nText", "Heading Text"),
        ("- one\n* two\n+ three\n• four", "one two three four"),
        ("  - [x] done\n  - [ ] open", "done open"),
        ("> quoted", "quoted"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a b 1 2"),
        ("one\n---\ntwo", "one two"),
        ("Before ```print(1)``` after", "Before after"),
        ("```python\nprint(1)\n```", ""),
        ("```\nnever closed", ""),
        ("[the docs](https://example.com/a 'title')", "the docs"),
        ("![a lamp](lamp.png)", "a lamp"),
        ("**Half of it", "Half of it"),
    ],
)
def test_markdown_is_dropped(text: str, spoken: str) -> None:
    assert speakable(text, "en") == spoken


@pytest.mark.parametrize(
    "text", ["2 * 3 = 6", "2*3", "The price - so far - is low.", "C# and F#", "x-ray", "1. Milk"]
)
def test_what_only_looks_like_markdown_stays(text: str) -> None:
    assert speakable(text, "en") == text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("See https://www.home-assistant.io/docs/?a=b#c now", "See home-assistant.io now"),
        ("See http://example.com. Good", "See example.com. Good"),
        ("(https://example.com/)", "(example.com)"),
        ("<https://example.com/a>, yes", "less than example.com greater than , yes"),
    ],
)
def test_addresses_are_spoken_as_their_domain(text: str, spoken: str) -> None:
    assert speakable(text, "en") == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Done! 🎉👍🏽", "Done!"),
        ("1️⃣ first", "1 first"),
        ("👨‍👩‍👧", ""),
        ("☀️ sunny ❤️", "sunny"),
        ("a → b", "a b"),
    ],
)
def test_pictures_are_dropped(text: str, spoken: str) -> None:
    assert speakable(text, "en") == spoken


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("en", "It is 21.5°C.", "It is 21.5 degrees Celsius."),
        ("en-GB", "1 °C, -5 °F", "1 degree Celsius, minus 5 degrees Fahrenheit"),
        ("en", "−3℃", "minus 3 degrees Celsius"),
        ("en", "20-25°C", "20 to 25 degrees Celsius"),
        ("en", "turn it 90°", "turn it 90 degrees"),
        ("en", "50% of 5 km/h", "50 percent of 5 kilometres per hour"),
        ("en", "3.2kWh, 60 W and 1 kW", "3.2 kilowatt hours, 60 watts and 1 kilowatt"),
        ("en", "1,234.5 W", "1,234.5 watts"),
        ("en", "12 μg/m³ and 450 ppm", "12 micrograms per cubic metre and 450 parts per million"),
        ("en", "€5, 12.50 € and $1", "5 euros, 12.50 euros and 1 dollar"),
        ("en", "100\u202f000 and 5\u00a0cm", "100 000 and 5 centimetres"),
        ("de", "21.5 °C und -5°C", "21,5 Grad Celsius und minus 5 Grad Celsius"),
        ("de_DE", "1 kWh, 3 kWh, 50 %", "1 Kilowattstunde, 3 Kilowattstunden, 50 Prozent"),
        ("de", "1.500 W", "1.500 Watt"),
        ("fr", "21,5 °C et -1 °C", "21,5 degrés Celsius et moins 1 degré Celsius"),
        ("zh", "现在21.5℃，湿度50%", "现在21.5摄氏度，湿度百分之50"),
        ("zh-CN", "是-5°C，用电3kWh的", "是负5摄氏度，用电3千瓦时的"),
        ("cmn", "5%", "百分之5"),
        ("yue", "5%", "百分之5"),
        ("zh-Hant-TW", "-5℃", "负5摄氏度"),
    ],
)
def test_units_are_spoken_as_words(language: str, text: str, spoken: str) -> None:
    assert speakable(text, language) == spoken


@pytest.mark.parametrize(
    "text",
    ["5 Amps", "2 Wh5", "Vitamin A", "10 Watts", "x-5", "version 1.2.3", "7:30", "5 v", "3 kg/m"],
)
def test_what_only_looks_like_a_unit_stays(text: str) -> None:
    assert speakable(text, "en") == text


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("de", "auf 21.5 Grad oder 50.5 Prozent", "auf 21,5 Grad oder 50,5 Prozent"),
        ("de", "minus 1.5 Grad und 2.5 Kilowattstunden", "minus 1,5 Grad und 2,5 Kilowattstunden"),
        ("fr", "à 21.5 degrés, 50.5 pour cent", "à 21,5 degrés, 50,5 pour cent"),
        ("en", "21.5 degrees", "21.5 degrees"),
        ("zh", "21.5度", "21.5度"),
    ],
)
def test_decimals_of_templates_are_read_as_the_language_writes_them(
    language: str, text: str, spoken: str
) -> None:
    assert speakable(text, language) == spoken


@pytest.mark.parametrize(
    "text", ["Version 2.1 ist da", "die 3.10. um 7", "1.500 Watt", "1.2.3 Grad"]
)
def test_dots_of_versions_dates_and_thousands_stay(text: str) -> None:
    assert speakable(text, "de") == text


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        (
            "de-DE",
            "Es ist 19:30 Uhr & z. B. 5°C",
            "Es ist 19 Uhr 30 und zum Beispiel 5 Grad Celsius",
        ),
        ("fr-CA", "À 19h30, M. Roy < 5 %", "À 19 heures 30, Monsieur Roy inférieur à 5 pour cent"),
        ("zh-CN", "**8:00-9:30**：-5°C", "8点整到9点30分：负5摄氏度"),
    ],
)
def test_times_and_abbreviations_are_read_in_full(language: str, text: str, spoken: str) -> None:
    assert speakable(text, language) == spoken


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("en", "It is 3–5 °C outside.", "It is 3 to 5 degrees Celsius outside."),
        (
            "en",
            "3-5 °C, 3 °C-5 °C",
            "3 to 5 degrees Celsius, 3 degrees Celsius to 5 degrees Celsius",
        ),
        ("en", "-5–3 °C", "minus 5 to 3 degrees Celsius"),
        ("en", "from -5 to -3 °C", "from minus 5 to minus 3 degrees Celsius"),
        ("en", "between 8:30-9:30", "between 8:30 to 9:30"),
        ("en", "pages 3-7, 2.5-3", "pages 3 to 7, 2.5 to 3"),
        ("en", "$5-10", "5 dollars to 10"),
        ("de", "3–5 Grad von 8:00 - 9:30", "3 bis 5 Grad von 8 Uhr bis 9 Uhr 30"),
        ("fr", "3-5 °C, 20h-21h", "3 à 5 degrés Celsius, 20 heures à 21 heures"),
        ("zh", "3-5°C，20～25度", "3到5摄氏度，20到25度"),
        ("zh", "50%-60%，50-60%，50～60%", "百分之50到60，百分之50到60，百分之50到60"),
    ],
)
def test_ranges_are_said_with_a_word(language: str, text: str, spoken: str) -> None:
    assert speakable(text, language) == spoken


@pytest.mark.parametrize(
    "text",
    ["2-1", "7-7", "10-5", "F-16", "COVID-19", "x2-3", "1.2.3-4", "room 5-3b", "half-3", "2-3-4"],
)
def test_what_only_looks_like_a_range_stays(text: str) -> None:
    assert speakable(text, "en") == text


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("en", "5 m, 5 min, 5 s and 24h", "5 metres, 5 minutes, 5 seconds and 24 hours"),
        ("en", "3 l, 5 GB, 6 ft, 2 lbs", "3 litres, 5 gigabytes, 6 feet, 2 pounds"),
        ("en", "0.35 €/kWh, ¥500, -$5", "0.35 euros per kilowatt hour, 500 yen, minus 5 dollars"),
        (
            "de",
            "500 ml, 30 s, 0,35 €/kWh",
            "500 Milliliter, 30 Sekunden, 0,35 Euro pro Kilowattstunde",
        ),
        ("de", "5 ft, 3 lb", "5 ft, 3 lb"),
        ("fr", "5 min, 100 Mbit/s", "5 minutes, 100 mégabits par seconde"),
        ("zh", "风速5m/s，气压1013hPa，¥5", "风速5米每秒，气压1013百帕，5元"),
        ("zh", "5 psi", "5 psi"),
        (
            "en",
            "≈5 km ± 2, 2 × 3, ≥ 1",
            "about 5 kilometres plus or minus 2, 2 times 3, at least 1",
        ),
        ("de", "≤ 5", "höchstens 5"),
        ("en", "max@example.com", "max at example.com"),
        ("fr", "max@example.com", "max arobase example.com"),
        ("pl", "≈5 & 6", "5 6"),
    ],
)
def test_more_measures_and_signs_become_words(language: str, text: str, spoken: str) -> None:
    assert speakable(text, language) == spoken


@pytest.mark.parametrize("text", ["the 80s", "the 1990s", "4K", "5 S", "2x4"])
def test_decades_are_no_seconds(text: str) -> None:
    assert speakable(text, "en") == text


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("zh", "打开 kitchen light，温度是-5到3℃", "打开 kitchen light，温度是负5到3摄氏度"),
        ("zh", "我在3:05说 Hello, 好吗？", "我在3点05分说 Hello, 好吗？"),
        ("en", "Say 你好 at 7:00", "Say 你好 at 7 o'clock"),
    ],
)
def test_chinese_and_english_may_be_mixed(language: str, text: str, spoken: str) -> None:
    assert speakable(text, language) == spoken


@pytest.mark.parametrize("language", ["de", "fr", "zh", "es", None])
def test_no_english_word_comes_into_other_languages(language: str | None) -> None:
    spoken = speakable("5 °C, 50 %, 5 km/h, -3 & 1 < 2 > 0, 7:30, 3.5 kWh, €5", language)
    english = {"degrees", "percent", "per", "hour", "and", "less", "greater", "than", "hours"}
    assert not english & set(spoken.split())


def test_units_of_a_language_without_table_are_left_to_the_engine() -> None:
    assert speakable("Jest 21°C & 5 < 6", "pl") == "Jest 21°C 5 6"
    assert speakable("21°C") == "21°C"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ('<speak>Hi <break time="5s"/>there</speak>', "Hi there"),
        ("&lt;speak&gt;Hi&lt;/speak&gt;", "Hi"),
        ("a<br/>b <!-- no --> c", "a b c"),
        ("5 < 6 & 7 > 6", "5 less than 6 and 7 greater than 6"),
        ("a<b and c>d", "a less than b and c greater than d"),
        ("Tom &amp; Jerry", "Tom and Jerry"),
    ],
)
def test_ssml_and_html_do_not_reach_the_engine(text: str, spoken: str) -> None:
    assert speakable(text, "en") == spoken


@pytest.mark.parametrize("text", ["", " \n\t", "...", "?!", "🎉", "---", "**"])
def test_text_without_a_word_becomes_empty(text: str) -> None:
    assert speakable(text, "en") == ""


def test_spaces_are_normalised() -> None:
    assert speakable("  a \u00a0 b\n\n c ", "en") == "a b c"


@settings(deadline=None)
@given(st.text(), st.sampled_from(["en", "de", "fr", "zh", "xx", None]))
def test_no_text_leaves_mark_up_or_loose_spaces(text: str, language: str | None) -> None:
    spoken = speakable(text, language)
    assert not set("<>&") & set(spoken)
    assert spoken == " ".join(spoken.split())


@settings(deadline=None)
@given(st.text("abcdefgh ABC.,!?äé", max_size=200))
def test_plain_text_is_not_changed(text: str) -> None:
    plain = " ".join(text.split())
    assert speakable(text, "xx") in (plain, "")


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "<a ",
        "-",
        "*",
        "_",
        "`",
        "```a ",
        "http://",
        "1.1,",
        "<!--",
        "|-",
        "[a](",
        "&amp;",
        "1-",
        "1–",
        "5 ",
        "50%-",
        "a@",
    ],
)
def test_odd_text_takes_no_long_time(unit: str) -> None:
    began = time.perf_counter()
    speakable(unit * (10_000 // len(unit)), "en")
    assert time.perf_counter() - began < 2
