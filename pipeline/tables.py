"""Names, types, units and meaning of every column of every table.

Inside the program money is whole minor units (`*_cents`: yen has no decimals), a supplier's cost is ten-thousandths of the
major unit (`*_e4`: a price list may say 3.125), a share or rate is a fraction 0..1, a date is `date32`. Missing is null.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.string()
WHOLE = pa.int64()
REAL = pa.float64()
FLAG = pa.bool_()
DATE = pa.date32()
# Text whose distinct values are kept once; only between a file and its spill.
CODED = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Column:
    """One column: its name, Arrow type, unit (empty where it has none) and meaning."""

    name: str
    type: pa.DataType
    unit: str = ""
    meaning: str = ""


def _c(name: str, type_: pa.DataType, unit: str = "", meaning: str = "") -> Column:
    return Column(name, type_, unit, meaning)


# Where a record stands, on every table that comes out of ingest.
ORIGIN = (
    _c("source", TEXT, "", "name of the source file that recognised the export"),
    _c("file", TEXT, "", "path inside the dump, with /"),
    _c("line", WHOLE, "", "first physical line of the record, counted from 1"),
    _c("byte_offset", WHOLE, "bytes", "where that line begins in the file"),
)
KEY = (
    _c("marketplace", TEXT, "", "US, UK, DE, JP ..."),
    _c("product_id", TEXT, "", "the marketplace's id of the listing (ASIN)"),
)

CANDIDATES = (
    *KEY,
    _c("title", TEXT),
    _c("brand", TEXT),
    _c("category_path", TEXT, "", "root first, ` > ` between segments"),
    _c("gtin", TEXT, "", "one or several, a blank between"),
    _c("fee_category", TEXT, "", "key of the fee schedule, when the dump names it"),
    _c("currency", TEXT),
    _c("price_cents", WHOLE, "minor units", "what the buyer pays for one, shipping included, tax excluded"),
    _c("avg30_price_cents", WHOLE, "minor units"),
    _c("avg90_price_cents", WHOLE, "minor units"),
    _c("avg180_price_cents", WHOLE, "minor units"),
    _c("sd90_price_cents", WHOLE, "minor units"),
    _c("out_of_stock_share_90", REAL, "fraction"),
    _c("amazon_share_90", REAL, "fraction", "Amazon's share of the buy box"),
    _c("top_seller_share_90", REAL, "fraction", "the biggest seller's share of the buy box"),
    _c("rating", REAL, "stars"),
    _c("rating_count", WHOLE),
    _c("sales_rank", WHOLE),
    _c("monthly_sold", WHOLE, "units", "a lower bound, of the listing, not of the seller"),
    _c("offer_count", WHOLE),
    _c("package_weight_g", REAL, "g"),
    _c("package_length_mm", REAL, "mm"),
    _c("package_width_mm", REAL, "mm"),
    _c("package_height_mm", REAL, "mm"),
    _c("is_hazmat", FLAG),
    _c("has_batteries", FLAG),
    _c("is_heat_sensitive", FLAG),
    _c("return_flag", TEXT, "", "low or high"),
    _c("return_rate", REAL, "fraction", "a rate without a count"),
    _c("sold_orders", WHOLE),
    _c("returned_orders", WHOLE),
    _c("sold_units", WHOLE),
    _c("returned_units", WHOLE),
    _c("listed_since", DATE),
    _c("parent_id", TEXT),
    _c("referral_rate", REAL, "fraction", "the source's own effective referral rate"),
)
PRICE_HISTORY = (
    *KEY,
    _c("date", DATE),
    _c("price_cents", WHOLE, "minor units", "in force from this day until the next row; null = out of stock from this day"),
    _c("currency", TEXT),
)
OFFERS = (
    _c("supplier_id", TEXT),
    _c("marketplace", TEXT, "", "null serves every marketplace of its product"),
    _c("product_id", TEXT),
    _c("gtin", TEXT),
    _c("supplier_sku", TEXT),
    _c("unit_cost_e4", WHOLE, "1/10,000 of the currency", "one unit of the supplier's pack"),
    _c("currency", TEXT),
    _c("freight_e4", WHOLE, "1/10,000 of the currency", "per unit sold"),
    _c("freight_to", TEXT, "", "buyer, agent or unknown"),
    _c("shipping_cost_e4", WHOLE, "1/10,000 of the currency", "the label to the buyer, per unit sold"),
    _c("duty_e4", WHOLE, "1/10,000 of the currency", "per unit sold"),
    _c("duty_included", FLAG),
    _c("pack_quantity", WHOLE, "", "how many of the supplier's units make one unit of the listing"),
    _c("moq", WHOLE),
    _c("quoted_at", DATE),
    _c("valid_until", DATE),
    _c("title", TEXT),
    _c("supplier_contact", TEXT),
    _c("platform", TEXT),
    _c("ship_from", TEXT, "", "ISO country code"),
    _c("handling_days_min", WHOLE, "days"),
    _c("handling_days_max", WHOLE, "days"),
    _c("stock", WHOLE),
    _c("accepts_returns", FLAG),
    _c("return_days", WHOLE, "days"),
    _c("has_tracking", FLAG),
)
MATCHES = (
    _c("supplier_id", TEXT),
    _c("supplier_sku", TEXT),
    _c("product_id", TEXT),
    _c("marketplace", TEXT),
    _c("pack_quantity", WHOLE),
)
ORDERS = (
    *KEY,
    _c("order_id", TEXT),
    _c("ordered_at", pa.timestamp("s"), "UTC", "day, or instant when the export has one"),
    _c("quantity", WHOLE, "units"),
    _c("unit_price_cents", WHOLE, "minor units"),
    _c("currency", TEXT),
    _c("title", TEXT),
    _c("customer_key", WHOLE, "", "63-bit hash of the customer's id; the id itself is never stored"),
    _c("is_return", FLAG),
    _c("returned_order_id", TEXT),
    _c("returned_at", DATE),
)
RETURNS = (
    *KEY,
    _c("period_start", DATE),
    _c("period_end", DATE),
    _c("sold_orders", WHOLE),
    _c("returned_orders", WHOLE),
    _c("sold_units", WHOLE),
    _c("returned_units", WHOLE),
)
DELIVERIES = (
    _c("supplier_id", TEXT),
    _c("product_id", TEXT),
    _c("promised_date", DATE),
    _c("shipped_date", DATE),
    _c("delivered_date", DATE),
)
LISTED = (
    *KEY,
    _c("own_sku", TEXT),
    _c("listed_price_cents", WHOLE, "minor units"),
    _c("supplier_id", TEXT),
    _c("listed_on", DATE),
)
SELLER_DECISIONS = (
    *KEY,
    _c("decision", TEXT, "", "list, test, ask_quote, quoted, skip, gated, ip_risk, stop, category_pass, category_reject, brand_known"),
    _c("decided_on", DATE),
    _c("quoted_cost_cents", WHOLE, "minor units of the marketplace"),
    _c("quote_valid_until", DATE),
    _c("skip_until", DATE),
    _c("own_sku", TEXT),
    _c("listed_price_cents", WHOLE, "minor units"),
    _c("note", TEXT),
    _c("title", TEXT, "", "the listing's when a category decision was made; it expires when the title changes"),
    _c("category_path", TEXT, "", "the listing's when a category decision was made; it expires when the category changes"),
)
SET_ASIDE = (
    _c("file", TEXT, "", "path inside the dump, with /"),
    _c("line", WHOLE, "", "physical line, counted from 1"),
    _c("byte_offset", WHOLE, "bytes"),
    _c("column", TEXT, "", "header of the cell at fault; null when the line as a whole does not fit"),
    _c("kind", TEXT, "", "quote, width, control, encoding, header, value, currency, conflict ..."),
    _c("message", TEXT, "", "what was wanted"),
    _c("raw", TEXT, "", "the line as it stands, personal cells masked"),
)

# Prices of a history are kept in 31 bits.
MOST_CENTS = 2**31 - 1

# What a dump can hold, by the name that a source file's `table` takes. Every table but set_aside also has ORIGIN.
DUMP_TABLES: dict[str, tuple[Column, ...]] = {
    "candidates": CANDIDATES + ORIGIN,
    "price_history": PRICE_HISTORY + ORIGIN,
    "offers": OFFERS + ORIGIN,
    "matches": MATCHES + ORIGIN,
    "orders": ORDERS + ORIGIN,
    "returns": RETURNS + ORIGIN,
    "deliveries": DELIVERIES + ORIGIN,
    "listed": LISTED + ORIGIN,
    "decisions": SELLER_DECISIONS + ORIGIN,
}


def schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Arrow schema of a table, columns in their order here."""
    return pa.schema([pa.field(column.name, column.type) for column in columns])


