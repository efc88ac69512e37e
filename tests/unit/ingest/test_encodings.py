"""Encodings, line ends and separators: a file gives the rows of its UTF-8 twin, or says what to declare."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from pipeline.config.files import load_plan
from pipeline.errors import DumpError
from pipeline.ingest.containers import blocks
from pipeline.ingest.dump import DumpFile, raw_records, read_file
from pipeline.ingest.sources.schema import Source
from pipeline.runs.read_task import read_context

ENCODINGS = {"gb18030", "gbk", "big5", "cp932", "cp1252", "latin-1"}
# Names that hold trail bytes which look like `\\`, `|` and other ASCII, one list for each codec.
NAMES = {
    "gb18030": ["億誠", "无牌 🐾", "䶮記", "猫砂垫\u200b"],
    "gbk": ["億誠", "無疆", "木雅"],
    "big5": ["功許蓋餐四", "收納盒 六格", "毛爪"],
    "cp932": ["ソ表能十予―ポ", "㈱髙①㎝", "引き出し"],
    "cp1252": ["Körbe für 5 €", "Näpfe “groß”", "Œuvre"],
    "latin-1": ["Körbe", "señal", "ça"],
}
HEADERS = {
    "gb18030": "货号,标题,价格",
    "gbk": "货号,标题,价格",
    "big5": "商品編號,標題,價格",
    "cp932": "商品コード,商品名,価格",
    "cp1252": "Größe,Wäsche,Menü",
    "latin-1": "Größe,Wäsche,Menü",
}


def source_of(header, codecs=(), **file):
    """A source that knows a header of at least two names: the first is an id, the last a text."""
    first, title, *_, last = header
    columns = {
        "supplier_sku": {"headers": [first], "kind": "id", "required": True, "filled": True},
        "title": {"headers": [title], "kind": "text", "required": True},
        "supplier_contact": {"headers": [last], "kind": "text", "required": True},
    }
    form = {"encodings": codecs, "final_line_end": "optional", **file}
    return Source.model_validate(
        {"name": "list", "title": "A list", "table": "offers", "file": form, "constants": {"supplier_id": "S1", "currency": "USD"}}
        | {"columns": columns}
    )


@pytest.fixture
def taken(tmp_path, context):
    """Rows (without the file and the offset, which differ) and report of bytes, read by one source."""

    def _taken(content, source, name="list.csv", plan=context):
        path = tmp_path / name
        path.write_bytes(content)
        reading = read_file(DumpFile(name, path), [source], plan)
        rows = [row for table, chunk in reading.tables() if table == "offers" for row in chunk.to_pylist()]
        return [{k: v for k, v in row.items() if k not in {"file", "byte_offset"}} for row in rows], reading.report

    return _taken


def text_in(codec, separator=",", newline="\r\n"):
    lines = [HEADERS[codec].replace(",", separator)]
    for number, name in enumerate(NAMES[codec] * 5):
        lines.append(separator.join([f"A{number}", f'"{name}{separator} {name}\n{name}"' if number % 4 == 1 else name, name]))
    return "".join(line + newline for line in lines)


@pytest.mark.parametrize("codec", sorted(ENCODINGS))
def test_a_declared_encoding_gives_the_rows_of_the_same_text_in_utf_8(taken, codec):
    text = text_in(codec)
    header = HEADERS[codec].split(",")
    wanted, _ = taken(text.encode(), source_of(header))
    got, report = taken(text.encode(codec), source_of(header, [codec]))
    assert len(got) == len(NAMES[codec] * 5) and got == wanted
    assert (report.encoding, report.set_aside) == (codec, {})


@pytest.mark.parametrize("codec", sorted(ENCODINGS))
def test_an_encoding_that_nobody_declared_is_refused_with_the_key_that_makes_it_readable(taken, context, codec):
    content, source = text_in(codec).encode(codec), source_of(HEADERS[codec].split(","))
    with pytest.raises(DumpError, match=r"list\.csv: no UTF-8, .*declare its true `encoding` under \[sources\.NAME\] in the plan") as told:
        taken(content, source)
    assert "\n" not in str(told.value)
    plan = replace(context, declared={"list": {"encoding": codec}})
    assert len(taken(content, source, plan=plan)[0]) == len(NAMES[codec] * 5)


@pytest.mark.parametrize(("codec", "wrong"), [("big5", "gb18030"), ("cp932", "gbk"), ("cp932", "gb18030")])
def test_a_wrong_declaration_that_decodes_without_an_error_knows_no_header(taken, codec, wrong):
    with pytest.raises(DumpError, match=f"no source knows its header read as {wrong}; declare its true `encoding`"):
        taken(text_in(codec).encode(codec), source_of(HEADERS[codec].split(","), [wrong]))


@pytest.mark.parametrize("codecs", [("gb18030", "big5"), ("big5", "gb18030")])
def test_of_several_declared_encodings_the_header_tells_which(taken, codecs):
    text = text_in("big5")
    wanted, _ = taken(text.encode(), source_of(HEADERS["big5"].split(",")))
    got, report = taken(text.encode("big5"), source_of(HEADERS["big5"].split(","), codecs))
    assert (got, report.encoding) == (wanted, "big5")


def test_of_several_declared_encodings_none_is_guessed_under_a_header_that_says_nothing(taken):
    content = "sku,title,note\n1,功許蓋,x\n".encode("big5")
    with pytest.raises(DumpError, match="may be gb18030 or big5; declare the true one as `encoding` for list in the plan"):
        taken(content, source_of(["sku", "title", "note"], ["gb18030", "big5"]))
    assert taken(content, source_of(["sku", "title", "note"], ["ascii", "big5"]))[0][0]["title"] == "功許蓋"


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("block", [64, 1 << 20])
def test_a_mark_tells_utf_8_and_utf_16_in_both_orders(taken, monkeypatch, codec, block):
    text, header = text_in("gb18030"), HEADERS["gb18030"].split(",")
    wanted, _ = taken(text.encode(), source_of(header))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    mark = "" if codec == "utf-8-sig" else "\ufeff"
    got, report = taken((mark + text).encode(codec), source_of(header))
    assert sorted(got, key=str) == sorted(wanted, key=str) and report.set_aside == {}


def test_utf_16_without_a_mark_is_refused(taken):
    with pytest.raises(DumpError):
        taken(text_in("gb18030").encode("utf-16-le"), source_of(HEADERS["gb18030"].split(",")))


def test_utf_16_that_is_cut_inside_a_character_is_refused(taken):
    with pytest.raises(DumpError, match="cut off inside a UTF-16 character"):
        taken(text_in("gb18030").encode("utf-16")[:-1], source_of(HEADERS["gb18030"].split(",")))


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "cp932", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_are_lf_crlf_or_bare_cr_in_every_encoding(taken, codec, newline):
    own = codec if codec in HEADERS else "gb18030"
    header = HEADERS[own].split(",")
    lines = [HEADERS[own], *(f"A{i},{name},{name}" for i, name in enumerate(NAMES[own]))]
    got, report = taken("".join(line + newline for line in lines).encode(codec), source_of(header, [own]))
    assert [(row["supplier_sku"], row["title"], row["line"]) for row in got] == [(f"A{i}", n, i + 2) for i, n in enumerate(NAMES[own])]
    assert report.lines == len(lines)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "utf-16", "big5", "cp932"])
def test_the_header_tells_the_separator(taken, codec, separator):
    own = codec if codec in HEADERS else "gb18030"
    header = HEADERS[own].split(",")
    got, report = taken(text_in(own, separator).encode(codec), source_of(header, [own]))
    assert {row["supplier_contact"] for row in got} == set(NAMES[own]) and len(got) == 5 * len(NAMES[own])
    assert (report.separator, report.set_aside) == (separator, {})


def test_a_separator_that_the_source_does_not_declare_is_refused(taken):
    with pytest.raises(DumpError, match="no source knows this header"):
        taken(text_in("gb18030", ";").encode(), source_of(HEADERS["gb18030"].split(","), separators=[","]))


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_canonical_table_may_be_separated_by_any_of_the_four(read, separator):
    got = read("product_id,title,price,currency\nB0INV00001,Basket,24.99,USD\n".replace(",", separator), "dump.tsv")
    assert [(row["title"], row["price_cents"]) for row in got.rows] == [("Basket", 2499)]
    mixed = f"product_id,title,price,currency\nB0INV00001,Basket,24.99,USD\nB0INV00002{separator}Hook{separator}5{separator}USD\n"
    assert [row["kind"] for row in read(mixed).aside] == ["width"]


def test_a_decimal_comma_under_a_semicolon_is_set_aside_not_guessed(read):
    got = read("product_id;title;price;currency\nB0INV00001;Basket;24,99;USD\n")
    assert (got.rows, got.aside[0]["column"]) == ([], "price")


@pytest.mark.parametrize("codec", ["utf-16", "cp932"])
def test_a_line_is_found_again_in_its_encoding(tmp_path, context, codec):
    lines = [HEADERS["cp932"], "A0,ソ表,x", "A1,引き出し,y"]
    text = "".join(line + "\n" for line in lines)
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(codec))
    source, plan = source_of(HEADERS["cp932"].split(",")), replace(context, declared={"list": {"encoding": "cp932"}})
    file = DumpFile("list.csv", path)
    for table, chunk in read_file(file, [source], plan).tables():
        assert table == "offers"
        assert raw_records(file, source, chunk["byte_offset"].to_pylist(), plan) == lines[1:]


def test_a_run_tells_of_a_conflict_in_the_encoding_that_its_plan_declares(make_dump, run):
    import gzip

    import pyarrow.parquet as pq

    dump = make_dump("2026-W47", more={"offers": [], "price_history": []})
    rows = "".join(f"B0INV{i:05},Körbe {i},24.99,USD\n" for i in range(100)) + "B0INV00007,Näpfe,99.99,USD\nB0INV00009,Œuvre,99.99,USD\n"
    (dump / "candidates.csv").unlink()
    (dump / "candidates.csv.gz").write_bytes(gzip.compress(("product_id,title,price,currency\n" + rows).encode("cp1252")))
    result = run(dump, plan='[sources.canonical-candidates]\nencoding = "cp1252"\n')
    aside = pq.read_table(result.folder / "set_aside.parquet").to_pylist()
    assert [row["raw"] for row in aside] == ["B0INV00007,Näpfe,99.99,USD", "B0INV00009,Œuvre,99.99,USD"]


# -- real files, and invented ones in their shapes (SHORTLIST_TEST_DATA) -----------------------------------------------------


def test_every_given_file_equals_its_answer_once_its_encoding_is_declared_and_says_so_before(real_data, taken, context):
    folder = real_data / "encodings"
    with (folder / "manifest.csv").open(encoding="utf-8") as handle:
        entries = list(csv.DictReader(handle))
    for entry in entries:
        answer = (folder / entry["answer"]).read_bytes()
        header = answer.decode().split("\r\n")[0].split(entry["delimiter"])
        source = source_of(header)
        wanted, told = taken(answer, source, "answer.csv")
        content = (folder / entry["file"]).read_bytes()
        if entry["bom"] == "no":
            with pytest.raises(DumpError, match=r"declare its (true )?`encoding`"):
                taken(content, source, entry["file"])
        codecs = [entry["codec"]] if entry["bom"] == "no" else []
        plan = replace(context, declared={"list": {"encoding": entry["codec"]}} if codecs else {})
        for got, report in (taken(content, source, entry["file"], plan), taken(content, source_of(header, codecs), "x")):
            assert got == wanted and len(got) == int(entry["rows"]), entry["file"]
            assert (report.lines, report.line_ends_in_values, report.set_aside) == (told.lines, 1, {}), entry["file"]


def test_given_files_equal_their_answers_without_a_word(real_data, sources):
    folder, context = real_data / "encodings", read_context(load_plan(None))

    def rows(name):
        reading = read_file(DumpFile("x.csv", folder / name), sources, context)
        told = [{k: v for k, v in row.items() if k != "byte_offset"} for _, chunk in reading.tables() for row in chunk.to_pylist()]
        return told, reading.report.set_aside

    with (folder / "manifest.csv").open(encoding="utf-8") as handle:
        for entry in csv.DictReader(handle):
            got, aside = rows(entry["file"])
            assert (got, aside) == rows(entry["answer"]), entry["file"]
            assert len(got) == int(entry["rows"]) and sum(aside.values()) <= 2, entry["file"]


def test_a_given_german_list_holds_the_numbers_that_are_meant(real_data, sources):
    folder, context = real_data / "encodings", read_context(load_plan(None))
    ((_, table), *_) = read_file(DumpFile("x.csv", folder / "de_products.cp1252.csv"), sources, context).tables()
    got = {row["supplier_sku"]: row for row in table.to_pylist()}
    with (folder / "de_products.values.utf-8.csv").open(encoding="utf-8") as handle:
        for entry in csv.DictReader(handle):
            number, cost = entry["Artikelnr."], entry["EK netto"]
            if number in got and cost.replace(".", "").isdigit():
                assert got[number]["unit_cost_e4"] == round(float(cost) * 10_000), number
                assert got[number]["shipping_cost_e4"] == round(float(entry["Versand"]) * 10_000), number


def test_a_delivery_history_with_a_mark_and_bare_carriage_returns_is_read_whole(real_data, taken):
    (path,) = (real_data / "supplier_deliveries").iterdir()
    content = path.read_bytes()
    text = content.decode("utf-8-sig")
    wanted = list(csv.reader(text.split("\r")))
    got, report = taken(content, source_of([wanted[0][0], wanted[0][5], wanted[0][-1]]))
    assert [(row["supplier_sku"], row["title"], row["supplier_contact"] or "") for row in got] == [
        (line[0], line[5], line[-1]) for line in wanted[1:]
    ]
    assert (len(got), report.lines, report.set_aside) == (3000, 3001, {})
    assert "Côte d'Ivoire" in {row["title"] for row in got}
