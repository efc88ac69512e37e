"""The score's parts by hand, and the list: a total order that stays diverse."""

import math

import pyarrow as pa
import pytest

from pipeline.config.files import load_plan
from pipeline.stages.score.score import PARTS, score, select
from pipeline.tables.frames import to_frame

PLAN = load_plan()
WHOLE = {
    "price_cents": 3000, "price_forecast_p50_cents": 3000, "kept_profit_cents": 750, "net_profit_expected_cents": 700,
    "net_profit_p10_cents": 400, "expected_return_loss_cents": 150, "suppliers": 3, "handling_days": 2, "monthly_sold": 200,
}  # fmt: skip
SCHEMA = pa.schema([*((name, pa.int64()) for name in WHOLE), ("late_probability", pa.float64())])
FACTS = WHOLE | {"late_probability": 0.5}


def scored(*changes):
    return score(to_frame(pa.Table.from_pylist([FACTS | change for change in changes], schema=SCHEMA)), PLAN.score)


def part(name, **change):
    return float(scored(change)[f"score_{name}"][0])


def test_each_part_is_what_its_formula_says():
    assert part("margin") == pytest.approx(40 * (1 - math.exp(-(750 / 3000) / 0.25)), abs=1e-6)
    assert part("stability") == pytest.approx(15 * math.exp(-(300 / 3000) / 0.10), abs=1e-6)
    assert part("returns") == pytest.approx(20 * math.exp(-(150 / 3000) / 0.05), abs=1e-6)
    assert part("supply") == pytest.approx(10 * (1 - math.exp(-(3 - 1 - 0.5) / 1.5)), abs=1e-6)
    assert part("demand") == pytest.approx(15 * (1 - math.exp(-200 / 200)), abs=1e-6)


def test_the_parts_add_up_to_the_score():
    found = scored({}, {"monthly_sold": None}, {"kept_profit_cents": -500}, {"suppliers": 0})
    total = sum(found[f"score_{name}"] for name in PARTS)
    assert (found["score"] - total).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("name", "gap", "weight"),
    [
        ("margin", {"kept_profit_cents": None}, 40), ("stability", {"net_profit_expected_cents": None}, 15),
        ("returns", {"expected_return_loss_cents": None}, 20), ("supply", {"handling_days": None}, 10), ("supply", {"suppliers": 0}, 10),
        ("demand", {"monthly_sold": None}, 15),
    ],
)  # fmt: skip
def test_a_part_that_is_not_known_earns_a_quarter_of_its_weight_and_lowers_the_coverage(name, gap, weight):
    found = scored(gap)
    assert found[f"score_{name}"][0] == weight / 4
    assert found["score_coverage"][0] == pytest.approx(1 - weight / 100)


def test_a_candidate_of_which_nothing_is_known_scores_a_quarter_with_no_coverage():
    found = scored(dict.fromkeys(FACTS))
    assert (found["score"][0], found["score_coverage"][0]) == (25, 0)


def test_nothing_sold_is_known_and_worse_than_not_known():
    assert part("demand", monthly_sold=0) == 0 < part("demand", monthly_sold=None)


def test_a_loss_earns_no_points_and_costs_none():
    assert part("margin", kept_profit_cents=-1) == part("margin", kept_profit_cents=-9999) == 0


def test_slow_handling_costs_a_supplier_a_day_and_one_day_costs_nothing():
    assert part("supply", handling_days=0) == part("supply", handling_days=1)
    assert part("supply", handling_days=2, suppliers=3) == part("supply", handling_days=1, suppliers=2)


# The list


COLUMNS = ("marketplace", "product_id", "parent_id", "supplier_id", "brand_key", "brand_state")


def row(product, points, **facts):
    return {"marketplace": "US", "product_id": product, "score": float(points), "brand_state": "missing"} | facts


def listed(*rows, top=50, **limits):
    fields = [*((name, pa.string()) for name in COLUMNS), ("score", pa.float64())]
    frame = to_frame(pa.Table.from_pylist(list(rows), schema=pa.schema(fields)))
    return select(frame, PLAN.list.model_copy(update=limits), top)


def ranks(*rows, **options):
    """(product, rank or None) in the order of the list."""
    found = listed(*rows, **options)
    return [(product, None if rank != rank or rank is None else int(rank)) for product, rank in zip(
        found["product_id"], found["rank"].astype(object).where(found["rank"].notna(), None), strict=True)]  # fmt: skip


