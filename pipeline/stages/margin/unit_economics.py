"""Unit economics of each candidate: profit now, at past prices and over the forecast; and the most that it may cost.

Lines and `net_profit` hold at the current price and add up to the cent; the rules' figures (`gate_*`) hold at the gate price;
`net_profit_expected`, `_p10` and `_p90` run over 19 forecast prices x 19 return rates of the posterior, taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.plan import Plan
from pipeline.costs.fees import FeeSchedule, FeeTable
from pipeline.costs.fulfilment import FbaCard
from pipeline.stages.margin.fba import advice, amazon_fulfilment, fba_order
from pipeline.stages.margin.fee_lines import charged_lines
from pipeline.stages.margin.money_terms import MoneyTerms, money_limits, money_terms, order_terms
from pipeline.stages.margin.order_profit import Limits, Lines, Target, Terms, cost_lines
from pipeline.stages.margin.over_time import held_share, profit_spread
from pipeline.stages.margin.purchase_cost import in_currency, max_purchase, sourcing_profit
from pipeline.stages.margin.solving import max_landed_cost, smallest_price, surely_holds_from
from pipeline.stages.offers.costs import Rates
from pipeline.stages.prices.distribution import NAMES, Prices
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import flag, real, real_series, whole, whole_series, word_series


@dataclass(frozen=True)
class Tariff:
    """What is charged on the day: the schedule and the fulfilment card in force by marketplace, exchange rates, decimals by currency.

    A marketplace without a schedule has no fees, so no profit; one without a card has no comparison with Amazon's own fulfilment.
    """

    schedules: Mapping[str, FeeSchedule]
    cards: Mapping[str, FbaCard]
    rates: Rates
    digits: Mapping[str, int]


@dataclass(frozen=True)
class _Orders:
    """Everything that decides what n orders earn, and which of them can be reckoned."""

    terms: Terms
    fees: FeeTable
    limits: Limits
    money: MoneyTerms
    charged: np.ndarray  # price, fees and the plan's amounts are known
    earned: np.ndarray  # and the cost
    solvable: np.ndarray  # a price, fees and a label: enough to say what it may cost at most

    def known(self) -> tuple[np.ndarray, Terms]:
        """Rows whose profit can be reckoned, and their terms."""
        rows = np.flatnonzero(self.earned)
        return rows, self.terms.take(rows)


@stage(
    reads="""
        accepts_returns currency duty_cents fee_category freight_cents import_vat_cents is_cost_complete is_duty_assumed is_hazmat
        is_import_vat_assumed landed_cost_cents marketplace own_monthly_units package_height_mm package_length_mm package_weight_g
        package_width_mm referral_rate return_alpha return_beta return_days return_rate_mean shipping_cost_cents supplier_currency
    """,
    adds="""
        advertising_cost_cents break_even_price_cents cash_lost_per_return_cents closing_fee_cents expected_return_loss_cents fba_card
        fba_fee_cents fba_net_profit_cents fba_note fba_tier fee_note fee_origin fee_schedule fulfilment_advice gate_gross_margin
        gate_net_margin gate_net_profit_cents gross_margin gross_margin_all gross_margin_goods has_money_plan is_profit_known
        kept_profit_cents landed_share margin_held_share margin_hold_probability max_landed_cost_cents max_purchase_cost_cents
        max_purchase_cost_cny_cents max_purchase_cost_supplier_cents net_margin net_profit_cents net_profit_expected_cents
        net_profit_p10_cents net_profit_p90_cents payment_cost_cents plan_fee_cents referral_fee_cents refund_fee_cents
        sourcing_profit_cents target_price_cents
    """,
)
def unit_economics(candidates: Columns, prices: Prices, plan: Plan, tariff: Tariff) -> pd.DataFrame:
    """Fees, profit and solved costs of every candidate.

    Parameters
    ----------
    candidates : DataFrame, n rows
        `marketplace`, `currency`, `fee_category`, `referral_rate`, `package_*`, `is_hazmat`; the chosen offer's cost lines
        (`unit_cost_cents`, `freight_cents`, `duty_cents`, `import_vat_cents`, `landed_cost_cents`, `shipping_cost_cents`,
        `is_cost_complete`), its `supplier_currency`, `accepts_returns`, `return_days`; the seller's `own_monthly_units`; the return
        posterior (`return_alpha`, `return_beta`, `return_rate_mean`).
    prices : Prices
        Of the same rows.
    plan : Plan
    tariff : Tariff
        Schedules, cards and rates in force.

    Returns
    -------
    DataFrame, n rows
        Money as Int64 minor units, shares as Float64; missing where a fact is missing. See `tables.published.DECISIONS`.
    """
    charge = charged_lines(candidates, tariff.schedules)
    money = money_terms(candidates["currency"], plan, tariff.digits)
    terms, has_label = order_terms(candidates, charge.entry, money, plan, tariff.digits)
    price, has_price = whole(prices.frame, "price_cents")
    gate, _ = whole(prices.frame, "gate_price_cents")
    charged = has_price & charge.known & money.known
    earned = charged & flag(candidates, "is_cost_complete")[0]
    orders = _Orders(terms, charge.fees, money_limits(money, plan), money, charged, earned, charged & has_label)

    now = cost_lines(price, terms, charge.fees)
    columns = _lines_now(now, price, orders) | _at_gate(gate, orders)
    wanted, solved = _solved_prices(orders)
    columns |= solved | _over_time(prices, candidates, orders, wanted)
    columns |= _solved_costs(gate, candidates, orders, plan, tariff)
    fba_fee, has_fba_fee, fulfilled = amazon_fulfilment(candidates, price, tariff.cards)
    columns |= fulfilled
    fba_net, has_fba = fba_order(price, now, terms, fba_fee + money.fba_inbound), earned & has_fba_fee
    columns["fba_net_profit_cents"] = whole_series(fba_net, has_fba)
    columns["fulfilment_advice"] = advice(candidates, fba_net, has_fba, money.least_profit, plan.rules.fba_units_month)
    columns |= charge.words
    columns["has_money_plan"] = pd.Series(money.known, dtype="boolean")
    columns["is_profit_known"] = pd.Series(earned, dtype="boolean")
    return pd.DataFrame(columns).set_index(candidates.index)


def _lines_now(now: Lines, price: np.ndarray, orders: _Orders) -> dict[str, pd.Series]:
    terms, charged, earned = orders.terms, orders.charged, orders.earned
    spent, floor = terms.landed + terms.label, np.maximum(price, 1)
    columns = {
        "referral_fee_cents": whole_series(now.referral, charged),
        "closing_fee_cents": whole_series(now.closing, charged),
        "refund_fee_cents": whole_series(now.refund_fee, charged),
        "expected_return_loss_cents": whole_series(now.return_loss, charged),
        "advertising_cost_cents": whole_series(now.advertising, charged),
        "payment_cost_cents": whole_series(now.payment, charged),
        "plan_fee_cents": whole_series(terms.plan_fee, charged & orders.money.has_plan_fee),
        "net_profit_cents": whole_series(now.net, earned),
        # C + S + L + A - V: what is gone when one order comes back.
        "cash_lost_per_return_cents": whole_series(spent + now.return_cost - price + now.referral, earned),
    }
    shares = {
        "net_margin": now.net / floor,
        "gross_margin": (price - spent - now.referral) / floor,
        "gross_margin_goods": (price - terms.landed) / floor,
        "gross_margin_all": (price - spent - now.referral - now.return_loss) / floor,
    }
    return columns | {name: real_series(np.where(earned, value, np.nan)) for name, value in shares.items()}


def _at_gate(gate: np.ndarray, orders: _Orders) -> dict[str, pd.Series]:
    lines = cost_lines(gate, orders.terms, orders.fees)
    spent, floor = orders.terms.landed + orders.terms.label, np.maximum(gate, 1)
    shares = {
        "landed_share": spent / floor,
        "gate_gross_margin": (gate - spent - lines.referral) / floor,
        "gate_net_margin": lines.net / floor,
    }
    columns = {name: real_series(np.where(orders.earned, value, np.nan)) for name, value in shares.items()}
    return columns | {"gate_net_profit_cents": whole_series(lines.net, orders.earned)}


def _over_time(prices: Prices, candidates: Columns, orders: _Orders, wanted: np.ndarray) -> dict[str, pd.Series]:
    columns = {}
    sure = surely_holds_from(wanted, orders.terms, orders.fees, orders.limits.target)
    for name, atoms in (("margin_held_share", prices.facts), ("margin_hold_probability", prices.forecast)):
        share = held_share(atoms, orders.terms, orders.fees, orders.limits.target, (wanted, sure))
        columns[name] = real_series(np.where(orders.earned, share, np.nan))
    rows, terms = orders.known()
    forecast = np.column_stack([whole(prices.frame, f"price_forecast_{name}_cents")[0] for name in NAMES])
    alpha, beta_ = real(candidates, "return_alpha")[rows], real(candidates, "return_beta")[rows]
    names = ("net_profit_expected_cents", "net_profit_p10_cents", "net_profit_p90_cents", "kept_profit_cents")
    for name, found in zip(names, profit_spread(forecast[rows], alpha, beta_, terms, orders.fees), strict=True):
        columns[name] = whole_series(_placed(found, rows, len(candidates)), orders.earned)
    return columns


def _solved_prices(orders: _Orders) -> tuple[np.ndarray, dict[str, pd.Series]]:
    """The smallest price at which the margin target holds (0: none, n rows); that and the break-even price as columns."""
    rows, terms = orders.known()
    target = Target(orders.limits.target.share_ppm, orders.limits.target.least[rows])
    even = smallest_price(terms, orders.fees, Target(0, np.zeros(len(rows), dtype=np.int64)))
    # Where the target is no loss, it cannot hold below the break-even price.
    wanted = smallest_price(terms, orders.fees, target, np.where(target.least >= 0, even, 0))
    wanted = np.where((even == 0) & (target.least >= 0), 0, wanted)
    columns = {}
    for name, found in (("break_even_price_cents", even), ("target_price_cents", wanted)):
        placed = _placed(found, rows, len(orders.earned))
        columns[name] = whole_series(placed, placed > 0)
    return placed, columns


def _solved_costs(gate: np.ndarray, candidates: Columns, orders: _Orders, plan: Plan, tariff: Tariff) -> dict[str, pd.Series]:
    ceiling = max_landed_cost(gate, orders.terms, orders.fees, orders.limits)
    most = max_purchase(ceiling, orders.solvable, candidates, orders.terms.label, plan)
    yuan = word_series(["CNY"], np.zeros(len(candidates), dtype=np.int64))
    columns = {
        "max_landed_cost_cents": whole_series(ceiling, orders.solvable),
        "max_purchase_cost_cents": whole_series(most, orders.solvable),
        "sourcing_profit_cents": whole_series(
            sourcing_profit(gate, plan.list.sourcing_cost_share, orders.terms, orders.fees), orders.solvable
        ),
    }
    for name, own in (("cny", yuan), ("supplier", candidates["supplier_currency"])):
        paid = in_currency(most, own, candidates["currency"], tariff.rates, tariff.digits)
        columns[f"max_purchase_cost_{name}_cents"] = paid.where(orders.solvable)
    return columns


def _placed(found: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    values = np.zeros(n, dtype=np.int64)
    values[rows] = found
    return values


def schedules_in_force(schedules: Sequence[FeeSchedule], as_of: object) -> dict[str, FeeSchedule]:
    """The schedule of each marketplace that covers the day."""
    return {s.marketplace: s for s in schedules if s.covers(as_of)}  # type: ignore[arg-type]