def empty(columns: tuple[Column, ...]) -> pa.Table:
    """A table of that shape without rows."""
    return schema(columns).empty_table()


LIST_OF_TEXT = pa.list_(pa.string())
_QUANTILES = tuple(f"p{5 * level:02d}" for level in range(1, 20))
_MONEY = "currency's major unit"


def _money(*names: str) -> tuple[Column, ...]:
    return tuple(_c(name, REAL, _MONEY) for name in names)


# What people and programs read. Money stands in major units, rounded to the minor unit; see `docs/files.md`.
SHORTLIST = (
    _c("rank", WHOLE, "", "1 is best; missing where not listed"),
    _c("product_id", TEXT),
    _c("marketplace", TEXT),
    _c("title", TEXT),
    _c("brand", TEXT),
    _c("category_path", TEXT),
    _c("department", TEXT),
    _c("score", REAL, "points 0..100", "the sum of the five parts"),
    _c("score_margin", REAL, "points"),
    _c("score_stability", REAL, "points"),
    _c("score_returns", REAL, "points"),
    _c("score_supply", REAL, "points"),
    _c("score_demand", REAL, "points"),
    _c("score_coverage", REAL, "fraction", "share of the score whose facts are known"),
    *_money("price", "gate_price"),
    _c("currency", TEXT),
    *_money(*(f"price_{q}" for q in _QUANTILES)),
    *_money(*(f"price_forecast_{q}" for q in _QUANTILES)),
    _c("price_evidence", TEXT, "", "history, summary or snapshot"),
    *_money("unit_cost", "freight", "duty", "import_vat"),
    _c("landed_cost", REAL, _MONEY, "goods, freight, duty and import VAT, per unit sold"),
    *_money("shipping_cost"),
    _c("fee_category", TEXT),
    *_money("referral_fee", "closing_fee", "refund_fee", "expected_return_loss", "advertising_cost", "payment_cost"),
    _c("plan_fee", REAL, _MONEY, "an order's part of the monthly fee; missing unless the plan says over how many orders"),
    *_money("net_profit"),
    _c("net_margin", REAL, "fraction of the price"),
    *_money("net_profit_expected", "net_profit_p10", "net_profit_p90", "cash_lost_per_return"),
    _c("gross_margin", REAL, "fraction of the price", "price - purchase - all freight and label - referral"),
    _c("gross_margin_goods", REAL, "fraction of the price", "price - purchase - freight"),
    _c("gross_margin_all", REAL, "fraction of the price", "price less purchase, freight, commission, label and return loss"),
    _c("landed_share", REAL, "fraction of the gate price"),
    _c("margin_held_share", REAL, "fraction of the last 90 days"),
    _c("margin_hold_probability", REAL, "expected fraction of the next 28 days"),
    _c("break_even_price", REAL, _MONEY, "the smallest price that loses nothing"),
    _c("target_price", REAL, _MONEY, "the smallest price at which net margin and least profit hold"),
    _c("max_landed_cost", REAL, _MONEY, "the most that goods, duty, freight and label may cost under all money rules at the gate price"),
    _c("max_purchase_cost", REAL, _MONEY, "that less freight, duty, import VAT and label"),
    _c("return_rate", REAL, "fraction", "posterior mean"),
    _c("return_rate_low", REAL, "fraction", "5 % end of the 90 % interval"),
    _c("return_rate_high", REAL, "fraction", "95 % end of the 90 % interval"),
    _c("return_alpha", REAL),
    _c("return_beta", REAL),
    _c("return_orders", WHOLE, "orders", "mature orders behind the rate"),
    _c("return_over_limit_probability", REAL, "probability"),
    _c("return_evidence", TEXT, "", "E0 nothing, E1 a badge, E2 a rate without a count, E3 a tool's counts, E4 own records"),
    _c("supplier_id", TEXT),
    _c("backup_suppliers", LIST_OF_TEXT),
    _c("handling_days", WHOLE, "days"),
    _c("late_probability", REAL, "probability", "that one order leaves late"),
    _c("fulfilment_advice", TEXT, "", "merchant or fba"),
    _c("fba_fee", REAL, _MONEY, "fulfilment by Amazon with its surcharge; missing where size, weight or the card's fee is not known"),
    _c("fba_net_profit", REAL, _MONEY, "what the same order would earn if Amazon sent it, at the current price"),
    _c("monthly_sold", WHOLE, "units", "a lower bound, of the listing"),
    _c("flags", LIST_OF_TEXT, "", "what was assumed, and rules that warn or ask for a review"),
    _c("fee_schedule", TEXT),
    _c("url", TEXT),
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
    _c("verdict", TEXT, "", "shortlisted, passed, review, incomplete or rejected"),
    _c("reasons", REASONS, "", "rules that do not hold, the worst first; money and shares in the rule's unit"),
    _c("missing", LIST_OF_TEXT, "", "facts without which no verdict can be given"),
    *SHORTLIST,
    _c("brand_state", TEXT, "", "known, unknown, generic or missing"),
    _c("category_verdict", TEXT, "", "pass, review or reject"),
    _c("category_reason", TEXT),
    _c("source", TEXT),
    _c("file", TEXT),
    _c("line", WHOLE),
    _c("category_evidence", TEXT, "", "the segment, root, brand or words that decided"),
    _c("rules_version", TEXT, "", "first 16 digits of the SHA-256 of configs/categories"),
    _c("brand_key", TEXT),
    _c("gtin", TEXT),
    _c("parent_id", TEXT),
    _c("package_weight_g", REAL, "g"),
    *_money("gate_net_profit"),
    _c("gate_gross_margin", REAL, "fraction of the gate price"),
    _c("gate_net_margin", REAL, "fraction of the gate price"),
    *_money("max_purchase_cost_cny"),
    _c("supplier_currency", TEXT, "", "the chosen offer's"),
    _c("max_purchase_cost_supplier", REAL, _MONEY, "in supplier_currency"),
    _c("sourcing_profit", REAL, _MONEY, "profit at the gate price if all that is bought cost the plan's sourcing_cost_share of it"),
    _c("duty_basis", TEXT, "", "stated, included, domestic, border (a duty an item), assumed or unknown"),
    _c("fba_tier", TEXT, "", "size tier of the card"),
    _c("fba_card", TEXT),
    _c("fba_note", TEXT, "", "what is not counted in fba_fee"),
    _c("return_class", TEXT),
    _c("return_prior", TEXT, "", "configured (no model is trained) or fitted (by `shortlist train`)"),
    _c("return_prior_mean", REAL, "fraction"),
    _c("return_prior_orders", REAL, "orders", "what the prior is worth"),
    _c("is_return_excess", FLAG),
    _c("own_sold_orders", WHOLE, "orders"),
    _c("own_returned_orders", WHOLE, "orders"),
    _c("own_sold_units", WHOLE, "units"),
    _c("own_returned_units", WHOLE, "units"),
    _c("own_monthly_units", WHOLE, "units"),
    _c("has_offer", FLAG),
    _c("has_money_plan", FLAG, "", "the plan holds limits and assumed costs in this currency"),
    _c("matched_by", TEXT, "", "product_id, sku or gtin"),
    _c("is_pack_suspect", FLAG),
    _c("platform", TEXT),
    _c("supplier_contact", TEXT),
    _c("has_tracking", FLAG),
    _c("accepts_returns", FLAG),
    _c("suppliers", WHOLE, "", "distinct suppliers whose offer is allowed"),
    _c("offers_read", WHOLE),
    _c("deliveries", WHOLE),
    _c("late_deliveries", WHOLE),
    _c("quote_age_days", WHOLE, "days"),
    _c("is_offer_expired", FLAG),
    _c("is_label_assumed", FLAG),
    _c("is_label_heavy", FLAG),
    _c("is_duty_assumed", FLAG),
    _c("is_duty_unknown", FLAG),
    _c("is_import_vat_assumed", FLAG),
    _c("is_import_vat_unknown", FLAG),
    _c("is_freight_scope_unknown", FLAG),
    _c("is_rate_old", FLAG),
    _c("is_fee_category_assumed", FLAG),
    _c("fee_origin", TEXT, "", "schedule, uncertain (a part of the line is not known), stated or fallback"),
    _c("fee_note", TEXT, "", "what is not known of the fee line"),
    _c("vat_region", TEXT),
    _c("is_gtin_invalid", FLAG),
    _c("is_hazmat", FLAG),
    _c("has_batteries", FLAG),
    _c("is_heat_sensitive", FLAG),
    _c("amazon_share_90", REAL, "fraction"),
    _c("out_of_stock_share_90", REAL, "fraction"),
    _c("top_seller_share_90", REAL, "fraction"),
    _c("decision", TEXT),
    _c("hidden_by", TEXT),
    _c("is_listed", FLAG),
)
# Offers as they were told, for people: costs in the supplier's own currency, major units.
UNMATCHED_OFFERS = tuple(
    _c(c.name.removesuffix("_e4"), REAL, "the offer's currency", c.meaning) if c.name.endswith("_e4") else c for c in (*OFFERS, *ORIGIN)
)
# What a run keeps for the report beside the ledger, so that it can be written again from the run's folder alone.
PRICE_SERIES = (
    *KEY,
    _c("dates", pa.list_(DATE), "", "days at which a price begins to hold, rising; the first is the window's first day or the first known"),
    _c("prices", pa.list_(REAL), _MONEY, "the prices from those days on; null = out of stock"),
)
# Published money that is not in the marketplace's currency: in yuan, or in the supplier's.
YUAN_COLUMNS = ("max_purchase_cost_cny",)
SUPPLIER_COLUMNS = ("max_purchase_cost_supplier",)
MONEY_COLUMNS = tuple(c.name for c in DECISIONS if c.unit == _MONEY)
# Published names whose column is called otherwise inside, where the raw fact of the dump holds the plain name.
INSIDE = {"return_rate": "return_rate_mean"}
