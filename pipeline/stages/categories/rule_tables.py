"""The category rules, compiled from the parsed files of `configs/categories`: roots, segments that decide, traps, fee guesses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import PlanError
from pipeline.stages.categories.brands import BrandBook, compile_brands
from pipeline.stages.categories.table_keys import Table
from pipeline.stages.categories.titles import Lexicon, compile_lexicon
from pipeline.stages.text.phrases import phrase_of, words_of

DEPARTMENTS = ("electronics", "apparel", "food", "powered", "animal_food", "luggage", "other", "unknown")
RESTRICTED = ("food", "electronics", "apparel")
# Told beside the department, for a switch of their own in the plan.
REMARKS = ("baby", "hazmat")
RETURN_CLASSES = frozenset(
    {
        "grocery",
        "toys",
        "beauty_health",
        "home_kitchen",
        "pet_garden_office_sports_tools",
        "consumer_electronics",
        "computers",
        "bags_luggage",
        "books_media",
        "apparel_shoes",
        "other",
    }
)
_SOURCES = ("official", "seen", "found", "google", "alias", "unverified")
_FILES = ("roots", "segments", "traps", "title_words", "brand_tokens", "brands", "fees")
_ROOT_FILLERS = frozenset({"and", "und"})


@dataclass(frozen=True)
class Root:
    """A known first segment and what it says about everything under it."""

    key: str
    department: str
    return_class: str
    fee_category: str
    cancels: frozenset[str] = frozenset()
    quiet: frozenset[str] = frozenset()
    careless: frozenset[str] = frozenset()
    decides: bool = False
    is_verified: bool = True


@dataclass(frozen=True)
class SegmentRule:
    """A rule that a segment can match: for a department, or (traps) against some, or for a fee category (of some `goods` only)."""

    department: str
    kind: str = ""
    cancels: frozenset[str] = frozenset()
    reach: str = "segment"
    under: frozenset[str] = frozenset()
    not_under: frozenset[str] = frozenset()
    goods: frozenset[str] = frozenset()

    def holds(self, root_key: str) -> bool:
        """Whether the rule is in force below this root (`unknown` when there is none)."""
        return (not self.under or root_key in self.under) and root_key not in self.not_under


@dataclass(frozen=True)
class SegmentTable:
    """The rules of one file, and what a segment holds that matches each: words in a row, a stem in a word or across words, or all of it."""

    words: tuple[tuple[tuple[str, ...], int], ...]
    stems: tuple[tuple[str, int], ...]
    stems_across: tuple[tuple[str, int], ...]
    exact: Mapping[tuple[str, ...], tuple[int, ...]]
    rules: tuple[SegmentRule, ...]


@dataclass(frozen=True)
class CategoryRules:
    """The compiled tables of `configs/categories`; `digest` is the sha256 of their parsed content."""

    digest: str
    roots: Mapping[tuple[str, ...], Root] = field(repr=False)
    prefixes: frozenset[tuple[str, ...]] = field(repr=False)
    segments: SegmentTable = field(repr=False)
    traps: SegmentTable = field(repr=False)
    fees: SegmentTable = field(repr=False)
    lexicon: Lexicon = field(repr=False)
    brands: BrandBook = field(repr=False)


def compile_rules(tables: Mapping[str, Mapping[str, Any]]) -> CategoryRules:
    """Compile the parsed TOML files of `configs/categories`, keyed by file stem.

    Parameters
    ----------
    tables : mapping of file stem to parsed content
        Exactly `roots`, `segments`, `traps`, `title_words`, `brand_tokens`, `brands`, `fees`.

    Raises
    ------
    PlanError
        A file is missing or unknown, a key is unknown, a name stands twice; the message names file and key.
    """
    for name in sorted(set(tables) ^ set(_FILES)):
        problem = "unknown file" if name in tables else "missing"
        raise PlanError(f"configs/categories/{name}.toml: {problem}; wanted: {', '.join(_FILES)}")
    top = {name: Table(name, "", tables[name]) for name in _FILES}
    fee_categories = frozenset(top["fees"].texts("categories")) | {"everything_else"}
    roots, prefixes = _compile_roots(top["roots"], fee_categories)
    keys = frozenset(root.key for root in roots.values()) | {"unknown"}

    def segment_rule(table: Table) -> SegmentRule:
        department = table.text("department", {*DEPARTMENTS, *REMARKS, "pet", "costume", "worn"} - {"other", "unknown"})
        return SegmentRule(
            department,
            kind=table.text("kind", {"", "supplements", "smartwatch", "clear"}, ""),
            under=frozenset(table.texts("under", keys)),
            not_under=frozenset(table.texts("not_under", keys)),
        )

    def trap_rule(table: Table) -> SegmentRule:
        cancels = frozenset(table.texts("cancels", DEPARTMENTS))
        reach = table.text("reach", {"segment", "above", "below"}, "segment")
        return SegmentRule("", cancels=cancels, reach=reach, not_under=frozenset(table.texts("not_under", keys)))

    def fee_rule(table: Table) -> SegmentRule:
        return SegmentRule(
            table.text("category", fee_categories),
            under=frozenset(table.texts("under", keys)),
            goods=frozenset(table.texts("departments", DEPARTMENTS)),
        )

    return CategoryRules(
        digest=hashlib.sha256(json.dumps(tables, sort_keys=True, ensure_ascii=False).encode()).hexdigest(),
        roots=roots,
        prefixes=prefixes,
        segments=_compile_table(top["segments"], "segment", ("department", "kind", "under", "not_under"), segment_rule),
        traps=_compile_table(top["traps"], "trap", ("cancels", "reach", "not_under"), trap_rule),
        fees=_compile_table(top["fees"], "fee", ("category", "under", "departments"), fee_rule, ("categories",)),
        lexicon=compile_lexicon(top["title_words"]),
        brands=compile_brands(top["brand_tokens"], top["brands"]),
    )


def _compile_roots(top: Table, fee_categories: frozenset[str]) -> tuple[dict[tuple[str, ...], Root], frozenset[tuple[str, ...]]]:
    top.check(["root", "prefixes"])
    roots: dict[tuple[str, ...], Root] = {}
    keys: set[str] = set()
    plain_keys = ("key", "department", "return_class", "fee_category", "cancels", "quiet", "careless", "decides")
    for table in top.tables("root"):
        table.check([*plain_keys, *_SOURCES])
        key = table.text("key")
        if key in keys:
            raise table.error("key", f"{key!r} stands there twice")
        keys.add(key)
        decides = table.values.get("decides", False)
        if not isinstance(decides, bool):
            raise table.error("decides", "wanted true or false")
        for source in _SOURCES:
            for name in table.texts(source):
                root = Root(
                    key,
                    table.text("department", {*DEPARTMENTS, "mixed"}),
                    table.text("return_class", RETURN_CLASSES),
                    table.text("fee_category", fee_categories),
                    frozenset(table.texts("cancels", DEPARTMENTS)),
                    frozenset(table.texts("quiet", DEPARTMENTS)),
                    frozenset(table.texts("careless", DEPARTMENTS)),
                    decides,
                    source != "unverified",
                )
                if roots.setdefault(root_key(name), root).key != key:
                    raise table.error(source, f"{name!r} stands there twice, also as {roots[root_key(name)].key}")
    prefixes = top.table("prefixes")
    prefixes.check(["names"])
    return roots, frozenset(map(root_key, prefixes.texts("names")))


def _compile_table(
    top: Table, name: str, keys: tuple[str, ...], make: Callable[[Table], SegmentRule], others: tuple[str, ...] = ()
) -> SegmentTable:
    top.check([name, *others])
    words: list[tuple[tuple[str, ...], int]] = []
    stems: list[tuple[str, int]] = []
    exact: dict[tuple[str, ...], tuple[int, ...]] = {}
    rules: list[SegmentRule] = []
    for number, table in enumerate(top.tables(name)):
        table.check([*keys, "words", "stems", "exact", "note"])
        rules.append(make(table))
        words += [(phrase_of(text), number) for text in table.texts("words")]
        stems += [(" ".join(words_of(text)), number) for text in table.texts("stems")]
        for text in table.texts("exact"):
            exact[phrase_of(text)] = (*exact.get(phrase_of(text), ()), number)
    inside = tuple((stem, number) for stem, number in stems if " " not in stem)
    across = tuple((stem, number) for stem, number in stems if " " in stem)
    return SegmentTable(tuple(words), inside, across, exact, tuple(rules))


def root_key(name: str) -> tuple[str, ...]:
    """A root's name as it is looked up: its plain words without the fillers, so that commas and ampersands do not matter."""
    return tuple(word for word in words_of(name) if word not in _ROOT_FILLERS)
