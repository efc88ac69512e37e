"""What one order of each candidate earns: now, at every price it had, over the price forecast; and the most that it may cost.

Lines and `net_profit` hold at the current price and add up to the cent; the rules' figures (`gate_*`) hold at the gate price;
`net_profit_expected`, `_p10` and `_p90` run over 19 forecast prices x 19 return rates of the posterior, taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.fees import PPM, FeeLine, FeeSchedule, FeeTable, fee_table, flat_line
from pipeline.frames import flag, real, real_series, text, whole, whole_series
from pipeline.plan import Plan
from pipeline.stages.economics import Limits, Lines, Terms, break_even_price, cost_lines, max_landed_cost
from pipeline.stages.offer_costs import Rates, label_assumption
from pipeline.stages.prices import LEVELS, NAMES, Prices
from pipeline.stages.returns import POSTERIOR_POINTS, posterior_points


def unit_economics(
    candidates: pd.DataFrame,
    prices: Prices,
    schedules: Mapping[str, FeeSchedule],
    plan: Plan,
    rates: Rates,
    digits: Mapping[str, int],
) -> pd.DataFrame:
    """Fees, profit and solved costs of every candidate.

    Parameters
    ----------
    candidates : DataFrame, n rows
        `marketplace`, `currency`, `fee_category`, `referral_rate`, `package_weight_g`, the chosen offer's cost lines
        (`unit_cost_cents`, `freight_cents`, `duty_cents`, `landed_cost_cents`, `shipping_cost_cents`, `is_cost_complete`) and the return
        posterior (`return_alpha`, `return_beta`, `return_rate_mean`).
    prices : Prices
        Of the same rows.
    schedules : mapping of marketplace to the schedule in force; a marketplace without one has no fees, so no profit.
    plan, rates, digits
        The plan, exchange rates in force, decimals by currency.

    Returns
    -------
    DataFrame, n rows
        Money as Int64 minor units, shares as Float64; missing where a fact is missing. See `tables.DECISIONS`.
    """
    currency, weight = text(candidates, "currency"), real(candidates, "package_weight_g")
    scale = np.array([10 ** digits.get(code or "", 2) for code in currency], dtype=np.int64)
    fees, entry, has_fees, origin = _fee_entries(candidates, schedules)
    landed, _ = whole(candidates, "landed_cost_cents")
    label, has_label = whole(candidates, "shipping_cost_cents")
    assumed_label, assumed_known, _ = label_assumption(weight, currency, plan, scale)
    label = np.where(has_label, label, assumed_label)
    return_label, money_known = _per_currency(currency, scale, plan, "return_label_cost")
    least_profit, _ = _per_currency(currency, scale, plan, "net_profit_min")
    terms = Terms(
        landed, label, return_label, real(candidates, "return_rate_mean"), entry,
        round(plan.costs.advertising_share * PPM), round(plan.costs.payment_share * PPM), round(plan.costs.returned_goods_share * PPM),
    )  # fmt: skip
    limits = Limits(
        round(plan.rules.landed_share_max * PPM),
        round(plan.rules.gross_margin_min * PPM),
        round(plan.rules.net_margin_min * PPM),
        least_profit,
    )

    price, has_price = whole(prices.frame, "price_cents")
    gate, _ = whole(prices.frame, "gate_price_cents")
    charged = has_price & has_fees & money_known
    earned = charged & flag(candidates, "is_cost_complete")[0]
    now, at_gate = cost_lines(price, terms, fees), cost_lines(gate, terms, fees)
    columns = _lines_now(now, price, candidates, charged, earned)
    columns |= _at_gate(at_gate, gate, terms, earned)
    columns |= _over_time(prices, terms, fees, limits, candidates, earned)
    even = _where_known(earned, lambda rows: break_even_price(terms.take(rows), fees))
    columns["break_even_price_cents"] = whole_series(even, earned & (even > 0))
    solvable = charged & (has_label | assumed_known)
    ceiling = max_landed_cost(gate, terms, fees, limits)
    columns["max_landed_cost_cents"] = whole_series(ceiling, solvable)
    columns |= _max_purchase(ceiling, label, solvable, candidates, plan, rates, scale, digits)
    columns["fee_schedule"] = pd.Series(
        [schedules[m].id if m in schedules else None for m in text(candidates, "marketplace")],
        dtype=candidates["currency"].dtype,
    )
    columns["fee_origin"] = pd.Series(origin, dtype=candidates["currency"].dtype)
    columns["has_money_plan"] = pd.Series(money_known, dtype="boolean")
    columns["is_profit_known"] = pd.Series(earned, dtype="boolean")
    return pd.DataFrame(columns).set_index(candidates.index)


def _where_known(known: np.ndarray, solve: object) -> np.ndarray:
    """Solve only the known rows; 0 elsewhere."""
    values = np.zeros(len(known), dtype=np.int64)
    rows = np.flatnonzero(known)
    if len(rows):
        values[rows] = solve(rows)  # type: ignore[operator]
    return values


def _fee_entries(candidates: pd.DataFrame, schedules: Mapping[str, FeeSchedule]) -> tuple[FeeTable, np.ndarray, np.ndarray, np.ndarray]:
    """The fee line of each candidate: the schedule's, else the source's own rate, else the named fallback (never in silence)."""
    lines: list[tuple[FeeSchedule, FeeLine]] = []
    place: dict[tuple[str, str, int], int] = {}

    def entry_of(schedule: FeeSchedule, line: FeeLine) -> int:
        key = (schedule.marketplace, line.key, line.rates_ppm[0])
        if key not in place:
            place[key] = len(lines)
            lines.append((schedule, line))
        return place[key]

    marketplace, category = text(candidates, "marketplace"), text(candidates, "fee_category")
    stated = real(candidates, "referral_rate")
    entry, known = np.zeros(len(candidates), dtype=np.int64), np.zeros(len(candidates), dtype=bool)
    origin = np.full(len(candidates), None, dtype=object)
    frame = pd.DataFrame({"marketplace": marketplace, "category": category, "rate": np.rint(stated * PPM)})
    for (market, key, rate), rows in frame.groupby(["marketplace", "category", "rate"], dropna=False, sort=True).indices.items():
        schedule = schedules.get(market)
        if schedule is None:
            continue
        line = schedule.lines.get(key) if isinstance(key, str) else None
        if line is not None:
            here, source = line, "schedule"
        elif not np.isnan(rate) and 0 < rate < PPM:
            here, source = flat_line("stated", int(rate)), "stated"
        else:
            here, source = flat_line("fallback", schedule.fallback_ppm), "fallback"
        entry[rows], known[rows], origin[rows] = entry_of(schedule, here), True, source
    if not lines:
        placeholder = FeeSchedule("none", "", "", _EPOCH, None, 0, 0, 0, {}, "")
        lines.append((placeholder, flat_line("none", 0)))
    return fee_table(lines), entry, known, origin


_EPOCH = pd.Timestamp(0).date()


def _per_currency(currency: np.ndarray, scale: np.ndarray, plan: Plan, name: str) -> tuple[np.ndarray, np.ndarray]:
    value, known = np.zeros(len(currency), dtype=np.int64), np.zeros(len(currency), dtype=bool)
    for code, money in plan.money.items():
        here = currency == code
        value = np.where(here, np.rint(getattr(money, name) * scale).astype(np.int64), value)
        known |= here
    return value, known


def _lines_now(now: Lines, price: np.ndarray, candidates: pd.DataFrame, charged: np.ndarray, earned: np.ndarray) -> dict[str, pd.Series]:
    landed, label = whole(candidates, "landed_cost_cents")[0], whole(candidates, "shipping_cost_cents")[0]
    spent = landed + label
    floor = np.maximum(price, 1)
    columns = {
        "referral_fee_cents": whole_series(now.referral, charged),
        "closing_fee_cents": whole_series(now.closing, charged),
        "refund_fee_cents": whole_series(now.refund_fee, charged),
        "expected_return_loss_cents": whole_series(now.return_loss, charged),
        "advertising_cost_cents": whole_series(now.advertising, charged),
        "payment_cost_cents": whole_series(now.payment, charged),
        "net_profit_cents": whole_series(now.net, earned),
        # C + S + L + A - V: what is gone when one order comes back.
        "cash_lost_per_return_cents": whole_series(spent + now.return_cost - price + now.referral, earned),
    }
    shares = {
        "net_margin": now.net / floor,
        "gross_margin": (price - spent - now.referral) / floor,
        "gross_margin_goods": (price - landed) / floor,
        "gross_margin_all": (price - spent - now.referral - now.return_loss) / floor,
    }
    return columns | {name: real_series(np.where(earned, value, np.nan)) for name, value in shares.items()}


def _at_gate(at_gate: Lines, gate: np.ndarray, terms: Terms, earned: np.ndarray) -> dict[str, pd.Series]:
    spent, floor = terms.landed + terms.label, np.maximum(gate, 1)
    shares = {
        "landed_share": spent / floor,
        "gate_gross_margin": (gate - spent - at_gate.referral) / floor,
        "gate_net_margin": at_gate.net / floor,
    }
    columns = {name: real_series(np.where(earned, value, np.nan)) for name, value in shares.items()}
    return columns | {"gate_net_profit_cents": whole_series(at_gate.net, earned)}


def _over_time(
    prices: Prices, terms: Terms, fees: FeeTable, limits: Limits, candidates: pd.DataFrame, earned: np.ndarray
) -> dict[str, pd.Series]:
    """How often the margin held and may hold, and the expected profit with its tenth and ninetieth percentile."""
    n = len(candidates)
    shares = []
    for atoms in (prices.facts, prices.forecast):
        lines = cost_lines(atoms.cents, terms.take(atoms.row), fees)
        shares.append(np.where(earned, atoms.share(limits.margin_holds(atoms.cents, lines.net, atoms.row), n), np.nan))
    expected, low, high, median_kept = (np.zeros(n, dtype=np.int64) for _ in range(4))
    rows = np.flatnonzero(earned)
    chunk = 20_000  # rows x 361 pairs of price and rate at a time, so that memory stays bounded
    forecast = np.column_stack([whole(prices.frame, f"price_forecast_{name}_cents")[0] for name in NAMES])
    points = posterior_points(real(candidates, "return_alpha")[rows], real(candidates, "return_beta")[rows])
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        price = forecast[part]
        lines = cost_lines(price, terms.take(np.repeat(part[:, None], LEVELS, axis=1)), fees)
        kept = lines.net + lines.return_loss
        expected[part] = np.floor(lines.net.mean(axis=1) + 0.5).astype(np.int64)
        median_kept[part] = kept[:, NAMES.index("p50")]
        grid = kept[:, :, None] - points[start : start + chunk, None, :] * lines.return_cost[:, :, None]
        ordered = np.sort(grid.reshape(len(part), LEVELS * POSTERIOR_POINTS), axis=1)
        size = ordered.shape[1]
        low[part] = np.floor(ordered[:, int(np.ceil(0.10 * size)) - 1] + 0.5).astype(np.int64)
        high[part] = np.floor(ordered[:, int(np.ceil(0.90 * size)) - 1] + 0.5).astype(np.int64)
    return {
        "margin_held_share": real_series(shares[0]),
        "margin_hold_probability": real_series(shares[1]),
        "net_profit_expected_cents": whole_series(expected, earned),
        "net_profit_p10_cents": whole_series(low, earned),
        "net_profit_p90_cents": whole_series(high, earned),
        "kept_profit_cents": whole_series(median_kept, earned),
    }


def _max_purchase(
    ceiling: np.ndarray,
    label: np.ndarray,
    solvable: np.ndarray,
    candidates: pd.DataFrame,
    plan: Plan,
    rates: Rates,
    scale: np.ndarray,
    digits: Mapping[str, int],
) -> dict[str, pd.Series]:
    """The unit cost to bargain for: the ceiling less freight, duty and label, in the marketplace's currency and in yuan."""
    freight, duty = whole(candidates, "freight_cents")[0], whole(candidates, "duty_cents")[0]
    left = ceiling - label - freight
    share = plan.costs.assumed_duty_share or 0.0
    assumed = flag(candidates, "is_duty_assumed")[0]
    purchase = np.where(assumed, np.floor(left / (1 + share) + 1e-9).astype(np.int64), left - duty)
    purchase = np.maximum(purchase, 0)
    currency = text(candidates, "currency")
    yuan, has_yuan = np.zeros(len(purchase), dtype=np.int64), np.zeros(len(purchase), dtype=bool)
    for code in sorted({c for c in currency if c}):
        forward, backward = rates.table.get((code, "CNY")), rates.table.get(("CNY", code))
        factor = forward[0] if forward else 1 / backward[0] if backward else None
        if factor is not None:
            here = currency == code
            yuan = np.where(here, np.floor(purchase / scale * factor * 10 ** digits["CNY"] + 1e-9).astype(np.int64), yuan)
            has_yuan |= here
    return {
        "max_purchase_cost_cents": whole_series(purchase, solvable),
        "max_purchase_cost_cny_cents": whole_series(yuan, solvable & has_yuan),
    }


def schedules_in_force(schedules: Sequence[FeeSchedule], as_of: object) -> dict[str, FeeSchedule]:
    """The schedule of each marketplace that covers the day."""
    return {s.marketplace: s for s in schedules if s.covers(as_of)}  # type: ignore[arg-type]
