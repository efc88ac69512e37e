"""Known brands: the meaning of a brand cell, and the names that count in a title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.stages.categories.table_keys import Table
from pipeline.stages.text.phrases import CJK, phrase_of, plain, singular, words_of


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

        A cell that is empty says nothing; a cell like `Generic`, `NA` or `None` claims that there is no brand.
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
        end = len(words)
        while end > 1 and words[end - 1] in self.suffixes:
            end -= 1
        return " ".join(words[:end])

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
    # Short names and digits hit by chance: they count in the brand column alone.
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