def displaced(*rows, **options):
    found = listed(*rows, **options)
    told = found["displaced_by"].notna()
    return dict(zip(found["product_id"][told], found["displaced_by"][told], strict=True))


def test_the_best_score_comes_first():
    assert ranks(row("A", 10), row("B", 30), row("C", 20)) == [("B", 1), ("C", 2), ("A", 3)]


def test_equal_scores_go_by_product_and_then_by_marketplace():
    rows = [row("B", 5), row("A", 5, marketplace="US"), row("A", 5, marketplace="DE")]
    found = listed(*rows)
    assert list(zip(found["product_id"], found["marketplace"], strict=True)) == [("A", "DE"), ("A", "US"), ("B", "US")]


def test_the_list_ends_at_the_top_and_what_follows_is_displaced_by_nothing():
    rows = [row(name, 9 - place) for place, name in enumerate("ABC")]
    assert ranks(*rows, top=2) == [("A", 1), ("B", 2), ("C", None)]
    assert displaced(*rows, top=2) == {}


def test_of_a_parent_s_variations_only_the_best_is_listed():
    rows = [row("A", 9, parent_id="X"), row("B", 8, parent_id="X"), row("C", 7, parent_id="Y")]
    assert ranks(*rows) == [("A", 1), ("B", None), ("C", 2)]
    assert displaced(*rows) == {"B": "parent X: A"}


def test_the_same_parent_in_another_marketplace_is_another_family():
    assert ranks(row("A", 9, parent_id="X"), row("B", 8, parent_id="X", marketplace="DE")) == [("A", 1), ("B", 2)]


def test_products_without_a_parent_supplier_or_brand_do_not_displace_each_other():
    assert [rank for _, rank in ranks(*(row(f"P{n:02d}", 9) for n in range(60)))][:50] == list(range(1, 51))


def test_a_supplier_has_a_quarter_of_the_list_and_the_last_of_it_is_named():
    rows = [row(f"P{n:02d}", 99 - n, supplier_id="S1") for n in range(14)] + [row("Z", 1, supplier_id="S2")]
    found = ranks(*rows)  # 25 % of 50 = 12.5
    assert [product for product, rank in found if rank is None] == ["P12", "P13"]
    assert found[-1] == ("Z", 13)
    assert displaced(*rows) == {"P12": "supplier S1: P11", "P13": "supplier S1: P11"}


@pytest.mark.parametrize("state", ["known", "unknown"])
def test_a_brand_has_a_tenth_of_the_list(state):
    rows = [row(f"P{n}", 99 - n, brand_key="acme", brand_state=state) for n in range(7)]
    assert displaced(*rows) == {"P5": "brand acme: P4", "P6": "brand acme: P4"}


@pytest.mark.parametrize("state", ["generic", "missing"])
def test_generic_and_missing_brands_are_not_one_brand(state):
    assert displaced(*(row(f"P{n}", 99 - n, brand_key="none", brand_state=state) for n in range(9))) == {}


def test_a_supplier_and_a_brand_are_one_risk_in_all_marketplaces():
    rows = [row("A", 9, supplier_id="S1"), row("B", 8, supplier_id="S1", marketplace="DE")]
    assert displaced(*rows, top=4) == {"B": "supplier S1: A"}


def test_every_share_lets_at_least_one_in():
    rows = [row("A", 9, supplier_id="S1", brand_key="acme", brand_state="known")]
    assert ranks(*rows, top=1) == [("A", 1)]


def test_a_share_that_floating_point_writes_a_little_low_is_whole():
    # 0.29 x 100 is 28.999999999999996
    rows = [row(f"P{n:03d}", 999 - n, supplier_id="S1") for n in range(40)]
    assert sum(rank is not None for _, rank in ranks(*rows, top=100, supplier_share_max=0.29)) == 29


def test_a_displaced_row_takes_no_place_of_its_supplier_or_brand():
    rows = [
        row("A", 9, parent_id="X", supplier_id="S1"), row("B", 8, parent_id="X", supplier_id="S2"), row("C", 7, supplier_id="S2"),
    ]  # fmt: skip
    assert ranks(*rows, top=4) == [("A", 1), ("B", None), ("C", 2)]


def test_what_is_displaced_makes_room_for_the_next():
    rows = [row(f"P{n}", 9 - n, supplier_id="S1" if n < 3 else f"T{n}") for n in range(6)]
    assert [product for product, rank in ranks(*rows, top=4) if rank] == ["P0", "P3", "P4", "P5"]


def test_no_candidates_give_an_empty_list():
    assert ranks() == [] and len(scored()) == 0
