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


def column(name: str, type_: pa.DataType, unit: str = "", meaning: str = "") -> Column:
    """A column; most need no unit."""
    return Column(name, type_, unit, meaning)


# Where a record stands, on every table that comes out of ingest.
ORIGIN = (
    column("source", TEXT, "", "name of the source file that recognised the export"),
    column("file", TEXT, "", "path inside the dump, with /"),
    column("line", WHOLE, "", "first physical line of the record, counted from 1"),
    column("byte_offset", WHOLE, "bytes", "where that line begins in the file"),
)
KEY = (
    column("marketplace", TEXT, "", "US, UK, DE, JP ..."),
    column("product_id", TEXT, "", "the marketplace's id of the listing (ASIN)"),
)

CANDIDATES = (
    *KEY,
    column("title", TEXT),
    column("brand", TEXT),
    column("category_path", TEXT, "", "root first, ` > ` between segments"),
    column("gtin", TEXT, "", "one or several, a blank between"),
    column("fee_category", TEXT, "", "key of the fee schedule, when the dump names it"),
    column("currency", TEXT),
    column("price_cents", WHOLE, "minor units", "what the buyer pays for one, shipping included, tax excluded"),
    column("avg30_price_cents", WHOLE, "minor units"),
    column("avg90_price_cents", WHOLE, "minor units"),
    column("avg180_price_cents", WHOLE, "minor units"),
    column("sd90_price_cents", WHOLE, "minor units"),
    column("out_of_stock_share_90", REAL, "fraction"),
    column("amazon_share_90", REAL, "fraction", "Amazon's share of the buy box"),
    column("top_seller_share_90", REAL, "fraction", "the biggest seller's share of the buy box"),
    column("rating", REAL, "stars"),
    column("rating_count", WHOLE),
    column("sales_rank", WHOLE),
    column("monthly_sold", WHOLE, "units", "a lower bound, of the listing, not of the seller"),
    column("offer_count", WHOLE),
    column("package_weight_g", REAL, "g"),
    column("package_length_mm", REAL, "mm"),
    column("package_width_mm", REAL, "mm"),
    column("package_height_mm", REAL, "mm"),
    column("is_hazmat", FLAG),
    column("has_batteries", FLAG),
    column("is_heat_sensitive", FLAG),
    column("return_flag", TEXT, "", "low or high"),
    column("return_rate", REAL, "fraction", "a rate without a count"),
    column("sold_orders", WHOLE),
    column("returned_orders", WHOLE),
    column("sold_units", WHOLE),
    column("returned_units", WHOLE),
    column("listed_since", DATE),
    column("parent_id", TEXT),
    column("referral_rate", REAL, "fraction", "the source's own effective referral rate"),
)
PRICE_HISTORY = (
    *KEY,
    column("date", DATE),
    column("price_cents", WHOLE, "minor units", "in force from this day until the next row; null = out of stock from this day"),
    column("currency", TEXT),
)
OFFERS = (
    column("supplier_id", TEXT),
    column("marketplace", TEXT, "", "null serves every marketplace of its product"),
    column("product_id", TEXT),
    column("gtin", TEXT),
    column("supplier_sku", TEXT),
    column("unit_cost_e4", WHOLE, "1/10,000 of the currency", "one unit of the supplier's pack"),
    column("currency", TEXT),
    column("freight_e4", WHOLE, "1/10,000 of the currency", "per unit sold"),
    column("freight_to", TEXT, "", "buyer, agent or unknown"),
    column("shipping_cost_e4", WHOLE, "1/10,000 of the currency", "the label to the buyer, per unit sold"),
    column("duty_e4", WHOLE, "1/10,000 of the currency", "per unit sold"),
    column("duty_included", FLAG),
    column("pack_quantity", WHOLE, "", "how many of the supplier's units make one unit of the listing"),
    column("moq", WHOLE),
    column("quoted_at", DATE),
    column("valid_until", DATE),
    column("title", TEXT),
    column("supplier_contact", TEXT),
    column("platform", TEXT),
    column("ship_from", TEXT, "", "ISO country code"),
    column("handling_days_min", WHOLE, "days"),
    column("handling_days_max", WHOLE, "days"),
    column("stock", WHOLE),
    column("accepts_returns", FLAG),
    column("return_days", WHOLE, "days"),
    column("has_tracking", FLAG),
)
MATCHES = (
    column("supplier_id", TEXT),
    column("supplier_sku", TEXT),
    column("product_id", TEXT),
    column("marketplace", TEXT),
    column("pack_quantity", WHOLE),
)
ORDERS = (
    *KEY,
    column("order_id", TEXT),
    column("ordered_at", pa.timestamp("s"), "UTC", "day, or instant when the export has one"),
    column("quantity", WHOLE, "units"),
    column("unit_price_cents", WHOLE, "minor units"),
    column("currency", TEXT),
    column("title", TEXT),
    column("customer_key", WHOLE, "", "63-bit hash of the customer's id; the id itself is never stored"),
    column("is_return", FLAG),
    column("returned_order_id", TEXT),
    column("returned_at", DATE),
)
RETURNS = (
    *KEY,
    column("period_start", DATE),
    column("period_end", DATE),
    column("sold_orders", WHOLE),
    column("returned_orders", WHOLE),
    column("sold_units", WHOLE),
    column("returned_units", WHOLE),
)
DELIVERIES = (
    column("supplier_id", TEXT),
    column("product_id", TEXT),
    column("promised_date", DATE),
    column("shipped_date", DATE),
    column("delivered_date", DATE),
)
LISTED = (
    *KEY,
    column("own_sku", TEXT),
    column("listed_price_cents", WHOLE, "minor units"),
    column("supplier_id", TEXT),
    column("listed_on", DATE),
)
SELLER_DECISIONS = (
    *KEY,
    column("decision", TEXT, "", "list, test, ask_quote, quoted, skip, gated, ip_risk, stop, category_pass, category_reject, brand_known"),
    column("decided_on", DATE),
    column("quoted_cost_cents", WHOLE, "minor units of the marketplace"),
    column("quote_valid_until", DATE),
    column("skip_until", DATE),
    column("own_sku", TEXT),
    column("listed_price_cents", WHOLE, "minor units"),
    column("note", TEXT),
    column("title", TEXT, "", "the listing's when a category decision was made; it expires when the title changes"),
    column("category_path", TEXT, "", "the listing's when a category decision was made; it expires when the category changes"),
)
SET_ASIDE = (
    column("file", TEXT, "", "path inside the dump, with /"),
    column("line", WHOLE, "", "physical line, counted from 1"),
    column("byte_offset", WHOLE, "bytes"),
    column("column", TEXT, "", "header of the cell at fault; null when the line as a whole does not fit"),
    column("kind", TEXT, "", "quote, width, control, encoding, header, value, currency, conflict ..."),
    column("message", TEXT, "", "what was wanted"),
    column("raw", TEXT, "", "the line as it stands, personal cells masked"),
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
