"""Matching segments of category paths against the segment, trap and fee tables at once."""

from __future__ import annotations

from typing import Any

from pipeline.stages.categories.rule_tables import CategoryRules, SegmentRule
from pipeline.stages.text.phrases import PhraseIndex, singular, words_of

# Of one segment: department rules, traps, fee rules.
Matches = tuple[tuple[SegmentRule, ...], tuple[SegmentRule, ...], tuple[SegmentRule, ...]]
NOTHING: Matches = ((), (), ())
_SEGMENTS_MAX = 500_000  # kept from one bucket to the next; a dump of ever new segments must not fill the memory
Rule = tuple[int, int]  # which table, place in it


class SegmentMatcher(dict[str, Matches]):
    """Segment -> the rules that match it, in the order of the files; segments are many, their words few, so each is looked up once."""

    def __init__(self, rules: CategoryRules) -> None:
        super().__init__()
        self._tables = (rules.segments, rules.traps, rules.fees)
        each = list(enumerate(self._tables))
        self._index = PhraseIndex((phrase, (which, number)) for which, table in each for phrase, number in table.words)
        self._stems = [(stem, (which, number)) for which, table in each for stem, number in table.stems]
        self._across = [(stem, (which, number)) for which, table in each for stem, number in table.stems_across]
        self._exact: dict[tuple[str, ...], list[Rule]] = {}
        for which, table in each:
            for phrase, numbers in table.exact.items():
                self._exact.setdefault(phrase, []).extend((which, number) for number in numbers)
        # Word -> its singular, the phrases of which it is the longest word, the rules whose stem stands in it.
        self._words: dict[str, tuple[str, Any, frozenset[Rule]]] = {}

    def _word(self, word: str) -> tuple[str, Any, frozenset[Rule]]:
        one = singular(word)
        stems = frozenset(rule for stem, rule in self._stems if stem in word) if not word.isdigit() else frozenset()
        reported = (one, self._index.get(one), stems)
        if not word.isdigit():  # numbers seldom come twice
            self._words[word] = reported
        return reported

    def __missing__(self, segment: str) -> Matches:
        if len(self) > _SEGMENTS_MAX:
            self.clear()
            self._words.clear()
        words = words_of(segment)
        known = self._words.get
        reported = [known(word) or self._word(word) for word in words]
        phrase = tuple([one for one, _, _ in reported])
        found = set(self._exact.get(phrase, ()))
        for place, (_, candidates, stems) in enumerate(reported):
            found |= stems
            for at, wanted, rule in candidates:
                begin = place - at
                if begin >= 0 and phrase[begin : begin + len(wanted)] == wanted:
                    found.add(rule)
        joined = " ".join(words)
        found.update(rule for stem, rule in self._across if stem in joined)
        matches = NOTHING
        if found:
            one, two, three = (
                tuple(table.rules[number] for which, number in sorted(found) if which == place) for place, table in enumerate(self._tables)
            )
            matches = (one, two, three)
        self[segment] = matches
        return matches
