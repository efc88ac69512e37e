"""Costs of an offer when the goods leave for the buyer: goods, freight, duty, import VAT and label in the marketplace's currency.

A cost that is not stated is missing, never 0: freight is, unless the offer states the label (then freight is part of it); the label is
the carrier's by weight and size, else assumed by weight; duty is nil for goods from where the marketplace levies none, or where the
offer says that it is included, and else what the border takes on that day, if that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.plan import ExchangeRate, Money, Plan
from pipeline.costs.customs import ImportRule
from pipeline.costs.fees import PPM, half_up
from pipeline.tables.columns import Columns
from pipeline.tables.frames import flag, real, text, whole

_E4 = 10_000  # a supplier's cost is kept in ten-thousandths of its currency


@dataclass(frozen=True)
class Rates:
    """Exchange rates in force: (from, to) -> (rate, age in days)."""

    table: Mapping[tuple[str, str], tuple[float, int]]

    @classmethod
    def on(cls, rates: tuple[ExchangeRate, ...], as_of: int) -> Rates:
        """The newest rate on or before a day (days since 1970-01-01) for each pair of currencies."""
        table: dict[tuple[str, str], tuple[float, int]] = {}
        for rate in sorted(rates, key=lambda r: r.date):
            age = as_of - int(np.datetime64(rate.date, "D").astype(np.int64))
            if age >= 0:
                table[rate.from_, rate.to] = (rate.rate, age)
        return cls(table)

    def find(self, own: str, target: str) -> tuple[float, int] | None:
        """(units of `target` for one of `own`, age in days): the dated rate, else the other way round turned over, else None."""
        if own == target:
            return 1.0, 0
        turned = self.table.get((target, own))
        return self.table.get((own, target)) or (None if turned is None else (1 / turned[0], turned[1]))


def rate_counts(frame: pd.DataFrame) -> dict[str, int]:
    """How many chosen offers lack an exchange rate or use an old one: `missing CNY USD` -> count, `old EUR USD` -> count."""
    pairs = frame["supplier_currency"].astype(object).fillna("") + " " + frame["currency"].astype(object).fillna("")
    found: dict[str, int] = {}
    for word, column in (("missing", "lacks_rate"), ("old", "is_rate_old")):
        for pair, count in pairs[flag(frame, column)[0]].value_counts().items():
            found[f"{word} {pair}"] = int(count)
    return dict(sorted(found.items()))


def converted(amount_e4: np.ndarray, rate: np.ndarray | float, scale: np.ndarray | int) -> np.ndarray:
    """Ten-thousandths of one currency as minor units of another, half up; a hair above the half, so that a rate which floating point
    cannot hold rounds as it is written."""
    return np.floor(amount_e4 * rate * scale / _E4 + 0.5 + 1e-9).astype(np.int64)


@dataclass(frozen=True)
class Buying:
    """What offers are judged by: the plan, exchange rates in force, decimals by currency, by marketplace the origins that pay no duty and
    what goods from elsewhere pay on the day, and the day (days since 1970-01-01)."""

    plan: Plan
    rates: Rates
    digits: Mapping[str, int]
    duty_free: Mapping[str, frozenset[str]]
    imports: Mapping[str, tuple[ImportRule, ...]]
    as_of: int


@dataclass(frozen=True)
class OfferCosts:
    """Cost lines of m offers in minor units of their candidate's currency (0 where not known), and what is known or assumed of them."""

    unit: np.ndarray
    freight: np.ndarray
    duty: np.ndarray
    import_vat: np.ndarray
    label: np.ndarray
    has_rate: np.ndarray
    has_freight: np.ndarray
    has_duty: np.ndarray
    has_label: np.ndarray
    is_duty_assumed: np.ndarray
    is_duty_unknown: np.ndarray  # taken as nil, to be asked
    duty_basis: np.ndarray  # stated, included, domestic, border, assumed or unknown
    is_import_vat_assumed: np.ndarray
    is_import_vat_unknown: np.ndarray
    is_label_assumed: np.ndarray
    is_label_heavy: np.ndarray
    is_rate_old: np.ndarray
    is_freight_scope_unknown: np.ndarray

    @property
    def landed(self) -> np.ndarray:
        """Goods, freight, duty and import VAT, per unit sold."""
        return self.unit + self.freight + self.duty + self.import_vat

    @property
    def is_complete(self) -> np.ndarray:
        """Is every cost known or assumed by rule?"""
        return self.has_rate & self.has_freight & self.has_duty & self.has_label


_LISTING = ["marketplace", "currency", "price_cents", "package_weight_g", "package_length_mm", "package_width_mm", "package_height_mm"]


