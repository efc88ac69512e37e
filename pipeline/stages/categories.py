"""The category and brand gate: which department a listing belongs to, and whether it may be sold without a person's look.

The rules are data (`configs/categories/*.toml`); the order of the tests is facts/category_study.md sections 1 and 5.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from html import unescape
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import PlanError
from pipeline.stages.brands import (
    NO_HITS,
    BrandBook,
    Lexicon,
    PhraseIndex,
    Table,
    TitleHits,
    TitleScanner,
    compile_brands,
    compile_lexicon,
    phrase_of,
    words_of,
)

SEVERITY = {"pass": 0, "review": 1, "reject": 2}
DEPARTMENTS = ("electronics", "apparel", "food", "powered", "animal_food", "luggage", "other", "unknown")
RESTRICTED = ("food", "electronics", "apparel")
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
# The return prior follows what the goods are, where that is known better than from the root.
_RETURN_BY_DEPARTMENT = {
    "electronics": "consumer_electronics",
    "apparel": "apparel_shoes",
    "food": "grocery",
    "luggage": "bags_luggage",
    "animal_food": "pet_garden_office_sports_tools",
}
_SOURCES = ("official", "seen", "found", "google", "unverified")
_FILES = ("roots", "segments", "traps", "title_words", "brand_tokens", "brands", "fees")
_SEPARATOR = re.compile("[>\u203a\u00bb\uff1e]")  # never , & / - which belong to the names (facts/categories.md section 3)
_ROOT_FILLERS = frozenset({"and", "und"})
COLUMNS = (
    "department",
    "brand_state",
    "brand_key",
    "category_verdict",
    "category_reason",
    "category_evidence",
    "return_class",
    "fee_category",
    "fee_category_assumed",
)


@dataclass(frozen=True)
class Root:
    """A known first segment and what it says about everything under it."""

    key: str
    department: str
    return_class: str
    fee_category: str
    cancels: frozenset[str] = frozenset()
    quiet: frozenset[str] = frozenset()
    decides: bool = False
    is_verified: bool = True


@dataclass(frozen=True)
class SegmentRule:
    """A rule that a segment can match: for a department, or (traps) against some, or for a fee category."""

    department: str
    kind: str = ""
    cancels: frozenset[str] = frozenset()
    reach: str = "segment"
    under: frozenset[str] = frozenset()
    not_under: frozenset[str] = frozenset()

    def holds(self, root_key: str) -> bool:
        """Whether the rule is in force below this root (`unknown` when there is none)."""
        return (not self.under or root_key in self.under) and root_key not in self.not_under


@dataclass(frozen=True)
class SegmentMatcher:
    """Finds the rules that match a segment."""

    words: PhraseIndex[int]
    stems: tuple[tuple[str, int], ...]
    exact: Mapping[tuple[str, ...], tuple[int, ...]]
    rules: tuple[SegmentRule, ...]

    def match(self, segment: str) -> tuple[SegmentRule, ...]:
        """Rules that match one segment, in the order of the file."""
        phrase = phrase_of(segment)
        joined = " ".join(words_of(segment))
        found = {number for _, _, number in self.words.find(phrase)}
        found |= {number for stem, number in self.stems if stem in joined}
        found.update(self.exact.get(phrase, ()))
        return tuple(self.rules[number] for number in sorted(found))


@dataclass(frozen=True)
class CategoryRules:
    """The compiled tables of `configs/categories`; `digest` is the sha256 of their parsed content."""

    digest: str
    roots: Mapping[tuple[str, ...], Root] = field(repr=False)
    prefixes: frozenset[tuple[str, ...]] = field(repr=False)
    segments: SegmentMatcher = field(repr=False)
    traps: SegmentMatcher = field(repr=False)
    fees: SegmentMatcher = field(repr=False)
    lexicon: Lexicon = field(repr=False)
    brands: BrandBook = field(repr=False)


@dataclass(frozen=True)
class CategoryPolicy:
    """What to do with each case: `reject`, `review` or `pass`. Defaults: facts/category_study.md sections 1 and 4.

    `licence` is for a licence or an accessory brand in the title of apparel; `no_category` for a blank path or an unknown
    root ("pass" lets a row through when its title has no restricted word at all); `mismatch` for a harmless category with a
    title that says otherwise. `authorised_brands` soften an apparel rejection to a review; `known_brands` are the seller's own.
    """

    electronics: str = "reject"
    food: str = "reject"
    apparel_known: str = "reject"
    apparel_unknown: str = "review"
    apparel_missing: str = "review"
    apparel_generic: str = "pass"
    powered: str = "review"
    animal_food: str = "review"
    supplements: str = "reject"
    luggage: str = "pass"
    licence: str = "review"
    no_category: str = "review"
    mismatch: str = "review"
    authorised_brands: frozenset[str] = frozenset()
    known_brands: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not each.name.endswith("_brands") and value not in SEVERITY:
                raise PlanError(f"category policy: {each.name}: {value!r} is none of pass, reject, review")


@dataclass(frozen=True)
class PathFacts:
    """What a category path says; `segment` and `root` are the row's own spelling, for the explanation."""

    department: str
    segment: str
    root: str
    is_known: bool
    return_class: str
    fee_category: str
    fee_assumed: bool
    cancels: frozenset[str] = frozenset()
    quiet: frozenset[str] = frozenset()
    kind: str = ""


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
        department = table.text("department", {*DEPARTMENTS, "pet", "costume"} - {"other", "unknown"})
        return SegmentRule(
            department,
            kind=table.text("kind", {"", "supplements", "smartwatch", "clear"}, ""),
            under=frozenset(table.texts("under", keys)),
            not_under=frozenset(table.texts("not_under", keys)),
        )

    def trap_rule(table: Table) -> SegmentRule:
        cancels = frozenset(table.texts("cancels", DEPARTMENTS))
        return SegmentRule("", cancels=cancels, reach=table.text("reach", {"segment", "above", "below"}, "segment"))

    def fee_rule(table: Table) -> SegmentRule:
        return SegmentRule(table.text("category", fee_categories), under=frozenset(table.texts("under", keys)))

    return CategoryRules(
        digest=hashlib.sha256(json.dumps(tables, sort_keys=True, ensure_ascii=False).encode()).hexdigest(),
        roots=roots,
        prefixes=prefixes,
        segments=_compile_matcher(top["segments"], "segment", ("department", "kind", "under", "not_under"), segment_rule),
        traps=_compile_matcher(top["traps"], "trap", ("cancels", "reach"), trap_rule),
        fees=_compile_matcher(top["fees"], "fee", ("category", "under"), fee_rule, ("categories",)),
        lexicon=compile_lexicon(top["title_words"]),
        brands=compile_brands(top["brand_tokens"], top["brands"]),
    )


