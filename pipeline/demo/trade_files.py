"""The files of a dump of the invented market about suppliers and the seller's own trade.

As in `files`: one week's table in pieces, all columns text.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.demo import text
from pipeline.demo.calendar import stream
from pipeline.demo.export_facts import World, active, pieces_of
from pipeline.demo.market import Flag, Real, Whole
from pipeline.demo.trade import BY_GTIN, BY_PRODUCT, BY_SKU, BY_SKU_UNMATCHED, CNY_PER_USD, DUTY_INCLUDED, DUTY_NAMED, SCOPES


def _skus(offers: Whole) -> pa.Array:
    return text.join("ART-", text.padded(offers + 10_000, 5))


def _offer_slices(world: World, week: int, which: Flag | None = None) -> Iterator[Whole]:
    on = active(world.market, week)[world.offers.product]
    return pieces_of(np.flatnonzero(on if which is None else on & which))


def offers(world: World, week: int) -> Iterator[pa.Table]:
    """`offers.csv`: every supplier's price list as quoted by the week's Sunday."""
    market, all_offers, suppliers = world.market, world.offers, world.suppliers
    as_of = market.calendar.as_of(week)
    goods = np.rint(all_offers.quoted_goods(as_of))
    age = all_offers.quote_age(as_of)
    dated = stream(market.seed, 44).random(len(all_offers))
    for rows in _offer_slices(world, week):
        product, supplier = all_offers.product[rows], all_offers.supplier[rows]
        pack = market.products.pack[product]
        rate = np.where(all_offers.is_cny[rows], CNY_PER_USD, 1.0)
        pieces = np.where(all_offers.is_per_piece[rows], pack, 1)
        handling = all_offers.handling_days[rows]
        duty, key = suppliers.duty[supplier], all_offers.key[rows]
        return_days = suppliers.return_days[supplier]
        quoted = as_of - age[rows]

        def cost(cents: Real, rate: Real = rate) -> pa.Array:
            return text.money(np.maximum(np.rint(cents * rate), 1).astype(np.int64))

        yield pa.table(
            {
                "supplier_id": text.supplier_ids(supplier),
                "product_id": text.only(text.fixed(market.asins(market.products.number[product])), key == BY_PRODUCT),
                "gtin": text.only(text.gtins(market, product, " "), key == BY_GTIN),
                "supplier_sku": text.only(_skus(rows), (key == BY_SKU) | (key == BY_SKU_UNMATCHED)),
                "unit_cost": cost(goods[rows] / pieces),
                "currency": text.pick(("USD", "CNY"), all_offers.is_cny[rows].astype(np.int64)),
                "marketplace": text.constant("US", len(rows)),
                "freight": cost(all_offers.freight[rows]),
                "freight_to": text.pick(SCOPES[:2], np.where(suppliers.scope[supplier] < 2, suppliers.scope[supplier], -1)),
                "shipping_cost": text.only(cost(all_offers.label[rows]), all_offers.is_label_named[rows]),
                "duty": text.only(
                    cost(goods[rows] * all_offers.duty_share[rows]), (duty == DUTY_NAMED) & (all_offers.duty_share[rows] > 0)
                ),
                "duty_included": text.pick(("yes",), np.where(duty == DUTY_INCLUDED, 0, -1)),
                "pack_quantity": text.whole(np.where(all_offers.is_per_piece[rows] | (dated[rows] < 0.7), pieces, -1)),
                "moq": text.whole(all_offers.moq[rows]),
                "quoted_at": text.dates(market, quoted),
                "valid_until": text.dates(market, quoted + 60, dated[rows] < 0.3),
                "title": text.only(
                    text.offer_titles(market, product, np.where(all_offers.is_pack_wrong[rows], 1, pack)),
                    all_offers.has_title[rows] & ~all_offers.is_per_piece[rows],
                ),
                "supplier_contact": text.only(
                    text.join("sales@sup-", text.padded(supplier + 1, 4), ".example"), suppliers.has_contact[supplier]
                ),
                "platform": text.platform_names(suppliers.platform[supplier]),
                "ship_from": text.pick(("US", "CN"), suppliers.is_abroad[supplier].astype(np.int64)),
                "handling_days_min": text.whole(np.where(handling < 0, -1, np.maximum(handling - 1, 0))),
                "handling_days_max": text.whole(handling),
                "stock": text.whole(all_offers.stock[rows]),
                "accepts_returns": text.pick(("no", "yes"), np.sign(return_days)),
                "return_days": text.whole(np.where(return_days > 0, return_days, -1)),
                "has_tracking": text.pick(("no", "yes"), all_offers.tracking[rows]),
            }
        )


def matches(world: World, week: int) -> Iterator[pa.Table]:
    """`matches.csv`: which product a supplier's own article number means."""
    for rows in _offer_slices(world, week, world.offers.key == BY_SKU):
        product = world.offers.product[rows]
        pieces = np.where(world.offers.is_per_piece[rows], world.market.products.pack[product], 1)
        yield pa.table(
            {
                "supplier_id": text.supplier_ids(world.offers.supplier[rows]),
                "supplier_sku": _skus(rows),
                "product_id": text.fixed(world.market.asins(world.market.products.number[product])),
                "marketplace": text.constant("US", len(rows)),
                "pack_quantity": text.whole(pieces),
            }
        )


