"""Category overrides by the seller: they replace the rules' verdict until the listing's title or category changes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.stages.categories.decision import SEVERITY, CategoryPolicy
from pipeline.stages.text.phrases import words_of
from pipeline.tables.columns import Columns
from pipeline.tables.frames import days, text

KEY = ["marketplace", "product_id"]
OVERRIDES = ("category_pass", "category_reject", "brand_known")


def is_override(decisions: pd.DataFrame) -> np.ndarray:
    """Which of the seller's decisions speak of the category."""
    return np.isin(text(decisions, "decision").astype(str), OVERRIDES)


def with_overrides(
    reported: pd.DataFrame, candidates: Columns, decisions: pd.DataFrame, as_of: int, policy: CategoryPolicy
) -> pd.DataFrame:
    """The gate's answer with the seller's overrides laid over it.

    Parameters
    ----------
    told : DataFrame, shape (n, m)
        From `classify`; reads and replaces `brand_state`, `category_verdict`, `category_reason`, `category_evidence`.
    candidates : DataFrame, shape (n, k)
        Same rows; reads `marketplace`, `product_id`, `title`, `category_path`.
    decisions : DataFrame
        Reads the key, `decision`, `decided_on`, and `title`, `category_path` as they were when it was decided.
    as_of : int
        Days since 1970; later decisions do not hold yet. Of several that hold, the newest counts.
    policy : CategoryPolicy
        What a known brand of apparel leads to.

    Notes
    -----
    A decision without a title cannot show that the listing is still the same: it may reject, but it cannot pass a listing.
    """
    own = decisions[is_override(decisions)]
    if not len(own):
        return reported
    decided, dated = days(own, "decided_on")
    own = own.assign(_day=np.where(dated, decided, -1))[~dated | (decided <= as_of)]
    own = own.sort_values([*KEY, "_day", "decision", "title", "category_path"], kind="stable").drop_duplicates(KEY, keep="last")
    rows = pd.MultiIndex.from_frame(candidates[KEY]).get_indexer(pd.MultiIndex.from_frame(own[KEY]))
    columns = {name: text(reported, name).copy() for name in ("brand_state", "category_verdict", "category_reason", "category_evidence")}
    departments, titles, paths = text(reported, "department"), text(candidates, "title"), text(candidates, "category_path")
    words, dates = text(own, "decision"), own["_day"].to_numpy(dtype=np.int64)
    for row, word, day, title, path in zip(rows, words, dates, text(own, "title"), text(own, "category_path"), strict=True):
        if row < 0:
            continue
        since = f" of {np.datetime64(int(day), 'D')}" if day >= 0 else ""
        changed = _changed(title, titles[row], path, paths[row])
        verdict, reason = columns["category_verdict"][row], columns["category_reason"][row]
        if changed or (not title and word == "category_pass"):
            why = f"has expired, since the {changed} changed" if changed else "names no title to hold it against"
            columns["category_reason"][row] = f"{reason} (your decision{since} {why})"
            continue
        if word == "brand_known":
            columns["brand_state"][row] = "known"
            if departments[row] != "apparel" or SEVERITY[policy.apparel_known] <= SEVERITY[verdict]:
                continue
            verdict, said = policy.apparel_known, "apparel of a brand that you know"
        else:
            verdict, said = ("pass", "you let it pass") if word == "category_pass" else ("reject", "you rejected it")
        shown = "rejected" if verdict == "reject" else verdict
        columns["category_verdict"][row] = verdict
        columns["category_reason"][row] = f"{shown}: {said}, by your decision{since} (the rules say: {reason})"
        columns["category_evidence"][row] = f"decision {word}"
    return reported.assign(
        **{name: pd.Series(values, index=reported.index, dtype=reported[name].dtype) for name, values in columns.items()}
    )


def override_note(reason: str) -> str:
    """The part of a category reason about the seller's own decision, in force or expired; empty when there is none."""
    if "by your decision" in reason:
        return reason.partition(" (the rules say: ")[0]
    expired = reason.rfind(" (your decision")
    return reason[expired + 2 : -1] if expired >= 0 else ""


def _changed(title: str | None, title_now: str | None, path: str | None, path_now: str | None) -> str:
    """What of the listing is no longer as it was decided on; case, width and signs between words do not count."""
    if title and words_of(title) != words_of(title_now or ""):
        return "title"
    return "category" if title and words_of(path or "") != words_of(path_now or "") else ""