def _compile_roots(top: Table, fee_categories: frozenset[str]) -> tuple[dict[tuple[str, ...], Root], frozenset[tuple[str, ...]]]:
    top.check(["root", "prefixes"])
    roots: dict[tuple[str, ...], Root] = {}
    keys: set[str] = set()
    plain_keys = ("key", "department", "return_class", "fee_category", "cancels", "quiet", "decides")
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
                    decides,
                    source != "unverified",
                )
                if roots.setdefault(_root_key(name), root).key != key:
                    raise table.error(source, f"{name!r} stands there twice, also as {roots[_root_key(name)].key}")
    prefixes = top.table("prefixes")
    prefixes.check(["names"])
    return roots, frozenset(map(_root_key, prefixes.texts("names")))


def _compile_matcher(
    top: Table, name: str, keys: tuple[str, ...], make: Callable[[Table], SegmentRule], others: tuple[str, ...] = ()
) -> SegmentMatcher:
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
    return SegmentMatcher(PhraseIndex(words), tuple(stems), exact, tuple(rules))


def _root_key(name: str) -> tuple[str, ...]:
    return tuple(word for word in words_of(name) if word not in _ROOT_FILLERS)


# Of one segment: department rules, traps, fee rules.
_Matches = tuple[tuple[SegmentRule, ...], tuple[SegmentRule, ...], tuple[SegmentRule, ...]]


