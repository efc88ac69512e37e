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


def told(name: str, type_: pa.DataType, unit: str = "", meaning: str = "") -> Column:
    """A column; most need no unit."""
    return Column(name, type_, unit, meaning)


# Where a record stands, on every table that comes out of ingest.
ORIGIN = (
    told("source", TEXT, "", "name of the source file that recognised the export"),
    told("file", TEXT, "", "path inside the dump, with /"),
    told("line", WHOLE, "", "first physical line of the record, counted from 1"),
    told("byte_offset", WHOLE, "bytes", "where that line begins in the file"),
)
KEY = (
    told("marketplace", TEXT, "", "US, UK, DE, JP ..."),
    told("product_id", TEXT, "", "the marketplace's id of the listing (ASIN)"),
)

CANDIDATES = (
    *KEY,
    told("title", TEXT),
    told("brand", TEXT),
    told("category_path", TEXT, "", "root first, ` > ` between segments"),
    told("gtin", TEXT, "", "one or several, a blank between"),
    told("fee_category", TEXT, "", "key of the fee schedule, when the dump names it"),
    told("currency", TEXT),
    told("price_cents", WHOLE, "minor units", "what the buyer pays for one, shipping included, tax excluded"),
    told("avg30_price_cents", WHOLE, "minor units"),
    told("avg90_price_cents", WHOLE, "minor units"),
    told("avg180_price_cents", WHOLE, "minor units"),
    told("sd90_price_cents", WHOLE, "minor units"),
    told("out_of_stock_share_90", REAL, "fraction"),
    told("amazon_share_90", REAL, "fraction", "Amazon's share of the buy box"),
    told("top_seller_share_90", REAL, "fraction", "the biggest seller's share of the buy box"),
    told("rating", REAL, "stars"),
    told("rating_count", WHOLE),
    told("sales_rank", WHOLE),
    told("monthly_sold", WHOLE, "units", "a lower bound, of the listing, not of the seller"),
    told("offer_count", WHOLE),
    told("package_weight_g", REAL, "g"),
    told("package_length_mm", REAL, "mm"),
    told("package_width_mm", REAL, "mm"),
    told("package_height_mm", REAL, "mm"),
    told("is_hazmat", FLAG),
    told("has_batteries", FLAG),
    told("is_heat_sensitive", FLAG),
    told("return_flag", TEXT, "", "low or high"),
    told("return_rate", REAL, "fraction", "a rate without a count"),
    told("sold_orders", WHOLE),
    told("returned_orders", WHOLE),
    told("sold_units", WHOLE),
    told("returned_units", WHOLE),
    told("listed_since", DATE),
    told("parent_id", TEXT),
    told("referral_rate", REAL, "fraction", "the source's own effective referral rate"),
)
PRICE_HISTORY = (
    *KEY,
    told("date", DATE),
    told("price_cents", WHOLE, "minor units", "in force from this day until the next row; null = out of stock from this day"),
    told("currency", TEXT),
)
OFFERS = (
    told("supplier_id", TEXT),
    told("marketplace", TEXT, "", "null serves every marketplace of its product"),
    told("product_id", TEXT),
    told("gtin", TEXT),
    told("supplier_sku", TEXT),
    told("unit_cost_e4", WHOLE, "1/10,000 of the currency", "one unit of the supplier's pack"),
    told("currency", TEXT),
    told("freight_e4", WHOLE, "1/10,000 of the currency", "per unit sold"),
    told("freight_to", TEXT, "", "buyer, agent or unknown"),
    told("shipping_cost_e4", WHOLE, "1/10,000 of the currency", "the label to the buyer, per unit sold"),
    told("duty_e4", WHOLE, "1/10,000 of the currency", "per unit sold"),
    told("duty_included", FLAG),
    told("pack_quantity", WHOLE, "", "how many of the supplier's units make one unit of the listing"),
    told("moq", WHOLE),
    told("quoted_at", DATE),
    told("valid_until", DATE),
    told("title", TEXT),
    told("supplier_contact", TEXT),
    told("platform", TEXT),
    told("ship_from", TEXT, "", "ISO country code"),
    told("handling_days_min", WHOLE, "days"),
    told("handling_days_max", WHOLE, "days"),
    told("stock", WHOLE),
    told("accepts_returns", FLAG),
    told("return_days", WHOLE, "days"),
    told("has_tracking", FLAG),
)
MATCHES = (
    told("supplier_id", TEXT),
    told("supplier_sku", TEXT),
    told("product_id", TEXT),
    told("marketplace", TEXT),
    told("pack_quantity", WHOLE),
)
ORDERS = (
    *KEY,
    told("order_id", TEXT),
    told("ordered_at", pa.timestamp("s"), "UTC", "day, or instant when the export has one"),
    told("quantity", WHOLE, "units"),
    told("unit_price_cents", WHOLE, "minor units"),
    told("currency", TEXT),
    told("title", TEXT),
    told("customer_key", WHOLE, "", "63-bit hash of the customer's id; the id itself is never stored"),
    told("is_return", FLAG),
    told("returned_order_id", TEXT),
    told("returned_at", DATE),
)
RETURNS = (
    *KEY,
    told("period_start", DATE),
    told("period_end", DATE),
    told("sold_orders", WHOLE),
    told("returned_orders", WHOLE),
    told("sold_units", WHOLE),
    told("returned_units", WHOLE),
)
DELIVERIES = (
    told("supplier_id", TEXT),
    told("product_id", TEXT),
    told("promised_date", DATE),
    told("shipped_date", DATE),
    told("delivered_date", DATE),
)
LISTED = (
    *KEY,
    told("own_sku", TEXT),
    told("listed_price_cents", WHOLE, "minor units"),
    told("supplier_id", TEXT),
    told("listed_on", DATE),
)
SELLER_DECISIONS = (
    *KEY,
    told("decision", TEXT, "", "list, test, ask_quote, quoted, skip, gated, ip_risk, stop, category_pass, category_reject, brand_known"),
    told("decided_on", DATE),
    told("quoted_cost_cents", WHOLE, "minor units of the marketplace"),
    told("quote_valid_until", DATE),
    told("skip_until", DATE),
    told("own_sku", TEXT),
    told("listed_price_cents", WHOLE, "minor units"),
    told("note", TEXT),
    told("title", TEXT, "", "the listing's when a category decision was made; it expires when the title changes"),
    told("category_path", TEXT, "", "the listing's when a category decision was made; it expires when the category changes"),
)
SET_ASIDE = (
    told("file", TEXT, "", "path inside the dump, with /"),
    told("line", WHOLE, "", "physical line, counted from 1"),
    told("byte_offset", WHOLE, "bytes"),
    told("column", TEXT, "", "header of the cell at fault; null when the line as a whole does not fit"),
    told("kind", TEXT, "", "quote, width, control, encoding, header, value, currency, conflict ..."),
    told("message", TEXT, "", "what was wanted"),
    told("raw", TEXT, "", "the line as it stands, personal cells masked"),
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