def offer_costs(offers: pd.DataFrame, candidates: Columns, buying: Buying) -> OfferCosts:
    """Cost lines of each offer (columns of `tables.schemas.OFFERS` and `row`, the position of its candidate)."""
    plan = buying.plan
    row = np.maximum(offers["row"].to_numpy(dtype=np.int64), 0)
    own = text(offers, "currency")
    listings = candidates[_LISTING]
    products = Columns(listings.iloc[row] if len(candidates) else listings.reindex(range(len(row))))
    target = text(products, "currency")
    rate, has_rate, age = _rate(own, target, buying.rates)
    scale = np.array([10 ** buying.digits.get(currency or "", 2) for currency in target], dtype=np.int64)

    def cents(name: str, times: np.ndarray | int = 1) -> tuple[np.ndarray, np.ndarray]:
        value, known = whole(offers, name)
        return np.where(own == target, half_up(value * times * scale, _E4), converted(value * times, rate, scale)), known

    packs, has_packs = whole(offers, "pack_quantity")
    unit, _ = cents("unit_cost_e4", np.where(has_packs, packs, 1))
    freight, has_freight = cents("freight_e4")
    stated_label, has_stated_label = cents("shipping_cost_e4")
    scope = freight_scope(offers, plan)
    border = _border(offers, products, buying)
    duty, duty_basis = _duty(offers, unit, cents("duty_e4"), border, plan)
    # Neither origin nor duty is stated: duty is taken as zero and asked for. Stated as not included, without an amount: it is required.
    duty_unknown = (duty_basis == "unknown") & border.is_silent & ~flag(offers, "duty_included")[1]
    has_duty = (duty_basis != "unknown") | duty_unknown
    owes_vat = border.owes_vat & (duty_basis != "included")
    vat_share = plan.costs.assumed_import_vat_share
    import_vat = half_up((unit + freight + duty) * round((vat_share or 0.0) * PPM), PPM)

    assumed_label, can_assume, by_carrier, heavy = label_costs(products, plan, buying.digits)
    reaches_buyer = scope == "buyer"
    label = np.where(has_stated_label, stated_label, np.where(reaches_buyer, 0, assumed_label))
    assumed = ~has_stated_label & ~reaches_buyer & can_assume & ~by_carrier
    has_label = has_stated_label | reaches_buyer | can_assume
    return OfferCosts(
        unit=unit,
        freight=np.where(has_freight, freight, 0),
        duty=np.where(has_duty, duty, 0),
        import_vat=np.where(owes_vat, import_vat, 0),
        label=np.where(has_label, label, 0),
        has_rate=has_rate,
        has_freight=has_freight | (has_stated_label & ~reaches_buyer),
        has_duty=has_duty,
        has_label=has_label,
        is_duty_assumed=duty_basis == "assumed",
        is_duty_unknown=duty_unknown,
        duty_basis=duty_basis,
        is_import_vat_assumed=owes_vat & (vat_share is not None),
        is_import_vat_unknown=owes_vat & (vat_share is None),
        is_label_assumed=assumed,
        is_label_heavy=assumed & heavy,
        is_rate_old=age > plan.exchange.rate_age_days_max,
        is_freight_scope_unknown=scope == "unknown",
    )


