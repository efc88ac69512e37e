"""The fitted prior of the return rate: a beta-binomial regression with a penalised dispersion.

Each product's rate is Beta(m s, (1 - m) s). Its mean m moves on the logit from the configured mean of its category by a shift of the
shop, a shift of the category and a slope on the log price; its strength s is the shop's, moved by category. All are held near their
defaults by weak penalties, since the method of moments and plain maximum likelihood run away on small data (`docs/models.md`).
Counts are orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, logit

from pipeline.stages.returns.title_words import TitleModel

# Penalties as standard deviations of normal priors. The shop's strength, slope and shift are the study's; the category's are ours:
# category means that are twice or half of what is configured lie within one and a half of theirs.
LOG_STRENGTH_CENTRE = 4.0
LOG_STRENGTH_SD = 1.0
SHIFT_SD = 1.5
SLOPE_SD = 1 / np.sqrt(5)
CLASS_SHIFT_SD = 0.5
CLASS_STRENGTH_SD = 0.6
_Z_LIMIT = 3.0
_SCALE_MIN = 0.3
_LOG_STRENGTH_RANGE = (-2.0, 14.0)  # only so that a wild step of the search does not overflow


class ReturnModel(BaseModel):
    """A fitted prior, as it is kept: plain numbers, keyed by category class and currency.

    `class_*` hold the classes that were fitted; others take the shop's values and a wider doubt. `price_centre` is the mean log price in
    minor units by currency. `covariance` is that of (shift, slope) at each class's own intercept: [[var, cov], [cov, var]]. `titles` is
    there only where title words won in training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shift: float
    slope: float
    log_strength: float
    class_shift: dict[str, float]
    class_log_strength: dict[str, float]
    price_centre: dict[str, float]
    price_scale: float
    intercept_variance: dict[str, float]
    intercept_slope_covariance: dict[str, float]
    slope_variance: float
    shift_variance: float
    class_log_strength_variance: dict[str, float]
    log_strength_variance: float
    titles: TitleModel | None = None

    @model_serializer(mode="wrap")
    def _without_empty_titles(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A model without titles has the bytes, and so the hash, that it had before there were any."""
        return {name: value for name, value in handler(self).items() if name != "titles" or value is not None}

    def titled_mean(self, configured_mean: np.ndarray, titles: np.ndarray | None) -> np.ndarray:
        """The configured mean, moved by what the title's words say; as it is where the model or the products hold no titles."""
        if self.titles is None or titles is None:
            return configured_mean
        return expit(logit(configured_mean) + self.titles.shift(titles))

    def log_price(self, price: np.ndarray, currency: np.ndarray) -> np.ndarray:
        """Standardised log price, shape (n,): 0 where the price or its currency's centre is not known."""
        centre = np.full(len(price), np.nan)
        for key, value in self.price_centre.items():
            centre[currency == key] = value
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (np.log(np.asarray(price, dtype=np.float64)) - centre) / self.price_scale
        return np.clip(np.where(np.isfinite(z), z, 0.0), -_Z_LIMIT, _Z_LIMIT)

    def prior(self, configured_mean: np.ndarray, classes: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and strength of each product's prior.

        Parameters
        ----------
        configured_mean : float64, shape (n,)
            Mean of the plan's prior for the product's class, moved by its title (`titled_mean`).
        classes : object, shape (n,)
            Key of that prior.
        z : float64, shape (n,)
            What `log_price` gives.

        Returns
        -------
        (mean, strength), both float64 of shape (n,)
            Doubt about mean and strength themselves (few records of a class) makes the strength smaller, so that the interval stays
            honest: var(rate) = m (1 - m) E[1 / (s + 1)] + (m (1 - m))^2 var(logit m), with ln(s + 1) taken as normal.
        """
        eta = logit(configured_mean) + self.shift + self.slope * z
        log_strength = np.full(len(z), self.log_strength)
        doubt = np.full(len(z), self.shift_variance + CLASS_SHIFT_SD**2) + z**2 * self.slope_variance
        widening = np.full(len(z), self.log_strength_variance + CLASS_STRENGTH_SD**2)
        for key, class_shift in self.class_shift.items():
            here = classes == key
            eta[here] += class_shift
            log_strength[here] += self.class_log_strength[key]
            widening[here] = self.class_log_strength_variance[key]
            at = z[here]
            doubt[here] = self.intercept_variance[key] + 2 * at * self.intercept_slope_covariance[key] + at**2 * self.slope_variance
        mean = expit(eta)
        strength = np.exp(log_strength)
        spread = np.exp(widening / 2) / (strength + 1) + mean * (1 - mean) * np.maximum(doubt, 0.0)
        return mean, np.maximum(1 / spread - 1, 1.0)


@dataclass(frozen=True)
class ReturnCounts:
    """What a model is fitted to, one entry a product: orders, how many came back, class, its configured mean, price, currency, title."""

    orders: np.ndarray
    returned: np.ndarray
    classes: np.ndarray
    configured_mean: np.ndarray
    price_cents: np.ndarray  # 0 or NaN where not known
    currency: np.ndarray
    titles: np.ndarray | None = None  # objects, None where not known

    def take(self, rows: np.ndarray) -> ReturnCounts:
        """The products of these positions or of this mask."""
        return replace(self, **{name: column[rows] for name, column in vars(self).items() if column is not None})

    def __len__(self) -> int:
        return len(self.orders)


def model_prior(model: ReturnModel, counts: ReturnCounts) -> tuple[np.ndarray, np.ndarray]:
    """Mean and strength of the fitted prior of each product."""
    mean = model.titled_mean(counts.configured_mean, counts.titles)
    return model.prior(mean, counts.classes, model.log_price(counts.price_cents, counts.currency))


def fit_returns(counts: ReturnCounts) -> ReturnModel:
    """Fit the prior to products with at least one order; more returned than sold is cut to what was sold.

    Raises
    ------
    ValueError
        No product has an order.
    """
    counts = counts.take(counts.orders > 0)
    if not len(counts):
        raise ValueError("no product has an order")
    centre, scale = price_scaling(counts.price_cents, counts.currency)
    names, group = np.unique(counts.classes.astype(str), return_inverse=True)
    bare = _unfitted(centre, scale)
    design = _Design(
        orders=counts.orders.astype(np.float64),
        returned=np.minimum(counts.returned, counts.orders).astype(np.float64),
        offset=logit(counts.configured_mean),
        z=bare.log_price(counts.price_cents, counts.currency),
        group=group.ravel(),
        groups=len(names),
    )
    start = np.zeros(3 + 2 * len(names))
    start[2] = LOG_STRENGTH_CENTRE
    # Not L-BFGS-B: its calls to the linear algebra of the machine took six times as long on busy processors.
    found = minimize(design.loss, start, jac=True, method="BFGS", options={"maxiter": 500, "gtol": 1e-6})
    theta = found.x
    covariance = np.linalg.pinv(design.hessian(theta))
    shift, slope, first = 0, 1, 3
    keys = [str(name) for name in names]
    rows = range(first, first + len(keys))
    own = {key: covariance[shift, shift] + covariance[row, row] + 2 * covariance[shift, row] for key, row in zip(keys, rows, strict=True)}
    crossed = {key: covariance[shift, slope] + covariance[row, slope] for key, row in zip(keys, rows, strict=True)}
    lasts = range(first + len(keys), first + 2 * len(keys))
    strengths = {key: covariance[2, 2] + covariance[row, row] + 2 * covariance[2, row] for key, row in zip(keys, lasts, strict=True)}
    return ReturnModel(
        shift=float(theta[shift]),
        slope=float(theta[slope]),
        log_strength=float(theta[2]),
        class_shift={key: float(theta[row]) for key, row in zip(keys, rows, strict=True)},
        class_log_strength={key: float(theta[row + len(keys)]) for key, row in zip(keys, rows, strict=True)},
        price_centre=centre,
        price_scale=scale,
        intercept_variance={key: float(value) for key, value in own.items()},
        intercept_slope_covariance={key: float(value) for key, value in crossed.items()},
        slope_variance=float(covariance[slope, slope]),
        shift_variance=float(covariance[shift, shift]),
        class_log_strength_variance={key: float(value) for key, value in strengths.items()},
        log_strength_variance=float(covariance[2, 2]),
    )


def price_scaling(price: np.ndarray, currency: np.ndarray) -> tuple[dict[str, float], float]:
    """Mean log price by currency, and the standard deviation around it over all, at least 0.3."""
    known = np.nan_to_num(np.asarray(price, dtype=np.float64)) > 0
    logs = np.log(np.asarray(price, dtype=np.float64)[known])
    centre: dict[str, float] = {}
    rest = np.zeros(len(logs))
    for key in sorted({str(code) for code in currency[known]}):
        here = currency[known] == key
        centre[key] = float(logs[here].mean())
        rest[here] = logs[here] - centre[key]
    return centre, max(float(rest.std()) if len(rest) else 0.0, _SCALE_MIN)


def _unfitted(centre: Mapping[str, float], scale: float) -> ReturnModel:
    return ReturnModel(
        shift=0, slope=0, log_strength=LOG_STRENGTH_CENTRE, class_shift={}, class_log_strength={}, price_centre=dict(centre),
        price_scale=scale, intercept_variance={}, intercept_slope_covariance={}, slope_variance=0, shift_variance=0,
        class_log_strength_variance={}, log_strength_variance=0,
    )  # fmt: skip


@dataclass(frozen=True)
class _Design:
    """The penalised likelihood; theta = shift, slope, log strength, a shift per class, a log strength per class."""

    orders: np.ndarray
    returned: np.ndarray
    offset: np.ndarray
    z: np.ndarray
    group: np.ndarray
    groups: int

    def loss(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log posterior and its gradient."""
        k = self.groups
        mean = expit(self.offset + theta[0] + theta[1] * self.z + theta[3 : 3 + k][self.group])
        mean = np.clip(mean, 1e-9, 1 - 1e-9)
        strength = np.exp(np.clip(theta[2] + theta[3 + k :][self.group], *_LOG_STRENGTH_RANGE))
        a, b = mean * strength, (1 - mean) * strength
        value = -np.sum(betaln(self.returned + a, self.orders - self.returned + b) - betaln(a, b))
        common = digamma(strength) - digamma(self.orders + strength)
        by_a = digamma(self.returned + a) - digamma(a) + common
        by_b = digamma(self.orders - self.returned + b) - digamma(b) + common
        by_eta = -(by_a - by_b) * mean * (1 - mean) * strength
        by_log = -(by_a * a + by_b * b)
        gradient = np.concatenate(
            [
                [by_eta.sum(), (by_eta * self.z).sum(), by_log.sum()],
                np.bincount(self.group, weights=by_eta, minlength=k),
                np.bincount(self.group, weights=by_log, minlength=k),
            ]
        )
        centre, sd = self._penalty()
        pull = (theta - centre) / sd
        return float(value + 0.5 * np.sum(pull**2)), gradient + pull / sd

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """Second derivatives by central differences of the gradient."""
        step = 1e-4
        rows = []
        for at in range(len(theta)):
            moved = np.zeros(len(theta))
            moved[at] = step
            rows.append((self.loss(theta + moved)[1] - self.loss(theta - moved)[1]) / (2 * step))
        both = np.array(rows)
        return (both + both.T) / 2

    def _penalty(self) -> tuple[np.ndarray, np.ndarray]:
        k = self.groups
        centre = np.zeros(3 + 2 * k)
        centre[2] = LOG_STRENGTH_CENTRE
        sd = np.concatenate([[SHIFT_SD, SLOPE_SD, LOG_STRENGTH_SD], np.full(k, CLASS_SHIFT_SD), np.full(k, CLASS_STRENGTH_SD)])
        return centre, sd
