"""A whole run: the same bytes whatever the workers, the order or the repetition; every line and every cent accounted for."""

import json
import random
import shutil
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest

FILES = (
    "shortlist.parquet", "decisions.parquet", "set_aside.parquet", "unmatched_offers.parquet", "shown.parquet",
    "price_series.parquet", "seller_decisions.parquet", "report.html", "shortlist.xlsx",
)  # fmt: skip
WEEK = "2026-W47"


@pytest.fixture(scope="module")
def market(tmp_path_factory, root):
    """An invented market of 1,500 products and three weeks, made once."""
    from pipeline.demo.write import write_demo

    folder = tmp_path_factory.mktemp("market") / "demo"
    write_demo(folder, 1500, 3, 11, WEEK)
    return folder


def bytes_of(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def facts_of(folder):
    """run.json without what may differ between two runs on the same inputs."""
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    manifest.pop("timings")
    return manifest


def run_into(data, dump, **options):
    from pipeline.runs.week_run import Options, run_week

    return run_week(Options(data=data, dump=dump, **options))


@pytest.fixture(scope="module")
def first_data(market, tmp_path_factory):
    """A data folder into which the first dump of the market was run, in this process."""
    data = tmp_path_factory.mktemp("first")
    run_into(data, market / "dumps" / "2026-W45", workers=1)
    return data


@pytest.fixture(scope="module")
def first(first_data):
    """The folder of that run."""
    return (first_data / "shortlists" / "2026-W45").resolve()


@pytest.fixture
def after_first(first_data, tmp_path):
    """A copy of that data folder, to go on with."""
    shutil.copytree(first_data, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.soak), pytest.param(4, marks=pytest.mark.soak)])
def test_any_number_of_workers_gives_the_same_bytes_and_facts_as_one(market, first, tmp_path, workers):
    again = run_into(tmp_path, market / "dumps" / "2026-W45", workers=workers).folder
    assert bytes_of(again) == bytes_of(first)
    assert facts_of(again) == facts_of(first)


@pytest.mark.parametrize("size", [250_000, pytest.param(60_000, marks=pytest.mark.soak)])
def test_any_number_of_buckets_gives_the_same_bytes(market, first, tmp_path, monkeypatch, size):
    from pipeline.runs import week_run as run_module

    dump = market / "dumps" / "2026-W45"
    assert sum(path.stat().st_size for path in dump.iterdir()) > 4 * size
    monkeypatch.setattr(run_module, "_BUCKET_BYTES", size)
    again = run_into(tmp_path, dump, workers=1).folder
    assert bytes_of(again) == bytes_of(first)


def test_files_made_in_another_order_give_the_same_bytes(market, first, tmp_path):
    copy = tmp_path / "2026-W45"
    copy.mkdir()
    for path in sorted((market / "dumps" / "2026-W45").iterdir(), reverse=True):
        shutil.copy(path, copy / path.name)
    assert bytes_of(run_into(tmp_path / "data", copy).folder) == bytes_of(first)


def test_shuffled_rows_give_equal_tables_but_for_the_line(market, first, tmp_path):
    copy = tmp_path / "2026-W45"
    copy.mkdir()
    dice = random.Random(5)
    for path in (market / "dumps" / "2026-W45").iterdir():
        header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        dice.shuffle(rows)
        (copy / path.name).write_text(header + "".join(rows), encoding="utf-8", newline="")
    again = run_into(tmp_path / "data", copy).folder
    for name in ("shortlist.parquet", "decisions.parquet", "unmatched_offers.parquet"):
        old, new = pq.read_table(first / name), pq.read_table(again / name)
        drop = [column for column in ("line", "byte_offset") if column in old.column_names]
        assert new.drop_columns(drop).equals(old.drop_columns(drop))


def test_a_second_run_says_so_and_changes_nothing(market, first, after_first):
    before = {path: path.stat().st_mtime_ns for path in after_first.rglob("*") if path.name != ".lock"}
    again = run_into(after_first, market / "dumps" / "2026-W45")
    assert not again.is_new and again.folder.name == first.name
    assert {path: path.stat().st_mtime_ns for path in after_first.rglob("*") if path.name != ".lock"} == before


