"""Source files: what they may say, and how a header finds its source."""

from __future__ import annotations

import pytest

from pipeline.errors import DumpError, PlanError
from pipeline.ingest.sources.recognition import fold, recognise
from pipeline.ingest.sources.schema import load_sources

GOOD = """
title = "A tool"
table = "matches"
[columns]
supplier_id = { headers = ["Supplier"], kind = "id", required = true }
supplier_sku = { headers = ["Article"], kind = "id", required = true }
product_id = { headers = ["ASIN"], kind = "id", required = true }
"""


def test_a_new_export_needs_a_file_and_no_code(tmp_path):
    (tmp_path / "tool.toml").write_text(GOOD)
    match = recognise(["asin", "ARTICLE ", "\ufeffSupplier", "Other"], load_sources(tmp_path))
    assert (match.source.name, match.columns["supplier_id"], match.unused) == ("tool", (2,), ("Other",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", "unknown key 'titel'; did you mean 'title'"),
        (
            "required = true }\nsupplier_sku",
            "requird = true }\nsupplier_sku",
            "unknown key 'requird' in .*; did you mean 'required'",
        ),
        ('table = "matches"', 'table = "match"', "'match' is no table"),
        ("supplier_sku =", "suplier_sku =", "'suplier_sku' is no column of matches; did you mean 'supplier_sku'"),
        ('["ASIN"], kind = "id"', '["ASIN"], kind = "money"', "does not give"),
        ("[columns]", '[file]\nencodings = ["gb18O30"]\n[columns]', "is no encoding"),
        ("[columns]", "[columns", "tool.toml"),
    ],
)
def test_a_source_file_with_a_mistake_is_refused_by_name(tmp_path, old, new, message):
    assert old in GOOD
    (tmp_path / "tool.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(PlanError, match=message):
        load_sources(tmp_path)


def test_date_forms_that_disagree_on_day_and_month_are_refused(tmp_path):
    column = 'quoted_at = { headers = ["Date"], kind = "date", formats = ["%m-%d-%y", "X"] }\n'
    for form, is_good in (("%m-%d-%Y", True), ("%d-%m-%Y", True), ("%d-%m-%y", False)):
        (tmp_path / "tool.toml").write_text(GOOD.replace("matches", "offers") + column.replace("X", form))
        if is_good:
            load_sources(tmp_path)
        else:
            with pytest.raises(PlanError, match="read one cell as two days"):
                load_sources(tmp_path)


def test_two_sources_that_fit_equally_are_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(GOOD)
    with pytest.raises(DumpError, match="fits two sources, one and two"):
        recognise(["Supplier", "Article", "ASIN"], load_sources(tmp_path))


@pytest.mark.parametrize(
    "name", ["Buy Box 🚚: Current", "Buy Box: Current", "buy box - current", "Buy  Box 💚 : Current", "\ufeffBuy Box: Current "]
)
def test_spellings_of_a_header_fold_to_one(name):
    assert fold(name) == "buy box: current"


def test_every_source_of_the_tree_loads_and_knows_its_own_headers(sources):
    assert len({source.name for source in sources}) == len(sources) >= 19
    for source in sources:
        if source.refused:
            continue
        named = [name for rule in source.columns.values() for name in (rule.headers if rule.join else rule.headers[:1])]
        header = [name.replace("{currency}", "GBP") for name in named]
        header += [*source.recognise.all, *source.recognise.any[:1]]
        assert recognise(list(dict.fromkeys(header)), sources).source.name == source.name
