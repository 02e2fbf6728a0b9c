"""The automaton accepts exactly the sentences that it was made of, with the fewest states."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings, strategies as st

from wyoming_units.speech.automaton import (
    IMPOSSIBLE,
    Automaton,
    Choice,
    Phrase,
    Sequence,
    Text,
    any_order,
    compile_automaton,
    optional,
)

Language = frozenset[tuple[str, ...]]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def written(phrase: Phrase) -> set[str]:
    """Return all texts of a phrase, the slow and simple way."""
    if isinstance(phrase, Text):
        return {phrase.text}
    if isinstance(phrase, Choice):
        return set().union(*map(written, phrase.options))
    return {"".join(parts) for parts in product(*map(written, phrase.parts))}


def language(phrase: Phrase) -> Language:
    return frozenset(words(text) for text in written(phrase))


def accepted(automaton: Automaton, state: int | None = None) -> Language:
    """Return all sentences of an automaton."""
    state = automaton.start if state is None else state
    here = {()} if state in automaton.accepting else set()
    return frozenset(here).union(
        (word, *rest)
        for word, to in automaton.arcs[state].items()
        for rest in accepted(automaton, to)
    )


def phrases() -> st.SearchStrategy[Phrase]:
    texts = st.sampled_from(["", " ", "a", "b", " a", "b ", "a b", "ab ", " b a "]).map(Text)
    return st.recursive(
        texts,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: Sequence(tuple(parts))),
            st.lists(inner, max_size=3).map(lambda options: Choice(tuple(options))),
        ),
        max_leaves=10,
    )


@settings(max_examples=300, deadline=None)
@given(phrases())
def test_it_accepts_the_sentences_of_the_phrase_and_no_other(phrase: Phrase) -> None:
    assert accepted(compile_automaton(phrase)) == language(phrase)


@settings(max_examples=300, deadline=None)
@given(phrases())
def test_no_two_states_mean_the_same_and_none_is_a_dead_end(phrase: Phrase) -> None:
    automaton = compile_automaton(phrase)
    meanings = [accepted(automaton, state) for state in range(len(automaton.arcs))]
    assert len(set(meanings)) == len(meanings)
    assert all(meanings) or not language(phrase)


@settings(max_examples=200, deadline=None)
@given(phrases())
def test_sentences_with_a_word_that_is_not_kept_are_gone_and_all_others_stay(
    phrase: Phrase,
) -> None:
    kept = compile_automaton(phrase, lambda word: word != "ab")
    assert accepted(kept) == {said for said in language(phrase) if "ab" not in said}


def test_pieces_without_a_space_between_them_are_one_word() -> None:
    lights = Sequence((Text("turn on the light"), optional(Text("s")), optional(Text(" please"))))
    assert accepted(compile_automaton(lights)) == {
        words(text)
        for text in (
            "turn on the light",
            "turn on the lights",
            "turn on the light please",
            "turn on the lights please",
        )
    }


def test_parts_in_any_order_are_each_said_once() -> None:
    parts = [Text(" turn off "), Text(" now "), Text(" the light ")]
    automaton = compile_automaton(any_order(parts))
    assert len(accepted(automaton)) == 6
    assert automaton.accepts(words("now the light turn off"))
    assert not automaton.accepts(words("turn off turn off the light"))


def test_what_is_impossible_spoils_its_sequence_but_not_the_choice_beside_it() -> None:
    phrase = Choice((Text("yes"), Sequence((Text("no "), IMPOSSIBLE))))
    assert accepted(compile_automaton(phrase)) == {("yes",)}
    assert accepted(compile_automaton(IMPOSSIBLE)) == frozenset()


def test_a_prefix_tells_if_the_command_is_complete_and_if_it_can_go_on() -> None:
    automaton = compile_automaton(
        Sequence((Text("turn on the lights"), optional(Text(" in the kitchen"))))
    )
    lights = words("turn on the lights")
    assert automaton.accepts(lights)
    assert automaton.next_words(lights) == {"in"}
    whole = [*lights, "in", "the", "kitchen"]
    assert automaton.accepts(whole)
    assert automaton.next_words(whole) == frozenset()
    assert not automaton.accepts(lights[:3])
    assert automaton.next_words(lights[:3]) == {"lights"}
    assert automaton.state_after(["sing"]) is None
    assert automaton.next_words(["sing"]) == frozenset()
    assert automaton.words == {"turn", "on", "the", "lights", "in", "kitchen"}


def test_a_thousand_names_in_many_sentences_share_their_states() -> None:
    names = Choice(tuple(Text(f"lamp {chr(97 + n % 26)}{n}") for n in range(1000)))
    verbs = ["turn on the ", "turn off the ", "switch on the ", "where is the "]
    automaton = compile_automaton(Choice(tuple(Sequence((Text(v), names)) for v in verbs)))
    assert len(automaton.arcs) < 12
    assert not automaton.accepts(words("where is the lamp z1"))
    assert automaton.accepts(words("where is the lamp b1"))
