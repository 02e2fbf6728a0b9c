"""Whisper's vocabulary is read, and its tokens become text."""

from __future__ import annotations

import base64

import pytest

from wyoming_units.speech.whisper_tokens import read_vocabulary, text_of


def lines(*tokens: bytes) -> str:
    return "".join(f"{base64.b64encode(token).decode()} {i}\n" for i, token in enumerate(tokens))


def test_a_character_may_be_in_several_tokens() -> None:
    vocabulary = read_vocabulary(lines(b" gr\xc3", b"\xbc", b"n"))
    assert text_of([0, 1, 2], vocabulary) == " grün"


def test_half_a_character_is_no_error() -> None:
    assert text_of([1, 0], read_vocabulary(lines(b" gr\xc3", b"ok "))) == "ok  gr�"


def test_tokens_may_be_empty_missing_or_in_any_order() -> None:
    vocabulary = read_vocabulary("Yg== 2\n 1\r\nYQ== 0\n\nZA== 4\n")
    assert vocabulary == (b"a", b"", b"b", b"", b"d")
    assert text_of([0, 1, 2, 3, 4, 5, 50_000], vocabulary) == "abd"


@pytest.mark.parametrize("text", ["", "\n", "YQ==\n", "YQ== x\n", "Y 0\n", "§§ 0\n", "YQ== -1\n"])
def test_what_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_vocabulary(text)
