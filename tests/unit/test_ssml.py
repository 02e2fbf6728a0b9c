"""SSML."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from wyoming_units.errors import BadRequest, UnitError, Unsupported
from wyoming_units.speech.ssml import Said, Silence, parse_ssml


def said(body: str) -> list[Said | Silence]:
    return parse_ssml(f"<speak>{body}</speak>")


def words(body: str) -> str:
    return " ".join(item.text for item in said(body) if isinstance(item, Said))


def test_plain_words_are_one_sentence() -> None:
    assert said("Hello you.") == [Said("Hello you.", 1.0, ends=True)]


@pytest.mark.parametrize(
    "document", ["<speak/>", "<speak></speak>", "<speak> \n </speak>", " <speak/>\n"]
)
def test_a_document_without_words_says_nothing(document: str) -> None:
    assert parse_ssml(document) == []


def test_a_whole_document_with_its_declarations_is_read() -> None:
    document = """<?xml version="1.0" encoding="UTF-8"?>
        <!-- made by hand -->
        <speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US"
               xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b">
          <p><s>One
             two.</s> <s>Three &amp; <![CDATA[four]]></s></p><!-- end -->
        </speak>"""
    assert parse_ssml(document) == [
        Said("One two.", 1.0, ends=True),
        Said("Three & four", 1.0, ends=True),
    ]


def test_sentences_and_paragraphs_end_what_is_before_and_inside_them() -> None:
    assert said("One<s>two</s>three<p>four</p>five") == [
        Said(word, 1.0, ends=True) for word in ("One", "two", "three", "four", "five")
    ]


def test_tags_inside_a_sentence_do_not_end_it() -> None:
    assert said("One <emphasis level='strong'>two</emphasis> three") == [
        Said("One two three", 1.0, ends=True)
    ]


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [
        ("<break/>", 0.4),
        ("<break strength='none'/>", 0.0),
        ("<break strength='x-weak'/>", 0.1),
        ("<break strength='weak'/>", 0.2),
        ("<break strength='medium'/>", 0.4),
        ("<break strength='strong'/>", 0.7),
        ("<break strength='x-strong'></break>", 1.2),
        ("<break time='500ms'/>", 0.5),
        ("<break time='1.5s'/>", 1.5),
        ("<break time='+2s' strength='weak'/>", 2.0),
        ("<break time='0s'/>", 0.0),
        ("<break time='10s'/>", 10.0),
    ],
)
def test_a_break_is_a_silence(tag: str, seconds: float) -> None:
    assert said(f"One{tag}two") == [
        Said("One", 1.0),
        Silence(seconds),
        Said("two", 1.0, ends=True),
    ]


@pytest.mark.parametrize(
    "tag",
    [
        "<break time='10.1s'/>", "<break time='10001ms'/>", "<break time='-1s'/>", "<break time='1'/>",
        "<break time='1e3ms'/>", "<break time=''/>", "<break strength='huge'/>",
    ],
)  # fmt: skip
def test_a_break_that_is_too_long_or_no_time_is_refused(tag: str) -> None:
    with pytest.raises(BadRequest):
        said(f"One{tag}two")


@pytest.mark.parametrize(
    ("rate", "speed"),
    [
        ("x-slow", 0.5), ("slow", 0.75), ("medium", 1.0), ("default", 1.0), ("fast", 1.25),
        ("x-fast", 1.75), ("50%", 0.5), ("200%", 2.0), ("+20%", 1.2), ("-20%", 0.8), ("1.5", 1.5),
        ("2", 2.0),
    ],
)  # fmt: skip
def test_a_rate_changes_the_speed_of_what_is_inside(rate: str, speed: float) -> None:
    one, two, three = said(f"One <prosody rate='{rate}'>two</prosody> three")
    assert (one, three) == (Said("One", 1.0), Said("three", 1.0, ends=True))
    assert isinstance(two, Said)
    assert two.speed == pytest.approx(speed)


def test_rates_multiply_each_other_and_that_of_the_request() -> None:
    inner = "<prosody rate='120%'>one <prosody rate='120%'>two</prosody></prosody>"
    speeds = [
        item.speed for item in parse_ssml(f"<speak>{inner}</speak>", 0.5) if isinstance(item, Said)
    ]
    assert speeds == pytest.approx([0.6, 0.72])


@pytest.mark.parametrize(
    "rate", ["49%", "201%", "-60%", "+101%", "0", "quick", "", "1e1", "-1", "100 %"]
)
def test_a_rate_that_no_voice_has_is_refused(rate: str) -> None:
    with pytest.raises(BadRequest):
        said(f"<prosody rate='{rate}'>two</prosody>")


@pytest.mark.parametrize(
    ("body", "spoken"),
    [
        ("<sub alias='World Wide Web'>WWW</sub> is old", "World Wide Web is old"),
        ("a <sub alias=''>b</sub>c", "a c"),
        ("<say-as interpret-as='characters'>AB 1</say-as>", "A B 1"),
        ("<say-as interpret-as='spell-out'>abc</say-as>", "a b c"),
        ("Pin <say-as interpret-as='digits'>12-34</say-as> is it", "Pin 1 2 3 4 is it"),
        ("<say-as interpret-as='telephone' format='1'>555-12</say-as>", "5 5 5 1 2"),
        ("<say-as interpret-as='cardinal'>1234</say-as>", "1234"),
        ("<say-as interpret-as='date' format='ymd'>2026-11-20</say-as>", "2026-11-20"),
        ("x<say-as interpret-as='time'>7:00</say-as>y", "x7:00y"),
    ],
)
def test_words_can_be_said_as_something_else(body: str, spoken: str) -> None:
    assert words(body) == spoken


@pytest.mark.parametrize(
    "body",
    [
        "<voice name='x'>a</voice>", "<audio src='http://x/a.wav'/>", "<phoneme ph='a'>a</phoneme>",
        "<mark name='a'/>", "<lang xml:lang='de'>a</lang>", "<prosody pitch='high'>a</prosody>",
        "<prosody rate='fast' volume='loud'>a</prosody>", "<s xml:lang='de'>a</s>", "<b>a</b>",
        "<say-as interpret-as='expletive'>a</say-as>", "<say-as>a</say-as>", "<P>a</P>",
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused(body: str) -> None:
    with pytest.raises(Unsupported):
        said(body)


@pytest.mark.parametrize(
    "document",
    [
        "", "Hello", "<speak>", "<speak>a</p></speak>", "<speak>a & b</speak>", "<speak>&nbsp;</speak>",
        "<p>a</p>", "<speak><speak/></speak>", "<speak/><speak/>", "<speak><sub>a</sub></speak>",
        "<speak><sub alias='a'><s>b</s></sub></speak>", "<speak><break><s>b</s></break></speak>",
        "<speak>\x00</speak>",
    ],
)  # fmt: skip
def test_what_is_no_ssml_is_refused(document: str) -> None:
    with pytest.raises(BadRequest):
        parse_ssml(document)


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE speak SYSTEM "http://example.com/x.dtd"><speak/>',
        '<!DOCTYPE s [<!ENTITY a "b">]><speak>&a;</speak>',
        '<?xml version="1.0"?>\n<!DOCTYPE speak><speak/>',
    ],
)
def test_a_document_type_is_refused_unread(document: str) -> None:
    with pytest.raises(Unsupported):
        parse_ssml(document)


@pytest.mark.parametrize(("depth", "read"), [(20, True), (21, False)])
def test_depth_is_bounded(depth: int, read: bool) -> None:
    tags = depth - 1  # and <speak>
    body = "<emphasis>" * tags + "a" + "</emphasis>" * tags
    if read:
        assert words(body) == "a"
    else:
        with pytest.raises(BadRequest):
            said(body)


@pytest.mark.parametrize(
    "unit", ["<s>", "<p>a</p>", "<break/>", "a ", "&lt;", "<!-- a -->", "<emphasis>"]
)
def test_odd_documents_take_no_long_time(unit: str) -> None:
    began = time.perf_counter()
    with suppress(UnitError):
        said(unit * (10_000 // len(unit)))
    assert time.perf_counter() - began < 1


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["<s>", "</s>", "<sub alias='x'>", "</sub>", "a", "<break/>", "&", "<p/>"])
    )
)
def test_every_document_is_read_or_refused(parts: list[str]) -> None:
    try:
        items = said("".join(parts))
    except (BadRequest, Unsupported):
        return
    assert all(isinstance(item, Silence) or item.text for item in items)
