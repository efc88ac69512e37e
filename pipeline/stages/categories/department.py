"""The category gate with the seller's overrides, as the columns that later stages read."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.stages.categories.gate import CategoryPolicy, CategoryRules, classify
from pipeline.stages.categories.overrides import with_overrides
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.tables.columns import Columns, stage


@dataclass(frozen=True)
class Gate:
    """What decides about categories: compiled rules, the plan's policy, and the fitted text model if there is one."""

    rules: CategoryRules
    policy: CategoryPolicy
    model: CategoryModel | None = None


@stage(
    reads="brand category_path title",
    adds="""
        brand_key brand_state category_evidence category_reason category_verdict department fee_category_assumed guessed_fees return_class
        rules_version
    """,
    optional="marketplace product_id",
)
def departments(candidates: Columns, gate: Gate, decisions: pd.DataFrame, as_of: int) -> pd.DataFrame:
    """Department, brand and category verdict of each listing (see `classify`), with the seller's overrides that hold on the day.

    The gate's guess at the fee category is `guessed_fees`, apart from a stated one; `rules_version` names the rule files.
    """
    judged = classify(candidates, gate.rules, gate.policy, gate.model)
    judged = with_overrides(judged, candidates, decisions, as_of, gate.policy)
    version = pd.Series(gate.rules.digest[:16], index=judged.index, dtype=judged["department"].dtype)
    return judged.rename(columns={"fee_category": "guessed_fees"}).assign(rules_version=version)
