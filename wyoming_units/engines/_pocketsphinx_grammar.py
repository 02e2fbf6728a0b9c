"""From Home Assistant's sentence templates and a home to the set of sentences that can be said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import hassil
import home_assistant_intents
from hassil.intents import RangeSlotList, SlotList, TextSlotList
from hassil.parser import ParseError

from wyoming_units.engines._pocketsphinx_settings import read_settings
from wyoming_units.errors import TooLarge
from wyoming_units.speech.automaton import (
    IMPOSSIBLE,
    Automaton,
    Choice,
    Phrase,
    Sequence,
    Text,
    any_order,
    compile_automaton,
)
from wyoming_units.speech.grammar import Grammar, spoken_names, spoken_text
from wyoming_units.speech.home import Home, HomeEntity
from wyoming_units.speech.numbers import number_words

_LANGUAGE = "en"
_CLASSES = "cover_classes"
_MOST_NUMBERS = 1001
_LONGEST_PERMUTATION = 4
_ASKING = ("HassGet", "HassClimateGet", "HassTimerStatus")

# Templates forgive what is typed; what nobody says would only be one more thing to mishear.
_TYPED = frozenset({"whats", "hows", "wheres", "todays"})
_AGREEMENT = (
    (re.compile(r"\{(timer_(\w+)s):\w+\}(?:\( \|-\)| )\2\[s\]"), r"(one \2|{2..100:\1} \2s)"),
    (re.compile(r"\b(an? (?:hour|minute))\[s\]"), r"\1"),
)
"""One hour, but two hours."""

_MOST_TEXTS = 400_000
"""Texts between two choices in all sentences of a home; building takes some 10 s for so many."""

_Lists = Mapping[str, Phrase]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Sentences that mean the same for different things."""

    domains: frozenset[str]
    """Domains of the entities that they are for; none: they need no entity."""
    sentences: tuple[hassil.Sentence, ...]
    risky: bool
    """They unlock, open or disarm something."""
    asks: bool
    """They change nothing, whatever they name."""


@dataclass(frozen=True, kw_only=True)
class Templates:
    """The templates of a language and what they refer to."""

    blocks: tuple[Block, ...]
    rules: Mapping[str, hassil.Sentence]
    lists: Mapping[str, SlotList]
    risky_domains: frozenset[str]
    """Domains for which the intent alone tells what is risky."""
    risky_words: frozenset[str]
    """Where it does not, a name with one of them does, and a sentence of the user's own."""

    @classmethod
    def load(cls) -> Templates:
        """Read the speech-to-phrase set of home-assistant-intents and our additions to it."""
        base = home_assistant_intents.get_speech_to_phrase_intents(_LANGUAGE) or {}
        about = home_assistant_intents.get_intent_info() or {}
        added = read_settings()
        domains = {name: info["domain"] for name, info in about.items()} | added["domains"]
        risky = added["risky"]
        shared = hassil.Intents.from_dict(base)
        extra = hassil.Intents.from_dict({**base, "intents": added["intents"]})

        def block(name: str, data: hassil.intents.IntentData) -> Block:
            about = frozenset(data.domains or {domains[name]})
            return Block(
                domains=about - {"homeassistant"},
                sentences=tuple(
                    hassil.parse_sentence(_as_spoken(text)) for text in data.sentence_texts
                ),
                risky=not about.isdisjoint(risky["intents"].get(name, ())),
                asks=name.startswith(_ASKING),
            )

        return cls(
            blocks=tuple(
                block(name, data)
                for intents in (shared.intents, extra.intents)
                for name, intent in intents.items()
                for data in intent.data
            ),
            rules=shared.expansion_rules,
            lists=shared.slot_lists,
            risky_domains=frozenset().union(*risky["intents"].values()),
            risky_words=frozenset(risky["words"]),
        )


def _as_spoken(template: str) -> str:
    for lenient, strict in _AGREEMENT:
        template = lenient.sub(strict, template)
    return template


