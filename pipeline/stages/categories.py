"""The category and brand gate: which department a listing belongs to, and whether it may be sold without a person's look.

The rules are data (`configs/categories/*.toml`, see docs/categories.md). The gate's parts are files of their own: `category_rules`
compiles the data, `category_paths` reads paths, `category_titles` titles, `brands` brand cells, `category_decision` decides.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.stages.category_decision import SEVERITY, CategoryPolicy, brand_of, judge
from pipeline.stages.category_paths import PathReader
from pipeline.stages.category_rules import DEPARTMENTS, RETURN_CLASSES, CategoryRules, compile_rules
from pipeline.stages.category_titles import NO_HITS, TitleHits, TitleScanner

__all__ = ["COLUMNS", "DEPARTMENTS", "RETURN_CLASSES", "SEVERITY", "CategoryPolicy", "CategoryRules", "classify", "compile_rules"]

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


def _uniques(column: pd.Series) -> tuple[np.ndarray, list[str | None]]:
    codes, values = pd.factorize(column, use_na_sentinel=True)
    return np.where(codes < 0, len(values), codes).astype(np.int64), [*map(str, values), None]


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
    reader, scanner = PathReader(rules), TitleScanner(rules.lexicon, book)

    path_codes, path_texts = _uniques(candidates["category_path"])
    brand_codes, brand_texts = _uniques(candidates["brand"])
    paths = [reader.read(text) for text in path_texts]
    cells = [book.state(text) for text in brand_texts]
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
        brand = brand_of(cells[pair % len(cells)], hits)
        verdict = judge(path, brand, hits, policy, authorised)
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
