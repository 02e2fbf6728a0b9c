"""What a recogniser made up is told from what it heard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wyoming_units.speech.hallucination import Heard, compression, doubtful, invented


def heard(
    text: str,
    log_probability: float = -0.2,
    no_speech: float = 0.05,
    seconds: float = 2.5,
    level: float = -25.0,
    prompt: str = "",
) -> Heard:
    return Heard(
        text=text,
        log_probability=log_probability,
        no_speech=no_speech,
        seconds=seconds,
        level=level,
        prompt=prompt,
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Turn on the kitchen light.", "en"),
        ("Schalte die Untertitel ein.", "de"),
        ("Turn on subtitles.", "en"),
        ("Activa los subtítulos.", "es"),
        ("打开字幕。", "zh"),
        ("Włącz napisy.", "pl"),
        ("Продолжи.", "ru"),
        ("Thank you.", "en"),
        ("Danke!", "de"),
        ("谢谢", "zh"),
        ("はい", "ja"),
    ],
)
def test_what_is_said_clearly_is_believed(text: str, language: str) -> None:
    assert not invented(heard(text), language)
    assert not invented(heard(text, seconds=0.8), language)


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for watching!",
        "Thank you so much for watching.",
        "Please subscribe to my channel",
        "See you in the next video.",
        "Subtitles by the Amara.org community",
        "Untertitel im Auftrag des ZDF für funk, 2017",
        "Untertitel der Amara.org-Community",
        "Vielen Dank fürs Zuschauen",
        "Sous-titrage Société Radio-Canada réalisé par X, sous-titres réalisés par Y",
        "Merci d’avoir regardé cette vidéo !",
        "Subtítulos realizados por la comunidad",
        "Sottotitoli creati dalla comunità",
        "Субтитры сделал DimaTorzok",
        "Редактор субтитров А.Семкин Корректор А.Егорова",
        "Продолжение следует...",
        "字幕由Amara.org社区提供",
        "字幕志愿者 李宗盛",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "ご視聴ありがとうございました",
        "시청해주셔서 감사합니다",
        "اشتركوا في القناة",
    ],
)
@pytest.mark.parametrize(
    "evidence",
    [
        heard("", log_probability=-0.7),
        heard("", no_speech=0.5),
        heard("", seconds=1.2),
        heard("", level=-50.0),
    ],
    ids=["unsure", "maybe no speech", "short", "quiet"],
)
def test_the_end_of_films_is_not_believed_without_good_evidence(text: str, evidence: Heard) -> None:
    assert invented(replace(evidence, text=text), None)


def test_the_end_of_films_is_believed_where_all_speaks_for_it() -> None:
    assert not invented(heard("Thanks for watching the house, good night."), "en")


@pytest.mark.parametrize(
    ("text", "language"),
    [("Thank you.", "en"), ("you", "en"), ("Vielen Dank!", "de"), ("谢谢。", "zh"), ("네.", "ko")],
)
def test_thanks_are_believed_only_where_they_are_heard_well(text: str, language: str) -> None:
    assert invented(heard(text, no_speech=0.4), language)
    assert invented(heard(text, log_probability=-0.6), language)
    assert invented(heard(text, level=-50), language)
    assert not invented(heard(f"{text} light", no_speech=0.4), language)


def test_a_guess_is_dropped_only_where_nobody_seems_to_speak() -> None:
    assert invented(heard("Turn on the light", log_probability=-1.2, no_speech=0.7), "en")
    assert not invented(heard("Turn on the light", log_probability=-1.2, no_speech=0.2), "en")
    assert not invented(heard("Turn on the light", log_probability=-0.3, no_speech=0.9), "en")


def test_a_loop_is_dropped_however_sure() -> None:
    loop = "turn on the light " * 12
    assert compression(loop) > 2.4
    assert invented(heard(loop, log_probability=-0.01), "en")
    assert not invented(heard("no no no no"), "en")


def test_names_read_from_the_prompt_are_dropped_where_they_are_a_guess() -> None:
    prompt = "Bedside lamp, Kitchen light, Hood."
    names = heard("bedside lamp kitchen light", log_probability=-1.1, prompt=prompt)
    assert invented(names, "en")
    assert not invented(heard("bedside lamp kitchen light", prompt=prompt), "en")
    assert not invented(heard("kitchen light", log_probability=-1.1, prompt=prompt), "en")


def test_another_attempt_is_worth_it_for_guesses_and_loops() -> None:
    assert doubtful(heard("Turn on the light", log_probability=-1.1))
    assert doubtful(heard("turn on the light " * 12))
    assert doubtful(heard("Turn on the light. Turn on the light."))
    assert doubtful(heard("打开厨房的灯打开厨房的灯"))
    assert not doubtful(heard("Turn on the light"))
    assert not doubtful(heard("Turn on the light and the light of the hall"))


def test_no_text_is_neither_doubtful_nor_a_loop() -> None:
    assert compression("") == 0
    assert not invented(heard(""), "en")
