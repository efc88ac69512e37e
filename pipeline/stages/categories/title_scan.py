"""Finding restricted words and brands in blocks of titles; the slow reference implementation is in
`tests/generative/test_category_scan.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.stages.categories.brands import BrandBook
from pipeline.stages.categories.decision import speaks_by_its_maker
from pipeline.stages.categories.titles import NO_HITS, TITLE_DEPARTMENTS, Lexicon, TitleBrand, TitleHits, TitleWord
from pipeline.stages.text.phrases import singular
from pipeline.stages.text.token_blocks import Block, PhraseTable, Spans, Vocabulary, WordMemo, expand, read_block

# How far a word that excuses another may stand from it, in words (docs/categories.md: "next to").
AFTER, BEFORE = 3, 2
_BLOCK = 20_000  # titles looked at together: about 30 MB
_BITS = {department: 1 << place for place, department in enumerate(TITLE_DEPARTMENTS)}


class TitleScanner:
    """Finds title words and known brands; holds only look-up tables, so equal titles give equal findings."""

    def __init__(self, lexicon: Lexicon, book: BrandBook) -> None:
        words = {word for _, word in (*lexicon.phrases, *lexicon.endings, *lexicon.cjk)} | set(lexicon.units.values())
        self._words = sorted(words, key=lambda w: (w.department, w.text, w.is_hard, w.is_wearable, w.is_plain))
        self._brands = sorted(set(book.title.values()), key=lambda brand: (brand.key, brand.name, brand.kind))
        of_word = {word: item for item, word in enumerate(self._words)}
        of_brand = {brand: item for item, brand in enumerate(self._brands, len(self._words))}
        items = [*((phrase, of_word[word]) for phrase, word in lexicon.phrases), *((p, of_brand[brand]) for p, brand in book.title.items())]
        # No phrase has a number as its longest word.
        items = [(phrase, item) for phrase, item in items if not max(phrase, key=len).isdigit()]
        links = sorted(book.compatible)
        vocabulary = Vocabulary(
            [word for phrase in (*(phrase for phrase, _ in items), *lexicon.excuses(), *links) for word in phrase] + sorted(book.by)
        )
        self._table = PhraseTable([phrase for phrase, _ in items], vocabulary)
        self._item = np.array([item for _, item in items], dtype=np.int64)
        self._links = PhraseTable(links, vocabulary)
        self._says_by = vocabulary.flags(book.by)
        self._excuses = _Excuses(lexicon, vocabulary)
        self._bits = np.array([_BITS.get(word.department, 0) for word in self._words], dtype=np.uint8)
        self._endings = [(end, of_word[word]) for end, word in lexicon.endings]
        self._runs = [(run, of_word[word]) for run, word in lexicon.cjk]
        self._units = {unit: of_word[word] for unit, word in lexicon.units.items()}
        self._memo = WordMemo(vocabulary, self._besides)
        self._begin()

    def _begin(self) -> None:
        self._seen: dict[tuple[int, ...], int] = {(): 0}
        self._found: list[TitleHits] = [NO_HITS]

    def _besides(self, word: str) -> tuple[int, ...]:
        """The title words that a word is by its end, by what stands in it, or by its unit."""
        one = singular(word)
        found = []
        if len(word) > 5:  # a compound is longer than the shortest ending
            found += [item for end, item in self._endings if len(word) > len(end) and (word.endswith(end) or one.endswith(end))]
        if not word.isascii():
            found += [item for run, item in self._runs if run in word]
        elif word[0].isdigit() and (unit := self._units.get(word.lstrip("0123456789"))) is not None:
            found.append(unit)
        return tuple(found)

    def scan(self, titles: Sequence[str | None]) -> tuple[np.ndarray, list[TitleHits]]:
        """What n titles give away: each one's place in a list of unlike findings, whose first is nothing."""
        self._begin()
        codes = np.zeros(len(titles), dtype=np.int64)
        for begin in range(0, len(titles), _BLOCK):
            block = read_block([title if isinstance(title, str) else "" for title in titles[begin : begin + _BLOCK]], self._memo)
            codes[begin + block.order] = self._scan(block)
        return codes, self._found

    def catches(self, titles: Sequence[str]) -> tuple[bool, ...]:
        """Whether each title points to a restricted department, so that the rules stop it where the category is unknown."""
        codes, found = self.scan(titles)
        caught = [any(word.department != "goods" for word in hits.words) or speaks_by_its_maker(hits) for hits in found]
        return tuple(caught[code] for code in codes.tolist())

    def rests(self, titles: Sequence[str | None]) -> list[str]:
        """Titles without the words of restricted lists, so that one more of them never changes what is left."""
        rests = [""] * len(titles)
        for begin in range(0, len(titles), _BLOCK):
            block = read_block([title if isinstance(title, str) else "" for title in titles[begin : begin + _BLOCK]], self._memo)
            listed = self._evidence(block, self._spans(block)).tolist()
            for place, first, end in zip(block.order.tolist(), block.first.tolist(), block.end.tolist(), strict=True):
                rests[begin + place] = " ".join([block.words[at] for at in range(first, end) if not listed[at]])
        return rests

    def _spans(self, block: Block) -> Spans:
        """Every title word and brand; `item` is a title word's place, or behind them a brand's."""
        found = self._table.find(block.codes)
        found = Spans(found.begin, found.end, self._item[found.item])
        at = np.flatnonzero(block.besides)
        if not len(at):
            return found
        besides = self._memo.besides()
        count = np.array([len(items) for items in besides], dtype=np.int64)
        flat = np.array([item for items in besides for item in items], dtype=np.int64)
        which, of_word = expand((np.cumsum(count) - count)[block.besides[at]], count[block.besides[at]])
        return found.and_also(Spans(at[of_word], at[of_word] + 1, flat[which]))

    def _evidence(self, block: Block, spans: Spans) -> np.ndarray:
        """The words of a block that speak for a department."""
        named = spans.item < len(self._words)
        named[named] = self._bits[spans.item[named]] > 0
        return spans.of(named).covered(len(block.codes))

    def _scan(self, block: Block) -> np.ndarray:
        spans = self._spans(block)
        words, brands = spans.of(spans.item < len(self._words)), spans.of(spans.item >= len(self._words))
        # A word that is evidence itself excuses no other, so that one more such word never makes a title milder.
        evidence = self._evidence(block, spans)
        words = words.of(~self._excuses.of(block, evidence, words, self._bits[words.item]))
        at, claims = self._claims(block, brands)
        many = len(self._words) + 4 * len(self._brands)
        texts = np.concatenate([block.text[words.begin], block.text[at]])
        each = np.unique(texts * many + np.concatenate([words.item, claims]))
        text, item = each // many, (each % many).tolist()
        ends = np.flatnonzero(np.diff(text, append=-1)) + 1
        codes = np.zeros(len(block.first), dtype=np.int64)
        begin = 0
        for place, end in zip(text[ends - 1].tolist(), ends.tolist(), strict=True):
            codes[place] = self._place(tuple(item[begin:end]))
            begin = end
        return codes

    def _claims(self, block: Block, brands: Spans) -> tuple[np.ndarray, np.ndarray]:
        """Of brands in titles: their places, and item, whether after a word like "for", whether leading, as one number each."""
        order = np.lexsort((-brands.end, brands.begin))
        brands = brands.of(order)
        # A name inside a longer one is not a second brand; titles follow one another, so the furthest end is of the same title.
        before = np.maximum.accumulate(np.concatenate([[0], brands.end]))[:-1]
        same = np.zeros(len(brands), dtype=bool)
        same[1:] = (brands.begin[1:] == brands.begin[:-1]) & (brands.end[1:] == brands.end[:-1])
        inner = brands.end <= before
        for place in np.flatnonzero(same).tolist():  # two names of one spelling
            inner[place] = inner[place - 1]
        brands = brands.of(~inner)
        linked = np.zeros(len(block.codes) + 1, dtype=bool)
        linked[self._links.find(block.codes).end] = True
        leads = brands.begin == block.first[block.text[brands.begin]]
        leads |= self._says_by[block.codes[brands.begin - 1]]
        rank = brands.item - len(self._words)
        return brands.begin, len(self._words) + 4 * rank + 2 * linked[brands.begin] + leads

    def _place(self, items: tuple[int, ...]) -> int:
        if items not in self._seen:
            self._seen[items] = len(self._found)
            words: list[TitleWord] = [self._words[item] for item in items if item < len(self._words)]
            claims = [divmod(item - len(self._words), 4) for item in items if item >= len(self._words)]
            brands = tuple(TitleBrand(self._brands[rank], how >= 2, how % 2 == 1) for rank, how in claims)
            self._found.append(TitleHits(tuple(words), brands))
        return self._seen[items]


