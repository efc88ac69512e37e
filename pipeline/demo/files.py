"""The files of a dump of the invented market, in the program's own CSV form: candidates and their prices.

Every function gives one week's table in pieces of bounded size, all columns text, in the order of products; a table that has
nothing to tell in a week gives no piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from pipeline.demo import text
from pipeline.demo.calendar import stream
from pipeline.demo.export_facts import World, active, shown, slices
from pipeline.demo.market import BARE_RATE
from pipeline.demo.records import summed_counts
from pipeline.demo.trade_files import deliveries, listed, matches, offers, orders, returns


def candidates(world: World, week: int) -> Iterator[pa.Table]:
    """`candidates.csv` of a week."""
    market, products = world.market, world.market.products
    sold, returned = summed_counts(market, week)
    # Only where a product is filed right: the fee of a wrongly filed one is what the seller would have to find out.
    says_fee = (stream(market.seed, 42).random(len(products)) < 0.6) & (products.shown_path == products.line)
    stated = np.where(products.evidence == BARE_RATE, products.return_rate, np.nan)
    for here in shown(world, week):
        rows = here.rows
        grams, side = products.grams[rows], products.side_mm[rows]
        known = grams > 0
        brand = np.where(products.is_brand_in_field[rows], products.brand[rows], -1)
        yield pa.table(
            {
                "product_id": text.fixed(market.asins(products.number[rows])),
                "title": text.titles(market, rows),
                "price": text.money(here.price),
                "currency": text.constant("USD", len(rows)),
                "marketplace": text.constant("US", len(rows)),
                "brand": text.pick(market.brands, brand),
                "category_path": text.pick(market.paths, products.shown_path[rows]),
                "gtin": text.gtins(market, rows, " "),
                "fee_category": text.pick(market.catalogue.fee_category, np.where(says_fee[rows], products.line[rows], -1)),
                "avg30_price": text.money(here.avg30),
                "avg90_price": text.money(here.avg90),
                "avg180_price": text.money(here.avg180),
                "sd90_price": text.money(here.sd90, least=0),
                "out_of_stock_share_90": text.hundredths(here.out_of_stock_share),
                "amazon_share_90": text.hundredths(products.amazon_share[rows]),
                "rating": text.tenths(np.where(here.rating_count > 0, products.rating_tenths[rows], -1)),
                "rating_count": text.whole(here.rating_count),
                "sales_rank": text.whole(here.rank),
                "monthly_sold": text.whole(here.monthly_sold),
                "offer_count": text.whole(products.sellers[rows]),
                "package_weight_g": text.whole(np.where(known, grams, -1)),
                "package_length_mm": text.whole(np.where(known, side, -1)),
                "package_width_mm": text.whole(np.where(known, side * 7 // 10, -1)),
                "package_height_mm": text.whole(np.where(known, side * 4 // 10, -1)),
                "is_hazmat": text.yes_no(products.is_hazmat[rows]),
                "return_flag": text.pick(("low", "high"), here.return_flag),
                "return_rate": text.hundredths(stated[rows]),
                "sold_orders": text.whole(sold[rows]),
                "returned_orders": text.whole(returned[rows]),
                "listed_since": text.dates(market, here.listed_day, here.has_listed_day),
                "parent_id": text.parents(market, rows),
            }
        )


def price_history(world: World, week: int) -> Iterator[pa.Table]:
    """`price_history.csv`: a row on each day of change, for some products on Sundays too; in later weeks seven days of it."""
    market, products, steps = world.market, world.market.products, world.steps
    since, as_of = market.calendar.since(week), market.calendar.as_of(week)
    n = len(products)
    has = active(market, week) & np.isin(products.price_evidence, [0, 1])
    weekly = stream(market.seed, 43).random(n) < 0.15
    sundays = np.arange(since + 6, as_of + 1, 7)
    for low, high, rows in slices(market, has):
        here = steps.of(low, high)
        reported = has[low:high][here.product] & (here.day >= since) & (here.day <= as_of)
        polled = rows[weekly[rows]] - low
        # A product that enters the market in this week begins with its first day.
        entered = rows[(products.first_week[rows] == week) & (week > 0)] - low
        keys = np.unique(
            np.concatenate(
                [
                    here.product[reported] * here.span + here.day[reported],
                    (polled[:, None] * here.span + sundays).ravel(),
                    entered * here.span + since,
                ]
            )
        )
        if not len(keys):
            continue
        product, day = keys // here.span, keys % here.span
        yield pa.table(
            {
                "product_id": text.fixed(market.asins(products.number[product + low])),
                "date": text.dates(market, day),
                "price": text.money(here.price(product, day)),
                "currency": text.constant("USD", len(keys)),
                "marketplace": text.constant("US", len(keys)),
            }
        )


TABLES: dict[str, Callable[[World, int], Iterator[pa.Table]]] = {
    "candidates": candidates,
    "price_history": price_history,
    "offers": offers,
    "matches": matches,
    "orders": orders,
    "returns": returns,
    "deliveries": deliveries,
    "listed": listed,
}
