"""Figures unlike the weeks before are doubted, each by its own guard; ordinary weeks are not."""

import copy

import pytest

from pipeline.config.files import load_plan
from pipeline.publish.text.week_shape import doubts

GUARDS = load_plan().guards
USUAL = {
    "candidates": 1000,
    "rows": {"keepa": 1000, "supplier-prices-en": 400},
    "set_aside": {"keepa": 0.001, "supplier-prices-en": 0.0},
    "missing": {"price": 0.02, "brand": 0.30},
    "price": {"US other": {"products": 800, "median": 25.0}, "US food": {"products": 12, "median": 9.0}},
    "verdicts": {"shortlisted": 0.05, "passed": 0.05, "review": 0.10, "incomplete": 0.20, "rejected": 0.60},
}
EARLIER = [USUAL] * 3
LISTED = (50, 50, 40)  # on this list, on the last one, on both


def changed(path, value):
    week = copy.deepcopy(USUAL)
    inner = week
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return week


@pytest.mark.parametrize(
    ("path", "value", "guard", "words"),
    [
        (("rows", "keepa"), 499, "rows", "keepa: 499 rows, usually 1,000 (wanted 500 to 2,000)"),
        (("rows", "keepa"), 2001, "rows", "keepa: 2,001 rows"),
        (("rows",), {"keepa": 1000}, "rows", "supplier-prices-en: 0 rows, usually 400"),
        (("set_aside", "keepa"), 0.015, "set_aside", "keepa: 1.5% of the records set aside, usually 0.1%"),
        (("missing", "brand"), 0.50, "missing", "brand is missing for 50% of the candidates, usually 30%"),
        (("missing", "brand"), 0.10, "missing", "brand is missing for 10%"),
        (("price", "US other", "median"), 2500.0, "price", "US other: the median price is 2,500.00, usually 25.00"),
        (("price", "US other", "median"), 19.0, "price", "US other: the median price is 19.00"),
        (("verdicts", "rejected"), 0.90, "verdicts", "90% of the candidates are rejected, usually 60%"),
    ],
)
def test_a_figure_out_of_its_bounds_is_doubted_with_the_usual_one(path, value, guard, words):
    (doubt,) = doubts(changed(path, value), EARLIER, LISTED, GUARDS)
    assert doubt.guard == guard and words in doubt.text
    assert not doubt.least <= doubt.observed <= doubt.most


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows", "keepa"), 500),
        (("rows", "keepa"), 2000),
        (("rows", "new-tool"), 9000),
        (("set_aside", "keepa"), 0.0),
        (("missing", "brand"), 0.44),
        (("price", "US other", "median"), 32.0),
        (("price", "US food", "median"), 90.0),
        (("price", "DE other"), {"products": 900, "median": 80.0}),
        (("verdicts", "rejected"), 0.74),
    ],
)
def test_what_lies_within_the_bounds_is_new_or_too_few_to_tell_is_let_be(path, value):
    assert doubts(changed(path, value), EARLIER, LISTED, GUARDS) == []


def test_the_usual_figure_is_the_median_so_that_one_odd_week_does_not_make_the_next_one_odd():
    odd = changed(("rows", "keepa"), 10)
    assert doubts(USUAL, [USUAL, odd, USUAL], LISTED, GUARDS) == []
    assert doubts(USUAL, [odd], LISTED, GUARDS) == []  # ten rows are too few to be a measure


@pytest.mark.parametrize(("listed", "is_doubted"), [((50, 50, 9), True), ((50, 50, 10), False), ((9, 50, 0), False), ((0, 50, 0), True)])
def test_a_list_that_shares_little_with_the_last_one_is_doubted(listed, is_doubted):
    assert [doubt.guard for doubt in doubts(USUAL, EARLIER, listed, GUARDS)] == (["overlap"] if is_doubted else [])


def test_a_first_week_has_nothing_to_differ_from():
    assert doubts(changed(("rows", "keepa"), 1), [], (0, 0, 0), GUARDS) == []
