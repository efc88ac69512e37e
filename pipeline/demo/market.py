"""Products of the invented market: identity, true values, and what the exports will show.

Every trait is drawn from a stream of its own (`stream`), so a change in one does not move the others. Whole columns at once:
a million products are a few dozen arrays.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.demo.calendar import Calendar, stream
from pipeline.demo.catalog import BRAND_STATES, COLOURS, DEPARTMENTS, GENERIC_TOKENS, ODD_PATHS, PACKS, Catalogue, load_catalogue
from pipeline.errors import UsageError
from pipeline.tables.calendar import checked_week, sunday_of

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flag = npt.NDArray[np.bool_]

# Which departments the market holds; the lines inside one share it by their weight.
DEPARTMENT_SHARES = (0.76, 0.08, 0.06, 0.06, 0.02, 0.01, 0.01)
# known, unknown, generic, missing
_BRAND_SHARES = {
    "other": (0.035, 0.72, 0.12, 0.125),
    "electronics": (0.40, 0.42, 0.10, 0.08),
    "apparel": (0.30, 0.40, 0.15, 0.15),
}
_BRAND_SHARES_ELSE = (0.25, 0.55, 0.10, 0.10)

# What is known of a product's returns (`Products.evidence`).
NONE, KEEPA_FLAG, ORDER_LINES, RETURN_COUNTS, SUMMED_COUNTS, BARE_RATE = range(6)
_MAX_ORDER_LINE_PRODUCTS = 20_000  # order lines are the bulkiest evidence: a million products have no more of them
_IDS = np.frombuffer(b"0123456789ABCDFGHJKLMNPQRSTVWXYZ", dtype=np.uint8)
_MASK = np.uint64((1 << 40) - 1)


@dataclass(frozen=True)
class Products:
    """One entry a product in every array; words and brands are positions in the catalogue's pools."""

    number: Whole  # 40 bits: the id without its `B0`
    parent: Whole  # the same for the variation family, -1 for none
    line: Whole  # what it is
    shown_path: Whole  # where it is filed: a line, `lines + i` = odd path i, -1 = blank
    brand_state: Whole
    brand: Whole  # position in `Market.brands`, -1 = none
    is_brand_in_field: Flag
    is_brand_in_title: Flag
    adjective: Whole
    material: Whole
    noun: Whole
    feature: Whole  # -1 = none
    pack: Whole  # 1 = single
    colour: Whole  # -1 = none
    form: Whole  # how the title puts it
    gtin: Whole  # eight digits, -1 = none
    has_valid_gtin: Flag
    base_cents: Whole
    grams: Whole  # 0 = unknown
    side_mm: Whole  # longest side
    rating_tenths: Whole
    rating_count: Whole
    demand: Real  # units a month
    sellers: Whole
    amazon_share: Real
    top_seller_share: Real
    is_hazmat: Flag
    has_batteries: Flag
    return_rate: Real
    evidence: Whole
    own_orders: Real  # the seller's own orders over 26 weeks, expected
    first_week: Whole
    last_week: Whole
    price_evidence: Whole  # 0 history and summary, 1 history, 2 summary, 3 current price, 4 no price at all

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Market:
    """Arguments, calendar, catalogue and products; prices and trade are drawn from it."""

    seed: int
    calendar: Calendar
    catalogue: Catalogue
    products: Products

    @cached_property
    def brands(self) -> tuple[str, ...]:
        """What `Products.brand` points into: small, known, generic."""
        return self.catalogue.small_brands + self.catalogue.known_brands.words + GENERIC_TOKENS

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """What `Products.shown_path` points into."""
        return self.catalogue.path + ODD_PATHS

    def asins(self, numbers: Whole) -> npt.NDArray[np.uint8]:
        """The ids as bytes, shape (n, 10)."""
        shifts = np.arange(35, -1, -5, dtype=np.uint64)
        text = np.empty((len(numbers), 10), dtype=np.uint8)
        text[:, 0], text[:, 1] = ord("B"), ord("0")
        text[:, 2:] = _IDS[((numbers.astype(np.uint64)[:, None] >> shifts) & np.uint64(31)).astype(np.int64)]
        return text


def _scramble(numbers: Whole, seed: int) -> Whole:
    """A permutation of the 40-bit numbers: ids look random and never meet."""
    key = np.uint64(int(stream(seed, 0).integers(1 << 40)))
    x = (numbers.astype(np.uint64) + key) & _MASK
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        x ^= x >> np.uint64(19)
        x = (x * np.uint64(multiplier)) & _MASK
    return (x ^ (x >> np.uint64(21))).astype(np.int64)


def _choose(rng: np.random.Generator, shares: tuple[float, ...] | Real, size: int) -> Whole:
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.minimum(np.searchsorted(edges / edges[-1], rng.random(size), side="right"), len(edges) - 1)


def _families(rng: np.random.Generator, n: int) -> Whole:
    """Family of each product: numbers that rise from 0; one product in six has siblings, two to four in a family."""
    sizes = _choose(rng, (0.0, 0.925, 0.045, 0.02, 0.01), n)
    return np.repeat(np.arange(n), sizes)[:n]


