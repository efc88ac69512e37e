"""Files in a .gz, .zst or .zip: the same rows as the plain text, or one line that says why not."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import stat
import time
import zipfile

import pyarrow as pa
import pytest

from pipeline.errors import DumpError
from pipeline.ingest.containers import archives, blocks
from pipeline.ingest.dump import DumpFile, describe, raw_records

HEAD = "product_id,title,price,currency\n"
TEXT = (HEAD + "".join(f"B0INV{i:05},Basket {i * i},{i + 1}.50,USD\n" for i in range(400))).encode()


def gz(text):
    return gzip.compress(text, mtime=0)


def zst(text):
    return pa.Codec("zstd").compress(text, asbytes=True)


def packed_zip(*members, method=zipfile.ZIP_DEFLATED):
    """A zip of (name, text) pairs; a name may be a ZipInfo."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return out.getvalue()


def one_zip(text):
    return packed_zip(("dump.csv", text))


PACKERS = [
    pytest.param(gz, "dump.csv.gz", id="gz"),
    pytest.param(zst, "dump.csv.zst", id="zst"),
    pytest.param(one_zip, "dump.zip", id="zip"),
]


def cells(rows):
    return [{name: value for name, value in row.items() if name != "file"} for row in rows]


@pytest.mark.parametrize(("pack", "name"), PACKERS)
def test_a_packed_file_gives_the_rows_lines_and_offsets_of_its_text(read, pack, name):
    packed = pack(TEXT)
    plain, got = read(TEXT), read(packed, name)
    assert len(got.rows) == 400 and cells(got.rows) == cells(plain.rows)
    assert (got.report.size, got.report.sha256) == (len(packed), hashlib.sha256(packed).hexdigest())
    assert got.report.lines == plain.report.lines


@pytest.mark.parametrize(("pack", "name"), PACKERS)
def test_the_answer_does_not_depend_on_where_blocks_are_cut(read, monkeypatch, pack, name):
    whole = read(TEXT)
    for size in (97, 1000):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        monkeypatch.setattr(archives, "_PIECE", 61)
        assert cells(read(pack(TEXT), name).rows) == cells(whole.rows)


@pytest.mark.parametrize("name", ["dump.csv", "dump.txt", "dump", "dump.tsv.gz"])
def test_bytes_tell_what_a_file_is_and_not_its_name(read, name):
    assert len(read(gz(TEXT), name).rows) == len(read(TEXT, name).rows) == 400


def test_a_stored_member_a_folder_and_the_notes_of_a_mac_are_no_hindrance(read):
    assert len(read(packed_zip(("dump.csv", TEXT), method=zipfile.ZIP_STORED), "dump.zip").rows) == 400
    content = packed_zip(("export/", b""), ("export/dump.csv", TEXT), ("__MACOSX/export/._dump.csv", b"x"))
    assert len(read(content, "dump.zip").rows) == 400


def test_a_packed_file_may_hold_utf_16_bare_carriage_returns_and_a_declared_encoding(read):
    for text in (TEXT.decode().encode("utf-16"), TEXT.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + TEXT):
        assert [row["product_id"] for row in read(gz(text), "dump.csv.gz").rows] == [row["product_id"] for row in read(TEXT).rows]
    offers = "供应商编号,采购价,ASIN\n甲,5.00,B0INV00001\n".encode("gb18030")
    assert read(one_zip(offers), "dump.zip").rows[0]["supplier_id"] == "甲"


def test_a_name_from_the_path_is_without_the_endings(read):
    offers = "采购价,ASIN\n5.00,B0INV00001\n".encode()
    for name, content in (("acme.csv", offers), ("acme.csv.gz", gz(offers)), ("acme.zip", one_zip(offers)), ("acme.txt.zst", zst(offers))):
        assert read(content, name).rows[0]["supplier_id"] == "acme"


@pytest.mark.parametrize(("pack", "name"), PACKERS)
def test_lines_are_found_again_by_their_offsets_in_the_text(tmp_path, sources, context, read, pack, name):
    got = read(pack(TEXT), name)
    source = next(source for source in sources if source.name == "canonical-candidates")
    rows = [got.rows[place] for place in (0, 1, 123, 399)]
    lines = raw_records(DumpFile(name, tmp_path / name), source, [row["byte_offset"] for row in rows], context)
    assert [line.split(",")[0] for line in lines] == [row["product_id"] for row in rows]


# -- refused -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pack", "name"), PACKERS)
def test_a_packed_file_cut_anywhere_is_refused(read, pack, name):
    packed = pack(TEXT)
    for place in [*range(0, 64), *range(64, len(packed), 97), *range(len(packed) - 40, len(packed))]:
        with pytest.raises(DumpError) as told:
            read(packed[:place], name)
        assert "\n" not in str(told.value) and name in str(told.value)


@pytest.mark.parametrize(("pack", "name"), PACKERS[::2])
def test_a_flipped_byte_is_refused_or_changes_no_row(read, pack, name):
    packed, wanted = pack(TEXT), cells(read(TEXT).rows)
    for place in range(0, len(packed), 41):
        changed = packed[:place] + bytes([packed[place] ^ 0x10]) + packed[place + 1 :]
        try:
            assert cells(read(changed, name).rows) == wanted
        except DumpError as error:
            assert "\n" not in str(error)


