"""Bad input: one clear line on stderr, its own exit code, nothing half-written."""

import pytest

WEEK = "2026-W47"


def refused(done, code, *words):
    """One line on stderr, no traceback, the exit code, and what the line must say."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]
    assert done.stdout == ""


@pytest.fixture
def dump(make_dump):
    return make_dump(WEEK)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def nothing_written(data):
    left = {path.name for path in data.rglob("*")} if data.exists() else set()
    assert left <= {".lock"}


def test_a_folder_without_a_known_file_names_the_file_and_the_nearest_source(command, tmp_path, data):
    folder = tmp_path / WEEK
    folder.mkdir()
    (folder / "things.csv").write_text("product_id,titel,price,currency,brand\nB0,x,1.00,USD,y\n")
    refused(command("run", folder, "--data", data), 11, "things.csv", "canonical-candidates", "title")
    nothing_written(data)


def test_an_empty_folder_and_an_empty_file_are_refused(command, tmp_path, data, dump):
    empty = tmp_path / "e" / WEEK
    empty.mkdir(parents=True)
    refused(command("run", empty, "--data", data), 11)
    (dump / "offers.csv").write_bytes(b"")
    refused(command("run", dump, "--data", data), 11, "offers.csv", "empty")
    nothing_written(data)


def test_a_file_cut_in_mid_line_is_refused(command, dump, data):
    path = dump / "candidates.csv"
    path.write_bytes(path.read_bytes()[:-12])
    refused(command("run", dump, "--data", data), 11, "candidates.csv: cut off", "run again")
    nothing_written(data)


def test_a_doubled_header_column_is_refused(command, dump, data):
    (dump / "candidates.csv").write_text("product_id,title,price,price,currency\nB0EXAMPLE1,x,1.00,2.00,USD\n")
    refused(command("run", dump, "--data", data), 11, "candidates.csv", "price")


def test_an_unknown_header_in_a_canonical_file_is_refused(command, dump, data):
    (dump / "candidates.csv").write_text("product_id,title,price,currency,colour\nB0EXAMPLE1,x,1.00,USD,red\n")
    refused(command("run", dump, "--data", data), 11, "colour")


def test_a_header_without_rows_is_refused_alone_and_warned_of_beside_others(command, dump, data):
    header = (dump / "offers.csv").read_text().splitlines()[0]
    (dump / "offers.csv").write_text(header + "\n")
    done = command("run", dump, "--data", data)
    assert done.returncode == 0 and "offers.csv: a header without rows" in done.stderr
    (dump / "offers.csv").unlink()
    (dump / "price_history.csv").unlink()
    header = (dump / "candidates.csv").read_text().splitlines()[0]
    (dump / "candidates.csv").write_text(header + "\n")
    refused(command("run", dump, "--data", data), 11, "candidates.csv", "without rows")


def test_a_plan_with_an_unknown_key_is_refused_with_the_nearest_one(command, dump, data, tmp_path):
    plan = tmp_path / "my.toml"
    plan.write_text("[rules]\ngross_margin = 0.3\n")
    refused(command("run", dump, "--data", data, "--plan", plan), 10, "my.toml", "gross_margin", "did you mean 'gross_margin_min'?")
    refused(command("config", "check", plan), 10, "gross_margin_min")
    refused(command("run", dump, "--data", data, "--plan", tmp_path / "none.toml"), 10, "none.toml")


@pytest.mark.parametrize("week", ["../x", "2026-W54", "2026-W7", "last", "2026-13-01", ""])
def test_a_week_that_is_none_is_a_usage_error(command, dump, data, week):
    refused(command("run", dump, "--data", data, "--week", week), 2, "is no week", "2026-W47")


def test_a_dump_whose_name_tells_no_week_asks_for_one(command, dump, data):
    odd = dump.rename(dump.with_name("export"))
    refused(command("run", odd, "--data", data), 2, "--week")
    assert command("run", odd, "--data", data, "--week", "2026-11-19").returncode == 0


def test_a_data_folder_that_cannot_be_written_is_14(command, dump, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("x")
    refused(command("run", dump, "--data", blocked / "data"), 14, "a-file")
    refused(command("run", dump, "--data", blocked), 14, "a-file")


def test_no_dump_at_all_is_13(command, tmp_path):
    refused(command("run", "--data", tmp_path / "nothing"), 13, "no complete dump")
    refused(command("explain", "B0EXAMPLE1", "--data", tmp_path / "nothing"), 13, "no list yet")


def test_a_dump_that_is_not_there_is_11(command, tmp_path, data):
    refused(command("run", tmp_path / "2026-W40", "--data", data), 11, "not there")


def test_a_file_still_being_uploaded_is_refused_by_name(command, dump, data):
    (dump / "more.csv.part").write_text("x")
    refused(command("run", dump, "--data", data), 11, "more.csv.part")


def test_too_much_set_aside_publishes_nothing_and_tells_the_first_line(command, dump, data):
    with (dump / "candidates.csv").open("a") as handle:
        handle.write("broken line\n")
    refused(command("run", dump, "--data", data), 12, "candidates.csv", "line 3", "shortlist check")
    nothing_written(data)


def many(count):
    return [{"product_id": f"B0MANY{i:04d}", "title": f"Shelf {i}", "price": "24.99", "currency": "USD"} for i in range(count)]


def test_a_product_twice_with_two_prices_keeps_the_lower_and_sets_the_other_aside(make_dump, run):
    import pyarrow.parquet as pq

    rows = many(100)
    dump = make_dump(WEEK, more={"candidates": [*rows, rows[7] | {"price": "99.99"}, rows[8]], "offers": [], "price_history": []})
    result = run(dump)
    aside = pq.read_table(result.folder / "set_aside.parquet").to_pylist()
    assert [(row["line"], row["kind"], row["column"]) for row in aside] == [(102, "conflict", "product_id")]
    assert "99.99" in aside[0]["raw"] and "B0MANY0007" in aside[0]["message"]
    prices = dict(
        zip(*pq.read_table(result.folder / "decisions.parquet", columns=["product_id", "price"]).to_pydict().values(), strict=True)
    )
    assert prices["B0MANY0007"] == 24.99 and len(prices) == 100
    entry = next(e for e in result.manifest["inputs"] if e["file"] == "candidates.csv")
    assert (entry["rows"], entry["exact_repeats"], entry["records_used"], entry["set_aside"]) == (101, 1, 100, {"conflict": 1})


def test_an_offer_in_an_unknown_currency_is_set_aside(make_dump, run):
    import pyarrow.parquet as pq

    offers = [
        {"supplier_id": "S1", "product_id": f"B0MANY{i:04d}", "unit_cost": "5.00", "currency": "QQQ" if i == 3 else "USD"}
        for i in range(100)
    ]
    result = run(make_dump(WEEK, more={"candidates": many(100), "offers": offers, "price_history": []}))
    aside = pq.read_table(result.folder / "set_aside.parquet").to_pylist()
    assert [(row["file"], row["line"], row["kind"]) for row in aside] == [("offers.csv", 5, "currency")]


def test_strict_refuses_a_single_line_that_does_not_fit(make_dump, tmp_path, command):
    rows = many(100)
    dump = make_dump(WEEK, more={"candidates": [*rows, rows[7] | {"price": "99.99"}], "offers": [], "price_history": []})
    refused(command("run", dump, "--data", tmp_path / "d", "--strict"), 12, "conflict")


def test_check_reads_everything_and_writes_nothing(command, dump, data, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done = command("check", dump)
    assert done.returncode == 0 and "3 of 3 files can be read" in done.stdout
    (dump / "odd.csv").write_text("a,b\n1,2\n")
    done = command("check", dump)
    assert done.returncode == 11 and "odd.csv" in done.stdout and "3 of 4 files" in done.stdout
    (dump / "odd.csv").unlink()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[general]\nmarketplace = "USA"\n', ("unknown marketplace 'USA'", "[general]")),
        ('[[exchange_rates]]\nfrom = "CNH"\nto = "USD"\ndate = 2026-11-01\nrate = 0.1\n', ("unknown currency 'CNH'", "did you mean 'CNY'")),
        ('[sources.keeper]\nmarketplace = "US"\n', ("unknown source 'keeper'", "did you mean 'keepa'")),
    ],
)
def test_a_plan_that_names_what_does_not_exist_is_refused(command, dump, data, tmp_path, text, words):
    plan = tmp_path / "my.toml"
    plan.write_text(text)
    refused(command("run", dump, "--data", data, "--plan", plan), 10, *words)
    refused(command("config", "check", plan), 10, *words)


@pytest.mark.parametrize("words", [("run", "--tops", "3"), ("run", "--top", "0"), ("runn",), ("run", "a", "b"), ("explain",)])
def test_a_misspelt_command_is_one_line_that_names_the_help(command, words):
    refused(command(*words), 2, "usage: ", "--help")


@pytest.mark.parametrize(
    ("field", "value"), [("price", "9" * 30), ("price", "1e400"), ("monthly_sold", "9" * 30), ("package_weight_g", "9" * 400)]
)
def test_a_number_beyond_all_measure_is_set_aside_without_a_word_of_numpy(command, make_dump, tmp_path, field, value):
    rows = [row | {"monthly_sold": "1", "package_weight_g": "1"} for row in many(100)]
    dump = make_dump(WEEK, more={"candidates": [*rows[:-1], rows[-1] | {field: value}], "offers": [], "price_history": []})
    done = command("run", dump, "--data", tmp_path / "d")
    assert done.returncode == 0 and "Warning" not in done.stderr and "set aside 1 " in done.stdout


def test_a_file_whose_only_record_is_damaged_is_refused_for_that_and_not_as_empty(command, make_dump, tmp_path):
    dump = make_dump(WEEK, more={"offers": [], "price_history": []})
    path = dump / "candidates.csv"
    path.write_bytes(path.read_bytes().replace(b"Bamboo", b"B\xe4mboo"))
    refused(command("run", dump, "--data", tmp_path / "d"), 12, "encoding", "line 2")


def test_the_sellers_decisions_file_must_hold_decisions_and_may_share_its_name_with_a_file_of_the_dump(command, dump, data):
    data.mkdir()
    (data / "decisions.csv").write_bytes((dump / "candidates.csv").read_bytes())
    refused(command("run", dump, "--data", data), 11, "decisions.csv (data folder)", "candidates")
    (data / "decisions.csv").write_text("product_id,decision\nB0EXAMPLE1,stop\n")
    (dump / "decisions.csv").write_text("product_id,decision\nB0OTHER,skip\n")
    done = command("run", dump, "--data", data, "--json")
    assert done.returncode == 0 and '"passed": 1' in done.stdout
