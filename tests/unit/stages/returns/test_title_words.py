"""Title words in the return prior: a planted effect is found and used, noise is not, and the file says what was fitted."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from pipeline.config.files import load_plan
from pipeline.stages.returns.posterior import _prior
from pipeline.stages.returns.prior import ReturnCounts, ReturnModel, fit_returns, model_prior
from pipeline.stages.returns.title_words import SHIFT_MAX, TitleModel, title_matrix, title_words
from pipeline.store.model_files import packed
from pipeline.training.return_fit import training_lines
from pipeline.training.return_title_fit import compare_titles, fit_with_titles, title_groups

WORDS = np.array(
    ["tray", "lamp", "shelf", "hook", "brush", "board", "stand", "basket", "mat", "clip", "jar", "ladle", "apron", "timer", "funnel"]
)


def shop(effect, products=600, seed=1):
    """Titles of four words and a number; one in three says glass, which moves the logit of the rate by `effect`."""
    rng = np.random.default_rng(seed)
    glass = rng.random(products) < 1 / 3
    picked = WORDS[rng.integers(0, len(WORDS), (products, 3))]
    titles = [" ".join([*row, "glass" if hit else "steel", str(n)]) for n, (row, hit) in enumerate(zip(picked, glass, strict=True))]
    mean = expit(logit(0.05) + effect * glass)
    orders = rng.integers(5, 60, products)
    counts = ReturnCounts(
        orders, rng.binomial(orders, rng.beta(mean * 50, (1 - mean) * 50)), np.full(products, "toys", dtype=object), np.full(products, 0.05),
        np.full(products, 2000.0), np.full(products, "USD", dtype=object), np.array(titles, dtype=object),
    )  # fmt: skip
    return counts, mean


def test_a_planted_word_is_found_and_used():
    counts, mean = shop(effect=1.2)
    told = compare_titles(counts)
    assert told["is_used"] and told["gain"] > told["standard_error"] > 0
    assert told["gain"] == pytest.approx(told["without"] - told["with_titles"])
    unseen = np.array(["quince glass", "quince steel", None], dtype=object)
    model = fit_with_titles(counts)
    glass, steel, unknown = logit(model.titled_mean(np.full(3, 0.05), unseen)) - logit(0.05)
    assert 0.5 < glass - steel < 1.8 and steel < unknown == pytest.approx(0, abs=1e-12) and unknown < glass
    plain, titled = model_prior(fit_returns(counts), counts)[0], model_prior(model, counts)[0]
    assert np.abs(titled - mean).mean() < 0.6 * np.abs(plain - mean).mean()


def test_titles_that_tell_nothing_are_not_used():
    # A standard error is beaten by luck one time in six at most, so that seeds are counted.
    assert sum(compare_titles(shop(effect=0.0, products=150, seed=seed)[0])["is_used"] for seed in range(4)) <= 1


def test_the_file_forecasts_as_the_fitted_model_does():
    counts, _ = shop(effect=1.2, products=120)
    model = fit_with_titles(counts)
    content = packed("returns", model)
    read = ReturnModel.model_validate(json.loads(content)["model"])
    assert read == model and packed("returns", read) == content == packed("returns", fit_with_titles(counts))
    for one, other in zip(model_prior(read, counts), model_prior(model, counts), strict=True):
        assert one.tolist() == other.tolist()


def test_a_run_moves_the_prior_as_training_did():
    counts, _ = shop(effect=1.2, products=120)
    plan = load_plan().returns
    plain = {"return_class": counts.classes, "currency": counts.currency, "title": counts.titles}
    candidates = pd.DataFrame(plain).assign(price_cents=pd.array([2000] * 120, "Int64"))
    model = fit_with_titles(counts)
    expected = model_prior(model, replace(counts, configured_mean=np.full(120, plan.priors["toys"].mean)))
    for one, other in zip(_prior(candidates, plan, model), expected, strict=True):
        assert one.tolist() == other.tolist() and len(set(one.tolist())) > 100


def test_a_model_without_titles_knows_no_word_of_them():
    counts, _ = shop(effect=1.2, products=60)
    model = fit_returns(counts)
    assert model == fit_returns(replace(counts, titles=None)) and b"titles" not in packed("returns", model)
    assert model.titled_mean(counts.configured_mean, counts.titles) is counts.configured_mean


def test_too_few_titles_or_returns_are_not_compared():
    counts, _ = shop(effect=0.0, products=80)
    assert compare_titles(counts.take(np.arange(49))) is None
    assert compare_titles(replace(counts, returned=np.minimum(counts.returned, 0))) is None
    assert compare_titles(replace(counts, titles=None)) is None
    assert compare_titles(replace(counts, titles=np.array(["one title"] * 80, dtype=object))) is None


def test_products_of_one_title_stand_in_one_group():
    counts, _ = shop(effect=0.0, products=3)
    groups = title_groups(replace(counts, titles=np.array(["Glass Jar", "glass jar", "glass jars"], dtype=object)))
    assert groups[0] == groups[1] != groups[2]


def test_words_of_a_title_and_its_row():
    assert title_words("Glass Jars, 3-pack") == ["glass", "jar", "3", "pack"]
    assert "玻璃" in "".join(title_words("玻璃瓶"))
    matrix = title_matrix(np.array(["jar jar glass", None, "!"], dtype=object))
    assert matrix[0].data.tolist() == pytest.approx([0.5**0.5] * 2) and matrix[1:].nnz == 0


def test_a_shift_by_hand_and_its_limit():
    weights = np.zeros(4096)
    weights[title_matrix(np.array(["glass"], dtype=object)).indices] = 1.5
    model = TitleModel.of(weights, centre=0.25)
    titles = np.array(["glass", "steel", None], dtype=object)
    assert model.shift(titles).tolist() == [1.25, -0.25, 0.0] and len(model.shift(titles[:0])) == 0
    assert TitleModel.of(10 * weights, centre=0.0).shift(titles).tolist() == [SHIFT_MAX, 0.0, 0.0]


@pytest.mark.parametrize(
    ("told", "why"),
    [({"slots": 3}, "as many weights"), ({"weights": "AADAfwAAAAA="}, "not finite"), ({"weights": "%"}, "weights"), ({"hook": 1}, "Extra")],
)
def test_weights_that_are_none_are_refused(told, why):
    with pytest.raises(ValueError, match=why):
        TitleModel.model_validate(TitleModel.of(np.zeros(2), 0.0).model_dump() | told)


def test_training_says_both_figures_and_which_is_used():
    card = {
        "data": {"products": 9, "orders": 90, "returned": 5, "from": "2026-01-01", "to": "2026-02-01"},
        "model": {"strength": 50.0, "slope": 0.1}, "unseen_products": {}, "later_orders": None,
        "title_words": {"with_titles": 700.0, "without": 712.5, "gain": 12.5, "standard_error": 3.0, "is_used": True},
    }  # fmt: skip
    assert "700.0 with, 712.5 without; won +12.5 (standard error 3.0): used" in training_lines(card)[2]
    card["title_words"]["is_used"] = False
    assert training_lines(card)[2].endswith("): not used")
    assert "too few titles or returns" in training_lines(card | {"title_words": None})[2]
