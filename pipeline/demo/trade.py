"""Suppliers and their offers in the invented market.

Suppliers' traits come from evenly spread numbers (multiples of an irrational share), so that seven suppliers are as mixed as
seven thousand. An offer is quoted anew every few weeks; cost and date of a quote follow from the day alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.demo.calendar import stream
from pipeline.demo.market import Flag, Market, Real, Whole

PLATFORMS = ("cj", "spocket", "wholesale", "1688", "taobao", "aliexpress", "")
_PLATFORM_SHARES = (0.36, 0.22, 0.20, 0.12, 0.03, 0.03, 0.04)
ALLOWED_PLATFORMS = 4  # the first four
SCOPES = ("buyer", "agent", "")
OFFER_SHARES = (0.35, 0.26, 0.20, 0.12, 0.07)  # products with 0, 1 ... 4 offers
CNY_PER_USD = 7.1
# Cost of the goods as a share of the price, beta distributed with mean 0.47: of the quoted products in the price band about
# one in fourteen passes every default rule (with a mean of a third it would be one in five).
GOODS_SHARE = (4.7, 5.3)
WRONG_PACK_FREIGHT = 0.4  # one piece makes a smaller parcel, too
TRUE_DUTY = 0.20  # of the goods, where an offer from abroad does not say
DUTY_NONE, DUTY_NAMED, DUTY_INCLUDED = range(3)
BY_PRODUCT, BY_SKU, BY_SKU_UNMATCHED, BY_GTIN = range(4)


@dataclass(frozen=True)
class Suppliers:
    """One entry a supplier; -1 = the supplier does not say."""

    platform: Whole
    is_abroad: Flag
    duty: Whole
    handling_days: Whole  # longest, of most of its goods
    tracking: Whole  # 1 yes, 0 no
    has_contact: Flag
    scope: Whole  # how far freight reaches: position in SCOPES
    return_days: Whole  # 0 = no returns
    late_rate: Real
    deliveries: Real  # over 26 weeks, expected

    def __len__(self) -> int:
        return len(self.platform)


@dataclass(frozen=True)
class Offers:
    """One entry an offer, ordered by product; money in US cents per unit of the listing, before the quote's own noise."""

    product: Whole
    supplier: Whole
    goods: Real
    freight: Real
    label: Real
    duty_share: Real
    handling_days: Whole  # longest; -1 = not said
    tracking: Whole
    is_cny: Flag
    is_label_named: Flag
    is_pack_wrong: Flag  # the quote is for one piece of a pack: far too cheap
    is_per_piece: Flag  # rightly so: pack_quantity says how many pieces make a unit
    key: Whole
    has_title: Flag
    stock: Whole  # -1 = not said
    moq: Whole
    period: Whole  # days between two quotes
    phase: Whole

    def __len__(self) -> int:
        return len(self.product)

    def quote_age(self, day: int) -> Whole:
        """How old the quote in force is, in days."""
        return (day + self.phase) % self.period

    def quoted_goods(self, day: int) -> Real:
        """Cost of the goods in the quote in force, US cents: each quote moves by up to 3 %."""
        version = (day + self.phase) // self.period
        mixed = (np.arange(len(self), dtype=np.uint64) << np.uint64(20)) + version.astype(np.uint64)
        for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(multiplier)
        noise = (mixed >> np.uint64(40)).astype(np.float64) / 2**24
        return self.goods * (0.97 + 0.06 * noise)


def _even(rng: np.random.Generator, prime: int, size: int) -> Real:
    """Numbers in 0..1 that cover it evenly for any size, shuffled among the suppliers only by their start."""
    return np.mod(rng.random() + np.arange(size) * np.sqrt(prime), 1.0)


def _by_share(u: Real, shares: tuple[float, ...]) -> Whole:
    return np.minimum(np.searchsorted(np.cumsum(shares), u, side="right"), len(shares) - 1)