def build_grammar(
    templates: Templates, home: Home, keep: Callable[[str], bool] = lambda word: True
) -> Grammar:
    """Return what can be said to a home; sentences with a word that is not kept are left out.

    `TooLarge` for a home with more sentences than can be built in a reasonable time.
    """
    builder = _Builder(templates=templates, home=home)
    sentences = (*builder.shared_sentences(), *builder.own_sentences())
    if (texts := sum(_count_texts(phrase) for phrase, _ in sentences)) > _MOST_TEXTS:
        raise TooLarge(f"the sentences of the home have {texts} parts, {_MOST_TEXTS} are possible")

    def compile_those(risky: bool | None) -> Automaton:
        return compile_automaton(
            Choice(tuple(phrase for phrase, is_risky in sentences if risky in (None, is_risky))),
            lambda word: word not in _TYPED and bool(re.fullmatch(r"[\w']+", word)) and keep(word),
        )

    try:
        automaton, risky, harmless = map(compile_those, (None, True, False))
    except OverflowError as error:
        raise TooLarge(f"the sentences of the home have {error}") from error
    return Grammar(
        automaton=automaton,
        risky=risky,
        harmless=harmless,
        spellings=builder.spellings,
        left_out=builder.left_out,
    )


def _count_texts(phrase: Phrase) -> int:
    match phrase:
        case Sequence(parts=inner) | Choice(options=inner):
            return sum(map(_count_texts, inner))
    return 1


_Sentences = Iterator[tuple[Phrase, bool]]
"""Phrases, and if they are risky."""


