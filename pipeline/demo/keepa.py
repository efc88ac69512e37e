"""The invented market as an export of Keepa's Product Finder, saved again by a spreadsheet.

That form marks money by a locale code (`24.99 -409`), writes shares as fractions and dates as day numbers, ends each row with
a column without a name, and closes with a watermark in it. Blank means that Keepa does not know; it is never zero.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.demo import text
from pipeline.demo.catalog import DEPARTMENTS, REFERRAL, REFERRAL_ELSE
from pipeline.demo.export_facts import World, shown
from pipeline.demo.market import Real, Whole


def file_name(world: World, week: int) -> str:
    """`KeepaExport-2026-11-22-ProductFinder.csv`."""
    return f"KeepaExport-{world.market.calendar.date(world.market.calendar.as_of(week))}-ProductFinder.csv"


def referral_fees(world: World, rows: Whole, cents: Whole) -> Whole:
    """Amazon's fee on a price in cents, half up; only as fine as an effective rate needs."""
    catalogue = world.market.catalogue
    table = np.array([REFERRAL.get(key, REFERRAL_ELSE) for key in catalogue.fee_category])[world.market.products.line[rows]]
    rate = np.select([cents <= table[:, 1], cents <= table[:, 3]], [table[:, 0], table[:, 2]], table[:, 4])
    return np.maximum((cents * np.rint(rate * 100).astype(np.int64) + 50) // 100, 30)


def product_finder(world: World, week: int) -> Iterator[pa.Table]:
    """The rows of the export, then its watermark; the last column has no name."""
    market, products = world.market, world.market.products
    catalogue = market.catalogue
    names: list[str] = []
    for here in shown(world, week):
        rows, price = here.rows, here.price
        priced = price > 0
        fee = referral_fees(world, rows, np.maximum(price, 1))
        effective: Real = np.where(priced, fee / np.maximum(price, 1), np.nan)
        amazon = products.amazon_share[rows]
        grams, side = products.grams[rows], products.side_mm[rows]
        volume = side * (side * 7 // 10) * (side * 4 // 10) // 1000
        path = text.keepa_paths(text.pick(market.paths, products.shown_path[rows]))
        brand = np.where(products.is_brand_in_field[rows], products.brand[rows], -1)
        table = pa.table(
            {
                "Locale": text.constant("com", len(rows)),
                "Title": text.titles(market, rows),
                "Sales Rank: Current": text.whole(here.rank),
                "Bought in past month": text.whole(here.monthly_sold),
                "Return Rate": text.pick(("Low", "High"), here.return_flag),
                "Reviews: Rating": text.tenths(np.where(here.rating_count > 0, products.rating_tenths[rows], -1)),
                "Reviews: Rating Count": text.whole(np.where(here.rating_count > 0, here.rating_count, -1)),
                "Buy Box 🚚: Current": text.keepa_money(price),
                "Buy Box 🚚: 30 days avg.": text.keepa_money(here.avg30),
                "Buy Box 🚚: 90 days avg.": text.keepa_money(here.avg90),
                "Buy Box 🚚: 180 days avg.": text.keepa_money(here.avg180),
                "Buy Box 🚚: 90 days OOS": text.hundredths(here.out_of_stock_share),
                "Buy Box: % Amazon 90 days": text.hundredths(np.where(amazon > 0, amazon, np.nan)),
                "Buy Box: % Top Seller 90 days": text.hundredths(products.top_seller_share[rows]),
                "Buy Box: Standard Deviation 90 days": text.keepa_money(here.sd90, least=0),
                "Amazon: Current": text.keepa_money(np.where(amazon > 0, price, 0)),
                "New: Current": text.keepa_money(price),
                "Referral Fee %": text.ten_thousandths(effective),
                "Referral Fee based on current Buy Box price": text.keepa_money(np.where(priced, fee, 0)),
                "Total Offer Count": text.whole(products.sellers[rows]),
                "Listed since": text.only(text.excel_days(market, here.listed_day), here.has_listed_day),
                "Categories: Root": text.roots(path),
                "Categories: Tree": path,
                "ASIN": text.fixed(market.asins(products.number[rows])),
                "Product Codes: EAN": text.gtins(market, rows, ", "),
                "Parent ASIN": text.parents(market, rows),
                "Brand": text.pick(market.brands, brand),
                "Package: Dimension (cm³)": text.whole(np.where(grams > 0, volume, -1)),
                "Package: Weight (g)": text.whole(np.where(grams > 0, grams, -1)),
                "Batteries Required": text.yes_no(products.has_batteries[rows]),
                "Is HazMat": text.yes_no(products.is_hazmat[rows]),
                "Is heat sensitive": text.yes_no(catalogue.department[products.line[rows]] == DEPARTMENTS.index("food")),
                "": text.nothing(len(rows)),
            }
        )
        names = table.column_names
        yield table
    if names:
        day = market.calendar.date(market.calendar.as_of(week))
        watermark = f"Exported on {day} 21:40 (UTC) by ✜ Keepa.com"
        yield pa.table({name: text.nothing(1) if name else text.constant(watermark, 1) for name in names})
