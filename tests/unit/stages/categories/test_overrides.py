"""The seller's own word on a category: wins, is shown, and expires when the listing changes."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from pipeline.stages.categories.gate import CategoryPolicy
from pipeline.stages.categories.overrides import with_overrides

AS_OF = (dt.date(2026, 11, 22) - dt.date(1970, 1, 1)).days
PATH = "Home & Kitchen > Storage"


def told(verdict: str = "review", department: str = "other") -> pd.DataFrame:
    cells = {
        "department": department,
        "brand_state": "unknown",
        "category_verdict": verdict,
        "category_reason": f"{verdict}: so say the rules",
        "category_evidence": "Storage",
    }
    return pd.DataFrame([cells], dtype="str")


def decided(
    decision: str, title: str | None = "Tray, oak", path: str | None = PATH, day: dt.date | None = dt.date(2026, 11, 1)
) -> pd.DataFrame:
    cells = {"marketplace": "US", "product_id": "B01", "decision": decision, "title": title, "category_path": path}
    frame = pd.DataFrame([cells], dtype="str")
    return frame.assign(decided_on=pd.Series([day], dtype="date32[pyarrow]"))


def answer(decisions: pd.DataFrame, rules: pd.DataFrame | None = None, title: str = "TRAY oak", path: str = PATH) -> dict[str, str]:
    cells = {"marketplace": "US", "product_id": "B01", "title": title, "category_path": path}
    candidates = pd.DataFrame([cells], dtype="str")
    return with_overrides(told() if rules is None else rules, candidates, decisions, AS_OF, CategoryPolicy()).iloc[0].to_dict()


@pytest.mark.parametrize(("decision", "verdict"), [("category_pass", "pass"), ("category_reject", "reject")])
def test_the_sellers_word_wins_and_is_shown_with_its_day_and_what_the_rules_say(decision: str, verdict: str) -> None:
    got = answer(decided(decision))
    assert got["category_verdict"] == verdict
    assert "by your decision of 2026-11-01 (the rules say: review: so say the rules)" in got["category_reason"]
    assert got["category_evidence"] == f"decision {decision}"


@pytest.mark.parametrize(
    ("title", "path", "why"),
    [("Tray, oak and bamboo", PATH, "title"), ("Tray, oak", "Electronics > Audio", "category"), ("Tray, oak", "", "category")],
)
def test_it_expires_when_title_or_category_changes_and_says_so(title: str, path: str, why: str) -> None:
    got = answer(decided("category_pass"), title=title, path=path)
    assert got["category_verdict"] == "review"
    assert got["category_reason"].endswith(f"(your decision of 2026-11-01 has expired, since the {why} changed)")


def test_a_pass_without_a_title_to_hold_it_against_lets_nothing_pass_but_a_reject_holds() -> None:
    assert answer(decided("category_pass", title=None))["category_verdict"] == "review"
    assert answer(decided("category_reject", title=None))["category_verdict"] == "reject"


def test_a_decision_of_a_later_week_does_not_hold_yet_and_the_newest_of_two_counts() -> None:
    assert answer(decided("category_pass", day=dt.date(2026, 11, 23)))["category_verdict"] == "review"
    both = pd.concat([decided("category_reject", day=dt.date(2026, 11, 8)), decided("category_pass")], ignore_index=True)
    assert answer(both)["category_verdict"] == "reject"


def test_a_brand_that_the_seller_knows_is_known_and_rejects_apparel() -> None:
    got = answer(decided("brand_known"), told(department="apparel"))
    assert (got["brand_state"], got["category_verdict"]) == ("known", "reject")
    got = answer(decided("brand_known"), told("pass"))
    assert (got["brand_state"], got["category_verdict"]) == ("known", "pass")


def test_other_decisions_leave_the_gates_answer_alone() -> None:
    assert answer(decided("skip")) == told().iloc[0].to_dict()
