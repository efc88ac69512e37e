"""What an offer's goods cost when they leave for the buyer: goods, freight, duty and label in the marketplace's currency.

A cost that is not told is missing, never 0: freight is, unless the offer states the label (then freight is part of it); the label is
assumed by weight; duty is nil for goods from where the marketplace levies none, or where the offer says that it is included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.fees import PPM, half_up
from pipeline.frames import flag, real, text, whole
from pipeline.plan import ExchangeRate, Plan

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


@dataclass(frozen=True)
class Buying:
    """What offers are judged by: the plan, exchange rates in force, decimals by currency, origins that pay no duty by marketplace, and
    the day (days since 1970-01-01)."""

    plan: Plan
    rates: Rates
    digits: Mapping[str, int]
    duty_free: Mapping[str, frozenset[str]]
    as_of: int


@dataclass(frozen=True)
class OfferCosts:
    """Cost lines of m offers in minor units of their candidate's currency (0 where not known), and what is known or assumed of them."""

    unit: np.ndarray
    freight: np.ndarray
    duty: np.ndarray
    label: np.ndarray
    has_rate: np.ndarray
    has_freight: np.ndarray
    has_duty: np.ndarray
    has_label: np.ndarray
    is_duty_assumed: np.ndarray
    is_duty_unknown: np.ndarray  # neither origin nor duty is told: taken as nil, to be asked
    is_label_assumed: np.ndarray
    is_label_heavy: np.ndarray
    is_rate_old: np.ndarray
    is_freight_scope_unknown: np.ndarray

    @property
    def landed(self) -> np.ndarray:
        """Goods, freight and duty, per unit sold."""
        return self.unit + self.freight + self.duty

    @property
    def is_complete(self) -> np.ndarray:
        """Is every cost known or assumed by rule?"""
        return self.has_rate & self.has_freight & self.has_duty & self.has_label


def offer_costs(offers: pd.DataFrame, candidates: pd.DataFrame, buying: Buying) -> OfferCosts:
    """Cost lines of each offer (columns of `tables.OFFERS` and `row`, the position of its candidate)."""
    plan = buying.plan
    row = np.maximum(offers["row"].to_numpy(dtype=np.int64), 0)
    own = text(offers, "currency")
    target = text(candidates, "currency")[row] if len(candidates) else np.zeros(0, dtype=object)
    rate, has_rate, age = _rate(own, target, buying.rates)
    scale = np.array([10 ** buying.digits.get(currency or "", 2) for currency in target], dtype=np.int64)

    def cents(name: str, times: np.ndarray | int = 1) -> tuple[np.ndarray, np.ndarray]:
        value, known = whole(offers, name)
        exact = half_up(value * times * scale, _E4)
        # A hair above the half, so that a rate which floating point cannot hold rounds as it is written.
        converted = np.floor(value * times * rate * scale / _E4 + 0.5 + 1e-9).astype(np.int64)
        return np.where(own == target, exact, converted), known

    packs, has_packs = whole(offers, "pack_quantity")
    unit, _ = cents("unit_cost_e4", np.where(has_packs, packs, 1))
    freight, has_freight = cents("freight_e4")
    stated_label, has_stated_label = cents("shipping_cost_e4")
    scope = freight_scope(offers, plan)
    duty, has_duty, duty_assumed, duty_unknown = _duty(offers, candidates, row, unit, cents("duty_e4"), buying)

    weight = real(candidates, "package_weight_g")[row] if len(candidates) else np.zeros(0)
    assumed_label, can_assume, heavy = label_assumption(weight, target, plan, scale)
    reaches_buyer = scope == "buyer"
    label = np.where(has_stated_label, stated_label, np.where(reaches_buyer, 0, assumed_label))
    assumed = ~has_stated_label & ~reaches_buyer & can_assume
    has_label = has_stated_label | reaches_buyer | can_assume
    return OfferCosts(
        unit=unit,
        freight=np.where(has_freight, freight, 0),
        duty=np.where(has_duty, duty, 0),
        label=np.where(has_label, label, 0),
        has_rate=has_rate,
        has_freight=has_freight | (has_stated_label & ~reaches_buyer),
        has_duty=has_duty,
        has_label=has_label,
        is_duty_assumed=duty_assumed,
        is_duty_unknown=duty_unknown,
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
    told = zip(text(offers, "freight_to"), text(offers, "supplier_id"), strict=True)
    return np.array(
        [(scope if scope != "unknown" else None) or named.get(who) or plan.costs.freight_to for scope, who in told], dtype=object
    )


# Names of the commonest origins that price lists write instead of the ISO code.
_COUNTRIES = {"USA": "US", "U.S.": "US", "U.S.A.": "US", "UNITED STATES": "US", "美国": "US", "CHINA": "CN", "中国": "CN", "GERMANY": "DE"}


def _country(name: str) -> str:
    folded = name.strip().upper()
    return _COUNTRIES.get(folded, folded)


def _duty(
    offers: pd.DataFrame,
    candidates: pd.DataFrame,
    row: np.ndarray,
    goods: np.ndarray,
    stated: tuple[np.ndarray, np.ndarray],
    buying: Buying,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Duty of each offer: (minor units, mask of the known, mask of the assumed, mask of those where nothing is told)."""
    plan = buying.plan
    included, included_known = flag(offers, "duty_included")
    named = {name: facts.ship_from for name, facts in plan.suppliers.items() if facts.ship_from}
    told = zip(text(offers, "ship_from"), text(offers, "supplier_id"), strict=True)
    origin = [_country(code or named.get(who) or "") for code, who in told]
    market = text(candidates, "marketplace")[row] if len(candidates) else []
    domestic = np.array([o in buying.duty_free.get(m, ()) for o, m in zip(origin, market, strict=True)], dtype=bool)
    value, known = stated
    settled = known | (included_known & included) | domestic
    silent = np.array([not code for code in origin], dtype=bool) & ~settled & ~included_known
    amount, assumed = np.where(known & ~(included_known & included), value, 0), np.zeros(len(goods), dtype=bool)
    if plan.costs.assumed_duty_share is not None:
        assumed = ~settled
        amount = np.where(assumed, half_up(goods * round(plan.costs.assumed_duty_share * PPM), PPM), amount)
        return amount, settled | assumed, assumed, np.zeros(len(goods), dtype=bool)
    return amount, settled | silent, assumed, silent


def label_assumption(weight: np.ndarray, currency: np.ndarray, plan: Plan, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plan's label cost by weight: (minor units, mask of the known, mask of those too heavy to assume without a look)."""
    cost, known, heavy = np.zeros(len(weight), dtype=np.int64), np.zeros(len(weight), dtype=bool), np.zeros(len(weight), dtype=bool)
    for code, money in plan.money.items():
        here = currency == code
        with np.errstate(invalid="ignore"):
            major = np.where(np.isnan(weight), money.label_cost_unknown_weight, money.label_cost)
            heavy |= here & (weight > money.label_weight_review_g)
        cost = np.where(here, np.rint(major * scale).astype(np.int64), cost)
        known |= here
    return cost, known, heavy
