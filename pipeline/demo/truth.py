"""The truth behind the invented market, for tests and backtests; a run never reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from pipeline.demo import text
from pipeline.demo.catalog import BRAND_STATES, DEPARTMENTS
from pipeline.demo.export_facts import CHUNK, World
from pipeline.demo.prices import PROCESSES
from pipeline.demo.trade import best_offers, true_landed_cents

EVIDENCE = ("none", "keepa_flag", "order_lines", "return_counts", "summed_counts", "bare_rate")


def products(world: World) -> Iterator[pa.Table]:
    """Department, brand state, return rate, price process, and the supplier to use in the last week."""
    market, truth = world.market, world.market.products
    calendar, department = market.calendar, market.catalogue.department[truth.line]
    landed = true_landed_cents(market, world.suppliers, world.offers, calendar.as_of(calendar.weeks - 1))
    best = best_offers(world.suppliers, world.offers, landed, len(truth))
    weeks = tuple(calendar.name(week) for week in range(calendar.weeks))
    for start in range(0, len(truth), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(truth)))
        offer = np.maximum(best[rows], 0)
        supplier = world.offers.supplier[offer] if len(world.offers) else offer
        cents = landed[offer] if len(world.offers) else offer
        yield pa.table(
            {
                "product_id": text.fixed(market.asins(truth.number[rows])),
                "department": text.pick(DEPARTMENTS, department[rows]),
                "brand_state": text.pick(BRAND_STATES, truth.brand_state[rows]),
                "is_mislabelled": text.yes_no((truth.shown_path[rows] >= 0) & (truth.shown_path[rows] != truth.line[rows])),
                "is_gtin_valid": text.yes_no(truth.has_valid_gtin[rows]),
                "return_rate": text.ten_thousandths(truth.return_rate[rows]),
                "return_evidence": text.pick(EVIDENCE, truth.evidence[rows]),
                "price_process": text.pick(PROCESSES, world.steps.process[rows]),
                "base_price": text.money(truth.base_cents[rows]),
                "monthly_demand": text.whole(np.rint(truth.demand[rows]).astype(np.int64)),
                "best_supplier_id": text.only(text.supplier_ids(supplier), best[rows] >= 0),
                "best_landed_cost": text.only(text.money(np.rint(cents).astype(np.int64)), best[rows] >= 0),
                "first_week": text.pick(weeks, truth.first_week[rows]),
                "last_week": text.pick(weeks, truth.last_week[rows]),
            }
        )


def prices(world: World) -> Iterator[pa.Table]:
    """The price process itself, also where no export shows it, and 28 days beyond the last dump."""
    market, steps = world.market, world.steps
    for start in range(0, len(steps.product), CHUNK * 4):
        some = slice(start, start + CHUNK * 4)
        yield pa.table(
            {
                "product_id": text.fixed(market.asins(market.products.number[steps.product[some]])),
                "date": text.dates(market, steps.day[some]),
                "price": text.money(steps.cents[some]),
            }
        )


def offers(world: World) -> Iterator[pa.Table]:
    """What a unit really costs at the buyer's door from each supplier, in the last week."""
    market, all_offers = world.market, world.offers
    landed = true_landed_cents(market, world.suppliers, all_offers, market.calendar.as_of(market.calendar.weeks - 1))
    for start in range(0, len(all_offers), CHUNK):
        some = slice(start, start + CHUNK)
        yield pa.table(
            {
                "supplier_id": text.supplier_ids(all_offers.supplier[some]),
                "product_id": text.fixed(market.asins(market.products.number[all_offers.product[some]])),
                "landed_cost": text.money(np.rint(landed[some]).astype(np.int64)),
                "is_pack_wrong": text.yes_no(all_offers.is_pack_wrong[some]),
            }
        )


def suppliers(world: World) -> Iterator[pa.Table]:
    """The suppliers' true lateness."""
    every = world.suppliers
    yield pa.table(
        {
            "supplier_id": text.supplier_ids(np.arange(len(every))),
            "late_rate": text.ten_thousandths(every.late_rate),
            "platform": text.platform_names(every.platform),
        }
    )


TABLES: dict[str, Callable[[World], Iterator[pa.Table]]] = {
    "products": products,
    "prices": prices,
    "offers": offers,
    "suppliers": suppliers,
}
