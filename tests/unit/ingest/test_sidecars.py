"""What the sender says beside a file: checksums and row counts, kept or the dump is refused."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.errors import DumpError
from pipeline.ingest.dump import list_dump, read_file

HEAD = "product_id,title,price,currency\n"
ROWS = [f"B0INV{i:05},Basket {i},24.99,USD\n" for i in range(5)]
CONTENT = (HEAD + "".join(ROWS)).encode()
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def take(tmp_path, sources, context):
    """Write files into a folder, read it whole, and tell the rows of each input file."""

    def _take(files, only=""):
        for name, content in files.items():
            path = tmp_path / "dump" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        found = {}
        for file in list_dump(tmp_path / "dump" / only):
            reading = read_file(file, sources, context)
            list(reading.tables())
            found[file.name] = reading.report.rows
        return found

    return _take


@pytest.mark.parametrize(
    "sidecar",
    [
        SUM,
        SUM.upper() + "\n",
        f"{SUM}  a.csv\n",
        f"{SUM} *a.csv\r\n",
        f"{SUM}  upload/a.csv.part\n",
        f"SHA256 (a.csv) = {SUM}\n",
        "\ufeff" + SUM,
    ],
)
def test_a_checksum_of_the_bytes_is_taken_in_every_form(take, sidecar):
    assert take({"a.csv": CONTENT, "a.csv.sha256": sidecar}) == {"a.csv": 5}
    assert take({}, only="a.csv") == {"a.csv": 5}


def test_a_checksum_of_other_bytes_refuses_the_dump(take):
    wrong = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(DumpError, match=rf"a\.csv: its bytes are not those of its checksum \(SHA-256 {SUM[:12]}.*send both again") as told:
        take({"a.csv": CONTENT, "a.csv.sha256": wrong})
    assert "\n" not in str(told.value)
    with pytest.raises(DumpError, match="checksum"):
        take({}, only="a.csv")


def test_with_a_checksum_every_cut_and_every_changed_byte_is_refused(take):
    for place in range(0, len(CONTENT), 7):
        for content in (CONTENT[:place], CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :]):
            with pytest.raises(DumpError):
                take({"a.csv": content, "a.csv.sha256": SUM})


@pytest.mark.parametrize("sidecar", ["", "x", SUM[:-1], f"{SUM}\n{SUM}\n", b"\xff\xfe"])
def test_a_checksum_file_that_is_not_understood_refuses_the_dump(take, sidecar):
    with pytest.raises(DumpError, match=r"a\.csv\.sha256: no (SHA-256|UTF-8)"):
        take({"a.csv": CONTENT, "a.csv.sha256": sidecar})


def test_a_checksum_whose_file_is_not_there_refuses_the_dump(take):
    with pytest.raises(DumpError, match=r"b\.csv\.sha256: names b\.csv, which is not there"):
        take({"a.csv": CONTENT, "b.csv.sha256": SUM})


def test_a_list_of_checksums_speaks_of_its_folder(take):
    escaped = f"\\{SUM}  od\\\\d.csv\n"
    files = {"x/a.csv": CONTENT, "x/y/b.csv": CONTENT, "x/SHA256SUMS": f"{SUM}  ./a.csv\n\n{SUM} *y/b.csv\n", "free.csv": CONTENT}
    assert take(files) == {"free.csv": 5, "x/a.csv": 5, "x/y/b.csv": 5}
    with pytest.raises(DumpError, match=r"x/SHA256SUMS: names x/gone\.csv, which is not there"):
        take({"x/SHA256SUMS": f"{SUM}  gone.csv\n"})
    with pytest.raises(DumpError, match=r"x/a\.csv: its bytes"):
        take({"x/SHA256SUMS": f"{'0' * 64}  a.csv\n"})
    for line in (f"{SUM}  ../free.csv\n", f"{SUM}  /free.csv\n"):
        with pytest.raises(DumpError, match="leaves its folder"):
            take({"x/SHA256SUMS": line})
    with pytest.raises(DumpError, match="line 2 is none of sha256sum"):
        take({"x/SHA256SUMS": f"{SUM}  a.csv\n{SUM}\n"})
    with pytest.raises(DumpError, match=r"names x/od/d\.csv"):
        take({"x/SHA256SUMS": escaped})


def test_a_manifest_counts_rows_so_that_a_cut_between_lines_is_found(take):
    manifest = {"manifest.csv": "file,rows\na.csv,5\n"}
    assert take({"a.csv": CONTENT, **manifest}) == {"a.csv": 5}
    with pytest.raises(DumpError, match=r"a\.csv: 4 rows, but the manifest says 5; wait for the upload to finish"):
        take({"a.csv": HEAD + "".join(ROWS[:4])})
    with pytest.raises(DumpError, match=r"a\.csv: 6 rows, but the manifest says 5"):
        take({"a.csv": HEAD + "".join([*ROWS, ROWS[0].replace("00000", "00009")])})


def test_a_manifest_may_hold_checksums_and_other_columns_too(take):
    assert take({"a.csv": CONTENT, "MANIFEST.csv": f"note,file,sha256,rows\nx,a.csv,{SUM},\n"}) == {"a.csv": 5}
    with pytest.raises(DumpError, match="its bytes"):
        take({"MANIFEST.csv": f"note,file,sha256,rows\nx,a.csv,{'0' * 64},5\n"})


@pytest.mark.parametrize("line", ["a.csv,many", "a.csv,-1", ",5", "a.csv", "a.csv,5,6"])
def test_a_manifest_line_that_is_not_understood_refuses_the_dump(take, line):
    with pytest.raises(DumpError, match=r"manifest\.csv: line 2 is not understood"):
        take({"a.csv": CONTENT, "manifest.csv": f"file,rows\n{line}\n"})


def test_a_manifest_counts_a_line_that_was_set_aside_and_a_record_that_fell_into_pieces(take):
    one = HEAD + "".join(ROWS[:4]) + 'B0INV00009,12" Globe,5,USD\n'
    assert take({"a.csv": one, "manifest.csv": "file,rows\na.csv,5\n"}) == {"a.csv": 4}
    pieces = HEAD + "".join(ROWS[:4]) + 'B0INV00009,"Glo"be\nfor shelves,5,USD\n'
    assert take({"a.csv": pieces}) == {"a.csv": 4}


def test_two_sidecars_that_contradict_each_other_refuse_the_dump(take):
    with pytest.raises(DumpError, match=r"a\.csv\.sha256: says .* and another file beside it"):
        take({"a.csv": CONTENT, "a.csv.sha256": SUM, "SHA256SUMS": f"{'0' * 64}  a.csv\n"})


def test_a_table_that_is_called_manifest_is_read_as_a_table(take):
    assert take({"manifest.csv": CONTENT}) == {"manifest.csv": 5}


def test_a_sidecar_may_list_what_is_no_input(take):
    listed = f"{SUM}  a.csv\n{SUM}  README.md\n{SUM}  _SUCCESS\n{SUM}  manifest.csv\n"
    assert take({"a.csv": CONTENT, "SHA256SUMS": listed, "_SUCCESS": "", "manifest.csv": "file,rows\na.csv,5\n"}) == {"a.csv": 5}


def test_a_run_is_refused_though_the_same_bytes_were_taken_before(make_dump, run):
    dump = make_dump("2026-W47")
    run(dump)
    (dump / "manifest.csv").write_text("file,rows\ncandidates.csv,2\n")
    with pytest.raises(DumpError, match=r"candidates\.csv: 1 rows, but the manifest says 2"):
        run(dump)
    (dump / "manifest.csv").unlink()
    (dump / "candidates.csv.sha256").write_text("0" * 64)
    with pytest.raises(DumpError, match=r"candidates\.csv: its bytes"):
        run(dump)
