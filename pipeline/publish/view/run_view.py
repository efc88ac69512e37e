"""The content of report and workbook as plain values: one row a product, independent of the language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.config.files import load_configs
from pipeline.config.plan import Plan
from pipeline.publish.tables.reason_counts import set_aside_counts
from pipeline.publish.tables.report_inputs import NOTES, SERIES, SHOWN
from pipeline.publish.tables.selections import COST_RULES
from pipeline.publish.text.diff import Change, list_changes
from pipeline.publish.text.explain import cost_waterfall
from pipeline.publish.text.limit_states import RuleLine, row_states, rule_lines
from pipeline.stages.score.score import PARTS
from pipeline.store.parquet import read_parquet

Key = tuple[str, str]
# Names under which the price that just meets the money rules may be published.
_TARGETS = ("target_price", "target_margin_price", "price_for_target_margin")
# Keepa's own numbers of the marketplaces, as its product pages' addresses hold them (docs/sources.md).
_KEEPA = {"US": 1, "UK": 2, "DE": 3, "FR": 4, "JP": 5, "CA": 6, "IT": 8, "ES": 9, "IN": 10, "MX": 11, "BR": 12}


@dataclass(frozen=True)
class RunFolder:
    """A run to show: its folder, that of the list before it, its manifest, the language to speak."""

    folder: Path
    previous: Path | None
    manifest: Mapping[str, Any]
    language: str


@dataclass(frozen=True)
class Product:
    """One row of the ledger with everything shown of it."""

    row: dict[str, Any]
    lines: list[RuleLine]
    states: dict[str, str]
    series: tuple[list[dt.date], list[float | None]]
    waterfall: list[tuple[str, float | None]]
    decision: dict[str, Any]
    was: int | None
    is_new: bool
    then: dict[str, Any] | None

    @property
    def key(self) -> Key:
        """Marketplace and product."""
        return self.row["marketplace"], self.row["product_id"]

    @property
    def action(self) -> str:
        """What to do next: the seller's own decision, else what the evidence asks for."""
        own = self.decision.get("decision") or self.row.get("decision")
        return own or suggested_action(self.row)

    @property
    def target_price(self) -> float | None:
        """The smallest price that meets the money rules, where it is known."""
        return next((self.row[name] for name in _TARGETS if self.row.get(name) is not None), None)

    @property
    def missing_parts(self) -> set[str]:
        """Parts of the score whose facts are not known: what each needs, as `stages.score.score` says."""
        row = self.row
        checks = {
            "margin": row.get("net_profit"), "stability": row.get("net_profit_p10"), "returns": row.get("expected_return_loss"),
            "supply": row.get("handling_days"), "demand": row.get("monthly_sold"),
        }  # fmt: skip
        return {part for part in PARTS if checks[part] is None}

    @property
    def history_url(self) -> str | None:
        """The product's page on a price-history site."""
        domain = _KEEPA.get(self.row["marketplace"])
        product = self.row["product_id"]
        return f"https://keepa.com/#!product/{domain}-{product}" if domain and product.isalnum() and product.isascii() else None


def suggested_action(row: Mapping[str, Any]) -> str:
    """What the evidence asks for when the seller has said nothing: ask_quote, test, list, look, stop or source.

    A cost that is assumed is asked for first; a return rate or a price that nobody measured is tried with few; the rest is listed.
    """
    flags = set(row.get("flags") or ())
    if row["verdict"] == "incomplete":
        return "source" if "offer" in (row.get("missing") or ()) else "look"
    if row.get("is_listed"):
        return {"rejected": "stop", "review": "look"}.get(row["verdict"], "keep")
    if row["verdict"] in ("rejected", "review"):
        return "look" if row["verdict"] == "review" else "skip"
    if flags & {"label_assumed", "duty_assumed", "freight_scope_unknown", "exchange_rate_old", "stale_cost"}:
        return "ask_quote"
    if "return_unmeasured" in flags or row.get("price_evidence") == "snapshot":
        return "test"
    return "list"


@dataclass(frozen=True)
class Page:
    """All that is shown of a run."""

    run: RunFolder
    plan: Plan
    digits: Mapping[str, int]
    as_of: dt.date
    shortlist: pa.Table
    products: dict[str, list[Product]]
    changes: list[Change] | None
    set_aside: list[dict[str, Any]]
    notes: dict[Key, dict[str, Any]]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The run's `run.json`."""
        return self.run.manifest


def read_page(run: RunFolder) -> Page:
    """Everything that the report and the workbook show, from the run's folder and that of the list before it."""
    configs = load_configs()
    plan = Plan.model_validate(run.manifest["plan"])
    shown = read_parquet(run.folder / SHOWN)
    lines = rule_lines(shown, plan, configs.digits)
    series = {
        (row["marketplace"], row["product_id"]): (row["dates"], row["prices"]) for row in read_parquet(run.folder / SERIES).to_pylist()
    }
    notes = {(row["marketplace"], row["product_id"]): row for row in read_parquet(run.folder / NOTES).to_pylist()}
    ranks, then = _before(run.previous)
    products: dict[str, list[Product]] = {}
    for row, reported in zip(shown.to_pylist(), lines, strict=True):
        key = (row["marketplace"], row["product_id"])
        products.setdefault(row["pick"], []).append(
            Product(
                row=row, lines=reported, states=row_states(row, reported, plan), series=series.get(key, ([], [])),
                waterfall=cost_waterfall(row), decision=notes.get(key, {}), was=ranks.get(key),
                is_new=run.previous is not None and key not in ranks, then=then.get(key),
            )
        )  # fmt: skip
    changes = list_changes(run.previous, run.folder) if run.previous is not None else None
    as_of = dt.date.fromisoformat(run.manifest["as_of"])
    shortlist = read_parquet(run.folder / "shortlist.parquet")
    return Page(run, plan, configs.digits, as_of, shortlist, products, changes, set_aside_counts(run.folder), notes)


def _before(folder: Path | None) -> tuple[dict[Key, int], dict[Key, dict[str, Any]]]:
    """Ranks of the last list, and what stood there of the products that are on sale."""
    if folder is None:
        return {}, {}
    listed = read_parquet(folder / "shortlist.parquet", ["marketplace", "product_id", "rank"]).to_pylist()
    ranks = {(row["marketplace"], row["product_id"]): row["rank"] for row in listed}
    if not (folder / SHOWN).is_file():  # a list of before this report
        return ranks, {}
    columns = ["marketplace", "product_id", "verdict", "price", "landed_cost", "supplier_id", "net_profit"]
    live = read_parquet(folder / SHOWN, columns, [("pick", "==", "live")]).to_pylist()
    return ranks, {(row["marketplace"], row["product_id"]): row for row in live}


def would_pass(product: Product) -> tuple[str, dict[str, Any]]:
    """What would have to be otherwise for a rejected product: (kind, facts); kind is cost, price or limit."""
    rejects = [line for line in product.lines if line.severity == "reject"]
    if all(line.rule in COST_RULES for line in rejects) and product.row.get("max_landed_cost"):
        spent = (product.row.get("landed_cost") or 0.0) + (product.row.get("shipping_cost") or 0.0)
        return "cost", {"cost": product.row["max_landed_cost"], "now": spent}
    line = rejects[0]
    if line.rule == "price_band":
        return "price", {"price": line.limit, "now": line.observed}
    return "limit", {"line": line}