class _PathReader:
    """Reads paths under one set of rules; every distinct segment is matched once."""

    def __init__(self, rules: CategoryRules) -> None:
        self._rules = rules
        self._seen: dict[str, _Matches] = {}

    def _match(self, segment: str) -> _Matches:
        if segment not in self._seen:
            rules = self._rules
            self._seen[segment] = (rules.segments.match(segment), rules.traps.match(segment), rules.fees.match(segment))
        return self._seen[segment]

    def read(self, path: str | None) -> PathFacts:
        """What one path says (facts/category_study.md section 1)."""
        text = "" if path is None else unescape(path) if "&" in path else path
        segments = [s for s in (part.strip(" \t\r\n\u3000\ufeff\u200b") for part in _SEPARATOR.split(text)) if words_of(s)]
        while len(segments) > 1 and _root_key(segments[0]) in self._rules.prefixes:
            segments = segments[1:]
        if not segments:
            return PathFacts("unknown", "", "", False, "other", "everything_else", True)
        root = self._rules.roots.get(_root_key(segments[0]))
        if root and root.department == "mixed" and len(segments) > 1 and _root_key(segments[1]) in self._rules.roots:
            segments = segments[1:]
            root = self._rules.roots[_root_key(segments[0])]
        is_mixed = root is None or root.department == "mixed"
        start = 0 if root is None else 1
        finder = _Finder([self._match(s) for s in segments], "unknown" if is_mixed or root is None else root.key, start)
        department, at, kind, cancels = _department(finder, root)
        is_known = root is not None and not is_mixed and (root.is_verified or department in RESTRICTED)
        if not is_known and department == "other":
            department = "unknown"
        fee, fee_at = finder.fee()
        return_class = root.return_class if root else "other"
        if kind != "supplements" and not (department == "electronics" and root and root.department == "electronics"):
            return_class = _RETURN_BY_DEPARTMENT.get(department, return_class)
        elif any("computer" in word or "laptop" in word for s in segments for word in words_of(s)):
            return_class = "computers"
        return PathFacts(
            department,
            segments[at] if at >= 0 else "",
            segments[0],
            is_known,
            return_class,
            fee or (root.fee_category if root else "everything_else"),
            fee_at < 0,
            cancels | (root.cancels if root else frozenset()),
            root.quiet if root else frozenset(),
            kind,
        )


class _Finder:
    """The matches of one path's segments, looked through from leaf to root."""

    def __init__(self, matches: list[_Matches], root_key: str, start: int) -> None:
        self._matches, self._root_key, self._start = matches, root_key, start

    def find(self, department: str, kind: str | None = None) -> tuple[int, str]:
        """Place and kind of the deepest segment of a department that no trap takes back; -1 when there is none."""
        for at in range(len(self._matches) - 1, self._start - 1, -1):
            for rule in self._matches[at][0]:
                fits = rule.department == department and (kind is None or rule.kind == kind) and rule.holds(self._root_key)
                if fits and not self.is_cancelled(department, at):
                    return at, rule.kind
        return -1, ""

    def is_cancelled(self, department: str, at: int) -> bool:
        """Whether a trap takes the department back at this place: in the segment itself, from one below it or one above it."""
        return any(
            department in trap.cancels and (place == at or trap.reach == ("above" if place > at else "below"))
            for place in range(self._start, len(self._matches))
            for trap in self._matches[place][1]
        )

    def fee(self) -> tuple[str, int]:
        """Fee category and place of the deepest segment that names one."""
        for at in range(len(self._matches) - 1, self._start - 1, -1):
            for rule in self._matches[at][2]:
                if rule.holds(self._root_key):
                    return rule.department, at
        return "", -1


_ANIMAL_CANCELS = frozenset({"food", "apparel"})


def _department(finder: _Finder, root: Root | None) -> tuple[str, int, str, frozenset[str]]:
    # Department, place of the segment that decides (-1: the root), kind, and what this branch keeps title words from claiming.
    none: frozenset[str] = frozenset()
    of_root = root.department if root and root.is_verified else ""
    if root and root.decides:
        return of_root, -1, "", none
    if root and not root.is_verified and root.department in RESTRICTED:
        return root.department, -1, "", none
    if of_root not in ("electronics", "apparel") and ((root and root.key == "PetSupplies") or finder.find("pet")[0] >= 0):
        for department in ("electronics", "animal_food", "powered"):
            at, kind = finder.find(department)
            if at >= 0:
                return department, at, kind, _ANIMAL_CANCELS
        return "other", finder.find("pet")[0], "", _ANIMAL_CANCELS
    if of_root in ("electronics", "food"):
        return of_root, -1, "", none
    at, kind = finder.find("electronics", "smartwatch")
    if at >= 0:
        return "electronics", at, kind, none
    if of_root == "apparel":
        at, _ = finder.find("luggage")
        return ("luggage", at, "", none) if at >= 0 else ("apparel", -1, "", none)
    blocked = root.cancels if root else none
    for department in (*RESTRICTED, "luggage", "powered"):
        at, kind = finder.find(department)
        if at >= 0 and department not in blocked:
            return department, at, kind, none
    at, _ = finder.find("costume")
    if at >= 0:
        return "apparel", at, "", none
    if of_root == "luggage" or (of_root == "powered" and not finder.is_cancelled("powered", 0)):
        return of_root, -1, "", none
    return "other", -1, "", none


