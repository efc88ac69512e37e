"""Which files are a dump's input, and finding one line again."""

from __future__ import annotations

import pytest

from pipeline.errors import DumpError
from pipeline.ingest.dump import DumpFile, describe, list_dump, raw_records

HEAD = "product_id,title,price,currency\n"


def test_only_data_files_count_and_they_are_sorted_by_name(tmp_path):
    for name in ("b.csv", "a/z.csv", ".hidden", "_SUCCESS", "README.md", ".git/x.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [file.name for file in list_dump(tmp_path)] == ["a/z.csv", "b.csv"]
    assert [file.name for file in list_dump(tmp_path / "b.csv")] == ["b.csv"]


@pytest.mark.parametrize("ending", [".part", ".filepart", ".crdownload", ".tmp"])
def test_a_file_still_being_uploaded_refuses_the_dump(tmp_path, ending):
    (tmp_path / f"a.csv{ending}").write_text("x")
    with pytest.raises(DumpError, match="still being uploaded"):
        list_dump(tmp_path)


def test_a_link_that_leaves_the_dump_is_refused(tmp_path):
    (tmp_path / "dump").mkdir()
    (tmp_path / "secret.csv").write_text("x")
    (tmp_path / "dump" / "a.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DumpError, match="leaves the dump"):
        list_dump(tmp_path / "dump")


def test_nothing_there_is_refused(tmp_path):
    with pytest.raises(DumpError, match="no file in it"):
        list_dump(tmp_path)
    with pytest.raises(DumpError, match="no such file or folder"):
        list_dump(tmp_path / "none")


def test_lines_are_found_again_by_their_offsets_with_personal_cells_masked(tmp_path, sources, context):
    head = "order_id,product_id,ordered_at,quantity,unit_price,currency,customer_id\n"
    path = tmp_path / "o.csv"
    path.write_text(head + "1,A,2026-01-05,1,5,USD,jane@example.com\n2,B,2026-01-05,1,5,USD,\n")
    source = next(source for source in sources if source.name == "canonical-orders")
    file = DumpFile("o.csv", path)
    lines = ["1,A,2026-01-05,1,5,USD,***", "2,B,2026-01-05,1,5,USD,"]
    offsets = [len(head), len(head) + len("1,A,2026-01-05,1,5,USD,jane@example.com\n")]
    assert raw_records(file, source, offsets, context) == lines
    assert raw_records(file, source, offsets[1:], context) == lines[1:]


def test_check_tells_source_and_columns_or_why_not(tmp_path, sources, context):
    (tmp_path / "good.csv").write_text(HEAD)
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    good, odd = (describe(file, sources, context) for file in list_dump(tmp_path))
    assert (good.source, good.columns["price"], good.problem) == ("canonical-candidates", "price", None)
    assert (odd.source, odd.header) == (None, ("a", "b"))
    assert "no source knows this header" in str(odd.problem)