class _Excuses:
    """The words that excuse title words of a department: behind them, in front of them, or anywhere."""

    def __init__(self, lexicon: Lexicon, vocabulary: Vocabulary) -> None:
        phrases = sorted({phrase for stops in (lexicon.after, lexicon.before) for each in stops.values() for phrase in each})
        self._table = PhraseTable(phrases, vocabulary)
        self._after, self._before = (
            np.array([sum(_BITS[name] for name in stops if phrase in stops[name]) for phrase in phrases], dtype=np.uint8)
            for stops in (lexicon.after, lexicon.before)
        )
        self._anywhere = np.zeros(vocabulary.size, dtype=np.uint8)
        for name, words in lexicon.anywhere.items():
            self._anywhere |= vocabulary.flags(words) * np.uint8(_BITS[name])

    def of(self, block: Block, evidence: np.ndarray, words: Spans, bits: np.ndarray) -> np.ndarray:
        """Which of these title words, each of the department with its bit, are excused."""
        count = len(block.codes)
        text = block.text[words.begin]
        found = self._table.find(block.codes)
        so_far = np.concatenate([[0], np.cumsum(evidence)])
        found = found.of(so_far[found.end] == so_far[found.begin])
        excused = np.zeros(len(words), dtype=bool)
        first, end = block.first[text], block.end[text]
        for length in range(1, self._table.longest + 1):
            own = found.of(found.end - found.begin == length)
            marks = np.zeros(count + AFTER, dtype=np.uint8)
            marks[own.begin] = self._after[own.item]
            for step in range(AFTER - length + 1):
                at = words.end + step
                excused |= (marks[at] & bits > 0) & (at + length <= end)
            marks[:] = 0
            marks[own.begin] = self._before[own.item]
            for step in range(length, BEFORE + 1):
                at = words.begin - step
                excused |= (marks[at] & bits > 0) & (at >= first)
        anywhere = np.where(evidence, 0, self._anywhere[block.codes])
        held = np.zeros(len(block.first), dtype=np.uint8)
        for bit in _BITS.values():
            held[block.text[np.flatnonzero(anywhere & bit)]] |= np.uint8(bit)
        return excused | (held[text] & bits > 0)