@dataclass(frozen=True)
class _Finding:
    verdict: str
    sentence: str
    evidence: str


def _judge(path: PathFacts, brand: tuple[str, str, str], hits: TitleHits, policy: CategoryPolicy, authorised: frozenset[str]) -> _Finding:
    # The strictest finding; among equals the first, so the order here is the order of what matters most.
    findings = [
        *_judge_path(path, hits, policy),
        *_judge_brand(path, brand, hits, policy, authorised),
        *_judge_title(path, hits, policy),
        *_judge_absence(path, policy),
    ]
    if not findings:
        where = f'category "{path.segment or path.root}"' if path.root else "the title, without a category"
        return _Finding("pass", f"pass: no restricted evidence in {where}", path.segment or path.root)
    return max(findings, key=lambda finding: SEVERITY[finding.verdict])


def _said(verdict: str) -> str:
    return "rejected" if verdict == "reject" else verdict


def _where(path: PathFacts) -> str:
    if path.segment and path.segment != path.root:
        return f'category segment "{path.segment}" (root "{path.root}")'
    return f'category root "{path.root}"'


def _judge_path(path: PathFacts, hits: TitleHits, policy: CategoryPolicy) -> Iterable[_Finding]:
    evidence = path.segment or path.root
    named = {
        "electronics": policy.electronics,
        "food": policy.supplements if path.kind == "supplements" else policy.food,
        "powered": policy.powered,
        "animal_food": policy.animal_food,
        "luggage": policy.luggage,
    }
    if path.department in named:
        verdict = named[path.department]
        name = "food: ingestible" if path.kind == "supplements" else path.department.replace("_", " ")
        goods = [word.text for word in hits.words if word.department == "goods"]
        doubt = ""
        if goods and path.department in RESTRICTED and all(word.department != path.department for word in hits.words):
            doubt = f"; the title disagrees ({', '.join(goods[:3])})"
        yield _Finding(verdict, f"{_said(verdict)}: {name}, because of {_where(path)}{doubt}", evidence)


def _judge_absence(path: PathFacts, policy: CategoryPolicy) -> Iterable[_Finding]:
    if not path.is_known:
        why = f'the category root "{path.root}" does not tell what it is' if path.root else "there is no category"
        yield _Finding(policy.no_category, f"{_said(policy.no_category)}: {why}", path.root)


def _judge_brand(
    path: PathFacts, brand: tuple[str, str, str], hits: TitleHits, policy: CategoryPolicy, authorised: frozenset[str]
) -> Iterable[_Finding]:
    if path.department != "apparel":
        return
    state, key, name = brand
    if state == "known" and key in authorised:
        verdict = min(policy.apparel_known, "review", key=lambda v: SEVERITY[v])
        yield _Finding(verdict, f'{_said(verdict)}: apparel of "{name}", for which you are authorised, in {_where(path)}', name)
    else:
        verdict = {
            "known": policy.apparel_known,
            "unknown": policy.apparel_unknown,
            "generic": policy.apparel_generic,
            "missing": policy.apparel_missing,
        }[state]
        said = {
            "known": f'of the known brand "{name}"',
            "unknown": f'of "{key}", a brand neither known nor unbranded,',
            "generic": "that claims to be unbranded (a class with many returns)",
            "missing": "without a brand",
        }[state]
        yield _Finding(verdict, f"{_said(verdict)}: apparel {said} in {_where(path)}", name or path.segment or path.root)
    worn = [word.text for word in hits.words if word.is_wearable]
    if worn:
        verdict = policy.electronics
        yield _Finding(verdict, f"{_said(verdict)}: electronics, because the title says {', '.join(worn)}", ", ".join(worn))
    for found in hits.brands:
        if found.brand.key == key or found.brand.key in authorised:
            continue
        is_hint = found.is_compatible or found.brand.kind == "licence"
        verdict = policy.licence if is_hint else policy.apparel_known
        yield _Finding(verdict, f'{_said(verdict)}: apparel, and the title names "{found.brand.name}"', found.brand.name)


