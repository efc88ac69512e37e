"""The scanner of titles by the block says what its slow twin says, one title at a time."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.categories.brands import Brand, BrandBook
from pipeline.stages.categories.gate import compile_rules
from pipeline.stages.categories.title_scan import AFTER, BEFORE, TitleScanner
from pipeline.stages.categories.titles import NO_HITS, Lexicon, TitleBrand, TitleHits, TitleWord
from pipeline.stages.text.phrases import PhraseIndex, singular, singulars, words_of


class TitleTwin:
    """Finds title words and known brands; holds only look-up tables, so equal titles give equal findings."""

    def __init__(self, lexicon: Lexicon, book: BrandBook) -> None:
        self._lexicon, self._book = lexicon, book
        entries: list[tuple[tuple[str, ...], TitleWord | Brand]] = [*lexicon.phrases, *book.title.items()]
        self._index: PhraseIndex[TitleWord | Brand] = PhraseIndex(entries)

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
        found = list(map(self.candidates, words))
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
        for i, candidates in enumerate(map(self.candidates, words)):
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
            (PhraseIndex((p, True) for p in sorted(lexicon.after[department])), end, min(end + AFTER, len(ones))),
            (PhraseIndex((p, True) for p in sorted(lexicon.before[department])), max(begin - BEFORE, 0), begin),
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


TABLES = {
    path.stem: tomllib.loads(path.read_text("utf-8"))
    for path in (Path(__file__).resolve().parents[2] / "configs" / "categories").glob("*.toml")
}
RULES = compile_rules(TABLES)
BOOK = RULES.brands.with_names(["Kessler Home", "Kessler", "Home Kessler Plus"])
SCANNER, TWIN = TitleScanner(RULES.lexicon, BOOK), TitleTwin(RULES.lexicon, BOOK)
LISTED = [
    *(" ".join(phrase) for phrase, _ in RULES.lexicon.phrases),
    *(f"Super{ending}" for ending, _ in RULES.lexicon.endings),
    *(f"新{run}付" for run, _ in RULES.lexicon.cjk),
    *(f"5000{unit}" for unit in RULES.lexicon.units),
    *(" ".join(phrase) for phrase in RULES.lexicon.excuses()),
    *(" ".join(phrase) for phrase in BOOK.title),
    *(" ".join(phrase) for phrase in sorted(BOOK.compatible)),
    *sorted(BOOK.by),
]
OTHERS = ["blue", "set", "of", "4", "12", "wooden", "für", "Küche", "&", "it's", "\xff", "ÿ", "\n", "木製", "🎁", "a-b", "--"]
words = st.sampled_from(LISTED) | st.sampled_from(OTHERS)
titles = st.lists(words, max_size=9).map(" ".join)


@given(many=st.lists(st.none() | titles | st.text(max_size=30), max_size=12))
@settings(max_examples=300, deadline=None)
def test_the_block_finds_what_one_title_at_a_time_finds(many: list[str | None]) -> None:
    codes, found = SCANNER.scan(many)
    assert [found[code] for code in codes] == [TWIN.scan(title) if title else NO_HITS for title in many]
    assert SCANNER.rests(many) == [TWIN.rest(title) if title else "" for title in many]


@pytest.mark.parametrize(
    ("title", "words", "brands"),
    [
        ("Chocolate mug", (), ()),
        ("Chocolate", ("chocolate",), ()),
        ("Hook and loop for Nike", (), (("nike", True, False),)),
        ("Nike hooks", (), (("nike", False, True),)),
        ("Hooks by Nike", (), (("nike", False, True),)),
        ("Kessler Home shelf", ("shelf",), (("kessler home", False, True),)),  # the longer name alone
        ("", (), ()),
    ],
)
def test_a_few_titles_by_hand(title: str, words: tuple[str, ...], brands: tuple[tuple[str, bool, bool], ...]) -> None:
    codes, found = SCANNER.scan([title])
    hits = found[codes[0]]
    assert tuple(word.text for word in hits.words) == words
    assert tuple((each.brand.key, each.is_compatible, each.leads) for each in hits.brands) == brands


def test_a_phrase_never_reaches_from_one_title_into_the_next() -> None:
    codes, found = SCANNER.scan(["a power", "bank of stone", "power bank"])
    assert [[word.text for word in found[code].words] for code in codes] == [[], [], ["power bank"]]


def test_a_memo_of_ever_new_words_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stages.text.token_blocks._WORDS_MAX", 50)
    scanner = TitleScanner(RULES.lexicon, BOOK)
    codes, found = scanner.scan([f"word{number} bluetooth" for number in range(500)])
    assert {tuple(word.text for word in found[code].words) for code in codes} == {("bluetooth",)}
    assert len(scanner._memo) <= 52
