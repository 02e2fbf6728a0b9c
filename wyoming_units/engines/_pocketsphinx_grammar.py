"""From Home Assistant's sentence templates and a home to the set of sentences that can be said."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import islice

import hassil
import home_assistant_intents
import yaml
from hassil.intents import RangeSlotList, SlotList, TextSlotList
from hassil.parser import ParseError

from wyoming_units.speech.automaton import (
    IMPOSSIBLE,
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

_LOGGER = logging.getLogger(__name__)
_LANGUAGE = "en"
_CLASSES = "cover_classes"
_MOST_NUMBERS = 1001
_LONGEST_PERMUTATION = 4

# Templates forgive what is typed; what nobody says would only be one more thing to mishear.
_TYPED = frozenset({"whats", "hows", "wheres", "todays"})
_AGREEMENT = (
    (re.compile(r"\{(timer_(\w+)s):\w+\}(?:\( \|-\)| )\2\[s\]"), r"(one \2|{2..100:\1} \2s)"),
    (re.compile(r"\b(an? (?:hour|minute))\[s\]"), r"\1"),
)
"""One hour, but two hours."""

_Lists = Mapping[str, Phrase]


@dataclass(frozen=True, kw_only=True)
class Templates:
    """The templates of a language and what they refer to."""

    blocks: tuple[tuple[frozenset[str], tuple[hassil.Sentence, ...]], ...]
    """Sentences, after the domains of the entities that they are for; none: they need no entity."""
    rules: Mapping[str, hassil.Sentence]
    lists: Mapping[str, SlotList]

    @classmethod
    def load(cls) -> Templates:
        """Read the speech-to-phrase set of home-assistant-intents and our additions to it."""
        base = home_assistant_intents.get_speech_to_phrase_intents(_LANGUAGE) or {}
        about = home_assistant_intents.get_intent_info() or {}
        added = yaml.safe_load((files(__package__) / "pocketsphinx_en.yaml").read_bytes())
        domains = {name: info["domain"] for name, info in about.items()} | added["domains"]
        shared = hassil.Intents.from_dict(base)
        extra = hassil.Intents.from_dict({**base, "intents": added["intents"]})
        blocks = tuple(
            (
                frozenset(block.domains or {domains[name]}) - {"homeassistant"},
                tuple(hassil.parse_sentence(_as_spoken(text)) for text in block.sentence_texts),
            )
            for intents in (shared.intents, extra.intents)
            for name, intent in intents.items()
            for block in intent.data
        )
        return cls(blocks=blocks, rules=shared.expansion_rules, lists=shared.slot_lists)


def _as_spoken(template: str) -> str:
    for lenient, strict in _AGREEMENT:
        template = lenient.sub(strict, template)
    return template


def build_grammar(
    templates: Templates, home: Home, keep: Callable[[str], bool] = lambda word: True
) -> Grammar:
    """Return what can be said to a home; sentences with a word that is not kept are left out."""
    builder = _Builder(templates=templates, home=home)
    phrase = Choice((*builder.shared_sentences(), *builder.own_sentences()))
    automaton = compile_automaton(
        phrase,
        lambda word: word not in _TYPED and bool(re.fullmatch(r"[\w']+", word)) and keep(word),
    )
    return Grammar(automaton=automaton, spellings=builder.spellings)


@dataclass(kw_only=True)
class _Builder:
    """Turns templates into phrases, for one home."""

    templates: Templates
    home: Home
    spellings: dict[tuple[str, ...], str] = field(default_factory=dict)

    def shared_sentences(self) -> Iterator[Phrase]:
        """Yield the sentences of the templates that this home has the entities for."""
        rules = dict(self.templates.rules)
        for domains, sentences in self.templates.blocks:
            entities = [entity for entity in self.home.entities if entity.domain in domains]
            if domains and not entities:
                continue
            for sentence in sentences:
                uses = frozenset(sentence.list_names(rules))
                for lists, inside in self._places(entities, uses):
                    if inside or not domains:
                        yield self._sentence(sentence, lists, inside)

    def own_sentences(self) -> Iterator[Phrase]:
        """Yield the user's own sentences, in which any name may stand with any area."""
        lists = {
            "name": self._entities(self.home.entities),
            "area": Choice(tuple(self._name(a.name, a.aliases) for a in self.home.areas)),
            "floor": Choice(tuple(self._name(f.name, f.aliases) for f in self.home.floors)),
        }
        for index, text in enumerate(self.home.sentences):
            try:
                yield self._phrase(hassil.parse_sentence(text).expression, lists)
            except (ParseError, AssertionError):
                _LOGGER.warning("home.sentences[%d] is left out: not a sentence template", index)

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
