"""Sentences out of a stream of text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.speech.sentences import SentenceSplitter


def split(text: str, step: int = 10**9, language: str | None = None) -> list[str]:
    splitter = SentenceSplitter(language)
    pieces = (text[start : start + step] for start in range(0, len(text), step))
    return [sentence for piece in pieces for sentence in splitter.push(piece)] + splitter.flush()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("  \n ", []),
        ("Hello", ["Hello"]),
        ("It is on. It is off.", ["It is on.", "It is off."]),
        ("Really?! Yes! Good.", ["Really?!", "Yes!", "Good."]),
        ('She said "Stop." Then she left.', ['She said "Stop."', "Then she left."]),
        ("**Bold.** Next.", ["**Bold.**", "Next."]),
        ("Yes. The light is on.", ["Yes.", "The light is on."]),
        ("It is 21. 3 lights are on.", ["It is 21.", "3 lights are on."]),
        ("one\ntwo\n\nthree", ["one", "two", "three"]),
        ("- Milk\r\n- Eggs\r\n", ["- Milk", "- Eggs"]),
        ("1. Milk\n2. Eggs", ["1. Milk", "2. Eggs"]),
        ("灯已打开。温度是21.5度！好吗？", ["灯已打开。", "温度是21.5度！", "好吗？"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("यह चालू है। ठीक है।", ["यह चालू है।", "ठीक है।"]),
        ("「好。」他走了！真的吗？", ["「好。」", "他走了！", "真的吗？"]),
        ("Er rief: „Stopp.“ Dann ging er.", ["Er rief: „Stopp.“", "Dann ging er."]),
        ("»Ja.« Mehr nicht.", ["»Ja.«", "Mehr nicht."]),
        ("Ça va ? Oui ! Très bien.", ["Ça va ?", "Oui !", "Très bien."]),
    ],
)
def test_sentences_end_at_full_stops_and_at_line_ends(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@pytest.mark.parametrize(
    "text",
    [
        "It is 3.5 degrees.",
        "Dr. Smith and Mrs. Jones came.",
        "Come at 7 p.m. and bring cake.",
        "Wait... what?",
        "See e.g. Berlin.",
        "J. R. Smith left.",
        "See No. 5.",
        "Use node.js or www.example.com now.",
        "It is at 7.30 or 10.15.",
        "approx. five",
        "Das sind ca. 5 Lampen, ggf. Sechs, z. B. Hier.",
        "M. Dupont et Mme. Roy, env. 5, p. ex. Ici, c.-à-d. Là.",
    ],
)
def test_dots_inside_a_sentence_do_not_end_it(text: str) -> None:
    assert split(text) == [text]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("It is 7 p.m. The light is on.", "It is 7 p.m."),
        ("It uses 5 W. The rest is off.", "It uses 5 W."),
        ("It is 20 °C. The rest is off.", "It is 20 °C."),
        ("Milk, eggs etc. The list is long.", "Milk, eggs etc."),
        ("No. I will not.", "No."),
    ],
)
def test_words_that_look_like_abbreviations_can_end_a_sentence(text: str, first: str) -> None:
    assert split(text)[0] == first


def test_ordinals_stay_together_in_languages_that_write_them_with_a_dot() -> None:
    text = "Heute ist der 3. Oktober, z. B. in Berlin. Gut."
    expected = ["Heute ist der 3. Oktober, z. B. in Berlin.", "Gut."]
    assert split(text, language="de-DE") == expected
    assert split("Set it to 21. The rest stays.", language="en") == [
        "Set it to 21.",
        "The rest stays.",
    ]


def test_a_sentence_comes_as_soon_as_the_next_word_begins() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("The light is on.") == []
    assert splitter.push(" T") == ["The light is on."]
    assert splitter.push("he fan is off! ") == ["The fan is off!"]
    assert splitter.push("Bye\n") == ["Bye"]
    assert splitter.flush() == []


def test_a_long_first_sentence_begins_with_its_first_clause() -> None:
    text = (
        "Well, there are three lights on in the kitchen, two in the hall, and one more that I do "
        "not know. There are three lights on in the kitchen, two in the hall, and one more in the "
        "garden behind the house."
    )
    first, second, third = split(text)
    assert first == "Well, there are three lights on in the kitchen,"
    assert second == "two in the hall, and one more that I do not know."
    assert third.startswith("There are three lights")
    assert third.endswith("the house.")


def test_a_short_first_sentence_stays_whole() -> None:
    text = "I have turned on the light in the kitchen, and the fan."
    assert split(text) == [text]


def test_a_first_clause_comes_before_the_sentence_is_complete() -> None:
    splitter = SentenceSplitter()
    text = (
        "There are three lights on in the kitchen, two in the hall, and one more that I do not kn"
    )
    assert splitter.push(text) == ["There are three lights on in the kitchen,"]


def test_chinese_is_cut_where_it_would_take_as_long_to_say_as_other_languages() -> None:
    text = (
        "厨房里有三盏灯开着，走廊里有两盏，还有一盏我不知道在哪里，花园里的灯也都还开着，要不要关掉"
    )
    assert len(text) < 80
    assert split(text) == [text]
    first, rest = split(text, language="zh-CN")
    assert first == "厨房里有三盏灯开着，"
    assert first + rest == text
    assert max(map(len, split("我" * 300, language="yue"))) <= 250 // 3


def test_numbers_are_not_cut_at_their_commas() -> None:
    text = "a" * 30 + " 1,000 and 21,5 and 7:30 " + "b" * 60
    assert split(text) == [text]


def test_text_without_full_stops_is_cut_at_clauses_and_else_at_spaces() -> None:
    clauses = split("word word word word word, " * 40)
    assert all(len(piece) <= 250 and piece.endswith(",") for piece in clauses)
    words = split("word " * 200)
    assert all(100 < len(piece) <= 250 for piece in words[:-1])
    assert {word for piece in words for word in piece.split()} == {"word"}
    assert [len(piece) for piece in split("x" * 600)] == [250, 250, 100]


def test_a_code_block_stays_in_one_piece() -> None:
    block = "```python\nx = 1. Y = 2\n\nprint(x)\n```"
    assert split(f"Do this:\n{block}\nDone. Bye.") == ["Do this:", block, "Done.", "Bye."]
    assert split("```\nnever. Closed.") == ["```\nnever. Closed."]


def test_after_a_flush_the_next_text_begins_anew() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Hello") == []
    assert splitter.flush() == ["Hello"]
    assert splitter.flush() == []
    text = "There are three lights on in the kitchen, two in the hall, and one more that I do not know."
    assert splitter.push(text)[0] == "There are three lights on in the kitchen,"


ALPHABET = "aB3 ,.:!?。，…\n\"')*`-"


@settings(deadline=None)
@given(st.text(ALPHABET, max_size=400), st.integers(1, 40))
def test_nothing_is_lost_or_changed(text: str, step: int) -> None:
    assert "".join("".join(split(text, step)).split()) == "".join(text.split())


@settings(deadline=None)
@given(st.text(ALPHABET, max_size=400), st.integers(1, 40))
def test_no_piece_is_empty_or_too_long_but_code(text: str, step: int) -> None:
    for piece in split(text, step):
        assert piece == piece.strip() != ""
        assert len(piece) <= 250 or piece.startswith("```")


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["word", "Word", "3.5", "Dr.", "p.m.", "end.", "so,", "what?", "好。", "\n"]
        ),
        max_size=120,
    ),
    st.integers(1, 40),
)
def test_the_size_of_the_pieces_makes_no_difference(words: list[str], step: int) -> None:
    text = " ".join(words)
    assert split(text, step) == split(text)


@pytest.mark.parametrize(
    "text", ["1. " * 3000, "…" * 9000, "。" * 9000, "\"'" * 4500, "a b. c" * 1500]
)
def test_odd_text_takes_no_long_time(text: str) -> None:
    began = time.perf_counter()
    split(text)
    split(text, 500)
    assert time.perf_counter() - began < 2