def build_suppliers(market: Market) -> Suppliers:
    """Draw max(6, products / 40) suppliers."""
    n = max(6, len(market.products) // 40)
    rng = stream(market.seed, 20)
    platform = _by_share(_even(rng, 2, n), _PLATFORM_SHARES)
    abroad = ((platform >= 3) & (platform <= 5)) | (_even(rng, 3, n) < 0.08)
    duty = np.where(abroad, _by_share(_even(rng, 5, n), (0.20, 0.45, 0.35)), _by_share(_even(rng, 7, n), (0.5, 0.0, 0.5)))
    handling = np.array([1, 2, 0, 3, 4, 5, -1])[_by_share(_even(rng, 11, n), (0.42, 0.24, 0.09, 0.09, 0.05, 0.05, 0.06))]
    return Suppliers(
        platform=platform,
        is_abroad=abroad,
        duty=duty,
        handling_days=handling,
        tracking=np.array([1, 0, -1])[_by_share(_even(rng, 13, n), (0.90, 0.04, 0.06))],
        has_contact=_even(rng, 17, n) < 0.88,
        scope=_by_share(_even(rng, 19, n), (0.60, 0.30, 0.10)),
        return_days=np.array([30, 15, 0, -1])[_by_share(_even(rng, 23, n), (0.5, 0.2, 0.2, 0.1))],
        late_rate=np.clip(rng.beta(1.1, 32.0, n), 0.001, 0.6),
        deliveries=200.0 * _even(rng, 29, n) ** 2,
    )


def _offered_by(rng: np.random.Generator, n: int, suppliers: int) -> tuple[Whole, Whole]:
    """Product and supplier of each offer: zero to four a product, each from another supplier."""
    count = np.minimum(np.searchsorted(np.cumsum(OFFER_SHARES), rng.random(n), side="right"), len(OFFER_SHARES) - 1)
    product = np.repeat(np.arange(n), count)
    rank = np.arange(len(product)) - np.repeat(np.cumsum(count) - count, count)
    # A start and a stride below a third of the suppliers: the four can never meet.
    start, stride = rng.integers(suppliers, size=n), rng.integers(1, (suppliers - 1) // 3 + 1, size=n)
    return product, (start[product] + rank * stride[product]) % suppliers


def build_offers(market: Market, suppliers: Suppliers) -> Offers:
    """Draw zero to four offers a product, each from another supplier."""
    products = market.products
    n = len(products)
    product, supplier = _offered_by(stream(market.seed, 21), n, len(suppliers))
    m = len(product)
    rng = stream(market.seed, 22)
    share = rng.beta(*GOODS_SHARE, n)[product] * np.exp(0.09 * rng.standard_normal(m))
    pack = products.pack[product]
    u = rng.random(m)
    wrong, per_piece = (pack > 1) & (u < 0.075), (pack > 1) & (u > 0.88)
    goods = np.maximum(products.base_cents[product] * np.minimum(share, 0.97), 25.0)
    goods = np.where(wrong, np.maximum(goods / pack, 5.0), goods)
    grams = np.where(products.grams[product] > 0, products.grams[product], 400).astype(np.float64)
    noise = np.exp(0.15 * rng.standard_normal(m))
    to_buyer = suppliers.scope[supplier] == 0
    freight = np.where(to_buyer, 210 + 0.22 * np.minimum(grams, 3000), 30 + 0.06 * grams) * noise
    freight = np.where(wrong, WRONG_PACK_FREIGHT * freight, freight)
    cny = (suppliers.platform[supplier] == PLATFORMS.index("1688")) & (rng.random(m) < 0.25)

    rng = stream(market.seed, 24)  # some goods take longer, go untracked, or nobody says
    handling, tracking = suppliers.handling_days[supplier], suppliers.tracking[supplier]
    u = rng.random(m)
    handling = np.select([u < 0.02, (u < 0.09) & (handling >= 0)], [-1, handling + rng.integers(1, 4, size=m)], handling)
    u = rng.random(m)
    tracking = np.select([u < 0.015, u < 0.035], [0, -1], tracking)

    rng = stream(market.seed, 23)
    key = np.array([BY_PRODUCT, BY_SKU, BY_SKU_UNMATCHED, BY_GTIN])[_by_share(rng.random(m), (0.88, 0.067, 0.003, 0.05))]
    has_gtin = (products.gtin[product] >= 0) & products.has_valid_gtin[product]
    stock = np.where(rng.random(m) < 0.7, np.floor(np.exp(4.5 + 1.5 * rng.standard_normal(m))), -1).astype(np.int64)
    wholesale = suppliers.platform[supplier] == PLATFORMS.index("wholesale")
    slow = rng.random(m) < 0.35
    period = np.where(slow, rng.integers(35, 61, size=m), rng.integers(7, 31, size=m))
    return Offers(
        product=product,
        supplier=supplier,
        goods=goods,
        freight=freight,
        label=320 + 0.25 * np.minimum(grams, 3000),
        duty_share=np.where(suppliers.is_abroad[supplier], rng.uniform(0.10, 0.28, m), 0.0),
        handling_days=handling,
        tracking=tracking,
        is_cny=cny,
        is_label_named=~to_buyer & (rng.random(m) < 0.4),
        is_pack_wrong=wrong,
        is_per_piece=per_piece,
        key=np.where((key == BY_GTIN) & ~has_gtin, BY_PRODUCT, key),
        has_title=(rng.random(m) < np.where(wrong, 0.6, 0.35)) | (key == BY_SKU_UNMATCHED),
        stock=stock,
        moq=np.where(wholesale & (rng.random(m) < 0.5), rng.integers(2, 25, size=m), 1),
        period=period,
        phase=rng.integers(0, 61, size=m),
    )


def true_landed_cents(market: Market, suppliers: Suppliers, offers: Offers, day: int) -> Real:
    """What a unit really costs at the buyer's door, US cents: wrong packs set right, duty and label paid."""
    goods = offers.quoted_goods(day) * np.where(offers.is_pack_wrong, market.products.pack[offers.product], 1)
    freight = np.where(offers.is_pack_wrong, offers.freight / WRONG_PACK_FREIGHT, offers.freight)
    duty = suppliers.duty[offers.supplier]
    share = np.select([duty == DUTY_NAMED, duty == DUTY_INCLUDED], [offers.duty_share, 0.0], TRUE_DUTY)
    share = np.where(suppliers.is_abroad[offers.supplier], share, 0.0)
    return goods * (1 + share) + freight + np.where(suppliers.scope[offers.supplier] == 0, 0.0, offers.label)


def best_offers(suppliers: Suppliers, offers: Offers, landed: Real, products: int) -> Whole:
    """Each product's cheapest offer that may be used, -1 = none: platform allowed, tracked, at most two days' handling."""
    allowed = (suppliers.platform[offers.supplier] < ALLOWED_PLATFORMS) & (offers.tracking == 1)
    usable = np.flatnonzero(allowed & (offers.handling_days >= 0) & (offers.handling_days <= 2))
    order = usable[np.lexsort((offers.supplier[usable], landed[usable], offers.product[usable]))]
    best = np.full(products, -1, dtype=np.int64)
    best[offers.product[order][::-1]] = order[::-1]  # written from the dearest up: the cheapest stays
    return best