def test_another_plan_another_top_or_another_byte_of_the_dump_is_another_run(make_dump, run):
    dump = make_dump("2026-W45")
    names = [run(dump, **options).folder.name for options in ({}, {"top": 5}, {"plan": "[rules]\ngross_margin_min = 0.41\n"})]
    with (dump / "offers.csv").open("a") as handle:
        handle.write("\n")
    names.append(run(dump).folder.name)
    assert len(set(names)) == 4


def test_weeks_in_a_row_keep_the_history_of_the_weeks_before(market, after_first, tmp_path):
    for week in ("2026-W46", "2026-W47"):
        run = run_into(after_first, market / "dumps" / week)
    alone = run_into(tmp_path / "alone", market / "dumps" / "2026-W47")
    kept = pq.read_table(run.folder / "decisions.parquet", columns=["price_evidence", "price_p05"]).to_pandas()
    lone = pq.read_table(alone.folder / "decisions.parquet", columns=["price_evidence", "price_p05"]).to_pandas()
    assert run.manifest["previous_week"] == "2026-W46" and alone.manifest["previous_week"] is None
    # A dump of the last seven days knows no price of 90 days ago; the store does.
    assert (kept["price_p05"].fillna(0) != lone["price_p05"].fillna(0)).mean() > 0.2
    assert (kept["price_evidence"] == "history").sum() >= (lone["price_evidence"] == "history").sum()


def test_every_line_of_every_file_is_accounted_for(first):
    manifest = json.loads((first / "run.json").read_text(encoding="utf-8"))
    for entry in manifest["inputs"]:
        parts = entry["header"] + entry["blank"] + entry["rows"] + entry["line_ends_in_values"]
        assert entry["lines"] == parts + sum(entry["non_records"].values()) + sum(entry["set_aside"].values())
        assert entry["rows"] == entry["records_used"] + sum(entry["non_products"].values()) + entry["exact_repeats"]
    rows = pq.read_metadata(first / "decisions.parquet").num_rows
    assert manifest["candidates"] == sum(manifest["verdicts"].values()) == rows
    assert manifest["outputs"].keys() == {path.name for path in first.iterdir()} - {"run.json"} >= set(FILES)


def test_the_cost_lines_of_every_row_add_up_to_the_cent(first):
    table = pd.read_parquet(first / "decisions.parquet")
    known = table[table["net_profit"].notna()]
    assert len(known) > 300
    costs = ["unit_cost", "freight", "duty", "shipping_cost", "referral_fee", "closing_fee", "advertising_cost", "payment_cost"]
    cents = (known[["price", *costs, "expected_return_loss", "net_profit"]] * 100).round().astype("int64")
    assert (cents["price"] - cents[[*costs, "expected_return_loss"]].sum(axis=1) == cents["net_profit"]).all()
    assert ((known["landed_cost"] - known[["unit_cost", "freight", "duty"]].sum(axis=1)).abs() < 1e-9).all()


def test_the_parts_of_every_score_add_up_and_lie_between_0_and_100(first):
    table = pd.read_parquet(first / "decisions.parquet")
    parts = table[["score_margin", "score_stability", "score_returns", "score_supply", "score_demand"]]
    assert ((parts.sum(axis=1) - table["score"]).abs() < 1e-6).all()
    assert table["score"].between(0, 100).all() and (parts >= 0).all().all()


def test_no_fact_is_invented_for_a_verdict(first):
    """A verdict follows from the reasons and the missing facts, by its order of precedence."""
    for row in pq.read_table(first / "decisions.parquet", columns=["verdict", "reasons", "missing", "rank"]).to_pylist():
        severities = {reason["severity"] for reason in row["reasons"]}
        if "reject" in severities:
            expected = {"rejected"}
        elif row["missing"]:
            expected = {"incomplete"}
        elif "review" in severities:
            expected = {"review"}
        else:
            expected = {"shortlisted", "passed"}
        assert row["verdict"] in expected
        assert (row["rank"] is not None) == (row["verdict"] == "shortlisted")


