"""Fitting the return prior to the seller's records, with scores on later orders and unseen products, against simpler models.

Rivals are those that the study names: the raw rate, Laplace's, the mean of all, one prior for all (`docs/models.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, expit

from pipeline.messages import ENGLISH, Words
from pipeline.stages.returns.drift import RATIO, SIGMAS
from pipeline.stages.returns.prior import ReturnCounts, ReturnModel, fit_returns, model_prior
from pipeline.training.forecast_scores import beta_binomial_loss, binomial_loss, calibration, return_scores

FOLDS = 5
RETURNED_MIN = 5  # fewer returns on either side of the cut prove nothing either way
_RAW_MIN = 1e-4


@dataclass(frozen=True)
class Later:
    """What happened after the cut, in the products' order: orders that were young or not yet made at it, and how many came back."""

    orders: np.ndarray
    returned: np.ndarray


Forecast = tuple[np.ndarray, np.ndarray]
Fit = Callable[[ReturnCounts], ReturnModel]


def posterior(prior: Forecast, counts: ReturnCounts, discount: float) -> Forecast:
    """Alpha and beta after the discounted evidence."""
    mean, strength = prior
    back = np.minimum(counts.returned, counts.orders)
    return mean * strength + discount * back, (1 - mean) * strength + discount * (counts.orders - back)


def one_prior(counts: ReturnCounts) -> tuple[float, float]:
    """Mean and strength of one prior for all products by plain maximum likelihood: the empirical Bayes that the model must beat."""
    sold = counts.orders > 0
    n, k = counts.orders[sold].astype(float), np.minimum(counts.returned, counts.orders)[sold].astype(float)

    def loss(theta: np.ndarray) -> float:
        strength = np.exp(theta[1])
        a, b = strength * expit(theta[0]), strength * expit(-theta[0])
        return float(-np.sum(betaln(k + a, n - k + b) - betaln(a, b)))

    found = minimize(loss, np.array([-3.0, 4.0]), method="Nelder-Mead", bounds=[(-12, 6), (-2, 14)], options={"xatol": 1e-4, "fatol": 1e-6})
    return float(expit(found.x[0])), float(np.exp(found.x[1]))


def rival_losses(earlier: ReturnCounts, seen: ReturnCounts, later: Later) -> dict[str, float]:
    """Loss per later order, times 10,000, of the rivals, fitted to `earlier`, their evidence `seen` in the order of `later`.

    `raw`, `laplace` and `global` are point rates, scored as binomials; a product without orders has the mean of all as its raw rate.
    """
    overall = max(float(np.minimum(earlier.returned, earlier.orders).sum()), 0.5) / float(earlier.orders.sum())
    n, k = seen.orders, np.minimum(seen.returned, seen.orders)
    raw = np.where(n > 0, k / np.maximum(n, 1), overall)
    mean, strength = one_prior(earlier)
    one = np.full(len(n), mean * strength) + k, np.full(len(n), (1 - mean) * strength) + n - k
    losses = {
        "raw": binomial_loss(np.clip(raw, _RAW_MIN, 1 - _RAW_MIN), later.returned, later.orders),
        "laplace": binomial_loss((k + 0.5) / (n + 1), later.returned, later.orders),
        "laplace_beta_binomial": beta_binomial_loss(k + 0.5, n - k + 0.5, later.returned, later.orders),
        "global": binomial_loss(np.full(len(n), overall), later.returned, later.orders),
        "one_prior": beta_binomial_loss(*one, later.returned, later.orders),
    }
    return {name: 1e4 * float(loss.sum()) / float(later.orders.sum()) for name, loss in losses.items()}


def held_out(
    earlier: ReturnCounts, later: Later, configured_strength: np.ndarray, discount: float, fit: Fit = fit_returns
) -> dict[str, Any] | None:
    """Fit on what was known at the cut and score what came after it; None when one side has too few returns."""
    tested = later.orders > 0
    if earlier.returned.sum() < RETURNED_MIN or later.returned[tested].sum() < RETURNED_MIN:
        return None
    model = fit(earlier)
    seen, after = earlier.take(tested), Later(later.orders[tested], later.returned[tested])
    alpha, beta_ = posterior(model_prior(model, seen), seen, discount)
    configured = posterior((seen.configured_mean, configured_strength[tested]), seen, discount)
    scores = return_scores(alpha, beta_, after.returned, after.orders)
    losses = {
        "model": scores.nll_beta_binomial,
        "configured_priors": 1e4 * float(beta_binomial_loss(*configured, after.returned, after.orders).sum()) / scores.orders,
        **rival_losses(earlier, seen, after),
    }
    rate, strength = alpha / (alpha + beta_), alpha + beta_
    spread = float(np.sum(after.orders * rate * (1 - rate) * (strength + after.orders) / (strength + 1))) ** 0.5
    sigmas = float(after.returned.sum() - (rate * after.orders).sum()) / max(spread, 1e-9)
    rows = calibration(alpha / (alpha + beta_), after.returned, after.orders)
    return {"scores": asdict(scores), "loss_per_order": losses, "calibration": rows, "drift_sigmas": sigmas}


