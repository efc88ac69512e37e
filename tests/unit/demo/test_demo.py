"""The invented market: same arguments, same bytes; its files keep the contract, its truth agrees with what they show."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.demo import write as demo
from pipeline.demo.text import csv_bytes, csv_header
from pipeline.errors import UsageError

Row = dict[str, str]

# DESIGN.md section 3: required headers, then optional ones.
HEADERS = {
    table: (required.split(), optional.split())
    for table, required, optional in (
        (
            "candidates",
            "product_id title price currency",
            """marketplace brand category_path gtin fee_category avg30_price avg90_price avg180_price sd90_price
            out_of_stock_share_90 amazon_share_90 rating rating_count sales_rank monthly_sold offer_count package_weight_g
            package_length_mm package_width_mm package_height_mm is_hazmat return_flag return_rate sold_orders returned_orders
            sold_units returned_units listed_since parent_id""",
        ),
        ("price_history", "product_id date price currency", "marketplace"),
        (
            "offers",
            "supplier_id unit_cost currency product_id",
            """gtin supplier_sku marketplace freight freight_to shipping_cost duty duty_included pack_quantity moq quoted_at
            valid_until title supplier_contact platform ship_from handling_days_min handling_days_max stock accepts_returns
            return_days has_tracking""",
        ),
        ("matches", "supplier_id supplier_sku product_id", "marketplace pack_quantity"),
        (
            "orders",
            "order_id product_id ordered_at quantity unit_price currency",
            "marketplace title customer_id is_return returned_order_id returned_at",
        ),
        (
            "returns",
            "product_id period_start period_end sold_orders returned_orders",
            "marketplace sold_units returned_units",
        ),
        ("deliveries", "supplier_id promised_date shipped_date", "delivered_date product_id"),
        ("listed", "product_id", "marketplace own_sku listed_price supplier_id listed_on"),
    )
}


def market(products: int, weeks: int = 1, seed: int = 7, until: str = "2026-W47") -> dict[str, list[Row]]:
    """Every file as a list of rows, read back by the standard library."""
    files = {}
    for path, table in demo.make_market(products, weeks, seed, until):
        text = (csv_header(table.column_names) + csv_bytes(table)).decode()
        files[path] = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return files


@pytest.fixture(scope="module")
def month() -> dict[str, list[Row]]:
    """Five weeks of 1,500 products, W43 to W47."""
    return market(1_500, weeks=5)


@pytest.fixture(scope="module")
def crowd() -> dict[str, list[Row]]:
    """One week of 20,000 products: enough for shares."""
    return market(20_000)


def by_product(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["product_id"]].append(row)
    return grouped


def days_of_stock(steps: list[Row], first: dt.date, last: dt.date) -> list[int]:
    """Cents in force on each day, 0 = out of stock: the slow and obvious way."""
    prices, day = [], first
    while day <= last:
        in_force = [row["price"] for row in steps if row["date"] <= day.isoformat()][-1]
        prices.append(round(float(in_force) * 100) if in_force else 0)
        day += dt.timedelta(days=1)
    return prices


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_arguments_give_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    first = demo.write_demo(tmp_path / "a", 120, 2, 7, "2026-W02")
    demo.write_demo(tmp_path / "b", 120, 2, 7, "2026-W02")
    demo.write_demo(tmp_path / "c", 120, 2, 8, "2026-W02")
    a, b, c = (bytes_of(tmp_path / name) for name in "abc")
    assert a == b
    assert a["dumps/2026-W02/candidates.csv"] != c["dumps/2026-W02/candidates.csv"]
    assert first.weeks == ("2026-W01", "2026-W02")
    assert first.newest_dump == tmp_path / "a" / "dumps" / "2026-W02"
    assert set(first.rows) == set(a)
    for name, content in a.items():
        assert content.endswith(b"\n") and b"\r" not in content
        assert len(list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))) == first.rows[name] + 1


def test_a_person_is_told_what_was_written_and_what_to_do_next(tmp_path: Path) -> None:
    report = demo.write_demo(tmp_path / "m", 50, 2, 1, "2026-W47")
    lines = demo.demo_lines(report)
    prices = report.rows["dumps/2026-W46/price_history.csv"] + report.rows["dumps/2026-W47/price_history.csv"]
    assert lines[0] == (
        f"invented 50 products, {report.rows['truth/offers.csv']} offers of 6 suppliers and {prices:,} prices "
        f"for 2026-W46 to 2026-W47 in {tmp_path / 'm'}"
    )
    assert lines[-1] == f"next: shortlist run {tmp_path / 'm'}/dumps/2026-W47 --data {tmp_path / 'm'}/data"


def test_the_committed_sample_stays_below_two_megabytes(tmp_path: Path) -> None:
    demo.write_demo(tmp_path / "sample", 300, 1, 7)
    assert 300_000 < sum(map(len, bytes_of(tmp_path / "sample").values())) < 2_000_000


def test_each_file_has_every_required_header_and_none_that_the_contract_does_not_know(month: dict[str, list[Row]]) -> None:
    seen = set()
    for path, rows in month.items():
        if path.startswith("dumps/"):
            table = path.split("/")[2].removesuffix(".csv")
            required, optional = HEADERS[table]
            assert set(required) <= set(rows[0]) <= set(required) | set(optional), path
            seen.add(table)
    assert seen == set(HEADERS)


def test_the_first_dump_holds_26_weeks_of_prices_and_later_ones_seven_days(month: dict[str, list[Row]]) -> None:
    first = [row["date"] for row in month["dumps/2026-W43/price_history.csv"]]
    assert (min(first), max(first)) == ("2026-04-27", "2026-10-25")  # Monday of W18 to Sunday of W43
    for week, monday in ((44, "2026-10-26"), (45, "2026-11-02"), (46, "2026-11-09"), (47, "2026-11-16")):
        days = {row["date"] for row in month[f"dumps/2026-W{week}/price_history.csv"]}
        sunday = (dt.date.fromisoformat(monday) + dt.timedelta(days=6)).isoformat()
        assert monday <= min(days) <= max(days) <= sunday
    assert max(row["date"] for row in month["truth/prices.csv"]) > "2026-11-22"  # what a forecast is judged by


def test_the_price_of_a_candidate_is_the_last_one_of_its_history(month: dict[str, list[Row]]) -> None:
    last: dict[str, str] = {}
    compared = 0
    for week in range(43, 48):
        for row in month[f"dumps/2026-W{week}/price_history.csv"]:
            last[row["product_id"]] = row["price"]
        for row in month[f"dumps/2026-W{week}/candidates.csv"]:
            if row["product_id"] in last:
                assert row["price"] == last[row["product_id"]], row
                compared += 1
    assert compared > 5_000


def test_histories_name_changes_the_first_day_and_sundays_only(month: dict[str, list[Row]]) -> None:
    for rows in by_product(month["dumps/2026-W43/price_history.csv"]).values():
        assert rows[0]["date"] == "2026-04-27"
        for before, row in pairwise(rows):
            assert before["date"] < row["date"]
            assert before["price"] != row["price"] or dt.date.fromisoformat(row["date"]).weekday() == 6


def test_summaries_agree_with_the_price_process_day_by_day(month: dict[str, list[Row]]) -> None:
    truth = by_product(month["truth/prices.csv"])
    first_weeks = {row["product_id"]: row["first_week"] for row in month["truth/products.csv"]}
    as_of = dt.date(2026, 11, 22)
    rows = [row for row in month["dumps/2026-W47/candidates.csv"] if row["avg90_price"]]
    rows = rows[:150] + [row for row in rows if first_weeks[row["product_id"]] != "2026-W43"]
    for row in rows:
        product = row["product_id"]
        born = dt.date.fromisocalendar(2026, int(first_weeks[product][-2:]), 1)
        listed = dt.date(2026, 4, 27) if first_weeks[product] == "2026-W43" else born
        for days, name in ((30, "avg30_price"), (90, "avg90_price"), (180, "avg180_price")):
            every = days_of_stock(truth[product], max(listed, as_of - dt.timedelta(days=days - 1)), as_of)
            stocked = [cents for cents in every if cents]
            if not stocked:
                assert row[name] == ""
                continue
            mean = sum(stocked) / len(stocked)
            assert float(row[name]) * 100 == pytest.approx(mean, abs=0.51)
            if days == 90:
                spread = math.sqrt(sum((cents - mean) ** 2 for cents in stocked) / len(stocked))
                assert float(row["sd90_price"]) * 100 == pytest.approx(spread, abs=0.51)
                assert float(row["out_of_stock_share_90"]) == pytest.approx(1 - len(stocked) / len(every), abs=0.0051)


def test_gtins_have_right_check_digits_but_for_those_that_the_truth_calls_invalid(crowd: dict[str, list[Row]]) -> None:
    valid = {row["product_id"]: row["is_gtin_valid"] == "yes" for row in crowd["truth/products.csv"]}
    wrong, codes = 0, []
    for row in crowd["dumps/2026-W47/candidates.csv"]:
        for number, code in enumerate(row["gtin"].split()):
            codes.append(code)
            assert re.fullmatch(r"200[01]\d{9}", code)
            total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(code))
            assert (total % 10 == 0) == (valid[row["product_id"]] or number > 0)
            wrong += total % 10 != 0
    assert len(set(codes)) == len(codes)
    assert 0.005 < wrong / len(codes) < 0.02


def test_ids_are_unique_and_families_have_two_to_four_members(crowd: dict[str, list[Row]]) -> None:
    rows = crowd["dumps/2026-W47/candidates.csv"]
    ids = {row["product_id"] for row in rows}
    assert len(ids) == len(rows) == 20_000
    assert all(re.fullmatch(r"B0[0-9A-Z]{8}", product) for product in ids)
    families = Counter(row["parent_id"] for row in rows if row["parent_id"])
    assert not ids & set(families)
    assert set(families.values()) == {2, 3, 4}


def test_departments_brands_and_prices_have_their_shares(crowd: dict[str, list[Row]]) -> None:
    rows, truth = crowd["dumps/2026-W47/candidates.csv"], crowd["truth/products.csv"]

    def shares(name: str, of: Iterable[Row]) -> dict[str, float]:
        values = [row[name] for row in of]
        return {value: count / len(values) for value, count in Counter(values).items()}

    departments = shares("department", truth)
    for department, least, most in (
        ("other", 0.73, 0.79),
        ("electronics", 0.07, 0.09),
        ("food", 0.05, 0.07),
        ("apparel", 0.05, 0.07),
        ("powered", 0.01, 0.03),
        ("animal_food", 0.005, 0.015),
        ("luggage", 0.005, 0.015),
    ):
        assert least < departments[department] < most, department
    brands = shares("brand_state", [row for row in truth if row["department"] == "apparel"])
    assert min(brands.values()) > 0.10 and set(brands) == {"known", "unknown", "generic", "missing"}
    assert 0.02 < shares("is_mislabelled", truth)["yes"] < 0.04
    assert 0.02 < shares("category_path", rows)[""] < 0.04
    prices = [float(row["price"]) for row in rows if row["price"]]
    assert 0.01 < 1 - len(prices) / len(rows) < 0.05
    assert 0.40 < sum(20 <= price <= 40 for price in prices) / len(prices) < 0.52
    assert sum(8 <= price <= 80 for price in prices) / len(prices) > 0.9
    evidence = shares("return_evidence", truth)
    assert 0.36 < evidence["none"] < 0.44 and 0.21 < evidence["keepa_flag"] < 0.29
    assert 0.30 < evidence["order_lines"] + evidence["return_counts"] + evidence["summed_counts"] < 0.36
    with_history = by_product(crowd["dumps/2026-W47/price_history.csv"])
    assert 0.81 < len(with_history) / len(rows) < 0.88


def test_offers_stand_on_both_sides_of_every_supplier_rule(crowd: dict[str, list[Row]]) -> None:
    offers = crowd["dumps/2026-W47/offers.csv"]
    assert {row["platform"] for row in offers} >= {"cj", "1688", "taobao", "aliexpress", ""}
    assert {row["handling_days_max"] for row in offers} >= {"0", "1", "2", "3", ""}
    assert {row["has_tracking"] for row in offers} == {"yes", "no", ""}
    assert {row["freight_to"] for row in offers} == {"buyer", "agent", ""}
    assert {row["supplier_contact"] != "" for row in offers} == {True, False}
    age = [(dt.date(2026, 11, 22) - dt.date.fromisoformat(row["quoted_at"])).days for row in offers]
    assert min(age) == 0 and 30 < max(age) <= 60
    assert 0.01 < sum(row["currency"] == "CNY" for row in offers) / len(offers) < 0.05
    assert {row["currency"] for row in offers} == {"USD", "CNY"}
    abroad = [row for row in offers if row["ship_from"] == "CN"]
    assert {(row["duty"] != "", row["duty_included"]) for row in abroad} == {(True, ""), (False, "yes"), (False, "")}
    wrong = sum(row["is_pack_wrong"] == "yes" for row in crowd["truth/offers.csv"]) / len(offers)
    assert 0.01 < wrong < 0.03


def test_an_offer_has_one_key_and_a_product_each_supplier_once(crowd: dict[str, list[Row]]) -> None:
    offers = crowd["dumps/2026-W47/offers.csv"]
    for row in offers:
        assert sum(row[key] != "" for key in ("product_id", "gtin", "supplier_sku")) == 1
    matched = {(row["supplier_id"], row["supplier_sku"]) for row in crowd["dumps/2026-W47/matches.csv"]}
    by_sku = {(row["supplier_id"], row["supplier_sku"]) for row in offers if row["supplier_sku"]}
    assert matched < by_sku and len(by_sku - matched) < 0.1 * len(by_sku)
    per_product = Counter((row["product_id"], row["supplier_id"]) for row in crowd["truth/offers.csv"])
    assert max(per_product.values()) == 1
    offered = Counter(row["product_id"] for row in crowd["truth/offers.csv"])
    assert set(offered.values()) == {1, 2, 3, 4}
    assert 0.60 < len(offered) / 20_000 < 0.70


def test_the_best_supplier_is_the_cheapest_that_may_be_used(crowd: dict[str, list[Row]]) -> None:
    usable = defaultdict(list)
    for facts, truth in zip(crowd["dumps/2026-W47/offers.csv"], crowd["truth/offers.csv"], strict=True):
        assert facts["supplier_id"] == truth["supplier_id"]
        allowed = facts["platform"] in ("cj", "spocket", "wholesale", "1688")
        if allowed and facts["has_tracking"] == "yes" and facts["handling_days_max"] in ("0", "1", "2"):
            usable[truth["product_id"]].append((float(truth["landed_cost"]), truth["supplier_id"]))
    assert len(usable) > 5_000
    for row in crowd["truth/products.csv"]:
        offers = usable.get(row["product_id"])
        assert bool(offers) == bool(row["best_supplier_id"])
        if offers:
            cheapest = min(offers)[0]
            assert float(row["best_landed_cost"]) == cheapest
            assert row["best_supplier_id"] in {supplier for cost, supplier in offers if cost == cheapest}


def test_order_lines_link_returns_to_earlier_sales_of_the_same_customer(month: dict[str, list[Row]]) -> None:
    sales: dict[str, Row] = {}
    linked = unlinked = in_place = 0
    for week in range(43, 48):
        sunday = dt.date.fromisocalendar(2026, week, 7).isoformat()
        monday = "2026-04-27" if week == 43 else dt.date.fromisocalendar(2026, week, 1).isoformat()
        lines = month[f"dumps/2026-W{week}/orders.csv"]
        for row in lines:
            assert monday <= row["ordered_at"] <= sunday and row["returned_at"] <= sunday
            if row["is_return"] == "no":
                assert row["order_id"] not in sales
                sales[row["order_id"]] = row
                in_place += row["returned_at"] != ""
                assert row["returned_at"] == "" or row["returned_at"] > row["ordered_at"]
            elif row["returned_order_id"]:
                sale = sales[row["returned_order_id"]]
                assert all(sale[name] == row[name] for name in ("product_id", "customer_id", "quantity", "unit_price"))
                assert sale["ordered_at"] < row["ordered_at"] and sale["returned_at"] == ""
                linked += 1
            else:
                unlinked += 1
    assert linked > unlinked > 0 and in_place > 0


def test_returns_tell_the_true_rate(crowd: dict[str, list[Row]]) -> None:
    truth = {row["product_id"]: float(row["return_rate"]) for row in crowd["truth/products.csv"]}
    mature = [row for row in crowd["dumps/2026-W47/returns.csv"] if row["period_end"] <= "2026-09-23"]  # 60 days before
    counts = [(row["product_id"], int(row["sold_orders"]), int(row["returned_orders"])) for row in mature]
    summed = [row for row in crowd["dumps/2026-W47/candidates.csv"] if row["sold_orders"]]
    counts += [(row["product_id"], int(row["sold_orders"]), int(row["returned_orders"])) for row in summed]
    assert len({(row["product_id"], row["period_start"]) for row in mature}) == len(mature)
    assert all(0 <= returned <= sold for _, sold, returned in counts)
    expected = sum(truth[product] * sold for product, sold, _ in counts)
    spread = math.sqrt(sum(truth[product] * (1 - truth[product]) * sold for product, sold, _ in counts))
    assert abs(sum(returned for _, _, returned in counts) - expected) < 4 * spread
    assert min(sold for _, sold, _ in counts) == 1 and max(sold for _, sold, _ in counts) > 100  # thin and thick


def test_suppliers_are_as_late_as_the_truth_says(crowd: dict[str, list[Row]]) -> None:
    truth = {row["supplier_id"]: float(row["late_rate"]) for row in crowd["truth/suppliers.csv"]}
    assert len(truth) == 500  # 20,000 / 40
    done = crowd["dumps/2026-W47/deliveries.csv"]
    expected = sum(truth[row["supplier_id"]] for row in done)
    spread = math.sqrt(sum(truth[row["supplier_id"]] * (1 - truth[row["supplier_id"]]) for row in done))
    assert abs(sum(row["shipped_date"] > row["promised_date"] for row in done) - expected) < 4 * spread
    assert all(row["shipped_date"] <= "2026-11-22" and row["delivered_date"] <= "2026-11-22" for row in done)


def test_keepas_form_tells_the_same_market(month: dict[str, list[Row]]) -> None:
    rows = month["keepa/2026-W47/KeepaExport-2026-11-22-ProductFinder.csv"]
    watermark = rows.pop()
    assert watermark.pop("") == "Exported on 2026-11-22 21:40 (UTC) by ✜ Keepa.com" and not any(watermark.values())
    ours = {row["product_id"]: row for row in month["dumps/2026-W47/candidates.csv"]}
    assert len(rows) == len(ours)
    for row in rows:
        same = ours[row["ASIN"]]
        for theirs, name in (
            ("Buy Box 🚚: Current", "price"),
            ("Buy Box 🚚: 90 days avg.", "avg90_price"),
            ("Buy Box: Standard Deviation 90 days", "sd90_price"),
        ):
            assert re.fullmatch(r"((\d{1,3}(,\d{3})*\.\d\d) -409)?", row[theirs])
            assert row[theirs].removesuffix(" -409").replace(",", "") == same[name]
        assert row["Title"] == same["title"] and row["Brand"] == same["brand"] and row["Parent ASIN"] == same["parent_id"]
        assert row["Categories: Tree"] == same["category_path"].replace(" > ", " › ")
        assert row["Categories: Root"] == same["category_path"].split(" > ")[0]
        assert row["Product Codes: EAN"].replace(", ", " ") == same["gtin"]
        assert row["Return Rate"].lower() == same["return_flag"]
        assert row[""] == ""
    assert month["keepa/2026-W47/offers.csv"] == month["dumps/2026-W47/offers.csv"]


def test_keepas_referral_fee_is_the_effective_rate_at_the_price(crowd: dict[str, list[Row]]) -> None:
    rows = {row["ASIN"]: row for row in crowd["keepa/2026-W47/KeepaExport-2026-11-22-ProductFinder.csv"] if row["ASIN"]}
    steps = {
        "clothing_accessories": lambda price: 0.05 if price <= 15 else 0.10 if price <= 20 else 0.17,
        "beauty_health_personal_care": lambda price: 0.08 if price <= 10 else 0.15,
        "home_kitchen": lambda price: 0.15,
    }
    checked: Counter[tuple[str, float]] = Counter()
    for row in crowd["dumps/2026-W47/candidates.csv"]:
        if row["fee_category"] in steps and row["price"]:
            price = float(row["price"])
            rate = steps[row["fee_category"]](price)
            shown = rows[row["product_id"]]
            fee = float(shown["Referral Fee based on current Buy Box price"].removesuffix(" -409"))
            assert fee == pytest.approx(max(rate * price, 0.30), abs=0.0051)
            assert float(shown["Referral Fee %"]) == pytest.approx(fee / price, abs=0.00006)
            checked[row["fee_category"], rate] += 1
    assert {rate for _, rate in checked} == {0.05, 0.08, 0.10, 0.15, 0.17}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("products", [1, 2, 7, 45])
def test_the_smallest_markets_stand_too(products: int, seed: int, tmp_path: Path) -> None:
    report = demo.write_demo(tmp_path / "small", products, 2, seed, "2027-W01")
    assert report.weeks == ("2026-W53", "2027-W01")  # 2026 has 53 weeks
    assert report.rows["truth/products.csv"] == products
    assert report.suppliers == 6


@pytest.mark.parametrize(
    ("products", "weeks", "seed", "until"),
    [
        (0, 1, 1, "2026-W47"),
        (1, 0, 1, "2026-W47"),
        (1, 1, -1, "2026-W47"),
        (1, 1, 1, "2025-W53"),
        (1, 1, 1, "../x"),
        (1, 1, 1, "2026-W4"),
    ],
)
def test_arguments_that_make_no_market_are_refused(products: int, weeks: int, seed: int, until: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        demo.write_demo(tmp_path / "none", products, weeks, seed, until)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UsageError, match="not empty"):
        demo.write_demo(tmp_path, 10, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_csv_quotes_what_needs_it_and_nothing_else() -> None:
    table = pa.table({"a": ['12" shelf', "plain", None, "x,y", ""], "b, c": ["1", None, "two\nlines", "é", "ok"]})
    assert csv_header(table.column_names) == b'a,"b, c"\n'
    assert csv_bytes(table).decode() == '"12"" shelf",1\nplain,\n,"two\nlines"\n"x,y",é\n,ok\n'
    assert csv_bytes(table.slice(1, 1)) == b"plain,\n"
    assert csv_bytes(table.slice(0, 0)) == b""
