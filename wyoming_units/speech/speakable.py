"""Text made speakable: what is for the eye only is dropped, units and symbols become words.

Synthesisers read numbers, times and dates by themselves; they stumble over units such as "km/h"
and "kWh", lose a minus, and read mark-up aloud.
"""

from __future__ import annotations

import html
import re
from functools import cache

from wyoming_units.speech.readings import read_out

_COLUMNS = {"en": 0, "de": 1, "fr": 2, "zh": 3, "cmn": 3, "yue": 3}
"""Of the tables below; texts in other languages keep their units and lose the symbols."""

# "one|many" where they differ; # stands for the number where it does not come first.
_UNITS = {
    "°C": (
        "degree Celsius|degrees Celsius",
        "Grad Celsius",
        "degré Celsius|degrés Celsius",
        "摄氏度",
    ),
    "°F": (
        "degree Fahrenheit|degrees Fahrenheit",
        "Grad Fahrenheit",
        "degré Fahrenheit|degrés Fahrenheit",
        "华氏度",
    ),
    "°": ("degree|degrees", "Grad", "degré|degrés", "度"),
    "%": ("percent", "Prozent", "pour cent", "百分之#"),
    "km/h": (
        "kilometre per hour|kilometres per hour",
        "Kilometer pro Stunde",
        "kilomètre-heure|kilomètres-heure",
        "公里每小时",
    ),
    "m/s": (
        "metre per second|metres per second",
        "Meter pro Sekunde",
        "mètre par seconde|mètres par seconde",
        "米每秒",
    ),
    "mph": (
        "mile per hour|miles per hour",
        "Meile pro Stunde|Meilen pro Stunde",
        "mille par heure|milles par heure",
        "英里每小时",
    ),
    "W": ("watt|watts", "Watt", "watt|watts", "瓦"),
    "kW": ("kilowatt|kilowatts", "Kilowatt", "kilowatt|kilowatts", "千瓦"),
    "Wh": ("watt hour|watt hours", "Wattstunde|Wattstunden", "wattheure|wattheures", "瓦时"),
    "kWh": (
        "kilowatt hour|kilowatt hours",
        "Kilowattstunde|Kilowattstunden",
        "kilowattheure|kilowattheures",
        "千瓦时",
    ),
    "V": ("volt|volts", "Volt", "volt|volts", "伏"),
    "A": ("amp|amps", "Ampere", "ampère|ampères", "安"),
    "hPa": ("hectopascal|hectopascals", "Hektopascal", "hectopascal|hectopascals", "百帕"),
    "lx": ("lux", "Lux", "lux", "勒克斯"),
    "ppm": ("parts per million", "Teile pro Million", "parties par million", "ppm"),
    "µg/m³": (
        "microgram per cubic metre|micrograms per cubic metre",
        "Mikrogramm pro Kubikmeter",
        "microgramme par mètre cube|microgrammes par mètre cube",
        "微克每立方米",
    ),
    "m³": ("cubic metre|cubic metres", "Kubikmeter", "mètre cube|mètres cubes", "立方米"),
    "m²": ("square metre|square metres", "Quadratmeter", "mètre carré|mètres carrés", "平方米"),
    "mm": ("millimetre|millimetres", "Millimeter", "millimètre|millimètres", "毫米"),
    "cm": ("centimetre|centimetres", "Zentimeter", "centimètre|centimètres", "厘米"),
    "km": ("kilometre|kilometres", "Kilometer", "kilomètre|kilomètres", "公里"),
    "kg": ("kilogram|kilograms", "Kilogramm", "kilogramme|kilogrammes", "公斤"),
    "€": ("euro|euros", "Euro", "euro|euros", "欧元"),
    "$": ("dollar|dollars", "Dollar", "dollar|dollars", "美元"),
    "£": ("pound|pounds", "Pfund", "livre|livres", "英镑"),
}

_SYMBOLS = {
    "&": ("and", "und", "et", "和"),
    "<": ("less than", "kleiner als", "inférieur à", "小于"),
    ">": ("greater than", "größer als", "supérieur à", "大于"),
}
_MINUS = ("minus", "minus", "moins", "负")
_LATIN = "A-Za-zÀ-ÿ0-9"  # not \w: Chinese is written without spaces
_DECIMAL_COMMA = ("de", "fr")

_ALIASES = str.maketrans({"℃": "°C", "℉": "°F", "μ": "µ", "−": "-"})
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f"
    "\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff\u200d\u20e3\ufe0e\ufe0f]+"
)

# In this order: later patterns rely on what earlier ones removed.
_MARKUP = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"```(?s:.*?)(?:```|\Z)", " "),  # code
        (r"<!--(?s:.*?)-->", " "),
        (r"</?[a-zA-Z][\w:-]*(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?>", " "),
        (r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s[^()]*)?\)", r"\1"),  # links and images
        (r"\bhttps?://(?:www\.)?([\w.-]*\w)(?:[^\s<>()\[\]]*[\w/])?", r"\1"),
        (r"^[ \t|:-]{3,}$", " "),  # rules, and the second line of tables
        (r"^[ \t]*(?:#{1,6}|>+|[-*+•])[ \t]+(?:\[[ xX]\][ \t])?", ""),  # headings, quotes, lists
        (r"\*\*|__|~~|`|(?<![\d\s])\*|\*(?![\d\s])|(?<!\w)_|_(?!\w)", ""),  # emphasis
        (r"[_|]", " "),
    )
)


def speakable(text: str, language: str | None = None) -> str:
    """Return `text` as it should be spoken, "" where nothing is left; plain text, never mark-up."""
    text = html.unescape(text).translate(_ALIASES)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = _EMOJI.sub(" ", text)
    text = _words(text, (language or "").lower().replace("_", "-").partition("-")[0])
    text = " ".join(text.split())
    return text if any(character.isalnum() for character in text) else ""


def _words(text: str, language: str) -> str:
    if language not in _COLUMNS:
        return re.sub(r"[&<>]", " ", text)
    column = _COLUMNS[language]
    gap = "" if column == _COLUMNS["zh"] else " "

    def say(match: re.Match[str]) -> str:
        number = match["number"] or match["amount"]
        one, _, many = _UNITS[match["unit"] or match["currency"]][column].partition("|")
        words = one if number == "1" or not many else many
        return words.replace("#", number) if "#" in words else f"{number}{gap}{words}"

    text = _quantity().sub(say, text)
    text = re.sub(rf"(?<![{_LATIN}.,)])-(?=\d)", _MINUS[column] + gap, text)
    if language in _DECIMAL_COMMA:
        text = _decimal(column).sub(r"\1,\2", text)
    text = read_out(text, language)
    return re.sub(r"[&<>]", lambda match: f" {_SYMBOLS[match[0]][column]} ", text)


@cache
def _decimal(column: int) -> re.Pattern[str]:
    """Match the number of "21.5 Grad", but of no version, date or chapter."""
    names = {name for texts in _UNITS.values() for name in texts[column].split("|")}
    words = "|".join(sorted({re.escape(name.split()[0]) for name in names}))
    return re.compile(rf"(?<![\d.,])(\d+)\.(\d{{1,2}})(?= (?:{words})\b)")


@cache
def _quantity() -> re.Pattern[str]:
    """Match "21.5 °C" and "€5"."""
    units = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
    number = r"\d+(?:[.,]\d+)*"
    return re.compile(
        rf"(?P<currency>[€$£])(?P<amount>{number})"
        rf"|(?<![{_LATIN}.,])(?P<number>{number})[ \u00a0\u202f]?(?P<unit>{units})(?![{_LATIN}/²³])"
    )
