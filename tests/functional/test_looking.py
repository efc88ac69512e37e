"""`explain`, `rejects`, `sources`, `config`, `init`: queries after a run."""

import json
import re

import pytest


@pytest.fixture
def listed(make_dump, run, tmp_path):
    run(make_dump("2026-W47"))
    return tmp_path / "data"


def test_explain_prints_every_rule_the_waterfall_and_the_scores_parts(command, listed):
    told = command("explain", "B0EXAMPLE1", "--data", listed)
    assert told.returncode == 0 and "shortlisted, rank 1" in told.stdout
    for rule in ("price_band", "landed_share", "gross_margin", "net_margin", "return_risk", "margin_hold", "tracking"):
        assert re.search(rf"^\s+(ok|warn|REVIEW|REJECT)\s+{rule}\b", told.stdout, re.MULTILINE), rule
    for line in ("purchase", "referral fee", "expected loss by returns", "net profit", "returns: 4.6 %", "evidence E3, 60 mature orders"):
        assert line in told.stdout


def test_the_waterfall_of_explain_adds_up_to_the_net_profit(command, listed):
    told = json.loads(command("explain", "B0EXAMPLE1", "--data", listed, "--json").stdout)
    assert round(sum(amount for _, amount in told["waterfall"]), 2) == told["decision"]["net_profit"] == 11.00
    assert round(sum(points for _, points in told["score"]), 6) == told["decision"]["score"]


def test_explain_tells_the_same_severity_as_the_ledger(command, make_dump, run, tmp_path):
    run(make_dump("2026-W47", candidate={"price": "19.99"}))
    told = json.loads(command("explain", "B0EXAMPLE1", "--data", tmp_path / "data", "--json").stdout)
    shown = {rule["rule"]: (rule["severity"], rule["distance"]) for rule in told["rules"] if rule["severity"] != "pass"}
    kept = {reason["rule"]: (reason["severity"], reason["distance"]) for reason in told["decision"]["reasons"]}
    assert shown.keys() == kept.keys()
    assert all(shown[rule][0] == kept[rule][0] for rule in shown)
    assert all(shown[rule][1] == pytest.approx(kept[rule][1]) for rule in shown)
    assert shown["price_band"][1] == pytest.approx(0.01)


def test_explain_of_a_stranger_is_13(command, listed):
    done = command("explain", "B0NOTTHERE", "--data", listed)
    assert done.returncode == 13 and done.stderr.count("\n") == 1


def test_rejects_counts_reasons_and_names_the_nearest_miss(command, make_dump, run, tmp_path):
    run(make_dump("2026-W47", candidate={"price": "19.99"}, offer={"unit_cost": "4.00", "freight": "2.00"}))
    told = json.loads(command("rejects", "--data", tmp_path / "data", "--json").stdout)
    band = next(entry for entry in told["reasons"] if entry["rule"] == "price_band")
    assert (band["severity"], band["count"], band["alone"]) == ("reject", 1, 1)
    assert band["nearest"][0]["distance"] == pytest.approx(0.01) and band["nearest"][0]["line"] == 2
    assert "price_band" in command("rejects", "--data", tmp_path / "data").stdout


def test_sources_lists_every_canonical_table_and_keepa(command):
    told = json.loads(command("sources", "--json").stdout)
    names = {entry["name"] for entry in told["sources"]}
    assert {"canonical-candidates", "canonical-offers", "canonical-orders", "keepa", "supplier-prices-zh"} <= names
    assert all(entry["title"] for entry in told["sources"])


def test_config_show_prints_every_key_with_the_hash_that_the_run_stamps(command, listed):
    shown = command("config", "show").stdout
    assert "rules.gross_margin_min = 0.4" in shown
    stamped = json.loads((listed / "shortlists" / "2026-W47" / "run.json").read_text())["plan_sha256"]
    assert stamped in shown.splitlines()[0]


def test_init_makes_a_folder_whose_templates_are_read_as_what_they_are(command, tmp_path):
    assert command("init", "--data", tmp_path / "own").returncode == 0
    templates = sorted(path.name for path in (tmp_path / "own" / "templates").iterdir())
    assert templates == [f"{t}.csv" for t in (
        "candidates", "decisions", "deliveries", "listed", "matches", "offers", "orders", "price_history", "returns")]  # fmt: skip
    told = json.loads(command("check", tmp_path / "own" / "templates", "--json").stdout)
    assert {entry["file"].removesuffix(".csv"): entry["table"] for entry in told["files"]} == {
        name.removesuffix(".csv"): name.removesuffix(".csv") for name in templates
    }
    assert "set up already" in command("init", "--data", tmp_path / "own").stdout
