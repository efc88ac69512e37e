"""What people open and send back: report, workbook, decisions from the workbook, changes between weeks, answers in two languages."""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile

import openpyxl
import pyarrow.parquet as pq
import pytest

from pipeline.messages.columns import COLUMN_WORDS
from pipeline.publish.workbooks.shortlist_workbook import _LIST

BEFORE, WEEK = "2026-W46", "2026-W47"


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Two weeks of an invented market, both run."""
    from pipeline.demo.write import write_demo

    folder = tmp_path_factory.mktemp("people")
    write_demo(folder / "demo", 500, 2, 3, WEEK)
    for week in (BEFORE, WEEK):
        run_into(folder / "data", folder / "demo" / "dumps" / week)
    return folder


def run_into(data, dump, **options):
    from pipeline.runs.week_run import Options, run_week

    return run_week(Options(data=data, dump=dump, **options))


def answer(capsys, *words):
    """What a command says in this process: (stdout, stderr)."""
    from pipeline.cli import shortlist

    shortlist.main([str(word) for word in words], standalone_mode=False)
    told = capsys.readouterr()
    return told.out, told.err


def listed(data, week=WEEK):
    return pq.read_table(data / "shortlists" / week / "shortlist.parquet").to_pylist()


def opened(path):
    """A workbook as another library sees it; it knows no sparklines and says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*xtension is not supported")
        return openpyxl.load_workbook(io.BytesIO(path.read_bytes()))


def sheet_rows(path, name):
    """A sheet's header and rows as {heading: value}."""
    rows = opened(path)[name].iter_rows(values_only=True)
    header = next(rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_values_of_the_workbook_are_those_of_the_parquet_file(market):
    path = market / "data" / "shortlists" / WEEK / "shortlist.xlsx"
    rows, ledger = sheet_rows(path, "List"), listed(market / "data")
    assert len(rows) == len(ledger) > 5
    compared = 0
    for row, held in zip(rows, ledger, strict=True):
        for name in ("rank", "product_id", "title", "marketplace", *_LIST):
            if name in ("flags", "backup_suppliers"):
                assert len((row[COLUMN_WORDS[name]] or "").split(", ")) == max(1, len(held[name]))
                continue
            wanted = held[name] if held[name] != "" else None
            # A workbook keeps 16 digits: money and counts come back as they are, shares to the last digit but one.
            told = pytest.approx(wanted, rel=1e-14) if isinstance(wanted, float) else wanted
            assert row[COLUMN_WORDS[name]] == told, (held["product_id"], name)
            compared += 1
    assert compared > 50 * len(rows)


def test_no_cell_of_the_workbook_is_a_formula(market):
    path = market / "data" / "shortlists" / WEEK / "shortlist.xlsx"
    book = opened(path)
    assert book.sheetnames == ["List", "Prices", "Live, failing", "Review", "Sourcing", "Near misses", "Reasons", "Run"]
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)
    with zipfile.ZipFile(path) as packed:
        assert not [name for name in packed.namelist() if b"<f>" in packed.read(name) and name.startswith("xl/worksheets/sheet2")]
        sheet = packed.read("xl/worksheets/sheet1.xml")
    for wanted in (b"<pane ", b"<autoFilter ", b"dataBar", b"sparklineGroup", b"dataValidation"):
        assert wanted in sheet, wanted
    assert book["List"].freeze_panes == "D2"


def test_the_same_run_gives_the_same_report_and_workbook_byte_by_byte(market, tmp_path):
    again = run_into(tmp_path / "data", market / "demo" / "dumps" / BEFORE).folder
    first = market / "data" / "shortlists" / BEFORE
    manifest = json.loads((first / "run.json").read_text(encoding="utf-8"))
    for name in ("report.html", "shortlist.xlsx", "shown.parquet", "price_series.parquet", "seller_decisions.parquet"):
        assert (again / name).read_bytes() == (first / name).read_bytes(), name
        assert name in manifest["outputs"]