def _lines(rng: np.random.Generator, catalogue: Catalogue, n: int) -> Whole:
    weight = catalogue.weight.copy()
    for department, share in enumerate(DEPARTMENT_SHARES):
        inside = catalogue.department == department
        weight[inside] *= share / weight[inside].sum()
    return _choose(rng, weight, n)


def _shown_paths(rng: np.random.Generator, catalogue: Catalogue, line: Whole) -> Whole:
    """File 3 % wrongly (two in three of them restricted goods among harmless ones) and leave 3 % without a path."""
    n, lines = len(line), len(catalogue.path)
    restricted = np.isin(catalogue.department[line], [DEPARTMENTS.index(d) for d in ("electronics", "food", "apparel")])
    harmless = np.flatnonzero(catalogue.department == 0)
    u = rng.random(n)
    shown = np.where(restricted & (u < 0.10), harmless[rng.integers(len(harmless), size=n)], line)
    shown = np.where(~restricted & (u < 0.0125), lines + rng.integers(len(ODD_PATHS), size=n), shown)
    return np.where(u > 0.97, -1, shown)


def _brands(rng: np.random.Generator, catalogue: Catalogue, line: Whole) -> tuple[Whole, Whole]:
    n = len(line)
    department = catalogue.department[line]
    state = np.empty(n, dtype=np.int64)
    for number, name in enumerate(DEPARTMENTS):
        rows = np.flatnonzero(department == number)
        state[rows] = _choose(rng, _BRAND_SHARES.get(name, _BRAND_SHARES_ELSE), len(rows))
    small = len(catalogue.small_brands)
    some = min(small, max(40, n // 6))  # a small market has few brands, so that some hold several products
    order = rng.permutation(small)
    brand = order[np.minimum((rng.random(n) ** 1.5 * some).astype(np.int64), some - 1)]
    brand = np.where(state == 0, small + catalogue.known_brands.pick(line, rng.random(n)), brand)
    generic = small + len(catalogue.known_brands.words) + rng.integers(len(GENERIC_TOKENS), size=n)
    brand = np.where(state == BRAND_STATES.index("generic"), generic, brand)
    return state, np.where(state == BRAND_STATES.index("missing"), -1, brand)


def _evidence(rng: np.random.Generator, ratio: Real) -> Whole:
    """None 40 %, Keepa's flag 25 %, the seller's own records 33 %, a bare rate 2 %; flags go to the extremes."""
    n = len(ratio)
    lines = min(0.08, _MAX_ORDER_LINE_PRODUCTS / n)
    # 0.36 of all are eligible for a flag, 0.7 of those have a rate far enough from their category's mean.
    kind = _choose(rng, (0.29, 0.36, lines, 0.28 - lines, 0.05, 0.02), n)
    return np.where((kind == KEEPA_FLAG) & (ratio > 0.7) & (ratio < 1.3), NONE, kind)


def build_market(products: int, weeks: int, seed: int, until: str) -> Market:
    """Draw the products; raises `UsageError` for a week that is none or counts below one."""
    if products < 1 or weeks < 1 or seed < 0:
        raise UsageError("demo: products and weeks must be at least 1 and the seed not negative")
    calendar = Calendar(weeks, sunday_of(checked_week(until)) - dt.timedelta(days=6))
    catalogue = load_catalogue()
    n = products
    family = _families(stream(seed, 1), n)
    siblings = np.bincount(family)[family]
    rng = stream(seed, 2)
    line = _lines(rng, catalogue, int(family[-1]) + 1)[family]
    shown = _shown_paths(rng, catalogue, line)
    state, brand = (column[family] for column in _brands(rng, catalogue, line[np.searchsorted(family, np.arange(family[-1] + 1))]))
    parts: dict[str, Any] = {
        "number": _scramble(np.arange(n), seed),
        "parent": np.where(siblings > 1, _scramble(n + family, seed), -1),
        "line": line,
        "shown_path": shown,
        "brand_state": state,
        "brand": brand,
    }
    parts |= _titles(stream(seed, 3), catalogue, line, family, state)
    parts |= _sizes(stream(seed, 4), catalogue, line, family)
    parts |= _sales(stream(seed, 5), catalogue, line)
    parts |= _listings(stream(seed, 6), weeks, parts["demand"], _is_powered(catalogue, line))
    return Market(seed, calendar, catalogue, Products(**parts))


def _is_powered(catalogue: Catalogue, line: Whole) -> Flag:
    return np.isin(catalogue.department[line], [DEPARTMENTS.index(d) for d in ("electronics", "powered")])


def _titles(rng: np.random.Generator, catalogue: Catalogue, line: Whole, family: Whole, state: Whole) -> dict[str, Any]:
    """What the title says: one draw a family, but for the colour."""
    n, families = len(line), int(family[-1]) + 1
    siblings, rank = np.bincount(family)[family], np.arange(n) - np.searchsorted(family, family)
    adjective, material, noun, feature = (
        pool.pick(line, rng.random(families)[family])
        for pool in (catalogue.adjectives, catalogue.materials, catalogue.nouns, catalogue.features)
    )
    feature = np.where(rng.random(families)[family] < 0.75, feature, -1)
    pack = np.array(PACKS)[_choose(rng, (0.25, 0.15, 0.25, 0.04, 0.15, 0.06, 0.05, 0.05), families)][family]
    pack = np.where(catalogue.has_packs[line] & (rng.random(families)[family] < 0.65), pack, 1)
    colour = (rng.integers(len(COLOURS), size=families)[family] + rank) % len(COLOURS)
    colour = np.where((siblings > 1) | (rng.random(n) < 0.15), colour, -1)
    form = rng.integers(3, size=families)[family]
    in_title = (rng.random(families)[family] < 0.64) & (state < BRAND_STATES.index("generic"))
    # A known mark that stands only in the title: the brand field is blank.
    in_field = ~((state == 0) & in_title & (rng.random(n) < 0.15))
    names = ("adjective", "material", "noun", "feature", "pack", "colour", "form", "is_brand_in_title", "is_brand_in_field")
    return dict(zip(names, (adjective, material, noun, feature, pack, colour, form, in_title, in_field), strict=True))


def _sizes(rng: np.random.Generator, catalogue: Catalogue, line: Whole, family: Whole) -> dict[str, Any]:
    """Base price in cents, weight in grams (0: unknown) and the longest side in millimetres."""
    n, families = len(line), int(family[-1]) + 1
    wished = catalogue.median_cents[line] * np.exp(0.42 * rng.standard_normal(families))[family]
    wished = np.clip(wished * np.exp(0.03 * rng.standard_normal(n)), 399, 29_999)
    ending = _choose(rng, (0.6, 0.15, 0.25), families)[family]  # 24.99, 24.95, any
    dollars = np.round(wished / 100) * 100
    base = np.select([ending == 0, ending == 1], [dollars - 1, dollars - 5], np.round(wished))
    grams = np.round(catalogue.grams[line] * np.exp(0.5 * rng.standard_normal(families))[family])
    grams = np.where(rng.random(n) < 0.07, 0, np.maximum(grams, 20))
    side = np.round(90 * np.cbrt(np.maximum(grams, 50) / 50) * np.exp(0.2 * rng.standard_normal(n)))
    return {"base_cents": base.astype(np.int64), "grams": grams.astype(np.int64), "side_mm": side.astype(np.int64)}


def _sales(rng: np.random.Generator, catalogue: Catalogue, line: Whole) -> dict[str, Any]:
    """Demand, sellers' shares of the buy box, the true return rate, and what is known of it."""
    n = len(line)
    demand = np.exp(4.3 + 1.3 * rng.standard_normal(n))
    amazon = np.where(rng.random(n) < 0.12, rng.random(n), 0.0)
    strength = catalogue.return_strength[line]
    mean = catalogue.return_mean[line]
    rate = rng.beta(mean * strength, (1 - mean) * strength) * np.exp(0.2 * rng.standard_normal(n))
    rate = np.clip(rate, 0.002, 0.65)
    evidence = _evidence(rng, rate / mean)
    orders = np.minimum(np.exp(3.0 + 1.2 * rng.standard_normal(n)), 400.0)
    top_seller = np.where(rng.random(n) < 0.6, np.clip(rng.beta(3, 4, n), 0.05, 1), np.nan)
    names = ("demand", "amazon_share", "return_rate", "evidence", "own_orders", "top_seller_share")
    return dict(zip(names, (demand, amazon, rate, evidence, orders, top_seller), strict=True))


def _listings(rng: np.random.Generator, weeks: int, demand: Real, powered: Flag) -> dict[str, Any]:
    """Codes, ratings, flags and the weeks in which a product is listed; the order of the draws is part of the market."""
    n = len(demand)
    gtin = (np.arange(n) * 7_919 + int(rng.integers(10**8))) % 10**8
    late = rng.random(n) < (0.08 if weeks > 1 else 0.0)
    early = rng.random(n) < (0.05 if weeks > 1 else 0.0)
    first_week = np.where(late, rng.integers(weeks, size=n), 0)
    return {
        "first_week": first_week,
        "gtin": np.where(rng.random(n) < 0.12, -1, gtin),
        "has_valid_gtin": rng.random(n) >= 0.01,
        "rating_tenths": np.clip(np.round(43 + 4 * rng.standard_normal(n)), 21, 50).astype(np.int64),
        "rating_count": np.floor(demand * np.exp(1.2 + 0.9 * rng.standard_normal(n))).astype(np.int64),
        "sellers": 1 + rng.poisson(2.5, n),
        "is_hazmat": rng.random(n) < 0.015,
        "has_batteries": powered & (rng.random(n) < 0.6),
        "last_week": np.where(early, rng.integers(weeks, size=n).clip(first_week), weeks - 1),
        "price_evidence": _choose(rng, (0.52, 0.325, 0.10, 0.045, 0.01), n),
    }
