"""The category and brand gate: the department of a listing, and whether it may be sold without a manual review.

The rules are data (`configs/categories/*.toml`, see docs/categories.md). The parts of the gate are modules beside this one: `rule_tables`
compiles the data, `paths` reads paths, `titles` and `title_scan` titles, `brands` brand cells, and `decision` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pandas as pd

from pipeline.stages.categories.decision import SEVERITY, BrandClaim, CategoryPolicy, Opinion, Terms, brand_of, judge
from pipeline.stages.categories.paths import PathFacts, PathReader
from pipeline.stages.categories.prediction import opinions
from pipeline.stages.categories.rule_tables import DEPARTMENTS, RESTRICTED, RETURN_CLASSES, CategoryRules, compile_rules
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.stages.categories.title_scan import TitleScanner
from pipeline.stages.categories.titles import TitleHits
from pipeline.tables.columns import Columns

__all__ = ["COLUMNS", "DEPARTMENTS", "RETURN_CLASSES", "SEVERITY", "CategoryPolicy", "CategoryRules", "classify", "compile_rules"]

T = TypeVar("T")

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

Codes = np.ndarray  # int64, one per row: a place in the list of unlike values beside it


@dataclass(frozen=True)
class _Compiled:
    """Rules and a seller's own brands, equal when their content is."""

    rules: CategoryRules = field(compare=False)
    known_brands: frozenset[str]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", self.rules.digest)


class _Readers:
    """The look-up tables of one set of rules; what they keep between calls is what a word or a segment is, never what a row was."""

    def __init__(self, of: _Compiled) -> None:
        self.book = of.rules.brands.with_names(of.known_brands)
        self.scanner = TitleScanner(of.rules.lexicon, self.book)
        self.paths = PathReader(of.rules)


@lru_cache(maxsize=2)
def _readers(of: _Compiled) -> _Readers:
    return _Readers(of)


def _facts(column: pd.Series, read: Callable[[str | None], T]) -> tuple[Codes, list[T]]:
    """What each cell of a column says, read once per unlike cell and kept once per unlike answer."""
    codes, values = pd.factorize(column, use_na_sentinel=True)
    seen: dict[T, int] = {}
    places = [seen.setdefault(read(text), len(seen)) for text in (*map(str, values), None)]
    return np.array(places, dtype=np.int64)[codes], list(seen)  # code -1, a missing cell, takes the last


def _without_goods(codes: Codes, findings: list[TitleHits], rows: np.ndarray) -> tuple[Codes, list[TitleHits]]:
    """Findings without the harmless words and the brands in these rows: they only matter where a category is restricted."""
    seen = {found: place for place, found in enumerate(findings)}
    bare = (TitleHits(tuple(word for word in found.words if word.department != "goods")) for found in findings)
    places = np.array([seen.setdefault(found, len(seen)) for found in bare], dtype=np.int64)
    return np.where(rows, places[codes], codes), list(seen)


def _texts(values: Iterable[str], places: Codes) -> pd.api.extensions.ExtensionArray:
    return pd.array(list(values), dtype="str").take(places)