def test_report_writes_the_same_bytes_again_and_another_language_on_request(market, capsys):
    data, folder = market / "data", (market / "data" / "shortlists" / WEEK).resolve()
    names = ("report.html", "shortlist.xlsx")
    before = {name: (folder / name).read_bytes() for name in names}
    (folder / "report.html").unlink()
    out, _ = answer(capsys, "report", "--data", data)
    assert out.split() == [str(data / "shortlists" / WEEK / name) for name in names]
    assert {name: (folder / name).read_bytes() for name in names} == before
    told = json.loads(answer(capsys, "report", "--data", data, "--lang", "zh", "--json")[0])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert told["changed"] and '<html lang="zh-Hans">' in page and "毛利率" in page
    assert "清单" in opened(folder / "shortlist.xlsx").sheetnames
    assert json.loads(answer(capsys, "report", "--data", data, "--json")[0])["changed"]
    assert {name: (folder / name).read_bytes() for name in names} == before


def fill_in(path, changes, **titles):
    """Type into the first sheet that holds a product, as a person would; {product: {heading: value}}."""
    book = opened(path)
    left = dict(changes)
    for sheet in book:
        header = [cell.value for cell in sheet[1]]
        if titles.get("product", "Product ID") not in header:
            continue
        for row in sheet.iter_rows(min_row=2):
            product = row[header.index(titles.get("product", "Product ID"))].value
            for heading, value in left.pop(product, {}).items():
                row[header.index(heading)].value = value
    assert not left
    book.save(path)
    return path


def test_decisions_and_notes_are_carried_over_a_re_ranked_week(market, tmp_path, capsys):
    data = tmp_path / "data"
    run_into(data, market / "demo" / "dumps" / BEFORE)
    both = [row["product_id"] for row in listed(data, BEFORE) if row["product_id"] in {r["product_id"] for r in listed(market / "data")}]
    skipped, noted, quoted = both[:3]
    copy = tmp_path / "mine.xlsx"
    copy.write_bytes((data / "shortlists" / BEFORE / "shortlist.xlsx").read_bytes())
    fill_in(copy, {
        skipped: {"Your decision": "skip", "Your note": "too many rivals, =1+1"},
        noted: {"Your note": "ask ann"},
        quoted: {"Your decision": "quoted", "Quoted cost": 4.25, "Quote valid until": "2026-12-31"},
    })  # fmt: skip
    out, _ = answer(capsys, "decide", "--from", copy, "--data", data, "--json")
    assert {name: json.loads(out)[name] for name in ("new", "changed", "same", "older")} == {"new": 3, "changed": 0, "same": 0, "older": 0}
    held = {row["product_id"]: row for row in csv.DictReader(io.StringIO((data / "decisions.csv").read_text(encoding="utf-8")))}
    assert (held[skipped]["decision"], held[skipped]["decided_on"], held[skipped]["note"]) == (
        "skip",
        "2026-11-15",
        "too many rivals, =1+1",
    )

    folder = run_into(data, market / "demo" / "dumps" / WEEK).folder
    now = {row["product_id"]: row for row in listed(data)}
    rows = {row["Product ID"]: row for row in sheet_rows(folder / "shortlist.xlsx", "List")}
    assert skipped not in now and rows[noted]["Your note"] == "ask ann" and rows[noted]["Rank"] == now[noted]["rank"]
    decided = {row["product_id"]: row for row in pq.read_table(folder / "decisions.parquet").to_pylist()}
    assert decided[skipped]["verdict"] == "passed" and decided[skipped]["hidden_by"] == "decision skip: hidden until 2027-02-07"
    assert decided[quoted]["unit_cost"] == 4.25
    if quoted in rows:
        assert (rows[quoted]["Your decision"], rows[quoted]["Quoted cost"]) == ("quoted", 4.25)
    assert "ask ann" in (folder / "report.html").read_text(encoding="utf-8")
    # The new week's workbook, sent back as it is, changes nothing.
    again = json.loads(answer(capsys, "decide", "--from", folder / "shortlist.xlsx", "--data", data, "--json")[0])
    assert (again["new"], again["changed"]) == (0, 0) and again["same"] >= 1


