"""Names, types, units and meaning of the columns that people and programs read: list, ledger, offers without a product, price series.

Money stands in major units, rounded to the minor unit; see `docs/files.md`.
"""

from __future__ import annotations

import pyarrow as pa

from pipeline.tables.schemas import DATE, FLAG, KEY, OFFERS, ORIGIN, REAL, TEXT, WHOLE, Column, column

LIST_OF_TEXT = pa.list_(pa.string())
_QUANTILES = tuple(f"p{5 * level:02d}" for level in range(1, 20))
_MONEY = "currency's major unit"


def _money(*names: str) -> tuple[Column, ...]:
    return tuple(column(name, REAL, _MONEY) for name in names)


SHORTLIST = (
    column("rank", WHOLE, "", "1 is best; missing where not listed"),
    column("product_id", TEXT),
    column("marketplace", TEXT),
    column("title", TEXT),
    column("brand", TEXT),
    column("category_path", TEXT),
    column("department", TEXT),
    column("score", REAL, "points 0..100", "the sum of the five parts"),
    column("score_margin", REAL, "points"),
    column("score_stability", REAL, "points"),
    column("score_returns", REAL, "points"),
    column("score_supply", REAL, "points"),
    column("score_demand", REAL, "points"),
    column("score_coverage", REAL, "fraction", "share of the score whose facts are known"),
    *_money("price", "gate_price"),
    column("currency", TEXT),
    *_money(*(f"price_{q}" for q in _QUANTILES)),
    *_money(*(f"price_forecast_{q}" for q in _QUANTILES)),
    column("price_evidence", TEXT, "", "history, summary or snapshot"),
    *_money("unit_cost", "freight", "duty", "import_vat"),
    column("landed_cost", REAL, _MONEY, "goods, freight, duty and import VAT, per unit sold"),
    *_money("shipping_cost"),
    column("fee_category", TEXT),
    *_money("referral_fee", "closing_fee", "refund_fee", "expected_return_loss", "advertising_cost", "payment_cost"),
    column("plan_fee", REAL, _MONEY, "an order's part of the monthly fee; missing unless the plan says over how many orders"),
    *_money("net_profit"),
    column("net_margin", REAL, "fraction of the price"),
    *_money("net_profit_expected", "net_profit_p10", "net_profit_p90", "cash_lost_per_return"),
    column("gross_margin", REAL, "fraction of the price", "price - purchase - all freight and label - referral"),
    column("gross_margin_goods", REAL, "fraction of the price", "price - purchase - freight"),
    column("gross_margin_all", REAL, "fraction of the price", "price less purchase, freight, commission, label and return loss"),
    column("landed_share", REAL, "fraction of the gate price"),
    column("margin_held_share", REAL, "fraction of the last 90 days"),
    column("margin_hold_probability", REAL, "expected fraction of the next 28 days"),
    column("break_even_price", REAL, _MONEY, "the smallest price that loses nothing"),
    column("target_price", REAL, _MONEY, "the smallest price at which net margin and least profit hold"),
    column(
        "max_landed_cost", REAL, _MONEY, "the most that goods, duty, freight and label may cost under all money rules at the gate price"
    ),
    column("max_purchase_cost", REAL, _MONEY, "that less freight, duty, import VAT and label"),
    column("return_rate", REAL, "fraction", "posterior mean"),
    column("return_rate_low", REAL, "fraction", "5 % end of the 90 % interval"),
    column("return_rate_high", REAL, "fraction", "95 % end of the 90 % interval"),
    column("return_alpha", REAL),
    column("return_beta", REAL),
    column("return_orders", WHOLE, "orders", "mature orders behind the rate"),
    column("return_over_limit_probability", REAL, "probability"),
    column("return_evidence", TEXT, "", "E0 nothing, E1 a badge, E2 a rate without a count, E3 a tool's counts, E4 own records"),
    column("supplier_id", TEXT),
    column("backup_suppliers", LIST_OF_TEXT),
    column("handling_days", WHOLE, "days"),
    column("late_probability", REAL, "probability", "that one order leaves late"),
    column("fulfilment_advice", TEXT, "", "merchant or fba"),
    column("fba_fee", REAL, _MONEY, "fulfilment by Amazon with its surcharge; missing where size, weight or the card's fee is not known"),
    column("fba_net_profit", REAL, _MONEY, "what the same order would earn if Amazon sent it, at the current price"),
    column("monthly_sold", WHOLE, "units", "a lower bound, of the listing"),
    column("flags", LIST_OF_TEXT, "", "what was assumed, and rules that warn or ask for a review"),
    column("fee_schedule", TEXT),
    column("url", TEXT),
)
REASONS = pa.list_(
    pa.struct(
        [
            ("rule", pa.string()),
            ("severity", pa.string()),
            ("observed", pa.float64()),
            ("limit", pa.float64()),
            ("distance", pa.float64()),
            ("detail", pa.string()),
        ]
    )
)
# Beside the shortlist's columns: the verdict with its reasons, and the facts that rules look at.
DECISIONS = (
    column("verdict", TEXT, "", "shortlisted, passed, review, incomplete or rejected"),
    column("reasons", REASONS, "", "rules that do not hold, the worst first; money and shares in the rule's unit"),
    column("missing", LIST_OF_TEXT, "", "facts without which no verdict can be given"),
    *SHORTLIST,
    column("brand_state", TEXT, "", "known, unknown, generic or missing"),
    column("category_verdict", TEXT, "", "pass, review or reject"),
    column("category_reason", TEXT),
    column("source", TEXT),
    column("file", TEXT),
    column("line", WHOLE),
    column("category_evidence", TEXT, "", "the segment, root, brand or words that decided"),
    column("rules_version", TEXT, "", "first 16 digits of the SHA-256 of configs/categories"),
    column("brand_key", TEXT),
    column("gtin", TEXT),
    column("parent_id", TEXT),
    column("package_weight_g", REAL, "g"),
    *_money("gate_net_profit"),
    column("gate_gross_margin", REAL, "fraction of the gate price"),
    column("gate_net_margin", REAL, "fraction of the gate price"),
    *_money("max_purchase_cost_cny"),
    column("supplier_currency", TEXT, "", "the chosen offer's"),
    column("max_purchase_cost_supplier", REAL, _MONEY, "in supplier_currency"),
    column("sourcing_profit", REAL, _MONEY, "profit at the gate price if all that is bought cost the plan's sourcing_cost_share of it"),
    column("duty_basis", TEXT, "", "stated, included, domestic, border (a duty an item), assumed or unknown"),
    column("fba_tier", TEXT, "", "size tier of the card"),
    column("fba_card", TEXT),
    column("fba_note", TEXT, "", "what is not counted in fba_fee"),
    column("return_class", TEXT),
    column("return_prior", TEXT, "", "configured (no model is trained) or fitted (by `shortlist train`)"),
    column("return_prior_mean", REAL, "fraction"),
    column("return_prior_orders", REAL, "orders", "what the prior is worth"),
    column("is_return_excess", FLAG),
    column("own_sold_orders", WHOLE, "orders"),
    column("own_returned_orders", WHOLE, "orders"),
    column("own_sold_units", WHOLE, "units"),
    column("own_returned_units", WHOLE, "units"),
    column("own_monthly_units", WHOLE, "units"),
    column("has_offer", FLAG),
    column("has_money_plan", FLAG, "", "the plan holds limits and assumed costs in this currency"),
    column("matched_by", TEXT, "", "product_id, sku or gtin"),
    column("is_pack_suspect", FLAG),
    column("platform", TEXT),
    column("supplier_contact", TEXT),
    column("has_tracking", FLAG),
    column("accepts_returns", FLAG),
    column("suppliers", WHOLE, "", "distinct suppliers whose offer is allowed"),
    column("offers_read", WHOLE),
    column("deliveries", WHOLE),
    column("late_deliveries", WHOLE),
    column("quote_age_days", WHOLE, "days"),
    column("is_offer_expired", FLAG),
    column("is_label_assumed", FLAG),
    column("is_label_heavy", FLAG),
    column("is_duty_assumed", FLAG),
    column("is_duty_unknown", FLAG),
    column("is_import_vat_assumed", FLAG),
    column("is_import_vat_unknown", FLAG),
    column("is_freight_scope_unknown", FLAG),
    column("is_rate_old", FLAG),
    column("is_fee_category_assumed", FLAG),
    column("fee_origin", TEXT, "", "schedule, uncertain (a part of the line is not known), stated or fallback"),
    column("fee_note", TEXT, "", "what is not known of the fee line"),
    column("vat_region", TEXT),
    column("is_gtin_invalid", FLAG),
    column("is_hazmat", FLAG),
    column("has_batteries", FLAG),
    column("is_heat_sensitive", FLAG),
    column("amazon_share_90", REAL, "fraction"),
    column("out_of_stock_share_90", REAL, "fraction"),
    column("top_seller_share_90", REAL, "fraction"),
    column("decision", TEXT),
    column("hidden_by", TEXT),
    column("is_listed", FLAG),
)
# Offers as they were told, for people: costs in the supplier's own currency, major units.
UNMATCHED_OFFERS = tuple(
    column(c.name.removesuffix("_e4"), REAL, "the offer's currency", c.meaning) if c.name.endswith("_e4") else c for c in (*OFFERS, *ORIGIN)
)
# What a run keeps for the report beside the ledger, so that it can be written again from the run's folder alone.
PRICE_SERIES = (
    *KEY,
    column(
        "dates", pa.list_(DATE), "", "days at which a price begins to hold, rising; the first: the window's first day or the first known"
    ),
    column("prices", pa.list_(REAL), _MONEY, "the prices from those days on; null = out of stock"),
)
# Published money that is not in the marketplace's currency: in yuan, or in the supplier's.
YUAN_COLUMNS = ("max_purchase_cost_cny",)
SUPPLIER_COLUMNS = ("max_purchase_cost_supplier",)
MONEY_COLUMNS = tuple(c.name for c in DECISIONS if c.unit == _MONEY)
# Published names whose column is called otherwise inside, where the raw fact of the dump holds the plain name.
INSIDE = {"return_rate": "return_rate_mean"}
