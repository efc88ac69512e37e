"""Fitting the effect of title words on returns, and testing whether it improves forecasts of unseen products.

A Poisson regression on hashed words (ridge, by Newton's steps), its exposure what category and log price expect, weighed for
overdispersion. The words of a product enter the beta-binomial fit only as they were learnt from other products: an in-sample mean
would make the strength too large (the study).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np
import pyarrow as pa
from scipy import sparse
from scipy.special import expit, logit

from pipeline.stages.returns.prior import ReturnCounts, ReturnModel, fit_returns, model_prior
from pipeline.stages.returns.title_words import SHIFT_MAX, SLOTS, TitleModel, title_matrix
from pipeline.tables.keys import key_hash, pack_texts
from pipeline.training.forecast_scores import beta_binomial_loss

FOLDS = 5
TITLES_MIN = 50
RETURNED_MIN = 20  # fewer tell nothing of thousands of words
PRODUCTS_MAX = 50_000  # bounds time: 36 regressions are fitted
SHIFT_SD = 0.25  # how far titles are held to move the logit; 0.5 and 1 forecast worse where an effect is small (docs/models.md)
_STEPS = 5  # of Newton: the fifth moves no weight by a millionth
_SEARCH_MAX = 200  # of conjugate gradients in each


class TitleComparison(TypedDict):
    """Loss per order, times 10,000, on products of unseen titles, without and with title words; what is won, and its standard error."""

    products: int
    titles: int
    without: float
    with_titles: float
    gain: float
    standard_error: float
    is_used: bool


def compare_titles(counts: ReturnCounts) -> TitleComparison | None:
    """Score five folds of titles with and without words; None for fewer than 50 titles or 20 returned orders.

    Products of one title stand in one fold and count as one in the standard error. Words are used when they win by more than that.
    """
    counts = _bounded(counts.take(counts.orders > 0))
    group = title_groups(counts)
    names, cluster = np.unique(group, return_inverse=True)
    titles = len(np.unique(group[_titled(counts)]))
    back = np.minimum(counts.returned, counts.orders)
    if titles < TITLES_MIN or back.sum() < RETURNED_MIN:
        return None
    without, with_titles = np.zeros(len(counts)), np.zeros(len(counts))
    for fold in range(FOLDS):
        held = group % FOLDS == fold
        if not held.any() or held.all():
            continue
        some, rest = counts.take(held), counts.take(~held)
        for losses, model in ((without, fit_returns(rest)), (with_titles, fit_with_titles(rest))):
            mean, strength = model_prior(model, some)
            losses[held] = beta_binomial_loss(mean * strength, (1 - mean) * strength, back[held], some.orders)
    per_order = 1e4 / float(counts.orders.sum())
    won = np.bincount(cluster.ravel(), weights=without - with_titles, minlength=len(names))
    gain, error = per_order * float(won.sum()), per_order * float(np.sqrt(len(won)) * won.std(ddof=1))
    return TitleComparison(
        products=len(counts),
        titles=titles,
        without=per_order * float(without.sum()),
        with_titles=per_order * float(with_titles.sum()),
        gain=gain,
        standard_error=error,
        is_used=gain > error,
    )


def fit_with_titles(counts: ReturnCounts) -> ReturnModel:
    """The beta-binomial fit with each product's words, learnt from other titles, as an offset; it holds the words learnt from all."""
    counts = counts.take(counts.orders > 0)
    base = fit_returns(counts)
    mean, strength = model_prior(base, counts)
    matrix, group = title_matrix(_titles(counts)), title_groups(counts)
    inner = group // FOLDS % FOLDS  # not the folds that `compare_titles` makes of the same hash
    offset = np.zeros(len(counts))
    for fold in range(FOLDS):
        held = inner == fold
        if held.any():
            offset[held] = _learnt(counts.take(~held), matrix[~held], mean[~held], strength[~held]).shift_of(matrix[held])
    fitted = fit_returns(replace(counts, configured_mean=expit(logit(counts.configured_mean) + offset)))
    return fitted.model_copy(update={"titles": _learnt(counts, matrix, mean, strength)})


def title_groups(counts: ReturnCounts) -> np.ndarray:
    """A stable hash (int64) of each product's title, small and large letters alike; products without one stand in one group."""
    texts = ["" if title is None else title.lower() for title in _titles(counts)]
    return key_hash(pack_texts(pa.array(texts, pa.string()))[0])


def _learnt(counts: ReturnCounts, matrix: sparse.csr_matrix, mean: np.ndarray, strength: np.ndarray) -> TitleModel:
    """Weights of the slots, given the mean and strength that category and price expect of each product."""
    from sklearn.linear_model import Ridge

    rows = np.flatnonzero(np.diff(matrix.indptr) > 0)
    if len(rows) > PRODUCTS_MAX:
        rows = rows[np.argsort(title_groups(counts.take(rows)), kind="stable")[:PRODUCTS_MAX]]
    if not len(rows):
        return TitleModel.of(np.zeros(SLOTS), 0.0)
    orders = counts.orders[rows].astype(np.float64)
    expected = orders * mean[rows]
    weight = expected / (1 + (orders - 1) / (strength[rows] + 1))
    words, ratio = matrix[rows], np.minimum(counts.returned[rows], orders) / expected
    shift, fit = np.zeros(len(rows)), Ridge(alpha=1 / SHIFT_SD**2, solver="sparse_cg", max_iter=_SEARCH_MAX, tol=1e-5)
    for _ in range(_STEPS):
        rate = np.exp(shift)
        fit.fit(words, shift + ratio / rate - 1, sample_weight=weight * rate)
        shift = np.clip(fit.predict(words), -SHIFT_MAX, SHIFT_MAX)
    return TitleModel.of(fit.coef_, float(np.average(words @ fit.coef_, weights=weight)))


def _bounded(counts: ReturnCounts) -> ReturnCounts:
    if len(counts) <= PRODUCTS_MAX:
        return counts
    return counts.take(np.sort(np.argsort(title_groups(counts), kind="stable")[:PRODUCTS_MAX]))


def _titles(counts: ReturnCounts) -> np.ndarray:
    return np.full(len(counts), None, dtype=object) if counts.titles is None else counts.titles


def _titled(counts: ReturnCounts) -> np.ndarray:
    return np.array([title is not None for title in _titles(counts)], dtype=bool)
