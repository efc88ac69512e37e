"""The rules of the seller's guide by their numbers: one fact that just keeps a rule, one that breaks it.

The candidate is the example of `docs/formulas.md`: 29.99 USD, unit cost 7.00 + freight 3.00. G-19: 0.50 × 29.99 = 14.995, so goods may cost 11.99.
G-21: 29.99 − 0.40 × 29.99 − 4.50 − 3.00 = 10.494, so goods may cost 10.49.
"""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

CASES = list(csv.DictReader(Path(__file__).with_name("guide_rules.csv").read_text("utf-8").splitlines(), delimiter="|"))


def reasons_with(make_dump, run, change):
    """Rule -> severity of the reasons that the candidate gets with one fact changed."""
    place, _, value = change.partition("=")
    changes = {"suppliers": int(value)} if place == "suppliers" else {place.split(".")[0]: {place.split(".")[1]: value}}
    table = pq.read_table(run(make_dump(**changes)).folder / "decisions.parquet")
    return {reason["rule"]: reason["severity"] for reason in table["reasons"][0].as_py()}


@pytest.mark.parametrize("case", CASES, ids=[f"{case['guide']} {case['rule']} {case['broken_by']}" for case in CASES])
def test_a_guide_rule_holds_at_its_limit_and_not_beyond(make_dump, run, tmp_path, case):
    # A value close to its limit may warn; it must not have the severity of a broken rule.
    assert reasons_with(make_dump, run, case["kept_by"]).get(case["rule"]) != case["severity"]
    (tmp_path / "dumps").rename(tmp_path / "kept")
    assert reasons_with(make_dump, run, case["broken_by"])[case["rule"]] == case["severity"]


def test_the_table_names_the_rules_by_the_numbers_that_the_program_gives():
    from pipeline.stages.rules.limits import RULES

    sources = {rule.id: rule.source for rule in RULES}
    assert [(case["guide"], case["rule"]) for case in CASES if case["guide"] not in sources[case["rule"]]] == []
