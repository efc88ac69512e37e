"""Evidence in titles: words of a restricted department with their exceptions, and known brands. Found by `title_scan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.stages.categories.brands import Brand
from pipeline.stages.categories.table_keys import Table
from pipeline.stages.text.phrases import phrase_of, plain

TITLE_DEPARTMENTS = ("electronics", "apparel", "food", "powered")


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
    after: Mapping[str, frozenset[tuple[str, ...]]]
    before: Mapping[str, frozenset[tuple[str, ...]]]
    anywhere: Mapping[str, frozenset[str]]

    def excuses(self) -> list[tuple[str, ...]]:
        """Every phrase that can excuse a word."""
        stops = {phrase for side in (self.after, self.before) for phrases in side.values() for phrase in phrases}
        return sorted(stops | {(word,) for words in self.anywhere.values() for word in words})


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
    after: dict[str, frozenset[tuple[str, ...]]] = {}
    before: dict[str, frozenset[tuple[str, ...]]] = {}
    anywhere: dict[str, frozenset[str]] = {}
    for stop in table.tables("stop"):
        stop.check(["department", "after", "before", "anywhere"])
        department = stop.text("department", TITLE_DEPARTMENTS)
        if department in after:
            raise stop.error("department", f"{department!r} stands there twice")
        after[department] = frozenset(map(phrase_of, stop.texts("after")))
        before[department] = frozenset(map(phrase_of, stop.texts("before")))
        anywhere[department] = frozenset(w for t in stop.texts("anywhere") for w in phrase_of(t))
    return Lexicon(tuple(phrases.items()), tuple(endings), tuple(cjk), units, after, before, anywhere)
