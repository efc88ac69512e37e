"""The frozen models of the plan: everything that a decision depends on. Unknown, missing or impossible values are refused on reading."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Days = Annotated[int, Field(ge=0)]
Treatment = Literal["reject", "review", "pass"]


def digest_of(value: object) -> str:
    """SHA-256 over a canonical JSON text of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class General(_Frozen):
    """The marketplace of rows that name none, the limit of set-aside records, and the expected share of candidates that pass."""

    marketplace: str
    set_aside_share_max: Share
    pass_share_min: Share
    pass_share_max: Share
    pass_share_candidates_min: Annotated[int, Field(ge=1)]


class ListPlan(_Frozen):
    """How long the list is and how it stays diverse."""

    top: Annotated[int, Field(ge=1)]
    parent_max: Annotated[int, Field(ge=1)]
    supplier_share_max: Share
    brand_share_max: Share
    skip_weeks: Annotated[int, Field(ge=0)]
    sourcing_cost_share: Annotated[float, Field(gt=0, lt=1)]


class Money(_Frozen):
    """One currency's limits and assumed costs, in major units."""

    price_min: Positive | None = None
    price_max: Positive | None = None
    net_profit_min: float
    label_cost: Annotated[float, Field(ge=0)]
    label_cost_unknown_weight: Annotated[float, Field(ge=0)]
    label_weight_review_g: Positive
    label_rates: tuple[tuple[Positive, Annotated[float, Field(ge=0)]], ...] = ()
    label_cm3_per_kg: Positive | None = None
    return_label_cost: Annotated[float, Field(ge=0)]
    restocking_fee: Annotated[float, Field(ge=0)] = 0.0
    plan_fee_month: Annotated[float, Field(ge=0)] | None = None
    fba_inbound_cost: Annotated[float, Field(ge=0)] = 0.0

    @field_validator("label_rates")
    @classmethod
    def _rates_rise(cls, rates: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(lighter >= heavier for (lighter, _), (heavier, _) in zip(rates, rates[1:], strict=False)):
            raise ValueError("wanted [grams, cost] pairs whose grams rise, the lightest first")
        return rates

    @model_validator(mode="after")
    def _band(self) -> Money:
        if (self.price_min is None) != (self.price_max is None):
            raise ValueError("a price band needs both price_min and price_max")
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise ValueError("price_min is above price_max")
        return self


class Costs(_Frozen):
    """Cost lines that no dump contains."""

    advertising_share: Annotated[float, Field(ge=0, lt=0.5)]
    payment_share: Annotated[float, Field(ge=0, lt=0.2)]
    returned_goods_share: Share
    supplier_refund_share: Share
    supplier_return_days_min: Days
    returnless_share: Share
    plan_fee_units: Annotated[int, Field(ge=1)] | None = None
    assumed_duty_share: Share | None = None
    assumed_import_vat_share: Share | None = None
    freight_to: Literal["buyer", "agent", "unknown"]


class Rules(_Frozen):
    """Limits of the rules."""

    landed_share_max: Share
    landed_share_suspect: Share
    goods_share_suspect: Share
    gross_margin_min: Share
    net_margin_min: Share
    margin_hold_probability_min: Share
    handling_days_max: Days
    handling_days_warn: Days
    late_rate_max: Share
    late_deliveries_min: Days
    late_reject_probability: Share
    late_prior_mean: Annotated[float, Field(gt=0, lt=1)]
    late_prior_n: Positive
    suppliers_min: Days
    quote_age_days_max: Days
    amazon_share_max: Share
    out_of_stock_share_max: Share
    top_seller_share_max: Share
    fba_units_month: Days
    fba_window_days: Annotated[int, Field(ge=1)]
    forbidden_platforms: tuple[str, ...]


class Prior(_Frozen):
    """The prior of a category's return rate: mean, and strength in orders."""

    mean: Annotated[float, Field(gt=0, lt=1)]
    orders: Positive


class Returns(_Frozen):
    """Return risk: limits, priors, and the weight of evidence."""

    rate_max: Annotated[float, Field(gt=0, lt=1)]
    warn_probability: Share
    review_probability: Share
    reject_probability: Share
    return_rate_hard_max: Share
    orders_min: Days
    window_days: Days
    evidence_discount: Annotated[float, Field(gt=0, le=1)]
    stated_rate_orders: Positive
    low_factor: Annotated[float, Field(gt=0, le=1)]
    high_factor: Annotated[float, Field(ge=1)]
    priors: dict[str, Prior]

    @field_validator("priors")
    @classmethod
    def _other(cls, priors: dict[str, Prior]) -> dict[str, Prior]:
        if "other" not in priors:
            raise ValueError("a prior named 'other' is needed for categories without their own")
        return priors


class Guards(_Frozen):
    """How far a week may differ from the weeks before; beyond these bounds the run warns, or refuses with `--strict`."""

    weeks: Annotated[int, Field(ge=1)]
    rows_min: Annotated[int, Field(ge=1)]
    rows_factor_max: Annotated[float, Field(ge=1)]
    candidates_min: Annotated[int, Field(ge=1)]
    set_aside_change_max: Share
    missing_change_max: Share
    verdict_change_max: Share
    price_products_min: Annotated[int, Field(ge=1)]
    price_factor_max: Annotated[float, Field(ge=1)]
    list_min: Annotated[int, Field(ge=1)]
    overlap_min: Share


class Forecast(_Frozen):
    """Parameters of the price forecast."""

    horizon_days: Annotated[int, Field(ge=1)]
    half_life_days: Positive
    hazard_prior_days: Positive
    hazard_prior: Positive
    own_history_trust: Positive
    stay_share_flat: Share
    stay_share_moved: Share
    flat_tolerance: Share
    summary_spread_min: Positive
    snapshot_spread: Positive
    kernel: tuple[tuple[float, float], ...]

    @field_validator("kernel")
    @classmethod
    def _rising(cls, kernel: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        shares, ratios = zip(*kernel, strict=True)
        rises = all(a < b for a, b in zip(shares, shares[1:], strict=False)) and list(ratios) == sorted(ratios)
        if not rises or shares[0] <= 0 or shares[-1] >= 1 or ratios[0] <= 0:
            raise ValueError("wanted [share, ratio] pairs that rise, shares between 0 and 1, ratios above 0")
        return kernel


class ScorePlan(_Frozen):
    """Weights and scales of the score's parts."""

    margin_weight: Annotated[float, Field(ge=0)]
    margin_scale: Positive
    returns_weight: Annotated[float, Field(ge=0)]
    returns_scale: Positive
    stability_weight: Annotated[float, Field(ge=0)]
    stability_scale: Positive
    supply_weight: Annotated[float, Field(ge=0)]
    supply_scale: Positive
    demand_weight: Annotated[float, Field(ge=0)]
    demand_scale: Positive
    missing_share: Share

    @model_validator(mode="after")
    def _hundred(self) -> ScorePlan:
        total = self.margin_weight + self.returns_weight + self.stability_weight + self.supply_weight + self.demand_weight
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the five weights sum to {total:g}; wanted 100")
        return self


class Categories(_Frozen):
    """The treatment of each kind of goods, and the seller's own lists of brands."""

    electronics: Treatment
    food: Treatment
    apparel_known: Treatment
    apparel_unknown: Treatment
    apparel_missing: Treatment
    apparel_generic: Treatment
    powered: Treatment
    animal_food: Treatment
    supplements: Treatment
    luggage: Treatment
    licence: Treatment
    licence_goods: Treatment
    baby: Treatment
    hazmat: Treatment
    batteries: Treatment
    no_category: Treatment
    mismatch: Treatment
    authorised_brands: tuple[str, ...]
    blocked_brands: tuple[str, ...]
    known_brands: tuple[str, ...]


class Marketplaces(_Frozen):
    """Settings for marketplaces: `vat_set` names those whose VAT is dealt with."""

    vat_set: tuple[str, ...]


class SupplierFacts(_Frozen):
    """Facts about a supplier that hold for all its offers; used only where an offer leaves a value empty."""

    platform: str | None = None
    has_tracking: bool | None = None
    contact: str | None = None
    freight_to: Literal["buyer", "agent", "unknown"] | None = None
    accepts_returns: bool | None = None
    handling_days_max: Days | None = None
    ship_from: str | None = None


class ExchangeRate(_Frozen):
    """One dated rate: one unit of `from` is `rate` units of `to`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    from_: str = Field(alias="from")
    to: str
    date: dt.date
    rate: Positive


class Exchange(_Frozen):
    """The maximum age of a rate, and the effect of a missing or an old one."""

    rate_age_days_max: Days
    missing_rate: Literal["warn", "refuse"]
    old_rate: Literal["warn", "refuse"]


class SourceFacts(_Frozen):
    """Facts about a source that its files do not contain."""

    marketplace: str | None = None
    currency: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None


class ReportPlan(_Frozen):
    """Language and sizes of the report and the workbook."""

    language: Literal["auto", "en", "zh"]
    rows_max: Annotated[int, Field(ge=1)]
    near_share: Share
    live_max: Annotated[int, Field(ge=1)]
    review_max: Annotated[int, Field(ge=1)]
    misses_max: Annotated[int, Field(ge=1)]
    sourcing_max: Annotated[int, Field(ge=1)]


class Plan(_Frozen):
    """The plan: everything that a decision depends on, frozen."""

    general: General
    list: ListPlan
    money: dict[str, Money]
    costs: Costs
    rules: Rules
    returns: Returns
    forecast: Forecast
    score: ScorePlan
    categories: Categories
    guards: Guards
    marketplaces: Marketplaces
    exchange: Exchange
    report: ReportPlan
    severity: dict[str, Literal["off", "warn", "review", "reject"]] = {}
    exchange_rates: tuple[ExchangeRate, ...] = ()
    suppliers: dict[str, SupplierFacts] = {}
    sources: dict[str, SourceFacts] = {}

    @model_validator(mode="after")
    def _one_rate_a_day(self) -> Plan:
        seen = [(rate.from_, rate.to, rate.date) for rate in self.exchange_rates]
        if len(seen) != len(set(seen)):
            raise ValueError("two exchange rates for the same currencies and day")
        return self

    def digest(self) -> str:
        """SHA-256 of the plan's values; the order of keys and the comments do not count."""
        return digest_of(self.model_dump(mode="json", by_alias=True))