def unseen_products(counts: ReturnCounts, folds: np.ndarray, configured_strength: np.ndarray) -> dict[str, float]:
    """Loss per order, times 10,000, of each prior on products that it was not fitted to: five folds of products."""
    losses = {"model": 0.0, "configured_priors": 0.0, "one_prior": 0.0}
    orders = 0.0
    for fold in range(FOLDS):
        held = (folds == fold) & (counts.orders > 0)
        rest = (folds != fold) & (counts.orders > 0)
        if not held.any() or not rest.any():
            continue
        some = counts.take(held)
        k, n = np.minimum(some.returned, some.orders), some.orders
        mean, strength = one_prior(counts.take(rest))
        priors = {
            "model": model_prior(fit_returns(counts.take(rest)), some),
            "configured_priors": (some.configured_mean, configured_strength[held]),
            "one_prior": (np.full(len(n), mean), np.full(len(n), strength)),
        }
        for name, (m, s) in priors.items():
            losses[name] += float(beta_binomial_loss(m * s, (1 - m) * s, k, n).sum())
        orders += float(n.sum())
    return {name: 1e4 * loss / orders for name, loss in losses.items()} if orders else {}


_MODELS = {
    "model": "this model", "configured_priors": "configured priors", "one_prior": "one prior for all", "global": "mean of all",
    "laplace": "Laplace", "raw": "raw rate",
}  # fmt: skip


def training_lines(card: Mapping[str, Any], say: Words = ENGLISH) -> list[str]:
    """Summary lines of a fit, from its card."""
    data, model = card["data"], card["model"]

    def losses(reported: Mapping[str, float]) -> str:
        return say.listed(f"{say(_MODELS[name])} {reported[name]:.1f}" for name in _MODELS if name in reported)

    reported = "return model: {products:,} products, {orders:,} mature orders, {returned:,} came back ({share}), {first} to {last}"
    counts = {name: data[name] for name in ("products", "orders", "returned")}
    lines = [say(reported, **counts, share=_share(data["returned"], data["orders"]), first=data["from"], last=data["to"])]
    reported = "  strength {strength:.0f} orders, price slope {slope:+.2f} per standard deviation of log price"
    lines.append(say(reported, strength=model["strength"], slope=model["slope"]))
    if card["unseen_products"]:
        lines.append(say("  loss x 10,000 on products it was not fitted to: {losses}", losses=losses(card["unseen_products"])))
    lines.append(_title_line(card["title_words"], say))
    later = card["later_orders"]
    if not later:
        return [*lines, say("  too few returns to hold some back: no figure on later orders")]
    lines.append(say("  loss x 10,000 on later orders: {losses}", losses=losses(later["loss_per_order"])))
    ratio = later["scores"]["observed_over_predicted"]
    lines.append(say("  later orders: {ratio:.2f} times as many came back as it said", ratio=ratio))
    if abs(later["drift_sigmas"]) > SIGMAS and not 1 / RATIO <= ratio <= RATIO:
        reported = "  warning: recent orders do not come back as earlier ones did; look whether records are missing, and train again soon"
        lines.append(say(reported))
    return lines


def _title_line(card: Mapping[str, Any] | None, say: Words) -> str:
    if card is None:
        return say("  title words: too few titles or returns to compare; not used")
    message = (
        "  title words, loss x 10,000 on products of unseen titles: {with_titles:.1f} with, {without:.1f} without; "
        "won {gain:+.1f} (standard error {standard_error:.1f}): {is_used}"
    )
    figures = {name: card[name] for name in ("with_titles", "without", "gain", "standard_error")}
    return say(message, **figures, is_used=say("used") if card["is_used"] else say("not used"))


def _share(part: float, whole: float) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"