def test_the_list_is_sorted_and_diverse(market, tmp_path):
    run = run_into(tmp_path, market / "dumps" / "2026-W45", top=4)
    listed = pd.read_parquet(run.folder / "shortlist.parquet")
    ledger = pd.read_parquet(run.folder / "decisions.parquet").set_index("product_id")
    assert list(listed["rank"]) == list(range(1, len(listed) + 1))
    assert listed["score"].is_monotonic_decreasing
    assert listed["supplier_id"].value_counts().max() == 1  # 25 % of 4
    branded = ledger.loc[listed["product_id"]].query("brand_state in ['known', 'unknown']")["brand_key"]
    assert branded.value_counts().max() == 1  # 10 % of 4, never less than one
    displaced = [r for reasons in ledger.query("verdict == 'passed'")["reasons"] for r in reasons if r["rule"] == "diversified_out"]
    assert displaced and all(r["detail"].split(": ")[-1] in set(listed["product_id"]) for r in displaced)


def test_the_markets_keepa_form_runs_too_with_nothing_set_aside(market, tmp_path):
    run = run_into(tmp_path, market / "keepa" / "2026-W45")
    assert run.manifest["totals"]["set_aside"] == 0
    keepa = next(entry for entry in run.manifest["inputs"] if entry["source"] == "keepa")
    assert keepa["non_records"]["watermark"] == 1
    assert run.manifest["verdicts"]["shortlisted"] > 5


def test_the_excluded_departments_of_the_truth_are_not_listed(market, first):
    truth = pd.read_csv(market / "truth" / "products.csv").set_index("product_id")
    listed = pd.read_parquet(first / "shortlist.parquet")["product_id"]
    told = truth.loc[listed]
    assert not told.query("is_mislabelled in [False, 'no', 'false']")["department"].isin(["electronics", "food"]).any()


def test_dry_run_writes_nothing(market, tmp_path):
    run = run_into(tmp_path / "data", market / "dumps" / "2026-W45", dry_run=True)
    assert run.manifest["candidates"] > 1000 and not (tmp_path / "data").exists()


def test_the_command_prints_one_summary_line_and_one_json_object(make_dump, tmp_path, command):
    dump, data = make_dump("2026-W45"), tmp_path / "data"
    done = command("run", dump, "--data", data)
    assert done.returncode == 0
    assert done.stdout.startswith("done in ") and done.stdout.count("\n") == 1 and "shortlisted" in done.stdout
    again = command("run", dump, "--data", data, "--json")
    answer = json.loads(again.stdout)
    assert again.returncode == 0 and answer["is_new"] is False and answer["week"] == "2026-W45"
    assert "up to date" in command("run", dump, "--data", data).stdout


def test_the_newest_complete_dump_is_taken_and_an_unfinished_one_is_passed_over(make_dump, tmp_path, command):
    make_dump("2026-W45")
    (make_dump("2026-W46") / "more.csv.part").write_text("x")
    (tmp_path / "dumps" / "not-a-week").mkdir()
    assert json.loads(command("run", "--data", tmp_path, "--json").stdout)["week"] == "2026-W45"


def test_help_answers_without_loading_the_libraries():
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import shortlist; "
        "result = CliRunner().invoke(shortlist, ['--help']); assert 'explain' in result.output; "
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'scipy', 'pydantic', 'sklearn'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_plan_may_make_a_rule_milder_stricter_or_switch_it_off(make_dump, run):
    def verdict(suppliers, severity):
        plan = f'[severity]\nsuppliers_min = "{severity}"\n'
        return run(make_dump(f"2026-W{40 + len(seen):02d}", suppliers=suppliers), plan=plan).manifest["verdicts"]

    seen = []
    for severity, wanted in (("reject", "rejected"), ("review", "review"), ("warn", "shortlisted"), ("off", "shortlisted")):
        seen.append(verdict(1, severity))
        assert seen[-1][wanted] == 1, severity


def test_a_severity_of_no_rule_is_refused_with_the_nearest_one(make_dump, run):
    from pipeline.errors import PlanError

    with pytest.raises(PlanError, match="did you mean 'suppliers_min'"):
        run(make_dump(), plan='[severity]\nsupplier_min = "reject"\n')


def test_a_single_file_is_a_dump_of_its_folders_week(make_dump, run):
    dump = make_dump("2026-W47")
    manifest = run(dump / "candidates.csv").manifest
    assert manifest["week"] == "2026-W47" and [entry["file"] for entry in manifest["inputs"]] == ["candidates.csv"]
