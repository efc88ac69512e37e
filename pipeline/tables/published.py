"""Names, types, units and meaning of the columns that people and programs read: list, ledger, offers without a product, price series.

Money stands in major units, rounded to the minor unit; see `docs/files.md`.
"""

from __future__ import annotations

import pyarrow as pa

from pipeline.tables.schemas import DATE, FLAG, KEY, OFFERS, ORIGIN, REAL, TEXT, WHOLE, Column, told

LIST_OF_TEXT = pa.list_(pa.string())
_QUANTILES = tuple(f"p{5 * level:02d}" for level in range(1, 20))
_MONEY = "currency's major unit"


def _money(*names: str) -> tuple[Column, ...]:
    return tuple(told(name, REAL, _MONEY) for name in names)


SHORTLIST = (
    told("rank", WHOLE, "", "1 is best; missing where not listed"),
    told("product_id", TEXT),
    told("marketplace", TEXT),
    told("title", TEXT),
    told("brand", TEXT),
    told("category_path", TEXT),
    told("department", TEXT),
    told("score", REAL, "points 0..100", "the sum of the five parts"),
    told("score_margin", REAL, "points"),
    told("score_stability", REAL, "points"),
    told("score_returns", REAL, "points"),
    told("score_supply", REAL, "points"),
    told("score_demand", REAL, "points"),
    told("score_coverage", REAL, "fraction", "share of the score whose facts are known"),
    *_money("price", "gate_price"),
    told("currency", TEXT),
    *_money(*(f"price_{q}" for q in _QUANTILES)),
    *_money(*(f"price_forecast_{q}" for q in _QUANTILES)),
    told("price_evidence", TEXT, "", "history, summary or snapshot"),
    *_money("unit_cost", "freight", "duty", "import_vat"),
    told("landed_cost", REAL, _MONEY, "goods, freight, duty and import VAT, per unit sold"),
    *_money("shipping_cost"),
    told("fee_category", TEXT),
    *_money("referral_fee", "closing_fee", "refund_fee", "expected_return_loss", "advertising_cost", "payment_cost"),
    told("plan_fee", REAL, _MONEY, "an order's part of the monthly fee; missing unless the plan says over how many orders"),
    *_money("net_profit"),
    told("net_margin", REAL, "fraction of the price"),
    *_money("net_profit_expected", "net_profit_p10", "net_profit_p90", "cash_lost_per_return"),
    told("gross_margin", REAL, "fraction of the price", "price - purchase - all freight and label - referral"),
    told("gross_margin_goods", REAL, "fraction of the price", "price - purchase - freight"),
    told("gross_margin_all", REAL, "fraction of the price", "price less purchase, freight, commission, label and return loss"),
    told("landed_share", REAL, "fraction of the gate price"),
    told("margin_held_share", REAL, "fraction of the last 90 days"),
    told("margin_hold_probability", REAL, "expected fraction of the next 28 days"),
    told("break_even_price", REAL, _MONEY, "the smallest price that loses nothing"),
    told("target_price", REAL, _MONEY, "the smallest price at which net margin and least profit hold"),
    told("max_landed_cost", REAL, _MONEY, "the most that goods, duty, freight and label may cost under all money rules at the gate price"),
    told("max_purchase_cost", REAL, _MONEY, "that less freight, duty, import VAT and label"),
    told("return_rate", REAL, "fraction", "posterior mean"),
    told("return_rate_low", REAL, "fraction", "5 % end of the 90 % interval"),
    told("return_rate_high", REAL, "fraction", "95 % end of the 90 % interval"),
    told("return_alpha", REAL),
    told("return_beta", REAL),
    told("return_orders", WHOLE, "orders", "mature orders behind the rate"),
    told("return_over_limit_probability", REAL, "probability"),
    told("return_evidence", TEXT, "", "E0 nothing, E1 a badge, E2 a rate without a count, E3 a tool's counts, E4 own records"),
    told("supplier_id", TEXT),
    told("backup_suppliers", LIST_OF_TEXT),
    told("handling_days", WHOLE, "days"),
    told("late_probability", REAL, "probability", "that one order leaves late"),
    told("fulfilment_advice", TEXT, "", "merchant or fba"),
    told("fba_fee", REAL, _MONEY, "fulfilment by Amazon with its surcharge; missing where size, weight or the card's fee is not known"),
    told("fba_net_profit", REAL, _MONEY, "what the same order would earn if Amazon sent it, at the current price"),
    told("monthly_sold", WHOLE, "units", "a lower bound, of the listing"),
    told("flags", LIST_OF_TEXT, "", "what was assumed, and rules that warn or ask for a review"),
    told("fee_schedule", TEXT),
    told("url", TEXT),
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
    told("verdict", TEXT, "", "shortlisted, passed, review, incomplete or rejected"),
    told("reasons", REASONS, "", "rules that do not hold, the worst first; money and shares in the rule's unit"),
    told("missing", LIST_OF_TEXT, "", "facts without which no verdict can be given"),
    *SHORTLIST,
    told("brand_state", TEXT, "", "known, unknown, generic or missing"),
    told("category_verdict", TEXT, "", "pass, review or reject"),
    told("category_reason", TEXT),
    told("source", TEXT),
    told("file", TEXT),
    told("line", WHOLE),
    told("category_evidence", TEXT, "", "the segment, root, brand or words that decided"),
    told("rules_version", TEXT, "", "first 16 digits of the SHA-256 of configs/categories"),
    told("brand_key", TEXT),
    told("gtin", TEXT),
    told("parent_id", TEXT),
    told("package_weight_g", REAL, "g"),
    *_money("gate_net_profit"),
    told("gate_gross_margin", REAL, "fraction of the gate price"),
    told("gate_net_margin", REAL, "fraction of the gate price"),
    *_money("max_purchase_cost_cny"),
    told("supplier_currency", TEXT, "", "the chosen offer's"),
    told("max_purchase_cost_supplier", REAL, _MONEY, "in supplier_currency"),
    told("sourcing_profit", REAL, _MONEY, "profit at the gate price if all that is bought cost the plan's sourcing_cost_share of it"),
    told("duty_basis", TEXT, "", "stated, included, domestic, border (a duty an item), assumed or unknown"),
    told("fba_tier", TEXT, "", "size tier of the card"),
    told("fba_card", TEXT),
    told("fba_note", TEXT, "", "what is not counted in fba_fee"),
    told("return_class", TEXT),
    told("return_prior", TEXT, "", "configured (no model is trained) or fitted (by `shortlist train`)"),
    told("return_prior_mean", REAL, "fraction"),
    told("return_prior_orders", REAL, "orders", "what the prior is worth"),
    told("is_return_excess", FLAG),
    told("own_sold_orders", WHOLE, "orders"),
    told("own_returned_orders", WHOLE, "orders"),
    told("own_sold_units", WHOLE, "units"),
    told("own_returned_units", WHOLE, "units"),
    told("own_monthly_units", WHOLE, "units"),
    told("has_offer", FLAG),
    told("has_money_plan", FLAG, "", "the plan holds limits and assumed costs in this currency"),
    told("matched_by", TEXT, "", "product_id, sku or gtin"),
    told("is_pack_suspect", FLAG),
    told("platform", TEXT),
    told("supplier_contact", TEXT),
    told("has_tracking", FLAG),
    told("accepts_returns", FLAG),
    told("suppliers", WHOLE, "", "distinct suppliers whose offer is allowed"),
    told("offers_read", WHOLE),
    told("deliveries", WHOLE),
    told("late_deliveries", WHOLE),
    told("quote_age_days", WHOLE, "days"),
    told("is_offer_expired", FLAG),
    told("is_label_assumed", FLAG),
    told("is_label_heavy", FLAG),
    told("is_duty_assumed", FLAG),
    told("is_duty_unknown", FLAG),
    told("is_import_vat_assumed", FLAG),
    told("is_import_vat_unknown", FLAG),
    told("is_freight_scope_unknown", FLAG),
    told("is_rate_old", FLAG),
    told("is_fee_category_assumed", FLAG),
    told("fee_origin", TEXT, "", "schedule, uncertain (a part of the line is not known), stated or fallback"),
    told("fee_note", TEXT, "", "what is not known of the fee line"),
    told("vat_region", TEXT),
    told("is_gtin_invalid", FLAG),
    told("is_hazmat", FLAG),
    told("has_batteries", FLAG),
    told("is_heat_sensitive", FLAG),
    told("amazon_share_90", REAL, "fraction"),
    told("out_of_stock_share_90", REAL, "fraction"),
    told("top_seller_share_90", REAL, "fraction"),
    told("decision", TEXT),
    told("hidden_by", TEXT),
    told("is_listed", FLAG),
)
# Offers as they were told, for people: costs in the supplier's own currency, major units.
UNMATCHED_OFFERS = tuple(
    told(c.name.removesuffix("_e4"), REAL, "the offer's currency", c.meaning) if c.name.endswith("_e4") else c for c in (*OFFERS, *ORIGIN)
)
# What a run keeps for the report beside the ledger, so that it can be written again from the run's folder alone.
PRICE_SERIES = (
    *KEY,
    told("dates", pa.list_(DATE), "", "days at which a price begins to hold, rising; the first: the window's first day or the first known"),
    told("prices", pa.list_(REAL), _MONEY, "the prices from those days on; null = out of stock"),
)
# Published money that is not in the marketplace's currency: in yuan, or in the supplier's.
YUAN_COLUMNS = ("max_purchase_cost_cny",)
SUPPLIER_COLUMNS = ("max_purchase_cost_supplier",)
MONEY_COLUMNS = tuple(c.name for c in DECISIONS if c.unit == _MONEY)
# Published names whose column is called otherwise inside, where the raw fact of the dump holds the plain name.
INSIDE = {"return_rate": "return_rate_mean"}
