"""Tells whether a whole sentence is a yes or a no."""

import re
import unicodedata
from typing import Final

_POLITE: Final = """
please | thanks | thank you | bitte | danke | s il te plait | s il vous plait | merci | por favor | gracias |
per favore | per piacere | grazie | alsjeblieft | alstublieft | graag | dank je | 请 | 谢谢 | 吧 | 呀 | 啊 |
了 | now | jetzt |
"""
_YES: Final = """
yes | yeah | yep | yup | sure | of course | certainly | ok | okay | correct | right | do it |
do that | go ahead | go on |
confirm | confirmed | unlock it | open it | disarm it | unlock them | open them | absolutely | i do |
you may |
ja | jawohl | klar | sicher | genau | natürlich | gerne | mach | mach es | mach das | mach mal |
tu es | tu das | in ordnung |
mach auf | mach sie auf | mach es auf | öffne sie | öffne es | bestätigt | nur zu |
oui | ouais | bien sûr | d accord | vas y | allez y | fais le | faites le | ouvre | ouvre la |
ouvrez | je confirme |
si | sí | claro | claro que sí | vale | de acuerdo | hazlo | adelante | ábrela | ábrelo | confirmo |
sì | certo | va bene | d accordo | fallo | fai pure | procedi | aprila | aprilo | confermo |
jazeker | zeker | doe maar | doe het | prima | natuurlijk | ga je gang | maak open | open maar |
是 | 是的 | 好 | 好的 | 对 | 对的 | 行 | 可以 | 嗯 | 当然 | 确定 | 确认 | 没问题 | 同意 | 打开 | 开 | 开门 | 解锁
"""
_NO: Final = """
no | nope | nah | no way | don t | do not | don t do it | do not do it | better not | stop | cancel |
cancel that | never mind |
nevermind | leave it | forget it | not now | no leave it | no don t |
nein | nö | ne | nee | nicht | lieber nicht | lass es | lass das | lass mal | lass gut sein |
abbrechen | stopp | doch nicht | auf keinen fall |
non | surtout pas | annule | annulez | laisse | laisse tomber | arrête | pas maintenant |
no gracias | no lo hagas | cancela | cancelar | déjalo | mejor no | para | ahora no |
no grazie | lascia stare | annulla | meglio di no | ferma | non farlo |
nee | niet doen | liever niet | laat maar | annuleer | annuleren | toch niet |
不 | 不是 | 不要 | 不用 | 不行 | 不可以 | 不好 | 别 | 别开 | 取消 | 算了 | 停 | 不用了 | 算了吧
"""


def _plain(text: str) -> str:
    """Return the bare words of a text: without case, accents and punctuation."""
    split = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in split if not unicodedata.combining(each))
    return " ".join(re.findall(r"\w+", letters))


def _pattern(phrases: str) -> re.Pattern[str]:
    """Return what matches sentences of these phrases, at least one of them, and of polite words."""
    meant, polite = ("|".join(_split(each)) for each in (phrases, _POLITE))
    # In Chinese nothing parts the words.
    end = r"(?: +|$|(?<=[\u4e00-\u9fff]))"
    return re.compile(f"(?:(?:{polite}){end})*(?:(?:{meant}){end})(?:(?:{meant}|{polite}){end})*")


def _split(phrases: str) -> list[str]:
    plain = {_plain(each) for each in phrases.split("|")} - {""}
    return sorted(plain, key=lambda phrase: (-len(phrase), phrase))


_MEANS_YES: Final = _pattern(_YES)
_MEANS_NO: Final = _pattern(_NO)
_LONGEST: Final = 60
"""Characters; who says more says something else."""


def consent(text: str) -> bool | None:
    """Return whether somebody says yes or no, None where the sentence says anything else."""
    plain = _plain(text)
    if len(plain) > _LONGEST:
        return None
    if _MEANS_NO.fullmatch(plain):
        return False
    return True if _MEANS_YES.fullmatch(plain) else None