def _judge_title(path: PathFacts, hits: TitleHits, policy: CategoryPolicy) -> Iterable[_Finding]:
    where = f'category says "{path.segment or path.root}"' if path.root else "there is no category"
    for department in (*RESTRICTED, "powered"):
        if department == path.department or department in path.cancels:
            continue
        found = [w for w in hits.words if w.department == department and (w.is_hard or department not in path.quiet)]
        if not found or (department == "powered" and path.department == "electronics"):
            continue
        # Without a category the title is all there is: one soft word is enough for a look.
        if len(found) >= 2 or found[0].is_hard or not path.is_known:
            verdict = policy.powered if department == "powered" else policy.mismatch
            texts = ", ".join(word.text for word in found[:4])
            yield _Finding(verdict, f"{_said(verdict)}: {where}, but the title says {department} ({texts})", texts)


def _uniques(column: pd.Series) -> tuple[np.ndarray, list[str | None]]:
    codes, values = pd.factorize(column, use_na_sentinel=True)
    return np.where(codes < 0, len(values), codes).astype(np.int64), [*map(str, values), None]


def _brand_of(cell: tuple[str, str, str], hits: TitleHits) -> tuple[str, str, str]:
    # An empty cell says nothing; a title that begins with a known name, or says "by" it, does.
    if cell[0] != "missing":
        return cell
    for found in hits.brands:
        if found.leads and not found.is_compatible and found.brand.kind != "licence":
            return "known", found.brand.key, found.brand.name
    return cell


def classify(candidates: pd.DataFrame, rules: CategoryRules, policy: CategoryPolicy) -> pd.DataFrame:
    """Department, brand state and category verdict of each listing.

    A row's verdict comes from its own title, brand and path alone: siblings, order, case, width and the kind of separator do
    not matter, and a restricted word before or behind a title never makes its verdict milder.

    Parameters
    ----------
    candidates : DataFrame, shape (n, m)
        Reads `title`, `brand`, `category_path` (text, missing allowed; segments apart by `>`, `›`, `»` or `＞`).
    rules : CategoryRules
        From `compile_rules`.
    policy : CategoryPolicy
        What each case leads to.

    Returns
    -------
    DataFrame, shape (n, 9)
        The same index: `department` (one of `DEPARTMENTS`), `brand_state` (known, unknown, generic, missing), `brand_key`
        (empty for the last two), `category_verdict` (pass, review, reject), `category_reason` (one sentence),
        `category_evidence`, `return_class`, `fee_category` (all text), `fee_category_assumed` (bool: guessed from the root,
        or not known at all).

    Raises
    ------
    KeyError
        One of the three columns is not there.
    """
    book = rules.brands.with_names(policy.known_brands)
    authorised = frozenset(book.column[k].key if k in book.column else k for k in map(book.key, policy.authorised_brands))
    reader, scanner = _PathReader(rules), TitleScanner(rules.lexicon, book)

    path_codes, path_texts = _uniques(candidates["category_path"])
    brand_codes, brand_texts = _uniques(candidates["brand"])
    paths = [reader.read(text) for text in path_texts]
    cells = [(state, key, known.name if known else "") for state, key, known in map(book.state, brand_texts)]
    seen: dict[TitleHits, int] = {NO_HITS: 0}
    scan = scanner.scan
    titles = candidates["title"].astype(object)
    hit_codes = np.fromiter((seen.setdefault(scan(t) if isinstance(t, str) else NO_HITS, len(seen)) for t in titles), np.int64, len(titles))
    findings = list(seen)

    # Rows that agree in path, brand and findings are judged once.
    combined = (path_codes * len(cells) + brand_codes) * len(findings) + hit_codes
    unique, inverse = np.unique(combined, return_inverse=True)
    judged = []
    for code in unique.tolist():
        pair, hit = divmod(code, len(findings))
        path, hits = paths[pair // len(cells)], findings[hit]
        brand = _brand_of(cells[pair % len(cells)], hits)
        verdict = _judge(path, brand, hits, policy, authorised)
        judged.append(
            (
                path.department,
                *brand[:2],
                verdict.verdict,
                verdict.sentence,
                verdict.evidence,
                path.return_class,
                path.fee_category,
                path.fee_assumed,
            )
        )
    columns = zip(*judged, strict=True) if judged else ((),) * len(COLUMNS)
    out = {
        name: pd.array(list(values), dtype="bool" if name == "fee_category_assumed" else "str").take(inverse)
        for name, values in zip(COLUMNS, columns, strict=True)
    }
    return pd.DataFrame(out, index=candidates.index)
