"""Sentences out of a stream of text."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.speech.sentences import Piece, SentenceSplitter


def split(text: str, step: int = 10**9, language: str | None = None) -> list[str]:
    splitter = SentenceSplitter(language)
    pieces = (text[start : start + step] for start in range(0, len(text), step))
    made = [sentence for piece in pieces for sentence in splitter.push(piece)] + splitter.flush()
    return texts(made)


def texts(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces]


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
    assert texts(splitter.push(" T")) == ["The light is on."]
    assert texts(splitter.push("he fan is off! ")) == ["The fan is off!"]
    assert texts(splitter.push("Bye\n")) == ["Bye"]
    assert splitter.flush() == []


def test_a_long_first_sentence_begins_with_its_first_clause() -> None:
    text = (
        "Well, there are three lights on, two in the hall, and one more that I do not know. "
        "There are three lights on in the kitchen, two in the hall, and one more in the "
        "garden behind the house."
    )
    first, second, third = split(text)
    assert first == "Well, there are three lights on,"
    assert second == "two in the hall, and one more that I do not know."
    assert third.startswith("There are three lights")
    assert third.endswith("the house.")


def test_a_short_first_sentence_stays_whole() -> None:
    text = "I have turned on the light in the kitchen, and the fan."
    assert split(text) == [text]


def test_a_first_clause_comes_before_the_sentence_is_complete() -> None:
    splitter = SentenceSplitter()
    text = "There are three lights on here, two in the hall, and one more that I do not kn"
    assert texts(splitter.push(text)) == ["There are three lights on here,"]


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
    text = "a" * 20 + "1,000/21,5/7:30/1:3 " + "b" * 60
    assert split(text)[0] == text.split(maxsplit=1)[0]


def test_text_without_full_stops_is_cut_at_clauses_and_else_at_spaces() -> None:
    clauses = split("word word word word word, " * 40)
    assert all(len(piece) <= 250 and piece.endswith(",") for piece in clauses)
    words = split("word " * 200)
    assert [len(piece) for piece in words[:4]] == [34, 119, 239, 249]
    assert {word for piece in words for word in piece.split()} == {"word"}
    assert [len(piece) for piece in split("x" * 600)] == [250, 250, 100]
    assert [len(piece) for piece in split("x" * 250)] == [250]


def test_a_code_block_stays_in_one_piece() -> None:
    block = "```python\nx = 1. Y = 2\n\nprint(x)\n```"
    assert split(f"Do this:\n{block}\nDone. Bye.") == ["Do this:", block, "Done.", "Bye."]
    assert split("```\nnever. Closed.") == ["```\nnever. Closed."]


def test_after_a_flush_the_next_text_begins_anew() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("Hello") == []
    assert texts(splitter.flush()) == ["Hello"]
    assert splitter.flush() == []
    text = "There are three lights on in the kitchen, two in the hall, and one more that I do not know."
    assert splitter.push(text)[0].text == "There are three lights on"


@pytest.mark.parametrize(
    ("language", "most"),
    [("zh", 83), ("cmn", 83), ("yue-HK", 83), ("ja", 125), ("ko", 125), ("en", 250)],
)
def test_pieces_of_languages_without_letters_are_shorter(language: str, most: int) -> None:
    assert max(map(len, split("我" * 600, language=language))) == most


# -- what is said early


@pytest.mark.parametrize(("letters", "first"), [(36, 36), (48, 48), (49, 71)])
def test_a_first_clause_is_looked_for_in_the_first_four_fifths(letters: int, first: int) -> None:
    text = "X" * (letters - 1) + ", " + "y" * (69 - letters) + "."
    assert len(split(text)[0]) == first


@pytest.mark.parametrize(("letters", "first"), [(36, 36), (37, 22)])
def test_an_early_breath_is_better_than_a_late_comma(letters: int, first: int) -> None:
    text = "X" * 22 + " and " + "y" * (letters - 28) + ", " + "z" * 40 + "."
    assert text[letters - 1] == ","
    assert len(split(text)[0]) == first


@pytest.mark.parametrize(("letters", "first"), [(36, 35), (48, 47), (49, 100)])
def test_a_space_is_where_a_first_sentence_is_cut_at_last(letters: int, first: int) -> None:
    text = "X" * (letters - 1) + " " + "y" * (100 - letters)
    assert len(split(text)[0]) == first


def test_a_sentence_of_the_greatest_length_is_whole_and_ends() -> None:
    splitter = SentenceSplitter()
    assert len(splitter.push("Yes. No. X\n")) == 3
    assert splitter.push("X" * 250) == []
    assert splitter.flush() == [Piece("X" * 250, "sentence")]


def test_the_greatest_length_holds_for_a_first_sentence_too() -> None:
    splitter = SentenceSplitter(first_length=60, max_length=30)
    assert max(map(len, texts(splitter.push("word " * 30) + splitter.flush()))) <= 30


@pytest.mark.parametrize(("text", "sentences"), [("Es sind 99. Gut.", 1), ("Es sind 100. Gut.", 2)])
def test_ordinals_have_at_most_two_digits(text: str, sentences: int) -> None:
    assert len(split(text, language="de")) == sentences


@pytest.mark.parametrize(("letters", "first"), [(18, "clause"), (17, "word")])
def test_a_first_clause_has_at_least_twenty_letters(letters: int, first: str) -> None:
    splitter = SentenceSplitter()
    pieces = splitter.push(
        "x" * letters + "ab, Xyz and more words than fit in sixty letters at once. A"
    )
    assert pieces[0].end == first


LONG = (
    "There are three lights on in the kitchen and two more in the hall behind the front door which "
    "nobody has used since the summer because the lock is broken and the key was lost in the garden."
)


@pytest.mark.parametrize(
    ("language", "text", "first"),
    [
        ("en", LONG, "There are three lights on"),
        (
            "en",
            "Nobody told me anything about twelve windows being wide open upstairs this morning.",
            "Nobody told me anything about",
        ),
        (
            "de",
            "Die Waschmaschine ist gleich fertig und der Trockner braucht noch etwa zwanzig Minuten.",
            "Die Waschmaschine ist gleich fertig",
        ),
        (
            "fr",
            "La machine à laver a terminé son cycle mais le linge est encore humide et très chaud.",
            "La machine à laver a terminé son cycle",
        ),
        (
            "zh",
            "洗衣机马上就要洗完了但是烘干机还需要大约二十分钟才能够完成",
            "洗衣机马上就要洗完了",
        ),
        (
            "zh",
            "洗衣机马上就要洗完了，烘干机还需要大约二十分钟才能够完成",
            "洗衣机马上就要洗完了，",
        ),
    ],
)
def test_a_long_first_sentence_without_a_comma_is_cut_where_one_takes_breath(
    language: str, text: str, first: str
) -> None:
    pieces = split(text, language=language)
    assert pieces[0] == first
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize(("length", "whole"), [(60, True), (61, False)])
def test_a_first_sentence_is_cut_from_the_first_length_on(
    language: str, length: int, whole: bool
) -> None:
    text = "One two three four five six, seven " + "x" * (length - 36) + "."
    assert len(text) == length
    assert (len(split(text, language=language)) == 1) == whole


def test_pieces_may_be_twice_as_long_each_time_up_to_the_most() -> None:
    pieces = split("word, " * 300)
    assert [len(piece) for piece in pieces[:6]] == [23, 119, 239, 245, 245, 245]
    splitter = SentenceSplitter(first_length=30, max_length=100)
    lengths = [len(text) for text in texts(splitter.push("word, " * 100))]
    assert lengths[:4] == [23, 59, 95, 95]


def test_whole_sentences_of_those_lengths_are_not_cut() -> None:
    second = "A" * 60 + ", " + "b" * 57 + "."
    third = "A" * 100 + ", " + "b" * 137 + "."
    assert (len(second), len(third)) == (120, 240)
    assert split(f"Yes. {second} {third} No.") == ["Yes.", second, third, "No."]
    assert split(f"Yes. A{second} No.") == ["Yes.", "A" * 61 + ",", "b" * 57 + ".", "No."]


def test_a_piece_tells_what_it_was_cut_after() -> None:
    splitter = SentenceSplitter(first_length=40)
    text = "The first one is long, and this is its end. " + LONG + "\nLine"
    pieces = splitter.push(text) + splitter.flush()
    assert [piece.end for piece in pieces] == [
        "clause",
        "sentence",
        "word",
        "sentence",
        "sentence",
    ]
    assert pieces[0].text.endswith("long,")


# -- a writer who hesitates


@pytest.mark.parametrize(
    ("written", "spoken", "end"),
    [
        ("Let me check.", "Let me check.", "sentence"),
        ("Really?!", "Really?!", "sentence"),
        ('She said "stop."', 'She said "stop."', "sentence"),
        ("Well,", "Well,", "clause"),
        ("I will look at the weather fore", "I will look at the weather", "word"),
        ("I will look at the weather ", "I will look at the weather", "word"),
        ("Turn on the light in the kit", "Turn on the light in the", "word"),
        ("好的，我看一下天气预报", "好的，我看一下天气预报", "word"),
        ("灯已打开。", "灯已打开。", "sentence"),
    ],
)
def test_a_pause_gives_what_is_certain(written: str, spoken: str, end: str) -> None:
    splitter = SentenceSplitter("zh" if written[0] > "z" else "en")
    assert splitter.push(written) == []
    [piece] = splitter.pause()
    assert (piece.text, piece.end) == (spoken, end)
    assert splitter.pause() == []
    splitter.push("more")
    assert texts(splitter.flush())[0].endswith("more")


@pytest.mark.parametrize(
    "written", ["", " ", "Hello", "I will be", "Dr.", "I know that Dr.", "See e.g.", "```x = 1.\n"]
)
def test_a_pause_gives_nothing_that_could_still_be_another_word_or_is_too_little(
    written: str,
) -> None:
    splitter = SentenceSplitter("en")
    assert splitter.push(written) + splitter.pause() == []


@pytest.mark.parametrize(
    ("words", "given"), [("I will look at this ", True), ("I will look at me ", False)]
)
def test_a_pause_gives_words_from_twenty_letters_on(words: str, given: bool) -> None:
    splitter = SentenceSplitter("en")
    splitter.push(words)
    assert bool(splitter.pause()) == given


def test_what_follows_a_pause_is_no_first_sentence() -> None:
    splitter = SentenceSplitter("en")
    splitter.push("Let me check.")
    splitter.pause()
    text = "There are three lights on in the kitchen, two in the hall, and one more. Bye"
    assert texts(splitter.push(text)) == [text[:-4]]


ALPHABET = "aB3 ,.:!?。，…\n\"')*`-"


@settings(deadline=None)
@given(st.text(ALPHABET, max_size=400), st.integers(1, 40))
def test_nothing_is_lost_or_changed(text: str, step: int) -> None:
    assert "".join("".join(split(text, step)).split()) == "".join(text.split())


@settings(deadline=None)
@given(st.lists(st.text(ALPHABET + "你好", max_size=60), max_size=8))
def test_pauses_lose_nothing(parts: list[str]) -> None:
    splitter = SentenceSplitter("zh")
    made = [text for part in parts for text in texts(splitter.push(part) + splitter.pause())]
    made += texts(splitter.flush())
    assert "".join("".join(made).split()) == "".join("".join(parts).split())


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
            [
                "word",
                "Word",
                "3.5",
                "Dr.",
                "p.m.",
                "end.",
                "so,",
                "what?",
                "好。",
                "\n",
                "and",
                "während",
            ]
        ),
        max_size=120,
    ),
    st.integers(1, 40),
)
def test_the_size_of_the_pieces_makes_no_difference(words: list[str], step: int) -> None:
    text = " ".join(words)
    assert split(text, step) == split(text)


@pytest.mark.parametrize("place", range(105, 125))
def test_a_cut_close_to_the_limit_does_not_depend_on_how_the_text_comes(place: int) -> None:
    text = "Yes. Xyz, " + "x" * (place - 5) + " während " + "y " * 50
    assert split(text, 1) == split(text)


@pytest.mark.parametrize(
    "text", ["1. " * 3000, "…" * 9000, "。" * 9000, "\"'" * 4500, "a b. c" * 1500]
)
def test_odd_text_takes_no_long_time(text: str) -> None:
    began = time.perf_counter()
    split(text)
    split(text, 500)
    assert time.perf_counter() - began < 2
