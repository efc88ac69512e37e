"""What a title gives away: words of a restricted department, and known brands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.stages.brands import Brand, BrandBook
from pipeline.stages.category_tables import Table
from pipeline.stages.phrases import PhraseIndex, phrase_of, plain, singular, singulars, words_of

TITLE_DEPARTMENTS = ("electronics", "apparel", "food", "powered")
# How far a word that excuses another may stand from it, in words (docs/categories.md: "next to").
_AFTER, _BEFORE = 3, 2


@dataclass(frozen=True)
class TitleWord:
    """A word of the title list: its department (`goods` never blocks), whether it counts alone: always (hard), even for a thing
    to wear (wearable), or where the root is careless about the department (plain)."""

    text: str
    department: str
    is_hard: bool
    is_wearable: bool = False
    is_plain: bool = False


@dataclass(frozen=True)
class Lexicon:
    """The title words and the words that excuse them."""

    phrases: tuple[tuple[tuple[str, ...], TitleWord], ...]
    endings: tuple[tuple[str, TitleWord], ...]
    cjk: tuple[tuple[str, TitleWord], ...]
    units: Mapping[str, TitleWord]
    after: Mapping[str, PhraseIndex[bool]]
    before: Mapping[str, PhraseIndex[bool]]
    anywhere: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class TitleBrand:
    """A known brand in a title: a claim, or after a word like "for"; `leads` when the title begins with it or says "by" it."""

    brand: Brand
    is_compatible: bool
    leads: bool


@dataclass(frozen=True)
class TitleHits:
    """What a title gives away; hashable, so that equal findings are decided once."""

    words: tuple[TitleWord, ...] = ()
    brands: tuple[TitleBrand, ...] = ()


NO_HITS = TitleHits()


class _Memo(dict[str, tuple[Any, ...]]):
    """Word -> what it may be the longest word of; filled as words come, so that most words cost one look-up."""

    def __init__(self, scanner: TitleScanner) -> None:
        super().__init__()
        self._scanner = scanner

    def __missing__(self, word: str) -> tuple[Any, ...]:
        if word.isdigit():  # no phrase has a number as its longest word, and numbers seldom come twice
            return ()
        if len(self) > 500_000:  # about 50 MB; a dump of unlike titles must not fill the memory
            self.clear()
        found = self[word] = self._scanner.candidates(word)
        return found


class TitleScanner:
    """Finds title words and known brands; holds only look-up tables, so equal titles give equal findings."""

    def __init__(self, lexicon: Lexicon, book: BrandBook) -> None:
        self._lexicon, self._book = lexicon, book
        entries: list[tuple[tuple[str, ...], TitleWord | Brand]] = [*lexicon.phrases, *book.title.items()]
        self._index: PhraseIndex[TitleWord | Brand] = PhraseIndex(entries)
        self._memo = _Memo(self)

    def candidates(self, word: str) -> tuple[tuple[int, tuple[str, ...], TitleWord | Brand], ...]:
        """Phrases that this word of a title can belong to, with the word's place in each."""
        if word.isdigit():
            return ()
        one = singular(word)
        found = list(self._index.get(one))
        lexicon = self._lexicon
        if len(word) > 5:  # a compound is longer than the shortest ending
            ends = [e for end, e in lexicon.endings if len(word) > len(end) and (word.endswith(end) or one.endswith(end))]
            found += [(0, (one,), entry) for entry in ends]
        if not word.isascii():
            found += [(0, (one,), entry) for run, entry in lexicon.cjk if run in word]
        elif word[0].isdigit() and (unit := lexicon.units.get(word.lstrip("0123456789"))):
            found.append((0, (one,), unit))
        return tuple(found)

    def scan(self, title: str) -> TitleHits:
        """Words and brands of one title."""
        words = words_of(title)
        found = list(map(self._memo.__getitem__, words))
        if not any(found):
            return NO_HITS
        ones = singulars(words)
        spans: list[tuple[int, int, TitleWord]] = []
        brands: list[tuple[int, int, Brand]] = []
        for i, candidates in enumerate(found):
            for at, phrase, entry in candidates:
                begin = i - at
                end = begin + len(phrase)
                if begin < 0 or ones[begin:end] != phrase:
                    continue
                if isinstance(entry, Brand):
                    brands.append((begin, end, entry))
                else:
                    spans.append((begin, end, entry))
        if not spans:
            return TitleHits((), self._brands(ones, brands)) if brands else NO_HITS
        return TitleHits(self._kept(ones, spans), self._brands(ones, brands))

    def rest(self, title: str) -> str:
        """The title without the words of restricted lists, so that one more of them never changes what is left."""
        words = words_of(title)
        ones = singulars(words)
        listed: set[int] = set()
        for i, candidates in enumerate(map(self._memo.__getitem__, words)):
            for at, phrase, entry in candidates:
                begin = i - at
                if (
                    isinstance(entry, TitleWord)
                    and entry.department != "goods"
                    and begin >= 0
                    and ones[begin : begin + len(phrase)] == phrase
                ):
                    listed.update(range(begin, begin + len(phrase)))
        return " ".join(word for place, word in enumerate(words) if place not in listed)

    def _kept(self, ones: tuple[str, ...], spans: list[tuple[int, int, TitleWord]]) -> tuple[TitleWord, ...]:
        """The words that nothing in the title excuses."""
        # A word that is evidence itself excuses no other, so that one more such word never makes a title milder.
        evidence = {i for begin, end, entry in spans if entry.department != "goods" for i in range(begin, end)}
        excused = set()
        for department in {entry.department for _, _, entry in spans}:
            excuses = self._lexicon.anywhere.get(department, frozenset())
            if not excuses.isdisjoint(ones) and any(one in excuses and i not in evidence for i, one in enumerate(ones)):
                excused.add(department)
        kept = {
            entry
            for begin, end, entry in spans
            if entry.department not in excused and not self._is_excused(ones, begin, end, entry, evidence)
        }
        return tuple(sorted(kept, key=lambda w: (w.department, w.text)))

    def _is_excused(self, ones: tuple[str, ...], begin: int, end: int, entry: TitleWord, evidence: set[int]) -> bool:
        lexicon, department = self._lexicon, entry.department
        if department not in lexicon.after:
            return False
        for index, low, high in (
            (lexicon.after[department], end, min(end + _AFTER, len(ones))),
            (lexicon.before[department], max(begin - _BEFORE, 0), begin),
        ):
            for first, last, _ in index.find(ones[low:high]):
                if evidence.isdisjoint(range(low + first, low + last)):
                    return True
        return False

    def _brands(self, ones: tuple[str, ...], found: list[tuple[int, int, Brand]]) -> tuple[TitleBrand, ...]:
        if not found:
            return ()
        book = self._book
        # A name inside a longer one is not a second brand.
        inner: set[tuple[int, int]] = set()
        furthest = 0
        for begin, end in sorted({(begin, end) for begin, end, _ in found}, key=lambda span: (span[0], -span[1])):
            if end <= furthest:
                inner.add((begin, end))
            furthest = max(furthest, end)
        kept = {
            TitleBrand(
                brand,
                any(ones[max(begin - n, 0) : begin] in book.compatible for n in (1, 2)),
                begin == 0 or ones[begin - 1] in book.by,
            )
            for begin, end, brand in found
            if (begin, end) not in inner
        }
        return tuple(sorted(kept, key=lambda t: (t.brand.key, t.is_compatible, t.leads)))