def orders(world: World, week: int) -> Iterator[pa.Table]:
    """`orders.csv`: the seller's order lines since the dump before."""
    market, lines = world.market, world.orders
    for rows in pieces_of(np.flatnonzero(lines.week == week)):
        sale = _order_ids(lines.order[rows])
        is_return = lines.is_return[rows]
        yield pa.table(
            {
                "order_id": text.prefixed_where("RMA-", sale, is_return),
                "product_id": text.fixed(market.asins(market.products.number[lines.product[rows]])),
                "ordered_at": text.dates(market, lines.day[rows]),
                "quantity": text.whole(lines.quantity[rows]),
                "unit_price": text.money(lines.cents[rows]),
                "currency": text.constant("USD", len(rows)),
                "marketplace": text.constant("US", len(rows)),
                "customer_id": text.join("C", text.padded(lines.customer[rows], 5)),
                "is_return": text.yes_no(is_return),
                "returned_order_id": text.only(sale, lines.is_linked[rows]),
                "returned_at": text.dates(market, lines.returned_day[rows], lines.returned_day[rows] >= 0),
            }
        )


def _order_ids(numbers: Whole) -> pa.Array:
    # Factors without 2 and 5: the last part alone is different for ten million orders in a row.
    return text.join("114-", text.padded(numbers * 3_141_593 % 10_000_000, 7), "-", text.padded(numbers * 2_718_281 % 10_000_000, 7))


def returns(world: World, week: int) -> Iterator[pa.Table]:
    """`returns.csv`: orders sold and come back in periods that have become known."""
    market, counts = world.market, world.counts
    for rows in pieces_of(np.flatnonzero(counts.week == week)):
        yield pa.table(
            {
                "product_id": text.fixed(market.asins(market.products.number[counts.product[rows]])),
                "period_start": text.dates(market, counts.start[rows]),
                "period_end": text.dates(market, counts.end[rows]),
                "sold_orders": text.whole(counts.sold[rows]),
                "returned_orders": text.whole(counts.returned[rows]),
                "marketplace": text.constant("US", len(rows)),
                "sold_units": text.whole(counts.sold_units[rows]),
                "returned_units": text.whole(counts.returned_units[rows]),
            }
        )


def deliveries(world: World, week: int) -> Iterator[pa.Table]:
    """`deliveries.csv`: what left the suppliers since the dump before; what has not arrived by Sunday has no day of arrival."""
    market, done = world.market, world.deliveries
    for rows in pieces_of(np.flatnonzero(done.week == week)):
        product = done.product[rows]
        asins = text.fixed(market.asins(market.products.number[np.maximum(product, 0)]))
        yield pa.table(
            {
                "supplier_id": text.supplier_ids(done.supplier[rows]),
                "promised_date": text.dates(market, done.promised[rows]),
                "shipped_date": text.dates(market, done.shipped[rows]),
                "delivered_date": text.dates(market, done.delivered[rows], done.delivered[rows] <= market.calendar.as_of(week)),
                "product_id": text.only(asins, product >= 0),
            }
        )


def listed(world: World, week: int) -> Iterator[pa.Table]:
    """`listed.csv`: what the seller sells already."""
    market, live = world.market, world.listed
    for rows in pieces_of(np.flatnonzero(active(market, week)[live.product])):
        yield pa.table(
            {
                "product_id": text.fixed(market.asins(market.products.number[live.product[rows]])),
                "marketplace": text.constant("US", len(rows)),
                "own_sku": text.join("MY-", text.padded(live.product[rows] + 1, 6)),
                "listed_price": text.money(live.cents[rows]),
                "supplier_id": text.supplier_ids(live.supplier[rows]),
                "listed_on": text.dates(market, live.day[rows]),
            }
        )
