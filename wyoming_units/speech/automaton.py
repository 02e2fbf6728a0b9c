"""Finite sets of sentences, and the smallest automaton over words that accepts one.

A set is written down as a tree of `Text`, `Sequence` and `Choice`; `compile_automaton` makes an automaton
of it by way of Thompson's construction (1968), whose arcs are pieces of words, and the subset construction
(Rabin and Scott, 1959), whose arcs are words. As there are no loops, equal states are found from the end
backwards in linear time (Revuz, "Minimisation of acyclic deterministic automata", 1992).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations


@dataclass(frozen=True)
class Text:
    """Words, or a part of one: spaces count, so that "light" and then "s" is one word."""

    text: str


@dataclass(frozen=True)
class Sequence:
    """All parts, in this order."""

    parts: tuple[Phrase, ...]


@dataclass(frozen=True)
class Choice:
    """Any one of the options; without options, nothing at all can be said."""

    options: tuple[Phrase, ...]


_MOST_STATES = 50_000

Phrase = Text | Sequence | Choice
SILENCE = Text("")
IMPOSSIBLE = Choice(())


def optional(phrase: Phrase) -> Choice:
    """Return the phrase or silence."""
    return Choice((phrase, SILENCE))


def any_order(parts: Iterable[Phrase]) -> Choice:
    """Return all parts in all orders."""
    return Choice(tuple(Sequence(order) for order in permutations(parts)))


@dataclass(frozen=True, kw_only=True)
class Automaton:
    """A minimal deterministic automaton over words."""

    arcs: tuple[Mapping[str, int], ...]
    """For each state, the next state by word; every state leads to an accepting one."""
    accepting: frozenset[int]
    """States in which a sentence may end."""
    start: int

    @property
    def words(self) -> frozenset[str]:
        """Return every word of every sentence."""
        return frozenset(word for arcs in self.arcs for word in arcs)

    def state_after(self, words: Iterable[str]) -> int | None:
        """Return the state that the words lead to, None where no sentence begins so."""
        state: int | None = self.start
        for word in words:
            state = None if state is None else self.arcs[state].get(word)
        return state

    def accepts(self, words: Iterable[str]) -> bool:
        """Tell if the words are a whole sentence."""
        return self.state_after(words) in self.accepting

    def is_complete(self, words: Iterable[str]) -> bool:
        """Tell if the words are a whole sentence that cannot go on."""
        state = self.state_after(words)
        return state in self.accepting and not self.arcs[state or 0]

    def next_words(self, words: Iterable[str]) -> frozenset[str]:
        """Return the words that may follow; none after a sentence that cannot go on."""
        state = self.state_after(words)
        return frozenset() if state is None else frozenset(self.arcs[state])


def compile_automaton(phrase: Phrase, keep: Callable[[str], bool] = bool) -> Automaton:
    """Return the smallest automaton for the sentences of a phrase whose words are all kept.

    `OverflowError` for the few phrases whose automaton has very many more states than they have parts.
    """
    graph = _Graph(keep)
    graph.final = graph.add(phrase, graph.new_state())
    # A subset stays in `open_` with its arcs until all that it leads to has been merged.
    root: _Subset = frozenset({0})
    open_: dict[_Subset, tuple[dict[str, _Subset], bool]] = {}
    merged: dict[_Subset, int | None] = {}
    states: dict[tuple[bool, tuple[tuple[str, int], ...]], int] = {}
    stack = [root]
    while stack:
        subset = stack[-1]
        if subset not in merged and subset not in open_:
            open_[subset] = graph.word_arcs(subset)
            if len(merged) + len(open_) > _MOST_STATES:
                raise OverflowError(f"more than {_MOST_STATES} states")
            stack.extend(to for to in open_[subset][0].values() if to not in merged)
            continue
        stack.pop()
        if subset not in merged:
            targets, final = open_.pop(subset)
            kept = {
                word: state for word, to in targets.items() if (state := merged[to]) is not None
            }
            key = (final, tuple(sorted(kept.items())))
            merged[subset] = states.setdefault(key, len(states)) if final or kept else None
    start = merged[root]
    if start is None:  # nothing can be said: one state without arcs
        return Automaton(arcs=({},), accepting=frozenset(), start=0)
    return Automaton(
        arcs=tuple(dict(arcs) for _, arcs in states),
        accepting=frozenset(state for (final, _), state in states.items() if final),
        start=start,
    )


_Subset = frozenset[int]


@dataclass
class _Graph:
    """Thompson's automaton: arcs are "" (free), " " (between words) or a piece of a word."""

    keep: Callable[[str], bool]
    arcs: list[list[tuple[str, int]]] = field(default_factory=list)
    final: int = -1
    _words_from: dict[int, tuple[dict[str, set[int]], bool]] = field(default_factory=dict)

    def new_state(self) -> int:
        self.arcs.append([])
        return len(self.arcs) - 1

    def add(self, phrase: Phrase, state: int) -> int:
        """Add the phrase after a state and return the state in which it ends."""
        if isinstance(phrase, Text):
            for piece in re.findall(r"\s+|\S+", phrase.text):
                state = self._link(state, " " if piece.isspace() else piece, self.new_state())
            return state
        if isinstance(phrase, Sequence):
            for part in phrase.parts:
                state = self.add(part, state)
            return state
        ends = [self.add(option, state) for option in phrase.options]
        end = self.new_state()
        for option_end in ends:
            self._link(option_end, "", end)
        return end

    def _link(self, state: int, label: str, to: int) -> int:
        self.arcs[state].append((label, to))
        return to

    def word_arcs(self, subset: _Subset) -> tuple[dict[str, _Subset], bool]:
        """Return where each next word leads, and if a sentence may end here."""
        targets: dict[str, set[int]] = {}
        final = False
        for state in subset:
            words, ends = self._words(state)
            final |= ends
            for word, to in words.items():
                targets.setdefault(word, set()).update(to)
        return {word: frozenset(to) for word, to in targets.items()}, final

    def _words(self, state: int) -> tuple[dict[str, set[int]], bool]:
        """Return the kept words that can be said from a state, put together from their pieces."""
        if (known := self._words_from.get(state)) is not None:
            return known
        words: dict[str, set[int]] = {}
        final = False
        seen = {(state, "")}
        stack = [(state, "")]
        while stack:
            at, word = stack.pop()
            if at == self.final and not word:
                final = True
            elif at == self.final and self.keep(word):
                words.setdefault(word, set()).add(at)
            for label, to in self.arcs[at]:
                if label == " " and word:
                    if self.keep(word):
                        words.setdefault(word, set()).add(to)
                elif (item := (to, word + label.strip())) not in seen:
                    seen.add(item)
                    stack.append(item)
        self._words_from[state] = words, final
        return words, final
