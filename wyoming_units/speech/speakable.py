"""Text made speakable: what is meant for the eye is dropped, units and symbols become words.

Engines read numbers and times themselves; what they get wrong are units ("km/h", "kWh") and mark-up.
"""

from __future__ import annotations

import html
import re

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff"
    "\u200d\u20e3\ufe0e\ufe0f]+"
)

# In order: what is matched later relies on what went before.
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"```.*?(?:```|\Z)", re.DOTALL), " "),
    (re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s[^)]*)?\)"), r"\1"),
    (re.compile(r"</?[a-zA-Z!?][^<>]*>"), " "),
    (re.compile(r"\bhttps?://(?:www\.)?([^\s/:?#<>()\[\]]+)[^\s<>()\[\]]*?(?=[.,;:!?]*(?:[\s<>()\[\]]|$))"), r"\1"),
    (re.compile(r"^\s*\|?(?:\s*:?-{3,}:?\s*\|?)+\s*$", re.MULTILINE), " "),
    (re.compile(r"^\s{0,3}(?:#{1,6}|>+|[-*+•])\s+", re.MULTILINE), " "),
    (re.compile(r"(?<!\S)\[[ xX]\]\s"), " "),
    (re.compile(r"\*\*|__|~~|`|(?<!\s)\*|\*(?!\s)"), ""),
    (re.compile(r"(?<!\w)_|_(?!\w)"), ""),
    (re.compile(r"[_|]"), " "),
)

_Forms = tuple[str, str]
"""Words after 1 and after any other number."""


def _same(word: str) -> _Forms:
    return (word, word)


_UNITS: dict[str, dict[str, _Forms]] = {
    "en": {
        "°C": ("degree Celsius", "degrees Celsius"),
        "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
        "°": ("degree", "degrees"),
        "%": _same("percent"),
        "km/h": ("kilometre per hour", "kilometres per hour"),
        "m/s": ("metre per second", "metres per second"),
        "mph": ("mile per hour", "miles per hour"),
        "W": ("watt", "watts"),
        "kW": ("kilowatt", "kilowatts"),
        "Wh": ("watt hour", "watt hours"),
        "kWh": ("kilowatt hour", "kilowatt hours"),
        "V": ("volt", "volts"),
        "A": ("amp", "amps"),
        "hPa": ("hectopascal", "hectopascals"),
        "lx": _same("lux"),
        "ppm": _same("parts per million"),
        "µg/m³": ("microgram per cubic metre", "micrograms per cubic metre"),
        "m³": ("cubic metre", "cubic metres"),
        "m²": ("square metre", "square metres"),
        "mm": ("millimetre", "millimetres"),
        "cm": ("centimetre", "centimetres"),
        "km": ("kilometre", "kilometres"),
        "kg": ("kilogram", "kilograms"),
        "€": ("euro", "euros"),
        "$": ("dollar", "dollars"),
        "£": ("pound", "pounds"),
    },
    "de": {
        "°C": _same("Grad Celsius"),
        "°F": _same("Grad Fahrenheit"),
        "°": _same("Grad"),
        "%": _same("Prozent"),
        "km/h": _same("Kilometer pro Stunde"),
        "m/s": _same("Meter pro Sekunde"),
        "W": _same("Watt"),
        "kW": _same("Kilowatt"),
        "Wh": ("Wattstunde", "Wattstunden"),
        "kWh": ("Kilowattstunde", "Kilowattstunden"),
        "V": _same("Volt"),
        "A": _same("Ampere"),
        "hPa": _same("Hektopascal"),
        "lx": _same("Lux"),
        "µg/m³": _same("Mikrogramm pro Kubikmeter"),
        "m³": _same("Kubikmeter"),
        "m²": _same("Quadratmeter"),
        "mm": _same("Millimeter"),
        "cm": _same("Zentimeter"),
        "km": _same("Kilometer"),
        "kg": _same("Kilogramm"),
        "€": _same("Euro"),
        "$": _same("Dollar"),
        "£": _same("Pfund"),
    },
    "fr": {
        "°C": ("degré Celsius", "degrés Celsius"),
        "°F": ("degré Fahrenheit", "degrés Fahrenheit"),
        "°": ("degré", "degrés"),
        "%": _same("pour cent"),
        "km/h": ("kilomètre heure", "kilomètres heure"),
        "m/s": ("mètre par seconde", "mètres par seconde"),
        "W": ("watt", "watts"),
        "kW": ("kilowatt", "kilowatts"),
        "Wh": ("wattheure", "wattheures"),
        "kWh": ("kilowattheure", "kilowattheures"),
        "V": ("volt", "volts"),
        "A": ("ampère", "ampères"),
        "hPa": ("hectopascal", "hectopascals"),
        "lx": _same("lux"),
        "m³": ("mètre cube", "mètres cubes"),
        "m²": ("mètre carré", "mètres carrés"),
        "mm": ("millimètre", "millimètres"),
        "cm": ("centimètre", "centimètres"),
        "km": ("kilomètre", "kilomètres"),
        "kg": ("kilogramme", "kilogrammes"),
        "€": ("euro", "euros"),
        "$": ("dollar", "dollars"),
        "£": ("livre", "livres"),
    },
    "zh": {
        "°C": _same("摄氏度"),
        "°F": _same("华氏度"),
        "°": _same("度"),
        "km/h": _same("公里每小时"),
        "m/s": _same("米每秒"),
        "W": _same("瓦"),
        "kW": _same("千瓦"),
        "Wh": _same("瓦时"),
        "kWh": _same("千瓦时"),
        "V": _same("伏"),
        "A": _same("安"),
        "hPa": _same("百帕"),
        "lx": _same("勒克斯"),
        "m³": _same("立方米"),
        "m²": _same("平方米"),
        "mm": _same("毫米"),
        "cm": _same("厘米"),
        "km": _same("公里"),
        "kg": _same("公斤"),
        "€": _same("欧元"),
        "$": _same("美元"),
        "£": _same("英镑"),
    },
}
