"""A dump cut at every byte, and changed at every byte: refused, set aside, or changed in that one cell or its key alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import Refusal
from pipeline.ingest.containers.sidecars import Promise
from pipeline.ingest.dump import DumpFile, ReadContext, read_file
from pipeline.ingest.sources.schema import load_sources

SOURCES = load_sources(Path(__file__).resolve().parents[2] / "configs" / "sources")
CANONICAL = tuple(source for source in SOURCES if source.name == "canonical-candidates")
CONTEXT = ReadContext({"USD": 2, "EUR": 2}, {"US": "USD", "DE": "EUR"}, {"com": "US"}, "US")
HEAD = b"product_id,title,price,currency,rating_count,return_rate,listed_since\n"
COLUMNS = ("product_id", "title", "price_cents", "currency", "rating_count", "return_rate", "listed_since")


def dump(rows: int) -> bytes:
    """Rows of every kind of cell, every third title in quotes, some cells empty."""
    titles = ['"Basket, %d"', "Hook %d", "Lampe für %d"]
    lines = [
        f"B0INV{i:05d},{titles[i % 3] % i},{i % 90 + 1}.{i % 100:02d},USD,{i if i % 4 else ''},0.{i % 50:02d},2024-0{i % 9 + 1}-1{i % 10}\n"
        for i in range(rows)
    ]
    return HEAD + "".join(lines).encode()


def read(file: DumpFile, content: bytes) -> tuple[list[tuple], int] | None:
    """The rows and the number of lines set aside; None when the file is refused."""
    file.path.write_bytes(content)
    rows, aside = [], 0
    try:
        reading = read_file(file, CANONICAL, CONTEXT)
        for name, table in reading.tables():
            if name == "set_aside":
                aside += table.num_rows
            else:
                rows += zip(*(table[column].to_pylist() for column in COLUMNS), strict=True)
    except Refusal as refusal:
        assert "\n" not in str(refusal)
        return None
    reading.report.check_ledger()
    return rows, aside


def cut_everywhere(content: bytes, file: DumpFile) -> None:
    """Only a cut between two lines is taken; then every row is one of the whole file's, and none is new."""
    whole, _ = read(file, content)
    for place in range(len(content)):
        found = read(file, content[:place])
        if content[:place].endswith(b"\n"):
            assert found == (whole[: content.count(b"\n", 0, place) - 1], 0), place
        else:
            assert found is None, place


def change_everywhere(content: bytes, file: DumpFile, masks: np.ndarray) -> None:
    """A changed byte costs its own line (a lost line end: the two that it parted), or changes one cell of it."""
    whole, _ = read(file, content)
    for place in range(len(content)):
        changed = content[:place] + bytes([content[place] ^ int(masks[place])]) + content[place + 1 :]
        found = read(file, changed)
        if found is None:
            continue
        if place < len(HEAD):  # a letter of another case names the same column
            assert found == (whole, 0), f"byte {place} of the header"
            continue
        rows, aside = found
        line = content.count(b"\n", len(HEAD), place)
        hit = {line, line + 1} if content[place] == 10 else {line}
        left = [row for number, row in enumerate(whole) if number not in hit]
        fresh = [row for row in rows if row not in left]
        assert [row for row in rows if row in left] == left, place
        assert len(fresh) <= 1, place
        if fresh and fresh[0] not in whole:
            cells = [sum(a != b for a, b in zip(fresh[0], whole[number], strict=True)) for number in hit if number < len(whole)]
            assert min(cells) == 1, place
        assert len(rows) + aside >= len(whole) - (content[place] == 10), place


@pytest.fixture
def file(tmp_path):
    return DumpFile("candidates.csv", tmp_path / "candidates.csv")


def test_a_dump_cut_at_any_byte_is_refused_or_ends_between_two_lines(file):
    cut_everywhere(dump(5), file)


def test_a_changed_byte_is_refused_set_aside_or_stays_in_its_cell(file):
    content = dump(5)
    change_everywhere(content, file, np.random.default_rng(3).integers(1, 256, len(content)))


def test_with_a_checksum_or_a_count_a_cut_between_lines_is_refused_too(file):
    content = dump(5)
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10][:-1]
    for promise in (Promise(sha256=hashlib.sha256(content).hexdigest()), Promise(rows=5)):
        told = replace(file, promise=promise)
        assert read(told, content) is not None
        assert [read(told, content[:place]) for place in ends] == [None] * len(ends)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_twenty_kilobytes_cut_and_changed_at_every_byte(file, seed):
    content = dump(385)
    assert len(content) > 20_000
    if seed == 0:
        cut_everywhere(content, file)
    change_everywhere(content, file, np.random.default_rng(seed).integers(1, 256, len(content)))