def test_a_chinese_workbook_is_read_back_too(market, tmp_path, capsys):
    data = tmp_path / "data"
    folder = run_into(data, market / "demo" / "dumps" / BEFORE, lang="zh").folder
    product = listed(data, BEFORE)[0]["product_id"]
    fill_in(folder / "shortlist.xlsx", {product: {"您的决定": "跳过", "您的备注": "不做"}}, product="商品编号")
    out, _ = answer(capsys, "decide", "--from", folder / "shortlist.xlsx", "--data", data, "--lang", "zh")
    assert "新增 1" in out
    (row,) = csv.DictReader(io.StringIO((data / "decisions.csv").read_text(encoding="utf-8")))
    assert (row["product_id"], row["decision"], row["note"], row["marketplace"]) == (product, "skip", "不做", "US")


@pytest.mark.parametrize(("typed", "wanted"), [
    ({"Your decision": "maybe"}, "decision 'maybe' is none; wanted one of list, test"),
    ({"Your decision": "quoted", "Quoted cost": "cheap"}, "'cheap' is no amount"),
    ({"Your decision": "skip", "Skip until": "soon"}, "'soon' is no day"),
])  # fmt: skip
def test_what_cannot_be_understood_is_refused_with_its_place_and_nothing_is_written(market, tmp_path, typed, wanted):
    from pipeline.errors import DumpError
    from pipeline.runs.import_decisions import import_decisions

    copy = tmp_path / "mine.xlsx"
    copy.write_bytes((market / "data" / "shortlists" / WEEK / "shortlist.xlsx").read_bytes())
    fill_in(copy, {listed(market / "data")[0]["product_id"]: typed})
    with pytest.raises(DumpError) as refused:
        import_decisions(tmp_path / "data", copy, None)
    assert wanted in str(refused.value) and "sheet List row 2" in str(refused.value)
    assert not (tmp_path / "data" / "decisions.csv").exists()


def test_decisions_of_the_seller_s_own_hand_stay_and_younger_ones_stand(market, tmp_path, capsys):
    data = tmp_path / "data"
    first, second = (row["product_id"] for row in listed(market / "data")[:2])
    data.mkdir()
    mine = f"product_id,decision,decided_on,note,shelf\nB0OTHER,stop,2026-01-01,mine,A1\n{first},gated,2027-01-01,later,\n"
    (data / "decisions.csv").write_text(mine, encoding="utf-8")
    copy = tmp_path / "mine.xlsx"
    copy.write_bytes((market / "data" / "shortlists" / WEEK / "shortlist.xlsx").read_bytes())
    fill_in(copy, {first: {"Your decision": "skip"}, second: {"Your decision": "test"}})
    told = json.loads(answer(capsys, "decide", "--from", copy, "--data", data, "--json")[0])
    assert (told["new"], told["older"]) == (1, 1)
    rows = {row["product_id"]: row for row in csv.DictReader(io.StringIO((data / "decisions.csv").read_text(encoding="utf-8")))}
    assert rows["B0OTHER"]["shelf"] == "A1" and rows[first]["decision"] == "gated" and rows[second]["decision"] == "test"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"product_id,decision\nA,skip\n"])
def test_a_file_that_is_no_workbook_is_refused(tmp_path, content):
    from pipeline.errors import DumpError
    from pipeline.runs.import_decisions import import_decisions

    (tmp_path / "mine.xlsx").write_bytes(content)
    with pytest.raises(DumpError, match="no Excel workbook"):
        import_decisions(tmp_path / "data", tmp_path / "mine.xlsx", None)


