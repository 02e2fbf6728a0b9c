"""Which sentences change who answers, in every language that has words for it."""

import pytest
from homeassistant.config_entries import ConfigSubentry

from custom_components.wyoming_units.personas import STANDARD, Persona
from custom_components.wyoming_units.switching import find_persona
from custom_components.wyoming_units.switching_phrases import PHRASES


def persona(name: str, **data: object) -> Persona:
    return Persona.of(
        ConfigSubentry(
            data=data,  # type: ignore[arg-type]
            subentry_id=name,
            subentry_type="conversation",
            title=name,
            unique_id=None,
        )
    )


NEMO, MARLOW, MUELLER, LAN = map(persona, ("Nemo", "Captain Marlow", "Frau Müller", "小兰"))
PERSONAS = [NEMO, MARLOW, MUELLER, LAN]


def found(text: str, language: str = "en") -> str | None:
    """Return the name of who is found, empty for the standard one."""
    persona = find_persona(text, PERSONAS, language)
    return persona and persona.name


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("en", "talk to Nemo", "Nemo"),
        ("en-GB", "I want to speak with Captain Marlow.", "Captain Marlow"),
        ("en", "Please switch to Nemo, thanks!", "Nemo"),
        ("en", "be Nemo", "Nemo"),
        ("en", "Can you be Captain Marlow now?", "Captain Marlow"),
        ("en", "I'd like to talk to the captain marlow", "Captain Marlow"),
        ("en", "TALK TO NEMO!!", "Nemo"),
        ("en", "Let me speak to Captain Marlowe", "Captain Marlow"),
        ("en", "talk to kaptain marlo", "Captain Marlow"),
        ("en", "talk to Frau Mueller", "Frau Müller"),
        ("de", "Ich möchte mit Frau Müller sprechen.", "Frau Müller"),
        ("de", "Sprich bitte mit Nemo", None),
        ("de-AT", "Sprich mit Nemo, bitte", "Nemo"),
        ("de", "Wechsle zu Frau Muller", "Frau Müller"),
        ("de", "Schalte um auf Nemo", "Nemo"),
        ("de", "Sei Nemo", "Nemo"),
        ("fr", "Je voudrais parler à Nemo", "Nemo"),
        ("fr-FR", "Passe à Nemo, s'il te plaît", "Nemo"),
        ("fr", "Sois Nemo", "Nemo"),
        ("es", "Quiero hablar con Nemo", "Nemo"),
        ("es", "Cambia a Nemo, por favor", "Nemo"),
        ("es", "¡Sé Nemo!", "Nemo"),
        ("it", "Vorrei parlare con Nemo", "Nemo"),
        ("it", "Passa a Nemo", "Nemo"),
        ("it", "Sii Nemo", "Nemo"),
        ("nl", "Ik wil met Nemo praten", "Nemo"),
        ("nl", "Ik wil graag praten met Nemo", "Nemo"),
        ("nl", "Schakel over naar Nemo", "Nemo"),
        ("nl", "Wees Nemo", "Nemo"),
        ("zh-Hans", "我想跟小兰说话", "小兰"),
        ("zh", "请切换到小兰吧。", "小兰"),
        ("zh", "扮演小兰", "小兰"),
        ("zh", "我要和Nemo聊天", "Nemo"),
        ("sv", "talk to Nemo", "Nemo"),  # no words of its own: those of English
    ],
)
def test_who_is_asked_for_is_found(language: str, text: str, name: str | None) -> None:
    assert found(text, language) == name


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "back to the normal assistant"),
        ("en", "Normal assistant, please"),
        ("en", "go back to normal"),
        ("en", "switch to the standard assistant"),
        ("de", "Zurück zum normalen Assistenten"),
        ("de", "Normaler Assistent"),
        ("de", "Wechsle zum Standardassistenten"),
        ("fr", "Reviens à l'assistant normal"),
        ("fr", "Assistant normal"),
        ("es", "Vuelve al asistente normal"),
        ("es", "Asistente normal"),
        ("it", "Torna all'assistente normale"),
        ("it", "Assistente normale, per favore"),
        ("nl", "Terug naar de normale assistent"),
        ("nl", "Gewone assistent"),
        ("zh", "回到普通助手"),
        ("zh", "普通助手"),
    ],
)
def test_there_is_a_way_back_to_the_standard_one(language: str, text: str) -> None:
    assert find_persona(text, PERSONAS, language) is STANDARD


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "talk to me about Nemo's ship"),
        ("en", "I want to speak with Nemo's mother tomorrow"),
        ("en", "who is Nemo?"),
        ("en", "Nemo"),
        ("en", "tell Nemo to switch to the kitchen light"),
        ("en", "switch to the kitchen light"),
        ("en", "don't talk to Nemo"),
        ("en", "talk to"),
        ("en", "talk to Tom"),
        ("en", "be quiet"),
        ("en", "change the normal temperature to 20 degrees"),
        ("en", "is the normal assistant better?"),
        ("en", "bring me the newspaper"),
        ("en", ""),
        ("de", "Erzähl mir von Nemo"),
        ("de", "Sprich mit mir über Nemo"),
        ("de", "Schalte das Licht auf normal"),
        ("fr", "Parle-moi de Nemo"),
        ("es", "Háblame de Nemo"),
        ("it", "Parlami di Nemo"),
        ("nl", "Praat met mij over Nemo"),
        ("zh", "小兰是谁"),
        ("zh", "跟我说说小兰的故事"),
        ("de", "talk to Nemo"),
    ],
)
def test_nothing_else_changes_who_answers(language: str, text: str) -> None:
    assert found(text, language) is None


def test_of_two_names_that_are_equally_near_none_is_guessed() -> None:
    anna, anni = persona("Anna B"), persona("Anni B")
    assert find_persona("talk to Anne B", [anna, anni], "en") is None
    assert find_persona("talk to Anni B", [anna, anni], "en") is anni


def test_a_persona_may_have_a_name_like_the_standard_one() -> None:
    norma, standard = persona("Norma"), persona("Standard")
    assert find_persona("talk to Norma", [norma, standard], "en") is norma
    assert find_persona("back to normal", [norma, standard], "en") is STANDARD
    assert find_persona("switch to standard", [norma, standard], "en") is standard


@pytest.mark.parametrize("language", PHRASES)
def test_the_standard_one_is_found_by_each_of_its_names(language: str) -> None:
    asking = PHRASES[language].asking
    assert all("{name}" in pattern for pattern in asking)
    for name in PHRASES[language].standard:
        ask = {"zh": f"回到{name}", "es": f"cambia a {name}", "it": f"passa a {name}"}
        ask |= {"de": f"zurück zu {name}", "fr": f"passe à {name}", "nl": f"ga naar {name}"}
        assert find_persona(ask.get(language, f"back to {name}"), PERSONAS, language) is STANDARD
