"""A file that was downloaded twice is one file, and its supplier is one supplier."""

import pyarrow.parquet as pq
import pytest

PRICES = "ASIN,Unit Cost (USD)\nB0EXAMPLE1,7.00\n"


def suppliers_of(folder):
    row = pq.read_table(folder / "decisions.parquet").to_pylist()[0]
    return {row["supplier_id"], *(row["backup_suppliers"] or ())}


@pytest.mark.parametrize("copy", ["acme (1).csv", "acme - Copy.csv", "acme - Copy (2).csv", "acme - 副本.csv"])
def test_equal_bytes_under_the_name_of_a_copy_are_read_once_and_said(make_dump, run, command, tmp_path, copy):
    dump = make_dump(suppliers=0)
    (dump / "acme.csv").write_text(PRICES, encoding="utf-8")
    alone = run(dump).manifest
    (dump / copy).write_text(PRICES, encoding="utf-8")
    both = run(dump)
    assert f"{copy}: the same bytes as acme.csv; read once" in both.lines
    assert [entry["file"] for entry in both.manifest["inputs"]] == [entry["file"] for entry in alone["inputs"]]
    assert suppliers_of(both.folder) == {"acme"}
    assert f"{copy}: the same bytes as acme.csv; read once" in command("check", dump).stdout


def test_another_list_under_the_name_of_a_copy_is_read_for_the_same_supplier(make_dump, run):
    dump = make_dump(suppliers=0)
    (dump / "acme.csv").write_text(PRICES, encoding="utf-8")
    (dump / "acme (1).csv").write_text(PRICES.replace("7.00", "7.40"), encoding="utf-8")
    result = run(dump)
    assert not [text for text in result.lines if "read once" in text]
    assert suppliers_of(result.folder) == {"acme"}


def test_equal_files_with_names_of_their_own_are_two_files(make_dump, run):
    dump = make_dump(suppliers=0)
    for name in ("acme", "best"):
        (dump / f"{name}.csv").write_text(PRICES, encoding="utf-8")
    assert suppliers_of(run(dump).folder) == {"acme", "best"}
