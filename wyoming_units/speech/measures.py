"""Measures, currencies and signs in words, in English, German, French and Chinese."""

from __future__ import annotations

COLUMNS = {"en": 0, "de": 1, "fr": 2, "zh": 3, "cmn": 3, "yue": 3}
"""Of the tables below; texts in other languages keep their units and lose the signs."""

# fmt: off
# "one|many" where they differ; # stands for the number where it does not come first. A language
# without a word keeps the unit as it is.
MEASURES: dict[str, tuple[str, str, str, str]] = {
    "°C": ("degree Celsius|degrees Celsius", "Grad Celsius", "degré Celsius|degrés Celsius", "摄氏度"),
    "°F": (
        "degree Fahrenheit|degrees Fahrenheit", "Grad Fahrenheit",
        "degré Fahrenheit|degrés Fahrenheit", "华氏度",
    ),
    "°": ("degree|degrees", "Grad", "degré|degrés", "度"),
    "%": ("percent", "Prozent", "pour cent", "百分之#"),
    "km/h": (
        "kilometre per hour|kilometres per hour", "Kilometer pro Stunde",
        "kilomètre-heure|kilomètres-heure", "公里每小时",
    ),
    "m/s": (
        "metre per second|metres per second", "Meter pro Sekunde",
        "mètre par seconde|mètres par seconde", "米每秒",
    ),
    "mph": (
        "mile per hour|miles per hour", "Meile pro Stunde|Meilen pro Stunde",
        "mille par heure|milles par heure", "英里每小时",
    ),
    "W": ("watt|watts", "Watt", "watt|watts", "瓦"),
    "kW": ("kilowatt|kilowatts", "Kilowatt", "kilowatt|kilowatts", "千瓦"),
    "MW": ("megawatt|megawatts", "Megawatt", "mégawatt|mégawatts", "兆瓦"),
    "Wh": ("watt hour|watt hours", "Wattstunde|Wattstunden", "wattheure|wattheures", "瓦时"),
    "kWh": (
        "kilowatt hour|kilowatt hours", "Kilowattstunde|Kilowattstunden",
        "kilowattheure|kilowattheures", "千瓦时",
    ),
    "W/m²": (
        "watt per square metre|watts per square metre", "Watt pro Quadratmeter",
        "watt par mètre carré|watts par mètre carré", "瓦每平方米",
    ),
    "V": ("volt|volts", "Volt", "volt|volts", "伏"),
    "A": ("amp|amps", "Ampere", "ampère|ampères", "安"),
    "mA": ("milliamp|milliamps", "Milliampere", "milliampère|milliampères", "毫安"),
    "Hz": ("hertz", "Hertz", "hertz", "赫兹"),
    "kHz": ("kilohertz", "Kilohertz", "kilohertz", "千赫"),
    "MHz": ("megahertz", "Megahertz", "mégahertz", "兆赫"),
    "GHz": ("gigahertz", "Gigahertz", "gigahertz", "吉赫"),
    "dB": ("decibel|decibels", "Dezibel", "décibel|décibels", "分贝"),
    "hPa": ("hectopascal|hectopascals", "Hektopascal", "hectopascal|hectopascals", "百帕"),
    "kPa": ("kilopascal|kilopascals", "Kilopascal", "kilopascal|kilopascals", "千帕"),
    "bar": ("bar", "Bar", "bar|bars", "巴"),
    "mbar": ("millibar|millibars", "Millibar", "millibar|millibars", "毫巴"),
    "psi": (
        "pound per square inch|pounds per square inch", "", "", "",
    ),
    "lx": ("lux", "Lux", "lux", "勒克斯"),
    "ppm": ("parts per million", "Teile pro Million", "parties par million", "ppm"),
    "µg/m³": (
        "microgram per cubic metre|micrograms per cubic metre", "Mikrogramm pro Kubikmeter",
        "microgramme par mètre cube|microgrammes par mètre cube", "微克每立方米",
    ),
    "m³": ("cubic metre|cubic metres", "Kubikmeter", "mètre cube|mètres cubes", "立方米"),
    "m²": ("square metre|square metres", "Quadratmeter", "mètre carré|mètres carrés", "平方米"),
    "l": ("litre|litres", "Liter", "litre|litres", "升"),
    "L": ("litre|litres", "Liter", "litre|litres", "升"),
    "ml": ("millilitre|millilitres", "Milliliter", "millilitre|millilitres", "毫升"),
    "mL": ("millilitre|millilitres", "Milliliter", "millilitre|millilitres", "毫升"),
    "mm": ("millimetre|millimetres", "Millimeter", "millimètre|millimètres", "毫米"),
    "cm": ("centimetre|centimetres", "Zentimeter", "centimètre|centimètres", "厘米"),
    "m": ("metre|metres", "Meter", "mètre|mètres", "米"),
    "km": ("kilometre|kilometres", "Kilometer", "kilomètre|kilomètres", "公里"),
    "mi": ("mile|miles", "", "", "英里"),
    "ft": ("foot|feet", "", "", "英尺"),
    "g": ("gram|grams", "Gramm", "gramme|grammes", "克"),
    "kg": ("kilogram|kilograms", "Kilogramm", "kilogramme|kilogrammes", "公斤"),
    "lb": ("pound|pounds", "", "", "磅"),
    "lbs": ("pound|pounds", "", "", "磅"),
    "oz": ("ounce|ounces", "", "", "盎司"),
    "ms": (
        "millisecond|milliseconds", "Millisekunde|Millisekunden", "milliseconde|millisecondes", "毫秒",
    ),
    "s": ("second|seconds", "Sekunde|Sekunden", "seconde|secondes", "秒"),
    "min": ("minute|minutes", "Minute|Minuten", "minute|minutes", "分钟"),
    "h": ("hour|hours", "Stunde|Stunden", "", "小时"),
    "MB": ("megabyte|megabytes", "Megabyte", "mégaoctet|mégaoctets", "兆字节"),
    "GB": ("gigabyte|gigabytes", "Gigabyte", "gigaoctet|gigaoctets", "千兆字节"),
    "TB": ("terabyte|terabytes", "Terabyte", "téraoctet|téraoctets", "太字节"),
    "Mbit/s": (
        "megabit per second|megabits per second", "Megabit pro Sekunde",
        "mégabit par seconde|mégabits par seconde", "兆比特每秒",
    ),
    "€": ("euro|euros", "Euro", "euro|euros", "欧元"),
    "$": ("dollar|dollars", "Dollar", "dollar|dollars", "美元"),
    "£": ("pound|pounds", "Pfund", "livre|livres", "英镑"),
    "¥": ("yen", "Yen", "yen|yens", "元"),
    "€/kWh": (
        "euro per kilowatt hour|euros per kilowatt hour", "Euro pro Kilowattstunde",
        "euro par kilowattheure|euros par kilowattheure", "欧元每千瓦时",
    ),
    "ct/kWh": (
        "cent per kilowatt hour|cents per kilowatt hour", "Cent pro Kilowattstunde",
        "centime par kilowattheure|centimes par kilowattheure", "分每千瓦时",
    ),
}

SIGNS: dict[str, tuple[str, str, str, str]] = {
    "&": ("and", "und", "et", "和"),
    "<": ("less than", "kleiner als", "inférieur à", "小于"),
    ">": ("greater than", "größer als", "supérieur à", "大于"),
    "≤": ("at most", "höchstens", "au plus", "不超过"),
    "≥": ("at least", "mindestens", "au moins", "至少"),
    "≈": ("about", "etwa", "environ", "约"),
    "±": ("plus or minus", "plus minus", "plus ou moins", "正负"),
    "×": ("times", "mal", "fois", "乘"),
}
# fmt: on
MINUS = ("minus", "minus", "moins", "负")
RANGE = ("to", "bis", "à", "到")
"""What a dash between two numbers says."""
AT = ("at", "at", "arobase", "at")
"""What the sign in an e-mail address says."""