@dataclass(kw_only=True)
class _Builder:
    """Turns templates into phrases, for one home."""

    templates: Templates
    home: Home
    spellings: dict[tuple[str, ...], str] = field(default_factory=dict)
    left_out: int = 0
    """Sentences of the user's that are no templates, or refer to what is not there."""

    def shared_sentences(self) -> _Sentences:
        """Yield the sentences of the templates that this home has the entities for."""
        rules = dict(self.templates.rules)
        for block in self.templates.blocks:
            entities = [entity for entity in self.home.entities if entity.domain in block.domains]
            if block.domains and not entities:
                continue
            for sentence in block.sentences:
                uses = frozenset(sentence.list_names(rules))
                for lists, inside in self._places(entities, uses):
                    if "name" in uses:
                        yield from self._about_names(block, sentence, lists, inside)
                    elif inside or not block.domains:
                        yield self._sentence(sentence, lists, inside), block.risky

    def _about_names(
        self, block: Block, sentence: hassil.Sentence, lists: _Lists, inside: list[HomeEntity]
    ) -> _Sentences:
        """Yield a sentence for entities, those apart whose name alone makes it risky."""
        by_risk: dict[bool, list[HomeEntity]] = {}
        for entity in inside:
            named = entity.domain not in self.templates.risky_domains and any(
                map(self._is_risky, (entity.name, *entity.aliases))
            )
            by_risk.setdefault(block.risky or (named and not block.asks), []).append(entity)
        for risky, entities in by_risk.items():
            yield self._sentence(sentence, lists, entities), risky

    def own_sentences(self) -> _Sentences:
        """Yield the user's own sentences, in which any name may stand with any area."""
        lists = {
            "name": self._entities(self.home.entities),
            "area": Choice(tuple(self._name(a.name, a.aliases) for a in self.home.areas)),
            "floor": Choice(tuple(self._name(f.name, f.aliases) for f in self.home.floors)),
        }
        for text in self.home.sentences:
            try:
                expression = hassil.parse_sentence(text).expression
            except (ParseError, AssertionError):
                expression = None
            if expression is not None and self._is_known(expression, lists):
                yield self._phrase(expression, lists), self._is_risky(text)
            else:
                self.left_out += 1

    def _is_known(self, expression: hassil.Expression, lists: _Lists) -> bool:
        """Tell if all that a template refers to is there."""
        match expression:
            case hassil.RuleReference(rule_name=name):
                return name in self.templates.rules
            case hassil.ListReference(list_name=name):
                ranged = expression.get_inline_range() is not None
                return ranged or name in lists or name in self.templates.lists
            case hassil.Permutation(items=items) if len(items) > _LONGEST_PERMUTATION:
                return False
            case hassil.Permutation() | hassil.Alternative() | hassil.Sequence():
                return all(self._is_known(item, lists) for item in expression.items)
        return True

    def _is_risky(self, text: str) -> bool:
        return not self.templates.risky_words.isdisjoint(re.findall(r"\w+", text.casefold()))

    def _places(
        self, entities: list[HomeEntity], uses: frozenset[str]
    ) -> Iterator[tuple[_Lists, list[HomeEntity]]]:
        """Yield each area or floor that a sentence can be about, with the entities in it."""
        if "area" in uses:
            for area in self.home.areas:
                inside = [entity for entity in entities if entity.area == area.name]
                yield {"area": self._name(area.name, area.aliases)}, inside
        elif "floor" in uses:
            for floor in self.home.floors:
                areas = {area.name for area in self.home.areas if area.floor == floor.name}
                inside = [entity for entity in entities if entity.area in areas]
                yield {"floor": self._name(floor.name, floor.aliases)}, inside
        else:
            yield {}, entities

    def _sentence(
        self, sentence: hassil.Sentence, lists: _Lists, entities: list[HomeEntity]
    ) -> Phrase:
        lists = {"name": self._entities(entities), **lists}
        if isinstance(classes := self.templates.lists.get(_CLASSES), TextSlotList):
            present = {entity.device_class for entity in entities}
            values = [value for value in classes.values if value.value_out in present]
            lists[_CLASSES] = Choice(tuple(self._phrase(value.text_in, {}) for value in values))
        return self._phrase(sentence.expression, lists)

    def _phrase(self, expression: hassil.Expression, lists: _Lists) -> Phrase:
        match expression:
            case hassil.TextChunk():
                return self._text(expression.original_text)
            case hassil.Permutation(items=items) if len(items) <= _LONGEST_PERMUTATION:
                return any_order([self._phrase(item, lists) for item in items])
            case hassil.Alternative(items=items):
                return Choice(tuple(self._phrase(item, lists) for item in items))
            case hassil.Sequence(items=items):
                return Sequence(tuple(self._phrase(item, lists) for item in items))
            case hassil.RuleReference(rule_name=name) if name in self.templates.rules:
                return self._phrase(self.templates.rules[name].expression, lists)
            case hassil.ListReference():
                return self._list(expression, lists)
        return IMPOSSIBLE

    def _text(self, text: str) -> Phrase:
        if re.search(r"\d/\d", text):  # "1/2" can be typed, not said
            return IMPOSSIBLE
        return Text(spoken_text(text))

    def _list(self, reference: hassil.ListReference, lists: _Lists) -> Phrase:
        name = reference.list_name
        if name in lists:
            return lists[name]
        if (limits := reference.get_inline_range()) is not None:
            return self._numbers(RangeSlotList(None, *limits))
        values = self.templates.lists.get(name)
        if isinstance(values, RangeSlotList):
            return self._numbers(values)
        if isinstance(values, TextSlotList):
            return Choice(tuple(self._phrase(value.text_in, lists) for value in values.values))
        return IMPOSSIBLE

    def _numbers(self, limits: RangeSlotList) -> Phrase:
        ways: list[Phrase] = []
        for number in islice(limits.get_numbers(), _MOST_NUMBERS):
            for way in number_words(number):
                self.spellings.setdefault(tuple(way.split()), f"{number:.9g}")
                ways.append(Text(way))
        return Choice(tuple(ways))

    def _entities(self, entities: Iterable[HomeEntity]) -> Phrase:
        return Choice(tuple(self._name(entity.name, entity.aliases) for entity in entities))

    def _name(self, name: str, aliases: Iterable[str]) -> Phrase:
        ways: list[Phrase] = []
        for text in (name, *aliases):
            for words in spoken_names(text):
                self.spellings[words] = text.strip()  # also where a number is a name
                ways.append(Text(" ".join(words)))
        return Choice(tuple(ways))