def compile_lexicon(table: Table) -> Lexicon:
    """Build the lexicon from `title_words.toml`; a word in two lists is refused."""
    table.check([*TITLE_DEPARTMENTS, "goods", "stop"])
    phrases: dict[tuple[str, ...], TitleWord] = {}
    endings, cjk, units = [], [], {}
    for department in (*TITLE_DEPARTMENTS, "goods"):
        own = table.table(department)
        own.check(["hard", "soft", "plain", "wearable", "endings", "cjk", "units"])
        for key in ("hard", "soft", "plain", "wearable"):
            for text in own.texts(key):
                phrase = phrase_of(text)
                if (
                    phrases.setdefault(
                        phrase, word := TitleWord(text, department, key in ("hard", "wearable"), key == "wearable", key == "plain")
                    )
                    != word
                ):
                    raise own.error(key, f"{text!r} stands there twice")
        endings += [(plain(t), TitleWord(t, department, True)) for t in own.texts("endings")]
        cjk += [(plain(t), TitleWord(t, department, True)) for t in own.texts("cjk")]
        for unit in own.texts("units"):
            if phrase_of(unit) not in phrases:
                raise own.error("units", f"{unit!r} is not in hard or soft")
            units[unit] = phrases[phrase_of(unit)]
    after: dict[str, PhraseIndex[bool]] = {}
    before: dict[str, PhraseIndex[bool]] = {}
    anywhere: dict[str, frozenset[str]] = {}
    for stop in table.tables("stop"):
        stop.check(["department", "after", "before", "anywhere"])
        department = stop.text("department", TITLE_DEPARTMENTS)
        if department in after:
            raise stop.error("department", f"{department!r} stands there twice")
        after[department] = PhraseIndex((p, True) for p in sorted({phrase_of(t) for t in stop.texts("after")}))
        before[department] = PhraseIndex((p, True) for p in sorted({phrase_of(t) for t in stop.texts("before")}))
        anywhere[department] = frozenset(w for t in stop.texts("anywhere") for w in phrase_of(t))
    return Lexicon(tuple(phrases.items()), tuple(endings), tuple(cjk), units, after, before, anywhere)