def test_diff_tells_who_entered_left_and_moved_and_why(market, capsys):
    data = market / "data"
    old = {row["product_id"]: row["rank"] for row in listed(data, BEFORE)}
    new = {row["product_id"]: row["rank"] for row in listed(data)}
    told = json.loads(answer(capsys, "diff", BEFORE, WEEK, "--data", data, "--json")[0])
    found = {kind: {c["product_id"] for c in told["changes"] if c["change"] == kind} for kind in ("entered", "left", "moved")}
    assert found == {
        "entered": new.keys() - old.keys(), "left": old.keys() - new.keys(),
        "moved": {p for p in new.keys() & old.keys() if new[p] != old[p]},
    }  # fmt: skip
    assert found["entered"] and found["left"] and all(change["why"] for change in told["changes"])
    decisions = {row["product_id"]: row for row in pq.read_table(data / "shortlists" / WEEK / "decisions.parquet").to_pylist()}
    for change in told["changes"]:
        if change["change"] == "left" and change["product_id"] in decisions:
            assert change["why"][0]["kind"].split()[0] in (decisions[change["product_id"]]["verdict"], "below", "hidden", "displaced")
    out, _ = answer(capsys, "diff", BEFORE, WEEK, "--data", data, "--lang", "zh")
    assert "新入选" in out and "\x1b[" not in out and "下一步" in out


def test_a_diff_with_itself_is_empty(market, capsys):
    told = json.loads(answer(capsys, "diff", WEEK, WEEK, "--data", market / "data", "--json")[0])
    assert told["changes"] == []


def test_explain_and_rejects_speak_chinese_and_stay_aligned(market, capsys):
    data = market / "data"
    product = listed(data)[0]["product_id"]
    out, _ = answer(capsys, "explain", product, "--data", data, "--lang", "zh")
    for words in ("入选", "毛利率", "保本价", "备用供应商", "佣金"):
        assert words in out
    out, _ = answer(capsys, "rejects", "--data", data, "--lang", "zh")
    assert "淘汰" in out and "rejected" not in out
    plain, _ = answer(capsys, "explain", product, "--data", data, "--lang", "en")
    assert "net profit" in plain and "净利润" not in plain


def test_a_refusal_is_chinese_when_the_environment_asks_for_it(command, tmp_path):
    done = command("run", "--data", tmp_path, env={"SHORTLIST_LANG": "zh"})
    assert done.returncode == 13 and done.stderr.startswith("无事可做：") and done.stderr.count("\n") == 1


def test_the_plan_names_the_language_of_the_files(market, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('[report]\nlanguage = "zh"\nrows_max = 3\n', encoding="utf-8")
    folder = run_into(tmp_path / "data", market / "demo" / "dumps" / WEEK, plan=plan).folder
    page = (folder / "report.html").read_text(encoding="utf-8")
    rows = listed(tmp_path / "data")
    assert '<html lang="zh-Hans">' in page
    assert f"清单另有 {len(rows) - 3} 行" in page and 'href="shortlist.parquet"' in page
    assert rows[2]["title"] in page.replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&")


def test_the_report_names_the_last_list_s_changes_and_live_listings_that_fail(market):
    page = (market / "data" / "shortlists" / WEEK / "report.html").read_text(encoding="utf-8")
    assert f"Changes since {BEFORE}" in page and 'id="live"' in page
    live = [r for r in pq.read_table(market / "data" / "shortlists" / WEEK / "shown.parquet").to_pylist() if r["pick"] == "live"]
    failing = [row for row in live if row["verdict"] != "passed"]
    assert f"{len(failing):,} of {len(live):,} products that you sell no longer pass." in page


def test_a_price_series_is_what_the_dump_tells_of_the_last_180_days(make_dump, run):
    result = run(make_dump(WEEK))
    (row,) = pq.read_table(result.folder / "price_series.parquet").to_pylist()
    # 26 Mondays of 29.99; the window of 180 days begins on 27 May 2026, two days after one of them.
    assert row["product_id"] == "B0EXAMPLE1" and set(row["prices"]) == {29.99}
    assert row["dates"][0].isoformat() == "2026-05-27" and row["dates"][-1].isoformat() == "2026-11-16" and len(row["dates"]) == 26