def _rate(own: np.ndarray, target: np.ndarray, rates: Rates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rate, known, age = np.ones(len(own)), np.ones(len(own), dtype=bool), np.zeros(len(own), dtype=np.int64)
    for pair in sorted({(a, b) for a, b in zip(own, target, strict=True) if a != b and a and b}):
        here = (own == pair[0]) & (target == pair[1])
        found = rates.table.get(pair)
        rate[here], age[here], known[here] = (found[0], found[1], True) if found else (0.0, 0, False)
    return rate, known, age


def freight_scope(offers: pd.DataFrame, plan: Plan) -> np.ndarray:
    """How far each offer's freight reaches: the offer's word, else the supplier's, else the plan's."""
    named = {name: facts.freight_to for name, facts in plan.suppliers.items() if facts.freight_to}
    reported = zip(text(offers, "freight_to"), text(offers, "supplier_id"), strict=True)
    return np.array(
        [(scope if scope != "unknown" else None) or named.get(who) or plan.costs.freight_to for scope, who in reported], dtype=object
    )


# Names of the commonest origins that price lists write instead of the ISO code.
_COUNTRIES = {"USA": "US", "U.S.": "US", "U.S.A.": "US", "UNITED STATES": "US", "美国": "US", "CHINA": "CN", "中国": "CN", "GERMANY": "DE"}


def _country(name: str) -> str:
    folded = name.strip().upper()
    return _COUNTRIES.get(folded, folded)


@dataclass(frozen=True)
class _Border:
    """Import facts of m offers: origin unknown, origin domestic, and the duty and VAT in force on the day."""

    is_silent: np.ndarray
    is_domestic: np.ndarray
    duty: np.ndarray  # minor units an item, -1 where it is by product or nothing is known
    owes_vat: np.ndarray  # VAT is due at the border, or nobody says that it is not


def _border(offers: pd.DataFrame, products: Columns, buying: Buying) -> _Border:
    """One look at the rules for every pair of marketplace and origin that occurs."""
    named = {name: facts.ship_from for name, facts in buying.plan.suppliers.items() if facts.ship_from}
    reported = zip(text(offers, "ship_from"), text(offers, "supplier_id"), strict=True)
    origin = np.array([_country(code or named.get(who) or "") for code, who in reported], dtype=object)
    market, value = text(products, "marketplace"), whole(products, "price_cents")[0]
    silent = origin == ""
    domestic, owes = np.zeros(len(offers), dtype=bool), np.zeros(len(offers), dtype=bool)
    duty = np.full(len(offers), -1, dtype=np.int64)
    for where, place in sorted({(m, o) for m, o in zip(market, origin, strict=True) if m and o}):
        here = (market == where) & (origin == place)
        domestic |= here & (place in buying.duty_free.get(where, ()))
        open_rows = here & ~domestic
        for rule in buying.imports.get(where, ()):
            if rule.fits(place):
                fits = open_rows & (value <= rule.value_max if rule.value_max is not None else True)
                duty = np.where(fits & (rule.duty_per_item is not None), rule.duty_per_item or 0, duty)
                owes |= fits & (rule.vat == "unknown")
                open_rows &= ~fits
        owes |= open_rows
    return _Border(silent, domestic, duty, owes)


def _duty(
    offers: pd.DataFrame, goods: np.ndarray, stated: tuple[np.ndarray, np.ndarray], border: _Border, plan: Plan
) -> tuple[np.ndarray, np.ndarray]:
    """Duty of each offer in minor units, and where the figure comes from."""
    included, included_known = flag(offers, "duty_included")
    value, known = stated
    share = plan.costs.assumed_duty_share
    basis = np.select(
        [included_known & included, known, border.is_domestic, border.duty >= 0, np.full(len(goods), share is not None)],
        ["included", "stated", "domestic", "border", "assumed"],
        "unknown",
    ).astype(object)
    assumed = half_up(goods * round((share or 0.0) * PPM), PPM)
    amount = np.select([basis == "stated", basis == "border", basis == "assumed"], [value, border.duty, assumed], 0)
    return amount, basis


def label_costs(products: Columns, plan: Plan, digits: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The label to the buyer of n products (columns `currency` and `package_*`).

    Returns (minor units, mask of the known or assumable, mask of those that are a carrier's price, mask of those too heavy to assume
    without a look).
    """
    codes, names = pd.factorize(products["currency"])
    weight = real(products, "package_weight_g")
    sides = [real(products, f"package_{side}_mm") for side in ("length", "width", "height")]
    n = len(products)
    cost, known, carrier, heavy = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for place, code in enumerate(names):
        money = plan.money.get(code)
        if money is None:
            continue
        here = codes == place
        scale = 10 ** digits.get(code, 2)
        charged = _charged_weight(weight[here], [side[here] for side in sides], money)
        by_table = _by_table(charged, money)
        assumed = np.where(np.isnan(weight[here]), money.label_cost_unknown_weight, money.label_cost)
        cost[here] = np.rint(np.where(np.isnan(by_table), assumed, by_table) * scale).astype(np.int64)
        carrier[here] = ~np.isnan(by_table)
        with np.errstate(invalid="ignore"):
            heavy[here] = (charged > money.label_weight_review_g) & np.isnan(by_table)
        known |= here
    return cost, known, carrier, heavy


def _charged_weight(weight: np.ndarray, sides: list[np.ndarray], money: Money) -> np.ndarray:
    """Grams that a carrier charges: the weight, or the volume's where the carrier's divisor is known and it is more."""
    if money.label_cm3_per_kg is None or not money.label_rates:
        return weight
    grams = sides[0] * sides[1] * sides[2] / money.label_cm3_per_kg  # cubic millimetres / 1000 x 1000 grams
    return np.where(np.isnan(weight) | np.isnan(grams), weight, np.maximum(weight, grams))


def _by_table(grams: np.ndarray, money: Money) -> np.ndarray:
    """The carrier's price in major units, NaN where the plan's table does not reach or the weight is unknown."""
    if not money.label_rates:
        return np.full(len(grams), np.nan)
    bounds, costs = np.array(money.label_rates, dtype=np.float64).T
    step = np.searchsorted(bounds, grams - 1e-9, side="left")  # NaN is placed behind the last
    return np.append(costs, np.nan)[step]
