"""Words of a listing: their normal form, phrases among them, what brand they name, what a title gives away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pipeline.errors import PlanError

T = TypeVar("T")

CJK = "\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af\u3005"
_WORD = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_APOSTROPHES = dict.fromkeys(map(ord, "'`\u00b4\u2018\u2019\u02bc\u2032"))
_MARKS = dict.fromkeys(map(ord, "™®©℠"))
# Kana keep their voicing marks: ガ is another sound than カ.
_VOICING = "\u3099\u309a"
_ASCII = {code: " " for code in range(128) if not chr(code).isalnum()} | {ord("&"): " and ", ord("'"): None, ord("`"): None}
_IRREGULAR = {
    "knives": "knife",
    "shelves": "shelf",
    "scarves": "scarf",
    "cookies": "cookie",
    "movies": "movie",
    "men": "man",
    "women": "woman",
    "electronics": "electronics",
}


def plain(text: str) -> str:
    """Normal form of a text: NFKC, no case, no accents (kana keep theirs), no invisible characters, no trade marks."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_MARKS)).casefold()
    kept = (c for c in unicodedata.normalize("NFD", text) if c in _VOICING or unicodedata.category(c) not in ("Mn", "Cf"))
    return unicodedata.normalize("NFC", "".join(kept)).casefold()


def words_of(text: str) -> list[str]:
    """Words of a text in normal form and in order; an apostrophe joins, `&` is the word "and", the rest separates."""
    if text.isascii():
        return text.lower().translate(_ASCII).split()
    return _WORD.findall(plain(text).translate(_APOSTROPHES).replace("&", " and "))


@lru_cache(maxsize=200_000)
def singular(word: str) -> str:
    """English singular, roughly: both sides of a comparison go through it, so it must only be the same twice."""
    if len(word) < 4 or word in _IRREGULAR or word[-1] != "s" or word.endswith(("ss", "us", "is")):
        return _IRREGULAR.get(word, word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses", "zes")) else word[:-1]


def phrase_of(text: str) -> tuple[str, ...]:
    """The words of a rule in the form in which they are looked up."""
    return tuple(map(singular, words_of(text)))


class PhraseIndex(Generic[T]):
    """Finds whole phrases among words by their longest word: one dictionary look-up a word, no alternation."""

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], T]]) -> None:
        self._by_word: dict[str, list[tuple[int, tuple[str, ...], T]]] = {}
        for phrase, payload in entries:
            at = max(range(len(phrase)), key=lambda i: (len(phrase[i]), -i))
            self._by_word.setdefault(phrase[at], []).append((at, phrase, payload))

    def get(self, word: str) -> Sequence[tuple[int, tuple[str, ...], T]]:
        """Phrases whose longest word is this one (singular), each with the word's place in it."""
        return self._by_word.get(word, ())

    def find(self, words: Sequence[str]) -> list[tuple[int, int, T]]:
        """Begin, end and payload of every phrase in a sequence of singular words; overlaps are all given."""
        found = []
        for i, word in enumerate(words):
            for at, phrase, payload in self._by_word.get(word, ()):
                begin = i - at
                if begin >= 0 and tuple(words[begin : begin + len(phrase)]) == phrase:
                    found.append((begin, begin + len(phrase), payload))
        return found


