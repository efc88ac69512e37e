"""A marketplace's referral fees: the fee at a price, exact to the cent, with the schedule and the dates it comes from.

Three kinds of fee (`facts`: Amazon's referral fee schedule; see `docs/formulas.md`):

- *flat*: one rate;
- *whole*: the rate of the step that the price falls into holds for the whole price, which makes cliffs;
- *marginal*: each rate holds only for its own part of the price.

A step's upper bound belongs to the step ("$15.00 or less"). Every fee is rounded half up to the minor unit, once.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PlanError

Cents = npt.NDArray[np.int64]

PPM = 1_000_000
STEPS = 4  # the longest line (fine art) has four steps
_OPEN_END = np.iinfo(np.int64).max // PPM  # a bound no price reaches; times PPM it still fits


@dataclass(frozen=True)
class FeeLine:
    """One fee category: bounds in minor units (upper, inclusive), rates in parts per million, one rate more than bounds."""

    key: str
    kind: str
    bounds: tuple[int, ...]
    rates_ppm: tuple[int, ...]
    minimum: int
    closing: int
    mark: str
    unknown: str = ""  # what of this line is not known; the row that it charges says so


@dataclass(frozen=True)
class FeeSchedule:
    """A marketplace's fees between two dates, both included; `lines` by fee category."""

    id: str
    marketplace: str
    currency: str
    valid_from: dt.date
    valid_to: dt.date | None
    fallback_ppm: int
    refund_share_ppm: int
    refund_cap: int
    lines: Mapping[str, FeeLine]
    source: str

    def covers(self, day: dt.date) -> bool:
        """Is the schedule in force on that day?"""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def half_up(numerator: Cents, denominator: int) -> Cents:
    """Whole division, half up, for numerators of any sign and an even denominator above zero."""
    return (numerator + denominator // 2) // denominator


def in_force(schedules: Sequence[FeeSchedule], marketplace: str, day: dt.date) -> FeeSchedule | None:
    """The schedule of a marketplace on a day; none is a fact (the verdict is then incomplete), not an error."""
    for schedule in schedules:
        if schedule.marketplace == marketplace and schedule.covers(day):
            return schedule
    return None


@dataclass(frozen=True)
class FeeTable:
    """Fee lines of several schedules as arrays, one entry per line, so that a whole column is charged at once."""

    bounds: Cents  # (entries, STEPS - 1), padded with a bound that no price reaches
    rate: Cents  # ppm of the first step
    rise: Cents  # (entries, STEPS - 1): by how much the rate changes behind each bound, ppm
    whole: npt.NDArray[np.int64]  # 1 where a step's rate holds for the whole price, 0 where only for the part above its bound
    minimum: Cents
    closing: Cents
    refund_share: Cents
    refund_cap: Cents

    @property
    def steps(self) -> int:
        """How many steps the longest line has."""
        return 1 + int((self.bounds < _OPEN_END).any(axis=0).sum())

    def referral(self, price: Cents, entry: npt.NDArray[np.int64]) -> Cents:
        """Referral fee of each price (minor units; shape (n,) or (n, k)) under the entry of its row (n); minor units."""
        down = (slice(None), None) if price.ndim > 1 else (slice(None),)
        raw = price * self.rate[entry][down]
        stepped = np.flatnonzero((self.bounds[:, 0] < _OPEN_END)[entry])
        if len(stepped):
            raw[stepped] += self._behind_bounds(price[stepped], entry[stepped], down)
        fee = half_up(raw, PPM)
        return np.maximum(fee, self.minimum[entry][down], out=fee)

    def _behind_bounds(self, price: Cents, entry: npt.NDArray[np.int64], down: tuple[Any, ...]) -> Cents:
        more = np.zeros_like(price)
        for step in range(self.steps - 1):
            bound = self.bounds[entry, step]
            base = price - (bound * (1 - self.whole[entry]))[down]
            more += (price > bound[down]) * base * self.rise[entry, step][down]
        return more

    def refund(self, referral: Cents, entry: npt.NDArray[np.int64]) -> Cents:
        """What the marketplace keeps of a referral fee (shape (n,) or (n, k)) when the sale is refunded: a share, capped."""
        down = (slice(None), None) if referral.ndim > 1 else (slice(None),)
        kept = half_up(referral * self.refund_share[entry][down], PPM)
        return np.minimum(kept, self.refund_cap[entry][down], out=kept)


def fee_table(lines: Sequence[tuple[FeeSchedule, FeeLine]]) -> FeeTable:
    """Stack fee lines (with the schedule that holds their refund rule) into arrays; entry i is `lines[i]`."""
    bounds = np.full((len(lines), STEPS - 1), _OPEN_END, dtype=np.int64)
    rise = np.zeros((len(lines), STEPS - 1), dtype=np.int64)
    for row, (_, line) in enumerate(lines):
        bounds[row, : len(line.bounds)] = line.bounds
        rise[row, : len(line.bounds)] = np.diff(line.rates_ppm)
    return FeeTable(
        bounds=bounds,
        rate=np.array([line.rates_ppm[0] for _, line in lines], dtype=np.int64),
        rise=rise,
        whole=np.array([line.kind != "marginal" for _, line in lines], dtype=np.int64),
        minimum=np.array([line.minimum for _, line in lines], dtype=np.int64),
        closing=np.array([line.closing for _, line in lines], dtype=np.int64),
        refund_share=np.array([schedule.refund_share_ppm for schedule, _ in lines], dtype=np.int64),
        refund_cap=np.array([schedule.refund_cap for schedule, _ in lines], dtype=np.int64),
    )


def flat_line(key: str, rate_ppm: int) -> FeeLine:
    """A flat line made on the spot: the source's own effective rate, or the named fallback."""
    return FeeLine(key, "flat", (), (rate_ppm,), 0, 0, "assumed")


def parse_schedules(tables: Mapping[str, Mapping[str, Any]], digits: Mapping[str, int]) -> tuple[FeeSchedule, ...]:
    """Fee schedules out of the parsed files of `configs/marketplaces/` (file stem -> content).

    Parameters
    ----------
    tables : mapping of file stem to parsed TOML
        Each with `code`, `currency` and any number of `[[schedule]]`.
    digits : mapping of currency code to its decimals

    Raises
    ------
    PlanError
        A schedule overlaps another in time or leaves a gap before it, a line's steps do not rise, or a rate is missing, unknown or out of
        range.
    """
    schedules: list[FeeSchedule] = []
    for stem, table in sorted(tables.items()):
        own = [_schedule(f"configs/marketplaces/{stem}.toml", table, entry, digits) for entry in table.get("schedule", [])]
        own.sort(key=lambda schedule: schedule.valid_from)
        for name in sorted({schedule.id for schedule in own if [other.id for other in own].count(schedule.id) > 1}):
            raise PlanError(f"configs/marketplaces/{stem}.toml: schedule {name!r} stands twice; give each its own id")
        for earlier, later in zip(own, own[1:], strict=False):
            if earlier.valid_to is None or earlier.valid_to >= later.valid_from:
                raise PlanError(
                    f"configs/marketplaces/{stem}.toml: schedules {earlier.id!r} and {later.id!r} overlap in time; "
                    f"end the first on {later.valid_from - dt.timedelta(days=1)}"
                )
            if earlier.valid_to + dt.timedelta(days=1) < later.valid_from:
                raise PlanError(
                    f"configs/marketplaces/{stem}.toml: no schedule holds between {earlier.id!r} and {later.id!r}; "
                    f"end the first on {later.valid_from - dt.timedelta(days=1)} or add the one between"
                )
        schedules.extend(own)
    return tuple(schedules)


_SCHEDULE_KEYS = {"id", "valid_from", "valid_to", "fallback_rate", "refund_share", "refund_cap", "source", "lines"}
_LINE_KEYS = {"kind", "steps", "rates", "minimum", "closing", "mark", "name", "unknown"}


def _schedule(file: str, table: Mapping[str, Any], entry: Mapping[str, Any], digits: Mapping[str, int]) -> FeeSchedule:
    where = f"{file}: schedule {entry.get('id', '(without id)')!r}"
    _refuse_keys(where, entry, _SCHEDULE_KEYS, {"id", "valid_from", "fallback_rate", "refund_share", "refund_cap", "source"})
    scale = 10 ** digits[table["currency"]]
    for key in ("valid_from", "valid_to"):
        if type(entry.get(key, _DAY)) is not dt.date:
            raise PlanError(f"{where}: {key} {entry[key]!r} is no date; write 2026-01-31 without quotes")
    if entry.get("valid_to", entry["valid_from"]) < entry["valid_from"]:
        raise PlanError(f"{where}: valid_to {entry['valid_to']} is before valid_from {entry['valid_from']}")
    if not isinstance(entry.get("lines", {}), dict) or not all(isinstance(line, dict) for line in entry.get("lines", {}).values()):
        raise PlanError(f"{where}: lines are no tables; write [schedule.lines.NAME]")
    lines = {key: _line(f"{where}: {key}", key, line, scale) for key, line in sorted(entry.get("lines", {}).items())}
    return FeeSchedule(
        id=entry["id"],
        marketplace=table["code"],
        currency=table["currency"],
        valid_from=entry["valid_from"],
        valid_to=entry.get("valid_to"),
        fallback_ppm=_ppm(f"{where}: fallback_rate", entry["fallback_rate"]),
        refund_share_ppm=_ppm(f"{where}: refund_share", entry["refund_share"]),
        refund_cap=_minor(f"{where}: refund_cap", entry["refund_cap"], scale),
        lines=lines,
        source=entry["source"],
    )


def _line(where: str, key: str, line: Mapping[str, Any], scale: int) -> FeeLine:
    _refuse_keys(where, line, _LINE_KEYS, {"kind", "rates", "mark"})
    for name in ("steps", "rates"):
        if not isinstance(line.get(name, []), list):
            raise PlanError(f"{where}: {name} {line[name]!r} is no list; write [{line[name]}]")
    bounds = tuple(_minor(f"{where}: steps", bound, scale, least=-math.inf) for bound in line.get("steps", []))
    rates = tuple(_ppm(f"{where}: rates", rate) for rate in line["rates"])
    if line["kind"] not in ("flat", "whole", "marginal"):
        raise PlanError(f"{where}: kind {line['kind']!r} is unknown; take flat, whole or marginal")
    if not isinstance(line.get("unknown", ""), str):
        raise PlanError(f"{where}: unknown {line['unknown']!r} is no text; say in words what is not known")
    if len(rates) != len(bounds) + 1 or len(rates) > STEPS or (line["kind"] == "flat") != (not bounds):
        raise PlanError(f"{where}: {len(bounds)} steps and {len(rates)} rates; wanted one rate more than steps, flat without steps")
    if any(bound <= 0 for bound in bounds) or list(bounds) != sorted(set(bounds)):
        raise PlanError(f"{where}: the steps {line.get('steps')} do not rise; write each upper bound once, lowest first")
    return FeeLine(
        key,
        line["kind"],
        bounds,
        rates,
        _minor(f"{where}: minimum", line.get("minimum", 0), scale),
        _minor(f"{where}: closing", line.get("closing", 0), scale),
        line["mark"],
        line.get("unknown", ""),
    )


_DAY = dt.date(2000, 1, 1)


def _minor(where: str, amount: object, scale: int, least: float = 0.0) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount) or amount < least:
        raise PlanError(f"{where}: {amount!r} is no amount of money from 0 on")
    return round(amount * scale)


def _ppm(where: str, rate: object) -> int:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise PlanError(f"{where}: {rate} is no fraction; write 0.15 for 15 %")
    return round(rate * PPM)


def _refuse_keys(where: str, entry: Mapping[str, Any], known: set[str], wanted: set[str]) -> None:
    for key in sorted(set(entry) - known):
        raise PlanError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(known))}")
    for key in sorted(wanted - set(entry)):
        raise PlanError(f"{where}: {key!r} is missing")
