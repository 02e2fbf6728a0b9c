"""Text made speakable: what is for the eye only is dropped, units and symbols become words.

Synthesisers read numbers, times and dates by themselves; they stumble over units such as "km/h"
and "kWh", lose a minus, and read mark-up aloud.
"""

from __future__ import annotations

import html
import re
from functools import cache

from wyoming_units.speech.measures import AT, COLUMNS, MEASURES, MINUS, RANGE, SIGNS
from wyoming_units.speech.readings import read_out

_LATIN = "A-Za-zÀ-ÿ0-9"  # not \w: Chinese is written without spaces
_NUMBER = r"\d+(?:[.,]\d+)*"
_DECIMAL_COMMA = ("de", "fr")
_SIGNS = re.compile(f"[{''.join(SIGNS)}]")
_NEGATIVE = re.compile(rf"(?<![{_LATIN}.,)])-(?=\d)")
_MAIL = re.compile(r"(?<=[\w])@(?=[\w])")
_PERCENTS = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)%? ?[-–~～到至] ?(\d+(?:\.\d+)?)%")
_DASH = re.compile(
    r"(?<=[\d%°CFWh]) ?– ?(?=[-€$£¥]?\d)"  # an en dash between numbers means nothing else
    r"|(?<=\d:[0-5]\d) ?- ?(?=[012]?\d:[0-5]\d)"
    r"|(?<=\dh)-(?=\d)|(?:(?<=%)|(?<=°[CF]))-(?=\d)"
    r"|(?<=\d) ?[~～] ?(?=\d)"
)
_SPAN = re.compile(
    rf"(?<![{_LATIN}.,:/-])(\d{{1,3}}(?:[.,]\d+)?)-(\d{{1,3}}(?:[.,]\d+)?)(?![\d:-]|[.,]\d)"
)
"""Two numbers around a hyphen, which may mean other things too."""

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
    if language not in COLUMNS:
        return _SIGNS.sub(" ", text)
    column = COLUMNS[language]
    chinese = column == COLUMNS["zh"]
    gap = "" if chinese else " "
    to = gap + RANGE[column] + gap

    def say(match: re.Match[str]) -> str:
        number = match["number"] or match["amount"]
        one, _, many = MEASURES[match["unit"] or match["currency"]][column].partition("|")
        words = one if number == "1" or not many else many
        return words.replace("#", number) if "#" in words else f"{number}{gap}{words}"

    def span(match: re.Match[str]) -> str:
        low, high = (float(number.replace(",", ".")) for number in match.groups())
        return f"{match[1]}{to}{match[2]}" if low < high else match[0]

    if chinese:  # before "50到60%" becomes "50到百分之60"
        text = _PERCENTS.sub(rf"百分之\1{to}\2", text)
    text = read_out(_DASH.sub(to, text), language)
    text = _SPAN.sub(span, text)
    text = _quantity(column).sub(say, text)
    text = _NEGATIVE.sub(MINUS[column] + gap, text)
    text = _MAIL.sub(f" {AT[column]} ", text)
    if language in _DECIMAL_COMMA:
        text = _decimal(column).sub(r"\1,\2", text)
    return _SIGNS.sub(lambda match: f" {SIGNS[match[0]][column]} ", text)


@cache
def _decimal(column: int) -> re.Pattern[str]:
    """Match the number of "21.5 Grad", but of no version, date or chapter."""
    names = {name for texts in MEASURES.values() for name in texts[column].split("|") if name}
    words = "|".join(sorted({re.escape(name.split()[0]) for name in names}))
    return re.compile(rf"(?<![\d.,])(\d+)\.(\d{{1,2}})(?= (?:{words})\b)")


@cache
def _quantity(column: int) -> re.Pattern[str]:
    """Match "21.5 °C" and "€5"."""
    names = [unit for unit, words in MEASURES.items() if words[column]]
    units = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    units = units.replace("|s|", r"|(?<=[ \u00a0\u202f])s|")  # not in "the 80s"
    return re.compile(
        rf"(?P<currency>[€$£¥])(?P<amount>{_NUMBER})"
        rf"|(?<![{_LATIN}.,])(?P<number>{_NUMBER})[ \u00a0\u202f]?(?P<unit>{units})(?![{_LATIN}/²³])"
    )