def classify(candidates: Columns, rules: CategoryRules, policy: CategoryPolicy, model: CategoryModel | None = None) -> pd.DataFrame:
    """Department, brand state and category verdict of each listing.

    A row's verdict comes from its own title, brand and path alone: siblings, order, case, width and the kind of separator do
    not matter, and a restricted word before or behind a title never makes its verdict milder.

    Parameters
    ----------
    candidates : DataFrame, shape (n, m)
        Reads `title`, `brand`, `category_path` (text, missing allowed; segments apart by `>`, `›`, `»` or `＞`).
    rules : CategoryRules
        From `compile_rules`.
    policy : CategoryPolicy, what each case leads to.
    model : CategoryModel, optional
        Used for rows without a known category while the policy reviews them; without it they are all reviewed.

    Returns
    -------
    DataFrame, shape (n, 9)
        The same index: `department` (one of `DEPARTMENTS`), `brand_state` (known, unknown, generic, missing), `brand_key`
        (empty for the last two), `category_verdict` (pass, review, reject), `category_reason` (one sentence),
        `category_evidence`, `return_class`, `fee_category` (all text), `fee_category_assumed` (bool: guessed from the root,
        or not known at all).
    """
    readers = _readers(_Compiled(rules, policy.known_brands))
    book = readers.book
    terms = Terms(policy, frozenset(book.column[k].key if k in book.column else k for k in map(book.key, policy.authorised_brands)))
    path_codes, paths = _facts(candidates["category_path"], readers.paths.read)
    brand_codes, cells = _facts(candidates["brand"], book.state)
    hit_codes, findings = readers.scanner.scan(candidates["title"].astype(object).tolist())
    opinion_codes, found_opinions = _opinions(candidates, (path_codes, paths), readers, policy, model)

    # An empty brand cell leaves the claim to the title: only there do brand and findings make one claim together.
    missing = np.array([state == "missing" for state, _, _ in cells])
    claims, claim_codes = _pairs(brand_codes, np.where(missing[brand_codes], hit_codes, 0), len(findings))
    owners = [brand_of(cells[brand], findings[hit]) for brand, hit in claims]
    if policy.licence_goods == "pass":
        calm = [path.department not in RESTRICTED and not path.is_worn and not path.is_uninformative for path in paths]
        hit_codes, findings = _without_goods(hit_codes, findings, np.array(calm, dtype=bool)[path_codes])
    deciding = _deciding_claims((path_codes, paths), claim_codes, owners)
    evidence, evidence_codes = _pairs(hit_codes, opinion_codes, len(found_opinions))
    cases, case_codes = _pairs(path_codes * len(owners) + deciding, evidence_codes, len(evidence))
    verdicts = [
        judge(
            paths[both // len(owners)], owners[both % len(owners)], findings[evidence[place][0]], terms, found_opinions[evidence[place][1]]
        )
        for both, place in cases
    ]
    out = {
        "department": _texts((path.department for path in paths), path_codes),
        "brand_state": _texts((state for state, _, _ in owners), claim_codes),
        "brand_key": _texts((key for _, key, _ in owners), claim_codes),
        "category_verdict": _texts((finding.verdict for finding in verdicts), case_codes),
        "category_reason": _texts((finding.sentence for finding in verdicts), case_codes),
        "category_evidence": _texts((finding.evidence for finding in verdicts), case_codes),
        "return_class": _texts((path.return_class for path in paths), path_codes),
        "fee_category": _texts((path.fee_category for path in paths), path_codes),
        "fee_category_assumed": np.array([path.fee_assumed for path in paths], dtype=bool)[path_codes],
    }
    return pd.DataFrame(out, index=candidates.index)


def _opinions(
    candidates: Columns, coded_paths: tuple[Codes, list[PathFacts]], readers: _Readers, policy: CategoryPolicy, model: CategoryModel | None
) -> tuple[Codes, list[Opinion | None]]:
    """The text model's opinion of each row (place 0: none), for rows without a known category while the policy reviews them."""
    path_codes, paths = coded_paths
    if model is None or policy.no_category != "review":
        return np.zeros(len(candidates), dtype=np.int64), [None]
    asked = np.array([path.is_uninformative for path in paths], dtype=bool)[path_codes]
    foreign = np.array([path.is_tree for path in paths], dtype=bool)[path_codes]
    return opinions(candidates, asked, foreign, readers.scanner.rests, model)


def _deciding_claims(coded_paths: tuple[Codes, list[PathFacts]], claim_codes: Codes, owners: Sequence[BrandClaim]) -> Codes:
    """The claim that decides each row, so that rows with equal deciding facts are judged once.

    A brand decides in apparel, where the category is unknown, and when its maker makes toys; elsewhere any other brand stands for it.
    """
    path_codes, paths = coded_paths
    toys = np.array([known is not None and known.kind == "toy" for _, _, known in owners], dtype=bool)
    decides = np.array([path.is_worn or path.is_uninformative for path in paths], dtype=bool)[path_codes] | toys[claim_codes]
    return np.where(decides, claim_codes, int(np.argmin(toys)) if len(toys) else 0)


def _pairs(left: Codes, right: Codes, rights: int) -> tuple[list[tuple[int, int]], Codes]:
    """The unlike pairs of two columns of codes, and each row's pair."""
    unlike, codes = np.unique(left * max(rights, 1) + right, return_inverse=True)
    return [divmod(both, max(rights, 1)) for both in unlike.tolist()], codes