@dataclass(frozen=True)
class Table:
    """One table of a configuration file that is read key by key, so that a wrong key is named with its place."""

    file: str
    where: str
    values: Mapping[str, Any]

    def check(self, known: Iterable[str]) -> None:
        """Refuse keys that are not known, with the nearest known one."""
        names = sorted(known)
        for key in self.values:
            if key not in names:
                near = get_close_matches(key, names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
                raise self.error(key, f"unknown key; {hint}")

    def error(self, key: str, message: str) -> PlanError:
        """The refusal for a key of this table."""
        return PlanError(f"configs/categories/{self.file}.toml: {self.where}{key}: {message}")

    def text(self, key: str, allowed: Iterable[str] | None = None, default: str | None = None) -> str:
        """A text value, one of `allowed` when given."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "missing" if value is None else "wanted a text")
        if allowed is not None and value not in allowed:
            raise self.error(key, f"{value!r} is none of {', '.join(sorted(allowed))}")
        return value

    def texts(self, key: str, allowed: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of texts, each once; empty when the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(key, "wanted a list of texts")
        seen: set[str] = set()
        for item in value:
            if allowed is not None and item not in allowed:
                raise self.error(key, f"{item!r} is none of {', '.join(sorted(allowed))}")
            if item in seen:
                raise self.error(key, f"{item!r} stands there twice")
            seen.add(item)
        return tuple(value)

    def tables(self, key: str) -> list[Table]:
        """A list of tables, at least one."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
            raise self.error(key, f"wanted one or more [[{key}]]")
        return [Table(self.file, f"[[{key}]] {number}: ", item) for number, item in enumerate(value, 1)]

    def table(self, key: str) -> Table:
        """A table inside this one; empty when the key is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            raise self.error(key, "wanted a table")
        return Table(self.file, f"[{key}] ", value)


@dataclass(frozen=True)
class Brand:
    """A known brand: its key, its name as people write it, its kind (apparel, toy, licence, ..., own)."""

    key: str
    name: str
    kind: str


BRAND_KINDS = ("apparel", "toy", "licence", "kitchen", "electronics", "other")


@dataclass(frozen=True)
class BrandBook:
    """Known names, unbranded claims, and the words that stand around a name."""

    column: Mapping[str, Brand]
    title: Mapping[tuple[str, ...], Brand]
    unbranded: frozenset[str]
    prefixes: tuple[tuple[str, ...], ...]
    suffixes: frozenset[str]
    compatible: frozenset[tuple[str, ...]]
    by: frozenset[str]

    def state(self, cell: str | None) -> tuple[str, str, Brand | None]:
        """`known`, `unknown`, `generic` or `missing`, the brand's key (empty for the last two), the known brand.

        A cell that is empty says nothing; a cell like `Generic`, `NA` or `None` claims that there is no brand
        (facts/categories.md section 4).
        """
        if cell is None or not plain(cell).strip():
            return "missing", "", None
        if self._bare(cell) in self.unbranded:
            return "generic", "", None
        key = self.key(cell)
        if key in self.unbranded:
            return "generic", "", None
        brand = self.column.get(key)
        return ("known", brand.key, brand) if brand else ("unknown", key or self._bare(cell), None)

    @staticmethod
    def _bare(cell: str) -> str:
        return " ".join(words_of(cell)) or plain(cell).strip()

    def key(self, cell: str) -> str:
        """Normal form of a brand cell: `Visit the NIKE(ナイキ) Store`, `Brand: Nike`, `Nike, Inc.` are all `nike`."""
        text = plain(cell)
        head = re.split(r"[(（\[【]", text, maxsplit=1)[0]
        words = words_of(head) or words_of(text)
        for prefix in self.prefixes:
            if len(words) > len(prefix) and tuple(words[: len(prefix)]) == prefix:
                words = words[len(prefix) :]
                break
        while len(words) > 1 and words[-1] in self.suffixes:
            words = words[:-1]
        return " ".join(words)

    def with_names(self, names: Iterable[str]) -> BrandBook:
        """The same book with a seller's own known names; a name that is there already keeps its kind."""
        column, title = dict(self.column), dict(self.title)
        for name in sorted(names):
            key = self.key(name)
            if key and key not in column:
                column[key] = Brand(key, name, "own")
                _add_title(title, name, column[key])
        return BrandBook(column, title, self.unbranded, self.prefixes, self.suffixes, self.compatible, self.by)


def _add_title(title: dict[tuple[str, ...], Brand], name: str, brand: Brand) -> None:
    # Short names and digits hit by chance: they count in the brand column alone (facts/categories.md section 5).
    if sum(c.isalpha() for c in plain(name)) >= 4 or re.search(f"[{CJK}]{{2}}", name):
        title.setdefault(phrase_of(name), brand)


def compile_brands(tokens: Table, brands: Table) -> BrandBook:
    """Build the book from `brand_tokens.toml` and `brands.toml`; a name in two places is refused."""
    tokens.check(["unbranded", "prefixes", "suffixes", "compatible", "by"])
    brands.check(BRAND_KINDS)
    unbranded = frozenset(" ".join(words_of(t)) or plain(t) for t in tokens.texts("unbranded"))
    book = BrandBook(
        {},
        {},
        unbranded,
        tuple(tuple(words_of(t)) for t in tokens.texts("prefixes")),
        frozenset(w for t in tokens.texts("suffixes") for w in words_of(t)),
        frozenset(phrase_of(t) for t in tokens.texts("compatible")),
        frozenset(singular(w) for t in tokens.texts("by") for w in words_of(t)),
    )
    column: dict[str, Brand] = {}
    title: dict[tuple[str, ...], Brand] = {}
    for kind in BRAND_KINDS:
        table = brands.table(kind)
        table.check(["names", "column_only", "aliases"])
        for key in ("names", "column_only"):
            for name in table.texts(key):
                brand = Brand(book.key(name), name, kind)
                if brand.key in column or brand.key in unbranded:
                    raise table.error(key, f"{name!r} stands there twice, or is an unbranded token")
                column[brand.key] = brand
                if key == "names":
                    _add_title(title, name, brand)
        aliases = table.table("aliases")
        for name in aliases.values:
            of = column.get(book.key(name))
            if of is None or of.kind != kind:
                raise table.error(f"aliases.{name}", f"no such name in [{kind}]")
            for alias in aliases.texts(name):
                if column.setdefault(book.key(alias), of) is not of:
                    raise table.error(f"aliases.{name}", f"{alias!r} belongs to {column[book.key(alias)].name!r}")
                _add_title(title, alias, of)
    return BrandBook(column, title, unbranded, book.prefixes, book.suffixes, book.compatible, book.by)


TITLE_DEPARTMENTS = ("electronics", "apparel", "food", "powered")
# How far a word that excuses another may stand from it, in words (facts/category_study.md section 3: "next to").
_AFTER, _BEFORE = 3, 2


@dataclass(frozen=True)
class TitleWord:
    """A word of the title list: its department (`goods` never blocks), whether it counts alone, even for a thing to wear."""

    text: str
    department: str
    is_hard: bool
    is_wearable: bool = False


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
        if word.isdigit():  # no phrase has a number as its longest word, and numbers seldom come twice
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
        memo = self._memo
        words = words_of(title)
        if not any(map(memo.__getitem__, words)):
            return NO_HITS
        ones = tuple(map(singular, words))
        spans: list[tuple[int, int, TitleWord]] = []
        brands: list[tuple[int, int, Brand]] = []
        for i, word in enumerate(words):
            for at, phrase, entry in memo[word]:
                begin = i - at
                end = begin + len(phrase)
                if begin < 0 or ones[begin:end] != phrase:
                    continue
                if isinstance(entry, Brand):
                    brands.append((begin, end, entry))
                else:
                    spans.append((begin, end, entry))
        # A word that is evidence itself excuses no other, so that one more such word never makes a title milder.
        evidence = {i for begin, end, entry in spans if entry.department != "goods" for i in range(begin, end)}
        kept = {entry for begin, end, entry in spans if not self._is_excused(ones, begin, end, entry, evidence)}
        return TitleHits(tuple(sorted(kept, key=lambda w: (w.department, w.text))), self._brands(ones, brands))

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
        if lexicon.anywhere[department].isdisjoint(ones):
            return False
        return any(one in lexicon.anywhere[department] and i not in evidence for i, one in enumerate(ones))

    def _brands(self, ones: tuple[str, ...], found: list[tuple[int, int, Brand]]) -> tuple[TitleBrand, ...]:
        book = self._book
        # Longest first: a name inside a longer one is not a second brand.
        inner = {(b, e) for b, e, _ in found for b2, e2, _ in found if (b2, -e2) != (b, -e) and b2 <= b and e <= e2}
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
        own.check(["hard", "soft", "wearable", "endings", "cjk", "units"])
        for key in ("hard", "soft", "wearable"):
            for text in own.texts(key):
                phrase = phrase_of(text)
                if phrases.setdefault(phrase, word := TitleWord(text, department, key != "soft", key == "wearable")) != word:
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