def link():
    info = zipfile.ZipInfo("dump.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


REFUSED = {
    "two files": (packed_zip(("a.csv", TEXT), ("b.csv", TEXT)), "holds 2 files, wanted one"),
    "no file": (packed_zip(), "holds 0 files, wanted one"),
    "only a folder": (packed_zip(("a/", b"")), "holds 0 files"),
    "many files": (packed_zip(*((f"{i}.csv", b"") for i in range(9000))), "holds 9,000 files"),
    "a way up": (packed_zip(("../dump.csv", TEXT)), "leaves its folder"),
    "a way up in Windows": (packed_zip(("a\\..\\..\\dump.csv", TEXT)), "leaves its folder"),
    "a root": (packed_zip(("/tmp/dump.csv", TEXT)), "leaves its folder"),
    "a drive": (packed_zip(("C:dump.csv", TEXT)), "leaves its folder"),
    "a link": (packed_zip((link(), b"/etc/hostname")), "holds a link"),
    "a spreadsheet": (packed_zip(("[Content_Types].xml", b"x"), ("xl/workbook.xml", b"x")), "workbook"),
    "another method": (packed_zip(("dump.csv", TEXT), method=zipfile.ZIP_LZMA), "a method that is not read"),
    "a zip in a zip": (one_zip(one_zip(TEXT)), "a container inside a container"),
    "a gz in a zip": (packed_zip(("dump.csv.gz", gz(TEXT)), method=zipfile.ZIP_STORED), "a container inside a container"),
    "a gz in a gz": (gz(gz(TEXT)), "a container inside a container"),
    "a zst in a gz": (gz(zst(TEXT)), "a container inside a container"),
    "two members": (gz(TEXT) + gz(TEXT), "more than one member"),
    "bytes behind it": (gz(TEXT) + b"x", "more than one member"),
    "bytes behind a zst": (zst(TEXT) + b"xxxxxxxx", "inside its zstd"),
    "no text": (gz(b""), "empty"),
    "bzip2": (bz2.compress(TEXT), "bzip2, which is not read; send it as .csv"),
    "xz": (lzma.compress(TEXT), "xz, which is not read"),
    "a bomb": (gz(HEAD.encode() + b"\n" * (40 << 20)), "more than 200 times its size"),
    "a bomb in a zst": (zst(HEAD.encode() + b"\n" * (40 << 20)), "more than 200 times its size"),
    "a bomb in a zip": (one_zip(HEAD.encode() + b"\n" * (40 << 20)), "more than 200 times its size"),
    "a bomb of one line": (gz(b"\0" * (40 << 20)), "no line end in its first megabyte"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_container_that_is_no_one_plain_file_is_refused_at_once_with_one_line(read, what):
    content, why = REFUSED[what]
    begin = time.perf_counter()
    with pytest.raises(DumpError, match=why) as told:
        read(content, "dump.bin")
    assert time.perf_counter() - begin < 1
    assert str(told.value).startswith("dump refused: dump.bin: ") and "\n" not in str(told.value)


def test_a_password_is_refused(read):
    content = bytearray(one_zip(TEXT))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rfind(signature) + place] |= 1
    with pytest.raises(DumpError, match="has a password"):
        read(bytes(content), "dump.zip")


def test_a_member_that_holds_more_than_its_directory_says_is_refused(read):
    content = bytearray(one_zip(TEXT))
    place = content.rfind(b"PK\x01\x02") + 24
    content[place : place + 4] = (len(TEXT) - 1).to_bytes(4, "little")
    with pytest.raises(DumpError, match="not that of its checksum"):
        read(bytes(content), "dump.zip")


@pytest.mark.parametrize(("pack", "name"), PACKERS)
def test_more_than_the_limit_is_refused(read, monkeypatch, pack, name):
    monkeypatch.setattr(archives, "DECODED_LIMIT", len(TEXT))
    assert len(read(pack(TEXT), name).rows) == 400
    monkeypatch.setattr(archives, "DECODED_LIMIT", len(TEXT) - 1)
    with pytest.raises(DumpError, match="GB inside; send it in parts"):
        read(pack(TEXT), name)


def test_zeros_behind_a_gz_are_padding(read):
    assert len(read(gz(TEXT) + bytes(512), "dump.csv.gz").rows) == 400


def test_text_that_begins_like_a_container_is_text(read):
    content = b"BZh,product_id,title,price,currency\n"
    with pytest.raises(DumpError, match="unknown column 'BZh'"):
        read(content)


def test_check_tells_why_a_container_is_not_read(tmp_path, sources, context):
    (tmp_path / "a.zip").write_bytes(packed_zip())
    told = describe(DumpFile("a.zip", tmp_path / "a.zip"), sources, context)
    assert (told.header, told.problem) == ((), "a.zip: holds 0 files, wanted one; send each in a .zip of its own")


def test_a_week_of_packed_files_gives_the_list_of_the_plain_ones(make_dump, run):
    import pyarrow.parquet as pq

    dump = make_dump("2026-W47")
    plain = run(dump)
    wanted = pq.read_table(plain.folder / "shortlist.parquet").to_pylist()
    for path, pack, ending in zip(sorted(dump.iterdir()), (gz, zst, one_zip), (".gz", ".zst", ".zip"), strict=True):
        path.with_name(path.name + ending).write_bytes(pack(path.read_bytes()))
        path.unlink()
    got = run(dump)
    assert got.folder != plain.folder
    assert pq.read_table(got.folder / "shortlist.parquet").to_pylist() == wanted
