"""The words with which somebody asks to speak with another persona, by language.

All of them without capitals, accents and punctuation, as sentences are compared: "I'd" is "i d".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NAME: Final = "name"


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """The phrases of a language."""

    asking: tuple[str, ...]
    """Patterns of whole sentences, `{name}` standing for who is asked for."""
    returning: tuple[str, ...]
    """Patterns of whole sentences that are nothing but a name for the standard assistant."""
    standard: tuple[str, ...]
    """What people call the standard assistant."""
    articles: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """Patterns of polite words that may come first."""
    after: tuple[str, ...] = ()
    """Patterns of polite words that may come last."""
    unspaced: bool = False
    """Whether the language is written without spaces."""
    now: str
    """Reply when a persona without a greeting was chosen."""
    back: str
    """Reply when the standard assistant was chosen."""


PHRASES: Final[Mapping[str, Phrases]] = {
    "en": Phrases(
        asking=(
            "(?:let me |let s |i want to |i wanna |i would like to |i d like to |can i |could i |may i )?"
            "(?:talk|speak|chat) (?:to|with) {name}",
            "(?:switch|change|go)(?: back)? to {name}",
            "back to {name}",
            "(?:be|become) {name}",
            "(?:bring|get|give) (?:me )?(?:back )?{name}",
        ),
        returning=("(?P<name>(?:the )?(?:normal|standard|default|usual) assistant)",),
        standard=(
            "assistant",
            "normal",
            "normal assistant",
            "standard",
            "standard assistant",
            "default",
            "default assistant",
            "usual assistant",
            "normal voice",
        ),
        articles=("the", "a", "an", "my"),
        before=("please", "hey", "okay", "ok", "now", "(?:can|could|would|will) you"),
        after=("please", "now", "again", "instead", "thanks", "thank you"),
        now="Now you are talking to {name}.",
        back="Back to normal.",
    ),
    "de": Phrases(
        asking=(
            "(?:ich will|ich mochte|ich wurde gerne?|lass mich|kann ich|darf ich|konnte ich)"
            "(?: gerne?| jetzt| mal| bitte)* mit {name} (?:sprechen|reden)",
            "(?:sprich|rede|red) mit {name}",
            "(?:mit )?{name} sprechen",
            "(?:wechsle?|schalte?|geh|geh) (?:um )?(?:zuruck )?(?:zum|zur|zu|auf|in) {name}(?: um| zuruck)?",
            "zuruck (?:zum|zur|zu|auf) {name}",
            "(?:sei|werde?) {name}",
            "(?:gib mir|hol mir|hole?) {name}(?: zuruck)?",
        ),
        returning=(
            "(?P<name>(?:der |den )?(?:normale|standard|ubliche)[rn]? ?assistent(?:en|in)?)",
        ),
        standard=(
            "assistent",
            "normal",
            "normaler assistent",
            "normalmodus",
            "standard",
            "standardassistent",
            "standard assistent",
            "ublicher assistent",
        ),
        articles=("der", "die", "das", "den", "dem", "ein", "eine", "einen", "einem", "einer"),
        before=("bitte", "hey", "okay", "ok", "jetzt", "kannst du", "konntest du"),
        after=("bitte", "jetzt", "wieder", "danke"),
        now="Du sprichst jetzt mit {name}.",
        back="Alles wieder normal.",
    ),
    "fr": Phrases(
        asking=(
            "(?:je veux |je voudrais |j aimerais |je souhaite |laisse moi |puis je |je peux "
            "|est ce que je peux )?parler (?:avec|aux|au|a) {name}",
            "parl(?:e|ons) (?:avec|aux|au|a) {name}",
            "(?:passe|bascule|change|reviens|retourne|retour)(?: vers| sur| pour| aux| au| en| a) {name}",
            "(?:sois|deviens) {name}",
            "(?:passe|rends|donne) moi {name}",
        ),
        returning=("(?P<name>(?:l )?assistant (?:normal|standard|habituel|par defaut))",),
        standard=(
            "assistant",
            "normal",
            "assistant normal",
            "mode normal",
            "standard",
            "assistant standard",
            "assistant habituel",
            "assistant par defaut",
        ),
        articles=("le", "la", "les", "l", "un", "une"),
        before=("s il te plait", "s il vous plait", "hey", "ok", "okay", "maintenant", "peux tu"),
        after=("s il te plait", "s il vous plait", "maintenant", "merci"),
        now="Vous parlez maintenant à {name}.",
        back="Retour à la normale.",
    ),
    "es": Phrases(
        asking=(
            "(?:quiero |quisiera |queria |me gustaria |puedo |podria |dejame )?hablar con {name}",
            "habl(?:a|emos) con {name}",
            "(?:cambia|cambiate|pasa|vuelve|ve)(?: al| a) {name}",
            "(?:se|conviertete en) {name}",
            "(?:ponme|pasame)(?: con| al| a)? {name}",
        ),
        returning=("(?P<name>(?:el )?asistente (?:normal|estandar|habitual|predeterminado))",),
        standard=(
            "asistente",
            "normal",
            "lo normal",
            "asistente normal",
            "modo normal",
            "estandar",
            "asistente estandar",
            "asistente habitual",
            "asistente predeterminado",
        ),
        articles=("el", "la", "los", "las", "un", "una"),
        before=("por favor", "oye", "ok", "vale", "ahora", "puedes"),
        after=("por favor", "ahora", "otra vez", "gracias"),
        now="Ahora hablas con {name}.",
        back="Todo vuelve a lo normal.",
    ),
    "it": Phrases(
        asking=(
            "(?:voglio |vorrei |posso |potrei |fammi |lasciami )?parlare con {name}",
            "parl(?:a|iamo) con {name}",
            "(?:passa|cambia|torna|vai)(?: allo| alla| all| al| ad| da| a) {name}",
            "(?:sii|diventa) {name}",
            "(?:passami|dammi) {name}",
        ),
        returning=("(?P<name>(?:l )?assistente (?:normale|standard|solito|predefinito))",),
        standard=(
            "assistente",
            "normale",
            "normalita",
            "assistente normale",
            "standard",
            "assistente standard",
            "assistente solito",
            "assistente predefinito",
        ),
        articles=("il", "lo", "la", "l", "i", "gli", "le", "un", "uno", "una"),
        before=("per favore", "per piacere", "ehi", "ok", "ora", "adesso", "puoi"),
        after=("per favore", "per piacere", "ora", "adesso", "di nuovo", "grazie"),
        now="Ora parli con {name}.",
        back="Tutto torna normale.",
    ),
    "nl": Phrases(
        asking=(
            "(?:ik wil|ik wou|ik zou|mag ik|kan ik|laat me|laat mij)(?: graag| nu| even)* "
            "met {name} (?:willen )?(?:praten|spreken)",
            "(?:ik wil|ik wou|ik zou|mag ik|kan ik|laat me|laat mij)(?: graag| nu| even)* "
            "(?:praten|spreken) met {name}",
            "(?:praat|spreek) met {name}",
            "(?:ga|schakel|wissel|verander)(?: terug| over)* naar {name}",
            "terug naar {name}",
            "(?:wees|word) {name}",
            "geef (?:me|mij) {name}(?: terug)?",
        ),
        returning=("(?P<name>(?:de )?(?:normale|gewone|standaard) ?assistent)",),
        standard=(
            "assistent",
            "normaal",
            "normale assistent",
            "gewone assistent",
            "standaard",
            "standaardassistent",
            "standaard assistent",
        ),
        articles=("de", "het", "een"),
        before=("alsjeblieft", "alstublieft", "he", "hey", "oke", "ok", "nu", "kun je", "kan je"),
        after=("alsjeblieft", "alstublieft", "nu", "weer", "bedankt"),
        now="Je praat nu met {name}.",
        back="Alles is weer normaal.",
    ),
    "zh": Phrases(
        asking=(
            "(?:我想要?|我要|让我|可以|能)?(?:跟|和|与|同){name}(?:说话|说说话|聊天|聊聊天|聊聊|谈谈|对话|讲话)",
            "(?:切换到|切换成|切换回|切换为|换成|换到|换回|变成|变回|改成){name}",
            "(?:当|扮演|成为){name}",
            "(?:回到|恢复){name}",
        ),
        returning=("(?P<name>(?:普通|标准|默认|正常)助手)",),
        standard=("助手", "普通助手", "标准助手", "默认助手", "正常助手", "标准", "默认", "正常"),
        before=("请", "请你", "你", "现在", "好的?"),
        after=("吧", "吗", "好吗", "可以吗", "谢谢"),
        unspaced=True,
        now="现在是{name}在和你说话。",
        back="已恢复为普通助手。",
    ),
}
