"""The category gate as a table that a seller can read: what a listing is, and what becomes of it under the default policy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from pipeline.stages.categories.gate import CategoryPolicy, CategoryRules, classify, compile_rules

ROOT = Path(__file__).resolve().parents[2]
TABLE = pd.read_csv(Path(__file__).with_name("categories.csv"), sep="|", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def rules() -> CategoryRules:
    files = (ROOT / "configs" / "categories").glob("*.toml")
    return compile_rules({path.stem: tomllib.loads(path.read_text("utf-8")) for path in files})


@pytest.fixture(scope="module")
def got(rules: CategoryRules) -> pd.DataFrame:
    return classify(TABLE[["title", "brand", "category_path"]], rules, CategoryPolicy())


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(TABLE) >= 300
    assert set(TABLE["department"]) == {
        "electronics",
        "apparel",
        "food",
        "powered",
        "animal_food",
        "luggage",
        "other",
        "unknown",
    }


@pytest.mark.parametrize("row", range(len(TABLE)), ids=lambda row: f"{row + 2}: {TABLE['title'][row]}")
def test_each_row_gets_its_department_brand_state_verdict_and_reason(row: int, got: pd.DataFrame) -> None:
    wanted, given = TABLE.iloc[row], got.iloc[row]
    assert (given["department"], given["brand_state"], given["category_verdict"]) == (
        wanted["department"],
        wanted["brand_state"],
        wanted["verdict"],
    ), given["category_reason"]
    assert wanted["reason"] in given["category_reason"]


PRICED = [row for row in range(len(TABLE)) if TABLE["fee_category"][row]]


@pytest.mark.parametrize("row", PRICED, ids=lambda row: f"{row + 2}: {TABLE['title'][row]}")
def test_rows_that_name_them_get_their_return_class_and_fee_category(row: int, got: pd.DataFrame) -> None:
    # A question mark: guessed from the root alone.
    wanted, given = TABLE.iloc[row], got.iloc[row]
    fee = given["fee_category"] + ("?" if given["fee_category_assumed"] else "")
    assert (given["return_class"], fee) == (wanted["return_class"], wanted["fee_category"])
